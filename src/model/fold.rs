use rayon::prelude::*;

use super::{LayerWeights, Weighted};

/// A weight layer with its batch normalizations folded in, in double precision.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldedLayer {
    /// `[out][in / groups][tap]`.
    pub weight: Vec<f64>,
    /// `[out]`.
    pub bias: Vec<f64>,
    /// `[out]`: what one code is worth, where weights are stored as codes; below 0 where what follows changes signs.
    pub steps: Option<Vec<f64>>,
}

/// Weights that are worth a thread.
const WEIGHTS_OF_A_THREAD: usize = 1 << 14;

/// PyTorch's default `eps` of batch normalization, which all families use.
const EPSILON: f64 = 1e-5;

/// w' = w g / sqrt(var + eps), b' = (b - mean) g / sqrt(var + eps) + beta, norm after norm; then both times the
/// layer's scale.
pub fn fold(weighted: &Weighted, layer: &LayerWeights) -> FoldedLayer {
    let (channels, fan_in) = (weighted.geometry.out_channels, weighted.geometry.fan_in());
    let mut bias: Vec<f64> = match layer.bias {
        Some(bias) => bias.iter().map(|&b| f64::from(b)).collect(),
        None => vec![0.0; channels],
    };
    // Per channel, what its weights are multiplied by, one after the other.
    let mut factors: Vec<Vec<f64>> = vec![Vec::new(); channels];
    for norm in &layer.norms {
        for (channel, bias) in bias.iter_mut().enumerate() {
            let gain = f64::from(norm.weight[channel]) / (f64::from(norm.variance[channel]) + EPSILON).sqrt();
            factors[channel].push(gain);
            *bias = (*bias - f64::from(norm.mean[channel])) * gain + f64::from(norm.bias[channel]);
        }
    }
    for (channel, &scale) in layer.layer_scale.into_iter().flatten().enumerate() {
        factors[channel].push(f64::from(scale));
        bias[channel] *= f64::from(scale);
    }
    let multiplied =
        |x: f32, channel: usize| factors[channel].iter().fold(f64::from(x), |x, factor| x * factor);
    let mut weight = vec![0.0; layer.weight.len()];
    let rows = (weight.par_chunks_exact_mut(fan_in), layer.weight.par_chunks_exact(fan_in)).into_par_iter();
    let rows = rows.enumerate().with_min_len(WEIGHTS_OF_A_THREAD.div_ceil(fan_in));
    rows.for_each(|(channel, (folded, stored))| {
        folded.iter_mut().zip(stored).for_each(|(folded, &w)| *folded = multiplied(w, channel));
    });
    let step = |(channel, &scale): (usize, &f32)| multiplied(scale, channel);
    let steps = layer.scales.map(|scales| scales.iter().enumerate().map(step).collect());
    FoldedLayer { weight, bias, steps }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BatchNorm, ConvGeometry, Padding};

    #[test]
    fn two_norms_and_a_scale_by_hand() {
        let weighted = Weighted {
            geometry: ConvGeometry::centred([1, 1], [1, 2], 1),
            padding: Padding::Zero,
            bias: true,
            norms: vec!["a".into(), "b".into()],
            layer_scale: Some("scale".into()),
            linear: false,
            stored: None,
        };
        let variance = [4.0 - 1e-5, 0.25 - 1e-5];
        let norm =
            || BatchNorm { weight: &[2.0, 1.0], bias: &[0.5, 0.0], mean: &[1.0, 3.0], variance: &variance };
        let layer = LayerWeights {
            weight: &[3.0, 5.0],
            bias: Some(&[1.0, 4.0]),
            norms: vec![norm(), norm()],
            layer_scale: Some(&[-2.0, 0.5]),
            scales: Some(&[0.5, 0.25]),
        };
        let folded = fold(&weighted, &layer);
        // Gains 2/sqrt(4) = 1 and 1/sqrt(0.25) = 2, twice.
        // Channel 0: bias (1-1)*1+0.5 = 0.5, then (0.5-1)+0.5 = 0. Channel 1: (4-3)*2 = 2, (2-3)*2 = -2.
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        // A layer scale follows: times -2 and 1/2.
        assert!(close(&folded.weight, &[-6.0, 10.0]), "{folded:?}");
        assert!(close(&folded.bias, &[0.0, -1.0]), "{folded:?}");
        assert!(close(&folded.steps.unwrap(), &[-1.0, 0.5]));
    }
}
