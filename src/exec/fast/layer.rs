//! Weight layers: which kernel multiplies, and what it reads.

use rayon::prelude::*;

use super::gather::Gather;
use super::lookup::{IndexScratch, LookupLayer};
use super::value::{Layout, Value, at_least};
use crate::exec::activity::NodeActivity;
use crate::exec::kernels::{self, Cpu, ProductMatrix};
use crate::model::{Kind, Node};
use crate::num::Accumulator;
use crate::quant::{QuantizedModel, QuantizedWeighted};

/// Counts and integer spikes up to this many bits are looked up bit by bit; wider ones are multiplied.
const MAX_PLANES: u32 = 5;
/// Multiply-accumulates that are worth a thread: some 50 microseconds of look-ups.
pub const WORK_OF_A_THREAD: usize = 1 << 26;

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
}

/// One matrix per group of the convolution.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
enum Kernel {
    /// Spikes, or bit planes of small counts.
    Lookup(LookupLayer),
    /// Inputs and weights of 16 bits.
    Products(Vec<ProductMatrix>),
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
}

impl Layer {
    /// Chooses the kernel by what the layer reads and by what its weights add up to.
    pub fn new(cpu: Cpu, model: &QuantizedModel, node: &Node, op: &QuantizedWeighted) -> Self {
        let from = model.network.input_of(node, 0);
        let g = &op.geometry;
        // A declared accumulator is written back before anything follows the sum.
        let sums;
        let op = match op.accumulator {
            Some(_) => {
                sums = QuantizedWeighted { fraction_bits: 0, bias: vec![0; g.out_channels], ..op.clone() };
                &sums
            }
            None => op,
        };
        let padding: Vec<i32> = op.padding.iter().flatten().map(|&x| word(x)).collect();
        let bound = model.bounds[node.inputs[0].index()];
        let lookup = match from.kind.largest_count() {
            Some(max) if max < 1 << MAX_PLANES && padding.is_empty() => {
                LookupLayer::new(cpu, op, u32::BITS - max.leading_zeros())
            }
            _ => None,
        };
        // Only a grid goes down to -2^15; its bound does not say on which side.
        let narrow = bound < 1 << 15 || matches!(from.kind, Kind::Grid(_)) && bound == 1 << 15;
        let narrow = narrow && padding.iter().all(|&x| i16::try_from(x).is_ok());
        let kernel = match lookup {
            Some(layer) => Kernel::Lookup(layer),
            None if narrow => product_kernel(op).unwrap_or_else(|| word_kernel(op)),
            None => word_kernel(op),
        };
        let declared = op.accumulator.is_some();
        Self { kernel, groups: g.groups, per_group: g.in_channels / g.groups, padding, declared }
    }

    /// Bytes of its tables and weights.
    pub fn weight_bytes(&self) -> usize {
        match &self.kernel {
            Kernel::Lookup(layer) => layer.memory_bytes(),
            Kernel::Products(matrices) => matrices.iter().map(|m| 4 * m.pairs * m.outs).sum(),
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
            Kernel::Lookup(layer) if layer.is_tiled() && !self.declared => Some(layer),
            _ => None,
        }
    }

    /// X of all output channels: rows of `gather.stride` in `out`.
    pub fn run(&self, cpu: Cpu, gather: &Gather, input: Value, scratch: &mut Scratch, out: &mut [i32]) {
        match &self.kernel {
            Kernel::Lookup(layer) => layer.run(cpu, gather, input, &mut scratch.lookup, out),
            Kernel::Products(matrices) => self.run_products(cpu, gather, input, matrices, scratch, out),
            Kernel::Words { weights, shift, bias } => {
                self.run_words(cpu, gather, input, weights, *shift, bias, scratch, out)
            }
        }
    }

    fn run_products(
        &self,
        cpu: Cpu,
        gather: &Gather,
        input: Value,
        matrices: &[ProductMatrix],
        scratch: &mut Scratch,
        out: &mut [i32],
    ) {
        let stride = gather.stride;
        let outs = out.len() / stride / self.groups;
        for (group, (matrix, out)) in matrices.iter().zip(out.chunks_exact_mut(outs * stride)).enumerate() {
            self.gather_words(cpu, gather, input, group, &mut scratch.surrounded_words, &mut scratch.rows);
            let pairs = at_least(&mut scratch.pairs, 2 * matrix.pairs * stride);
            let rows = &scratch.rows;
            let count = self.per_group * gather.taps();
            for (i, pairs) in pairs.chunks_exact_mut(2 * stride).enumerate() {
                // The second of an odd last pair is met by a weight of 0.
                let second = (2 * i + 1).min(count - 1);
                let (a, b) = (&rows[2 * i * stride..][..stride], &rows[second * stride..][..stride]);
                kernels::interleave(cpu, a, b, pairs);
            }
            let work = count * out.len();
            in_tiles(work, stride, out, |first, out| {
                kernels::products(cpu, matrix, first, pairs, stride, out);
            });
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn run_words(
        &self,
        cpu: Cpu,
        gather: &Gather,
        input: Value,
        weights: &[i32],
        shift: u32,
        bias: &[i32],
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
pub fn in_tiles(macs: usize, stride: usize, out: &mut [i32], work: impl Fn(usize, &mut [i32]) + Sync) {
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
fn dense(op: &QuantizedWeighted, outs: std::ops::Range<usize>) -> Vec<i32> {
    let g = &op.geometry;
    let per_group = g.in_channels / g.groups;
    let channels = |out: usize, tap: usize| (0..per_group).map(move |channel| code(op, out, channel, tap));
    outs.flat_map(|out| (0..g.taps()).flat_map(move |tap| channels(out, tap))).collect()
}

fn product_kernel(op: &QuantizedWeighted) -> Option<Kernel> {
    let g = &op.geometry;
    let outs = g.out_channels / g.groups;
    let matrix = |group: usize| {
        let range = group * outs..(group + 1) * outs;
        let bias = words(&op.bias[range.clone()]);
        ProductMatrix::new(&dense(op, range), g.fan_in(), op.fraction_bits, &bias)
    };
    (0..g.groups).map(matrix).collect::<Option<Vec<_>>>().map(Kernel::Products)
}

fn word_kernel(op: &QuantizedWeighted) -> Kernel {
    let weights = dense(op, 0..op.geometry.out_channels);
    Kernel::Words { weights, shift: op.fraction_bits, bias: words(&op.bias) }
}
