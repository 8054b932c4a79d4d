use super::codes::{Scale, best_lsb, largest, octaves, powers};

/// Largest k of the levels +-2^k.
pub fn max_exponent(bits: u32) -> u32 {
    (1 << (bits - 1)) - 2
}

/// The level nearest to `magnitude` steps, the smaller one on a tie.
fn nearest_level(magnitude: f64, max_exponent: u32) -> i32 {
    if magnitude <= 0.5 {
        return 0;
    }
    // The midpoint between 2^k and 2^(k+1) is 1.5 x 2^k.
    let exponent = (magnitude / 1.5).log2().ceil().max(0.0) as u32;
    1 << exponent.min(max_exponent)
}

/// The signed level nearest to weight / lsb.
pub fn code(weight: f64, lsb: f64, bits: u32) -> i32 {
    nearest_level(weight.abs() / lsb, max_exponent(bits)) * if weight < 0.0 { -1 } else { 1 }
}

/// True of 0 and the powers of two.
pub fn has_level(code: i32, bits: u32) -> bool {
    let magnitude = code.unsigned_abs();
    magnitude == 0 || (magnitude.is_power_of_two() && magnitude <= 1 << max_exponent(bits))
}

/// A sign above an exponent of one more than that of the power; 0 is 0.
pub fn stored(code: i32, bits: u32) -> i64 {
    match code {
        0 => 0,
        _ => i64::from(code < 0) << (bits - 1) | i64::from(code.unsigned_abs().ilog2() + 1),
    }
}

/// The scale of the smallest squared error of `weights`, which counts as `importance` says.
pub fn lsb(weights: &[f64], importance: Option<&[f64]>, bits: u32, scale: Scale) -> f64 {
    let full = largest(weights) / f64::from(max_exponent(bits)).exp2();
    if full == 0.0 {
        return 1.0;
    }
    let value = |w: f64, lsb: f64| f64::from(code(w, lsb, bits)) * lsb;
    match scale {
        Scale::Free => best_lsb(weights, importance, octaves(full), value),
        Scale::Pow2 => best_lsb(weights, importance, powers(full), value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Codes;
    use super::*;
    use proptest::prelude::*;

    fn quantize(weights: &[f64], bits: u32, scale: Scale) -> Codes {
        let lsb = lsb(weights, None, bits, scale);
        Codes { lsb, codes: weights.iter().map(|&w| code(w, lsb, bits)).collect() }
    }

    #[test]
    fn levels_by_hand() {
        assert_eq!([2, 3, 4].map(max_exponent), [0, 2, 6]);
        let levels = [0.5, 0.51, 1.5, 1.51, 3.0, 3.01, 100.0].map(|m| nearest_level(m, 2));
        assert_eq!(levels, [0, 1, 1, 2, 2, 4, 4]);
        assert_eq!([0, 1, -1, 4, -4].map(|code| stored(code, 3)), [0b000, 0b001, 0b101, 0b011, 0b111]);
    }

    proptest! {
        #[test]
        fn every_code_is_the_nearest_level(weights in prop::collection::vec(-1.0f64..1.0, 1..30), bits in 2u32..=4) {
            let q = quantize(&weights, bits, Scale::Free);
            let levels: Vec<f64> = std::iter::once(0.0)
                .chain((0..=max_exponent(bits)).flat_map(|k| [f64::from(1 << k), -f64::from(1 << k)])).collect();
            for (w, &c) in weights.iter().zip(&q.codes) {
                prop_assert!(levels.contains(&f64::from(c)));
                let best = levels.iter().map(|l| (l * q.lsb - w).abs()).fold(f64::INFINITY, f64::min);
                prop_assert!((f64::from(c) * q.lsb - w).abs() <= best + 1e-12);
            }
        }
    }
}
