use std::ops::RangeInclusive;

use super::definition::{Levels, Pack};
use super::ternary::Ternary;

/// The levels of [`Ternary`], stored five weights in a byte: 3^5 = 243 of its 256 words.
pub struct Trits;

impl Levels for Trits {
    fn name(&self) -> &'static str {
        "t1.6"
    }

    fn widths(&self) -> RangeInclusive<u32> {
        Ternary.widths()
    }

    fn magnitudes(&self, bits: u32) -> &'static [i32] {
        Ternary.magnitudes(bits)
    }

    fn by_rule(&self, weights: &[f64]) -> Option<(Vec<i32>, f64)> {
        Ternary.by_rule(weights)
    }

    /// The gates are AND gates of `rtl/trits.sv`, by Yosys.
    fn pack(&self) -> Option<Pack> {
        Some(Pack { codes: 5, bits: 8, gates: 64 })
    }
}
