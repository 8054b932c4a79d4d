//! Weighted sums of binary inputs as table look-ups.
//!
//! A byte holds the spikes of a few inputs at one position. For every output channel and byte there is
//! a table with the partial sum of each value of that byte, so one look-up adds as many weights as the
//! byte has bits, and one instruction looks up a vector of positions. Tables hold unsigned 16-bit sums:
//! the negative weights of a table are subtracted from all its entries, and what that adds up to per
//! output channel goes into the bias.

use super::LANES;
use super::isa::{Cpu, Isa};

/// One cache line, so that tables never straddle two.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u16; 32]);

/// The weights of one matrix product on packed spikes, as tables, and what follows the sum.
#[derive(Debug)]
pub struct LookupMatrix {
    /// Bytes per position.
    pub rows: usize,
    /// Output channels.
    pub outs: usize,
    /// `[out][row]`, each [`LookupMatrix::table_words`] long.
    tables: Vec<Line>,
    table_words: usize,
    /// Ends of the runs of rows whose sums fit 16 bits in every channel.
    pub(super) runs: Vec<usize>,
    /// X = (acc << shift) + bias, the subtracted negative weights included.
    pub(super) shift: u32,
    pub(super) bias: Vec<i32>,
}

impl LookupMatrix {
    /// `codes[out][input]`, inputs in the order of their bits, row after row; X = (acc << shift) + bias.
    /// `None` if a partial sum does not fit 16 bits.
    pub fn new(cpu: Cpu, codes: &[i32], inputs: usize, shift: u32, bias: &[i32]) -> Option<Self> {
        let width = cpu.inputs_per_table();
        let (rows, outs) = (inputs.div_ceil(width), bias.len());
        let table_words = 1 << width;
        let mut runs = Runs::new(rows, outs);
        for (out, channel) in codes.chunks_exact(inputs).enumerate() {
            for (row, weights) in channel.chunks(width).enumerate() {
                let sum: u64 = weights.iter().map(|w| u64::from(w.unsigned_abs())).sum();
                runs.sums[row * outs + out] = u16::try_from(sum).ok()?;
            }
        }
        let runs = runs.ends();
        let lines = (outs * rows * table_words).div_ceil(32);
        let mut matrix = Self {
            rows,
            outs,
            tables: vec![Line([0; 32]); lines],
            table_words,
            runs,
            shift,
            bias: bias.to_vec(),
        };
        let mut table = vec![0; table_words];
        for (out, channel) in codes.chunks_exact(inputs).enumerate() {
            for (row, weights) in channel.chunks(width).enumerate() {
                let lowest = fill(&mut table, weights);
                matrix.bias[out] = matrix.bias[out].wrapping_sub(lowest << shift);
                matrix.store(cpu, (out * rows + row) * table_words, &table);
            }
        }
        Some(matrix)
    }

    /// Bytes of all tables.
    pub fn table_bytes(&self) -> usize {
        size_of_val(self.tables.as_slice())
    }

    /// All tables.
    pub(super) fn words(&self) -> &[u16] {
        self.tables.as_flattened_words()
    }

    /// Words of the tables of one output channel.
    pub(super) fn channel_words(&self) -> usize {
        self.rows * self.table_words
    }

    fn store(&mut self, cpu: Cpu, at: usize, table: &[u16]) {
        let word = |i: usize| match cpu.isa() {
            // Low bytes before high bytes: a byte shuffle looks up each.
            Isa::Avx2 if i < 8 => (table[2 * i] & 255) | (table[2 * i + 1] << 8),
            Isa::Avx2 => (table[2 * i - 16] >> 8) | (table[2 * i - 15] & !255),
            _ => table[i],
        };
        for i in 0..table.len() {
            self.tables[(at + i) / 32].0[(at + i) % 32] = word(i);
        }
    }
}

trait Words {
    fn as_flattened_words(&self) -> &[u16];
}

impl Words for Vec<Line> {
    fn as_flattened_words(&self) -> &[u16] {
        // SAFETY: a line is 32 words without padding, and words are aligned wherever lines are.
        unsafe { std::slice::from_raw_parts(self.as_ptr().cast(), self.len() * 32) }
    }
}

/// The partial sums of `weights`, less the smallest, which is returned negated.
fn fill(table: &mut [u16], weights: &[i32]) -> i32 {
    let lowest: i32 = weights.iter().map(|&w| (-w).max(0)).sum();
    let mut sums = vec![lowest; table.len()];
    for (bit, &w) in weights.iter().enumerate() {
        for i in 0..1 << bit {
            sums[i | 1 << bit] = sums[i] + w;
        }
    }
    // A last byte with fewer inputs has bits that are never set.
    table.iter_mut().zip(sums).for_each(|(entry, sum)| *entry = sum as u16);
    lowest
}

/// Finds runs of rows whose sums fit 16 bits.
struct Runs {
    /// `[row][out]`: the largest sum of a table.
    sums: Vec<u16>,
    rows: usize,
    outs: usize,
}

impl Runs {
    fn new(rows: usize, outs: usize) -> Self {
        Self { sums: vec![0; rows * outs], rows, outs }
    }

    fn ends(&self) -> Vec<usize> {
        let mut ends = Vec::new();
        let mut totals = vec![0u32; self.outs];
        for (row, sums) in self.sums.chunks_exact(self.outs).enumerate() {
            let full = totals.iter().zip(sums).any(|(total, &sum)| total + u32::from(sum) > 0xffff);
            if full {
                ends.push(row);
                totals.fill(0);
            }
            totals.iter_mut().zip(sums).for_each(|(total, &sum)| *total += u32::from(sum));
        }
        ends.push(self.rows);
        ends
    }
}

/// X of the channels `first..` of `matrix`, as many as `out` has rows, on `index`: `[row][stride]`.
///
/// # Panics
/// If `index` has not `matrix.rows` rows, `stride` is no multiple of [`LANES`], or `out` has more rows than
/// there are channels.
pub fn lookup(cpu: Cpu, matrix: &LookupMatrix, first: usize, index: &[u8], stride: usize, out: &mut [i32]) {
    assert!(stride.is_multiple_of(LANES) && index.len() >= matrix.rows * stride);
    assert!(out.len().is_multiple_of(stride) && first + out.len() / stride <= matrix.outs);
    match cpu.isa() {
        // SAFETY: the processor has the instructions, and the lengths were checked.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { super::avx512::lookup(matrix, first, index, stride, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { super::avx2::lookup(matrix, first, index, stride, out) },
        _ => portable(matrix, first, index, stride, out),
    }
}

fn portable(matrix: &LookupMatrix, first: usize, index: &[u8], stride: usize, out: &mut [i32]) {
    let words = matrix.table_words;
    for (i, out) in out.chunks_exact_mut(stride).enumerate() {
        let tables = &matrix.words()[(first + i) * matrix.channel_words()..][..matrix.channel_words()];
        out.fill(0);
        for (table, index) in tables.chunks_exact(words).zip(index.chunks_exact(stride)) {
            for (x, &byte) in out.iter_mut().zip(index) {
                *x = x.wrapping_add(i32::from(table[usize::from(byte) & (words - 1)]));
            }
        }
        let bias = matrix.bias[first + i];
        out.iter_mut().for_each(|x| *x = (*x << matrix.shift).wrapping_add(bias));
    }
}
