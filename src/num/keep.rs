//! The leak of a membrane as a multiplier and a shift: how much of itself it keeps from one timestep to the next.

/// Bits behind the point of a factor that is no power of two.
const FRACTION_BITS: u32 = 16;

/// The factor `multiplier / 2^shift`, at most 1, in lowest terms: V' = floor((g + 1/2) multiplier / 2^shift). Where
/// the multiplier is 1 this is g >> shift. The half makes it floor(g / d), exactly, for the factor next to 1/d, as
/// long as the potentials fit the bits of the factor (`docs/semantics.md`, section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// M, of 16 bits and odd, or 0 for a neuron that forgets everything.
    pub multiplier: u32,
    /// S, at most 30; at most 16 where `multiplier` is not 1.
    pub shift: u32,
}

impl Keep {
    /// Nothing leaks.
    pub const ALL: Self = Self::half_to_the(0);

    /// 2^-`shift`.
    pub(crate) const fn half_to_the(shift: u32) -> Self {
        Self { multiplier: 1, shift }
    }

    /// The nearest of `factor`, 0 to 1, with 16 bits behind the point.
    pub fn nearest(factor: f64) -> Self {
        let multiplier = (factor * f64::from(1u32 << FRACTION_BITS)).round_ties_even() as u32;
        let zeros = multiplier.trailing_zeros().min(FRACTION_BITS);
        Self { multiplier: multiplier >> zeros, shift: FRACTION_BITS - zeros }
    }

    /// True of a factor of at most 1 in lowest terms: a power of two down to 2^-30, or one of 16 bits.
    pub(crate) fn is_valid(self) -> bool {
        if self.multiplier == 1 {
            self.shift <= 30
        } else {
            self.shift <= FRACTION_BITS && self.factor() <= 1.0 && Self::nearest(self.factor()) == self
        }
    }

    /// `multiplier / 2^shift` in lowest terms.
    pub(crate) fn lowest_terms(multiplier: u32, shift: u32) -> Self {
        let zeros = multiplier.trailing_zeros().min(shift);
        Self { multiplier: multiplier.checked_shr(zeros).unwrap_or(0), shift: shift - zeros }
    }

    /// Multipliers of `keeps` with one shift for all of them.
    pub(crate) fn common_shift(keeps: &[Self]) -> (Vec<u32>, u32) {
        let shift = keeps.iter().map(|keep| keep.shift).max().unwrap_or(0);
        (keeps.iter().map(|keep| keep.multiplier << (shift - keep.shift)).collect(), shift)
    }

    /// The factor.
    pub fn factor(self) -> f64 {
        f64::from(self.multiplier) / f64::from(self.shift).exp2()
    }

    /// What is kept of the potential `g`.
    pub fn of(self, g: i64) -> i64 {
        let kept = ((2 * i128::from(g) + 1) * i128::from(self.multiplier)) >> (self.shift + 1);
        i64::try_from(kept).expect("a factor of at most 1")
    }

    /// Bits that a hardware multiplies a potential by; 0 for a shift.
    pub fn multiplier_bits(self) -> u32 {
        if self.multiplier == 1 { 0 } else { u32::BITS - self.multiplier.leading_zeros() }
    }

