//! Fusing a RepConv: 1x1, depthwise 3x3 and 1x1 with their normalizations are one dense 3x3.

use std::collections::BTreeMap;

use nalgebra::DMatrix;

use super::{FoldedLayer, Network, Weights, fold};
use crate::tensor::Tensor;

/// The weights of `fused` from those of `stored`, the same network with its RepConvs layer by layer.
///
/// Behind a border the depthwise layer sees what the first layer answers to zeros, its folded bias; so
/// the dense layer answers to zeros with its bias, and the two are equal everywhere.
///
/// # Panics
/// If `weights` are not those of `stored`.
pub fn fuse(stored: &Network, weights: &Weights, fused: &Network) -> Weights {
    let mut tensors: BTreeMap<_, _> =
        weights.tensors().map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect();
    let folded = |name: String| {
        let mut layers = stored.weighted();
        let (_, node, op) = layers.find(|(_, node, _)| node.name == name).expect("a layer of a RepConv");
        fold(op, &weights.layer(node, op))
    };
    for (_, node, op) in
        fused.weighted().filter(|(_, node, _)| !stored.weighted().any(|(_, n, _)| n.name == node.name))
    {
        let part = |part: &str| folded(format!("{}.0.body.{part}", node.name));
        let dense = fuse_layers(&part("0"), &part("2.0"), &part("2.1"), op.geometry.taps());
        let values = [("weight", dense.weight), ("bias", dense.bias)];
        for (parameter, (_, data)) in op.parameters(&node.name).into_iter().zip(values) {
            let data = data.into_iter().map(|x| x as f32).collect();
            tensors.insert(parameter.name, Tensor::new(parameter.shape, data));
        }
    }
    weights.with_tensors(tensors)
}

/// W[o][i][tap] = sum over m of W3[o][m] K[m][tap] W1[m][i]; the biases go the same way, the first
/// through all taps.
fn fuse_layers(first: &FoldedLayer, depthwise: &FoldedLayer, last: &FoldedLayer, taps: usize) -> FoldedLayer {
    let channels = first.bias.len();
    let w1 = DMatrix::from_row_slice(channels, channels, &first.weight);
    let w3 = DMatrix::from_row_slice(channels, channels, &last.weight);
    let kernel = |m: usize, tap: usize| depthwise.weight[m * taps + tap];
    let mut weight = vec![0.0; channels * channels * taps];
    for tap in 0..taps {
        let scaled = DMatrix::from_fn(channels, channels, |o, m| w3[(o, m)] * kernel(m, tap));
        let product = scaled * &w1;
        for (out, input) in (0..channels).flat_map(|out| (0..channels).map(move |input| (out, input))) {
            weight[(out * channels + input) * taps + tap] = product[(out, input)];
        }
    }
    let through = |m: usize| {
        let gain: f64 = (0..taps).map(|tap| kernel(m, tap)).sum();
        first.bias[m] * gain + depthwise.bias[m]
    };
    let bias = |out: usize| last.bias[out] + (0..channels).map(|m| w3[(out, m)] * through(m)).sum::<f64>();
    FoldedLayer { weight, bias: (0..channels).map(bias).collect(), steps: None }
}
