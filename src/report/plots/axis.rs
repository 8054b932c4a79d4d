//! Ranges, ticks and their texts.

use super::super::units::fixed;

/// A range of values, already in the displayed unit, along a line of pixels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Axis {
    /// From zero to a little more than `largest`.
    pub fn from_zero(largest: f64) -> Self {
        Self { low: 0.0, high: if largest > 0.0 { largest * 1.02 } else { 1.0 }, logarithmic: false }
    }

    /// Around `values` with room at both ends, no narrower than `narrowest`.
    pub fn around(values: &[f64], narrowest: f64) -> Self {
        let (low, high) = extremes(values);
        let room = (0.12 * (high - low)).max(0.5 * (narrowest - (high - low)));
        let room = if room > 0.0 { room } else { 0.05 * high.abs().max(1.0) };
        let floor = if low >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
        Self { low: (low - room).max(floor), high: high + room, logarithmic: false }
    }

    /// Like [`Self::around`], but logarithmic where the values span more than a factor of six: on a
    /// linear axis one large value would press all others together.
    pub fn spread(values: &[f64]) -> Self {
        let (low, high) = extremes(values);
        if low > 0.0 && high > 6.0 * low {
            let room = (high / low).powf(0.12);
            return Self { low: low / room, high: high * room, logarithmic: true };
        }
        Self::around(values, 0.0)
    }

    /// What to add to the axis title.
    pub fn remark(&self) -> &'static str {
        if self.logarithmic { ", logarithmic" } else { "" }
    }

    /// Where `value` is: 0 at the low end, 1 at the high end.
    pub fn place(&self, value: f64) -> f64 {
        if self.logarithmic {
            return (value / self.low).ln() / (self.high / self.low).ln();
        }
        (value - self.low) / (self.high - self.low)
    }

    /// Round values inside the range, with their texts.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        if self.logarithmic { self.logarithmic_ticks() } else { self.linear_ticks() }
    }

    fn linear_ticks(&self) -> Vec<(f64, String)> {
        let raw = (self.high - self.low) / 9.0;
        let decade = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * decade).into_iter().find(|&s| s >= raw);
        let step = step.unwrap_or(10.0 * decade);
        let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        let (first, last) = ((self.low / step).ceil(), (self.high / step).floor());
        let count = (last - first).clamp(0.0, 12.0) as usize;
        let value = |index: usize| (first + index as f64) * step;
        (0..=count).map(|index| (value(index), fixed(value(index), decimals))).collect()
    }

    /// The wider the range, the fewer of every decade.
    fn logarithmic_ticks(&self) -> Vec<(f64, String)> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let steps: &[f64] = match (self.high / self.low).log10() {
            ..1.6 => &[1.0, 2.0, 3.0, 5.0, 7.0],
            1.6..3.5 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        (first..=last)
            .flat_map(|exponent| steps.iter().map(move |step| (step * 10f64.powi(exponent), exponent)))
            .filter(|(value, _)| (self.low..=self.high).contains(value))
            .map(|(value, exponent)| (value, fixed(value, (-exponent).clamp(0, 9) as usize)))
            .collect()
    }
}

fn extremes(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low.is_finite() && high.is_finite() { (low, high) } else { (0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(texts(&Axis::from_zero(99.0)), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(texts(&Axis::from_zero(0.7)), ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"]);
        assert_eq!(texts(&Axis::spread(&[20.0, 200.0])), ["20", "30", "50", "70", "100", "200"]);
        assert_eq!(texts(&Axis::spread(&[0.02, 0.3])), ["0.02", "0.03", "0.05", "0.07", "0.1", "0.2", "0.3"]);
        assert_eq!(Axis::spread(&[20.0, 200.0]).remark(), ", logarithmic");
    }

    #[test]
    fn every_range_has_a_width_and_holds_its_values() {
        for values in [vec![], vec![0.0], vec![5.0, 5.0], vec![-3.0, 4.0], vec![1e-9, 1e9], vec![91.4, 91.5]]
        {
            for axis in [Axis::around(&values, 1.0), Axis::spread(&values)] {
                assert!(!axis.ticks().is_empty(), "{axis:?}");
                for value in &values {
                    assert!((0.0..=1.0).contains(&axis.place(*value)), "{axis:?} {value}");
                }
            }
        }
    }
}
