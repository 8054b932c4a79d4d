//! Ranges that numbers of files and flags are held to. Limits that several of them share have a name here.
//!
//! ```
//! use spiq::check::{MEMBRANE_BITS, in_range};
//!
//! assert!(in_range("membrane_bits", 16, &MEMBRANE_BITS).is_ok());
//! let fault = in_range("membrane_bits", 33, &MEMBRANE_BITS).unwrap_err();
//! assert_eq!(fault.message, "33 is not in 2..=32");
//! ```

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::error::Fault;

/// Timesteps of a network, and frames of a sample.
pub(crate) const TIMESTEPS: RangeInclusive<usize> = 1..=64;
/// Channels of what a network looks at.
pub(crate) const INPUT_CHANNELS: RangeInclusive<usize> = 1..=64;
/// Height and width of what a network looks at.
pub(crate) const INPUT_EXTENT: RangeInclusive<usize> = 1..=4096;
/// Width of a stored membrane.
pub const MEMBRANE_BITS: RangeInclusive<u32> = 2..=32;
/// Width of a declared accumulator.
pub(crate) const ACCUMULATOR_BITS: RangeInclusive<u32> = 2..=48;
/// f of X = (acc << f) + bias.
pub(crate) const FRACTION_BITS: RangeInclusive<u32> = 0..=16;
/// Decay of the voltage of Loihi, in 4096ths.
pub(crate) const VOLTAGE_DECAY: RangeInclusive<u32> = 0..=4096;
/// Decay of the current of Loihi, in 4096ths.
pub(crate) const CURRENT_DECAY: RangeInclusive<u32> = 0..=4095;

/// The first of `names` that was there before.
pub fn repeated<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

/// Refuses the value of a field outside of `range`.
///
/// # Errors
/// Names the field, the value and the range.
pub fn in_range<T: PartialOrd + Display>(
    field: impl Into<Cow<'static, str>>,
    value: T,
    range: &RangeInclusive<T>,
) -> Result<(), Fault> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Fault::new(field, format!("{value} is not in {}..={}", range.start(), range.end())))
}

/// Refuses the `field` if `message` says that something is wrong with it.
///
/// # Errors
/// If `is_wrong`.
pub(crate) fn refuse_if(
    is_wrong: bool,
    field: &'static str,
    message: impl FnOnce() -> String,
) -> Result<(), Fault> {
    if is_wrong { Err(Fault::new(field, message())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_belong_to_a_range() {
        let message = |bits| in_range("bits", bits, &MEMBRANE_BITS).err().map(|fault| fault.message);
        assert_eq!([2, 32].map(message), [None, None]);
        assert_eq!(message(1).as_deref(), Some("1 is not in 2..=32"));
        assert_eq!(message(33).as_deref(), Some("33 is not in 2..=32"));
        assert!(in_range("part", f64::NAN, &(0.0..=1.0)).is_err());
    }
}
