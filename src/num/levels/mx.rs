use std::ops::RangeInclusive;

use super::definition::{Block, Levels};

/// Integers of 4 bits in blocks of 32 with a power of two of their own, as in block floating point and, but for its range
/// of exponents, MX: an element is shifted left by 0 to 3.
pub struct Mx;

impl Levels for Mx {
    fn name(&self) -> &'static str {
        "mx"
    }

    fn widths(&self) -> RangeInclusive<u32> {
        4..=4
    }

    fn magnitudes(&self, _bits: u32) -> &'static [i32] {
        &[0, 1, 2, 3, 4, 5, 6, 7]
    }

    fn block(&self) -> Option<Block> {
        Some(Block { inputs: 32, exponents: 4 })
    }
}
