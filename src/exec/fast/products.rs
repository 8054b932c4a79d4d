//! Weight layers that read integers of 16 bits, or counts of 8: products, two or four at a time.

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::codes::{dense, words};
use super::kernel::{LayerKernel, Scratch, Wanted};
use super::source::{LayerInput, WordSource};
use super::threads::{self, in_tiles};
use crate::exec::kernels::{self, Cpu, LANES, Operand, Packs, ProductMatrix};
use crate::exec::room::Room;

/// A pack of multiplications takes as long as so many that are looked up.
const SLOWER_THAN_LOOKUPS: usize = 16;
/// Columns that are packed at once.
const COLUMNS: usize = 4 * LANES;
/// Packs that are worth a thread.
const WORK_OF_A_THREAD: usize = 1 << 16;

/// Inputs and weights of 16 or of 8 bits.
#[derive(Debug)]
pub struct ProductLayer {
    operand: Operand,
    /// Per group one matrix for all inputs, or as many as keep each sum within 32 bits.
    groups: Vec<Vec<ProductMatrix>>,
    /// Input channels of a group.
    per_group: usize,
    taps: usize,
    /// What the padding holds, per input channel; empty for zeros.
    padding: Vec<i32>,
}

thread_local! {
    static SUMS: RefCell<Room<i32>> = RefCell::default();
}

impl ProductLayer {
    /// `None` if inputs are no counts of 8 bits, weights take more, the processor is not faster with bytes, and of
    /// layers in groups.
    pub fn of_bytes(wanted: &Wanted) -> Option<Self> {
        let largest = wanted.largest_count.and_then(|max| u8::try_from(max).ok())?;
        let shared = wanted.cpu.multiplies_bytes() && wanted.op.geometry.groups == 1;
        shared.then(|| Self::new(Operand::Bytes { largest }, wanted))?
    }

    /// `None` if inputs or weights take more than 16 bits, and of layers with one input per output: nothing is
    /// shared there that pairs could keep.
    pub fn of_words(wanted: &Wanted) -> Option<Self> {
        let g = &wanted.op.geometry;
        let depthwise = wanted.fits() && g.groups == g.in_channels && g.groups == g.out_channels;
        (wanted.narrow && !depthwise).then(|| Self::new(Operand::Words, wanted))?
    }

    fn new(operand: Operand, wanted: &Wanted) -> Option<Self> {
        let op = wanted.op;
        let g = &op.geometry;
        let outs = g.out_channels / g.groups;
        let group = |group: usize| {
            let range = group * outs..(group + 1) * outs;
            let bias = words(&op.bias[range.clone()]);
            let codes = dense(op, range);
            let part = |part: Range<usize>| {
                let columns = codes.chunks_exact(g.fan_in()).flat_map(|row| &row[part.clone()]);
                let columns: Vec<i32> = columns.copied().collect();
                ProductMatrix::new(operand, &columns, part.len(), op.fraction_bits, &bias)
            };
            let parts = parts_within_32_bits(operand, &codes, g.fan_in(), wanted.largest_input);
            parts.into_iter().map(part).collect::<Option<Vec<_>>>()
        };
        let groups = (0..g.groups).map(group).collect::<Option<Vec<_>>>()?;
        let padding = wanted.padding.to_vec();
        Some(Self { operand, groups, per_group: g.in_channels / g.groups, taps: g.taps(), padding })
    }

    /// Runs `work` on the channels from `first` on, group by group: with the matrices of the group, the first
    /// channel in it, and what it reads.
    fn each_group<T>(
        &self,
        packs: Packs,
        stride: usize,
        first: usize,
        out: &mut [T],
        work: impl Fn(&[ProductMatrix], usize, Packs, &mut [T]),
    ) {
        let outs = self.groups[0][0].outs;
        let (mut first, mut out) = (first, out);
        while !out.is_empty() {
            let count = (outs - first % outs).min(out.len() / stride);
            let (now, behind) = out.split_at_mut(count * stride);
            let values = &packs.values[packs.rows * stride * (first / outs)..];
            work(&self.groups[first / outs], first % outs, Packs { values, ..packs }, now);
            (first, out) = (first + count, behind);
        }
    }

    /// Rows of packs of a group.
    fn rows(&self) -> usize {
        (self.per_group * self.taps).div_ceil(self.operand.in_a_pack())
    }

