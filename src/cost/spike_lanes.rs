//! Products on an array of accumulators that steps over zeros.

use super::{Demand, Machine, Traffic};
use crate::exec::{Activity, NodeActivity, PatternCount};
use crate::hw::{MultiBit, Operand, Placement, Skipping, SpikeLanes};
use crate::map::{Dataflow, Input, Plan, Product};
use crate::quant::WeightForm;

/// What `product` asks for, with the spikes of `activity`.
pub fn demand(
    lanes: &SpikeLanes,
    machine: &Machine,
    product: &Product,
    plan: &Plan,
    activity: &Activity,
    frames: f64,
) -> Demand {
    let counted = &activity.nodes[product.node.index()];
    // What spikes have in common; integers have no such patterns and are stepped through one by one.
    let pattern = machine.pattern().filter(|_| product.input == Input::Spikes);
    let pattern = pattern.and_then(|pattern| activity.pattern(pattern, product.node));
    let mut demand = match plan.dataflow {
        Dataflow::WeightStationary => weight_stationary(lanes, machine, product, plan, frames),
        Dataflow::OutputStationary | Dataflow::InputStationary | Dataflow::Sequential => {
            output_stationary(lanes, machine, product, plan, counted, pattern, frames)
        }
    };
    let repeat = frames / counted.steps.len().max(1) as f64;
    let outputs = (product.outputs / product.groups) as f64;
    let executed = match (&lanes.skipping, pattern) {
        (Skipping::Products { .. }, Some(left)) => left.steps as f64 * outputs,
        _ => counted.total().synaptic_operations() as f64,
    } * repeat;
    let dense = product.dense_operations() * frames;
    let switching = if lanes.skipping == Skipping::Dense { dense } else { executed };
    demand.operations_j.synapse = switching * operation_pj(lanes, machine, product) * 1e-12
        + scan_j(machine, &demand, lanes)
        + search_j(machine, lanes, pattern.unwrap_or_default(), repeat);
    demand
}

/// A row is compared with every row of its tile, bit by bit.
fn search_j(machine: &Machine, lanes: &SpikeLanes, pattern: PatternCount, repeat: f64) -> f64 {
    let Skipping::Products { rows, columns } = &lanes.skipping else { return 0.0 };
    let bits = f64::from(rows.value) * f64::from(columns.value);
    pattern.searches as f64 * repeat * bits * machine.table.and_pj(1.0) * 1e-12
}

/// Every input bit that is fetched is looked at: one AND of the zero detection.
fn scan_j(machine: &Machine, demand: &Demand, lanes: &SpikeLanes) -> f64 {
    match lanes.skipping {
        Skipping::Dense => 0.0,
        _ => demand.on_chip[Operand::Activations as usize].read_bits * machine.table.and_pj(1.0) * 1e-12,
    }
}

/// Accumulation (or multiplication) and the accumulator register of one weight.
fn operation_pj(lanes: &SpikeLanes, machine: &Machine, product: &Product) -> f64 {
    let table = &machine.table;
    let accumulator = f64::from(product.accumulator_bits);
    let add_pj = table.add_pj(accumulator) + table.register_pj(accumulator);
    match (product.input, product.weight, lanes.multi_bit) {
        (Input::Spikes, _, _) => add_pj,
        (Input::Integers { bits }, WeightForm::PowerOfTwo { .. }, _) => {
            table.shift_pj(f64::from(bits)) + add_pj
        }
        (Input::Integers { bits }, WeightForm::Integer { .. }, MultiBit::BitSerial | MultiBit::Absent) => {
            f64::from(bits) * (table.and_pj(f64::from(product.weight_bits)) + add_pj)
        }
        (Input::Integers { bits }, WeightForm::Integer { .. }, MultiBit::Multiplier) => {
            table.multiply_pj(f64::from(product.weight_bits), f64::from(bits)) + add_pj
        }
    }
}

/// Cycles that one input takes in a lane: bit-serial lanes add once per bit.
fn cycles_per_input(lanes: &SpikeLanes, product: &Product) -> f64 {
    match (product.input, product.weight, lanes.multi_bit) {
        (Input::Integers { bits }, WeightForm::Integer { .. }, MultiBit::BitSerial) => f64::from(bits),
        _ => 1.0,
    }
}

/// What the lanes of all waves walk through, for one pass over the output channels.
struct Walk {
    /// Steps that add something, of an average lane.
    average: f64,
    /// Steps until the last lane of a wave is done.
    busiest: f64,
    /// Rows of weights that are fetched.
    weight_rows: f64,
}

impl Walk {
    fn new(
        lanes: &SpikeLanes,
        product: &Product,
        activity: &NodeActivity,
        pattern: Option<PatternCount>,
        frames: f64,
    ) -> Self {
        let positions = f64::from(lanes.positions.value);
        let repeat = frames / activity.steps.len().max(1) as f64;
        let inputs = (product.fan_in * product.groups) as f64;
        let total = activity.total();
        let average = total.gathered_events as f64 * repeat / positions;
        match (&lanes.skipping, pattern) {
            (Skipping::Dense | Skipping::Gated, _) => {
                let waves = (product.positions as f64 / positions).ceil() * frames;
                let average = product.positions as f64 * frames * inputs / positions;
                // Lanes in step share a row.
                Self { average, busiest: waves * inputs, weight_rows: waves * inputs }
            }
            (Skipping::Windows { timesteps }, Some(windows)) => {
                let steps = windows.steps as f64 * repeat;
                let window = f64::from(timesteps.value).min(frames);
                Self { average, busiest: steps * window, weight_rows: steps }
            }
            (Skipping::Products { .. }, Some(left)) => {
                let [added, copied, searched] =
                    [left.steps, left.copies, left.searches].map(|n| n as f64 * repeat);
                Self { average: added, busiest: (added + copied).max(searched), weight_rows: added }
            }
            (Skipping::Skip | Skipping::Windows { .. } | Skipping::Products { .. }, _) => {
                let peaks = total.wave_peaks[lanes.positions.value.ilog2() as usize];
                // Lanes fetch their own rows.
                Self { average, busiest: f64::from(peaks) * repeat, weight_rows: average * positions }
            }
        }
    }
}

