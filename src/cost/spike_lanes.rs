//! Products on lanes that step over zeros, or do not.

use super::cost_model::CostModel;
use super::run::Run;
use super::tiled::{self, OnChip, Tiled, encoded_input};
use super::zeros::{MovedSums, Walk, Waves, ZeroHandling, handling};
use super::{Demand, LayerCost, Machine, Traffic, bank_conflicts, overheads};
use crate::exec::Pattern;
use crate::hw::table::EnergyTable;
use crate::hw::{MultiBit, Operand, Placement, SpatialDim, SpikeLanes, Unrolling, Zeros};
use crate::map::{Dataflow, Input, Plan, Product};
use crate::quant::WeightForm;

impl CostModel for SpikeLanes {
    fn layer_cost(&self, machine: &Machine, run: Run<'_>) -> LayerCost {
        tiled::layer_cost(self, machine, run)
    }

    fn on_chip(&self, machine: &Machine, run: Run<'_>, known: Option<&OnChip>) -> Option<OnChip> {
        Some(tiled::on_chip(self, machine, run, known))
    }

    fn patterns(&self, machine: &Machine, lanes: &Unrolling) -> Vec<Pattern> {
        let lanes = lanes.without(SpatialDim::Batch);
        let mut patterns = handling(&self.zeros).patterns(&lanes);
        patterns.extend(bank_conflicts::pattern(self, machine, &lanes));
        patterns
    }
}

impl Tiled for SpikeLanes {
    /// What `product` asks for, with the spikes of the run: for one of the images that run side by side, an even share.
    fn product(&self, machine: &Machine, run: Run<'_>, product: &Product, frames: f64) -> Demand {
        let images = f64::from(run.plan.lanes.extent(SpatialDim::Batch));
        let plan = Plan { lanes: run.plan.lanes.without(SpatialDim::Batch), ..*run.plan };
        let demand = self.product_of_image(machine, Run { plan: &plan, ..run }, product, frames);
        if images > 1.0 { share_lanes(self, demand, &plan, images, run.batch) } else { demand }
    }
}

impl SpikeLanes {
    /// What `product` asks for of the lanes for one image.
    fn product_of_image(&self, machine: &Machine, run: Run<'_>, product: &Product, frames: f64) -> Demand {
        let style = handling(&self.zeros);
        let waves = Waves::new(run, product, frames);
        let mut demand = match run.plan.dataflow {
            Dataflow::WeightStationary => weight_stationary(self, machine, run.plan, &waves),
            Dataflow::OutputStationary | Dataflow::InputStationary | Dataflow::Sequential => {
                let mut demand = output_stationary(self, machine, run.plan, &waves, style);
                move_sums(&mut demand, machine, run.plan, product, style.moved_sums(&waves));
                demand
            }
        };
        demand.array.fill_drain += overheads::cycles(self, run.plan, &waves);
        // Every input bit that is fetched is looked at: one AND of the zero detection.
        let looked_at =
            if style.looks_at_inputs() { demand.on_chip[Operand::Activations].read_bits } else { 0.0 };
        let scan_j = looked_at * machine.table.and_pj(1.0) * 1e-12;
        demand.operations_j.synapse = style.operations(&waves) * operation_pj(self, machine, product) * 1e-12
            + scan_j
            + style.search_pj(&waves, &machine.table) * 1e-12;
        demand.on_chip[Operand::Activations].read_bits *= encoded_input(machine, product, run.activity);
        demand
    }
}

/// The share of one image, of a `batch`, in what lanes for so many `images` side by side take; `demand` is that of lanes for
/// one. What is the same for all of them comes once: weights that stay in lanes, and rows that lanes in step add.
fn share_lanes(unit: &SpikeLanes, demand: Demand, plan: &Plan, images: f64, batch: f64) -> Demand {
    let share = (batch / images).ceil() / batch;
    let (array, accesses) = (demand.array.times(share), demand.accesses.times(share));
    let mut shared = Demand { array, accesses, waves: demand.waves * share, ..demand };
    shared.array.ideal = demand.array.ideal / images;
    shared.array.under_utilisation += demand.array.ideal * (share - 1.0 / images);
    let in_step = matches!(unit.zeros, Zeros::Dense | Zeros::Gated);
    if in_step || plan.dataflow == Dataflow::WeightStationary {
        shared.on_chip[Operand::Weights] = demand.on_chip[Operand::Weights].times(share);
    }
    shared
}

