use super::{InputCoding, QuantizedOp};
use crate::model::InputSpec;
use crate::num::{Format, Rounding};

/// What the integers of `input` are, and what one step of them is worth.
pub fn input_integers(input: &InputSpec, coding: InputCoding) -> (QuantizedOp, Vec<f64>) {
    let max = i64::from(input.max());
    match (input, coding) {
        (InputSpec::Image { mean, std, bits, .. }, InputCoding::Fixed { bits: width, frac }) => {
            let grid = Format { bits: width, fraction_bits: frac };
            let white = ((1u32 << bits) - 1) as f64;
            let code = |p: i64, m: f64, s: f64| grid.quantize((p as f64 / white - m) / s);
            let codes = mean.iter().zip(std).map(|(&m, &s)| (0..=max).map(|p| code(p, m, s)).collect());
            (QuantizedOp::InputCodes { codes: codes.collect() }, vec![grid.lsb()])
        }
        (InputSpec::Image { mean, bits, .. }, InputCoding::ZeroPoint) => {
            let zero_points = mean.iter().map(|m| Rounding::HalfEven.round(max as f64 * m)).collect();
            // One pixel step is worth 2^-bits; weights absorb the rest of the normalization.
            (QuantizedOp::Input { zero_points, max }, vec![(-f64::from(*bits)).exp2()])
        }
        (InputSpec::Events { .. } | InputSpec::Integers { .. }, _) => {
            let zero_points = vec![i64::from(input.zero_point()); input.shape().channels];
            (QuantizedOp::Input { zero_points, max }, vec![1.0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Shape;

    #[test]
    fn signed_integers_have_a_zero_point() {
        let of = |zero_point| {
            let input = InputSpec::Integers { shape: Shape::new(2, 1, 1), max: 255, zero_point };
            input_integers(&input, InputCoding::ZeroPoint)
        };
        for zero_point in [0, 128] {
            let zero_points = vec![i64::from(zero_point); 2];
            assert_eq!(of(zero_point), (QuantizedOp::Input { zero_points, max: 255 }, vec![1.0]));
        }
    }
}
