//! Layers on units with memories around them: tiles on a timeline, charged by operations and accesses.

use super::machine::traffic_j;
use super::pace::{stalls, times};
use super::parts::{Cycles, EnergyJ, LayerCost};
use super::prefetch::Outline;
use super::run::Run;
use super::stalls::Stalls;
use super::timeline::{timeline, waits};
use super::{Behind, Demand, Machine, Traffic, encoding, epilogue, events};
use crate::exec::Activity;
use crate::hw::{Operand, PerOperand, Placement, Work};
use crate::map::{EpilogueKind, Farther, Home, Input, Parts, Passage, Plan, Product};

/// A unit that takes a layer tile by tile.
pub trait Tiled {
    /// What `product` asks for in `frames` frames.
    fn product(&self, machine: &Machine, run: Run<'_>, product: &Product, frames: f64) -> Demand;

    /// Adds what follows the product: vector units do it.
    fn epilogue(&self, machine: &Machine, run: Run<'_>, demand: &mut Demand) {
        epilogue::add(demand, machine, run);
    }

    /// True if biases, thresholds and requantizers come from the memory of the weights, beside the product.
    fn fetches_parameters(&self) -> bool {
        true
    }
}

/// Cost of one layer for one of the images that go through it together: tiles of weights come once for all of them.
pub fn layer_cost(unit: &impl Tiled, machine: &Machine, run: Run<'_>) -> LayerCost {
    on_chip(unit, machine, run, None).cost(machine, run)
}

/// What a layer asks for on chip, wherever its operands live: plans that compute alike share it.
#[derive(Debug, Clone)]
pub struct OnChip {
    /// All of it, for all images that go through the layer together.
    demand: Demand,
    /// Traffic of the array alone.
    array: PerOperand<Traffic>,
    /// What follows the product.
    after: After,
}

/// What follows the product of a layer, for one image.
#[derive(Debug, Clone)]
struct After {
    demand: Demand,
    /// What of a plan it depends on.
    unit: usize,
    keeps_membranes: bool,
}

impl After {
    /// By the plan of `run`; `known` where that is of such a plan.
    fn new(unit: &impl Tiled, machine: &Machine, run: Run<'_>, known: Option<&Self>) -> Self {
        let keeps_membranes = run.plan.keeps_membranes(run.layer, &machine.hardware);
        let number = run.plan.unit;
        if let Some(known) = known.filter(|k| (k.unit, k.keeps_membranes) == (number, keeps_membranes)) {
            return known.clone();
        }
        let mut demand = Demand::default();
        unit.epilogue(machine, run, &mut demand);
        Self { demand, unit: number, keeps_membranes }
    }
}

/// What the layer of `run` asks for on chip; `known` may spare some of it: what that layer asks for by another plan, with
/// the same activity.
pub fn on_chip(unit: &impl Tiled, machine: &Machine, run: Run<'_>, known: Option<&OnChip>) -> OnChip {
    let Run { layer, plan, timesteps, batch, .. } = run;
    let mut demand = match &layer.product {
        Some(product) => {
            let mut demand = in_parts(unit, machine, run, product);
            hold_constant_sums(&mut demand, machine, run, product);
            demand
        }
        None => Demand::default(),
    };
    if unit.fetches_parameters() {
        let fetches = if plan.placement == Placement::Outermost { timesteps } else { 1.0 };
        demand.read(Operand::Weights, layer.parameter_bits() * fetches);
    }
    let mut array = demand.on_chip;
    let after = After::new(unit, machine, run, known.map(|known| &known.after));
    demand.follow(&after.demand);
    if let Some(product) = &layer.product {
        *demand.ideal.of_products(product.input) += demand.array.ideal;
        *demand.busy.of_products(product.input) += demand.array.total();
    }
    if batch > 1.0 {
        demand = demand.repeated(batch);
        array = PerOperand::from_fn(|operand| array[operand].times(batch));
    }
    OnChip { demand, array, after }
}

impl OnChip {
    /// Cost of the layer for one of the images, by the plan of `run`.
    // Where it is inlined, what a mapper does not keep of it is not computed.
    #[inline]
    pub fn cost(&self, machine: &Machine, run: Run<'_>) -> LayerCost {
        let Run { layer, plan, activity, timesteps, batch, names_stalls } = run;
        let mut demand = self.demand.clone();
        pass(&mut demand, &self.array, machine, run);
        demand.tiles *= plan.load_tiles() * rounds(machine, run);
        let times = times(&demand, &self.array, machine);
        let cycles = timeline(&times, demand.tiles, demand.waves);
        let energy_j = match &machine.events {
            Some(table) => events::energy_j(table, layer, activity, timesteps).times(batch),
            None => energy_j(&demand, machine, &cycles),
        };
        let stalls = if names_stalls {
            stalls(&demand, &self.array, machine, &waits(&times, demand.tiles, demand.waves))
        } else {
            Stalls::default()
        };
        let all = LayerCost {
            cycles,
            stalls,
            ideal: demand.ideal,
            busy: demand.busy,
            energy_j,
            traffic_bits: demand.traffic_bits(),
            loaded_bits: demand.loaded_bits,
            loaded_weight_bits: demand.loaded_weight_bits,
            transfer_cycles: times.load + times.store,
            tiles: demand.tiles.max(1.0),
        };
        if batch > 1.0 { LayerCost { tiles: all.tiles, ..all.divided_by(batch) } } else { all }
    }

