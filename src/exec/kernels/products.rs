//! Weighted sums of multi-bit inputs, several products at a time, in 32 bits.

use super::tables::LANES;

/// What 32 bits hold of inputs, and of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Operand {
    /// Two of 16 bits, with their signs.
    #[default]
    Words,
    /// Four of 8 bits: inputs of `0..=largest`, weights with their signs.
    Bytes {
        /// The largest input.
        largest: u8,
    },
}

impl Operand {
    /// Inputs, or weights, in 32 bits.
    pub fn in_a_pack(self) -> usize {
        match self {
            Self::Words => 2,
            Self::Bytes { .. } => 4,
        }
    }

    /// `values` side by side, the first in the lowest bits; those that are missing are 0.
    fn pack(self, values: &[i32]) -> i32 {
        let bits = 32 / self.in_a_pack();
        let lowest = u32::MAX >> (32 - bits);
        let each = values.iter().enumerate();
        each.fold(0, |pack, (i, &value)| pack | (value as u32 & lowest) << (i * bits)) as i32
    }
}

/// The weights of one matrix product on multi-bit inputs, and what follows the sum.
#[derive(Debug, Default)]
pub struct ProductMatrix {
    /// What a pack holds.
    pub operand: Operand,
    /// Packs of inputs.
    pub packs: usize,
    /// Output channels.
    pub outs: usize,
    /// `[out][pack]`.
    weights: Vec<i32>,
    /// Packs of bytes whose sums of two products each fit 16 bits, whatever the inputs.
    pub(super) packs_of_a_run: usize,
    /// X = (acc << shift) + bias.
    pub(super) shift: u32,
    pub(super) bias: Vec<i32>,
}

impl ProductMatrix {
    /// `codes[out][input]`; X = (acc << shift) + bias. `None` if a weight does not fit its part of a pack, or is one
    /// whose sum of two products could exceed twice as many bits.
    pub fn new(operand: Operand, codes: &[i32], inputs: usize, shift: u32, bias: &[i32]) -> Option<Self> {
        let mut matrix = Self { operand, shift, ..Self::default() };
        matrix.assign(codes, inputs).then_some(())?;
        matrix.bias.copy_from_slice(bias);
        Some(matrix)
    }

    /// Takes other weights, and no bias; false if they do not fit.
    pub(crate) fn assign(&mut self, codes: &[i32], inputs: usize) -> bool {
        let (operand, count) = (self.operand, self.operand.in_a_pack());
        self.weights.clear();
        let packs = codes.chunks_exact(inputs).flat_map(|channel| channel.chunks(count));
        self.weights.extend(packs.map(|codes| operand.pack(codes)));
        (self.packs, self.outs) = (inputs.div_ceil(count), codes.len() / inputs);
        self.bias.clear();
        self.bias.resize(self.outs, 0);
        match operand {
            Operand::Words => codes.iter().all(|w| w.unsigned_abs() < 1 << 15),
            Operand::Bytes { largest } => {
                let pairs = codes.chunks_exact(inputs).flat_map(|channel| channel.chunks(2));
                let of_a_pair = |pair: &[i32]| pair.iter().map(|w| u64::from(w.unsigned_abs())).sum::<u64>();
                let most = pairs.map(of_a_pair).max().unwrap_or(0) * u64::from(largest);
                self.packs_of_a_run = (i16::MAX as usize).checked_div(most as usize).unwrap_or(self.packs);
                self.packs_of_a_run > 0 && codes.iter().all(|w| w.unsigned_abs() < 1 << 7)
            }
        }
    }

    /// Packs of weights of one output channel.
    pub(super) fn weights_of(&self, channel: usize) -> &[i32] {
        &self.weights[channel * self.packs..][..self.packs]
    }

    /// Bytes of its weights.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.weights)
    }
}

/// Up to four channels of a matrix, from one on, at a few positions: reads packs from those positions on, and writes
/// rows of a stride.
///
/// # Safety
/// The processor has the instructions; packs and rows hold those positions of as many channels as the block has.
pub(super) type ProductBlock = unsafe fn(&ProductMatrix, usize, *const i32, usize, &mut [i32]);

/// The blocks of one to four channels that an instruction set has as `product_block::<CHANNELS, BYTES>`, for the
/// operands of a matrix.
macro_rules! product_blocks {
    ($matrix:expr) => {
        match $matrix.operand {
            crate::exec::kernels::Operand::Words => [
                product_block::<1, false>,
                product_block::<2, false>,
                product_block::<3, false>,
                product_block::<4, false>,
            ],
            crate::exec::kernels::Operand::Bytes { .. } => [
                product_block::<1, true>,
                product_block::<2, true>,
                product_block::<3, true>,
                product_block::<4, true>,
            ],
        }
    };
}
pub(super) use product_blocks;

/// X of the channels from `first` on, by `blocks` of one to four channels at so many `positions`.
///
/// # Safety
/// As for [`super::instructions::InstructionSet::products`]; [`LANES`] is a multiple of `positions`, and so many are
/// those of `blocks`.
pub(super) unsafe fn each_block(
    positions: usize,
    blocks: [ProductBlock; 4],
    matrix: &ProductMatrix,
    first: usize,
    packs: Packs,
    stride: usize,
    out: &mut [i32],
) {
    for from in (0..stride).step_by(positions) {
        for (i, out) in out.chunks_mut(4 * stride).enumerate() {
            let (block, at) = (blocks[out.len() / stride - 1], packs.columns(from).as_ptr());
            // SAFETY: passed on; as many channels as there are rows.
            unsafe { block(matrix, first + 4 * i, at, stride, &mut out[from..]) };
        }
    }
}

/// Inputs side by side in words of 32 bits, `[block][pack][column]`: blocks of [`LANES`] columns.
#[derive(Debug, Clone, Copy)]
pub struct Packs<'a> {
    /// All values.
    pub values: &'a [i32],
    /// Packs of a block.
    pub rows: usize,
    /// The first of the packs that are multiplied.
    pub start: usize,
}

impl<'a> Packs<'a> {
    /// What is multiplied at the columns from `from` on, which are part of one block.
    pub(super) fn columns(&self, from: usize) -> &'a [i32] {
        let block = from / LANES * LANES;
        &self.values[block * self.rows + LANES * self.start + (from - block)..]
    }
}
