use super::codes::Codes;
use crate::num::Rounding;

/// The weights as they are, one step worth 1.
///
/// # Errors
/// Names the first weight that is no integer of `bits` bits.
pub fn quantize(weights: &[f64], bits: u32) -> Result<Codes, String> {
    let largest = f64::from(bits - 1).exp2();
    let fits = |w: &f64| w.fract() == 0.0 && (-largest..largest).contains(w);
    match weights.iter().position(|w| !fits(w)) {
        Some(i) => Err(format!("weight {i} is {}, and no integer of {bits} bits", weights[i])),
        None => Ok(Codes { lsb: 1.0, codes: weights.iter().map(|&w| w as i32).collect() }),
    }
}

/// The codes that `weights` of one channel are, each worth `step`. Where that is below 0 they change signs, and the
/// lowest of `bits` bits becomes one more than the largest: hardware holds it as it is, and negates the sum.
///
/// # Errors
/// Names the first weight whose code has more than `bits` bits.
pub fn with_step(weights: &[f64], bits: u32, step: f64) -> Result<Codes, String> {
    if weights.iter().all(|&w| w == 0.0) {
        return Ok(Codes { lsb: 1.0, codes: vec![0; weights.len()] });
    }
    let limit = 1i64 << (bits - 1);
    let code = |&w: &f64| match Rounding::HalfEven.round(w / step) {
        code if (-limit..limit).contains(&code) => Ok(if step < 0.0 { -code } else { code } as i32),
        code => Err(format!("a weight is stored as {code}, and no code of {bits} bits")),
    };
    Ok(Codes { lsb: step.abs(), codes: weights.iter().map(code).collect::<Result<_, String>>()? })
}

/// True of codes of `bits` bits, and of the lowest with the sign of a step below 0.
pub fn has_level(code: i32, bits: u32) -> bool {
    i64::from(code).abs() <= 1 << (bits - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_integers_and_refuses_the_rest() {
        assert_eq!(quantize(&[-128.0, 0.0, 127.0], 8).unwrap().codes, [-128, 0, 127]);
        assert_eq!(quantize(&[0.0, 128.0], 8).unwrap_err(), "weight 1 is 128, and no integer of 8 bits");
        assert_eq!(quantize(&[0.5], 8).unwrap_err(), "weight 0 is 0.5, and no integer of 8 bits");
    }

    /// -8 of 4 bits is 8 of the other sign, but no channel holds an 8; nothing is worth any step.
    #[test]
    fn codes_of_a_step_of_either_sign() {
        let of = |weights: &[f64], step| with_step(weights, 4, step);
        let third = 1.0 / 3.0;
        let codes = |step, codes: &[i32]| Ok(Codes { lsb: step, codes: codes.to_vec() });
        assert_eq!(of(&[-8.0 * third, 7.0 * third, 0.0], third), codes(third, &[-8, 7, 0]));
        assert_eq!(of(&[8.0 * third, -7.0 * third], -third), codes(third, &[8, -7]));
        assert_eq!(of(&[0.0, 0.0], 0.0), codes(1.0, &[0, 0]));
        assert_eq!(of(&[8.0], 1.0).unwrap_err(), "a weight is stored as 8, and no code of 4 bits");
    }
}
