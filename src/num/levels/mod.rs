//! Levels that codes of weights stand for: a sign above the index of a magnitude, each magnitude an integer. One file for
//! each set, with two lines here.

mod apot;
mod binary;
mod dbq;
mod definition;
mod e2m1;
mod mx;
mod post;
mod ternary;

use std::ops::RangeInclusive;

pub use definition::Block;
use definition::Levels;
use serde::{Deserialize, Serialize};

use crate::name::plain_number;

/// Declares the sets, each with its definition.
macro_rules! level_sets {
    ($($(#[doc = $doc:literal])* $set:ident = $definition:expr,)*) => {
        /// A set of levels, by its name in settings and machines.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum LevelSet {
            $($(#[doc = $doc])* $set,)*
        }

        impl LevelSet {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$set),*];

            fn definition(self) -> &'static dyn Levels {
                match self { $(Self::$set => &$definition,)* }
            }

            /// What settings and machines call it.
            pub fn kind(self) -> &'static str {
                match self { $(Self::$set => stringify!($set),)* }
            }
        }
    };
}

level_sets! {
    /// -1, 0 and 1, by the threshold of Ternary Weight Networks.
    Ternary = ternary::Ternary,
    /// -1 and 1, the side of the mean that a weight lies on.
    Binary = binary::Binary,
    /// Sums of two powers of two.
    Apot = apot::Apot,
    /// Two ternary branches, one worth four times the other.
    Dbq = dbq::Dbq,
    /// Powers of the square root of two.
    Post = post::Post,
    /// Floating point of 4 bits, 2 of them the exponent and 1 the fraction.
    E2m1 = e2m1::E2m1,
    /// Block floating point: integers in blocks with an exponent each.
    Mx = mx::Mx,
}

/// Shifted copies that are added up sooner than an input is multiplied.
const MOST_SHIFTS: u32 = 2;

impl LevelSet {
    /// The set and the width of codes that `word` is short for.
    pub fn from_shorthand(word: &str) -> Option<(Self, u32)> {
        let of_set = |&set: &Self| {
            let (name, widths) = (set.definition().name(), set.widths());
            let bits = match word.strip_prefix(name)? {
                "" if set.stands_alone() => *widths.start(),
                digits if !set.stands_alone() => plain_number(digits)?,
                _ => return None,
            };
            Some((set, bits))
        };
        Self::ALL.iter().find_map(of_set)
    }

    /// What it is called with codes of `bits` bits.
    pub fn shorthand(self, bits: u32) -> String {
        let name = self.definition().name();
        if self.stands_alone() { name.to_owned() } else { format!("{name}{bits}") }
    }

    fn stands_alone(self) -> bool {
        self.definition().name().ends_with(|c: char| c.is_ascii_digit())
    }

    /// Widths of codes.
    pub fn widths(self) -> RangeInclusive<u32> {
        self.definition().widths()
    }

    /// Magnitudes of the levels of `bits`-bit codes, ascending.
    pub fn magnitudes(self, bits: u32) -> &'static [i32] {
        self.definition().magnitudes(bits)
    }

    /// True if hardware of its own turns codes into operands.
    pub fn is_decoded(self) -> bool {
        !self.definition().is_plain()
    }

    /// Width of the operands of `bits`-bit codes, sign included.
    pub fn operand_bits(self, bits: u32) -> u32 {
        let shifted = self.block().map_or(0, |block| block.exponents - 1);
        self.magnitudes(bits).last().map_or(1, |largest| largest.ilog2() + 2 + shifted)
    }

    /// Blocks with an exponent each, by which levels are shifted.
    pub fn block(self) -> Option<Block> {
        self.definition().block()
    }

    /// Shifted copies of an input that are added up in the place of a multiplication, where that is less work.
    pub fn shifts(self, bits: u32) -> Option<u32> {
        let terms = self.magnitudes(bits).iter().map(|&magnitude| signed_digits(magnitude)).max();
        terms.filter(|&terms| terms <= MOST_SHIFTS && self.block().is_none())
    }

    /// Gates of two inputs that turn a `bits`-bit code into an operand: a sum of products for each bit of the magnitude,
    /// one for its sign, and three for each bit of an exponent that shifts it. Indices that are the magnitudes take none.
    pub fn decoder_gates(self, bits: u32) -> u32 {
        if !self.is_decoded() {
            return 0;
        }
        let magnitudes = self.magnitudes(bits);
        let magnitude_bits = self.operand_bits(bits) - 1;
        let shifter = self.block().map_or(0, |block| 3 * block.exponent_bits() * magnitude_bits);
        if magnitudes.iter().zip(0..).all(|(&magnitude, index)| magnitude == index) {
            return magnitude_bits + shifter;
        }
        let products = magnitudes.iter().filter(|&&magnitude| magnitude > 0).count() as u32;
        let of_bit =
            |bit: u32| magnitudes.iter().filter(|&&magnitude| magnitude >> bit & 1 == 1).count() as u32;
        let sums: u32 = (0..magnitude_bits).map(|bit| of_bit(bit).saturating_sub(1)).sum();
        products * bits.saturating_sub(2) + sums + magnitude_bits + shifter
    }

    /// The signed level nearest to weight / lsb.
    pub fn code(self, weight: f64, lsb: f64, bits: u32) -> i32 {
        nearest(self.magnitudes(bits), weight.abs() / lsb) * if weight < 0.0 { -1 } else { 1 }
    }

    /// True of its levels, and of 0, which channels have that are nothing but a bias.
    pub fn has_level(self, code: i32, bits: u32) -> bool {
        code == 0 || self.holds(code, bits)
    }

    /// True of what a code of `bits` bits stands for, with any exponent.
    pub fn holds(self, code: i32, bits: u32) -> bool {
        let exponents = self.block().map_or(1, |block| block.exponents);
        let magnitudes = self.magnitudes(bits).iter().map(|magnitude| u64::from(magnitude.unsigned_abs()));
        let mut shifted = magnitudes.flat_map(|magnitude| (0..exponents).map(move |e| magnitude << e));
        shifted.any(|magnitude| magnitude == u64::from(code.unsigned_abs()))
    }

    /// A sign above the index of a magnitude, or two's complement where nothing decodes it.
    pub fn stored(self, code: i32, bits: u32) -> i64 {
        if !self.is_decoded() {
            return code.into();
        }
        let magnitudes = self.magnitudes(bits).iter();
        let index = magnitudes.take_while(|&&magnitude| magnitude < code.abs()).count() as i64;
        i64::from(code < 0) << (bits - 1) | index
    }

    /// Codes and scale by a rule of its own, if it has one; not all `weights` are 0.
    pub fn by_rule(self, weights: &[f64]) -> Option<(Vec<i32>, f64)> {
        self.definition().by_rule(weights)
    }
}

