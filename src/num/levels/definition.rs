use std::ops::RangeInclusive;

/// Inputs of an output, one behind the other, whose weights share a power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// How many; the last block of an output may have fewer.
    pub inputs: usize,
    /// Exponents, from 0 on: a power of two itself.
    pub exponents: u32,
}

impl Block {
    /// Width of a stored exponent.
    pub fn exponent_bits(self) -> u32 {
        self.exponents.ilog2()
    }
}

/// What a set of levels has to say; the rest follows.
pub trait Levels: Sync {
    /// What shorthands call it, in front of its width; of a set of one width, it may end with digits and stand alone.
    fn name(&self) -> &'static str;

    /// Widths of codes, sign included.
    fn widths(&self) -> RangeInclusive<u32>;

    /// Magnitudes of the levels of `bits`-bit codes, ascending: at most 2^(bits - 1), each of either sign.
    fn magnitudes(&self, bits: u32) -> &'static [i32];

    /// Codes and scale by a rule of its own, where nothing is searched; `None` where the largest weight says the scale
    /// and each weight takes the nearest level. Not all `weights` are 0.
    fn by_rule(&self, _weights: &[f64]) -> Option<(Vec<i32>, f64)> {
        None
    }

    /// Blocks with an exponent each, by which levels are shifted; `None` where all weights of a scale are alike.
    fn block(&self) -> Option<Block> {
        None
    }

    /// True if codes are two's complement already, so that no hardware decodes them.
    fn is_plain(&self) -> bool {
        false
    }
}
