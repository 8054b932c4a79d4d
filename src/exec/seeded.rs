//! Random weights whose batch normalizations fit what the network computes: for what a published
//! network costs, where its checkpoint is not at hand.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

use super::float::{FloatLayer, class_token, image, neuron, weighted, without_weights};
use super::live::Live;
use super::readout::float_readout;
use super::spare::Spare;
use crate::model::{
    FloatLeak, InputSpec, Leak, LearnedTokens, Network, Node, Op, Padding, Sample, Weighted, Weights,
    threshold_name,
};
use crate::tensor::{Frames, Tensor};

type Tensors = BTreeMap<String, Tensor<f32>>;

/// Numbers that a thread draws in a row.
const DRAWN_AT_ONCE: usize = 1 << 14;
/// Pixels that a thread normalizes in a row.
const PIXELS_AT_ONCE: usize = 64;

/// Side of the squares that the noise image is made of.
const SQUARE: usize = 8;

/// Weights of `seed`: uniform with variance 1/fan-in, gains near 1, shifts of 0 to 1/2, with which a tenth to a third of the neurons fire. The statistics of
/// every normalization are those of one image of noise, run through the network as far as it is made;
/// the same on every machine, because only correctly rounded operations make them.
pub fn seeded_weights(network: &Network, input: &InputSpec, seed: u64) -> Weights {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    let sample = dice.noise(network, input);
    let (mut live, mut spare) = (Live::new(network), Spare::default());
    let mut tensors = Tensors::new();
    // Per node, the folded bias of a weight layer: what the padding behind it may hold.
    let mut biases: Vec<Vec<f32>> = Vec::new();
    for (id, node) in network.iter() {
        let (value, bias) = match &node.op {
            Op::Input => (image(&sample, input), Vec::new()),
            Op::Weighted(op) => {
                let mut layer = dice.layer(node, op, &mut tensors);
                if op.padding == Padding::BiasOfInput {
                    layer.padding.clone_from(&biases[network.input_of(node, 0).inputs[0].index()]);
                }
                let input = live.input(node, 0);
                let value = weighted(op, &layer, input, spare.room(input.frames, node.shape));
                dice.normalize(value, layer.bias, op, &mut tensors)
            }
            Op::Neuron(op) => {
                if op.per_channel {
                    let (name, channels) = (threshold_name(&node.name), node.shape.channels);
                    tensors.insert(name, Tensor::new(vec![channels], vec![1.0; channels]));
                }
                let leak = initial_leak(node, op.leak, &mut tensors);
                let spikes = spare.room(network.timesteps, node.shape);
                (neuron(op, (&[1.0], &[leak]), live.input(node, 0), spikes), Vec::new())
            }
            Op::ClassToken(op) => {
                for parameter in node.parameters() {
                    let data = dice.list(parameter.len(), -0.5, 0.5);
                    tensors.insert(parameter.name, Tensor::new(parameter.shape, data));
                }
                let values = |name: &String| tensors[name].data.as_slice();
                let learned = LearnedTokens::new(values(&node.name), op.positions.as_ref().map(values));
                (class_token(&learned, live.input(node, 0), node.shape), Vec::new())
            }
            Op::Readout(op) => {
                let leaks = [initial_leak(node, op.leak, &mut tensors)];
                (float_readout(&leaks, op.over, live.input(node, 0), network.timesteps), Vec::new())
            }
            _ => (without_weights(node, (&live, &mut spare), network.timesteps), Vec::new()),
        };
        biases.push(bias);
        live.finish(id, node, value).into_iter().for_each(|read| spare.keep(read));
    }
    for parameter in &network.unused {
        let data = vec![0.0; parameter.len()];
        tensors.insert(parameter.name.clone(), Tensor::new(parameter.shape.clone(), data));
    }
    let note =
        format!("random weights of seed {seed}, normalizations calibrated on noise: accuracy means nothing");
    Weights::made(network, tensors, vec![note])
}

struct Dice(ChaCha8Rng);