/// Accumulation (or multiplication) and the accumulator register of one weight.
fn operation_pj(lanes: &SpikeLanes, machine: &Machine, product: &Product) -> f64 {
    let table = &machine.table;
    let accumulator = f64::from(product.accumulator_bits);
    let add_pj = table.add_pj(accumulator) + table.register_pj(accumulator);
    let operand_bits = f64::from(product.weight.operand_bits);
    let added_pj = match (product.input, product.weight.shifts, lanes.multi_bit) {
        (Input::Spikes, _, _) => add_pj,
        (Input::Integers { bits }, Some(shifts), _) => {
            f64::from(shifts) * (table.shift_pj(f64::from(bits)) + add_pj)
        }
        (Input::Integers { bits }, None, MultiBit::BitSerial | MultiBit::Absent) => {
            f64::from(bits) * (table.and_pj(operand_bits) + add_pj)
        }
        (Input::Integers { bits }, None, MultiBit::Multiplier) => {
            table.multiply_pj(operand_bits, f64::from(bits)) + add_pj
        }
    };
    decode_pj(table, product.weight) + added_pj
}

/// Energy of turning a weight code into an operand: every gate of the table.
pub fn decode_pj(table: &EnergyTable, weight: WeightForm) -> f64 {
    f64::from(weight.decoder_gates()) * table.and_pj(1.0)
}

/// Cycles that one input takes in a lane: one for each shifted copy that is added, or in bit-serial lanes for each bit.
fn cycles_per_input(lanes: &SpikeLanes, product: &Product) -> f64 {
    match (product.input, product.weight.shifts, lanes.multi_bit) {
        (Input::Integers { .. }, Some(shifts), _) => f64::from(shifts),
        (Input::Integers { bits }, None, MultiBit::BitSerial) => f64::from(bits),
        _ => 1.0,
    }
}

/// Each accumulator owns one output; its lane walks through the inputs of its position.
fn output_stationary(
    unit: &SpikeLanes,
    machine: &Machine,
    plan: &Plan,
    waves: &Waves<'_>,
    style: &dyn ZeroHandling,
) -> Demand {
    let product = waves.product;
    let channels = f64::from(plan.lanes.extent(SpatialDim::OutputChannels));
    let outputs = product.group_outputs() as f64;
    let passes = (outputs / plan.channels as f64).ceil();
    let serial = cycles_per_input(unit, product);
    let Walk { average, busiest, weight_rows } = style.walk(waves);
    let tiles = passes * product.group_steps(&plan.lanes) as f64;
    // Outermost, other layers run between the timesteps: only waves of one timestep overlap.
    let innermost = plan.placement == Placement::Innermost;
    let all_waves = style.waves_of_outputs(waves);
    let overlapping = if innermost { all_waves } else { all_waves / waves.frames };
    let mut demand = Demand { tiles, waves: tiles * overlapping, ..Demand::default() };
    demand.array.ideal = average * serial * outputs / channels;
    demand.array.under_utilisation = average * serial * passes - demand.array.ideal;
    demand.array.imbalance = (busiest - average) * serial * passes;
    let words = weight_words(machine, plan, product);
    let met = bank_conflicts::counted(unit, machine, plan, waves);
    let read_rows = met.map_or(weight_rows, |met| met.reads);
    demand.read(Operand::Weights, read_rows * outputs * product.code_bits() * words);
    if let Some(met) = met {
        bank_conflicts::wait(&mut demand, machine, (met.cycles - busiest) * passes);
    }
    let fetched_bits = if style.gathers_inputs() { gathered_bits } else { streamed_bits };
    demand.read(Operand::Activations, fetched_bits(machine, waves, passes));
    if let Some(tile) = plan.tile(&machine.hardware, product) {
        // Every slice of inputs leaves its sums and finds those of the slices before.
        let words =
            channel_words(machine, Operand::PartialSums, plan, product, f64::from(product.accumulator_bits));
        let slices = (product.fan_in as f64 / f64::from(tile.inputs.value)).ceil();
        demand.tiles *=
            slices * (product.positions as f64 * waves.frames / f64::from(tile.rows.value)).ceil();
        demand.on_chip[Operand::PartialSums] = partial_sums(product, waves.frames, slices * words);
    }
    demand
}

/// Bits of inputs that positions fetch in `passes`: each its own in one go.
fn gathered_bits(machine: &Machine, waves: &Waves<'_>, passes: f64) -> f64 {
    let product = waves.product;
    let (fan_in, input_bits) = (product.fan_in as f64, f64::from(product.input.bits()));
    let words = machine.padding(Operand::Activations, fan_in, fan_in, input_bits);
    let inputs = product.positions as f64 * fan_in * product.groups as f64 * waves.frames * passes;
    inputs * input_bits * words
}

