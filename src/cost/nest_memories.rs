//! The memories of a machine that levels of a loop nest stand for, and what they move.

use super::accesses::{Accesses, Counts};
use super::gemm_operands::GemmOperands;
use super::machine::traffic_j;
use super::{Machine, Traffic};
use crate::error::Fault;
use crate::hw::{MemorySpec, Operand};
use crate::map::{Dim, Matrix, Nest};

/// Number of the level off chip.
const OFF_CHIP: usize = 0;

/// Bits of one matrix that pass one level.
#[derive(Debug, Clone, Copy, Default)]
pub struct Passing {
    /// To and from what is nearer to the array.
    pub inner: Traffic,
    /// To and from what is farther out.
    pub outer: Traffic,
}

impl Passing {
    /// Bits of `counted` elements of `matrix` at level number `level` of `nest`: sums are partial until all of K is below.
    pub fn new(
        operands: &GemmOperands,
        nest: &Nest,
        level: usize,
        matrix: Matrix,
        counted: &Accesses,
    ) -> Self {
        let bits = operands.bits(matrix);
        let up = |below: usize| {
            let complete = nest.sums_are_complete(below, operands.gemm.k);
            if complete { u64::from(operands.output_bits) } else { bits }
        };
        let update_bits = nest.homes(matrix).find(|&below| below > level).map_or(bits, up);
        let traffic =
            |read: u64, written: u64| Traffic { read_bits: read as f64, written_bits: written as f64 };
        Self {
            inner: traffic(counted.reads * bits, counted.updates * update_bits),
            outer: traffic(counted.drains * up(level), counted.fills * bits),
        }
    }

    /// All of it.
    pub fn both(&self) -> Traffic {
        self.inner.with(&self.outer)
    }

    /// What goes to the array.
    fn inward(&self) -> f64 {
        self.inner.read_bits + self.outer.written_bits
    }

    /// What comes from there.
    fn outward(&self) -> f64 {
        self.inner.written_bits + self.outer.read_bits
    }
}

/// Where a machine holds `matrix`.
pub fn operand(matrix: Matrix) -> Operand {
    match matrix {
        Matrix::Inputs => Operand::Activations,
        Matrix::Weights => Operand::Weights,
        Matrix::Outputs => Operand::PartialSums,
    }
}

/// The memories that hold the matrices of a nest.
#[derive(Debug, Clone)]
pub struct NestMemories<'a> {
    machine: &'a Machine,
    /// Per level and matrix, the number of the memory that holds it there.
    memories: Vec<[Option<usize>; 3]>,
}

impl<'a> NestMemories<'a> {
    /// Memories for the levels of `nest`: the level nearest to the array that keeps a matrix stands for the memory
    /// that feeds units with it, the next one for the memory behind that, and so on; memories farther out are passed
    /// by.
    ///
    /// # Errors
    /// A level that keeps what the machine has no memory for.
    pub fn new(nest: &Nest, machine: &'a Machine) -> Result<Self, Fault> {
        let mut memories = vec![[None; 3]; nest.levels.len()];
        for matrix in Matrix::ALL {
            let mut chain = machine.hardware.levels(operand(matrix));
            let on_chip = nest.homes(matrix).filter(|level| nest.on_chip().contains(level));
            for level in on_chip.rev() {
                let Some(memory) = chain.next() else {
                    let held = machine.hardware.levels(operand(matrix)).count();
                    let field = format!("levels: {}: keeps", nest.levels[level].name);
                    let message = format!(
                        "{matrix:?}: {} has {held} on-chip level(s) of {:?}, and more levels keep them",
                        machine.hardware.name,
                        operand(matrix)
                    );
                    return Err(Fault::new(field, message));
                };
                memories[level][matrix as usize] = Some(memory);
            }
        }
        Ok(Self { machine, memories })
    }

