use super::{floor_log2, power_of_two};

/// Multiplies by a positive constant in hardware: (x M + 2^(S-1)) >> S, M unsigned 16 bits.
///
/// A power of two has M = 1 and is a pure rounding shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requantizer {
    /// M, 1..=65535.
    pub multiplier: u32,
    /// S, 0..=62.
    pub shift: u32,
}

impl Requantizer {
    /// The requantizer nearest to `ratio`; `None` unless 2^-46 < `ratio` < 2^15.
    pub fn from_ratio(ratio: f64) -> Option<Self> {
        if !(ratio.is_finite() && ratio > power_of_two(-46) && ratio < 32768.0) {
            return None;
        }
        let exponent = floor_log2(ratio);
        if ratio == power_of_two(exponent) {
            return Some(if exponent < 0 {
                Self { multiplier: 1, shift: exponent.unsigned_abs() }
            } else {
                Self { multiplier: 1 << exponent, shift: 0 }
            });
        }
        // M in [2^15, 2^16): sixteen significant bits.
        let mut shift = 15 - exponent;
        let mut multiplier = (ratio * power_of_two(shift)).round_ties_even();
        if multiplier >= 65536.0 {
            multiplier = 32768.0;
            shift -= 1;
        }
        Some(Self { multiplier: multiplier as u32, shift: shift as u32 })
    }

    /// Applies it; exact in 64 bits for |x| < 2^46.
    pub fn apply(self, x: i64) -> i64 {
        let half = (1i64 << self.shift) >> 1;
        (x * i64::from(self.multiplier) + half) >> self.shift
    }

    /// The ratio that is really applied.
    pub fn ratio(self) -> f64 {
        f64::from(self.multiplier) * (-f64::from(self.shift)).exp2()
    }

    /// True for a pure shift, which needs no multiplier.
    pub fn is_shift(self) -> bool {
        self.multiplier.is_power_of_two()
    }
}

#[cfg(test)]
mod tests {
    use super::Requantizer;
    use proptest::prelude::*;

    #[test]
    fn powers_of_two_are_pure_shifts() {
        assert_eq!(Requantizer::from_ratio(0.125), Some(Requantizer { multiplier: 1, shift: 3 }));
        assert_eq!(Requantizer::from_ratio(8.0), Some(Requantizer { multiplier: 8, shift: 0 }));
        let eighth = Requantizer::from_ratio(0.125).unwrap();
        // 12/8 = 1.5 rounds up to 2, -12/8 = -1.5 rounds up to -1.
        assert_eq!((eighth.apply(12), eighth.apply(-12), eighth.apply(11)), (2, -1, 1));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for ratio in [0.0, -1.0, f64::NAN, f64::INFINITY, 40000.0, 1e-15] {
            assert_eq!(Requantizer::from_ratio(ratio), None, "{ratio}");
        }
    }

    proptest! {
        #[test]
        fn within_half_a_step_and_sixteen_bits(ratio in 1e-6f64..1000.0, x in -1_000_000i64..1_000_000) {
            let r = Requantizer::from_ratio(ratio).unwrap();
            prop_assert!(r.multiplier < 65536 && r.shift <= 62);
            prop_assert!((r.ratio() / ratio - 1.0).abs() <= 1.0 / 65536.0);
            prop_assert!((r.apply(x) as f64 - x as f64 * r.ratio()).abs() <= 0.5);
        }
    }
}
