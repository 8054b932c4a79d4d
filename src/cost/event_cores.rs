//! Layers on cores that take one input spike after the other.

use super::cost_model::CostModel;
use super::run::Run;
use super::spike_lanes::decode_pj;
use super::spike_queues::{Rounds, Span, Streamed};
use super::stalls::{Direction, Place, Stall, StallPart};
use super::tiled::{self, Tiled, encoded_input};
use super::{Demand, LayerCost, Machine, Traffic, epilogue};
use crate::exec::{NodeActivity, Pattern};
use crate::hw::{Datapath, EventCores, Operand, Sourced, SpikeSearch, Unrolling, WeightStream, Work};
use crate::map::{EpilogueKind, Input, Layer, Product};
use crate::model::NodeId;

/// Waves of outputs on the timeline: outputs leave one by one, so memories are hidden behind cores as far as they may be.
const WAVES: f64 = 1e18;

impl CostModel for EventCores {
    /// Events, sweeps and what is done where outputs are written follow each other; memories work beside them.
    fn layer_cost(&self, machine: &Machine, run: Run<'_>) -> LayerCost {
        let mut cost = tiled::layer_cost(self, machine, run);
        let done = Work::ALL.into_iter().filter(|&work| self.does(work));
        let behind: f64 = done.map(|work| *cost.busy.of(work)).sum();
        cost.cycles.imbalance -= behind;
        cost.cycles.epilogue += behind;
        if let Some(product) = &run.layer.product {
            *cost.busy.of_products(product.input) -= behind;
            if self.weight_stream.is_some() {
                wait_for_weights(&mut cost, waiting(self, run, product), machine, run);
            }
        }
        cost
    }

    fn patterns(&self, _: &Machine, _: &Unrolling) -> Vec<Pattern> {
        let outputs = self.overheads.output_spike_cycles.as_ref().map(|_| Pattern::Outputs);
        searched(self).into_iter().chain(outputs).collect()
    }
}

/// Where weights stream, cores wait for them and for nothing else from off chip: inputs are there before.
fn wait_for_weights(cost: &mut LayerCost, waiting: f64, machine: &Machine, run: Run<'_>) {
    for part in [StallPart::Dram, StallPart::Load, StallPart::Store] {
        cost.stalls.scale(part, 0.0);
    }
    (cost.cycles.load, cost.cycles.store, cost.cycles.dram_stall) = (0.0, 0.0, waiting);
    cost.cycles.imbalance -= waiting;
    if run.names_stalls {
        let (memory, direction) = (Place::OffChip, Direction::Read);
        cost.stalls.add(Stall { part: StallPart::Dram, memory, direction, cycles: waiting });
    }
    let moved =
        Traffic { read_bits: cost.traffic_bits.dram_read, written_bits: cost.traffic_bits.dram_written };
    if machine.events.is_none() {
        cost.energy_j.dram = machine.dram_j(&moved, cost.cycles.total());
    }
}

/// How spikes have to be counted for the search.
fn searched(cores: &EventCores) -> Option<Pattern> {
    match &cores.search {
        Some(SpikeSearch::Lists(_)) => Some(Pattern::Maps),
        Some(SpikeSearch::Queue(queue)) => Some(Pattern::Positions { group: queue.group.value as usize }),
        Some(SpikeSearch::Once(_)) | None => None,
    }
}

impl Tiled for EventCores {
    /// The time of what was counted, event by event; sums are kept with the membranes.
    fn product(&self, machine: &Machine, run: Run<'_>, product: &Product, frames: f64) -> Demand {
        let counted = &run.activity.nodes[product.node.index()];
        let passes = passes(self, run.layer, product);
        let weights = self.weight_stream.as_ref();
        let span = span(self, run, product, weights);
        let operations = operations(self, run, product);
        let adders =
            f64::from(self.adders.as_ref().map_or(channels(self, run.layer, product) as u32, |a| a.value));
        let adding = span.adding as f64;
        let mut demand = Demand { tiles: 1.0, waves: WAVES, ..Demand::default() };
        demand.array.ideal = (operations / adders).min(adding);
        demand.array.under_utilisation = adding - demand.array.ideal;
        demand.array.imbalance = (span.total - span.adding) as f64;
        demand.busy.neurons = span.sweeping as f64;
        demand.operations_j.synapse = operations * operation_pj(machine, product) * 1e-12;
        let added = spikes(self, run, product).iter().map(|&n| f64::from(n)).sum::<f64>();
        let events = added * repeat_of(counted, frames);
        let fetched =
            if is_dense(self) { operations } else { events * (taps(product) * product.outputs) as f64 };
        let in_step = channels(self, run.layer, product) as f64;
        let outputs = product.outputs as f64;
        let weight_words = machine.weight_padding(product, outputs, in_step);
        demand.read(Operand::Weights, fetched * (product.code_bits() * weight_words));
        let inputs = product.input_values as f64 * frames * passes as f64 * f64::from(product.input.bits());
        demand.read(Operand::Activations, inputs * encoded_input(machine, product, run.activity));
        let moved = moved_sums(self, run, product, operations) * repeat_of(counted, frames);
        let membrane_bits = f64::from(membrane_bits(run.layer, product));
        let membrane_words = machine.padding(Operand::Membranes, outputs, in_step.min(adders), membrane_bits);
        let bits = moved * (membrane_bits * membrane_words);
        demand.on_chip[Operand::Membranes] = Traffic { read_bits: bits, written_bits: bits };
        demand
    }

