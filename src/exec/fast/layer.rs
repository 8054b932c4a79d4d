//! Weight layers: which kernel multiplies, and what it reads.

use std::ops::Range;

use super::gather::Gather;
use super::grouped::GroupedLookup;
use super::lookup::{IndexRoom, LookupLayer, PackedRoom, PackedSource};
use super::products::{PairRoom, ProductLayer};
use super::tiles::{Ready, ReadyKernel};
use super::value::{Layout, Value, WIDE, at_least};
use super::words::{Source, SourceRoom, WordLayer};
use crate::exec::activity::NodeActivity;
use crate::exec::kernels::{self, Cpu};
use crate::model::{Kind, Node};
use crate::num::Accumulator;
use crate::quant::{QuantizedModel, QuantizedWeighted};

/// Counts and integer spikes up to this many bits are looked up bit by bit; wider ones are multiplied.
const MAX_PLANES: u32 = 5;

/// A weight layer, ready to run.
#[derive(Debug)]
pub struct Layer {
    kernel: Kernel,
    /// Bits of an input that is looked up.
    planes: u32,
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

#[derive(Debug)]
enum Kernel {
    /// Spikes, or bit planes of small counts.
    Lookup(LookupLayer),
    /// The same, in groups.
    Grouped(GroupedLookup),
    /// Inputs and weights of 16 bits.
    Products(ProductLayer),
    /// Anything else.
    Words(WordLayer),
}

/// Room for what a layer computes on the way.
#[derive(Debug, Default)]
pub struct Scratch {
    packed: PackedRoom,
    index: IndexRoom,
    words: SourceRoom,
    pairs: PairRoom,
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
        let planes = match from.kind.largest_count() {
            Some(max) if max < 1 << MAX_PLANES && padding.is_empty() => u32::BITS - max.leading_zeros(),
            _ => 0,
        };
        // Only a grid goes down to -2^15; its bound does not say on which side.
        let narrow = bound < 1 << 15 || matches!(from.kind, Kind::Grid(_)) && bound == 1 << 15;
        let narrow = narrow && padding.iter().all(|&x| i16::try_from(x).is_ok());
        let fits = op.accumulator_bits <= i32::BITS;
        // One input per output: nothing is shared that pairs could keep.
        let depthwise = fits && g.groups == g.in_channels && g.groups == g.out_channels;
        let looked_up = (planes > 0 && fits).then(|| lookup_kernel(cpu, op, planes)).flatten();
        let kernel = looked_up.or_else(|| {
            let products = (narrow && !depthwise).then(|| ProductLayer::new(op, bound.max(largest_padding)));
            let words = || fits.then(|| Kernel::Words(WordLayer::new(op)));
            products.flatten().map(Kernel::Products).or_else(words)
        })?;
        let declared = op.accumulator.is_some();
        Some(Self { kernel, planes, padding, declared, wide })
    }

    /// Bytes of its tables and weights.
    pub fn weight_bytes(&self) -> usize {
        match &self.kernel {
            Kernel::Lookup(layer) => layer.memory_bytes(),
            Kernel::Grouped(layer) => layer.memory_bytes(),
            Kernel::Products(layer) => layer.weight_bytes(),
            Kernel::Words(layer) => layer.weight_bytes(),
        }
    }

    /// Makes the tables that `budget_bytes` has room for; returns what is left of it.
    pub fn store_tables(&mut self, cpu: Cpu, budget_bytes: usize) -> usize {
        match &mut self.kernel {
            Kernel::Lookup(layer) => layer.store_tables(cpu, budget_bytes),
            Kernel::Grouped(layer) => layer.store_tables(cpu, budget_bytes),
            Kernel::Products(_) | Kernel::Words(_) => budget_bytes,
        }
    }

    /// True if what follows can take X a few channels at a time.
    pub fn is_tiled(&self) -> bool {
        !self.declared && self.wide.is_none()
    }

    /// The layer with what it reads of `input`.
    pub fn ready<'r>(
        &'r self,
        cpu: Cpu,
        gather: &'r Gather,
        input: Value<'r>,
        scratch: &'r mut Scratch,
    ) -> Ready<'r> {
        let Scratch { packed, index, words, pairs, .. } = scratch;
        let source = |room| PackedSource::new(cpu, gather, input, self.planes, room);
        let kernel = match &self.kernel {
            Kernel::Lookup(layer) => {
                ReadyKernel::Lookup(layer, layer.index(cpu, gather, source(packed), index))
            }
            Kernel::Grouped(layer) => ReadyKernel::Grouped(layer, source(packed)),
            Kernel::Products(layer) => {
                let source = Source::new(cpu, gather, input, &self.padding, words);
                ReadyKernel::Products(layer, layer.pairs(cpu, gather, &source, pairs))
            }
            Kernel::Words(layer) => {
                let source = match layer.padded(gather) {
                    Some(_) => Source::plain(cpu, input, &self.padding, &mut words.unpacked),
                    None => Source::new(cpu, gather, input, &self.padding, words),
                };
                ReadyKernel::Words(layer, source)
            }
        };
        Ready { cpu, gather, kernel }
    }

    /// X of all output channels, in 64 bits.
    pub fn run_wide(&self, cpu: Cpu, gather: &Gather, input: Value, scratch: &mut Scratch, out: &mut [i64]) {
        out.fill(0);
        let mut sums = std::mem::take(&mut scratch.sums);
        match self.ready(cpu, gather, input, scratch) {
            Ready { kernel: ReadyKernel::Products(layer, pairs), .. } => {
                layer.add_wide(cpu, pairs, gather.stride, out);
            }
            ready => {
                ready.run(at_least(&mut sums, out.len()));
                kernels::add_wide(cpu, &sums, out);
            }
        }
        scratch.sums = sums;
        if let Some(WideBias { shift, bias }) = &self.wide {
            let rows = out.chunks_exact_mut(gather.stride).zip(bias);
            rows.for_each(|(x, &bias)| kernels::shift_and_bias_wide(cpu, *shift, bias, x));
        }
    }
}

fn lookup_kernel(cpu: Cpu, op: &QuantizedWeighted, planes: u32) -> Option<Kernel> {
    match op.geometry.groups {
        1 => LookupLayer::new(cpu, op, planes).map(Kernel::Lookup),
        _ => GroupedLookup::new(cpu, op, planes).map(Kernel::Grouped),
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
pub fn dense(op: &QuantizedWeighted, outs: Range<usize>) -> Vec<i32> {
    let g = &op.geometry;
    let per_group = g.in_channels / g.groups;
    let channels = |out: usize, tap: usize| (0..per_group).map(move |channel| code(op, out, channel, tap));
    outs.flat_map(|out| (0..g.taps()).flat_map(move |tap| channels(out, tap))).collect()
}