    /// The least that the layer costs for one of the images, wherever its operands live: nothing comes from farther out.
    pub fn least(&self, machine: &Machine, run: Run<'_>) -> Outline {
        let Run { layer, activity, timesteps, batch, .. } = run;
        let cycles = timeline(&times(&self.demand, &self.array, machine), 1.0, self.demand.waves);
        let energy_j = match &machine.events {
            Some(table) => events::energy_j(table, layer, activity, timesteps).times(batch),
            None => energy_j(&self.demand, machine, &cycles),
        };
        Outline::unloaded(cycles.total() / batch, (energy_j.total() - energy_j.dram) / batch)
    }
}

/// What `product` asks for, in as many parts of the bits of its inputs as accumulators make necessary: each but the last
/// leaves its sums, and each but the first adds its own to them.
fn in_parts(unit: &impl Tiled, machine: &Machine, run: Run<'_>, product: &Product) -> Demand {
    let frames = run.frames(product);
    let whole = unit.product(machine, run, product, frames);
    let parts = run.plan.parts(product, &machine.hardware);
    let Parts { count, bits } = parts;
    if count == 1 {
        return whole;
    }
    let takes = machine.hardware.unit(run.plan.unit).takes().expect("it takes a product");
    let accumulator_bits = takes.sum_bits.unwrap_or(64).min(product.accumulator_bits);
    let part = |bits: u32| {
        let part = Product { input: Input::Integers { bits }, accumulator_bits, ..product.clone() };
        unit.product(machine, run, &part, frames)
    };
    let last = part(parts.last_bits(product.input.bits()));
    let mut demand = part(bits).repeated(f64::from(count - 1));
    demand.waves += last.waves;
    demand.follow(&last);
    let ideal = whole.array.ideal.min(demand.array.ideal);
    demand.array.under_utilisation += demand.array.ideal - ideal;
    demand.array.ideal = ideal;
    let sum_bits = f64::from(product.accumulator_bits);
    let again = f64::from(count - 1) * (product.positions * product.outputs) as f64 * frames;
    let side_by_side = run.plan.channels.max(1) as f64;
    let words = machine.padding(Operand::PartialSums, product.outputs as f64, side_by_side, sum_bits);
    demand.read(Operand::PartialSums, again * sum_bits * words);
    demand.write(Operand::PartialSums, again * sum_bits * words);
    demand.operations_j.elementwise += again * machine.table.add_pj(sum_bits) * 1e-12;
    if let Some(vector) = machine.hardware.vector_of(Work::Joins) {
        let cycles = again / f64::from(vector.values_per_cycle.value);
        demand.epilogue_cycles += cycles;
        demand.ideal.joins += cycles;
        demand.busy.joins += cycles;
    }
    demand
}

/// Times that all tiles of weights come: once for all images, or for each of them where rows of one image wait for their
/// sums.
fn rounds(machine: &Machine, run: Run<'_>) -> f64 {
    let waits = run.layer.product.as_ref().and_then(|product| run.plan.tile(&machine.hardware, product));
    if waits.is_some() { run.batch } else { 1.0 }
}

/// Bits of the input relative to a bitmap, where it is one of spikes.
pub(super) fn encoded_input(machine: &Machine, product: &Product, activity: &Activity) -> f64 {
    encoding::of_input(machine.hardware.spike_encoding, product, &activity.nodes[product.node.index()])
}

/// A product computed once for all timesteps is written and read back at each of them, unless the
/// timesteps run inside the array. Sums that leave it are written and read once already.
fn hold_constant_sums(demand: &mut Demand, machine: &Machine, run: Run<'_>, product: &Product) {
    let Run { layer, plan, timesteps, .. } = run;
    let varies = layer.epilogue.iter().any(|e| matches!(e.kind, EpilogueKind::Neuron { .. }));
    let in_array = plan.keeps_membranes(layer, &machine.hardware);
    if plan.runs_once(product) && varies && !in_array {
        let bits = (product.positions * product.outputs) as f64 * f64::from(product.accumulator_bits);
        let stored = if plan.stores_sums(&machine.hardware) { 1.0 } else { 0.0 };
        demand.write(Operand::PartialSums, bits * (1.0 - stored));
        demand.read(Operand::PartialSums, bits * (timesteps - stored));
    }
}

/// What comes tile by tile to memories that feed units, and leaves them so: the image, weights that do not stay there,
/// and what has no room. Whatever is loaded is written there first, whatever is stored is read there, and both pass
/// every memory on their way.
fn pass(demand: &mut Demand, array: &PerOperand<Traffic>, machine: &Machine, run: Run<'_>) {
    for operand in Operand::ALL {
        let passing = passing(demand, array, machine, run, operand);
        if passing == Passing::default() {
            continue;
        }
        let Passing { off_chip, behind } = passing;
        demand.dram.read_bits += off_chip.read_bits;
        demand.dram.written_bits += off_chip.written_bits;
        let all = off_chip.with(&behind.1);
        demand.write(operand, all.read_bits);
        demand.read(operand, all.written_bits);
        demand.loaded_bits += all.read_bits;
        if operand == Operand::Weights {
            demand.loaded_weight_bits += all.read_bits;
        }
        pass_levels(demand, machine, operand, &passing);
    }
}

/// What passes of `operand`.
fn passing(
    demand: &Demand,
    array: &PerOperand<Traffic>,
    machine: &Machine,
    run: Run<'_>,
    operand: Operand,
) -> Passing {
    let mut passing = Passing::default();
    match (operand, &run.layer.product) {
        (Operand::Weights, Some(product)) => load_weights(&mut passing, machine, run, product),
        (Operand::Activations, Some(product)) => load_inputs(&mut passing, machine, run, product),
        _ => {}
    }
    if operand != Operand::Weights && run.plan.passes(operand) {
        let traffic = demand.on_chip[operand];
        // What a product reads again and again was loaded once, above.
        let again = match operand {
            Operand::Activations => array[operand].read_bits,
            _ => 0.0,
        };
        let read = Traffic { read_bits: traffic.read_bits - again, written_bits: 0.0 };
        let written = Traffic { read_bits: 0.0, written_bits: traffic.written_bits };
        passing.add(read, Places::of(run.plan, operand, machine, |passage| passage.read));
        passing.add(written, Places::of(run.plan, operand, machine, |passage| passage.written));
    }
    passing
}

/// Traffic between the memory that feeds units with an operand, and its homes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Passing {
    off_chip: Traffic,
    /// An on-chip level, and what comes from there and goes there.
    behind: (u8, Traffic),
}

