//! Weight layers: which kernel multiplies, and what it reads.

use std::ops::Range;

use rayon::prelude::*;

use super::gather::Gather;
use super::lookup::{IndexScratch, LookupLayer};
use super::value::{Layout, Value, WIDE, at_least};
use crate::exec::activity::NodeActivity;
use crate::exec::kernels::{self, Cpu, ProductMatrix};
use crate::model::{Kind, Node};
use crate::num::Accumulator;
use crate::quant::{QuantizedModel, QuantizedWeighted};

/// Counts and integer spikes up to this many bits are looked up bit by bit; wider ones are multiplied.
const MAX_PLANES: u32 = 5;
/// Multiply-accumulates that are worth a thread: some 50 microseconds of look-ups.
pub const WORK_OF_A_THREAD: usize = 1 << 26;
/// Look-ups of single inputs that take as long as one multiplication of a row by a constant.
const SLOW: usize = 64;

/// A weight layer, ready to run.
#[derive(Debug)]
pub struct Layer {
    kernel: Kernel,
    /// Groups of the convolution.
    groups: usize,
    /// Input channels of a group.
    per_group: usize,
    /// What the padding holds, per input channel; empty for zeros.
    padding: Vec<i32>,
    /// True if it yields sums, for [`write_back`].
    declared: bool,
    /// What follows the sums where that takes 64 bits.
    wide: Option<WideBias>,
}

/// X = (sum << shift) + bias, in 64 bits.
#[derive(Debug)]
struct WideBias {
    shift: u32,
    bias: Vec<i64>,
}

/// One matrix per group of the convolution.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
enum Kernel {
    /// Spikes, or bit planes of small counts.
    Lookup(LookupLayer),
    /// Inputs and weights of 16 bits; per group one matrix for all inputs, or as many as keep each sum within
    /// 32 bits.
    Products(Vec<Vec<ProductMatrix>>),
    /// Anything else: `[out][tap][in]`.
    Words { weights: Vec<i32>, shift: u32, bias: Vec<i32> },
}

/// Room for what a layer computes on the way.
#[derive(Debug, Default)]
pub struct Scratch {
    pub lookup: IndexScratch,
    surrounded_words: Vec<i32>,
    rows: Vec<i32>,
    pairs: Vec<i16>,
    sums: Vec<i32>,
}

impl Layer {
    /// Chooses the kernel by what the layer reads and by what its weights add up to; `wide` says that X takes
    /// 64 bits. `None` if no kernel holds the sums.
    pub fn new(
        cpu: Cpu,
        model: &QuantizedModel,
        node: &Node,
        op: &QuantizedWeighted,
        wide: bool,
    ) -> Option<Self> {
        let from = model.network.input_of(node, 0);
        let bound = model.bounds[node.inputs[0].index()];
        let largest_padding = op.padding.iter().flatten().map(|x| x.abs()).max().unwrap_or(0);
        if wide && (op.accumulator.is_some() || bound.max(largest_padding) >= WIDE) {
            return None;
        }
        let g = &op.geometry;
        let wide = wide.then(|| WideBias { shift: op.fraction_bits, bias: op.bias.clone() });
        // A declared accumulator is written back before anything follows the sum, and 64 bits follow 32.
        let sums;
        let op = match op.accumulator.is_some() || wide.is_some() {
            true => {
                sums = QuantizedWeighted { fraction_bits: 0, bias: vec![0; g.out_channels], ..op.clone() };
                &sums
            }
            false => op,
        };
        let padding: Vec<i32> = op.padding.iter().flatten().map(|&x| word(x)).collect();
        let lookup = match from.kind.largest_count() {
            Some(max) if max < 1 << MAX_PLANES && padding.is_empty() => {
                LookupLayer::new(cpu, op, u32::BITS - max.leading_zeros())
            }
            _ => None,
        };
        // Only a grid goes down to -2^15; its bound does not say on which side.
        let narrow = bound < 1 << 15 || matches!(from.kind, Kind::Grid(_)) && bound == 1 << 15;
        let narrow = narrow && padding.iter().all(|&x| i16::try_from(x).is_ok());
        let fits = op.accumulator_bits <= i32::BITS;
        let kernel = match lookup {
            Some(layer) if fits => Kernel::Lookup(layer),
            _ => {
                // One input per output: nothing is shared that pairs could keep.
                let depthwise = fits && g.groups == g.in_channels && g.groups == g.out_channels;
                let products = match narrow && !depthwise {
                    true => product_kernel(op, bound.max(largest_padding)),
                    false => None,
                };
                products.or_else(|| fits.then(|| word_kernel(op)))?
            }
        };
        let declared = op.accumulator.is_some();
        Some(Self { kernel, groups: g.groups, per_group: g.in_channels / g.groups, padding, declared, wide })
    }