    /// What memory number `memory` holds: levels and matrices.
    fn held_by(&self, memory: usize) -> impl Iterator<Item = (usize, Matrix)> + '_ {
        let levels = self.memories.iter().enumerate();
        let all = levels.flat_map(|(level, homes)| Matrix::ALL.map(|m| (level, m, homes[m as usize])));
        all.filter(move |(.., home)| *home == Some(memory)).map(|(level, matrix, _)| (level, matrix))
    }

    /// Whether the tiles of `nest` fit, each twice where the next one is loaded meanwhile; otherwise the level, and what is
    /// too large.
    pub fn check(&self, operands: &GemmOperands, nest: &Nest) -> Result<(), Fault> {
        for (number, memory) in self.machine.hardware.memories.iter().enumerate() {
            let bits = |(level, matrix)| room_bits(operands, nest, level, matrix);
            let needed = self.held_by(number).map(bits).sum::<u64>().div_ceil(8);
            let capacity = memory.capacity_bytes.value;
            if needed > capacity {
                let tiles: Vec<_> = self.held_by(number).map(|(_, m)| format!("{m:?}")).collect();
                let (level, _) = self.held_by(number).next().expect("something is held");
                let message = format!(
                    "tiles of {} take {needed} bytes, and memory {} of {} holds {capacity} (capacity_bytes)",
                    tiles.join(" and "),
                    memory.name,
                    self.machine.hardware.name
                );
                return Err(Fault::new(format!("levels: {}", nest.levels[level].name), message));
            }
        }
        let comes = Matrix::ALL.into_iter().find(|m| nest.levels[OFF_CHIP].keeps.contains(m));
        match comes.filter(|_| self.machine.dram.is_none()) {
            None => Ok(()),
            Some(matrix) => {
                let message =
                    format!("{matrix:?}: {} has no dram to take them from", self.machine.hardware.name);
                Err(Fault::new(format!("levels: {}: keeps", nest.levels[OFF_CHIP].name), message))
            }
        }
    }

    /// Rounds what the array takes and sends up to words of the memories that feed it: inputs lie side by side along K,
    /// weights and sums along N. Tiles between memories stream by, packed.
    pub fn move_whole_words(
        &self,
        passing: &mut [[Passing; 3]],
        operands: &GemmOperands,
        nest: &Nest,
        counts: &Counts,
    ) {
        let feeding = nest.on_chip().end - 1;
        for matrix in Matrix::ALL {
            let level = nest.feeds(matrix);
            let dim = if matrix == Matrix::Inputs { Dim::K } else { Dim::N };
            let (size, bits) = (operands.gemm.size(dim) as f64, operands.bits(matrix) as f64);
            let at_once =
                nest.loops().filter(|(level, l)| l.dim() == dim && (l.is_spatial() || *level > feeding));
            let run: u64 = at_once.map(|(_, l)| l.extent()).product();
            let unused = self.machine.padding(operand(matrix), size, run as f64, bits) - 1.0;
            let moved = counts.of(level, matrix);
            let inner = &mut passing[level][matrix as usize].inner;
            inner.read_bits += moved.reads as f64 * bits * unused;
            inner.written_bits += moved.updates as f64 * bits * unused;
        }
    }

    /// Cycles in which the busiest memory that feeds units moves what `bits` picks.
    pub fn port_cycles(&self, passing: &[[Passing; 3]], bits: impl Fn(&Passing) -> f64) -> f64 {
        self.slowest(passing, |memory| memory.feeds.is_empty(), bits)
    }

    /// Cycles of the bus, or of the slowest memory on the way, inward and outward.
    pub fn way_cycles(&self, passing: &[[Passing; 3]]) -> [f64; 2] {
        let bus = |bits: f64| self.machine.dram.map_or(0.0, |dram| bits / dram.bits_per_cycle);
        let off_chip: Traffic =
            passing[OFF_CHIP].iter().fold(Traffic::default(), |sum, p| sum.with(&p.inner));
        let behind =
            |bits: fn(&Passing) -> f64| self.slowest(passing, |memory| !memory.feeds.is_empty(), bits);
        [
            bus(off_chip.read_bits).max(behind(Passing::inward)),
            bus(off_chip.written_bits).max(behind(Passing::outward)),
        ]
    }

    fn slowest(
        &self,
        passing: &[[Passing; 3]],
        counts: impl Fn(&MemorySpec) -> bool,
        bits: impl Fn(&Passing) -> f64,
    ) -> f64 {
        let memories = self.machine.hardware.memories.iter().enumerate();
        let cycles = |(number, _): (usize, &MemorySpec)| {
            let moved = self.held_by(number).map(|(level, matrix)| bits(&passing[level][matrix as usize]));
            moved.sum::<f64>() / self.machine.bandwidth_bits_per_cycle(number)
        };
        memories.filter(|(_, memory)| counts(memory)).map(cycles).fold(0.0, f64::max)
    }

    /// Energy of all that `matrix` moves on chip.
    pub fn on_chip_j(&self, matrix: Matrix, passing: &[[Passing; 3]]) -> f64 {
        let levels = self.memories.iter().zip(passing);
        let moved = levels.filter_map(|(homes, passing)| {
            let sram = &self.machine.memories[homes[matrix as usize]?];
            Some(traffic_j(sram, &passing[matrix as usize].both()))
        });
        moved.sum()
    }
}

/// Bits of `matrix` at level number `level`: a tile, twice where it is one of several that come from farther out.
fn room_bits(operands: &GemmOperands, nest: &Nest, level: usize, matrix: Matrix) -> u64 {
    let gemm = &operands.gemm;
    let tile = nest.tile(level, matrix, gemm);
    let outer = nest.homes(matrix).take_while(|&home| home < level).last();
    let all = match outer {
        Some(OFF_CHIP) => gemm.elements(matrix),
        Some(home) => nest.tile(home, matrix, gemm),
        None => tile,
    };
    tile * operands.bits(matrix) * if tile < all { 2 } else { 1 }
}
