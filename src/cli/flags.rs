//! Ranges that values of flags are held to.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::check::in_range;
use crate::error::{Error, Result};

/// Refuses the value of `flag` outside of `range`.
pub fn check_flag<T: PartialOrd + Display>(
    flag: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<()> {
    in_range(flag, value, &range)
        .map_err(|fault| Error::mismatch(format!("{}: {}", fault.field, fault.message)))
}