    /// Bytes of its tables and weights.
    pub fn weight_bytes(&self) -> usize {
        match &self.kernel {
            Kernel::Lookup(layer) => layer.memory_bytes(),
            Kernel::Products(groups) => groups.iter().flatten().map(|m| 4 * m.pairs * m.outs).sum(),
            Kernel::Words { weights, .. } => 4 * weights.len(),
        }
    }

    /// Makes the tables that `budget_bytes` has room for; returns what is left of it.
    pub fn store_tables(&mut self, cpu: Cpu, budget_bytes: usize) -> usize {
        match &mut self.kernel {
            Kernel::Lookup(layer) => layer.store_tables(cpu, budget_bytes),
            Kernel::Products(_) | Kernel::Words { .. } => budget_bytes,
        }
    }

    /// The layer, if it can feed a neuron tile by tile.
    pub fn tiled(&self) -> Option<&LookupLayer> {
        match &self.kernel {
            Kernel::Lookup(layer) if layer.is_tiled() && !self.declared && self.wide.is_none() => Some(layer),
            _ => None,
        }
    }

    /// X of all output channels: rows of `gather.stride` in `out`.
    pub fn run(&self, cpu: Cpu, gather: &Gather, input: Value, scratch: &mut Scratch, out: &mut [i32]) {
        match &self.kernel {
            Kernel::Lookup(layer) => layer.run(cpu, gather, input, &mut scratch.lookup, out),
            Kernel::Products(groups) => {
                let outs = out.len() / groups.len();
                for (group, (parts, out)) in groups.iter().zip(out.chunks_exact_mut(outs)).enumerate() {
                    let pairs = self.pairs(cpu, gather, input, group, scratch);
                    in_tiles(self.fan_in(gather) * out.len(), gather.stride, out, |first, out| {
                        kernels::products(cpu, &parts[0], first, pairs, gather.stride, out);
                    });
                }
            }
            Kernel::Words { weights, shift, bias } => {
                match self.per_group == 1 && bias.len() == self.groups {
                    true => self.run_depthwise(cpu, gather, input, (weights, *shift, bias), scratch, out),
                    false => self.run_words(cpu, gather, input, (weights, *shift, bias), scratch, out),
                }
            }
        }
    }

    /// X of all output channels, in 64 bits.
    pub fn run_wide(&self, cpu: Cpu, gather: &Gather, input: Value, scratch: &mut Scratch, out: &mut [i64]) {
        let stride = gather.stride;
        out.fill(0);
        match &self.kernel {
            Kernel::Products(groups) => {
                let outs = out.len() / groups.len();
                for (group, (parts, out)) in groups.iter().zip(out.chunks_exact_mut(outs)).enumerate() {
                    let pairs = self.pairs(cpu, gather, input, group, scratch);
                    in_tiles(self.fan_in(gather) * out.len(), stride, out, |first, out| {
                        let mut sums = vec![0; out.len()];
                        let mut start = 0;
                        for matrix in parts {
                            kernels::products(
                                cpu,
                                matrix,
                                first,
                                &pairs[2 * start * stride..],
                                stride,
                                &mut sums,
                            );
                            kernels::add_wide(cpu, &sums, out);
                            start += matrix.pairs;
                        }
                    });
                }
            }
            Kernel::Lookup(_) | Kernel::Words { .. } => {
                let mut sums = std::mem::take(&mut scratch.sums);
                self.run(cpu, gather, input, scratch, at_least(&mut sums, out.len()));
                kernels::add_wide(cpu, &sums, out);
                scratch.sums = sums;
            }
        }
        if let Some(WideBias { shift, bias }) = &self.wide {
            let rows = out.chunks_exact_mut(stride).zip(bias);
            rows.for_each(|(x, &bias)| kernels::shift_and_bias_wide(cpu, *shift, bias, x));
        }
    }

