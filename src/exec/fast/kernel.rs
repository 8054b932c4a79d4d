//! The trait of the kernels of weight layers: a file per kernel, chosen in `layer.rs`.

use std::fmt::Debug;

use super::source::{LayerInput, PackedRoom, WordRoom};
use super::threads::in_tiles;
use crate::exec::kernels::{self, Cpu};
use crate::exec::room::Room;
use crate::quant::QuantizedWeighted;

/// Counts and integer spikes up to this many bits are looked up bit by bit.
pub const MAX_PLANES: u32 = 5;
/// Bytes of X that stay in the second-level cache until what follows has read them.
const TILE_BYTES: usize = 1 << 19;

/// A weight layer that looks for a kernel.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The processor.
    pub cpu: Cpu,
    /// The weights, and what follows the sums.
    pub op: &'a QuantizedWeighted,
    /// The largest of inputs that are spikes or counts, without padding.
    pub largest_count: Option<u32>,
    /// What the padding holds, per input channel; empty for zeros.
    pub padding: &'a [i32],
    /// The largest magnitude of an input, or of the padding.
    pub largest_input: i64,
    /// True if inputs and padding fit 16 bits.
    pub narrow: bool,
}

impl Wanted<'_> {
    /// Bits of an input that is a spike or a count.
    pub fn planes(&self) -> Option<u32> {
        self.largest_count.map(|max| u32::BITS - max.leading_zeros())
    }

    /// True if the sums fit 32 bits.
    pub fn fits(&self) -> bool {
        self.op.accumulator_bits <= i32::BITS
    }
}

/// Weights as a kernel wants them. It computes any of its output channels, on any thread, once it has
/// prepared what it reads.
pub trait LayerKernel: Debug + Send + Sync {
    /// Bytes of its tables and weights.
    fn memory_bytes(&self) -> usize;

    /// Makes the tables that `budget_bytes` has room for; returns how many bytes of the budget remain.
    fn store_tables(&mut self, _cpu: Cpu, budget_bytes: usize) -> usize {
        budget_bytes
    }

    /// Lays out `input` in `scratch`.
    fn prepare(&self, input: LayerInput, scratch: &mut Scratch);

    /// X of the channels from `first` on, as many as `out` has rows of `gather.stride`, of an `input` that was
    /// prepared in `scratch`.
    fn channels(&self, input: LayerInput, scratch: &Scratch, first: usize, out: &mut [i32]);

    /// Multiply-accumulates of look-ups that take as long as an output.
    fn work_of_an_output(&self, cpu: Cpu) -> usize;

    /// Channels that are computed at once before what follows them reads rows of `stride`.
    fn channels_of_a_tile(&self, _cpu: Cpu, stride: usize) -> usize {
        TILE_BYTES / (size_of::<i32>() * stride)
    }

    /// X of all output channels: rows of `gather.stride` in `out`.
    fn run(&self, input: LayerInput, scratch: &Scratch, out: &mut [i32]) {
        let macs = self.work_of_an_output(input.cpu) * out.len();
        in_tiles(macs, input.gather.stride, out, |first, out| self.channels(input, scratch, first, out));
    }

    /// Adds the sums of all output channels to `out`, in 64 bits; `sums` is room for those of 32.
    fn add_wide(&self, input: LayerInput, scratch: &Scratch, sums: &mut Room<i32>, out: &mut [i64]) {
        let sums = sums.at_least(out.len());
        self.run(input, scratch, sums);
        kernels::add_wide(input.cpu, sums, out);
    }
}

/// Room for what a layer reads, as its kernel wants it; the next layer uses it again.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Rows of packed spikes.
    pub packed: PackedRoom,
    /// Rows of words.
    pub words: WordRoom,
    /// Bytes that are looked up.
    pub index: Room<u8>,
    /// Packs of values.
    pub packs: Room<i32>,
}
