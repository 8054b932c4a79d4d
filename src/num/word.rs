use std::ops::{Add, AddAssign, Mul, Shl, Shr, Sub};

use super::Keep;

/// The machine word that the scalar executor computes in: `i32` where the proven bounds of a
/// network allow it, `i64` otherwise.
pub trait Word:
    Copy
    + Default
    + Ord
    + Send
    + Sync
    + std::fmt::Debug
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + AddAssign
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
    + From<i16>
    + Into<i64>
{
    /// Width in bits.
    const BITS: u32;

    /// Converts a value that is known to fit.
    ///
    /// # Panics
    /// If it does not fit, which the bounds proven by the quantizer exclude.
    fn narrow(x: i64) -> Self;

    /// The nearest value that fits.
    fn saturate(x: i64) -> Self;

    /// floor((x + 1/2) multiplier / 2^shift), of a factor of at most 1: see [`Keep`].
    fn scale(self, keep: Keep) -> Self;
}

impl Word for i32 {
    const BITS: u32 = 32;

    fn narrow(x: i64) -> Self {
        i32::try_from(x).expect("value within the proven 32-bit bound")
    }

    fn saturate(x: i64) -> Self {
        x.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
    }

    #[inline(always)]
    fn scale(self, keep: Keep) -> Self {
        (((2 * i64::from(self) + 1) * i64::from(keep.multiplier)) >> (keep.shift + 1)) as i32
    }
}

impl Word for i64 {
    const BITS: u32 = 64;

    fn narrow(x: i64) -> Self {
        x
    }

    fn saturate(x: i64) -> Self {
        x
    }

    #[inline(always)]
    fn scale(self, keep: Keep) -> Self {
        keep.of(self)
    }
}