    /// Neurons belong to the cores, and to a sweep of theirs if they have one.
    fn epilogue(&self, machine: &Machine, run: Run<'_>, demand: &mut Demand) {
        let membranes = demand.on_chip[Operand::Membranes];
        epilogue::add(demand, machine, run);
        if self.sweep.is_none() {
            demand.on_chip[Operand::Membranes] = membranes;
        }
        let channels = run.layer.outputs().max(1) as f64;
        for behind in &run.layer.epilogue {
            let frames = behind.frames(run.timesteps);
            let cycles = match behind.kind {
                EpilogueKind::Neuron { .. } | EpilogueKind::IntegerNeuron { .. } => {
                    output_spikes(run, behind.node) * cycles(&self.overheads.output_spike_cycles)
                }
                _ => self.write_back(behind.work()).map_or(0.0, |done| {
                    let positions = behind.values as f64 / channels;
                    (positions * cycles(&done.position_cycles) + cycles(&done.timestep_cycles)) * frames
                }),
            };
            demand.array.imbalance += cycles;
            *demand.busy.of(behind.work()) += cycles;
        }
    }
}

/// Spikes that leave the neurons `node`: a level of an integer spike is as many.
fn output_spikes(run: Run<'_>, node: NodeId) -> f64 {
    match run.activity.pattern(Pattern::Outputs, node) {
        Some(counted) if !counted.inputs.is_empty() => counted.inputs.iter().map(|&n| f64::from(n)).sum(),
        _ => f64::from(run.activity.nodes[node.index()].total().output_events),
    }
}

fn cycles(sourced: &Option<Sourced<u32>>) -> f64 {
    sourced.as_ref().map_or(0.0, |sourced| f64::from(sourced.value))
}

fn value(sourced: &Option<Sourced<u32>>) -> u64 {
    sourced.as_ref().map_or(0, |sourced| u64::from(sourced.value))
}

/// Times that one counted frame stands for.
fn repeat_of(counted: &NodeActivity, frames: f64) -> f64 {
    frames / counted.steps.len().max(1) as f64
}

/// True if events take no time: a core that goes through positions, and multiplies whatever it finds.
fn is_dense(cores: &EventCores) -> bool {
    let event = &cores.event;
    [&event.fixed_cycles, &event.tap_cycles, &event.sum_cycles, &event.neuron_cycles]
        .iter()
        .all(|c| c.is_none())
}

/// Output channels in step.
fn channels(cores: &EventCores, layer: &Layer, product: &Product) -> usize {
    product.outputs.min(cores.channels.of(&layer.name) as usize)
}

/// Passes through the spikes.
fn passes(cores: &EventCores, layer: &Layer, product: &Product) -> u64 {
    let positions =
        cores.positions.as_ref().map_or(1, |held| product.positions.div_ceil(held.value as usize));
    (product.outputs.div_ceil(cores.channels.of(&layer.name) as usize) * positions) as u64
}

/// Kernel positions that an event meets: one where the kernel is as large as the map.
fn taps(product: &Product) -> usize {
    if product.positions == 1 { 1 } else { product.taps }
}

/// Additions or multiplications; of events that positions share, each once.
fn operations(cores: &EventCores, run: Run<'_>, product: &Product) -> f64 {
    let frames = run.frames(product);
    if is_dense(cores) {
        return product.dense_operations() * frames;
    }
    let counted = &run.activity.nodes[product.node.index()];
    let total = counted.total();
    let added = spikes(cores, run, product).iter().map(|&n| f64::from(n)).sum::<f64>();
    let share = if total.input_events > 0 { added / f64::from(total.input_events) } else { 1.0 };
    total.synaptic_operations() as f64 * share * repeat_of(counted, frames)
}

/// An addition, or a multiplication and an addition, of one weight.
fn operation_pj(machine: &Machine, product: &Product) -> f64 {
    let table = &machine.table;
    let add_pj = table.add_pj(f64::from(product.accumulator_bits));
    let added_pj = match (product.input, product.weight.shifts) {
        (Input::Spikes, _) => add_pj,
        (Input::Integers { bits }, Some(shifts)) => {
            f64::from(shifts) * (table.shift_pj(f64::from(bits)) + add_pj)
        }
        (Input::Integers { bits }, None) => {
            table.multiply_pj(f64::from(product.weight.operand_bits), f64::from(bits)) + add_pj
        }
    };
    decode_pj(table, product.weight) + added_pj
}

