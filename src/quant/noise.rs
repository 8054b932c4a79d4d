//! What rounding leaves of weights, before anything runs.

use super::calibration::Rows;
use super::quantizer::quantize_rows;
use super::stored_rows::of_classifier;
use super::{InputCoding, WeightScheme, real_layer};
use crate::error::{Error, Result};
use crate::model::{Model, Op};

/// Per weight layer, in order of execution, the sum of squared errors of its weights, each rounded to nearest by
/// `scheme`, beside the sum of their squares; 0 of a layer whose weights are all 0.
///
/// # Errors
/// If a layer's weights do not take the scheme.
pub fn rounding_noise(model: &Model, scheme: WeightScheme) -> Result<Vec<f64>> {
    let mut noise = Vec::new();
    for (id, node) in model.network.iter() {
        let Op::Weighted(weighted) = &node.op else { continue };
        let mut layer = real_layer(model, InputCoding::default(), node, weighted);
        let fan_in = weighted.geometry.fan_in();
        let refused = |message: String| Error::mismatch(format!("layer {}: {message}", node.name));
        let scheme = match model.network.classifier() == Some(id) {
            true => of_classifier(scheme, &mut layer, fan_in).map_err(refused)?,
            false => scheme,
        };
        let rows = quantize_rows(&layer.weight, scheme, fan_in).map_err(refused)?;
        noise.push(noise_of(&layer.weight, fan_in, &rows));
    }
    Ok(noise)
}

fn noise_of(weights: &[f64], fan_in: usize, rows: &Rows) -> f64 {
    let (mut errors, mut squares) = (0.0, 0.0);
    let codes = rows.codes.chunks_exact(fan_in).zip(&rows.lsbs);
    for (weights, (codes, lsb)) in weights.chunks_exact(fan_in).zip(codes) {
        for (weight, &code) in weights.iter().zip(codes) {
            errors += (weight - f64::from(code) * lsb).powi(2);
            squares += weight * weight;
        }
    }
    if squares > 0.0 { errors / squares } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows (3, 1) and (0, -4) at 2 bits: levels -3, 0, 3 leave an error of 1 of the first, whose square is a 26th of all;
    /// at 3 bits the steps are 1 and 4/3, and nothing is left.
    #[test]
    fn noise_by_hand() {
        let weights = [3.0, 1.0, 0.0, -4.0];
        let noise = |shorthand| {
            let scheme = WeightScheme::from_shorthand(shorthand, false).unwrap();
            noise_of(&weights, 2, &quantize_rows(&weights, scheme, 2).unwrap())
        };
        assert!((noise("w2") - 1.0 / 26.0).abs() < 1e-12, "{}", noise("w2"));
        assert!(noise("w3") < 1e-12, "{}", noise("w3"));
        assert_eq!(
            noise_of(
                &[0.0; 2],
                2,
                &Rows {
                    codes: vec![0; 2],
                    lsbs: vec![1.0],
                    scheme: WeightScheme::from_shorthand("w2", false).unwrap()
                }
            ),
            0.0
        );
    }

    /// A bit more halves every step of uniform weights, and leaves a quarter of the noise.
    #[test]
    fn a_bit_is_worth_a_quarter() {
        let model = crate::load::model("sdtv1_2-64_fashion").unwrap();
        let noise = |bits: u32| {
            let scheme = WeightScheme::from_shorthand(&format!("w{bits}"), false).unwrap();
            rounding_noise(&model, scheme).unwrap()
        };
        for bits in 4..8 {
            let layers = noise(bits).into_iter().zip(noise(bits + 1));
            layers.for_each(|(wide, narrow)| assert!((3.0..6.0).contains(&(wide / narrow)), "{bits}"));
        }
    }
}