    fn fan_in(&self, gather: &Gather) -> usize {
        self.per_group * gather.taps()
    }

    /// What a group reads, two inputs side by side: `[pair][column][2]`.
    fn pairs<'s>(
        &self,
        cpu: Cpu,
        gather: &Gather,
        input: Value,
        group: usize,
        scratch: &'s mut Scratch,
    ) -> &'s [i16] {
        let (stride, count) = (gather.stride, self.fan_in(gather));
        let rows: &[i32] = match gather.is_identity() && !input.layout.wide && input.layout.packed.is_none() {
            true => &input.words()[group * self.per_group * stride..],
            false => {
                self.gather_words(
                    cpu,
                    gather,
                    input,
                    group,
                    &mut scratch.surrounded_words,
                    &mut scratch.rows,
                );
                &scratch.rows
            }
        };
        let pairs = at_least(&mut scratch.pairs, 2 * count.div_ceil(2) * stride);
        for (i, pairs) in pairs.chunks_exact_mut(2 * stride).enumerate() {
            // The second of an odd last pair is met by a weight of 0.
            let second = (2 * i + 1).min(count - 1);
            let (a, b) = (&rows[2 * i * stride..][..stride], &rows[second * stride..][..stride]);
            kernels::interleave(cpu, a, b, pairs);
        }
        pairs
    }

    /// Each channel with its own taps, read in place.
    fn run_depthwise(
        &self,
        cpu: Cpu,
        gather: &Gather,
        input: Value,
        (weights, shift, bias): (&[i32], u32, &[i32]),
        scratch: &mut Scratch,
        out: &mut [i32],
    ) {
        let unpacked: Vec<i32>;
        let source = match input.layout.packed {
            None => input.words(),
            Some(width) => {
                unpacked = unpack(cpu, input, width);
                &unpacked
            }
        };
        let rows = source.chunks_exact(input.layout.stride);
        let length = gather.surround(rows, &mut scratch.surrounded_words);
        let (rows, taps) = (&scratch.surrounded_words, gather.taps());
        in_tiles(out.len() * taps * SLOW, gather.stride, out, |first, out| {
            for (channel, out) in (first..).zip(out.chunks_exact_mut(gather.stride)) {
                let (row, padding) = (&rows[channel * length..][..length], self.padding.get(channel));
                out.fill(0);
                for (tap, &weight) in weights[channel * taps..][..taps].iter().enumerate() {
                    gather.add_scaled(cpu, tap, weight, row, padding.copied().unwrap_or(0), out);
                }
                kernels::shift_and_bias(cpu, shift, bias[channel], out);
            }
        });
    }

    fn run_words(
        &self,
        cpu: Cpu,
        gather: &Gather,
        input: Value,
        (weights, shift, bias): (&[i32], u32, &[i32]),
        scratch: &mut Scratch,
        out: &mut [i32],
    ) {
        let stride = gather.stride;
        let outs = out.len() / stride / self.groups;
        let fan_in = self.per_group * gather.taps();
        for (group, out) in out.chunks_exact_mut(outs * stride).enumerate() {
            self.gather_words(cpu, gather, input, group, &mut scratch.surrounded_words, &mut scratch.rows);
            let rows = &scratch.rows;
            in_tiles(fan_in * out.len(), stride, out, |first, out| {
                for (i, out) in out.chunks_exact_mut(stride).enumerate() {
                    let channel = group * outs + first + i;
                    out.fill(0);
                    let weights = &weights[channel * fan_in..][..fan_in];
                    for (&weight, row) in weights.iter().zip(rows.chunks_exact(stride)) {
                        kernels::add_scaled(cpu, weight, row, out);
                    }
                    kernels::shift_and_bias(cpu, shift, bias[channel], out);
                }
            });
        }
    }

    /// Rows of words `[tap][channel]` of one group.
    fn gather_words(
        &self,
        cpu: Cpu,
        gather: &Gather,
        input: Value,
        group: usize,
        surrounded: &mut Vec<i32>,
        rows: &mut Vec<i32>,
    ) {
        let channels = group * self.per_group..(group + 1) * self.per_group;
        let unpacked: Vec<i32>;
        let source: &[i32] = match input.layout.packed {
            None => input.words(),
            Some(width) => {
                unpacked = unpack(cpu, input, width);
                &unpacked
            }
        };
        let in_stride = input.layout.stride;
        let taken = channels.clone().map(|c| &source[c * in_stride..][..in_stride]);
        let length = gather.surround(taken, surrounded);
        let out = at_least(rows, self.per_group * gather.taps() * gather.stride);
        for (i, out) in out.chunks_exact_mut(gather.stride).enumerate() {
            let (tap, channel) = (i / self.per_group, i % self.per_group);
            let padding = self.padding.get(channels.start + channel).copied().unwrap_or(0);
            gather.words(cpu, tap, &surrounded[channel * length..][..length], padding, out);
        }
    }
}

