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

/// Codes of outputs side by side that share a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pack {
    /// How many.
    pub codes: usize,
    /// Width of the word.
    pub bits: u32,
    /// Gates of two inputs that turn a word into the codes, in two's complement.
    pub gates: u32,
}

/// What a set of levels has to say; the rest follows.
pub trait Levels: Sync {
    /// What shorthands call it, in front of its width; of a set of one width, it may end with digits and stand alone.
    fn name(&self) -> &'static str;

    /// Widths of codes, sign included.
    fn widths(&self) -> RangeInclusive<u32>;

    /// Magnitudes of the levels of `bits`-bit codes, ascending: at most 2^(bits - 1), each of either sign; at the first
    /// base, where there are several.
    fn magnitudes(&self, bits: u32) -> &'static [i32];

    /// Bases of which a layer has the one that suits its weights, so that its table is written before it runs; none where
    /// all layers have the same levels.
    fn bases(&self) -> &'static [u8] {
        &[]
    }

    /// [`Self::magnitudes`] at a base, as many as at any other, with the same largest one.
    fn magnitudes_at(&self, bits: u32, _base: u8) -> &'static [i32] {
        self.magnitudes(bits)
    }

    /// Codes and scale by a rule of its own, where nothing is searched; `None` where the largest weight says the scale
    /// and each weight takes the nearest level. Not all `weights` are 0.
    fn by_rule(&self, _weights: &[f64]) -> Option<(Vec<i32>, f64)> {
        None
    }

    /// Blocks with an exponent each, by which levels are shifted; `None` where all weights of a scale are alike.
    fn block(&self) -> Option<Block> {
        None
    }

    /// What its codes are packed in; `None` where each is a word of its own.
    fn pack(&self) -> Option<Pack> {
        None
    }

    /// True if codes are two's complement already, so that no hardware decodes them.
    fn is_plain(&self) -> bool {
        false
    }
}