/// Bits of inputs that are fetched in `passes`: whole maps, packed.
fn streamed_bits(_: &Machine, waves: &Waves<'_>, passes: f64) -> f64 {
    waves.product.input_values as f64 * waves.frames * passes * f64::from(waves.product.input.bits())
}

/// Adds the sums that are moved in their memory.
fn move_sums(demand: &mut Demand, machine: &Machine, plan: &Plan, product: &Product, moved: MovedSums) {
    let sum_bits = f64::from(product.accumulator_bits);
    let words = channel_words(machine, Operand::PartialSums, plan, product, sum_bits);
    let MovedSums { read, written } = moved;
    demand.read(Operand::PartialSums, read * product.group_outputs() as f64 * sum_bits * words);
    demand.write(Operand::PartialSums, written * product.group_outputs() as f64 * sum_bits * words);
}

/// Bits of whole words that are moved for one that is used, of values that lie side by side along the channels: those
/// of groups that run side by side, too.
fn channel_words(machine: &Machine, operand: Operand, plan: &Plan, product: &Product, bits: f64) -> f64 {
    let [size, run] = side_by_side(plan, product);
    machine.padding(operand, size, run, bits)
}

/// [`channel_words`] of weights.
fn weight_words(machine: &Machine, plan: &Plan, product: &Product) -> f64 {
    let [size, run] = side_by_side(plan, product);
    machine.weight_padding(product, size, run)
}

/// Values that lie side by side along the channels, and how many of them are moved at once.
fn side_by_side(plan: &Plan, product: &Product) -> [f64; 2] {
    let (size, run) = match plan.groups(product) {
        1 => (product.group_outputs(), plan.channels),
        groups => (product.outputs, plan.channels.min(product.group_outputs()) * groups),
    };
    [size as f64, run as f64]
}

/// Each lane holds one weight; positions stream by, partial sums go to memory.
fn weight_stationary(unit: &SpikeLanes, machine: &Machine, plan: &Plan, waves: &Waves<'_>) -> Demand {
    let (product, frames) = (waves.product, waves.frames);
    let outputs = product.group_outputs() as f64;
    let groups = product.groups as f64;
    let (input_tiles, output_tiles) =
        (product.input_steps(&plan.lanes) as f64, (outputs / plan.channels as f64).ceil());
    let positions = product.positions as f64 * frames;
    let serial = cycles_per_input(unit, product);
    // Sums are complete after the last inputs.
    let tiles = output_tiles * product.group_steps(&plan.lanes) as f64;
    let mut demand = Demand { tiles: input_tiles * tiles, waves: tiles, ..Demand::default() };
    demand.array.ideal = positions * product.fan_in as f64 * outputs * groups * serial / plan.lanes.lanes();
    demand.array.under_utilisation = waves.waves() * input_tiles * tiles * serial - demand.array.ideal;
    let fan_in = product.fan_in as f64;
    let words = weight_words(machine, plan, product);
    let weight_bits = fan_in * outputs * groups * product.code_bits() * words;
    // Weights that fill the array once stay for all tiles of positions.
    let loads = if input_tiles * output_tiles > 1.0 {
        plan.position_tiles().max(overheads::stretches(unit, product))
    } else {
        1.0
    };
    demand.read(Operand::Weights, weight_bits * weight_passes(plan, frames) * loads);
    let input_bits = f64::from(product.input.bits());
    let words = machine.padding(Operand::Activations, fan_in, f64::from(plan.lanes.summed()), input_bits);
    let inputs = positions * fan_in * groups * output_tiles;
    demand.read(Operand::Activations, inputs * input_bits * words);
    let words =
        channel_words(machine, Operand::PartialSums, plan, product, f64::from(product.accumulator_bits));
    demand.on_chip[Operand::PartialSums] = partial_sums(product, frames, input_tiles * words);
    demand
}

/// Times that stationary weights are brought into the array.
pub fn weight_passes(plan: &Plan, frames: f64) -> f64 {
    match plan.placement {
        Placement::Innermost => 1.0,
        Placement::Outermost => frames,
    }
}

/// Partial sums that leave the array: every pass over inputs writes all of them, every pass but
/// the first reads them back, and the last hands them to the neurons. `passes` counts their words, too.
pub fn partial_sums(product: &Product, frames: f64, passes: f64) -> Traffic {
    let values = (product.positions * product.outputs) as f64 * frames;
    let bits = values * f64::from(product.accumulator_bits);
    Traffic { read_bits: bits * passes, written_bits: bits * passes }
}