impl Passing {
    /// Adds what of `moved` lives at `places`.
    fn add(&mut self, moved: Traffic, places: Places) {
        let Places { shares, level } = places;
        self.off_chip = self.off_chip.with(&moved.times(shares.off_chip));
        if shares.behind > 0.0 {
            self.behind = (level, self.behind.1.with(&moved.times(shares.behind)));
        }
    }
}

/// Where something lives that does not stay beside units.
#[derive(Debug, Clone, Copy)]
struct Places {
    shares: Farther,
    /// The on-chip level of what is not off chip.
    level: u8,
}

impl Places {
    /// All of it at `home`.
    fn at(home: Home) -> Self {
        match home {
            Home::OffChip => Self { shares: Farther { behind: 0.0, off_chip: 1.0 }, level: 0 },
            Home::OnChip(level) => Self { shares: Farther { behind: 1.0, off_chip: 0.0 }, level },
        }
    }

    /// What `plan` moves of `operand`: all from one home, or `of` it where maps have homes of their own.
    fn of(plan: &Plan, operand: Operand, machine: &Machine, of: impl Fn(&Passage) -> Farther) -> Self {
        let outermost = machine.behind[operand].len() as u8;
        let shares = plan.passage(operand).map(|passage| Self { shares: of(&passage), level: outermost });
        shares.unwrap_or_else(|| Self::at(plan.home[operand]))
    }
}

