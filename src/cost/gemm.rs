//! One matrix product on an array, by a given loop nest: cycles by cause, and accesses of every level.
//!
//! `compute` follows SCALE-Sim: folds of the array run one after the other, and memories are not waited
//! for. What memories of a described machine add is charged apart.

use super::accesses::{Convention, Counts, accesses};
use super::gemm_operands::GemmOperands;
use super::nest_memories::{NestMemories, Passing};
use super::parts::{Cycles, EnergyJ};
use super::systolic::{ArrayTiming, fold_cycles, operation_pj};
use super::timeline::{ArrayCycles, Times, timeline};
use super::{Machine, Traffic};
use crate::error::Fault;
use crate::map::{Dataflow, Dim, Gemm, Input, Loop, Matrix, Nest};
use crate::quant::WeightForm;

/// A product on an array.
#[derive(Debug, Clone, PartialEq)]
pub struct GemmCost {
    /// By cause; memories are waited for where a machine is given.
    pub cycles: Cycles,
    /// What stays in the array.
    pub dataflow: Dataflow,
    /// Tiles of the array, one after the other.
    pub folds: u64,
    /// Elements that move.
    pub counts: Counts,
    /// Bits that move, per level and matrix.
    pub traffic: Vec<[Traffic; 3]>,
    /// Dynamic energy on a given machine, zeros not skipped.
    pub energy_j: Option<EnergyJ>,
}

impl GemmCost {
    /// Cycles of the array, memories not waited for.
    pub fn compute_cycles(&self) -> f64 {
        self.cycles.ideal + self.cycles.under_utilisation + self.cycles.fill_drain
    }

    /// Share of the units that work, of compute cycles.
    pub fn utilisation(&self) -> f64 {
        self.cycles.ideal / self.compute_cycles()
    }
}

/// Cost of `operands` by `nest` on `array`, with the memories of `machine` where one is given.
///
/// # Errors
/// Field of the nest, and what is wrong with it: it does not cover the product, has no levels off chip, on chip and for the
/// array, does not fit the array, or exceeds a memory.
pub fn gemm_cost(
    operands: &GemmOperands,
    nest: &Nest,
    array: &ArrayTiming,
    machine: Option<&Machine>,
) -> Result<GemmCost, Fault> {
    nest.check(&operands.gemm)?;
    let dataflow = lay_on_array(nest, array)?;
    let memories = machine.map(|machine| NestMemories::new(nest, machine)).transpose()?;
    if let Some(memories) = &memories {
        memories.check(operands, nest)?;
    }
    Ok(cost(operands, nest, dataflow, array, machine.zip(memories.as_ref())))
}

/// Cost by a nest that is known to fit the array, and the memories of a machine where one is given.
pub(super) fn cost(
    operands: &GemmOperands,
    nest: &Nest,
    dataflow: Dataflow,
    array: &ArrayTiming,
    machine: Option<(&Machine, &NestMemories)>,
) -> GemmCost {
    let counts = accesses(nest, &operands.gemm, Convention::default());
    let (array_cycles, folds) = on_array(&operands.gemm, nest, dataflow, array, &counts);
    let mut passing: Vec<[Passing; 3]> = (0..nest.levels.len())
        .map(|level| Matrix::ALL.map(|m| Passing::new(operands, nest, level, m, counts.of(level, m))))
        .collect();
    let (cycles, energy_j) = match machine {
        Some((machine, memories)) => {
            memories.move_whole_words(&mut passing, operands, nest, &counts);
            let cycles = on_machine(array_cycles, nest, folds as f64, &passing, memories);
            (cycles, Some(energy_j(operands, machine, memories, &cycles, &passing)))
        }
        None => (timeline(&Times { array: array_cycles, ..Times::default() }, 1.0, 1.0), None),
    };
    let traffic = passing.iter().map(|level| level.map(|passing| passing.both())).collect();
    GemmCost { cycles, dataflow, folds, counts, traffic, energy_j }
}

/// Cycles of the array, and the tiles that it takes one after the other.
fn on_array(
    gemm: &Gemm,
    nest: &Nest,
    dataflow: Dataflow,
    array: &ArrayTiming,
    counts: &Counts,
) -> (ArrayCycles, u64) {
    let axes = dataflow.axes().expect("arrays have axes");
    let stationary = counts.of(nest.feeds(axes.stationary), axes.stationary);
    // A tile that comes back to the array is one more fold.
    let chunks = (stationary.reads.max(stationary.updates) / gemm.elements(axes.stationary)).max(1);
    let used = |dim| spatial_extent(nest, dim).min(gemm.size(dim)) as f64;
    let tile @ [rows, columns] = [used(axes.rows), used(axes.columns)];
    let sizes = [axes.rows, axes.columns].map(|dim| gemm.size(dim) as f64);
    let streamed = (gemm.size(axes.stream) * gemm.t) as f64;
    let mut cycles = fold_cycles(array, dataflow, sizes, tile, streamed, chunks as f64);
    cycles.under_utilisation += cycles.ideal;
    cycles.ideal = gemm.operations() as f64 / (f64::from(array.rows) * f64::from(array.columns));
    cycles.under_utilisation -= cycles.ideal;
    let folds = gemm.size(axes.rows).div_ceil(rows as u64) * gemm.size(axes.columns).div_ceil(columns as u64);
    (cycles, folds * chunks)
}

