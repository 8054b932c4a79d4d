use super::codes::{Scale, best_lsb, largest, octaves, powers};
use crate::num::{nearest_power_of_two, power_of_two};

/// Largest k of the levels +-2^k.
pub fn max_exponent(bits: u32) -> u32 {
    (1 << (bits - 1)) - 2
}

/// The level nearest to `steps`, the smaller magnitude on a tie, of those up to `largest`. Choices and no branches, of
/// which compilers make vectors.
fn nearest_level(steps: f64, largest: f64) -> f64 {
    let magnitude = steps.abs();
    let power = nearest_power_of_two(magnitude);
    let level = if power < 1.0 { 1.0 } else { power };
    let level = if level > largest { largest } else { level };
    let level = if magnitude > 0.5 { level } else { 0.0 };
    level.copysign(steps)
}

/// The largest level.
fn largest_level(bits: u32) -> f64 {
    power_of_two(max_exponent(bits) as i32)
}

/// The signed level nearest to weight / lsb.
pub fn code(weight: f64, lsb: f64, bits: u32) -> i32 {
    nearest_level(weight / lsb, largest_level(bits)) as i32
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
    let largest_level = largest_level(bits);
    let full = largest(weights) / largest_level;
    if full == 0.0 {
        return 1.0;
    }
    let level = |steps: f64| nearest_level(steps, largest_level);
    match scale {
        Scale::Free => best_lsb(weights, importance, octaves(full), level),
        Scale::Pow2 => best_lsb(weights, importance, powers(full), level),
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
        let steps = [0.5, 0.51, 1.5, 1.5f64.next_up(), 3.0, 3.0f64.next_up(), 100.0];
        assert_eq!(steps.map(|steps| nearest_level(steps, 4.0)), [0.0, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0]);
        assert_eq!(steps.map(|steps| code(-steps, 1.0, 3)), [0, -1, -1, -2, -2, -4, -4]);
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
