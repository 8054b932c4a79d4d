//! Weight layers: which kernel multiplies, and what it reads.

use rayon::prelude::*;

use super::gather::Gather;
use super::value::{Value, at_least};
use crate::exec::kernels::{self, Cpu, LookupMatrix, ProductMatrix};
use crate::model::{Kind, Node};
use crate::quant::{QuantizedModel, QuantizedWeighted};

/// Counts and integer spikes up to this many bits are looked up bit by bit; wider ones are multiplied.
const MAX_PLANES: u32 = 5;
/// Multiply-accumulates that are worth a thread.
const WORK_OF_A_THREAD: usize = 1 << 22;

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
}

/// One matrix per group of the convolution.
#[derive(Debug)]
enum Kernel {
    /// Spikes, or bit planes of small counts.
    Lookup { planes: u32, rows: Vec<Vec<IndexRow>>, matrices: Vec<LookupMatrix> },
    /// Inputs and weights of 16 bits.
    Products(Vec<ProductMatrix>),
    /// Anything else: `[out][tap][in]`.
    Words { weights: Vec<i32>, shift: u32, bias: Vec<i32> },
}

/// What the bits of one byte of an index are.
#[derive(Debug, Clone)]
enum IndexRow {
    /// A byte of packed spikes at one tap.
    Byte { row: usize, tap: usize },
    /// Bits of rows of packed spikes, each at its own tap.
    Bits(Vec<BitSource>),
}

#[derive(Debug, Clone, Copy)]
struct BitSource {
    row: usize,
    bit: u32,
    tap: usize,
}

/// One input of a matrix: a channel of a group, a tap, and the bit of the value.
#[derive(Debug, Clone, Copy)]
struct Input {
    channel: usize,
    tap: usize,
    plane: u32,
}

/// Room for what a layer computes on the way.
#[derive(Debug, Default)]
pub struct Scratch {
    packed: Vec<u8>,
    surrounded: Vec<u8>,
    row: Vec<u8>,
    index: Vec<u8>,
    surrounded_words: Vec<i32>,
    rows: Vec<i32>,
    pairs: Vec<i16>,
}

impl Layer {
    /// Chooses the kernel by what the layer reads and by what its weights add up to.
    pub fn new(cpu: Cpu, model: &QuantizedModel, node: &Node, op: &QuantizedWeighted) -> Self {
        let from = model.network.input_of(node, 0);
        let g = &op.geometry;
        let padding: Vec<i32> = op.padding.iter().flatten().map(|&x| word(x)).collect();
        let bound = model.bounds[node.inputs[0].index()];
        let lookup = match from.kind.largest_count() {
            Some(max) if max < 1 << MAX_PLANES && padding.is_empty() => {
                lookup_kernel(cpu, op, u32::BITS - max.leading_zeros())
            }
            _ => None,
        };
        // Only a grid goes down to -2^15; its bound does not say on which side.
        let narrow = bound < 1 << 15 || matches!(from.kind, Kind::Grid(_)) && bound == 1 << 15;
        let narrow = narrow && padding.iter().all(|&x| i16::try_from(x).is_ok());
        let kernel = match lookup {
            Some(kernel) => kernel,
            None if narrow => product_kernel(op).unwrap_or_else(|| word_kernel(op)),
            None => word_kernel(op),
        };
        Self { kernel, groups: g.groups, per_group: g.in_channels / g.groups, padding }
    }

    /// Bytes of its tables and weights.
    pub fn weight_bytes(&self) -> usize {
        match &self.kernel {
            Kernel::Lookup { matrices, .. } => matrices.iter().map(LookupMatrix::memory_bytes).sum(),
            Kernel::Products(matrices) => matrices.iter().map(|m| 4 * m.pairs * m.outs).sum(),
            Kernel::Words { weights, .. } => 4 * weights.len(),
        }
    }

