//! The numeric layer against the `fixed` crate: all widths of its words, all positions of the point;
//! exhaustive where words are small.

use fixed::types::extra::*;
use fixed::{FixedI8, FixedI16, FixedI32, FixedI128};
use spiq::num::Rounding;

use super::support::*;

/// Runs `$test!(Fraction, bits)` for every number of fraction bits.
macro_rules! for_fractions {
    ($test:ident: $($fraction:ident = $bits:literal),*) => { $($test!($fraction, $bits);)* };
}

macro_rules! up_to_8 {
    ($test:ident) => { for_fractions!($test: U0 = 0, U1 = 1, U2 = 2, U3 = 3, U4 = 4, U5 = 5, U6 = 6, U7 = 7, U8 = 8) };
}

macro_rules! up_to_16 {
    ($test:ident) => {
        up_to_8!($test);
        for_fractions!($test: U9 = 9, U10 = 10, U11 = 11, U12 = 12, U13 = 13, U14 = 14, U15 = 15, U16 = 16);
    };
}

macro_rules! up_to_32 {
    ($test:ident) => {
        up_to_16!($test);
        for_fractions!($test: U17 = 17, U18 = 18, U19 = 19, U20 = 20, U21 = 21, U22 = 22, U23 = 23, U24 = 24,
            U25 = 25, U26 = 26, U27 = 27, U28 = 28, U29 = 29, U30 = 30, U31 = 31, U32 = 32);
    };
}

/// Every eighth of a step of a word of 8 bits and a little beyond, ties among them.
#[test]
fn every_value_on_words_of_8_bits() {
    macro_rules! check {
        ($fraction:ident, $bits:literal) => {
            let format = Format { bits: 8, fraction_bits: $bits };
            for eighths in -1200..1200 {
                let value = f64::from(eighths) / 8.0 * format.lsb();
                let expected = FixedI8::<$fraction>::saturating_from_num(value).to_bits();
                assert_eq!(format.quantize(value), i64::from(expected), "{value} on {format:?}");
            }
        };
    }
    up_to_8!(check);
}

#[test]
fn values_on_words_of_16_and_32_bits() {
    let mut dice = Dice::new(16);
    // Uniform in the exponent, beyond both ends, and exact ties.
    let reals: Vec<f64> = (0..400)
        .map(|_| dice.pick(&[-1.0, 1.0]) * dice.real(-36.0, 36.0).exp2() * dice.real(1.0, 2.0))
        .collect();
    macro_rules! check_16 {
        ($fraction:ident, $bits:literal) => {
            let format = Format { bits: 16, fraction_bits: $bits };
            let ties = (-40..40).map(|n| (f64::from(n) + 0.5) * format.lsb());
            for value in reals.iter().copied().chain(ties) {
                let expected = FixedI16::<$fraction>::saturating_from_num(value).to_bits();
                assert_eq!(format.quantize(value), i64::from(expected), "{value} on {format:?}");
            }
        };
    }
    up_to_16!(check_16);
    macro_rules! check_32 {
        ($fraction:ident, $bits:literal) => {
            let format = Format { bits: 32, fraction_bits: $bits };
            let ties = (-40..40).map(|n| (f64::from(n) + 0.5) * format.lsb());
            for value in reals.iter().copied().chain(ties) {
                let expected = FixedI32::<$fraction>::saturating_from_num(value).to_bits();
                assert_eq!(format.quantize(value), i64::from(expected), "{value} on {format:?}");
            }
        };
    }
    up_to_32!(check_32);
}

/// All 65,536 integers by all shifts.
#[test]
fn every_shift_of_every_integer_of_16_bits() {
    macro_rules! check {
        ($fraction:ident, $bits:literal) => {
            for x in i16::MIN..=i16::MAX {
                let value = FixedI128::<$fraction>::from_bits(x.into());
                let half = FixedI128::<U1>::from_bits(1);
                let expected = [
                    (Rounding::Floor, value.floor().to_num::<i64>()),
                    (Rounding::TowardZero, value.round_to_zero().to_num()),
                    (Rounding::HalfEven, value.round_ties_even().to_num()),
                    (
                        Rounding::HalfUp,
                        (FixedI128::<U32>::from_num(value) + FixedI128::<U32>::from_num(half))
                            .floor()
                            .to_num(),
                    ),
                ];
                for (rounding, expected) in expected {
                    assert_eq!(
                        rounding.shift_right(x.into(), $bits),
                        expected,
                        "{x} >> {}, {rounding:?}",
                        $bits
                    );
                }
            }
        };
    }
    up_to_16!(check);
}

/// (x M + 2^(S-1)) >> S is the nearest integer of x M / 2^S, halves up.
#[test]
fn requantizers_are_products_of_fixed_point() {
    let mut dice = Dice::new(17);
    macro_rules! check {
        ($fraction:ident, $bits:literal) => {
            for _ in 0..2000 {
                let bits = dice.int(1, 46);
                let (x, multiplier) = (dice.int(-(1 << bits), (1 << bits) - 1), dice.int(1, 65535));
                let product = FixedI128::<$fraction>::from_bits(i128::from(x) * i128::from(multiplier));
                let up = FixedI128::<U64>::from_num(product) + FixedI128::<U64>::from_num(0.5);
                let by = Requantizer { multiplier: multiplier as u32, shift: $bits };
                assert_eq!(by.apply(x), up.floor().to_num::<i64>(), "{x} by {by:?}");
            }
        };
    }
    up_to_32!(check);
    for_fractions!(check: U40 = 40, U48 = 48, U56 = 56, U61 = 61, U62 = 62);
}
