//! Levels that codes of weights stand for: a sign above the index of a magnitude, each magnitude an integer. One file for
//! each set, with two lines here.

mod adalog;
mod apot;
mod binary;
mod dbq;
mod definition;
mod e2m1;
mod mx;
mod post;
mod table;
mod ternary;
mod trits;

use std::ops::RangeInclusive;

use definition::Levels;
pub use definition::{Block, Pack};
use serde::{Deserialize, Serialize};
pub use table::LevelTable;

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
    /// The levels of `Ternary`, five weights in a byte.
    Trits = trits::Trits,
    /// -1 and 1, the side of the mean that a weight lies on.
    Binary = binary::Binary,
    /// Sums of two powers of two.
    Apot = apot::Apot,
    /// Two ternary branches, one worth four times the other.
    Dbq = dbq::Dbq,
    /// Powers of the square root of two.
    Post = post::Post,
    /// Powers of a base that each layer chooses.
    AdaLog = adalog::AdaLog,
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

    /// Bases of which a layer has the one that suits its weights; none where all layers have the same levels.
    pub fn bases(self) -> &'static [u8] {
        self.definition().bases()
    }

    /// The levels of `bits`-bit codes at `base`, or where none is chosen yet, at the first one.
    pub fn table(self, bits: u32, base: Option<u8>) -> LevelTable {
        LevelTable::new(self.definition(), bits, base)
    }

    /// All tables for `bits`-bit codes: one for each base.
    fn tables(self, bits: u32) -> impl Iterator<Item = LevelTable> {
        let bases = self.bases().iter().map(|&base| Some(base));
        let only = self.bases().is_empty().then_some(None);
        bases.chain(only).map(move |base| self.table(bits, base))
    }

    /// True if hardware of its own turns codes into operands.
    pub fn is_decoded(self) -> bool {
        !self.definition().is_plain()
    }

    /// Width of the operands of `bits`-bit codes, sign included.
    pub fn operand_bits(self, bits: u32) -> u32 {
        let shifted = self.block().map_or(0, |block| block.exponents - 1);
        self.table(bits, None).top().ilog2() + 2 + shifted
    }

    /// Blocks with an exponent each, by which levels are shifted.
    pub fn block(self) -> Option<Block> {
        self.definition().block()
    }

    /// What codes of outputs side by side are packed in.
    pub fn pack(self) -> Option<Pack> {
        self.definition().pack()
    }

    /// Bits of the magnitudes that a layer's table is written with; 0 where the table is part of the hardware.
    pub fn table_bits(self, bits: u32) -> u32 {
        match self.bases() {
            [] => 0,
            _ => self.table(bits, None).above_zero() * (self.operand_bits(bits) - 1),
        }
    }

    /// Shifted copies of an input that are added up in the place of a multiplication, where that is less work.
    pub fn shifts(self, bits: u32) -> Option<u32> {
        let magnitudes = self.tables(bits).flat_map(LevelTable::magnitudes);
        let terms = magnitudes.map(|&magnitude| signed_digits(magnitude)).max();
        terms.filter(|&terms| terms <= MOST_SHIFTS && self.block().is_none())
    }

    /// Gates of two inputs that turn a `bits`-bit code into an operand: a sum of products for each bit of the magnitude,
    /// one for its sign, and three for each bit of an exponent that shifts it. A table that is written has a gate more for
    /// each of its bits. Indices that are the magnitudes take none, and packed codes their part of what unpacks them.
    pub fn decoder_gates(self, bits: u32) -> u32 {
        if !self.is_decoded() {
            return 0;
        }
        if let Some(pack) = self.pack() {
            return pack.gates.div_ceil(pack.codes as u32);
        }
        let table = self.table(bits, None);
        let magnitude_bits = self.operand_bits(bits) - 1;
        let shifter = self.block().map_or(0, |block| 3 * block.exponent_bits() * magnitude_bits);
        if table.magnitudes().iter().zip(0..).all(|(&magnitude, index)| magnitude == index) {
            return magnitude_bits + shifter;
        }
        let of_bit = |bit: u32| match self.bases() {
            [] => table.magnitudes().iter().filter(|&&magnitude| magnitude >> bit & 1 == 1).count() as u32,
            _ => table.above_zero(),
        };
        let sums: u32 = (0..magnitude_bits).map(|bit| of_bit(bit).saturating_sub(1)).sum();
        let products = table.above_zero() * bits.saturating_sub(2);
        products + self.table_bits(bits) + sums + magnitude_bits + shifter
    }
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
            for table in set.tables(bits) {
                let magnitudes = table.magnitudes();
                assert!(magnitudes.is_sorted_by(|a, b| a < b) && magnitudes[0] >= 0, "{set:?}");
                assert!(magnitudes.len() <= 1 << (bits - 1), "{set:?}");
                assert!(table.top() < 1 << 15 && table.top() == set.table(bits, None).top(), "{set:?}");
                assert_eq!(table.above_zero(), set.table(bits, None).above_zero(), "{set:?}");
            }
            assert_eq!(LevelSet::from_shorthand(&set.shorthand(bits)), Some((set, bits)));
        }
        for word in ["", "t", "e2m14", "e2m", "t02", "4", "apot", "w4", "t1.60", "t1.62"] {
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
        // Seven magnitudes of 7 bits: seven products of 3 inputs, 49 gates with the bits, 7 sums of 7, and the sign.
        assert_eq!(form(LevelSet::AdaLog, 4), (true, 8, None));
        assert_eq!((LevelSet::AdaLog.table_bits(4), LevelSet::Post.table_bits(4)), (49, 0));
        assert_eq!(LevelSet::AdaLog.decoder_gates(4), 7 * 2 + 49 + 7 * 6 + 7);
        // A fifth of 64.
        assert_eq!((form(LevelSet::Trits, 2), LevelSet::Trits.decoder_gates(2)), ((true, 2, Some(1)), 13));
        // 88 = 11 x 8 is no sum of two: it is multiplied.
        assert_eq!(form(LevelSet::Post, 4), (true, 8, None));
        assert_eq!([1, 2, 3, 7, 11, 12, 45].map(signed_digits), [1, 1, 2, 2, 3, 2, 4]);
    }
}
