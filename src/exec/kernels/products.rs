//! Weighted sums of multi-bit inputs, two 16-bit products at a time, in 32 bits.

use super::tables::LANES;

/// The weights of one matrix product on 16-bit inputs, and what follows the sum.
#[derive(Debug, Default)]
pub struct ProductMatrix {
    /// Pairs of inputs.
    pub pairs: usize,
    /// Output channels.
    pub outs: usize,
    /// `[out][pair]`: two 16-bit weights, the first in the low half.
    weights: Vec<i32>,
    /// X = (acc << shift) + bias.
    pub(super) shift: u32,
    pub(super) bias: Vec<i32>,
}

impl ProductMatrix {
    /// `codes[out][input]`; X = (acc << shift) + bias. `None` if a weight does not fit 16 bits, or is the
    /// one whose pair of products could exceed 32.
    pub fn new(codes: &[i32], inputs: usize, shift: u32, bias: &[i32]) -> Option<Self> {
        let mut matrix = Self { shift, ..Self::default() };
        matrix.assign(codes, inputs).then_some(())?;
        matrix.bias.copy_from_slice(bias);
        Some(matrix)
    }

    /// Takes other weights, and no bias; false if they do not fit.
    pub(crate) fn assign(&mut self, codes: &[i32], inputs: usize) -> bool {
        let pair = |pair: &[i32]| (pair[0] & 0xffff) | pair.get(1).copied().unwrap_or(0) << 16;
        self.weights.clear();
        self.weights.extend(codes.chunks_exact(inputs).flat_map(|channel| channel.chunks(2).map(pair)));
        (self.pairs, self.outs) = (inputs.div_ceil(2), codes.len() / inputs);
        self.bias.clear();
        self.bias.resize(self.outs, 0);
        codes.iter().all(|w| w.unsigned_abs() < 1 << 15)
    }

    /// Pairs of weights of one output channel.
    pub(super) fn weights_of(&self, channel: usize) -> &[i32] {
        &self.weights[channel * self.pairs..][..self.pairs]
    }
}

/// Inputs two by two, `[block][pair][column][2]`: blocks of [`LANES`] columns.
#[derive(Debug, Clone, Copy)]
pub struct Pairs<'a> {
    /// All values.
    pub values: &'a [i16],
    /// Pairs of a block.
    pub rows: usize,
    /// The first of the pairs that are multiplied.
    pub start: usize,
}

impl<'a> Pairs<'a> {
    /// What is multiplied at the block of columns from `from` on.
    pub(super) fn block(&self, from: usize) -> &'a [i16] {
        &self.values[2 * (from * self.rows + LANES * self.start)..]
    }
}
