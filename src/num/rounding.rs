/// How a real number or a shifted integer becomes an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Toward minus infinity: what an arithmetic right shift does.
    Floor,
    /// To nearest, ties to even.
    HalfEven,
    /// To nearest, ties toward plus infinity: an arithmetic shift after adding one half.
    HalfUp,
    /// Toward zero.
    TowardZero,
}

impl Rounding {
    /// Rounds `x` to an integer; saturates at the ends of `i64`, and NaN becomes 0.
    pub fn round(self, x: f64) -> i64 {
        match self {
            Self::Floor => x.floor() as i64,
            Self::HalfEven => half_even_integer(x),
            Self::HalfUp => (x + 0.5).floor() as i64,
            Self::TowardZero => x.trunc() as i64,
        }
    }

    /// `x / 2^shift`, rounded; `shift` < 63.
    pub fn shift_right(self, x: i64, shift: u32) -> i64 {
        if shift == 0 {
            return x;
        }
        let floor = x >> shift;
        let remainder = x - (floor << shift);
        let half = 1i64 << (shift - 1);
        let up = match self {
            Self::Floor => false,
            Self::HalfUp => remainder >= half,
            Self::HalfEven => remainder > half || (remainder == half && floor & 1 == 1),
            Self::TowardZero => x < 0 && remainder != 0,
        };
        floor + i64::from(up)
    }
}

/// Between 2^52 and 2^53 floats are the integers, and an addition rounds to them.
const MIDDLE: f64 = 1.5 * (1u64 << 52) as f64;
/// What stays between them when the middle is added.
const REACH: f64 = (1u64 << 51) as f64;

/// The nearest integer, ties to even. Processors that are not known to have an instruction for it call a library, which
/// takes far longer than an addition.
fn half_even_integer(x: f64) -> i64 {
    if x.abs() < REACH {
        (x + MIDDLE).to_bits().wrapping_sub(MIDDLE.to_bits()) as i64
    } else {
        x.round_ties_even() as i64
    }
}

/// The integer nearest to `x`, whose magnitude is less than 2^51, as a float; ties to even.
pub fn half_even(x: f64) -> f64 {
    debug_assert!(x.abs() < REACH, "{x}");
    x + MIDDLE - MIDDLE
}

#[cfg(test)]
mod tests {
    use super::Rounding::{self, *};
    use super::{REACH, half_even};

    #[test]
    fn half_even_is_that_of_the_standard_library() {
        let ends =
            [0.0, 0.5, 1.5, 2.5, 0.499_999_999_999_999_94, (1u64 << 51) as f64 - 0.5, (1u64 << 51) as f64];
        let quarters = (-4000..4000).map(|x| f64::from(x) * 0.25);
        let far = (0..200).map(|i| 1.0e-9 * 1.37f64.powi(i));
        let others = [f64::NAN, f64::INFINITY, f64::MAX, f64::MIN_POSITIVE, 9.3e18];
        for x in ends.into_iter().chain(quarters).chain(far).chain(others) {
            for x in [x, -x, x + 0.5, x - 0.5] {
                assert_eq!(HalfEven.round(x), x.round_ties_even() as i64, "{x}");
                assert!(x.abs().is_nan() || x.abs() >= REACH || half_even(x) == x.round_ties_even(), "{x}");
            }
        }
    }

    #[test]
    fn ties_and_signs_by_hand() {
        // x / 4 for x = -6, -5, -2, 2, 5, 6: -1.5, -1.25, -0.5, 0.5, 1.25, 1.5
        let xs = [-6, -5, -2, 2, 5, 6];
        let expect = |mode: Rounding| xs.map(|x| mode.shift_right(x, 2));
        assert_eq!(expect(Floor), [-2, -2, -1, 0, 1, 1]);
        assert_eq!(expect(HalfEven), [-2, -1, 0, 0, 1, 2]);
        assert_eq!(expect(HalfUp), [-1, -1, 0, 1, 1, 2]);
        assert_eq!(expect(TowardZero), [-1, -1, 0, 0, 1, 1]);
    }

    #[test]
    fn a_shift_rounds_as_the_real_quotient_does() {
        for mode in [Floor, HalfEven, HalfUp, TowardZero] {
            for shift in 0..6 {
                for x in -300..300 {
                    let quotient = x as f64 / f64::from(1u32 << shift);
                    assert_eq!(mode.shift_right(x, shift), mode.round(quotient), "{mode:?} {x} >> {shift}");
                }
            }
        }
    }
}
