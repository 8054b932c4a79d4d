use serde::{Deserialize, Serialize};

/// A hardware accumulator of a declared width. The sum is exact inside; what does not fit is decided once,
/// when it is written back, so that the order of the additions never matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accumulator {
    /// Word width, sign included, 2..=48.
    pub bits: u32,
    /// What happens to a sum that does not fit.
    pub overflow: Overflow,
}

/// What an accumulator does with a sum that does not fit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// Keeps the low bits, as two's complement.
    #[serde(alias = "Wrap")]
    Wrap,
    /// Clamps to the ends of the word.
    #[serde(alias = "SaturateAtWriteback")]
    SaturateAtWriteback,
}

impl Accumulator {
    /// What is written back for the exact sum `acc`, and whether that changed it.
    pub(crate) fn write_back(self, acc: i64) -> (i64, bool) {
        let unused = i64::BITS - self.bits;
        let stored = match self.overflow {
            Overflow::Wrap => (acc << unused) >> unused,
            Overflow::SaturateAtWriteback => acc.clamp(i64::MIN >> unused, i64::MAX >> unused),
        };
        (stored, stored != acc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fixed::types::extra::U0;
    use fixed::{FixedI8, FixedI16, FixedI64};

    #[test]
    fn four_bits_by_hand() {
        let store = |overflow, acc| Accumulator { bits: 4, overflow }.write_back(acc);
        let sums = [7, 8, -8, -9, 16, 25];
        assert_eq!(
            sums.map(|acc| store(Overflow::Wrap, acc)),
            [(7, false), (-8, true), (-8, false), (7, true), (0, true), (-7, true)]
        );
        assert_eq!(
            sums.map(|acc| store(Overflow::SaturateAtWriteback, acc)),
            [(7, false), (7, true), (-8, false), (-8, true), (7, true), (7, true)]
        );
    }

    /// The `fixed` crate wraps and saturates the same way, for every sum of 18 bits.
    #[test]
    fn agrees_with_the_fixed_crate() {
        for acc in -131_072i64..131_072 {
            let wide = FixedI64::<U0>::from_bits(acc);
            let store = |bits, overflow| Accumulator { bits, overflow }.write_back(acc).0;
            assert_eq!(store(8, Overflow::Wrap), i64::from(FixedI8::<U0>::wrapping_from_num(wide).to_bits()));
            let saturated = FixedI8::<U0>::saturating_from_num(wide).to_bits();
            assert_eq!(store(8, Overflow::SaturateAtWriteback), i64::from(saturated));
            assert_eq!(
                store(16, Overflow::Wrap),
                i64::from(FixedI16::<U0>::wrapping_from_num(wide).to_bits())
            );
            let saturated = FixedI16::<U0>::saturating_from_num(wide).to_bits();
            assert_eq!(store(16, Overflow::SaturateAtWriteback), i64::from(saturated));
        }
    }

    /// Wrapping after the sum is wrapping after every addition, in any order.
    #[test]
    fn wrapping_does_not_depend_on_the_order() {
        let narrow = Accumulator { bits: 5, overflow: Overflow::Wrap };
        let terms: Vec<i64> = (0..40).map(|i| (i * 37 + 11) % 31 - 15).collect();
        let stepwise = |terms: &mut dyn Iterator<Item = &i64>| {
            terms.fold(0, |acc, term| narrow.write_back(acc + term).0)
        };
        let expected = narrow.write_back(terms.iter().sum()).0;
        assert_eq!(stepwise(&mut terms.iter()), expected);
        assert_eq!(stepwise(&mut terms.iter().rev()), expected);
    }
}