    /// X of all output channels: rows of `gather.stride` in `out`.
    pub fn run(&self, cpu: Cpu, gather: &Gather, input: Value, scratch: &mut Scratch, out: &mut [i32]) {
        match &self.kernel {
            Kernel::Lookup { planes, rows, matrices } => {
                self.run_lookup(cpu, gather, input, *planes, rows, matrices, scratch, out)
            }
            Kernel::Products(matrices) => self.run_products(cpu, gather, input, matrices, scratch, out),
            Kernel::Words { weights, shift, bias } => {
                self.run_words(cpu, gather, input, weights, *shift, bias, scratch, out)
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn run_lookup(
        &self,
        cpu: Cpu,
        gather: &Gather,
        input: Value,
        planes: u32,
        rows: &[Vec<IndexRow>],
        matrices: &[LookupMatrix],
        scratch: &mut Scratch,
        out: &mut [i32],
    ) {
        let packed = match input.layout.packed {
            Some(_) => input.bytes(),
            None => pack(cpu, input, planes, &mut scratch.packed),
        };
        let in_stride = input.layout.stride;
        if gather.identity && self.groups == 1 {
            return multiply_lookup(cpu, &matrices[0], packed, in_stride, out);
        }
        let length = gather.surround(packed.chunks_exact(in_stride), &mut scratch.surrounded);
        let outs = out.len() / gather.stride / self.groups;
        for ((rows, matrix), out) in rows.iter().zip(matrices).zip(out.chunks_exact_mut(outs * gather.stride))
        {
            let index = at_least(&mut scratch.index, rows.len() * gather.stride);
            for (row, index) in rows.iter().zip(index.chunks_exact_mut(gather.stride)) {
                row.write(cpu, gather, &scratch.surrounded, length, &mut scratch.row, index);
            }
            multiply_lookup(cpu, matrix, index, gather.stride, out);
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

impl IndexRow {
    fn write(
        &self,
        cpu: Cpu,
        gather: &Gather,
        source: &[u8],
        length: usize,
        room: &mut Vec<u8>,
        out: &mut [u8],
    ) {
        match self {
            Self::Byte { row, tap } => gather.bytes(cpu, *tap, &source[row * length..][..length], out),
            Self::Bits(bits) => {
                let room = at_least(room, out.len());
                out.fill(0);
                for (to, from) in bits.iter().enumerate() {
                    gather.bytes(cpu, from.tap, &source[from.row * length..][..length], room);
                    kernels::move_bit(cpu, room, from.bit, to as u32, out);
                }
            }
        }
    }
}

/// Runs `work` on tiles of the rows of `out`, in parallel where that is worth it: `work` is told the first
/// row of its tile.
fn in_tiles(macs: usize, stride: usize, out: &mut [i32], work: impl Fn(usize, &mut [i32]) + Sync) {
    let threads = rayon::current_num_threads().min(macs / WORK_OF_A_THREAD);
    if threads < 2 {
        return work(0, out);
    }
    // Smaller tiles than threads would need, so that a thread that starts late takes fewer.
    let rows = (out.len() / stride).div_ceil(4 * threads);
    let tiles = out.par_chunks_mut(rows * stride).enumerate();
    tiles.for_each(|(tile, out)| work(tile * rows, out));
}

fn multiply_lookup(cpu: Cpu, matrix: &LookupMatrix, index: &[u8], stride: usize, out: &mut [i32]) {
    let macs = matrix.rows * cpu.inputs_per_table() * out.len();
    in_tiles(macs, stride, out, |first, out| kernels::lookup(cpu, matrix, first, index, stride, out));
}

/// Bit planes of counts: `[plane][row of packed channels]`.
fn pack<'a>(cpu: Cpu, input: Value, planes: u32, room: &'a mut Vec<u8>) -> &'a [u8] {
    let (width, stride) = (cpu.inputs_per_table(), input.layout.stride);
    let channels = input.layout.shape.channels;
    let rows = channels.div_ceil(width);
    let packed = at_least(room, planes as usize * rows * stride);
    packed.fill(0);
    for (plane, packed) in packed.chunks_exact_mut(rows * stride).enumerate() {
        for (channel, x) in input.words().chunks_exact(stride).enumerate() {
            let row = &mut packed[channel / width * stride..][..stride];
            kernels::pack_bit(cpu, x, plane as u32, (channel % width) as u32, row);
        }
    }
    packed
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

fn words(values: &[i64]) -> Vec<i32> {
    values.iter().map(|&x| word(x)).collect()
}

fn code(op: &QuantizedWeighted, out: usize, channel: usize, tap: usize) -> i32 {
    let g = &op.geometry;
    op.codes[(out * (g.in_channels / g.groups) + channel) * g.taps() + tap]
}

/// Tables over the inputs of each group; `None` where a partial sum does not fit 16 bits.
fn lookup_kernel(cpu: Cpu, op: &QuantizedWeighted, planes: u32) -> Option<Kernel> {
    let g = &op.geometry;
    let width = cpu.inputs_per_table();
    let (outs, per_group) = (g.out_channels / g.groups, g.in_channels / g.groups);
    let packed_rows = g.in_channels.div_ceil(width);
    let (mut rows, mut matrices) = (Vec::new(), Vec::new());
    for group in 0..g.groups {
        let inputs = inputs_of(g.groups, per_group, g.taps(), planes, width);
        let mut codes = Vec::with_capacity(outs * inputs.len());
        for out in group * outs..(group + 1) * outs {
            codes.extend(
                inputs.iter().map(|input| input.map_or(0, |i| code(op, out, i.channel, i.tap) << i.plane)),
            );
        }
        let bias = words(&op.bias[group * outs..][..outs]);
        matrices.push(LookupMatrix::new(cpu, &codes, inputs.len(), op.fraction_bits, &bias)?);
        let source = |input: &Input| {
            let channel = group * per_group + input.channel;
            let row = input.plane as usize * packed_rows + channel / width;
            BitSource { row, bit: (channel % width) as u32, tap: input.tap }
        };
        rows.push(inputs.chunks(width).map(|byte| index_row(byte, g.groups == 1, source)).collect());
    }
    Some(Kernel::Lookup { planes, rows, matrices })
}

/// The inputs of a group in the order of the bits of its index; `None` for a bit that nothing sets.
///
/// One group reads bytes of packed spikes as they are, tap by tap; several fill bytes with all inputs of
/// a group, few as they may be.
fn inputs_of(groups: usize, per_group: usize, taps: usize, planes: u32, width: usize) -> Vec<Option<Input>> {
    let all = (0..planes).flat_map(|plane| (0..taps).map(move |tap| (plane, tap)));
    let channels = if groups == 1 { per_group.next_multiple_of(width) } else { per_group };
    let inputs = all.flat_map(|(plane, tap)| (0..channels).map(move |channel| Input { channel, tap, plane }));
    inputs.map(|input| (input.channel < per_group).then_some(input)).collect()
}

fn index_row(byte: &[Option<Input>], whole: bool, source: impl Fn(&Input) -> BitSource) -> IndexRow {
    let bits: Vec<BitSource> = byte.iter().flatten().map(source).collect();
    match whole {
        true => IndexRow::Byte { row: bits[0].row, tap: bits[0].tap },
        false => IndexRow::Bits(bits),
    }
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
