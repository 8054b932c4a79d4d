//! One matrix product on an array, by a given loop nest: cycles by cause, and accesses of every level.
//!
//! `compute` follows SCALE-Sim: folds of the array run one after the other, and memories are not waited
//! for. What memories of a described machine add is charged apart.

use super::accesses::{Accesses, Convention, Counts, accesses};
use super::parts::{Cycles, EnergyJ};
use super::systolic::{ArrayTiming, fold_cycles, operation_pj};
use super::timeline::{ArrayCycles, Times, timeline};
use super::{Machine, Traffic};
use crate::error::Fault;
use crate::hw::{MemorySpec, Operand};
use crate::map::{Dataflow, Dim, Gemm, Input, Loop, Matrix, Nest};
use crate::quant::WeightForm;

/// A product with the widths of its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GemmOperands {
    /// Sizes.
    pub gemm: Gemm,
    /// Width of an input.
    pub input_bits: u32,
    /// Width of a weight.
    pub weight_bits: u32,
    /// Width of a partial sum.
    pub sum_bits: u32,
    /// Width of a finished sum.
    pub output_bits: u32,
}

impl GemmOperands {
    /// With sums that are as wide as they can get: the product's width and the logarithm of K.
    pub fn new(gemm: Gemm, input_bits: u32, weight_bits: u32) -> Self {
        // One bit gates a weight and adds nothing to its width.
        let product_bits = if input_bits == 1 { weight_bits } else { weight_bits + input_bits };
        let sum_bits = product_bits + u64::BITS - (gemm.k - 1).leading_zeros();
        Self { gemm, input_bits, weight_bits, sum_bits, output_bits: sum_bits }
    }

    /// Width of an element of `matrix` while sums are partial.
    fn bits(&self, matrix: Matrix) -> u64 {
        u64::from(match matrix {
            Matrix::Inputs => self.input_bits,
            Matrix::Weights => self.weight_bits,
            Matrix::Outputs => self.sum_bits,
        })
    }
}

/// Levels of a nest on a machine.
const OFF_CHIP: usize = 0;
const ON_CHIP: usize = 1;
const ARRAY: usize = 2;

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
/// Field of the nest, and what is wrong with it: it does not cover the product, has other levels than
/// off chip, on chip and array, does not fit the array, or exceeds a memory.
pub fn gemm_cost(
    operands: &GemmOperands,
    nest: &Nest,
    array: &ArrayTiming,
    machine: Option<&Machine>,
) -> Result<GemmCost, Fault> {
    let gemm = &operands.gemm;
    nest.check(gemm)?;
    let dataflow = lay_on_array(nest, array)?;
    if let Some(machine) = machine {
        check_capacities(operands, nest, machine)?;
    }
    Ok(cost(operands, nest, dataflow, array, machine))
}

/// The same, of a nest that is known to fit.
pub(super) fn cost(
    operands: &GemmOperands,
    nest: &Nest,
    dataflow: Dataflow,
    array: &ArrayTiming,
    machine: Option<&Machine>,
) -> GemmCost {
    let gemm = &operands.gemm;
    let counts = accesses(nest, gemm, Convention::default());
    let axes = dataflow.axes().expect("arrays have axes");
    let stationary = counts.of(ON_CHIP, axes.stationary);
    // A tile that comes back to the array is one more fold.
    let chunks = (stationary.reads.max(stationary.updates) / gemm.elements(axes.stationary)).max(1);
    let used = |dim| spatial_extent(nest, dim).min(gemm.size(dim)) as f64;
    let (rows, columns) = (used(axes.rows), used(axes.columns));
    let sizes = [axes.rows, axes.columns].map(|dim| gemm.size(dim) as f64);
    let streamed = (gemm.size(axes.stream) * gemm.t) as f64;
    let tile = [rows, columns];
    let mut cycles = fold_cycles(array, dataflow, sizes, tile, streamed, chunks as f64);
    cycles.under_utilisation += cycles.ideal;
    cycles.ideal = gemm.operations() as f64 / (f64::from(array.rows) * f64::from(array.columns));
    cycles.under_utilisation -= cycles.ideal;
    let folds = gemm.size(axes.rows).div_ceil(rows as u64) * gemm.size(axes.columns).div_ceil(columns as u64);
    let mut traffic: Vec<[Traffic; 3]> = (0..nest.levels.len())
        .map(|level| Matrix::ALL.map(|m| traffic(operands, nest, level, m, counts.of(level, m))))
        .collect();
    if let Some(machine) = machine {
        move_whole_words(&mut traffic[ON_CHIP], operands, nest, &counts, machine);
    }
    let cycles = match machine {
        Some(machine) => on_machine(cycles, nest, gemm, (folds * chunks) as f64, &traffic, machine),
        None => timeline(&Times { array: cycles, ..Times::default() }, 1.0, 1.0),
    };
    let energy_j = machine.map(|machine| energy_j(operands, machine, &cycles, &traffic));
    GemmCost { cycles, dataflow, folds: folds * chunks, counts, traffic, energy_j }
}

