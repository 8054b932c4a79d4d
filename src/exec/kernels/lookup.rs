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

/// Columns whose sums are made at once; the bytes of a block of columns lie together.
pub const BLOCK: usize = 4 * LANES;

/// Rows whose bytes of a block of columns stay in the first-level cache.
const ROWS_OF_A_RUN: usize = 96;

/// The weights of one matrix product on packed spikes, and what follows the sum.
#[derive(Debug)]
pub struct LookupMatrix {
    /// Bytes per position.
    pub rows: usize,
    /// Output channels.
    pub outs: usize,
    weights: Weights,
    table_bytes: usize,
    /// Width of the entries.
    pub(super) entry: Entry,
    pub(super) runs: Vec<Run>,
    /// X = (acc << shift) + bias, the subtracted negative weights included.
    pub(super) shift: u32,
    pub(super) bias: Vec<i32>,
}

/// `[out][row]`.
#[derive(Debug)]
enum Weights {
    /// Tables.
    Tables(Vec<Line>),
    /// What tables are made of when they are needed: as many codes for each as inputs share it.
    Codes(Vec<i32>),
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

/// Room for the tables of a few channels.
#[derive(Debug, Default)]
pub struct TableRoom(Vec<Line>);

/// The tables of consecutive output channels of a matrix.
#[derive(Debug, Clone, Copy)]
pub struct Tables<'a> {
    pub(super) matrix: &'a LookupMatrix,
    pub(super) first: usize,
    pub(super) count: usize,
    bytes: &'a [u8],
}

impl Tables<'_> {
    /// The tables of channel `first + i`, row after row.
    pub(super) fn of(&self, i: usize) -> &[u8] {
        let length = self.matrix.rows * self.matrix.table_bytes;
        &self.bytes[i * length..][..length]
    }
}

impl LookupMatrix {
    /// `codes[out][input]`, inputs in the order of their bits, row after row; X = (acc << shift) + bias.
    /// `None` if a partial sum does not fit 16 bits.
    pub fn new(cpu: Cpu, codes: &[i32], inputs: usize, shift: u32, bias: &[i32]) -> Option<Self> {
        let width = cpu.inputs_per_table();
        let (rows, outs) = (inputs.div_ceil(width), bias.len());
        let (mut sums, mut bias) = (vec![0; rows * outs], bias.to_vec());
        let mut padded = vec![0; outs * rows * width];
        for (out, channel) in codes.chunks_exact(inputs).enumerate() {
            for (row, weights) in channel.chunks(width).enumerate() {
                let sum: u64 = weights.iter().map(|w| u64::from(w.unsigned_abs())).sum();
                sums[row * outs + out] = u16::try_from(sum).ok()?;
                bias[out] = bias[out].wrapping_sub(negated_lowest(weights) << shift);
                padded[(out * rows + row) * width..][..weights.len()].copy_from_slice(weights);
            }
        }
        let (entry, runs) = runs(cpu, &sums, outs);
        let table_bytes = if entry == Entry::Byte { 1 } else { 2 } << width;
        Some(Self { rows, outs, weights: Weights::Codes(padded), table_bytes, entry, runs, shift, bias })
    }

    /// Makes all tables now; without, they are made whenever they are needed.
    pub fn store_tables(&mut self, cpu: Cpu) {
        if let Weights::Codes(codes) = &self.weights {
            let mut lines = Vec::new();
            self.fill(cpu, codes, &mut lines);
            self.weights = Weights::Tables(lines);
        }
    }

    /// Bytes of all tables.
    pub fn table_bytes(&self) -> usize {
        (self.outs * self.rows * self.table_bytes).next_multiple_of(size_of::<Line>())
    }

    /// Bytes of what is stored.
    pub fn memory_bytes(&self) -> usize {
        match &self.weights {
            Weights::Tables(lines) => size_of_val(lines.as_slice()),
            Weights::Codes(codes) => size_of_val(codes.as_slice()),
        }
    }

    /// The width of its entries.
    pub fn entry(&self) -> Entry {
        self.entry
    }

    /// The tables of `count` channels from `first` on, made in `room` where they are not stored.
    ///
    /// # Panics
    /// If there are not as many channels.
    pub fn tables<'a>(&'a self, cpu: Cpu, first: usize, count: usize, room: &'a mut TableRoom) -> Tables<'a> {
        let (length, codes) = (self.rows * self.table_bytes, self.rows * cpu.inputs_per_table());
        let (lines, start) = match &self.weights {
            Weights::Tables(lines) => (lines, first),
            Weights::Codes(all) => {
                self.fill(cpu, &all[first * codes..][..count * codes], &mut room.0);
                (&room.0, 0)
            }
        };
        Tables { matrix: self, first, count, bytes: &bytes_of(lines)[start * length..][..count * length] }
    }

    /// The tables of `codes`.
    fn fill(&self, cpu: Cpu, codes: &[i32], lines: &mut Vec<Line>) {
        let width = cpu.inputs_per_table();
        lines.resize((codes.len() / width * self.table_bytes).div_ceil(64), Line([0; 64]));
        for (i, weights) in codes.chunks_exact(width).enumerate() {
            let sums = partial_sums(weights);
            let at = i * self.table_bytes;
            let table = &mut lines[at / 64..];
            match (self.entry, cpu.isa()) {
                (Entry::Byte, Isa::Avx512) => table[0].0 = sums.map(|sum| sum as u8),
                _ => self.put(cpu, &sums[..1 << width], table, at % 64),
            }
        }
    }

