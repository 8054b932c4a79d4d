//! Products on a dense systolic array, by SCALE-Sim's formulas.

use super::spike_lanes::{partial_sums, weight_passes};
use super::{Demand, Machine};
use crate::exec::NodeActivity;
use crate::hw::{Operand, Placement, Systolic};
use crate::map::{Dataflow, Input, Plan, Product};
use crate::quant::WeightForm;

/// What `product` asks for: M x K by K x N, zeros included.
pub fn demand(
    array: &Systolic,
    machine: &Machine,
    product: &Product,
    plan: &Plan,
    activity: &NodeActivity,
    frames: f64,
) -> Demand {
    let (rows, columns) = (f64::from(array.rows.value), f64::from(array.columns.value));
    // Innermost, the timesteps of a position are further positions of one product.
    let (m, repeats) = match plan.placement {
        Placement::Innermost => (product.positions as f64 * frames, 1.0),
        Placement::Outermost => (product.positions as f64, frames),
    };
    let groups = product.groups as f64;
    let repeats = repeats * groups;
    let (k, n) = (product.fan_in as f64, (product.outputs / product.groups) as f64);
    let (input_bits, weight_bits) = (f64::from(product.input.bits()), f64::from(product.weight_bits));
    let mut demand = Demand::default();
    demand.array.ideal = m * k * n * repeats / (rows * columns);
    match plan.dataflow {
        Dataflow::WeightStationary => {
            let (input_tiles, output_tiles) = ((k / rows).ceil(), (n / plan.channels as f64).ceil());
            let folds = input_tiles * output_tiles * repeats;
            demand.array.under_utilisation = folds * m - demand.array.ideal;
            demand.array.fill_drain = folds * (2.0 * rows + columns - 2.0);
            // Of one timestep where they are outermost: other layers run between them. Sums are
            // complete after the last inputs.
            demand.waves = output_tiles * groups;
            demand.tiles = input_tiles * demand.waves;
            demand.read(
                Operand::Weights,
                k * n * weight_bits * product.groups as f64 * weight_passes(plan, frames),
            );
            demand.read(Operand::Activations, m * k * output_tiles * repeats * input_bits);
            demand.on_chip[Operand::PartialSums as usize] = partial_sums(product, frames, input_tiles);
        }
        Dataflow::OutputStationary | Dataflow::Sequential => {
            let (position_tiles, output_tiles) = ((m / rows).ceil(), (n / plan.channels as f64).ceil());
            let folds = position_tiles * output_tiles * repeats;
            demand.array.under_utilisation = folds * k - demand.array.ideal;
            demand.array.fill_drain = folds * (rows + columns - 2.0);
            demand.tiles = output_tiles * groups;
            demand.waves = position_tiles * demand.tiles;
            demand.read(Operand::Weights, position_tiles * k * n * repeats * weight_bits);
            demand.read(Operand::Activations, m * k * output_tiles * repeats * input_bits);
        }
    }
    let repeat = frames / activity.steps.len().max(1) as f64;
    let switching = match array.gated {
        true => activity.total().synaptic_operations() as f64 * repeat,
        false => product.dense_operations() * frames,
    };
    demand.operations_j.synapse = switching * operation_pj(machine, product) * 1e-12;
    demand
}

/// Multiplication (or a gate), accumulation and registers of one unit.
fn operation_pj(machine: &Machine, product: &Product) -> f64 {
    let table = &machine.table;
    let accumulator = f64::from(product.accumulator_bits);
    let operand_bits = f64::from(product.weight_bits + product.input.bits());
    let add_pj = table.add_pj(accumulator) + table.register_pj(accumulator) + table.register_pj(operand_bits);
    match (product.input, product.weight) {
        (Input::Spikes, weight) => table.and_pj(f64::from(weight.operand_bits())) + add_pj,
        (Input::Integers { bits }, WeightForm::PowerOfTwo { .. }) => table.shift_pj(f64::from(bits)) + add_pj,
        (Input::Integers { bits }, WeightForm::Integer { .. }) => {
            table.multiply_pj(f64::from(product.weight_bits), f64::from(bits)) + add_pj
        }
    }
}
