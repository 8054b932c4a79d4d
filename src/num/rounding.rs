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
            Self::HalfEven => x.round_ties_even() as i64,
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

#[cfg(test)]
mod tests {
    use super::Rounding::{self, *};

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
