//! How energies and areas of operations depend on the operand width.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::Result;

/// `y` at `x` on the power law through `(x0, y0)` and `(x1, y1)`: a straight line over logarithms.
///
/// All coordinates are positive and `x0 < x1`. Between the points, `y` stays between theirs.
pub(crate) fn log_log(x: f64, (x0, y0): (f64, f64), (x1, y1): (f64, f64)) -> f64 {
    let y = y0 * (y1 / y0).powf((x / x0).ln() / (x1 / x0).ln());
    // Rounding must not break the order next to a point.
    if x0 <= x && x <= x1 { y.clamp(y0.min(y1), y0.max(y1)) } else { y }
}

/// An operation whose energy a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// Integer addition or subtraction.
    Add,
    /// Integer multiplication.
    Multiply,
    /// One write to a register.
    Register,
    /// Comparison with a threshold.
    Compare,
    /// A word gated by one bit, such as a weight by a spike.
    And,
    /// A shift by a variable count, such as a product with a power of two.
    Shift,
    /// A multiplexer, such as a choice of +w and -w.
    Select,
}

/// How a quantity depends on the operand width.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Law {
    /// Values by width, `{8: 0.03, 16: 0.05}`: power laws between neighbours, continued beyond the
    /// ends. One point alone scales in proportion.
    Points(Points),
    /// A multiple of the width, per bit.
    Linear(f64),
    /// `a b^2 + b b` for a width of b bits.
    Quadratic {
        /// Per bit squared.
        a: f64,
        /// Per bit.
        b: f64,
    },
    /// A multiple of another operation of the same width. Energies only.
    Fraction {
        /// Another operation, itself no fraction.
        of: Operation,
        /// What to multiply it by.
        factor: f64,
    },
}

/// Values by width in bits, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    points: Vec<(u32, f64)>,
    /// Values at 0, 1, 2 .. [`WHOLE_BITS`] bits: a mapper asks for such widths again and again, and a power takes long.
    /// Empty where something is wrong with the points.
    whole: Vec<f64>,
}

/// Widest width whose value is kept.
const WHOLE_BITS: u32 = 64;

impl Points {
    fn new(points: Vec<(u32, f64)>) -> Self {
        let mut points = Self { points, whole: Vec::new() };
        if points.fault().is_none() {
            let wider = (1..=WHOLE_BITS).map(|bits| points.between(f64::from(bits)));
            points.whole = std::iter::once(0.0).chain(wider).collect();
        }
        points
    }

    /// The value at a width; a negative one has none.
    pub(super) fn at(&self, bits: f64) -> f64 {
        let whole = bits as usize;
        match self.whole.get(whole) {
            Some(&value) if whole as f64 == bits => value,
            _ => self.between(bits),
        }
    }

    fn between(&self, bits: f64) -> f64 {
        let point = |i: usize| (f64::from(self.points[i].0), self.points[i].1);
        let Some(last) = self.points.len().checked_sub(2) else {
            let (width, value) = point(0);
            return value * bits / width;
        };
        let above = self.points.partition_point(|(width, _)| f64::from(*width) < bits);
        match self.points.get(above) {
            Some((width, value)) if f64::from(*width) == bits => *value,
            _ => {
                let low = above.saturating_sub(1).min(last);
                log_log(bits, point(low), point(low + 1))
            }
        }
    }

    /// What is wrong with the points, if anything.
    fn fault(&self) -> Option<String> {
        if self.points.is_empty() {
            return Some("Points: at least one point is needed".into());
        }
        for (bits, value) in &self.points {
            if *bits == 0 {
                return Some("Points: a width of 0 bits".into());
            }
            if let Some(fault) = not_positive(*value) {
                return Some(format!("Points: {fault} at {bits} bits"));
            }
        }
        self.points.windows(2).find_map(|pair| {
            let [(bits, value), (next_bits, next_value)] = [pair[0], pair[1]];
            if bits == next_bits {
                Some(format!("Points: {bits} bits given twice"))
            } else if bits > next_bits {
                Some(format!("Points: widths must ascend, and {next_bits} follows {bits}"))
            } else if value > next_value {
                Some(format!("Points: falls from {value} at {bits} bits to {next_value} at {next_bits} bits"))
            } else {
                None
            }
        })
    }
}

/// A map type of the standard library would drop repeated widths in silence.
impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PointsVisitor;
        impl<'de> Visitor<'de> for PointsVisitor {
            type Value = Points;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a map from bits to values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Points, A::Error> {
                let mut points = Vec::new();
                while let Some(point) = map.next_entry()? {
                    points.push(point);
                }
                Ok(Points::new(points))
            }
        }
        deserializer.deserialize_map(PointsVisitor)
    }
}

/// What is wrong with a figure that has to be positive, if anything.
pub(super) fn not_positive(value: f64) -> Option<String> {
    (!value.is_finite() || value <= 0.0).then(|| format!("{value} is not a positive number"))
}

impl Law {
    /// What is wrong with the law by itself, if anything.
    pub(super) fn fault(&self) -> Option<String> {
        match self {
            Self::Points(points) => points.fault(),
            Self::Linear(per_bit) => not_positive(*per_bit).map(|fault| format!("Linear: {fault}")),
            Self::Quadratic { a, b } => {
                let valid = |x: f64| x.is_finite() && x >= 0.0;
                (!valid(*a) || !valid(*b) || a + b == 0.0)
                    .then(|| format!("Quadratic: a = {a} and b = {b} must be at least 0, and not both 0"))
            }
            Self::Fraction { factor, .. } => not_positive(*factor).map(|fault| format!("Fraction: {fault}")),
        }
    }
}

/// One quantity of a table: `(law: Linear(0.009), source: "synthesis")`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// Dependence of the quantity on the operand width, in the unit of the field that holds it.
    pub law: Law,
    /// Where it comes from.
    pub source: String,
    /// Whether it is an assumption; false where the file leaves it out.
    #[serde(default)]
    pub assumed: bool,
}
