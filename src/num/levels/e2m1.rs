use std::ops::RangeInclusive;

use super::definition::Levels;

/// 0, 0.5, 1, 1.5, 2, 3, 4 and 6 of either sign: the elements of MXFP4 (Open Compute Project, "OCP Microscaling Formats
/// (MX) Specification", version 1.0, 2023), in halves.
pub struct E2m1;

impl Levels for E2m1 {
    fn name(&self) -> &'static str {
        "e2m1"
    }

    fn widths(&self) -> RangeInclusive<u32> {
        4..=4
    }

    fn magnitudes(&self, _bits: u32) -> &'static [i32] {
        &[0, 1, 2, 3, 4, 6, 8, 12]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exponent e and fraction m are (1 + m/2) 2^(e-1), and m/2 where e is 0.
    #[test]
    fn magnitudes_are_those_of_the_format() {
        let value = |code: u32| match (code >> 1, f64::from(code & 1)) {
            (0, m) => m / 2.0,
            (e, m) => (1.0 + m / 2.0) * f64::from(e - 1).exp2(),
        };
        for (code, &magnitude) in E2m1.magnitudes(4).iter().enumerate() {
            assert_eq!(f64::from(magnitude) / 2.0, value(code as u32));
        }
    }
}
