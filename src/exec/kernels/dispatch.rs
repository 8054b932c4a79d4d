//! Kernels as safe functions of a [`Cpu`], which check what their callers hand in.

use super::cpu::Cpu;
use super::float::{FloatInputs, FloatNeuron, FloatRows};
use super::float_matrix::FloatMatrix;
use super::loops::{Rescale, loops_of_a_cpu};
use super::pooling::Pooling;
use super::products::{Operand, Packs, ProductMatrix};
use super::tables::{LANES, Line, LookupMatrix, TableRoom, Tables, Weights};
use crate::exec::neuron::Cell;

impl LookupMatrix {
    /// Makes all tables now; without, they are made whenever they are needed.
    ///
    /// # Panics
    /// If the matrix was made for an instruction set that has other tables.
    pub fn store_tables(&mut self, cpu: Cpu) {
        if let Weights::Halves(halves) = &self.weights {
            let mut lines = Vec::new();
            self.expand(cpu, halves, &mut lines);
            self.weights = Weights::Tables(lines);
        }
    }

    /// The tables of `count` channels from `first` on, made in `room` where they are not stored.
    ///
    /// # Panics
    /// If there are not as many channels, or the matrix was made for an instruction set that has other tables.
    pub fn tables<'a>(&'a self, cpu: Cpu, first: usize, count: usize, room: &'a mut TableRoom) -> Tables<'a> {
        match &self.weights {
            Weights::Tables(lines) => Tables::new(self, lines, (first, self.outs), (first, count)),
            Weights::Halves(all) => {
                let length = self.rows * self.bytes_of_halves();
                self.expand(cpu, &all[first * length..][..count * length], &mut room.0);
                Tables::new(self, &room.0, (0, count), (first, count))
            }
        }
    }

    /// The tables of `halves`.
    fn expand(&self, cpu: Cpu, halves: &[u8], lines: &mut Vec<Line>) {
        assert!(self.layout == cpu.table_layout());
        let tables = self.room_for(halves.len() / self.bytes_of_halves(), lines);
        // SAFETY: a `Cpu` exists only for instructions that the processor has, and there is a table for each pair
        // of halves.
        unsafe { cpu.instructions().expand(self, halves, tables) }
    }
}

/// X of the channels of `tables`, rows of `stride` in `out`, on an index of `[block][row][column]`: blocks
/// of [`super::BLOCK`] columns, the last of what is left.
///
/// # Panics
/// If `index` or `out` is too short, `stride` is no multiple of [`LANES`], or the tables were made for an
/// instruction set that has others.
pub fn lookup(cpu: Cpu, tables: &Tables, index: &[u8], stride: usize, out: &mut [i32]) {
    assert!(tables.matrix.layout == cpu.table_layout());
    assert!(stride.is_multiple_of(LANES) && index.len() >= tables.matrix.rows * stride);
    assert!(out.len() >= tables.count * stride);
    // SAFETY: a `Cpu` exists only for instructions that the processor has, and the lengths were checked.
    unsafe { cpu.instructions().lookup(tables, index, stride, out) }
}

/// X of the channels of `matrix` from `first` on, rows of `stride` in `out`.
///
/// # Panics
/// If `packs` has too few blocks or rows, `stride` is no multiple of [`LANES`], `out` has more rows than there are
/// channels from `first` on, or the matrix holds bytes, which the processor does not multiply.
pub fn products(
    cpu: Cpu,
    matrix: &ProductMatrix,
    first: usize,
    packs: Packs,
    stride: usize,
    out: &mut [i32],
) {
    assert!(stride.is_multiple_of(LANES) && packs.values.len() >= packs.rows * stride);
    assert!(packs.start + matrix.packs <= packs.rows);
    assert!(matrix.operand == Operand::Words || cpu.multiplies_bytes());
    assert!(out.len().is_multiple_of(stride) && first + out.len() / stride <= matrix.outs);
    // SAFETY: a `Cpu` exists only for instructions that the processor has, and the lengths were checked.
    unsafe { cpu.instructions().products(matrix, first, packs, stride, out) }
}

/// Sums of every column of the float reference, the same on every processor: a bias, then taps and channels upwards,
/// products and sums rounded apart.
pub fn float_products(cpu: Cpu, matrix: &FloatMatrix, inputs: FloatInputs, out: FloatRows) {
    // SAFETY: a `Cpu` exists only for instructions that the processor has.
    unsafe { cpu.instructions().float_products(matrix, inputs, out) }
}

/// Which of the `channels` of each position, rows of `stride`, are not zero: `[position][word]`; true if all of those
/// are 1.
pub fn nonzero_bits(cpu: Cpu, values: &[f32], stride: usize, channels: usize, bits: &mut [u64]) -> bool {
    // SAFETY: a `Cpu` exists only for instructions that the processor has.
    unsafe { cpu.instructions().nonzero_bits(values, stride, channels, bits) }
}

/// All timesteps of one channel of neurons: `x` holds `positions` values per timestep, or once for all;
/// where one fires, `bit` is set in `spikes`. `fired` and `clamped` are counted per timestep.
///
/// # Panics
/// If `x` does not hold whole frames, or `spikes` less than a frame for each of `fired`.
#[allow(clippy::too_many_arguments)]
pub fn neuron(
    cpu: Cpu,
    cell: &Cell,
    x: &[i32],
    positions: usize,
    bit: u8,
    spikes: &mut [u8],
    fired: &mut [u32],
    clamped: &mut [u32],
) {
    assert!(x.len().is_multiple_of(positions) && !x.is_empty());
    assert!(spikes.len() >= fired.len() * positions && fired.len() == clamped.len());
    // SAFETY: a `Cpu` exists only for instructions that the processor has, and the lengths were checked.
    unsafe { cpu.instructions().neuron(cell, x, positions, bit, spikes, fired, clamped) }
}

loops_of_a_cpu!();