/// Operations, on-chip memories and DRAM; registers of the array belong to its operations.
fn energy_j(
    operands: &GemmOperands,
    machine: &Machine,
    memories: &NestMemories,
    cycles: &Cycles,
    passing: &[[Passing; 3]],
) -> EnergyJ {
    let input = match operands.input_bits {
        1 => Input::Spikes,
        bits => Input::Integers { bits },
    };
    let weight = WeightForm::integer(operands.weight_bits);
    let operation_pj = operation_pj(&machine.table, input, weight, operands.sum_bits);
    let on_chip = EnergyJ {
        synapse: operands.gemm.operations() as f64 * operation_pj * 1e-12,
        weight_memory: memories.on_chip_j(Matrix::Weights, passing),
        activation_memory: memories.on_chip_j(Matrix::Inputs, passing),
        partial_sum_memory: memories.on_chip_j(Matrix::Outputs, passing),
        ..EnergyJ::default()
    };
    let off_chip = passing[0].iter().fold(Traffic::default(), |sum, matrix| sum.with(&matrix.inner));
    machine.whole_chip_j(on_chip, &off_chip, cycles.total())
}

/// Tiles along `dim` on units of their own.
fn spatial_extent(nest: &Nest, dim: Dim) -> u64 {
    let spatial = nest.loops().filter(|(_, l)| l.is_spatial() && l.dim() == dim);
    spatial.map(|(_, l)| l.extent()).product()
}

/// The dataflow of a nest on `array`: what its innermost level keeps.
fn lay_on_array(nest: &Nest, array: &ArrayTiming) -> Result<Dataflow, Fault> {
    let wrong = |field: String, message: String| Err(Fault::new(field, message));
    let [_, .., on_chip, registers] = &nest.levels[..] else {
        let message =
            format!("{} of them, expected at least three: off chip, on chip, array", nest.levels.len());
        return wrong("levels".into(), message);
    };
    let (feeding, in_array) = (nest.levels.len() - 2, nest.levels.len() - 1);
    let field = |name: &str, of: &str| format!("levels: {name}: {of}");
    let is_on_chip = |m: &&Matrix| nest.homes(**m).any(|level| nest.on_chip().contains(&level));
    if let Some(m) = Matrix::ALL.iter().find(|m| !is_on_chip(m)) {
        return wrong(field(&on_chip.name, "keeps"), format!("{m:?} have no home on the chip"));
    }
    let dataflow = Dataflow::OF_ARRAYS
        .into_iter()
        .find(|d| registers.keeps[..] == [d.axes().expect("arrays have axes").stationary]);
    let Some(dataflow) = dataflow else {
        let message = "expected one of Inputs, Weights, Outputs: what stays in the array".to_owned();
        return wrong(field(&registers.name, "keeps"), message);
    };
    let axes = dataflow.axes().expect("arrays have axes");
    for (level, l) in nest.loops() {
        let name = &nest.levels[level].name;
        let limit = match l {
            Loop::For(dim, _) if level == in_array && axes.stationary.depends_on(dim) => {
                return wrong(
                    field(name, "loops"),
                    format!("{l:?}: a unit keeps one of {:?}", axes.stationary),
                );
            }
            Loop::For(..) => continue,
            Loop::Spatial(dim, _) if level == feeding && dim == axes.rows => array.rows,
            Loop::Spatial(dim, _) if level == feeding && dim == axes.columns => array.columns,
            Loop::Spatial(..) => {
                let message = format!(
                    "{l:?}: {} the array runs {:?} and {:?} side by side, at level {}",
                    dataflow.name(),
                    axes.rows,
                    axes.columns,
                    on_chip.name
                );
                return wrong(field(name, "loops"), message);
            }
        };
        let all = spatial_extent(nest, l.dim());
        if all > u64::from(limit) {
            let what = if l.dim() == axes.rows { "rows" } else { "columns" };
            return wrong(field(name, "loops"), format!("{l:?}: the array has {limit} {what}, not {all}"));
        }
    }
    Ok(dataflow)
}

/// Cycles with the memories of a machine. Tiles of all levels stream through one after the other.
fn on_machine(
    array: ArrayCycles,
    nest: &Nest,
    folds: f64,
    passing: &[[Passing; 3]],
    memories: &NestMemories,
) -> Cycles {
    let [load, store] = memories.way_cycles(passing);
    let times = Times {
        array,
        epilogue: 0.0,
        port: memories.port_cycles(passing, |p| p.both().bits()),
        array_port: memories.port_cycles(passing, |p| p.inner.bits()),
        // What is loaded is written beside the array, what is stored is read there.
        epilogue_port: memories.port_cycles(passing, |p| p.outer.bits()),
        load,
        store,
    };
    let feeding = nest.on_chip().end - 1;
    let tiles: u64 = nest.loops().filter(|(level, _)| *level < feeding).map(|(_, l)| l.extent()).product();
    timeline(&times, tiles as f64, folds)
}
