//! Weight layers that read integers of 16 bits: products, two at a time.

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::codes::{dense, words};
use super::kernel::{LayerKernel, Scratch, Wanted};
use super::source::{LayerInput, WordSource};
use super::threads::{self, in_tiles};
use super::value::at_least;
use crate::exec::kernels::{self, Cpu, LANES, Pairs, ProductMatrix};

/// A multiplication takes as long as so many that are looked up.
const SLOWER_THAN_LOOKUPS: usize = 8;
/// Columns that are paired at once.
const COLUMNS: usize = 4 * LANES;
/// Paired values that are worth a thread.
const WORK_OF_A_THREAD: usize = 1 << 17;

/// Inputs and weights of 16 bits.
#[derive(Debug)]
pub struct ProductLayer {
    /// Per group one matrix for all inputs, or as many as keep each sum within 32 bits.
    groups: Vec<Vec<ProductMatrix>>,
    /// Input channels of a group.
    per_group: usize,
    taps: usize,
    /// What the padding holds, per input channel; empty for zeros.
    padding: Vec<i32>,
}

thread_local! {
    static SUMS: RefCell<Vec<i32>> = RefCell::default();
}

impl ProductLayer {
    /// `None` if inputs or weights take more than 16 bits, and of layers with one input per output: nothing is
    /// shared there that pairs could keep.
    pub fn new(wanted: &Wanted) -> Option<Self> {
        let op = wanted.op;
        let g = &op.geometry;
        let depthwise = wanted.fits() && g.groups == g.in_channels && g.groups == g.out_channels;
        if !wanted.narrow || depthwise {
            return None;
        }
        let outs = g.out_channels / g.groups;
        let group = |group: usize| {
            let range = group * outs..(group + 1) * outs;
            let bias = words(&op.bias[range.clone()]);
            let codes = dense(op, range);
            let part = |part: Range<usize>| {
                let columns = codes.chunks_exact(g.fan_in()).flat_map(|row| &row[part.clone()]);
                ProductMatrix::new(&columns.copied().collect::<Vec<_>>(), part.len(), op.fraction_bits, &bias)
            };
            let parts = parts_within_32_bits(&codes, g.fan_in(), wanted.largest_input);
            parts.into_iter().map(part).collect::<Option<Vec<_>>>()
        };
        let groups = (0..g.groups).map(group).collect::<Option<Vec<_>>>()?;
        let padding = wanted.padding.to_vec();
        Some(Self { groups, per_group: g.in_channels / g.groups, taps: g.taps(), padding })
    }

    /// Runs `work` on the channels from `first` on, group by group: with the matrices of the group, the first
    /// channel in it, and what it reads.
    fn each_group<T>(
        &self,
        pairs: Pairs,
        stride: usize,
        first: usize,
        out: &mut [T],
        work: impl Fn(&[ProductMatrix], usize, Pairs, &mut [T]),
    ) {
        let outs = self.groups[0][0].outs;
        let (mut first, mut out) = (first, out);
        while !out.is_empty() {
            let count = (outs - first % outs).min(out.len() / stride);
            let (now, behind) = out.split_at_mut(count * stride);
            let values = &pairs.values[2 * pairs.rows * stride * (first / outs)..];
            work(&self.groups[first / outs], first % outs, Pairs { values, ..pairs }, now);
            (first, out) = (first + count, behind);
        }
    }

    /// Rows of pairs of a group.
    fn rows(&self) -> usize {
        (self.per_group * self.taps).div_ceil(2)
    }