/// The magnitude nearest to `steps`, the smaller one on a tie.
fn nearest(magnitudes: &[i32], steps: f64) -> i32 {
    let above = |pair: &&[i32]| steps > 0.5 * f64::from(pair[0] + pair[1]);
    magnitudes[magnitudes.windows(2).take_while(above).count()]
}

/// Powers of two, each of either sign, whose sum is `magnitude`: as few as there can be.
fn signed_digits(magnitude: i32) -> u32 {
    // Digits of the non-adjacent form are where 3 m and m differ.
    (magnitude ^ (3 * magnitude)).count_ones()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = (LevelSet, u32)> {
        LevelSet::ALL.iter().flat_map(|&set| set.widths().map(move |bits| (set, bits)))
    }

    #[test]
    fn every_set_fits_its_codes_and_is_found_by_its_shorthand() {
        for (set, bits) in all() {
            let magnitudes = set.magnitudes(bits);
            assert!(magnitudes.is_sorted_by(|a, b| a < b) && magnitudes[0] >= 0, "{set:?}");
            assert!(magnitudes.len() <= 1 << (bits - 1), "{set:?}");
            assert!(magnitudes.last().is_some_and(|&largest| largest < 1 << 15), "{set:?}");
            assert_eq!(LevelSet::from_shorthand(&set.shorthand(bits)), Some((set, bits)));
        }
        for word in ["", "t", "e2m14", "e2m", "t02", "4", "apot", "w4"] {
            assert_eq!(LevelSet::from_shorthand(word), None, "{word}");
        }
    }

    #[test]
    fn forms_by_hand() {
        let form = |set: LevelSet, bits| (set.is_decoded(), set.operand_bits(bits), set.shifts(bits));
        // 12 = 1100b and a sign; 3 is 4 - 1, 6 is 8 - 2.
        assert_eq!(form(LevelSet::E2m1, 4), (true, 5, Some(2)));
        assert_eq!(form(LevelSet::Ternary, 2), (false, 2, Some(1)));
        assert_eq!(form(LevelSet::Binary, 1), (true, 2, Some(1)));
        assert_eq!(form(LevelSet::Apot, 4), (true, 5, Some(2)));
        assert_eq!(form(LevelSet::Dbq, 4), (true, 4, Some(2)));
        // 48 = 110000b.
        assert_eq!(form(LevelSet::Apot, 5), (true, 7, Some(2)));
        // Seven products of 3 inputs, sums of 2, 3, 3 and 2 of them, four bits of either sign.
        assert_eq!(LevelSet::E2m1.decoder_gates(4), 7 * 2 + (1 + 2 + 2 + 1) + 4);
        assert_eq!((LevelSet::Binary.decoder_gates(1), LevelSet::Ternary.decoder_gates(2)), (1, 0));
        // 88 = 11 x 8 is no sum of two: it is multiplied.
        assert_eq!(form(LevelSet::Post, 4), (true, 8, None));
        assert_eq!([1, 2, 3, 7, 11, 12, 45].map(signed_digits), [1, 1, 2, 2, 3, 2, 4]);
    }

    #[test]
    fn stored_codes_by_hand() {
        // 0, 1, 2, 3, 4, 6, 8, 12.
        let stored = [0, 1, 12, -1, -12].map(|code| LevelSet::E2m1.stored(code, 4));
        assert_eq!(stored, [0b0000, 0b0001, 0b0111, 0b1001, 0b1111]);
        assert_eq!([1, -1].map(|code| LevelSet::Binary.stored(code, 1)), [0, 1]);
        assert_eq!([0, 1, -1].map(|code| LevelSet::Ternary.stored(code, 2)), [0, 1, -1]);
    }
}
