//! Weight layers that read integers of 16 bits: products, two at a time.

use std::ops::Range;

use rayon::prelude::*;

use super::gather::Gather;
use super::layer::{dense, in_tiles, words};
use super::value::at_least;
use super::words::Source;
use crate::exec::kernels::{self, Cpu, LANES, Pairs, ProductMatrix};
use crate::quant::QuantizedWeighted;

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
}

/// Room for what a group reads.
#[derive(Debug, Default)]
pub struct PairRoom(Vec<i16>);

impl ProductLayer {
    /// `None` if a weight takes more than 16 bits; `input` is the largest magnitude of an input.
    pub fn new(op: &QuantizedWeighted, input: i64) -> Option<Self> {
        let g = &op.geometry;
        let outs = g.out_channels / g.groups;
        let group = |group: usize| {
            let range = group * outs..(group + 1) * outs;
            let bias = words(&op.bias[range.clone()]);
            let codes = dense(op, range);
            let part = |part: Range<usize>| {
                let columns = codes.chunks_exact(g.fan_in()).flat_map(|row| &row[part.clone()]);
                ProductMatrix::new(&columns.copied().collect::<Vec<_>>(), part.len(), op.fraction_bits, &bias)
            };
            parts_within_32_bits(&codes, g.fan_in(), input).into_iter().map(part).collect::<Option<Vec<_>>>()
        };
        let groups = (0..g.groups).map(group).collect::<Option<Vec<_>>>()?;
        Some(Self { groups, per_group: g.in_channels / g.groups })
    }

    /// Bytes of its weights.
    pub fn weight_bytes(&self) -> usize {
        self.groups.iter().flatten().map(|matrix| 4 * matrix.pairs * matrix.outs).sum()
    }

    /// X of all output channels, whose sums each have one matrix: rows of `gather.stride` in `out`.
    pub fn run(&self, cpu: Cpu, gather: &Gather, source: &Source, room: &mut PairRoom, out: &mut [i32]) {
        self.each_group(cpu, gather, source, room, out, |parts, first, pairs, out| {
            kernels::products(cpu, &parts[0], first, pairs, gather.stride, out);
        });
    }

    /// Adds the sums of all output channels to `out`, in 64 bits.
    pub fn add_wide(&self, cpu: Cpu, gather: &Gather, source: &Source, room: &mut PairRoom, out: &mut [i64]) {
        self.each_group(cpu, gather, source, room, out, |parts, first, pairs, out| {
            let (mut sums, mut start) = (vec![0; out.len()], 0);
            for matrix in parts {
                kernels::products(cpu, matrix, first, Pairs { start, ..pairs }, gather.stride, &mut sums);
                kernels::add_wide(cpu, &sums, out);
                start += matrix.pairs;
            }
        });
    }

    /// Runs `work` on tiles of the output channels of every group, with the first of them and what they read.
    fn each_group<T: Send>(
        &self,
        cpu: Cpu,
        gather: &Gather,
        source: &Source,
        room: &mut PairRoom,
        out: &mut [T],
        work: impl Fn(&[ProductMatrix], usize, Pairs, &mut [T]) + Sync,
    ) {
        let length = out.len() / self.groups.len();
        for (group, (parts, out)) in self.groups.iter().zip(out.chunks_exact_mut(length)).enumerate() {
            let pairs = self.pairs(cpu, gather, source, group, room);
            let work_units = self.per_group * gather.taps() * out.len() * SLOWER_THAN_LOOKUPS;
            in_tiles(work_units, gather.stride, out, |first, out| work(parts, first, pairs, out));
        }
    }

    /// What a group reads, two inputs side by side.
    fn pairs<'r>(
        &self,
        cpu: Cpu,
        gather: &Gather,
        source: &Source,
        group: usize,
        room: &'r mut PairRoom,
    ) -> Pairs<'r> {
        let count = self.per_group * gather.taps();
        let rows = count.div_ceil(2);
        let values = at_least(&mut room.0, 2 * rows * gather.stride);
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
        match values.len() / WORK_OF_A_THREAD {
            0 | 1 => values.chunks_mut(2 * rows * COLUMNS).enumerate().for_each(columns),
            _ => values.par_chunks_mut(2 * rows * COLUMNS).enumerate().for_each(columns),
        }
        Pairs { values, rows, start: 0 }
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
