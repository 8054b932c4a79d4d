use super::codes::{Clip, Scale, best_lsb, largest, powers};
use crate::num::{Rounding, ceil_log2, half_even, power_of_two};

/// Scales tried below the one that represents the largest weight, for [`Clip::Mse`].
const SHRINK_STEPS: u32 = 80;

/// Largest code of `bits`.
fn limit(bits: u32) -> i64 {
    i64::from((1i32 << (bits - 1)) - 1)
}

/// clamp(round_half_even(w / lsb)) in the narrow range of `bits`.
pub fn code(weight: f64, lsb: f64, bits: u32) -> i32 {
    Rounding::HalfEven.round(weight / lsb).clamp(-limit(bits), limit(bits)) as i32
}

/// True in the narrow range of `bits`.
pub fn has_level(code: i32, bits: u32) -> bool {
    i64::from(code).abs() <= limit(bits)
}

/// The scale of `weights`, whose squared errors count as `importance` says.
pub fn lsb(weights: &[f64], importance: Option<&[f64]>, bits: u32, scale: Scale, clip: Clip) -> f64 {
    let full = largest(weights) / limit(bits) as f64;
    if full == 0.0 {
        return 1.0;
    }
    let limit = limit(bits) as f64;
    let level = |steps: f64| half_even(steps.clamp(-limit, limit));
    match (scale, clip) {
        (Scale::Free, Clip::Max) => full,
        (Scale::Pow2, Clip::Max) => power_of_two(ceil_log2(full)),
        (Scale::Free, Clip::Mse) => {
            let candidates = (0..SHRINK_STEPS).map(|i| full * (1.0 - f64::from(i) * 0.01));
            best_lsb(weights, importance, candidates, level)
        }
        (Scale::Pow2, Clip::Mse) => best_lsb(weights, importance, powers(full), level),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Codes;
    use super::*;
    use proptest::prelude::*;

    fn quantize(weights: &[f64], bits: u32, scale: Scale, clip: Clip) -> Codes {
        let lsb = lsb(weights, None, bits, scale, clip);
        Codes { lsb, codes: weights.iter().map(|&w| code(w, lsb, bits)).collect() }
    }

    #[test]
    fn three_bits_by_hand() {
        // Largest 3.1, limit 3: a power of two not below 3.1/3 is 2.
        let pow2 = quantize(&[3.1, -1.0, 1.0, 0.9, 3.0], 3, Scale::Pow2, Clip::Max);
        // 1.55 -> 2; -0.5 -> -0 (even); 0.5 -> 0; 0.45 -> 0; 1.5 -> 2 (even)
        assert_eq!(pow2, Codes { lsb: 2.0, codes: vec![2, 0, 0, 0, 2] });
        let free = quantize(&[3.0, -1.0, 0.4], 3, Scale::Free, Clip::Max);
        assert_eq!(free, Codes { lsb: 1.0, codes: vec![3, -1, 0] });
    }

    #[test]
    fn zeros_stay_zeros() {
        let codes = quantize(&[0.0; 4], 8, Scale::Free, Clip::Mse);
        assert_eq!(codes, Codes { lsb: 1.0, codes: vec![0; 4] });
    }

    proptest! {
        #[test]
        fn in_range_and_mse_never_worse_than_max(
            weights in prop::collection::vec(-2.0f64..2.0, 1..40), bits in 2u32..=8, pow2: bool,
        ) {
            let scale = if pow2 { Scale::Pow2 } else { Scale::Free };
            let error = |q: &Codes| -> f64 {
                weights.iter().zip(&q.codes).map(|(w, &c)| (f64::from(c) * q.lsb - w).powi(2)).sum()
            };
            let (max, mse) = (quantize(&weights, bits, scale, Clip::Max), quantize(&weights, bits, scale, Clip::Mse));
            prop_assert!(error(&mse) <= error(&max));
            let limit = (1 << (bits - 1)) - 1;
            prop_assert!(max.codes.iter().chain(&mse.codes).all(|c| c.abs() <= limit));
            // Nothing is clipped at `Max`, so no weight is further off than half a step.
            prop_assert!(weights.iter().zip(&max.codes).all(|(w, &c)| (f64::from(c) * max.lsb - w).abs() <= max.lsb * 0.5 + 1e-12));
            if pow2 {
                prop_assert_eq!(max.lsb.log2().fract(), 0.0);
                prop_assert_eq!(mse.lsb.log2().fract(), 0.0);
            }
        }
    }
}
