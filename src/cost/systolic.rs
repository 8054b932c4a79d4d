//! Products on a dense systolic array, by SCALE-Sim's formulas.

use super::cost_model::CostModel;
use super::run::Run;
use super::spike_lanes::{decode_pj, partial_sums, weight_passes};
use super::tiled::{self, OnChip, Tiled, encoded_input};
use super::{ArrayCycles, Demand, LayerCost, Machine};
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

    /// The timing of a described array.
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

/// One group of a product in tiles of the array.
struct Tiles {
    /// Positions with the timesteps that run in one go, output channels, inputs.
    m: f64,
    n: f64,
    k: f64,
    /// Groups, and timesteps that do not run in one go.
    repeats: f64,
    /// Extents along rows and along columns of the array.
    sizes: [f64; 2],
    /// Rows and columns of one tile.
    tile: [f64; 2],
    /// Values that pass by each tile.
    streamed: f64,
    /// Parts that they come in.
    chunks: f64,
}

impl Tiles {
    fn new(array: &Systolic, product: &Product, plan: &Plan, frames: f64) -> Self {
        // Innermost, the timesteps of a position are further positions of one product.
        let (m, repeats) = match plan.placement {
            Placement::Innermost => (product.positions as f64 * frames, 1.0),
            Placement::Outermost => (product.positions as f64, frames),
        };
        let (k, n) = (product.fan_in as f64, (product.outputs / product.groups) as f64);
        let (rows, columns) = (f64::from(array.rows.value), f64::from(array.columns.value));
        let channels = plan.channels as f64;
        // Tiles that are loaded one after the other cut a stream of weights, or of inputs, to pieces.
        let (tile, chunks) = match plan.dataflow {
            Dataflow::InputStationary => ([rows, columns], (n / channels).ceil()),
            Dataflow::WeightStationary => ([rows, channels], plan.position_tiles()),
            _ => ([rows, channels], 1.0),
        };
        let axes = plan.dataflow.axes().expect("arrays have axes");
        let size = |dim: Dim| match dim {
            Dim::N => n,
            Dim::K => k,
            Dim::M | Dim::T => m,
        };
        let (sizes, streamed) = ([size(axes.rows), size(axes.columns)], size(axes.stream));
        // What fills the array once stays.
        let chunks = if sizes[0] <= tile[0] && sizes[1] <= tile[1] { 1.0 } else { chunks };
        let repeats = repeats * product.groups as f64;
        Self { m, n, k, repeats, sizes, tile, streamed, chunks }
    }

    /// Tiles along rows and along columns.
    fn tiles(&self) -> [f64; 2] {
        [0, 1].map(|i| (self.sizes[i] / self.tile[i]).ceil())
    }
}

impl CostModel for Systolic {
    fn layer_cost(&self, machine: &Machine, run: Run<'_>) -> LayerCost {
        tiled::layer_cost(self, machine, run)
    }

    fn on_chip(&self, machine: &Machine, run: Run<'_>, known: Option<&OnChip>) -> Option<OnChip> {
        Some(tiled::on_chip(self, machine, run, known))
    }
}

impl Tiled for Systolic {
    /// What `product` asks for: M x K by K x N, zeros included.
    fn product(&self, machine: &Machine, run: Run<'_>, product: &Product, frames: f64) -> Demand {
        let plan = run.plan;
        let tiled = Tiles::new(self, product, plan, frames);
        let Tiles { m, n, k, repeats, sizes, tile, streamed, chunks } = tiled;
        let folds = fold_cycles(&ArrayTiming::of(self), plan.dataflow, sizes, tile, streamed, chunks);
        let units = f64::from(self.rows.value) * f64::from(self.columns.value);
        let mut demand = Demand::default();
        demand.array.ideal = m * k * n * repeats / units;
        demand.array.under_utilisation = folds.ideal * repeats - demand.array.ideal;
        demand.array.fill_drain = folds.fill_drain * repeats;
        move_operands(&mut demand, &tiled, machine, product, plan, frames);
        let counted = &run.activity.nodes[product.node.index()];
        let repeat = frames / counted.steps.len().max(1) as f64;
        let switching = if self.gated {
            counted.total().synaptic_operations() as f64 * repeat
        } else {
            product.dense_operations() * frames
        };
        let operation_pj =
            operation_pj(&machine.table, product.input, product.weight, product.accumulator_bits);
        demand.operations_j.synapse = switching * operation_pj * 1e-12;
        demand.on_chip[Operand::Activations].read_bits *= encoded_input(machine, product, run.activity);
        demand
    }
}