impl Dice {
    /// Uniform in [low, high). Every thread draws a part of the one sequence.
    fn list(&mut self, length: usize, low: f32, high: f32) -> Vec<f32> {
        let first = self.0.get_word_pos();
        let mut list = vec![0.0; length];
        list.par_chunks_mut(DRAWN_AT_ONCE).enumerate().for_each(|(i, part)| {
            let mut dice = self.0.clone();
            dice.set_word_pos(first + (i * DRAWN_AT_ONCE) as u128);
            for value in part {
                let unit = (dice.next_u32() >> 8) as f32 / (1 << 24) as f32;
                *value = low + unit * (high - low);
            }
        });
        self.0.set_word_pos(first + length as u128);
        list
    }

    /// Squares of one value with noise on them; of events, nine pixels in ten see none.
    fn noise(&mut self, network: &Network, input: &InputSpec) -> Sample {
        let shape = network.nodes[0].shape;
        let frames = network.nodes[0].frames(network.timesteps);
        let max = u32::from(input.max());
        let (rows, columns) = (shape.height.div_ceil(SQUARE), shape.width.div_ceil(SQUARE));
        let squares: Vec<u32> =
            (0..rows * columns * shape.channels).map(|_| self.0.next_u32() % (max + 1)).collect();
        let mut sample = Frames::zeros(frames, shape);
        for (i, value) in sample.data.iter_mut().enumerate() {
            let (channel, column) = (i % shape.channels, i / shape.channels % shape.width);
            let row = i / shape.channels / shape.width % shape.height;
            let square = squares[(row / SQUARE * columns + column / SQUARE) * shape.channels + channel];
            let noise = self.0.next_u32();
            let seen = if input.is_constant() {
                (square + noise % (max + 1)).div_ceil(2)
            } else if noise.is_multiple_of(10) {
                1 + noise / 10 % max.min(3)
            } else {
                0
            };
            *value = seen as u16;
        }
        sample
    }

    /// Weights and bias of a layer; its normalizations are not known yet.
    fn layer(&mut self, node: &Node, op: &Weighted, tensors: &mut Tensors) -> FloatLayer {
        let fan_in = op.geometry.fan_in() as f32;
        let spread = (3.0 / fan_in).sqrt();
        let weight = self.list(op.geometry.weights(), -spread, spread);
        let bias = if op.bias {
            self.list(op.geometry.out_channels, -0.1, 0.1)
        } else {
            vec![0.0; op.geometry.out_channels]
        };
        let layer = FloatLayer::new(&op.geometry, |i| weight[i], bias.clone());
        let (mut weight, mut bias) = (Some(weight), Some(bias));
        for parameter in op.parameters(&node.name) {
            let scales = op.stored.as_ref().and_then(|stored| {
                let scales = stored.parameter(&node.name, op.geometry.out_channels)?;
                // None of the weights is larger.
                (scales == parameter).then(|| vec![stored.scale_of(spread); scales.len()])
            });
            let data = match (parameter.name.strip_prefix(&node.name), scales) {
                (_, Some(scales)) => Some(scales),
                (Some(".weight"), _) => weight.take(),
                (Some(".bias"), _) => bias.take(),
                _ => None,
            };
            let Some(data) = data else { continue };
            tensors.insert(parameter.name, Tensor::new(parameter.shape, data));
        }
        layer
    }

