//! Weight layers: which kernel multiplies, and what follows the sums.

use super::codes::{word, words};
use super::gather::Gather;
use super::grouped::GroupedLookup;
use super::kernel::{self, LayerKernel, Wanted};
use super::lookup::LookupLayer;
use super::products::ProductLayer;
use super::source::LayerInput;
use super::tiles::Ready;
use super::value::{Layout, Value, WIDE};
use super::words::WordLayer;
use crate::exec::activity::NodeActivity;
use crate::exec::kernels::{self, Cpu};
use crate::exec::room::Room;
use crate::model::{Kind, Node};
use crate::num::Accumulator;
use crate::quant::{QuantizedModel, QuantizedWeighted};

/// Yields a kernel if it holds what is wanted.
type Candidate = fn(&Wanted) -> Option<Box<dyn LayerKernel>>;

/// Kernels in the order in which they are asked whether they hold a layer: spikes and counts, those in groups, inputs and
/// weights of 16 bits, anything else.
const CANDIDATES: [Candidate; 4] = [
    spikes_or_counts,
    |wanted| boxed(GroupedLookup::new(wanted)),
    |wanted| boxed(ProductLayer::of_words(wanted)),
    |wanted| boxed(WordLayer::new(wanted)),
];

fn boxed(kernel: Option<impl LayerKernel + 'static>) -> Option<Box<dyn LayerKernel>> {
    kernel.map(|kernel| Box::new(kernel) as Box<dyn LayerKernel>)
}

/// Look-ups or products of bytes, whichever is faster of those that hold the layer.
fn spikes_or_counts(wanted: &Wanted) -> Option<Box<dyn LayerKernel>> {
    let bytes = || boxed(ProductLayer::of_bytes(wanted));
    // Tables of many bit planes are not even made.
    if wanted.planes()? > 2 {
        return bytes().or_else(|| boxed(LookupLayer::new(wanted)));
    }
    match LookupLayer::new(wanted) {
        Some(layer) if layer.beats_products() => boxed(Some(layer)),
        layer => bytes().or_else(|| boxed(layer)),
    }
}

/// A weight layer, ready to run.
#[derive(Debug)]
pub struct Layer {
    kernel: Box<dyn LayerKernel>,
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

/// Room for what a layer computes on the way.
#[derive(Debug, Default)]
pub struct Scratch {
    input: kernel::Scratch,
    sums: Room<i32>,
}

impl Layer {
    /// Takes the first kernel that holds what the layer reads and what its weights add up to; `wide` says that X
    /// takes 64 bits. `None` if no kernel holds the sums.
    pub fn new(
        cpu: Cpu,
        model: &QuantizedModel,
        node: &Node,
        op: &QuantizedWeighted,
        wide: bool,
    ) -> Option<Self> {
        let from = model.network().input_of(node, 0);
        let bound = model.bounds()[node.inputs[0].index()];
        let largest_padding = op.padding.iter().flatten().map(|x| x.abs()).max().unwrap_or(0);
        if wide && (op.accumulator.is_some() || bound.max(largest_padding) >= WIDE) {
            return None;
        }
        let wide = wide.then(|| WideBias { shift: op.fraction_bits, bias: op.bias.clone() });
        let declared = op.accumulator.is_some();
        // A declared accumulator is written back before anything follows the sum, and 64 bits follow 32.
        let sums;
        let op = if declared || wide.is_some() {
            let bias = vec![0; op.geometry.out_channels];
            sums = QuantizedWeighted { fraction_bits: 0, bias, ..op.clone() };
            &sums
        } else {
            op
        };
        let padding = op.padding.as_deref().map_or_else(Vec::new, words);
        let largest_count = from.kind.largest_count().filter(|_| padding.is_empty());
        // Only a grid goes down to -2^15; its bound does not say on which side.
        let narrow = bound < 1 << 15 || matches!(from.kind, Kind::Grid(_)) && bound == 1 << 15;
        let narrow = narrow && padding.iter().all(|&x| i16::try_from(x).is_ok());
        let largest_input = bound.max(largest_padding);
        let wanted = Wanted { cpu, op, largest_count, padding: &padding, largest_input, narrow };
        let kernel = CANDIDATES.iter().find_map(|candidate| candidate(&wanted))?;
        Some(Self { kernel, declared, wide })
    }

    /// Bytes of its tables and weights.
    pub fn weight_bytes(&self) -> usize {
        self.kernel.memory_bytes()
    }

    /// Makes the tables that `budget_bytes` has room for; returns how many bytes of the budget remain.
    pub fn store_tables(&mut self, cpu: Cpu, budget_bytes: usize) -> usize {
        self.kernel.store_tables(cpu, budget_bytes)
    }

    /// True if what follows can take X a few channels at a time.
    pub fn is_tiled(&self) -> bool {
        !self.declared && self.wide.is_none()
    }

    /// The layer with what it reads of `value`.
    pub fn ready<'r>(
        &'r self,
        cpu: Cpu,
        gather: &'r Gather,
        value: Value<'r>,
        scratch: &'r mut Scratch,
    ) -> Ready<'r> {
        let input = LayerInput { cpu, gather, value };
        self.kernel.prepare(input, &mut scratch.input);
        Ready { kernel: &*self.kernel, input, scratch: &scratch.input }
    }

    /// X of all output channels, in 64 bits.
    pub fn run_wide(&self, cpu: Cpu, gather: &Gather, value: Value, scratch: &mut Scratch, out: &mut [i64]) {
        out.fill(0);
        let input = LayerInput { cpu, gather, value };
        self.kernel.prepare(input, &mut scratch.input);
        self.kernel.add_wide(input, &scratch.input, &mut scratch.sums, out);
        if let Some(WideBias { shift, bias }) = &self.wide {
            let rows = out.chunks_exact_mut(gather.stride).zip(bias);
            rows.for_each(|(x, &bias)| kernels::shift_and_bias_wide(cpu, *shift, bias, x));
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