/// Traffic of the on-chip memories, and the tiles and waves that it comes in.
fn move_operands(
    demand: &mut Demand,
    tiled: &Tiles,
    machine: &Machine,
    product: &Product,
    plan: &Plan,
    frames: f64,
) {
    let (m, n, k) = (tiled.m, tiled.n, tiled.k);
    let [row_tiles, column_tiles] = tiled.tiles();
    // Rows of inputs lie along K, of weights and sums along N: what the array takes of them at once.
    let (taken, sent) = match plan.dataflow {
        Dataflow::WeightStationary => (tiled.tile[0], tiled.tile[1]),
        Dataflow::InputStationary => (tiled.tile[0], n),
        Dataflow::OutputStationary | Dataflow::Sequential => (k, tiled.tile[1]),
    };
    let value_bits = f64::from(product.input.bits());
    let input_words = machine.padding(Operand::Activations, k, taken, value_bits);
    let input_bits = value_bits * input_words * m * k * tiled.repeats;
    let weight_words = machine.weight_padding(product, n, sent);
    let weight_bits = product.code_bits() * weight_words * k * n * product.groups as f64;
    let channel_tiles = plan.channel_tiles(product) * product.groups as f64;
    let again = tiled.repeats / product.groups as f64;
    let (waves, tiles, weight_reads, input_reads) = match plan.dataflow {
        // Sums are complete after the last inputs. Of one timestep where they are outermost: other
        // layers run between them.
        Dataflow::WeightStationary => {
            let loads = weight_passes(plan, frames) * tiled.chunks;
            (channel_tiles, channel_tiles * row_tiles, loads, column_tiles)
        }
        Dataflow::InputStationary => {
            (column_tiles * channel_tiles, channel_tiles, column_tiles * again, tiled.chunks)
        }
        Dataflow::OutputStationary | Dataflow::Sequential => {
            (row_tiles * channel_tiles, channel_tiles, row_tiles * again, column_tiles)
        }
    };
    (demand.waves, demand.tiles) = (waves, tiles);
    demand.read(Operand::Weights, weight_bits * weight_reads);
    demand.read(Operand::Activations, input_bits * input_reads);
    if plan.dataflow.sums_leave_the_array() {
        let sum_bits = f64::from(product.accumulator_bits);
        let sum_words = machine.padding(Operand::PartialSums, n, sent, sum_bits);
        demand.on_chip[Operand::PartialSums] = partial_sums(product, frames, row_tiles * sum_words);
    }
}

/// Multiplication (or a gate), accumulation and registers of one unit.
pub fn operation_pj(table: &EnergyTable, input: Input, weight: WeightForm, accumulator_bits: u32) -> f64 {
    let accumulator = f64::from(accumulator_bits);
    let held_bits = f64::from(weight.code_bits + input.bits());
    let add_pj = table.add_pj(accumulator) + table.register_pj(accumulator) + table.register_pj(held_bits);
    let operand_bits = f64::from(weight.operand_bits);
    let added_pj = match (input, weight.shifts) {
        (Input::Spikes, _) => table.and_pj(operand_bits) + add_pj,
        (Input::Integers { bits }, Some(shifts)) => {
            f64::from(shifts) * (table.shift_pj(f64::from(bits)) + add_pj)
        }
        (Input::Integers { bits }, None) => table.multiply_pj(operand_bits, f64::from(bits)) + add_pj,
    };
    decode_pj(table, weight) + added_pj
}