    /// No potential g = V + X exceeds this many times the largest X within `timesteps`. Of a whole R >= 1 / (1 -
    /// factor) the bound |g| <= R |X| holds at all times: |V'| is then at most (R - 1) |X|, which is whole.
    pub fn reach(self, timesteps: usize) -> i64 {
        let kept = u64::from(self.multiplier);
        let forever = match (1u64 << self.shift).checked_sub(kept) {
            Some(lost @ 1..) => (kept + lost).div_ceil(lost),
            _ => u64::MAX,
        };
        forever.min(timesteps as u64).max(2) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_by_hand() {
        let parts = |factor: f64| (Keep::nearest(factor).multiplier, Keep::nearest(factor).shift);
        assert_eq!([0.0, 0.25, 0.5, 0.75, 1.0].map(parts), [(0, 0), (1, 2), (1, 1), (3, 2), (1, 0)]);
        // 65536 / 3 = 21845.33, 0.9 x 65536 = 58982.4 = 2 x 29491.
        assert_eq!([1.0 / 3.0, 0.9].map(parts), [(21845, 16), (29491, 15)]);
        assert_eq!([0.5, 0.75, 1.0 / 3.0].map(|f| Keep::nearest(f).multiplier_bits()), [0, 2, 15]);
    }

    /// Thirds need 16 bits, so that a half has 2^15 of them.
    #[test]
    fn one_shift_for_several() {
        let keeps = [1.0 / 3.0, 0.5, 0.75, 0.0, 1.0].map(Keep::nearest);
        let (multipliers, shift) = Keep::common_shift(&keeps);
        assert_eq!((&multipliers[..], shift), (&[21845, 32768, 49152, 0, 65536][..], 16));
        let back: Vec<Keep> = multipliers.iter().map(|&m| Keep::lowest_terms(m, shift)).collect();
        assert_eq!(back, keeps);
        assert!(keeps.iter().all(|keep| keep.is_valid()));
        let of = |multiplier, shift| Keep { multiplier, shift }.is_valid();
        assert_eq!(
            [of(1, 30), of(1, 31), of(2, 1), of(3, 1), of(3, 17), of(65537, 17), of(0, 1)],
            [true, false, false, false, false, false, false]
        );
    }

    /// (2 x 10 + 1) x 3 / 8 = 7.875; below zero (2 x -10 + 1) x 3 / 8 = -7.125.
    #[test]
    fn three_quarters_by_hand() {
        assert_eq!([10, -10, 0, 1, -1].map(|g| Keep::nearest(0.75).of(g)), [7, -8, 0, 1, -1]);
        assert_eq!([7, -7].map(|g| Keep::half_to_the(1).of(g)), [3, -4]);
        assert_eq!([i64::MAX, i64::MIN].map(|g| Keep::ALL.of(g)), [i64::MAX, i64::MIN]);
        assert_eq!(Keep::nearest(0.0).of(1000), 0);
    }

    /// A factor next to 1/d divides: what a membrane keeps is the floor of the quotient.
    #[test]
    fn a_reciprocal_divides_exactly() {
        for (divisor, most) in [(3, 32_767), (5, 32_767), (7, 16_000), (10, 8_000)] {
            let keep = Keep::nearest(1.0 / divisor as f64);
            for g in -most..=most {
                assert_eq!(keep.of(g), g.div_euclid(divisor), "{g} / {divisor}");
            }
        }
    }

    /// A leak that is made up for when an input comes: one division by d^n is n divisions by d, and no other factor
    /// has such a power.
    #[test]
    fn powers_of_reciprocals_nest() {
        let late = |keep: Keep, steps: u32, g: i64| (0..steps).fold(g, |g, _| keep.of(g));
        for g in -3000..3000i64 {
            assert_eq!(late(Keep::half_to_the(1), 5, g), Keep::half_to_the(5).of(g));
            assert_eq!(late(Keep::half_to_the(2), 3, g), Keep::half_to_the(6).of(g));
            assert_eq!(late(Keep::nearest(1.0 / 3.0), 4, g), g.div_euclid(81));
        }
        let once = Keep::nearest(0.75 * 0.75);
        let differ = (-3000..3000i64).filter(|&g| late(Keep::nearest(0.75), 2, g) != once.of(g)).count();
        assert!(differ > 500, "{differ}");
    }

    #[test]
    fn reaches_by_hand() {
        // 1 / (1 - 3/4) = 4; 1/3 rounds down, so that 1.5 is enough and 2 is whole; nothing leaks: T.
        let reaches = |factor: f64| [1, 3, 100].map(|timesteps| Keep::nearest(factor).reach(timesteps));
        assert_eq!([0.75, 1.0 / 3.0, 0.5, 1.0].map(reaches), [[2, 3, 4], [2, 2, 2], [2, 2, 2], [2, 3, 100]]);
        assert_eq!(Keep::half_to_the(30).reach(9), 2);
    }

    /// The largest inputs of either sign, for ever: the bound holds, and is nearly met.
    #[test]
    fn no_potential_exceeds_its_reach() {
        for factor in [0.0, 0.2, 1.0 / 3.0, 0.5, 0.6, 0.75, 0.9, 0.99] {
            let keep = Keep::nearest(factor);
            for x in [1i64, 7, 1000, -1, -7, -1000] {
                let (mut g, mut largest) = (0i64, 0);
                for t in 1..=2000 {
                    g = keep.of(g) + x;
                    assert!(g.abs() <= keep.reach(t) * x.abs(), "{factor} {x} {t}: {g}");
                    largest = largest.max(g.abs());
                }
                let nearly = (keep.reach(2000) - 1) * x.abs() * 9 / 10;
                assert!(x.abs() < 1000 || largest >= nearly, "{factor} {x}: {largest}");
            }
        }
    }
}
