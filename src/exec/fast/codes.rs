//! The integers of a weight layer, in the words and the order that kernels want.

use std::ops::Range;

use crate::quant::QuantizedWeighted;

/// A bias or a padding: within the bounds that were proven to fit.
pub fn word(x: i64) -> i32 {
    i32::try_from(x).expect("within the proven 32-bit bound")
}

/// Biases or paddings, each converted by [`word`].
pub fn words(values: &[i64]) -> Vec<i32> {
    values.iter().map(|&x| word(x)).collect()
}

/// The code that `out` multiplies input `channel` of its group with, at `tap`.
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
