//! Weighted sums of binary inputs as table look-ups.
//!
//! A byte holds the spikes of a few inputs at one position. For every output channel and byte there is
//! a table with the partial sum of each value of that byte, so one look-up adds as many weights as the
//! byte has bits, and one instruction looks up a vector of positions. Tables hold unsigned sums: the
//! negative weights of a table are subtracted from all its entries, and what that adds up to per output
//! channel goes into the bias. Sums of 8 bits are added up in 8 bits for as many tables as provably fit,
//! then in 16 bits for as many as fit those, then in 32.

use super::LANES;
use super::isa::{Cpu, Isa};

/// One cache line, so that tables never straddle two.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// The weights of one matrix product on packed spikes, as tables, and what follows the sum.
#[derive(Debug)]
pub struct LookupMatrix {
    /// Bytes per position.
    pub rows: usize,
    /// Output channels.
    pub outs: usize,
    /// `[out][row]`, each `table_bytes` long.
    tables: Vec<Line>,
    table_bytes: usize,
    /// Width of the entries.
    pub(super) entry: Entry,
    pub(super) runs: Vec<Run>,
    /// X = (acc << shift) + bias, the subtracted negative weights included.
    pub(super) shift: u32,
    pub(super) bias: Vec<i32>,
}

/// What a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Sums of 8 bits.
    Byte,
    /// Sums of 16 bits.
    Word,
}

/// Rows whose sums fit 16 bits in every channel.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// The row behind it.
    pub end: usize,
    /// The rows behind its parts, whose sums fit 8 bits; only for entries of 8 bits.
    pub parts: Vec<usize>,
}

impl LookupMatrix {
    /// `codes[out][input]`, inputs in the order of their bits, row after row; X = (acc << shift) + bias.
    /// `None` if a partial sum does not fit 16 bits.
    pub fn new(cpu: Cpu, codes: &[i32], inputs: usize, shift: u32, bias: &[i32]) -> Option<Self> {
        let width = cpu.inputs_per_table();
        let (rows, outs) = (inputs.div_ceil(width), bias.len());
        let mut sums = vec![0; rows * outs];
        for (out, channel) in codes.chunks_exact(inputs).enumerate() {
            for (row, weights) in channel.chunks(width).enumerate() {
                let sum: u64 = weights.iter().map(|w| u64::from(w.unsigned_abs())).sum();
                sums[row * outs + out] = u16::try_from(sum).ok()?;
            }
        }
        let (entry, runs) = runs(cpu, &sums, outs);
        let table_bytes = if entry == Entry::Byte { 1 } else { 2 } << width;
        let lines = (outs * rows * table_bytes).div_ceil(64);
        let tables = vec![Line([0; 64]); lines];
        let mut matrix = Self { rows, outs, tables, table_bytes, entry, runs, shift, bias: bias.to_vec() };
        let mut table = vec![0; 1 << width];
        for (out, channel) in codes.chunks_exact(inputs).enumerate() {
            for (row, weights) in channel.chunks(width).enumerate() {
                let lowest = fill(&mut table, weights);
                matrix.bias[out] = matrix.bias[out].wrapping_sub(lowest << shift);
                matrix.store(cpu, (out * rows + row) * table_bytes, &table);
            }
        }
        Some(matrix)
    }

    /// Bytes of all tables.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(self.tables.as_slice())
    }

    /// The width of its entries.
    pub fn entry(&self) -> Entry {
        self.entry
    }

    /// The tables of one output channel, row after row.
    pub(super) fn tables_of(&self, channel: usize) -> &[u8] {
        // SAFETY: a line is 64 bytes without padding.
        let all: &[u8] =
            unsafe { std::slice::from_raw_parts(self.tables.as_ptr().cast(), self.tables.len() * 64) };
        let length = self.rows * self.table_bytes;
        &all[channel * length..][..length]
    }

    fn store(&mut self, cpu: Cpu, at: usize, table: &[u16]) {
        let mut put = |i: usize, byte: u8| self.tables[(at + i) / 64].0[(at + i) % 64] = byte;
        for (i, sum) in table.iter().enumerate() {
            let [low, high] = sum.to_le_bytes();
            match (self.entry, cpu.isa()) {
                (Entry::Byte, _) => put(i, low),
                // Low bytes before high bytes: a byte shuffle looks up each.
                (Entry::Word, Isa::Avx2) => {
                    put(i, low);
                    put(table.len() + i, high);
                }
                (Entry::Word, _) => {
                    put(2 * i, low);
                    put(2 * i + 1, high);
                }
            }
        }
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

/// The width of the entries and the runs of rows that fit, from the largest sum of each table,
/// `[row][out]`.
fn runs(cpu: Cpu, sums: &[u16], outs: usize) -> (Entry, Vec<Run>) {
    let rows = sums.len() / outs;
    let mut runs = Vec::new();
    let (mut start, mut parts) = (0, 0);
    for end in ends(sums, outs, 0xffff) {
        let part_ends = match sums.iter().max() {
            Some(0..=255) => ends(&sums[start * outs..end * outs], outs, 0xff),
            _ => Vec::new(),
        };
        parts += part_ends.len();
        runs.push(Run { end, parts: part_ends.iter().map(|part| start + part).collect() });
        start = end;
    }
    // Widening costs as much as a few look-ups.
    let bytes = cpu.isa() != Isa::Portable && parts > 0 && (parts == runs.len() || rows >= 2 * parts);
    if !bytes {
        runs.iter_mut().for_each(|run| run.parts.clear());
    }
    (if bytes { Entry::Byte } else { Entry::Word }, runs)
}

/// Ends of runs of rows whose sums stay within `limit` in every channel.
fn ends(sums: &[u16], outs: usize, limit: u32) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut totals = vec![0u32; outs];
    for (row, sums) in sums.chunks_exact(outs).enumerate() {
        let full = totals.iter().zip(sums).any(|(total, &sum)| total + u32::from(sum) > limit);
        if full {
            ends.push(row);
            totals.fill(0);
        }
        totals.iter_mut().zip(sums).for_each(|(total, &sum)| *total += u32::from(sum));
    }
    ends.push(sums.len() / outs);
    ends
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
    for (i, out) in out.chunks_exact_mut(stride).enumerate() {
        out.fill(0);
        let tables = matrix.tables_of(first + i).chunks_exact(matrix.table_bytes);
        for (table, index) in tables.zip(index.chunks_exact(stride)) {
            let sums: [i32; 16] =
                std::array::from_fn(|i| i32::from(u16::from_le_bytes([table[2 * i], table[2 * i + 1]])));
            for (x, &byte) in out.iter_mut().zip(index) {
                *x = x.wrapping_add(sums[usize::from(byte & 15)]);
            }
        }
        let bias = matrix.bias[first + i];
        out.iter_mut().for_each(|x| *x = (*x << matrix.shift).wrapping_add(bias));
    }
}