/// Width of a membrane, or of a sum that has none.
fn membrane_bits(layer: &Layer, product: &Product) -> u32 {
    let of_neuron = layer.epilogue.iter().find_map(|behind| match behind.kind {
        EpilogueKind::Neuron { membrane_bits, .. } => membrane_bits,
        _ => None,
    });
    of_neuron.unwrap_or(product.accumulator_bits)
}

/// Sums that are read, added to and written in the frames that were counted: one for each addition, or for each position
/// of a kernel that the spikes of an input position reach together.
fn moved_sums(cores: &EventCores, run: Run<'_>, product: &Product, operations: f64) -> f64 {
    let counted = run.activity.nodes[product.node.index()].steps.len().max(1) as f64;
    match &cores.search {
        Some(SpikeSearch::Queue(queue)) => {
            let parts = spikes(cores, run, product);
            let written = |parts: &[u32]| match parts {
                [alone] => usize::from(*alone > 0),
                [common, own @ ..] => own.iter().filter(|&&spikes| spikes + common > 0).count(),
                [] => 0,
            };
            let frames = parts.chunks((parts.len() / counted as usize).max(1));
            let positions: usize = frames.flat_map(|frame| frame.chunks(queue.parts())).map(written).sum();
            (positions * taps(product) * product.outputs) as f64
        }
        _ if is_dense(cores) => (product.positions * product.outputs) as f64 * counted,
        _ => operations / (run.frames(product) / counted),
    }
}

/// Spikes by timestep and item of the search.
fn spikes(cores: &EventCores, run: Run<'_>, product: &Product) -> Vec<u32> {
    let counted = searched(cores).and_then(|pattern| run.activity.pattern(pattern, product.node));
    match counted {
        Some(counted) => counted.inputs.to_vec(),
        // A timestep as a whole.
        None => run.activity.nodes[product.node.index()].steps.iter().map(|step| step.input_events).collect(),
    }
}

/// Cycles that adders wait for weights.
fn waiting(cores: &EventCores, run: Run<'_>, product: &Product) -> f64 {
    let with = |weights| span(cores, run, product, weights).total as f64;
    with(cores.weight_stream.as_ref()) - with(None)
}

/// Time of the events of a layer and of the neurons behind them, with weights that stream or are there.
fn span(cores: &EventCores, run: Run<'_>, product: &Product, weights: Option<&WeightStream>) -> Span {
    let spikes = spikes(cores, run, product);
    let counted = &run.activity.nodes[product.node.index()];
    let rounds = rounds(cores, run, product, &spikes);
    let (inputs, frames) = (product.fan_in / product.taps, run.frames(product) as u64);
    match &cores.search {
        None => {
            let sums = counted.total().gathered_events * frames / counted.steps.len().max(1) as u64;
            rounds.given(sums * rounds.passes * value(&cores.event.sum_cycles))
        }
        Some(SpikeSearch::Lists(lists)) => rounds.lists(lists, product.input_values / inputs),
        Some(SpikeSearch::Queue(queue)) => {
            let streamed = weights.map(|stream| Streamed { stream, rows: inputs as u64 });
            rounds.queue(queue, streamed)
        }
        Some(SpikeSearch::Once(once)) => {
            let maps = if product.taps == 1 { 1 } else { inputs };
            rounds.once(once, maps, product.input_values)
        }
    }
}

/// What the cores go through.
fn rounds<'a>(cores: &EventCores, run: Run<'_>, product: &Product, spikes: &'a [u32]) -> Rounds<'a> {
    let counted = run.activity.nodes[product.node.index()].steps.len().max(1);
    let event = &cores.event;
    let taps = taps(product).max(value(&event.least_taps) as usize) as u64;
    let sweep = cores.sweep.as_ref().map(|sweep| {
        let more = sweep.more_cycles.as_ref().map_or(0, |more| i64::from(more.value));
        let positions = product.positions as i64 * i64::from(sweep.position_cycles.value);
        u64::try_from(positions + more).unwrap_or(0)
    });
    Rounds {
        spikes,
        items: spikes.len() / counted,
        timesteps: run.frames(product) as usize,
        passes: passes(cores, run.layer, product),
        order: cores.order.value,
        event: value(&event.fixed_cycles)
            + taps * value(&event.tap_cycles)
            + value(&event.neurons) * value(&event.neuron_cycles),
        sweep,
        skips_silence: cores.sweep.as_ref().is_some_and(|sweep| sweep.skips_silence),
        overlaps: cores.sweep.as_ref().is_some_and(|sweep| sweep.overlaps),
        layer: value(&cores.overheads.layer_cycles),
        pass: value(&cores.overheads.pass_cycles),
        timestep: value(&cores.overheads.timestep_cycles),
        active_timestep: value(&cores.overheads.active_timestep_cycles),
    }
}