/// Each accumulator owns one output; its lane walks through the inputs of its position.
fn output_stationary(
    lanes: &SpikeLanes,
    machine: &Machine,
    product: &Product,
    plan: &Plan,
    activity: &NodeActivity,
    pattern: Option<PatternCount>,
    frames: f64,
) -> Demand {
    let (positions, channels) = (f64::from(lanes.positions.value), f64::from(lanes.channels.value));
    let outputs = (product.outputs / product.groups) as f64;
    let passes = (outputs / plan.channels as f64).ceil();
    let serial = cycles_per_input(lanes, product);
    let waves = (product.positions as f64 / positions).ceil() * frames;
    let Walk { average, busiest, weight_rows } = Walk::new(lanes, product, activity, pattern, frames);
    let tiles = passes * product.groups as f64;
    // Outermost, other layers run between the timesteps: only waves of one timestep overlap.
    let overlapping = if plan.placement == Placement::Innermost { waves } else { waves / frames };
    let mut demand = Demand { tiles, waves: tiles * overlapping, ..Demand::default() };
    demand.array.ideal = average * serial * outputs / channels;
    demand.array.under_utilisation = average * serial * passes - demand.array.ideal;
    demand.array.imbalance = (busiest - average) * serial * passes;
    let weight_bits = f64::from(product.weight_bits);
    let words = machine.padding(Operand::Weights, outputs, plan.channels as f64, weight_bits);
    demand.read(Operand::Weights, weight_rows * outputs * weight_bits * words);
    // Each position reads its inputs in one go.
    let (fan_in, input_bits) = (product.fan_in as f64, f64::from(product.input.bits()));
    let words = machine.padding(Operand::Activations, fan_in, fan_in, input_bits);
    let gathered_inputs = product.positions as f64 * fan_in * product.groups as f64 * frames * passes;
    demand.read(Operand::Activations, gathered_inputs * input_bits * words);
    let reused = match (&lanes.skipping, pattern) {
        (Skipping::Products { .. }, Some(left)) => left.reuses as f64,
        _ => 0.0,
    };
    let sum_bits = f64::from(product.accumulator_bits);
    let words = machine.padding(Operand::PartialSums, outputs, plan.channels as f64, sum_bits);
    if let Some(tile) = plan.tile(&machine.hardware.compute, product) {
        // Every slice of inputs leaves its sums and finds those of the slices before; a reused sum is read.
        let slices = (product.fan_in as f64 / f64::from(tile.inputs.value)).ceil();
        demand.tiles *= slices * (product.positions as f64 * frames / f64::from(tile.rows.value)).ceil();
        demand.on_chip[Operand::PartialSums as usize] = partial_sums(product, frames, slices * words);
    }
    let repeat = frames / activity.steps.len().max(1) as f64;
    demand.read(Operand::PartialSums, reused * repeat * outputs * sum_bits * words);
    demand
}

/// Each accumulator holds one weight; positions stream by, partial sums go to memory.
fn weight_stationary(
    lanes: &SpikeLanes,
    machine: &Machine,
    product: &Product,
    plan: &Plan,
    frames: f64,
) -> Demand {
    let (rows, channels) = (f64::from(lanes.positions.value), f64::from(lanes.channels.value));
    let outputs = (product.outputs / product.groups) as f64;
    let groups = product.groups as f64;
    let (input_tiles, output_tiles) =
        ((product.fan_in as f64 / rows).ceil(), (outputs / plan.channels as f64).ceil());
    let positions = product.positions as f64 * frames;
    let serial = cycles_per_input(lanes, product);
    // Sums are complete after the last inputs.
    let waves = output_tiles * groups;
    let mut demand = Demand { tiles: input_tiles * waves, waves, ..Demand::default() };
    demand.array.ideal = positions * product.fan_in as f64 * outputs * groups * serial / (rows * channels);
    demand.array.under_utilisation =
        positions * input_tiles * output_tiles * groups * serial - demand.array.ideal;
    let (fan_in, tile) = (product.fan_in as f64, plan.channels as f64);
    let code_bits = f64::from(product.weight_bits);
    let words = machine.padding(Operand::Weights, outputs, tile, code_bits);
    let weight_bits = fan_in * outputs * groups * code_bits * words;
    // Weights that fill the array once stay for all tiles of positions.
    let loads = if input_tiles * output_tiles > 1.0 { plan.position_tiles() } else { 1.0 };
    demand.read(Operand::Weights, weight_bits * weight_passes(plan, frames) * loads);
    let input_bits = f64::from(product.input.bits());
    let words = machine.padding(Operand::Activations, fan_in, rows, input_bits);
    let inputs = positions * fan_in * groups * output_tiles;
    demand.read(Operand::Activations, inputs * input_bits * words);
    let words = machine.padding(Operand::PartialSums, outputs, tile, f64::from(product.accumulator_bits));
    demand.on_chip[Operand::PartialSums as usize] = partial_sums(product, frames, input_tiles * words);
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
