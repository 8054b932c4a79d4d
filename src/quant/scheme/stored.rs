use super::codes::Codes;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_integers_and_refuses_the_rest() {
        assert_eq!(quantize(&[-128.0, 0.0, 127.0], 8).unwrap().codes, [-128, 0, 127]);
        assert_eq!(quantize(&[0.0, 128.0], 8).unwrap_err(), "weight 1 is 128, and no integer of 8 bits");
        assert_eq!(quantize(&[0.5], 8).unwrap_err(), "weight 0 is 0.5, and no integer of 8 bits");
    }
}
