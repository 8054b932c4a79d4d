//! Prefixes and digits: one scale for a whole column or axis, chosen by its largest value.

/// A unit with prefix, and what to divide by to express a value in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    /// Base units per displayed unit.
    pub divisor: f64,
    /// The displayed unit, for instance `µJ`.
    pub unit: String,
}

impl Scale {
    /// SI prefix for values up to `largest` base units of `unit`.
    pub fn si(largest: f64, unit: &str) -> Self {
        const PREFIXES: [(i32, &str); 10] = [
            (12, "T"),
            (9, "G"),
            (6, "M"),
            (3, "k"),
            (0, ""),
            (-3, "m"),
            (-6, "µ"),
            (-9, "n"),
            (-12, "p"),
            (-15, "f"),
        ];
        let fits = |&&(exponent, _): &&(i32, &str)| largest >= 10f64.powi(exponent);
        let smallest = if largest > 0.0 { (-15, "f") } else { (0, "") };
        let (exponent, prefix) = PREFIXES.iter().find(fits).copied().unwrap_or(smallest);
        Self { divisor: 10f64.powi(exponent), unit: format!("{prefix}{unit}") }
    }

    /// SI prefix for things that are counted: never a fraction of `unit`.
    pub fn count(largest: f64, unit: &str) -> Self {
        Self::si(largest.max(1.0), unit)
    }

    /// Binary prefix for sizes up to `largest` bytes; a prefix above KiB is not used before ten of
    /// it, because accelerators are compared in KiB.
    pub fn bytes(largest: f64) -> Self {
        const PREFIXES: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
        let power = (0..PREFIXES.len())
            .rev()
            .find(|&k| largest >= 1024f64.powi(k as i32) * if k > 1 { 10.0 } else { 1.0 })
            .unwrap_or(0);
        Self { divisor: 1024f64.powi(power as i32), unit: PREFIXES[power].to_owned() }
    }

    /// `value` base units, in the displayed unit.
    pub fn apply(&self, value: f64) -> f64 {
        value / self.divisor
    }
}

/// Decimals that show `largest` with `digits` significant digits.
pub(super) fn decimals(largest: f64, digits: i32) -> usize {
    if !largest.is_finite() || largest <= 0.0 {
        return 1;
    }
    (digits - 1 - largest.log10().floor() as i32).clamp(0, 9) as usize
}

/// `value` with `decimals` digits after the point; never `-0`, and `n/a` where it is no number.
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "n/a".to_owned();
    }
    if value.abs() >= 1e9 {
        return format!("{value:.3e}");
    }
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|c| c == '0' || c == '.') => digits.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_follows_the_largest_value() {
        for (value, unit) in
            [(2e-4, "µJ"), (1e-3, "mJ"), (999e-12, "pJ"), (0.0, "J"), (3e-20, "fJ"), (5e16, "TJ")]
        {
            assert_eq!(Scale::si(value, "J").unit, unit, "{value}");
        }
        assert_eq!(Scale::count(0.5, "cycles").unit, "cycles");
        assert_eq!(Scale::count(2e6, "cycles").unit, "Mcycles");
    }

    #[test]
    fn bytes_use_binary_prefixes() {
        assert_eq!(Scale::bytes(0.0).unit, "B");
        assert_eq!(Scale::bytes(1023.0).unit, "B");
        assert_eq!(Scale::bytes(1024.0), Scale { divisor: 1024.0, unit: "KiB".into() });
        assert_eq!(Scale::bytes(3e6).unit, "KiB");
        assert_eq!(Scale::bytes(3e7).unit, "MiB");
    }

    #[test]
    fn digits_are_significant_digits() {
        assert_eq!(decimals(123.4, 4), 1);
        assert_eq!(decimals(1.234, 4), 3);
        assert_eq!(decimals(123_456.0, 4), 0);
        assert_eq!(decimals(0.0, 4), 1);
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(fixed(-0.01, 2), "-0.01");
        assert_eq!(fixed(f64::NAN, 2), "n/a");
    }
}
