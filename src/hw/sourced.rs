//! A figure together with where it comes from.

use serde::{Deserialize, Serialize};

use crate::check::in_range;
use crate::error::Fault;

/// A value and its source: `(value: 3.0, source: "synthesis, 28 nm")` in RON.
///
/// A cost without a stated origin cannot be judged, so the source is no option.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sourced<T> {
    /// The figure, in the unit of the field that holds it.
    pub value: T,
    /// Where the figure comes from: a paper, a tool run, or a stated assumption.
    pub source: String,
}

impl<T> Sourced<T> {
    /// `value` from `source`.
    pub fn new(value: T, source: impl Into<String>) -> Self {
        Self { value, source: source.into() }
    }
}

/// Finite, in range, and with a source.
pub(super) fn number(field: &str, sourced: &Sourced<f64>, min: f64, max: f64) -> Result<(), Fault> {
    if !(min..=max).contains(&sourced.value) {
        return Err(Fault::new(field.to_owned(), format!("{:?} is not in {min:?}..={max:?}", sourced.value)));
    }
    has_source(field, &sourced.source)
}

pub(super) fn positive(field: &str, sourced: &Sourced<u32>, max: u32) -> Result<(), Fault> {
    integer(field, u64::from(sourced.value), &sourced.source, 1, u64::from(max))
}

pub(super) fn integer(field: &str, value: u64, source: &str, min: u64, max: u64) -> Result<(), Fault> {
    in_range(field.to_owned(), value, &(min..=max))?;
    has_source(field, source)
}

pub(super) fn has_source(field: &str, source: &str) -> Result<(), Fault> {
    if source.trim().is_empty() {
        Err(Fault::new(format!("{field}.source"), "empty: say where the number comes from"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ron_file::parse_ron;

    #[test]
    fn reads_from_ron_and_refuses_what_it_does_not_know() {
        let figure: Sourced<f64> = parse_ron(r#"(value: 3.5, source: "measured")"#, "a.ron").unwrap();
        assert_eq!(figure, Sourced::new(3.5, "measured"));
        let message = parse_ron::<Sourced<f64>>(r#"(value: 3.5)"#, "a.ron").unwrap_err().to_string();
        assert!(message.contains("source"), "{message}");
        let unit = r#"(value: 3.5, source: "measured", unit: "pJ")"#;
        assert!(parse_ron::<Sourced<f64>>(unit, "a.ron").unwrap_err().to_string().contains("unit"));
    }
}
