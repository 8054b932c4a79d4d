//! Numbers as tables of a page show them: a column in one unit, which its heading names.

use super::super::units::{Scale, decimals, fixed};
use super::cell::Cell;

/// A unit with the prefix that suits a column.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    /// With a decimal prefix.
    Si(&'static str),
    /// Bytes with a binary prefix.
    Bytes,
    /// Things that are counted, with a decimal prefix.
    Count(&'static str),
    /// A fraction, in hundredths.
    Percent,
    /// A fraction, in hundredths that are called points.
    Points,
    /// A number, unscaled, of what is named.
    Plain(&'static str),
    /// A whole number.
    Whole,
}

impl Unit {
    fn scale(self, largest: f64) -> Scale {
        let fixed = |unit: &str, divisor| Scale { divisor, unit: unit.to_owned() };
        match self {
            Self::Si(unit) => Scale::si(largest, unit),
            Self::Bytes => Scale::bytes(largest),
            Self::Count(unit) => Scale::count(largest, unit),
            Self::Percent => fixed("%", 0.01),
            Self::Points => fixed("points", 0.01),
            Self::Plain(unit) => fixed(unit, 1.0),
            Self::Whole => fixed("", 1.0),
        }
    }

    /// Digits behind the point of numbers up to `largest`, as they are shown.
    fn digits(self, largest: f64) -> usize {
        match self {
            Self::Percent | Self::Points => 2,
            Self::Whole => 0,
            _ => decimals(largest, 4).min(4),
        }
    }

    /// The unit of a column with `values`, and its cells; a value that is not known is a dash.
    pub fn column(self, values: &[Option<f64>]) -> (String, Vec<Cell>) {
        let largest = values.iter().flatten().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let scale = self.scale(largest);
        let digits = self.digits(scale.apply(largest));
        let cell = |value: &Option<f64>| match value {
            Some(value) => Cell::number(fixed(scale.apply(*value), digits), *value),
            None => Cell::text("–"),
        };
        (scale.unit.clone(), values.iter().map(cell).collect())
    }

    /// One value with its unit.
    pub fn text(self, value: f64) -> String {
        let scale = self.scale(value.abs());
        let digits = self.digits(scale.apply(value.abs()));
        format!("{} {}", fixed(scale.apply(value), digits), scale.unit).trim_end().to_owned()
    }
}

/// `count` with its digits in threes.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let breaks = |i: usize| i > 0 && (digits.len() - i).is_multiple_of(3);
    digits.char_indices().flat_map(|(i, digit)| breaks(i).then_some(',').into_iter().chain([digit])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_threes() {
        let shown = [0, 12, 999, 1000, 123_456, 10_000_000].map(grouped);
        assert_eq!(shown, ["0", "12", "999", "1,000", "123,456", "10,000,000"]);
    }
}
