use std::ops::RangeInclusive;

use super::definition::Levels;

/// Part of the mean magnitude that a weight has to exceed: what is best of normally distributed weights, and nearly so of
/// uniformly distributed ones.
const THRESHOLD: f64 = 0.7;

/// -1, 0 and 1 (Li et al., "Ternary Weight Networks", 2016): weights above 0.7 of the mean magnitude, at the scale of
/// their mean magnitude.
pub struct Ternary;

impl Levels for Ternary {
    fn name(&self) -> &'static str {
        "t"
    }

    fn widths(&self) -> RangeInclusive<u32> {
        2..=2
    }

    fn magnitudes(&self, _bits: u32) -> &'static [i32] {
        &[0, 1]
    }

    fn by_rule(&self, weights: &[f64]) -> Option<(Vec<i32>, f64)> {
        let mean = weights.iter().map(|w| w.abs()).sum::<f64>() / weights.len() as f64;
        let exceeds = |w: f64| w.abs() > THRESHOLD * mean;
        let large = || weights.iter().filter(|w| exceeds(**w));
        let lsb = large().map(|w| w.abs()).sum::<f64>() / large().count() as f64;
        let code = |&w: &f64| if exceeds(w) { w.signum() as i32 } else { 0 };
        Some((weights.iter().map(code).collect(), lsb))
    }

    fn is_plain(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean magnitude is 1, so what exceeds 0.7 is kept, at (1.5 + 0.8 + 2.2) / 3.
    #[test]
    fn threshold_and_scale_by_hand() {
        let codes = Ternary.by_rule(&[1.5, -0.8, 0.3, 0.2, -2.2]).unwrap();
        assert_eq!(codes, (vec![1, -1, 0, 0, -1], 1.5));
    }
}
