use super::{InputCoding, QuantizedOp, input_integers};
use crate::model::{FoldedLayer, InputSpec, Model, Node, Weighted, fold};

/// Weights and bias of `node` in real numbers, normalizations folded in. Those of a layer that reads the
/// image carry its normalization, too: they multiply the image in steps of its integers. Codes that are stored stay
/// codes only where all channels of the image are scaled alike.
pub fn real_layer(model: &Model, coding: InputCoding, node: &Node, weighted: &Weighted) -> FoldedLayer {
    let mut layer = fold(weighted, &model.weights.layer(node, weighted));
    let input = &model.description.input;
    let (QuantizedOp::Input { zero_points, .. }, InputSpec::Image { mean, std, bits, .. }, 0) =
        (&input_integers(input, coding).0, input, node.inputs[0].index())
    else {
        return layer;
    };
    let (white, steps) = (f64::from(input.max()), f64::from(*bits).exp2());
    // x = (x_int + z - white mean) / (white std): the factor goes into the weights, what the
    // rounded zero point leaves into the bias.
    let (taps, group) = (weighted.geometry.taps(), weighted.geometry.fan_in() / weighted.geometry.taps());
    let outputs_per_group = weighted.geometry.out_channels / weighted.geometry.groups;
    for (out, row) in layer.weight.chunks_exact_mut(weighted.geometry.fan_in()).enumerate() {
        for (i, w) in row.iter_mut().enumerate() {
            let channel = out / outputs_per_group * group + i / taps;
            let constant = (zero_points[channel] as f64 - white * mean[channel]) / (white * std[channel]);
            layer.bias[out] += *w * constant;
            *w *= steps / (white * std[channel]);
        }
    }
    // Channels of the image that are worth different amounts leave no step of a code.
    let alike = std.iter().all(|x| *x == std[0]);
    layer.steps = layer.steps.filter(|_| alike);
    layer.steps.iter_mut().flatten().for_each(|step| *step *= steps / (white * std[0]));
    layer
}