    /// Norm after norm: its mean and variance are those of `value`, its gain and shift are drawn.
    /// Yields the normalized value, and what becomes of `bias`.
    fn normalize(
        &mut self,
        mut value: Frames<f32>,
        mut bias: Vec<f32>,
        op: &Weighted,
        tensors: &mut Tensors,
    ) -> (Frames<f32>, Vec<f32>) {
        let channels = bias.len();
        let scale = op.layer_scale.as_ref().map(|name| (name, self.list(channels, 0.5, 1.0)));
        for norm in &op.norms {
            let (mean, variance) = statistics(&value);
            let (gain, shift) = (self.list(channels, 0.8, 1.2), self.list(channels, 0.0, 0.5));
            let apply = |x: f32, c: usize| {
                let normal = (x - mean[c]) / (variance[c] + 1e-5).sqrt();
                normal * gain[c] + shift[c]
            };
            map_in_place(&mut value, apply);
            bias = bias.iter().enumerate().map(|(c, &b)| apply(b, c)).collect();
            for (part, data) in
                [("weight", gain), ("bias", shift), ("running_mean", mean), ("running_var", variance)]
            {
                tensors.insert(format!("{norm}.{part}"), Tensor::new(vec![channels], data));
            }
        }
        if let Some((name, scale)) = scale {
            map_in_place(&mut value, |x, c| x * scale[c]);
            bias.iter_mut().zip(&scale).for_each(|(b, scale)| *b *= scale);
            tensors.insert(name.clone(), Tensor::new(vec![channels], scale));
        }
        (value, bias)
    }
}

/// Applies `f` to every value, with its channel.
fn map_in_place(value: &mut Frames<f32>, f: impl Fn(f32, usize) -> f32 + Sync) {
    let pixels = value.data.par_chunks_exact_mut(value.shape.channels).with_min_len(PIXELS_AT_ONCE);
    pixels.for_each(|pixel| pixel.iter_mut().enumerate().for_each(|(c, x)| *x = f(*x, c)));
}

/// Weights have variance 1/fan-in, so a layer varies about as much as its inputs are active: at least as
/// if one in a hundred were.
const LEAST_VARIANCE: f64 = 0.01;

/// Channels whose statistics a thread sums, pixel after pixel.
const CHANNELS_AT_ONCE: usize = 64;

/// Mean and variance of every channel. A channel that hardly varies counts as varying a hundredth of
/// what the others do: one image says little of it, and another must not be magnified without bound.
fn statistics(value: &Frames<f32>) -> (Vec<f32>, Vec<f32>) {
    let channels = value.shape.channels;
    let count = (value.data.len() / channels) as f64;
    let mut mean = vec![0.0f64; channels];
    let mut variance = vec![0.0f64; channels];
    let parts = mean.par_chunks_mut(CHANNELS_AT_ONCE).zip(variance.par_chunks_mut(CHANNELS_AT_ONCE));
    parts.enumerate().for_each(|(i, (mean, variance))| {
        let pixels = || value.data.chunks_exact(channels).map(|pixel| &pixel[i * CHANNELS_AT_ONCE..]);
        for pixel in pixels() {
            mean.iter_mut().zip(pixel).for_each(|(sum, &x)| *sum += f64::from(x) / count);
        }
        for pixel in pixels() {
            let squares = pixel.iter().zip(&*mean).map(|(&x, mean)| (f64::from(x) - mean).powi(2) / count);
            variance.iter_mut().zip(squares).for_each(|(sum, square)| *sum += square);
        }
    });
    let floor = (variance.iter().sum::<f64>() / channels as f64 / 100.0).max(LEAST_VARIANCE);
    let narrow = |list: &[f64], floor: f64| list.iter().map(|&x| x.max(floor) as f32).collect();
    (narrow(&mean, f64::NEG_INFINITY), narrow(&variance, floor))
}

/// The leak of `node` before it learned, and the tensor that says so.
fn initial_leak(node: &Node, leak: Leak, tensors: &mut Tensors) -> FloatLeak {
    if let (Leak::Parametric { of, .. }, Some(parameter)) =
        (leak, leak.parameter(&node.name, node.shape.channels))
    {
        let data = vec![of.initial(); parameter.len()];
        tensors.insert(parameter.name, Tensor::new(parameter.shape, data));
    }
    leak.initial().float
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Shape;

    #[test]
    fn statistics_by_hand() {
        let value = Frames { frames: 1, shape: Shape::new(2, 1, 2), data: vec![1.0, 5.0, 3.0, 5.0] };
        // Channel 0: mean 2, variance 1. Channel 1 does not vary.
        assert_eq!(statistics(&value), (vec![2.0, 5.0], vec![1.0, 0.01]));
    }
}