/// Adds what memories behind the first one move of `passing`.
fn pass_levels(demand: &mut Demand, machine: &Machine, operand: Operand, passing: &Passing) {
    let Passing { off_chip, behind: (level, at_level) } = *passing;
    for (&memory, number) in machine.behind[operand].iter().zip(1_u8..) {
        // From farther out it is written before it is read; at home it is there.
        let farther = if number < level { off_chip.with(&at_level) } else { off_chip };
        let sent = if number == level { off_chip.with(&at_level) } else { farther };
        let inward = Traffic { read_bits: sent.read_bits, written_bits: farther.read_bits };
        let outward = Traffic { read_bits: farther.written_bits, written_bits: sent.written_bits };
        if inward.bits() + outward.bits() > 0.0 {
            demand.behind.push(Behind { memory, operand, inward, outward });
        }
    }
}

/// Adds what `product` loads of inputs: the image, and what lives elsewhere.
fn load_inputs(passing: &mut Passing, machine: &Machine, run: Run<'_>, product: &Product) {
    let Run { plan, activity, timesteps, batch, .. } = run;
    if !product.from_outside && !plan.input_passes() {
        return;
    }
    let input = encoded_input(machine, product, activity);
    let input_bits = product.input_values as f64 * f64::from(product.input.bits()) * input * batch;
    if product.from_outside {
        passing.off_chip.read_bits += input_bits;
    } else {
        let frames = product.input_frames(timesteps);
        let read_bits = input_bits * frames * plan.input_loads(product);
        let read = Traffic { read_bits, written_bits: 0.0 };
        passing.add(read, Places::of(plan, Operand::Activations, machine, |passage| passage.input));
    }
}

/// Adds what `product` loads of weights.
fn load_weights(passing: &mut Passing, machine: &Machine, run: Run<'_>, product: &Product) {
    let Run { layer, plan, timesteps, .. } = run;
    if !plan.passes(Operand::Weights) {
        return;
    }
    let passes = if plan.placement == Placement::Outermost { timesteps } else { 1.0 };
    let rows = product.positions as f64 * run.frames(product);
    let fetches = plan
        .tile(&machine.hardware, product)
        .map_or(1.0, |tile| (rows / plan.position_tiles() / f64::from(tile.rows.value)).ceil());
    let loads = plan.weight_loads() * passes;
    let fetches = fetches * rounds(machine, run);
    let all = (layer.weight_bits() * fetches + layer.parameter_bits()) * loads;
    let streamed = plan.streamed_share(layer);
    passing.off_chip.read_bits += all * streamed;
    // What stays beside the units does not pass.
    if machine.behind[Operand::Weights].is_empty() {
        return;
    }
    let residents = match plan.home[Operand::Weights] {
        Home::OffChip => Home::OnChip(machine.hardware.level_of_residents()),
        on_chip => on_chip,
    };
    if residents != Home::default() {
        let read = Traffic { read_bits: all * (1.0 - streamed), written_bits: 0.0 };
        passing.add(read, Places::at(residents));
    }
}

fn energy_j(demand: &Demand, machine: &Machine, cycles: &Cycles) -> EnergyJ {
    let on_chip_j = |operand: Operand| {
        let behind = demand.behind.iter().filter(|behind| behind.operand == operand);
        let behind_j = behind.map(|behind| traffic_j(&machine.memories[behind.memory], &behind.both()));
        machine.on_chip_j(operand, &demand.on_chip[operand]) + behind_j.sum::<f64>()
    };
    let on_chip = EnergyJ {
        weight_memory: on_chip_j(Operand::Weights),
        activation_memory: on_chip_j(Operand::Activations),
        partial_sum_memory: on_chip_j(Operand::PartialSums),
        membrane_memory: on_chip_j(Operand::Membranes),
        residual_memory: on_chip_j(Operand::Residual),
        ..demand.operations_j
    };
    machine.whole_chip_j(on_chip, &demand.dram, cycles.total())
}
