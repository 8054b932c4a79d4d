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
    /// Inputs of a table.
    width: usize,
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
    /// What tables are made of when they are needed: a table holds the sums of one entry of each half.
    Halves(Vec<u8>),
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
    pub(super) bytes: &'a [u8],
    /// Where tables of several channels lie interleaved, how many, and which of them is the first.
    pub(super) interleaved: (usize, usize),
}

impl<'a> Tables<'a> {
    /// Entries of 16 bits.
    pub(super) fn words(&self) -> &'a [u16] {
        // SAFETY: any bytes are words, and lines are aligned.
        unsafe { self.bytes.align_to().1 }
    }

    /// The tables of channel `first + i` alone.
    ///
    /// # Panics
    /// If there are not as many channels.
    pub fn one(&self, cpu: Cpu, i: usize) -> Tables<'a> {
        assert!(i < self.count);
        let bytes = if cpu.isa() == Isa::Portable { self.bytes } else { self.of(i) };
        let interleaved = (self.interleaved.0, self.interleaved.1 + i);
        Tables { first: self.first + i, count: 1, bytes, interleaved, ..*self }
    }

    /// The tables of channel `first + i`, row after row.
    pub(super) fn of(&self, i: usize) -> &'a [u8] {
        let length = self.matrix.rows * self.matrix.bytes_of_a_table();
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
        for (out, channel) in codes.chunks_exact(inputs).enumerate() {
            for (row, weights) in channel.chunks(width).enumerate() {
                let sum: u64 = weights.iter().map(|w| u64::from(w.unsigned_abs())).sum();
                sums[row * outs + out] = u16::try_from(sum).ok()?;
                bias[out] = bias[out].wrapping_sub(negated_lowest(weights) << shift);
            }
        }
        let (entry, runs) = runs(cpu, &sums, outs);
        let rows_of = codes.chunks_exact(inputs).flat_map(|channel| channel.chunks(width));
        let weights =
            Weights::Halves(rows_of.flat_map(|weights| halves(weights, width / 2, entry)).collect());
        Some(Self { rows, outs, weights, width, entry, runs, shift, bias })
    }

    /// Makes all tables now; without, they are made whenever they are needed.
    pub fn store_tables(&mut self, cpu: Cpu) {
        if let Weights::Halves(halves) = &self.weights {
            let mut lines = Vec::new();
            self.expand(cpu, halves, &mut lines);
            self.weights = Weights::Tables(lines);
        }
    }

    /// Bytes of all tables.
    pub fn table_bytes(&self) -> usize {
        (self.outs * self.rows * self.bytes_of_a_table()).next_multiple_of(size_of::<Line>())
    }

    /// Bytes of what is stored.
    pub fn memory_bytes(&self) -> usize {
        match &self.weights {
            Weights::Tables(lines) => size_of_val(lines.as_slice()),
            Weights::Halves(halves) => halves.len(),
        }
    }

    /// The width of its entries.
    pub fn entry(&self) -> Entry {
        self.entry
    }

    fn bytes_of_a_table(&self) -> usize {
        self.entry.bytes() << self.width
    }

    fn bytes_of_halves(&self) -> usize {
        self.entry.bytes() << (self.width / 2 + 1)
    }

    /// The tables of `count` channels from `first` on, made in `room` where they are not stored.
    ///
    /// # Panics
    /// If there are not as many channels.
    pub fn tables<'a>(&'a self, cpu: Cpu, first: usize, count: usize, room: &'a mut TableRoom) -> Tables<'a> {
        let (lines, start, channels) = match &self.weights {
            Weights::Tables(lines) => (lines, first, self.outs),
            Weights::Halves(all) => {
                let length = self.rows * self.bytes_of_halves();
                self.expand(cpu, &all[first * length..][..count * length], &mut room.0);
                (&room.0, 0, count)
            }
        };
        assert!(start + count <= channels);
        let length = self.rows * self.bytes_of_a_table();
        let bytes = match cpu.isa() {
            Isa::Portable => &bytes_of(lines)[..channels * length],
            _ => &bytes_of(lines)[start * length..][..count * length],
        };
        Tables { matrix: self, first, count, bytes, interleaved: (channels, start) }
    }

    /// The tables of `halves`.
    fn expand(&self, cpu: Cpu, halves: &[u8], lines: &mut Vec<Line>) {
        let count = halves.len() / self.bytes_of_halves();
        let length = count * self.bytes_of_a_table();
        if lines.len() * size_of::<Line>() < length {
            lines.resize(length.div_ceil(size_of::<Line>()), Line([0; 64]));
        }
        let tables = &mut bytes_of_mut(lines)[..length];
        match cpu.isa() {
            // SAFETY: the processor has the instructions, and there is a table for each pair of halves.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { super::avx512::expand(self.entry, halves, tables) },
            // SAFETY: any bytes are words, and lines are aligned.
            Isa::Portable => super::portable::expand(self.rows, halves, unsafe { tables.align_to_mut().1 }),
            _ => {
                let pairs = halves.chunks_exact(self.bytes_of_halves());
                let tables = tables.chunks_exact_mut(self.bytes_of_a_table());
                pairs.zip(tables).for_each(|(halves, table)| expand_one(self.entry, halves, table));
            }
        }
    }
}