    /// What all groups read, several inputs side by side: group after group.
    fn packs<'s>(&self, input: LayerInput, scratch: &'s Scratch) -> Packs<'s> {
        let length = self.groups.len() * self.rows() * input.gather.stride;
        Packs { values: &scratch.packs[..length], rows: self.rows(), start: 0 }
    }

    fn packs_of_group(&self, input: LayerInput, source: WordSource, group: usize, values: &mut [i32]) {
        let LayerInput { cpu, gather, .. } = input;
        let (count, rows) = (self.per_group * self.taps, self.rows());
        let read = |input: usize, from: usize, out: &mut [i32]| {
            let (tap, channel) = (input / self.per_group, group * self.per_group + input % self.per_group);
            source.read(cpu, gather, tap, channel, from, out);
        };
        let columns = |(i, values): (usize, &mut [i32])| {
            let mut inputs = [[0; COLUMNS]; 4];
            let width = values.len() / rows;
            for pack in 0..rows {
                let first = pack * self.operand.in_a_pack();
                for (input, out) in (first..).zip(&mut inputs[..self.operand.in_a_pack()]) {
                    // Inputs that a last pack lacks are met by weights of 0.
                    read(input.min(count - 1), i * COLUMNS, &mut out[..width]);
                }
                for (column, block) in values.chunks_exact_mut(rows * LANES).enumerate() {
                    let [a, b, c, d] = inputs.each_ref().map(|row| &row[column * LANES..][..LANES]);
                    let out = &mut block[pack * LANES..][..LANES];
                    match self.operand {
                        Operand::Words => kernels::pack_words(cpu, [a, b], out),
                        Operand::Bytes { .. } => kernels::pack_bytes(cpu, [a, b, c, d], out),
                    }
                }
            }
        };
        if threads::are_worth(values.len(), WORK_OF_A_THREAD) {
            values.par_chunks_mut(rows * COLUMNS).enumerate().for_each(columns)
        } else {
            values.chunks_mut(rows * COLUMNS).enumerate().for_each(columns)
        }
    }
}

impl LayerKernel for ProductLayer {
    fn memory_bytes(&self) -> usize {
        self.groups.iter().flatten().map(ProductMatrix::memory_bytes).sum()
    }

    fn prepare(&self, input: LayerInput, Scratch { words, packs, .. }: &mut Scratch) {
        words.read(input);
        let source = WordSource::new(input, &self.padding, words);
        let length = self.rows() * input.gather.stride;
        let values = packs.at_least(self.groups.len() * length);
        for (group, values) in values.chunks_exact_mut(length).enumerate() {
            self.packs_of_group(input, source, group, values);
        }
    }

    /// Each channel is the sum of one matrix.
    fn channels(&self, input: LayerInput, scratch: &Scratch, first: usize, out: &mut [i32]) {
        let (packs, stride) = (self.packs(input, scratch), input.gather.stride);
        self.each_group(packs, stride, first, out, |parts, first, packs, out| {
            kernels::products(input.cpu, &parts[0], first, packs, stride, out);
        });
    }

    fn work_of_an_output(&self, _cpu: Cpu) -> usize {
        self.groups[0].iter().map(|part| part.packs).sum::<usize>() * SLOWER_THAN_LOOKUPS
    }

    /// Channels that read the same inputs share what is loaded of them.
    fn channels_of_a_tile(&self, cpu: Cpu, _stride: usize) -> usize {
        cpu.channels_of_a_tile()
    }

    /// The sums of all matrices.
    fn add_wide(&self, input: LayerInput, scratch: &Scratch, _sums: &mut Room<i32>, out: &mut [i64]) {
        let (cpu, packs, stride) = (input.cpu, self.packs(input, scratch), input.gather.stride);
        in_tiles(self.work_of_an_output(cpu) * out.len(), stride, out, |first, out| {
            self.each_group(packs, stride, first, out, |parts, first, packs, out| {
                SUMS.with_borrow_mut(|sums| {
                    let (sums, mut start) = (sums.at_least(out.len()), 0);
                    for matrix in parts {
                        kernels::products(cpu, matrix, first, Packs { start, ..packs }, stride, sums);
                        kernels::add_wide(cpu, sums, out);
                        start += matrix.packs;
                    }
                });
            });
        });
    }
}

/// The inputs of `codes[out][input]` in as few runs as keep every sum within 32 bits, packs together.
fn parts_within_32_bits(operand: Operand, codes: &[i32], fan_in: usize, input: i64) -> Vec<Range<usize>> {
    let mut sums = vec![0i64; codes.len() / fan_in];
    let (mut parts, mut start) = (Vec::new(), 0);
    for first in (0..fan_in).step_by(operand.in_a_pack()) {
        let pack = |out: usize| codes[out * fan_in..][first..fan_in.min(first + operand.in_a_pack())].iter();
        let add = |(out, sum): (usize, &i64)| {
            sum + pack(out).map(|&w| i64::from(w.unsigned_abs())).sum::<i64>() * input
        };
        let mut with: Vec<i64> = sums.iter().enumerate().map(add).collect();
        if first > start && with.iter().any(|&sum| sum > i64::from(i32::MAX)) {
            parts.push(start..first);
            start = first;
            with = vec![0; sums.len()].iter().enumerate().map(add).collect();
        }
        sums = with;
    }
    parts.push(start..fan_in);
    parts
}
