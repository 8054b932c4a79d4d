//! Fixed-point numbers whose widths are known only at run time.
//!
//! ```
//! use spiq::num::{Format, Requantizer, Rounding};
//!
//! let membrane = Format { bits: 8, fraction_bits: 4 };
//! assert_eq!((membrane.lsb(), membrane.quantize(1.5), membrane.saturate(200)), (0.0625, 24, (127, true)));
//! assert_eq!(Rounding::HalfEven.shift_right(5, 1), 2);
//! assert_eq!(Requantizer::from_ratio(0.25).map(|quarter| quarter.apply(10)), Some(3));
//! ```

mod accumulator;
mod decoder;
mod format;
mod keep;
mod levels;
mod octave;
mod parts;
mod requantizer;
mod rounding;
mod word;

pub use accumulator::{Accumulator, Overflow};
pub use decoder::Decoder;
pub use format::Format;
pub use keep::Keep;
pub use levels::{Block, LevelSet, LevelTable, Pack};
pub(crate) use octave::{ceil_log2, floor_log2, nearest_power_of_two, power_of_sixteenths, power_of_two};
pub(crate) use parts::parts;
pub use requantizer::Requantizer;
pub use rounding::Rounding;
pub(crate) use rounding::half_even;
pub use word::Word;

/// Bits of the narrowest two's complement word that holds every integer in `[low, high]`.
pub fn signed_bits(low: i64, high: i64) -> u32 {
    let magnitude = |x: i64| if x < 0 { !x } else { x };
    65 - magnitude(low).leading_zeros().min(magnitude(high).leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::signed_bits;

    #[test]
    fn signed_bits_of_hand_worked_ranges() {
        for (low, high, bits) in [(0, 0, 1), (-1, 0, 1), (0, 1, 2), (-128, 127, 8), (-129, 0, 9), (0, 255, 9)]
        {
            assert_eq!(signed_bits(low, high), bits, "[{low}, {high}]");
        }
        assert_eq!(signed_bits(i64::MIN, i64::MAX), 64);
    }
}