    /// What all groups read, two inputs side by side: group after group.
    fn pairs<'s>(&self, input: LayerInput, scratch: &'s Scratch) -> Pairs<'s> {
        let length = self.groups.len() * 2 * self.rows() * input.gather.stride;
        Pairs { values: &scratch.pairs[..length], rows: self.rows(), start: 0 }
    }

    fn pairs_of_group(&self, input: LayerInput, source: WordSource, group: usize, values: &mut [i16]) {
        let LayerInput { cpu, gather, .. } = input;
        let (count, rows) = (self.per_group * self.taps, self.rows());
        let read = |input: usize, from: usize, out: &mut [i32]| {
            let (tap, channel) = (input / self.per_group, group * self.per_group + input % self.per_group);
            source.read(cpu, gather, tap, channel, from, out);
        };
        let columns = |(i, values): (usize, &mut [i16])| {
            let (mut a, mut b) = ([0; COLUMNS], [0; COLUMNS]);
            let width = values.len() / (2 * rows);
            for pair in 0..rows {
                read(2 * pair, i * COLUMNS, &mut a[..width]);
                // The second of an odd last pair is met by a weight of 0.
                read((2 * pair + 1).min(count - 1), i * COLUMNS, &mut b[..width]);
                let blocks = values.chunks_exact_mut(2 * rows * LANES);
                for ((a, b), block) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)).zip(blocks) {
                    kernels::interleave(cpu, a, b, &mut block[2 * pair * LANES..][..2 * LANES]);
                }
            }
        };
        if threads::are_worth(values.len(), WORK_OF_A_THREAD) {
            values.par_chunks_mut(2 * rows * COLUMNS).enumerate().for_each(columns)
        } else {
            values.chunks_mut(2 * rows * COLUMNS).enumerate().for_each(columns)
        }
    }
}

impl LayerKernel for ProductLayer {
    fn memory_bytes(&self) -> usize {
        self.groups.iter().flatten().map(|matrix| 4 * matrix.pairs * matrix.outs).sum()
    }

    fn prepare(&self, input: LayerInput, Scratch { words, pairs, .. }: &mut Scratch) {
        words.read(input);
        let source = WordSource::new(input, &self.padding, words);
        let length = 2 * self.rows() * input.gather.stride;
        let values = at_least(pairs, self.groups.len() * length);
        for (group, values) in values.chunks_exact_mut(length).enumerate() {
            self.pairs_of_group(input, source, group, values);
        }
    }

    /// Each channel is the sum of one matrix.
    fn channels(&self, input: LayerInput, scratch: &Scratch, first: usize, out: &mut [i32]) {
        let (pairs, stride) = (self.pairs(input, scratch), input.gather.stride);
        self.each_group(pairs, stride, first, out, |parts, first, pairs, out| {
            kernels::products(input.cpu, &parts[0], first, pairs, stride, out);
        });
    }

    fn work_of_an_output(&self, _cpu: Cpu) -> usize {
        self.groups[0].iter().map(|part| 2 * part.pairs).sum::<usize>() * SLOWER_THAN_LOOKUPS
    }

    /// Channels that read the same inputs share what is loaded of them.
    fn channels_of_a_tile(&self, cpu: Cpu, _stride: usize) -> usize {
        cpu.channels_of_a_tile()
    }

    /// The sums of all matrices.
    fn add_wide(&self, input: LayerInput, scratch: &Scratch, _sums: &mut Vec<i32>, out: &mut [i64]) {
        let (cpu, pairs, stride) = (input.cpu, self.pairs(input, scratch), input.gather.stride);
        in_tiles(self.work_of_an_output(cpu) * out.len(), stride, out, |first, out| {
            self.each_group(pairs, stride, first, out, |parts, first, pairs, out| {
                SUMS.with_borrow_mut(|sums| {
                    let (sums, mut start) = (at_least(sums, out.len()), 0);
                    for matrix in parts {
                        kernels::products(cpu, matrix, first, Pairs { start, ..pairs }, stride, sums);
                        kernels::add_wide(cpu, sums, out);
                        start += matrix.pairs;
                    }
                });
            });
        });
    }
}

/// The inputs of `codes[out][input]` in as few runs as keep every sum within 32 bits, pairs together.
fn parts_within_32_bits(codes: &[i32], fan_in: usize, input: i64) -> Vec<Range<usize>> {
    let mut sums = vec![0i64; codes.len() / fan_in];
    let (mut parts, mut start) = (Vec::new(), 0);
    for first in (0..fan_in).step_by(2) {
        let pair = |out: usize| codes[out * fan_in..][first..fan_in.min(first + 2)].iter();
        let add = |(out, sum): (usize, &i64)| {
            sum + pair(out).map(|&w| i64::from(w.unsigned_abs())).sum::<i64>() * input
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
