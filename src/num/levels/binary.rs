use std::ops::RangeInclusive;

use super::definition::Levels;

/// -1 and 1: the side of the mean that a weight lies on, at the scale of the mean magnitude (Qin et al., "BiBERT", ICLR
/// 2022). The mean itself is not added back; a bias that is corrected has what it is worth on average.
pub struct Binary;

impl Levels for Binary {
    fn name(&self) -> &'static str {
        "b"
    }

    fn widths(&self) -> RangeInclusive<u32> {
        1..=1
    }

    fn magnitudes(&self, _bits: u32) -> &'static [i32] {
        &[1]
    }

    fn by_rule(&self, weights: &[f64]) -> Option<(Vec<i32>, f64)> {
        let count = weights.len() as f64;
        let mean = weights.iter().sum::<f64>() / count;
        let lsb = weights.iter().map(|w| w.abs()).sum::<f64>() / count;
        // A weight that is the mean, such as one alone, keeps its own sign.
        let side = |w: f64| if w == mean { w } else { w - mean };
        let code = |&w: &f64| if side(w) < 0.0 { -1 } else { 1 };
        Some((weights.iter().map(code).collect(), lsb))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Around a mean of 0.5, at (0.2 + 0.4 + 1.3 + 0.1) / 4.
    #[test]
    fn sides_and_scale_by_hand() {
        let codes = Binary.by_rule(&[0.2, 0.4, 1.3, 0.1]).unwrap();
        assert_eq!(codes, (vec![-1, -1, 1, -1], 0.5));
        assert_eq!(Binary.by_rule(&[-0.25]).unwrap(), (vec![-1], 0.25));
    }
}
