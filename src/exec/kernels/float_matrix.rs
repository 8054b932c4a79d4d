//! Weights of products of the float reference.

use rayon::prelude::*;

use crate::exec::room::Room;

/// Output channels of the widest panel of any instruction set.
pub const WIDEST: usize = 128;
/// The last panel is as wide as its output channels need, in vectors of so many.
const VECTOR: usize = 16;
/// Weights that are worth a thread.
const WEIGHTS_OF_A_THREAD: usize = 1 << 16;

/// The weights and biases of a product, `[panel][row][output channel]`.
#[derive(Debug, Default)]
pub struct FloatMatrix {
    outs: usize,
    rows: usize,
    /// Output channels of a panel, whose sums stay in registers.
    panel: usize,
    weights: Room<f32>,
    /// Per output channel, with those that fill the last panel.
    bias: Vec<f32>,
}

/// Some output channels of a product.
#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    /// First of the output channels.
    pub first: usize,
    /// Number of output channels.
    pub outs: usize,
    /// Output channels, with zeros that fill a vector.
    pub width: usize,
    /// `[row][width]`.
    pub weights: &'a [f32],
    /// Per output channel.
    pub bias: &'a [f32],
}

impl FloatMatrix {
    /// A matrix of as many outputs as biases, in panels of `panel` of them; `weights_of` yields, of a row, the weights of
    /// outputs.
    pub fn new<W: Fn(usize) -> f32>(
        panel: usize,
        rows: usize,
        bias: &[f32],
        weights_of: impl Fn(usize) -> W + Sync,
    ) -> Self {
        let outs = bias.len();
        let mut padded = bias.to_vec();
        padded.resize(outs.next_multiple_of(VECTOR), 0.0);
        let mut weights = Room::default();
        let panels = weights.at_least(rows * padded.len()).par_chunks_mut((rows * panel).max(1)).enumerate();
        panels.with_min_len(WEIGHTS_OF_A_THREAD.div_ceil(rows * panel + 1)).for_each(|(i, weights)| {
            let (first, width) = (i * panel, weights.len() / rows);
            for (row, line) in weights.chunks_exact_mut(width).enumerate() {
                let weight = weights_of(row);
                line.iter_mut().zip(first..outs).for_each(|(line, out)| *line = weight(out));
            }
        });
        Self { outs, rows, panel, weights, bias: padded }
    }

    /// Output channels.
    pub fn outs(&self) -> usize {
        self.outs
    }

    /// Inputs of an output.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// All panels.
    pub(super) fn panels(&self) -> impl Iterator<Item = Panel<'_>> {
        self.bias.chunks(self.panel.max(1)).enumerate().map(|(i, bias)| {
            let (first, width) = (i * self.panel, bias.len());
            let weights = &self.weights[first * self.rows..][..width * self.rows];
            Panel { first, outs: width.min(self.outs - first), width, weights, bias }
        })
    }
}
