use serde::{Deserialize, Serialize};

use super::{Rounding, ceil_log2, power_of_two};

/// A signed two's complement format: value = integer x 2^-`fraction_bits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Word width, sign included, 2..=32.
    pub bits: u32,
    /// Bits behind the binary point; may exceed `bits`.
    pub fraction_bits: u32,
}

impl Format {
    /// Smallest integer.
    pub fn min(self) -> i64 {
        -(1 << (self.bits - 1))
    }

    /// Largest integer.
    pub fn max(self) -> i64 {
        (1 << (self.bits - 1)) - 1
    }

    /// The value of one step.
    pub fn lsb(self) -> f64 {
        power_of_two(-(self.fraction_bits as i32))
    }

    /// `x` clamped into the range, and whether that changed it.
    pub fn saturate(self, x: i64) -> (i64, bool) {
        let clamped = x.clamp(self.min(), self.max());
        (clamped, clamped != x)
    }

    /// The nearest representable integer of a real value, ties to even, saturated.
    pub fn quantize(self, value: f64) -> i64 {
        self.saturate(Rounding::HalfEven.round(value / self.lsb())).0
    }

    /// The format of `bits` with as many fraction bits as leave room for twice `magnitude`.
    pub(crate) fn for_magnitude(bits: u32, magnitude: f64) -> Self {
        let integer_bits = if magnitude > 0.0 { ceil_log2(2.0 * magnitude) } else { 0 };
        let fraction_bits = (bits as i32 - 1 - integer_bits).clamp(0, 24) as u32;
        Self { bits, fraction_bits }
    }
}

#[cfg(test)]
mod tests {
    use super::Format;
    use fixed::types::{I8F8, I12F4};
    use proptest::prelude::*;

    #[test]
    fn room_for_twice_the_magnitude() {
        // 2 x 3.9 = 7.8 needs 3 integer bits: 16 - 1 - 3 = 12.
        assert_eq!(Format::for_magnitude(16, 3.9).fraction_bits, 12);
        // 2 x 4.0 = 8 is exactly 2^3.
        assert_eq!(Format::for_magnitude(16, 4.0).fraction_bits, 12);
        assert_eq!(Format::for_magnitude(16, 4.1).fraction_bits, 11);
        assert_eq!(Format::for_magnitude(8, 1e9).fraction_bits, 0);
    }

    proptest! {
        /// The `fixed` crate rounds ties to even and saturates, as we do.
        #[test]
        fn agrees_with_the_fixed_crate(value in -400.0f64..400.0, ties in -4000i32..4000) {
            for v in [value, f64::from(ties) / 512.0] {
                let q8 = Format { bits: 16, fraction_bits: 8 };
                prop_assert_eq!(q8.quantize(v), i64::from(I8F8::saturating_from_num(v).to_bits()));
                let q4 = Format { bits: 16, fraction_bits: 4 };
                prop_assert_eq!(q4.quantize(v * 9.0), i64::from(I12F4::saturating_from_num(v * 9.0).to_bits()));
            }
        }
    }
}