    fn put(&self, cpu: Cpu, sums: &[u16], table: &mut [Line], offset: usize) {
        let mut put = |i: usize, byte: u8| table[(offset + i) / 64].0[(offset + i) % 64] = byte;
        for (i, sum) in sums.iter().enumerate() {
            let [low, high] = sum.to_le_bytes();
            match (self.entry, cpu.isa()) {
                (Entry::Byte, _) => put(i, low),
                // Low bytes before high bytes: a byte shuffle looks up each.
                (Entry::Word, Isa::Avx2) => {
                    put(i, low);
                    put(sums.len() + i, high);
                }
                (Entry::Word, _) => {
                    put(2 * i, low);
                    put(2 * i + 1, high);
                }
            }
        }
    }
}

fn bytes_of(lines: &[Line]) -> &[u8] {
    // SAFETY: a line is 64 bytes without padding.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * 64) }
}

/// What makes the smallest partial sum 0.
fn negated_lowest(weights: &[i32]) -> i32 {
    weights.iter().map(|&w| (-w).max(0)).sum()
}

/// The partial sums of up to 6 weights, less the smallest, by doubling.
fn partial_sums(weights: &[i32]) -> [u16; 64] {
    let mut sums = [negated_lowest(weights) as u16; 64];
    for (bit, &w) in weights.iter().enumerate() {
        let half = 1 << bit;
        for i in 0..half {
            sums[half + i] = sums[i].wrapping_add(w as u16);
        }
    }
    sums
}

/// The width of the entries and the runs of rows that fit, from the largest sum of each table,
/// `[row][out]`.
fn runs(cpu: Cpu, sums: &[u16], outs: usize) -> (Entry, Vec<Run>) {
    let mut runs = Vec::new();
    let (mut start, mut parts) = (0, 0);
    for end in ends(sums, outs, 0xffff, ROWS_OF_A_RUN) {
        let part_ends = match sums.iter().max() {
            Some(0..=255) => ends(&sums[start * outs..end * outs], outs, 0xff, ROWS_OF_A_RUN),
            _ => Vec::new(),
        };
        parts += part_ends.len();
        runs.push(Run { end, parts: part_ends.iter().map(|part| start + part).collect() });
        start = end;
    }
    // Widening costs as much as a few look-ups.
    let bytes = cpu.isa() != Isa::Portable && parts > 0 && (parts == runs.len() || start >= 2 * parts);
    if !bytes {
        runs.iter_mut().for_each(|run| run.parts.clear());
    }
    (if bytes { Entry::Byte } else { Entry::Word }, runs)
}

/// Ends of runs of at most `most` rows whose sums stay within `limit` in every channel.
fn ends(sums: &[u16], outs: usize, limit: u32, most: usize) -> Vec<usize> {
    let (mut ends, mut start) = (Vec::new(), 0);
    let mut totals = vec![0u32; outs];
    for (row, sums) in sums.chunks_exact(outs).enumerate() {
        let full = totals.iter().zip(sums).any(|(total, &sum)| total + u32::from(sum) > limit);
        if full || row - start == most {
            ends.push(row);
            start = row;
            totals.fill(0);
        }
        totals.iter_mut().zip(sums).for_each(|(total, &sum)| *total += u32::from(sum));
    }
    ends.push(sums.len() / outs);
    ends
}

/// X of the channels of `tables`, rows of `stride` in `out`, on an index of `[block][row][column]`: blocks
/// of [`BLOCK`] columns, the last of what is left.
///
/// # Panics
/// If `index` or `out` is too short, or `stride` is no multiple of [`LANES`].
pub fn lookup(cpu: Cpu, tables: &Tables, index: &[u8], stride: usize, out: &mut [i32]) {
    assert!(stride.is_multiple_of(LANES) && index.len() >= tables.matrix.rows * stride);
    assert!(out.len() >= tables.count * stride);
    match cpu.isa() {
        // SAFETY: the processor has the instructions, and the lengths were checked.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { super::avx512::lookup(tables, index, stride, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { super::avx2::lookup(tables, index, stride, out) },
        _ => portable(tables, index, stride, out),
    }
}

fn portable(tables: &Tables, index: &[u8], stride: usize, out: &mut [i32]) {
    let matrix = tables.matrix;
    for (i, out) in out.chunks_exact_mut(stride).take(tables.count).enumerate() {
        out.fill(0);
        let blocks = index[..matrix.rows * stride].chunks(matrix.rows * BLOCK);
        for (out, index) in out.chunks_mut(BLOCK).zip(blocks) {
            let tables = tables.of(i).chunks_exact(matrix.table_bytes);
            for (table, index) in tables.zip(index.chunks_exact(out.len())) {
                let sums: [i32; 16] =
                    std::array::from_fn(|i| i32::from(u16::from_le_bytes([table[2 * i], table[2 * i + 1]])));
                for (x, &byte) in out.iter_mut().zip(index) {
                    *x = x.wrapping_add(sums[usize::from(byte & 15)]);
                }
            }
        }
        let bias = matrix.bias[tables.first + i];
        out.iter_mut().for_each(|x| *x = (*x << matrix.shift).wrapping_add(bias));
    }
}
