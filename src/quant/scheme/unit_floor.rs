use super::Codes;
use crate::num::Rounding;

/// floor(w 2^(b-1)); a weight outside -1..1 yields a code wider than `bits`.
pub fn quantize(weights: &[f64], bits: u32) -> Codes {
    let steps = f64::from(bits - 1).exp2();
    let code =
        |&w: &f64| Rounding::Floor.round(w * steps).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
    Codes { lsb: 1.0 / steps, codes: weights.iter().map(code).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_and_does_not_clamp() {
        let codes = quantize(&[0.3, -0.3, -0.25, 1.6], 3);
        assert_eq!(codes, Codes { lsb: 0.25, codes: vec![1, -2, -1, 6] });
    }
}