/// Operations, on-chip memories and DRAM; registers of the array belong to its operations.
fn energy_j(
    operands: &GemmOperands,
    machine: &Machine,
    cycles: &Cycles,
    traffic: &[[Traffic; 3]],
) -> EnergyJ {
    let input = match operands.input_bits {
        1 => Input::Spikes,
        bits => Input::Integers { bits },
    };
    let weight = WeightForm::Integer { bits: operands.weight_bits };
    let operation_pj = operation_pj(&machine.table, input, weight, [operands.weight_bits, operands.sum_bits]);
    let on_chip = |matrix: Matrix| machine.on_chip_j(operand(matrix), &traffic[ON_CHIP][matrix as usize]);
    let sum = |bits: fn(&Traffic) -> f64| traffic[OFF_CHIP].iter().map(bits).sum();
    let off_chip = Traffic { read_bits: sum(|t| t.read_bits), written_bits: sum(|t| t.written_bits) };
    let on_chip = EnergyJ {
        synapse: operands.gemm.operations() as f64 * operation_pj * 1e-12,
        weight_memory: on_chip(Matrix::Weights),
        activation_memory: on_chip(Matrix::Inputs),
        partial_sum_memory: on_chip(Matrix::Outputs),
        ..EnergyJ::default()
    };
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
    let [_, on_chip, registers] = &nest.levels[..] else {
        let message = format!("{} of them, expected three: off chip, on chip, array", nest.levels.len());
        return wrong("levels".into(), message);
    };
    let field = |name: &str, of: &str| format!("levels: {name}: {of}");
    if let Some(m) = Matrix::ALL.iter().find(|m| !on_chip.keeps.contains(m)) {
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
            Loop::For(dim, _) if level == ARRAY && axes.stationary.depends_on(dim) => {
                return wrong(
                    field(name, "loops"),
                    format!("{l:?}: a unit keeps one of {:?}", axes.stationary),
                );
            }
            Loop::For(..) => continue,
            Loop::Spatial(dim, _) if level == ON_CHIP && dim == axes.rows => array.rows,
            Loop::Spatial(dim, _) if level == ON_CHIP && dim == axes.columns => array.columns,
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

/// Where a machine holds `matrix`.
fn operand(matrix: Matrix) -> Operand {
    match matrix {
        Matrix::Inputs => Operand::Activations,
        Matrix::Weights => Operand::Weights,
        Matrix::Outputs => Operand::PartialSums,
    }
}

fn held_by(memory: &MemorySpec) -> impl Iterator<Item = Matrix> {
    Matrix::ALL.into_iter().filter(|&m| memory.holds.contains(&operand(m)))
}

/// Bits that the on-chip tiles of `memory` take, twice where the next one is loaded meanwhile.
fn needed_bits(operands: &GemmOperands, nest: &Nest, memory: &MemorySpec) -> u64 {
    let of = |matrix: Matrix| {
        let (tile, all) = (nest.tile(ON_CHIP, matrix, &operands.gemm), operands.gemm.elements(matrix));
        tile * operands.bits(matrix) * if tile < all { 2 } else { 1 }
    };
    held_by(memory).map(of).sum()
}

/// Whether the on-chip tiles of `nest` fit the memories of `machine`; otherwise the level, and what is too
/// large.
pub(super) fn check_capacities(operands: &GemmOperands, nest: &Nest, machine: &Machine) -> Result<(), Fault> {
    let name = &nest.levels[ON_CHIP].name;
    for memory in &machine.hardware.memories {
        let needed = needed_bits(operands, nest, memory).div_ceil(8);
        let capacity = memory.capacity_bytes.value;
        if needed > capacity {
            let tiles: Vec<_> = held_by(memory).map(|m| format!("{m:?}")).collect();
            let message = format!(
                "tiles of {} take {needed} bytes, and memory {} of {} holds {capacity} (capacity_bytes)",
                tiles.join(" and "),
                memory.name,
                machine.hardware.name
            );
            return Err(Fault::new(format!("levels: {name}"), message));
        }
    }
    let whole = |m| nest.tile(ON_CHIP, m, &operands.gemm) == operands.gemm.elements(m);
    if machine.dram.is_none() && !Matrix::ALL.into_iter().all(whole) {
        let message = format!("{} has no dram to take tiles from", machine.hardware.name);
        return Err(Fault::new(format!("levels: {}", nest.levels[OFF_CHIP].name), message));
    }
    Ok(())
}

/// Bits of `counted` elements of `matrix`: sums are partial until all of K is below.
fn traffic(
    operands: &GemmOperands,
    nest: &Nest,
    level: usize,
    matrix: Matrix,
    counted: &Accesses,
) -> Traffic {
    let bits = operands.bits(matrix);
    let up = |below: usize| {
        if sums_are_complete(nest, below, operands.gemm.k) { u64::from(operands.output_bits) } else { bits }
    };
    let below = (level + 1..nest.levels.len()).find(|&l| nest.levels[l].keeps.contains(&matrix));
    let update_bits = below.map_or(bits, up);
    Traffic {
        read_bits: (counted.reads * bits + counted.drains * up(level)) as f64,
        written_bits: (counted.fills * bits + counted.updates * update_bits) as f64,
    }
}

/// Rounds what the array takes and sends up to words of the memories of `machine`: inputs lie side by side
/// along K, weights and sums along N. Tiles from and to off chip stream by, packed.
fn move_whole_words(
    on_chip: &mut [Traffic; 3],
    operands: &GemmOperands,
    nest: &Nest,
    counts: &Counts,
    machine: &Machine,
) {
    for matrix in Matrix::ALL {
        let dim = if matrix == Matrix::Inputs { Dim::K } else { Dim::N };
        let (size, bits) = (operands.gemm.size(dim) as f64, operands.bits(matrix) as f64);
        let at_once = nest.loops().filter(|(level, l)| l.dim() == dim && (l.is_spatial() || *level == ARRAY));
        let run: u64 = at_once.map(|(_, l)| l.extent()).product();
        let unused = machine.padding(operand(matrix), size, run as f64, bits) - 1.0;
        let moved = counts.of(ON_CHIP, matrix);
        on_chip[matrix as usize].read_bits += moved.reads as f64 * bits * unused;
        on_chip[matrix as usize].written_bits += moved.updates as f64 * bits * unused;
    }
}

/// True if sums that leave level number `level` lack nothing.
fn sums_are_complete(nest: &Nest, level: usize, k: u64) -> bool {
    let inside = nest.loops().filter(|(l, inner)| *l >= level && inner.dim() == Dim::K);
    inside.map(|(_, inner)| inner.extent()).product::<u64>() >= k
}

/// Cycles with the ports and the bus of `machine`.
fn on_machine(
    array: ArrayCycles,
    nest: &Nest,
    gemm: &Gemm,
    folds: f64,
    traffic: &[[Traffic; 3]],
    machine: &Machine,
) -> Cycles {
    let bus = |bits: f64| machine.dram.map_or(0.0, |dram| bits / dram.bits_per_cycle);
    let off_chip = |bits: fn(&Traffic) -> f64| traffic[OFF_CHIP].iter().map(bits).sum::<f64>();
    let port = |bits: &dyn Fn(Matrix) -> f64| {
        let memories = machine.hardware.memories.iter().enumerate();
        let cycles = |(number, memory): (usize, &MemorySpec)| {
            held_by(memory).map(bits).sum::<f64>() / machine.bandwidth_bits_per_cycle(number)
        };
        memories.map(cycles).fold(0.0, f64::max)
    };
    let on_chip = |m: Matrix| traffic[ON_CHIP][m as usize].bits();
    // What is loaded is written on chip, what is stored is read there.
    let outside = |m: Matrix| machine.dram.map_or(0.0, |_| traffic[OFF_CHIP][m as usize].bits());
    let times = Times {
        array,
        epilogue: 0.0,
        port: port(&on_chip),
        array_port: port(&|m| on_chip(m) - outside(m)),
        epilogue_port: port(&outside),
        load: bus(off_chip(|t| t.read_bits)),
        store: bus(off_chip(|t| t.written_bits)),
    };
    let tiles = nest.loops().filter(|(level, l)| *level == OFF_CHIP && gemm.size(l.dim()) > 0);
    let tiles: u64 = tiles.map(|(_, l)| l.extent()).product();
    timeline(&times, tiles as f64, folds)
}
