//! Products on an array of accumulators that steps over zeros.

use super::{Demand, Machine, Traffic};
use crate::exec::NodeActivity;
use crate::hw::{MultiBit, Operand, Placement, Skipping, SpikeLanes};
use crate::map::{Dataflow, Input, Plan, Product};
use crate::quant::WeightForm;

/// What `product` asks for, with the spikes of `activity`.
pub fn demand(
    lanes: &SpikeLanes,
    machine: &Machine,
    product: &Product,
    plan: &Plan,
    activity: &NodeActivity,
    frames: f64,
) -> Demand {
    let mut demand = match plan.dataflow {
        Dataflow::WeightStationary => weight_stationary(lanes, machine, product, plan, frames),
        Dataflow::OutputStationary | Dataflow::InputStationary | Dataflow::Sequential => {
            output_stationary(lanes, machine, product, plan, activity, frames)
        }
    };
    let repeat = frames / activity.steps.len().max(1) as f64;
    let executed = activity.total().synaptic_operations() as f64 * repeat;
    let dense = product.dense_operations() * frames;
    let switching = if lanes.skipping == Skipping::Dense { dense } else { executed };
    demand.operations_j.synapse =
        switching * operation_pj(lanes, machine, product) * 1e-12 + scan_j(machine, &demand, lanes);
    demand
}

/// Every input bit that is fetched is looked at: one AND of the zero detection.
fn scan_j(machine: &Machine, demand: &Demand, lanes: &SpikeLanes) -> f64 {
    match lanes.skipping {
        Skipping::Dense => 0.0,
        Skipping::Gated | Skipping::Skip => {
            demand.on_chip[Operand::Activations as usize].read_bits * machine.table.and_pj(1.0) * 1e-12
        }
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

/// Each accumulator owns one output; its lane walks through the inputs of its position.
fn output_stationary(
    lanes: &SpikeLanes,
    machine: &Machine,
    product: &Product,
    plan: &Plan,
    activity: &NodeActivity,
    frames: f64,
) -> Demand {
    let (positions, channels) = (f64::from(lanes.positions.value), f64::from(lanes.channels.value));
    let outputs = (product.outputs / product.groups) as f64;
    let passes = (outputs / plan.channels as f64).ceil();
    let serial = cycles_per_input(lanes, product);
    let total = activity.total();
    let repeat = frames / activity.steps.len().max(1) as f64;
    let waves = (product.positions as f64 / positions).ceil() * frames;
    let inputs_per_wave = (product.fan_in * product.groups) as f64;
    // Inputs that the busiest lane and the average lane of a wave walk through, all waves.
    let (busiest, average) = match lanes.skipping {
        Skipping::Skip => {
            let peaks = total.wave_peaks[lanes.positions.value.ilog2() as usize];
            (f64::from(peaks) * repeat, total.gathered_events as f64 * repeat / positions)
        }
        Skipping::Dense | Skipping::Gated => {
            (waves * inputs_per_wave, product.positions as f64 * frames * inputs_per_wave / positions)
        }
    };
    let tiles = passes * product.groups as f64;
    // Outermost, other layers run between the timesteps: only waves of one timestep overlap.
    let overlapping = if plan.placement == Placement::Innermost { waves } else { waves / frames };
    let mut demand = Demand { tiles, waves: tiles * overlapping, ..Demand::default() };
    demand.array.ideal = average * serial * outputs / channels;
    demand.array.under_utilisation = average * serial * passes - demand.array.ideal;
    demand.array.imbalance = (busiest - average) * serial * passes;
    // Skipping lanes fetch their own weight rows; lanes in step share one.
    let rows = match lanes.skipping {
        Skipping::Skip => average * positions,
        Skipping::Dense | Skipping::Gated => waves * inputs_per_wave,
    };
    let weight_bits = f64::from(product.weight_bits);
    let words = machine.padding(Operand::Weights, outputs, plan.channels as f64, weight_bits);
    demand.read(Operand::Weights, rows * outputs * weight_bits * words);
    // Each position reads its inputs in one go.
    let (fan_in, input_bits) = (product.fan_in as f64, f64::from(product.input.bits()));
    let words = machine.padding(Operand::Activations, fan_in, fan_in, input_bits);
    let gathered_inputs = product.positions as f64 * inputs_per_wave * frames * passes;
    demand.read(Operand::Activations, gathered_inputs * input_bits * words);
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
