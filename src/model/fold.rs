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

/// PyTorch's default `eps` of batch normalization, which all families use.
const EPSILON: f64 = 1e-5;

/// w' = w g / sqrt(var + eps), b' = (b - mean) g / sqrt(var + eps) + beta, norm after norm; then both times the
/// layer's scale.
pub fn fold(weighted: &Weighted, layer: &LayerWeights) -> FoldedLayer {
    let fan_in = weighted.geometry.fan_in();
    let mut weight: Vec<f64> = layer.weight.iter().map(|&w| f64::from(w)).collect();
    let mut bias = match layer.bias {
        Some(bias) => bias.iter().map(|&b| f64::from(b)).collect(),
        None => vec![0.0; weighted.geometry.out_channels],
    };
    let mut steps: Option<Vec<f64>> =
        layer.scales.map(|scales| scales.iter().map(|&scale| f64::from(scale)).collect());
    let mut multiply = |weight: &mut [f64], channel: usize, factor: f64| {
        weight[channel * fan_in..][..fan_in].iter_mut().for_each(|w| *w *= factor);
        steps.iter_mut().for_each(|steps| steps[channel] *= factor);
    };
    for norm in &layer.norms {
        for (channel, bias) in bias.iter_mut().enumerate() {
            let gain = f64::from(norm.weight[channel]) / (f64::from(norm.variance[channel]) + EPSILON).sqrt();
            multiply(&mut weight, channel, gain);
            *bias = (*bias - f64::from(norm.mean[channel])) * gain + f64::from(norm.bias[channel]);
        }
    }
    for (channel, &scale) in layer.layer_scale.into_iter().flatten().enumerate() {
        multiply(&mut weight, channel, f64::from(scale));
        bias[channel] *= f64::from(scale);
    }
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
        // Then times -2 and 1/2.
        assert!(close(&folded.weight, &[-6.0, 10.0]), "{folded:?}");
        assert!(close(&folded.bias, &[0.0, -1.0]), "{folded:?}");
        assert!(close(&folded.steps.unwrap(), &[-1.0, 0.5]));
    }
}
