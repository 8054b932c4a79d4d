//! Products on a dense systolic array, by SCALE-Sim's formulas.

use super::spike_lanes::{partial_sums, weight_passes};
use super::{ArrayCycles, Demand, Machine};
use crate::exec::NodeActivity;
use crate::hw::table::EnergyTable;
use crate::hw::{Edges, Operand, Placement, Systolic};
use crate::map::{Dataflow, Dim, Input, Plan, Product};
use crate::quant::WeightForm;

/// What the time of a systolic array depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArrayTiming {
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub columns: u32,
    /// What a ragged tile fills and drains.
    pub edges: Edges,
    /// Cycles of each tile beside what it streams, fills and drains.
    pub overhead_cycles: i32,
}

impl ArrayTiming {
    /// SCALE-Sim's: every tile takes the whole array, and its first and last value share two cycles.
    pub fn new(rows: u32, columns: u32) -> Self {
        Self { rows, columns, edges: Edges::Full, overhead_cycles: SCALE_SIM_OVERHEAD }
    }

    /// Of a described array.
    pub fn of(array: &Systolic) -> Self {
        let overhead_cycles = array.overhead_cycles.as_ref().map_or(SCALE_SIM_OVERHEAD, |o| o.value);
        let (rows, columns) = (array.rows.value, array.columns.value);
        Self { rows, columns, edges: array.edges, overhead_cycles }
    }
}

/// R + C + K - 2 of an output-stationary tile, 2 R + C + M - 2 of a weight-stationary one.
const SCALE_SIM_OVERHEAD: i32 = -2;

/// Time of a product of `sizes` (along rows, along columns) in tiles of `tile` that stream `streamed`
/// values each in `chunks` parts, all multiplications on full tiles counted as ideal.
///
/// A tile of r x c fills and drains in r + c cycles where sums stay, and in 2 r + c where operands have to
/// be brought in first; under `Edges::Full` r and c are those of the array.
pub fn fold_cycles(
    array: &ArrayTiming,
    dataflow: Dataflow,
    sizes: [f64; 2],
    tile: [f64; 2],
    streamed: f64,
    chunks: f64,
) -> ArrayCycles {
    let [row_folds, column_folds] = [0, 1].map(|i| (sizes[i] / tile[i]).ceil());
    let folds = row_folds * column_folds;
    // All rows of one column of tiles, and all columns of one row.
    let [rows, columns] = match array.edges {
        Edges::Full => [row_folds * f64::from(array.rows), column_folds * f64::from(array.columns)],
        Edges::Actual => sizes,
    };
    let row_passes = if dataflow == Dataflow::OutputStationary { 1.0 } else { 2.0 };
    let overhead = folds * f64::from(array.overhead_cycles);
    ArrayCycles {
        ideal: folds * streamed,
        fill_drain: chunks * (row_passes * rows * column_folds + columns * row_folds + overhead),
        ..ArrayCycles::default()
    }
}

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
    let sum_bits = f64::from(product.accumulator_bits);
    let channels = plan.channels as f64;
    let axes = plan.dataflow.axes().expect("arrays have axes");
    let size = |dim: Dim| match dim {
        Dim::N => n,
        Dim::K => k,
        Dim::M | Dim::T => m,
    };
    // Tiles that are loaded one after the other cut a stream of weights, or of inputs, to pieces.
    let (tile, chunks) = match plan.dataflow {
        Dataflow::InputStationary => ([rows, columns], (n / channels).ceil()),
        Dataflow::WeightStationary => ([rows, channels], plan.position_tiles()),
        _ => ([rows, channels], 1.0),
    };
    let sizes = [axes.rows, axes.columns].map(size);
    // What fills the array once stays.
    let chunks = if sizes[0] <= tile[0] && sizes[1] <= tile[1] { 1.0 } else { chunks };
    let timing = ArrayTiming::of(array);
    let folds = fold_cycles(&timing, plan.dataflow, sizes, tile, size(axes.stream), chunks);
    let mut demand = Demand::default();
    demand.array.ideal = m * k * n * repeats / (rows * columns);
    demand.array.under_utilisation = folds.ideal * repeats - demand.array.ideal;
    demand.array.fill_drain = folds.fill_drain * repeats;
    let (input_tiles, position_tiles) = ((k / rows).ceil(), (m / tile[0]).ceil());
    let output_tiles = (n / channels).ceil();
    demand.tiles = output_tiles * groups;
    // Rows of inputs lie along K, of weights and sums along N: what the array takes of them at once.
    let (taken, sent) = match plan.dataflow {
        Dataflow::WeightStationary => (rows, channels),
        Dataflow::InputStationary => (rows, n),
        Dataflow::OutputStationary | Dataflow::Sequential => (k, channels),
    };
    let words =
        |operand: Operand, size: f64, run: f64, bits: f64| bits * machine.padding(operand, size, run, bits);
    let input_bits = words(Operand::Activations, k, taken, f64::from(product.input.bits()));
    let weight_bits = words(Operand::Weights, n, sent, f64::from(product.weight_bits));
    let sum_words = machine.padding(Operand::PartialSums, n, sent, sum_bits);
    match plan.dataflow {
        Dataflow::WeightStationary => {
            // Sums are complete after the last inputs. Of one timestep where they are outermost: other
            // layers run between them.
            demand.waves = demand.tiles;
            demand.tiles *= input_tiles;
            let loads = weight_passes(plan, frames) * chunks;
            demand.read(Operand::Weights, k * n * weight_bits * groups * loads);
            demand.read(Operand::Activations, m * k * output_tiles * repeats * input_bits);
            demand.on_chip[Operand::PartialSums as usize] =
                partial_sums(product, frames, input_tiles * sum_words);
        }
        Dataflow::InputStationary => {
            let position_tiles = (m / columns).ceil();
            demand.waves = position_tiles * demand.tiles;
            demand.read(Operand::Weights, position_tiles * k * n * repeats * weight_bits);
            demand.read(Operand::Activations, m * k * chunks * repeats * input_bits);
            demand.on_chip[Operand::PartialSums as usize] =
                partial_sums(product, frames, input_tiles * sum_words);
        }
        Dataflow::OutputStationary | Dataflow::Sequential => {
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
    let widths = [product.weight_bits, product.accumulator_bits];
    let operation_pj = operation_pj(&machine.table, product.input, product.weight, widths);
    demand.operations_j.synapse = switching * operation_pj * 1e-12;
    demand
}

/// Multiplication (or a gate), accumulation and registers of one unit.
pub fn operation_pj(table: &EnergyTable, input: Input, weight: WeightForm, widths: [u32; 2]) -> f64 {
    let [weight_bits, accumulator] = widths.map(f64::from);
    let operand_bits = weight_bits + f64::from(input.bits());
    let add_pj = table.add_pj(accumulator) + table.register_pj(accumulator) + table.register_pj(operand_bits);
    match (input, weight) {
        (Input::Spikes, weight) => table.and_pj(f64::from(weight.operand_bits())) + add_pj,
        (Input::Integers { bits }, WeightForm::PowerOfTwo { .. }) => table.shift_pj(f64::from(bits)) + add_pj,
        (Input::Integers { bits }, WeightForm::Integer { .. }) => {
            table.multiply_pj(weight_bits, f64::from(bits)) + add_pj
        }
    }
}
