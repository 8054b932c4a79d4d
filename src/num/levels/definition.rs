use std::ops::RangeInclusive;

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

    /// True if codes are two's complement already, so that no hardware decodes them.
    fn is_plain(&self) -> bool {
        false
    }
}
