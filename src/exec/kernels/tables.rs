//! Weighted sums of binary inputs as table look-ups.
//!
//! A byte holds the spikes of a few inputs at one position. For every output channel and byte there is
//! a table with the partial sum of each value of that byte, so one look-up adds as many weights as the
//! byte has bits, and one instruction looks up a vector of positions. Tables hold unsigned sums: the
//! negative weights of a table are subtracted from all its entries, and what that adds up to per output
//! channel goes into the bias. Sums of 8 bits are added up in 8 bits for as many tables as provably fit,
//! then in 16 bits for as many as fit those, then in 32.

/// Values of a row are padded to a multiple of this many columns.
pub const LANES: usize = 64;

/// Columns whose sums are made at once; the bytes of a block of columns lie together.
pub const BLOCK: usize = 4 * LANES;

/// Rows whose bytes of a block of columns stay in the first-level cache.
const ROWS_OF_A_RUN: usize = 96;

/// One cache line, so that tables never straddle two.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line([u8; 64]);

/// How the kernels of an instruction set want their tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableLayout {
    /// Inputs of a table, which has an entry for every value of so many bits.
    pub(super) inputs: usize,
    /// Where the tables of several channels lie.
    pub(super) order: TableOrder,
}

/// Where the tables of several channels lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TableOrder {
    /// `[channel][row][digit][entry]`: sums of 8 bits, or two digits of them, the low one first.
    Digits,
    /// `[tile][row][entry][channel]`, of sums of 16 bits.
    SideBySide,
}

/// The weights of one matrix product on packed spikes, and what follows the sum.
#[derive(Debug)]
pub struct LookupMatrix {
    /// Bytes per position.
    pub rows: usize,
    /// Output channels.
    pub outs: usize,
    pub(super) weights: Weights,
    pub(super) layout: TableLayout,
    /// Width of the entries.
    pub(super) entry: Entry,
    pub(super) runs: Vec<Run>,
    /// Bits of the low digit of an entry, where entries have two.
    pub(super) digit: u32,
    /// X = (acc << shift) + bias, the subtracted negative weights included.
    pub(super) shift: u32,
    pub(super) bias: Vec<i32>,
}

/// `[out][row]`.
#[derive(Debug)]
pub(super) enum Weights {
    /// Tables, as their layout orders them.
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
    /// The rows behind its parts, whose sums fit 8 bits; only for entries or digits of 8 bits.
    pub parts: Vec<usize>,
}

/// Room for the tables of a few channels.
#[derive(Debug, Default)]
pub struct TableRoom(pub(super) Vec<Line>);

/// The tables of consecutive output channels of a matrix.
#[derive(Debug, Clone, Copy)]
pub struct Tables<'a> {
    pub(super) matrix: &'a LookupMatrix,
    pub(super) first: usize,
    pub(super) count: usize,
    bytes: &'a [u8],
    /// Where tables of several channels lie side by side, how many, and which of them is the first.
    pub(super) interleaved: (usize, usize),
}

impl<'a> Tables<'a> {
    /// `count` channels of `matrix` from `first` on, whose tables are those from `start` on of the `channels`
    /// that lie in `lines`.
    ///
    /// # Panics
    /// If there are not as many channels.
    pub(super) fn new(
        matrix: &'a LookupMatrix,
        lines: &'a [Line],
        (start, channels): (usize, usize),
        (first, count): (usize, usize),
    ) -> Self {
        assert!(start + count <= channels);
        let length = matrix.rows * matrix.bytes_of_a_table();
        let bytes = match matrix.layout.order {
            TableOrder::Digits => &bytes_of(lines)[start * length..][..count * length],
            TableOrder::SideBySide => &bytes_of(lines)[..channels * length],
        };
        Self { matrix, first, count, bytes, interleaved: (channels, start) }
    }