/// X of the sums that a declared accumulator keeps, in place; counts how many it changes.
pub fn write_back(
    cpu: Cpu,
    accumulator: Accumulator,
    op: &QuantizedWeighted,
    layout: &Layout,
    sums: &mut [i32],
    counted: &mut NodeActivity,
) {
    for (channel, row) in sums.chunks_exact_mut(layout.stride).enumerate() {
        for (t, step) in counted.steps.iter_mut().enumerate() {
            for sum in &mut row[layout.frame(t)] {
                let (stored, overflowed) = accumulator.write_back(i64::from(*sum));
                *sum = stored as i32;
                step.saturations += u32::from(overflowed);
            }
        }
        kernels::shift_and_bias(cpu, op.fraction_bits, word(op.bias[channel]), row);
    }
}

/// Runs `work` on tiles of the rows of `out`, in parallel where that is worth it: `work` is told the first
/// row of its tile.
pub fn in_tiles<T: Send>(macs: usize, stride: usize, out: &mut [T], work: impl Fn(usize, &mut [T]) + Sync) {
    let threads = rayon::current_num_threads().min(macs / WORK_OF_A_THREAD);
    if threads < 2 {
        return work(0, out);
    }
    // Smaller tiles than threads would need, so that a thread that starts late takes fewer.
    let rows = (out.len() / stride).div_ceil(4 * threads);
    let tiles = out.par_chunks_mut(rows * stride).enumerate();
    tiles.for_each(|(tile, out)| work(tile * rows, out));
}

/// Packed spikes as words.
fn unpack(cpu: Cpu, input: Value, width: usize) -> Vec<i32> {
    let stride = input.layout.stride;
    let mut words = vec![0; input.layout.shape.channels * stride];
    for (channel, out) in words.chunks_exact_mut(stride).enumerate() {
        let row = &input.bytes()[channel / width * stride..][..stride];
        kernels::unpack(cpu, row, (channel % width) as u32, out);
    }
    words
}

/// A bias or a padding: within the bounds that were proven to fit.
fn word(x: i64) -> i32 {
    i32::try_from(x).expect("within the proven 32-bit bound")
}

pub fn words(values: &[i64]) -> Vec<i32> {
    values.iter().map(|&x| word(x)).collect()
}

pub fn code(op: &QuantizedWeighted, out: usize, channel: usize, tap: usize) -> i32 {
    let g = &op.geometry;
    op.codes[(out * (g.in_channels / g.groups) + channel) * g.taps() + tap]
}

/// `[out][tap][channel]` of a group.
fn dense(op: &QuantizedWeighted, outs: Range<usize>) -> Vec<i32> {
    let g = &op.geometry;
    let per_group = g.in_channels / g.groups;
    let channels = |out: usize, tap: usize| (0..per_group).map(move |channel| code(op, out, channel, tap));
    outs.flat_map(|out| (0..g.taps()).flat_map(move |tap| channels(out, tap))).collect()
}

/// `None` if a weight takes more than 16 bits; `input` is the largest magnitude of an input.
fn product_kernel(op: &QuantizedWeighted, input: i64) -> Option<Kernel> {
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
    (0..g.groups).map(group).collect::<Option<Vec<_>>>().map(Kernel::Products)
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

fn word_kernel(op: &QuantizedWeighted) -> Kernel {
    let weights = dense(op, 0..op.geometry.out_channels);
    Kernel::Words { weights, shift: op.fraction_bits, bias: words(&op.bias) }
}