impl Entry {
    /// Bytes of an entry.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Byte => 1,
            Self::Word => 2,
        }
    }
}

/// The partial sums of the first `half` weights, less the smallest, and those of the others.
fn halves(weights: &[i32], half: usize, entry: Entry) -> Vec<u8> {
    let (low, high) = weights.split_at(half.min(weights.len()));
    let sums = [low, high].into_iter().flat_map(|weights| partial_sums(weights).into_iter().take(1 << half));
    sums.flat_map(|sum| sum.to_le_bytes().into_iter().take(entry.bytes())).collect()
}

/// The table of two halves of four entries.
fn expand_one(entry: Entry, halves: &[u8], table: &mut [u8]) {
    for i in 0..16 {
        let (low, high) = (i & 3, 4 + (i >> 2));
        match entry {
            Entry::Byte => table[i] = halves[low] + halves[high],
            // Low bytes before high bytes: a byte shuffle looks up each.
            Entry::Word => [table[i], table[16 + i]] = sum_of_words(halves, low, high).to_le_bytes(),
        }
    }
}

/// The sum of two entries of 16 bits.
pub(super) fn sum_of_words(halves: &[u8], low: usize, high: usize) -> u16 {
    let half = |i: usize| u16::from_le_bytes([halves[2 * i], halves[2 * i + 1]]);
    half(low) + half(high)
}

fn bytes_of(lines: &[Line]) -> &[u8] {
    // SAFETY: a line is 64 bytes without padding.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * 64) }
}

fn bytes_of_mut(lines: &mut [Line]) -> &mut [u8] {
    // SAFETY: a line is 64 bytes without padding.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * 64) }
}

/// What makes the smallest partial sum 0.
fn negated_lowest(weights: &[i32]) -> i32 {
    weights.iter().map(|&w| (-w).max(0)).sum()
}

/// The partial sums of up to 3 weights, less the smallest, by doubling.
fn partial_sums(weights: &[i32]) -> [u16; 8] {
    let mut sums = [negated_lowest(weights) as u16; 8];
    for bit in 0..3 {
        let (half, w) = (1 << bit, weights.get(bit).copied().unwrap_or(0));
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
/// If `index` or `out` is too short, `stride` is no multiple of [`LANES`], or the tables were made for an
/// instruction set with others.
pub fn lookup(cpu: Cpu, tables: &Tables, index: &[u8], stride: usize, out: &mut [i32]) {
    assert!(tables.matrix.width == cpu.inputs_per_table());
    assert!(stride.is_multiple_of(LANES) && index.len() >= tables.matrix.rows * stride);
    assert!(out.len() >= tables.count * stride);
    match cpu.isa() {
        // SAFETY: the processor has the instructions, and the lengths were checked.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { super::avx512::lookup(tables, index, stride, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { super::avx2::lookup(tables, index, stride, out) },
        _ => super::portable::lookup(tables, index, stride, out),
    }
}