    /// Entries of 16 bits.
    pub(super) fn words(&self) -> &'a [u16] {
        // SAFETY: any bytes are words, and lines are aligned.
        unsafe { self.bytes.align_to().1 }
    }

    /// The tables of channel `first + i` alone.
    ///
    /// # Panics
    /// If there are not as many channels.
    pub fn one(&self, i: usize) -> Tables<'a> {
        assert!(i < self.count);
        let bytes = match self.matrix.layout.order {
            TableOrder::Digits => self.of(i),
            TableOrder::SideBySide => self.bytes,
        };
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
    pub fn new(layout: TableLayout, codes: &[i32], inputs: usize, shift: u32, bias: &[i32]) -> Option<Self> {
        let width = layout.inputs;
        let (rows, outs) = (inputs.div_ceil(width), bias.len());
        let (mut sums, mut bias) = (vec![0; rows * outs], bias.to_vec());
        for (out, channel) in codes.chunks_exact(inputs).enumerate() {
            for (row, weights) in channel.chunks(width).enumerate() {
                let sum: u64 = weights.iter().map(|w| u64::from(w.unsigned_abs())).sum();
                sums[row * outs + out] = u16::try_from(sum).ok()?;
                bias[out] = bias[out].wrapping_sub(negated_lowest(weights) << shift);
            }
        }
        let (mut entry, mut runs, mut digit) = (Entry::Word, runs_of_words(&sums, outs), 0);
        if layout.order != TableOrder::SideBySide && split_bytes(&mut runs, &sums, outs) {
            entry = Entry::Byte;
        } else if layout.order == TableOrder::Digits {
            digit = split_digits(&mut runs, &sums, outs);
        }
        let rows_of = codes.chunks_exact(inputs).flat_map(|channel| channel.chunks(width));
        let weights =
            Weights::Halves(rows_of.flat_map(|weights| halves(weights, width / 2, entry)).collect());
        Some(Self { rows, outs, weights, layout, entry, runs, digit, shift, bias })
    }

    /// Bytes of all tables.
    pub(crate) fn table_bytes(&self) -> usize {
        (self.outs * self.rows * self.bytes_of_a_table()).next_multiple_of(size_of::<Line>())
    }

    /// Bytes of what is stored.
    pub(crate) fn memory_bytes(&self) -> usize {
        match &self.weights {
            Weights::Tables(lines) => size_of_val(lines.as_slice()),
            Weights::Halves(halves) => halves.len(),
        }
    }

    /// The width of its entries.
    pub fn entry(&self) -> Entry {
        self.entry
    }

    pub(super) fn bytes_of_a_table(&self) -> usize {
        self.entry.bytes() << self.layout.inputs
    }

    pub(super) fn bytes_of_halves(&self) -> usize {
        self.entry.bytes() << (self.layout.inputs / 2 + 1)
    }

    /// The bytes in `lines` of the tables of `count` halves.
    pub(super) fn room_for<'a>(&self, count: usize, lines: &'a mut Vec<Line>) -> &'a mut [u8] {
        let length = count * self.bytes_of_a_table();
        if lines.len() * size_of::<Line>() < length {
            lines.resize(length.div_ceil(size_of::<Line>()), Line([0; 64]));
        }
        &mut bytes_of_mut(lines)[..length]
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

/// Entry `i` of 16 bits.
pub(super) fn word_of(halves: &[u8], i: usize) -> u16 {
    u16::from_le_bytes([halves[2 * i], halves[2 * i + 1]])
}

/// Bytes as entries of 16 bits.
pub(super) fn words_of_mut(bytes: &mut [u8]) -> &mut [u16] {
    // SAFETY: any bytes are words; those before the first aligned one are left out.
    unsafe { bytes.align_to_mut().1 }
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

/// The runs of rows that fit 16 bits, from the largest sum of each table, `[row][out]`.
fn runs_of_words(sums: &[u16], outs: usize) -> Vec<Run> {
    ends(sums, outs, 0xffff, ROWS_OF_A_RUN).into_iter().map(|end| Run { end, parts: Vec::new() }).collect()
}

/// Splits runs into parts whose sums fit 8 bits; false where that is not worth it.
fn split_bytes(runs: &mut [Run], sums: &[u16], outs: usize) -> bool {
    if sums.iter().max().is_none_or(|&largest| largest > 0xff) {
        return false;
    }
    let parts = parts(runs, sums, outs, ROWS_OF_A_RUN);
    let (rows, count) = (sums.len() / outs, parts.iter().map(Vec::len).sum::<usize>());
    // Widening costs as much as a few look-ups.
    let worth = count == runs.len() || rows >= 2 * count;
    if worth {
        runs.iter_mut().zip(parts).for_each(|(run, parts)| run.parts = parts);
    }
    worth
}

/// Splits runs into parts in which the sums of either digit fit 8 bits; returns the bits of the low one, with which
/// there are fewest.
fn split_digits(runs: &mut [Run], sums: &[u16], outs: usize) -> u32 {
    let of_digit = |digit: u32| {
        let high: Vec<u16> = sums.iter().map(|sum| sum >> digit).collect();
        // The low digit may have any value.
        (digit, parts(runs, &high, outs, 0xff / ((1 << digit) - 1)))
    };
    let fit = (3..=8).filter(|digit| sums.iter().all(|sum| sum >> digit <= 0xff));
    let fewest = fit.map(of_digit).min_by_key(|(_, parts)| parts.iter().map(Vec::len).sum::<usize>());
    let (digit, parts) = fewest.expect("a digit of 8 bits leaves one of 8");
    runs.iter_mut().zip(parts).for_each(|(run, parts)| run.parts = parts);
    digit
}

/// Per run, the rows behind its parts, of at most `most` rows, whose sums fit 8 bits.
fn parts(runs: &[Run], sums: &[u16], outs: usize, most: usize) -> Vec<Vec<usize>> {
    let starts = std::iter::once(0).chain(runs.iter().map(|run| run.end));
    let of_run = |(start, run): (usize, &Run)| {
        let ends = ends(&sums[start * outs..run.end * outs], outs, 0xff, most);
        ends.into_iter().map(|end| start + end).collect()
    };
    starts.zip(runs).map(of_run).collect()
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
