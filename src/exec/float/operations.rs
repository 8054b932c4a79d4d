//! Operations of the float reference that read no weights.

use super::super::fast::in_tiles;
use super::super::live::Live;
use super::super::spare::Spare;
use super::super::windows::fold_windows;
use super::attention::{channel_sum, head_of, mask, product};
use super::inputs::LOOKUPS_OF_AN_OPERATION;
use crate::model::{Attention, Gate, InputSpec, IntegerNeuron, LearnedTokens, Node, Op, Sample};
use crate::tensor::{Frames, Shape};

/// What an operation that reads no weights yields.
pub fn without_weights(
    node: &Node,
    (live, spare): (&Live<f32>, &mut Spare<f32>),
    timesteps: usize,
) -> Frames<f32> {
    let input = |i| live.input(node, i);
    let mut room = |inputs: [usize; 2]| {
        let frames = inputs.map(|i| input(i).frames);
        spare.room(frames[0].max(frames[1]), node.shape)
    };
    match &node.op {
        Op::IntegerNeuron(op) => integer_neuron(*op, input(0)),
        Op::Requantize(_) => input(0).clone(),
        Op::Add(_) => zip(input(0), input(1), room([0, 1]), |a, b| a + b),
        Op::Gate(Gate::Or) => zip(input(0), input(1), room([0, 1]), f32::max),
        Op::Gate(Gate::AndNot) => zip(input(0), input(1), room([0, 1]), |a, b| a * (1.0 - b)),
        Op::MaxPool(window) => fold_windows(window, input(0), room([0, 0]), f32::NEG_INFINITY, f32::max),
        Op::AvgPool(window) => {
            let mut means = fold_windows(window, input(0), room([0, 0]), 0.0, |a, b| a + b);
            means.data.iter_mut().for_each(|sum| *sum /= window.values() as f32);
            means
        }
        Op::PlanePool { heads } => plane_pool(input(0), *heads),
        Op::Attention(Attention::KeyValueCount) => {
            let (k, v) = (input(0), input(node.inputs.len() - 1));
            sum_tokens(&zip(k, v, spare.room(k.frames.max(v.frames), k.shape), |k, v| k * v))
        }
        Op::Attention(Attention::ChannelCount { heads }) => channel_sum(input(0), *heads),
        Op::Attention(Attention::Product { heads, scale, .. }) => {
            product(input(0), input(1), input(2), *heads).map(|x, _| x * *scale as f32)
        }
        Op::Mask => mask(input(0), input(1)),
        Op::MeanTokens => {
            let tokens = input(0).shape.positions() as f32;
            sum_tokens(input(0)).map(|sum, _| sum / tokens)
        }
        Op::MeanTimesteps => mean_timesteps(input(0), timesteps),
        Op::FirstToken => first_token(input(0), node.shape),
        Op::Input | Op::Weighted(_) | Op::Neuron(_) | Op::ClassToken(_) | Op::Readout(_) => {
            unreachable!("{} reads more than values", node.name)
        }
    }
}

/// The image in real numbers.
pub fn image(sample: &Sample, input: &InputSpec) -> Frames<f32> {
    match input {
        InputSpec::Image { mean, std, .. } => {
            let white = f64::from(input.max());
            sample.map(|p, c| ((f64::from(p) / white - mean[c]) / std[c]) as f32)
        }
        InputSpec::Events { .. } | InputSpec::Integers { .. } => {
            let zero = f32::from(input.zero_point());
            sample.map(|p, _| f32::from(p) - zero)
        }
    }
}

/// The token, then what is read with what is added to it.
pub fn class_token(learned: &LearnedTokens, input: &Frames<f32>, shape: Shape) -> Frames<f32> {
    let added = |i: usize| learned.positions.as_ref().map_or(0.0, |all| all[i]) as f32;
    let mut output = Frames::zeros(input.frames, shape);
    for t in 0..input.frames {
        let (token, rest) = output.frame_mut(t).split_at_mut(shape.channels);
        token.iter_mut().zip(&learned.token).for_each(|(out, &x)| *out = x as f32);
        rest.iter_mut().zip(input.at(t)).enumerate().for_each(|(i, (out, &x))| *out = x + added(i));
    }
    output
}

fn first_token(input: &Frames<f32>, shape: Shape) -> Frames<f32> {
    let data = (0..input.frames).flat_map(|t| &input.at(t)[..shape.channels]).copied();
    Frames { frames: input.frames, shape, data: data.collect() }
}

fn integer_neuron(op: IntegerNeuron, input: &Frames<f32>) -> Frames<f32> {
    input.map(|x, _| x.clamp(0.0, op.max as f32).round_ties_even() / op.norm as f32)
}

/// `f` of each pair in `output`, whatever it holds.
fn zip(
    a: &Frames<f32>,
    b: &Frames<f32>,
    mut output: Frames<f32>,
    f: impl Fn(f32, f32) -> f32 + Sync,
) -> Frames<f32> {
    let (frame, work) = (a.shape.values(), output.data.len() * LOOKUPS_OF_AN_OPERATION);
    in_tiles(work, 1, &mut output.data, |first, out| {
        let mut at = first;
        let mut rest = out;
        while !rest.is_empty() {
            let (t, inside) = (at / frame, at % frame);
            let (now, later) = rest.split_at_mut(rest.len().min(frame - inside));
            let pairs = a.at(t)[inside..].iter().zip(&b.at(t)[inside..]);
            now.iter_mut().zip(pairs).for_each(|(out, (&a, &b))| *out = f(a, b));
            at += now.len();
            rest = later;
        }
    });
    output
}

/// The largest of 3x3 neighbours in the plane of tokens and channels of a head.
fn plane_pool(input: &Frames<f32>, heads: usize) -> Frames<f32> {
    let (tokens, width) = (input.shape.positions(), input.shape.channels / heads);
    let mut output = input.clone();
    for t in 0..input.frames {
        let out = output.frame_mut(t);
        for (token, head) in (0..tokens).flat_map(|token| (0..heads).map(move |head| (token, head))) {
            for channel in 0..width {
                let neighbours = (token.saturating_sub(1)..(token + 2).min(tokens)).flat_map(|near| {
                    let row = head_of(input, t, near, head, heads);
                    &row[channel.saturating_sub(1)..(channel + 2).min(width)]
                });
                out[token * input.shape.channels + head * width + channel] =
                    neighbours.copied().fold(f32::NEG_INFINITY, f32::max);
            }
        }
    }
    output
}

fn sum_tokens(input: &Frames<f32>) -> Frames<f32> {
    let channels = input.shape.channels;
    let mut output = Frames::zeros(input.frames, Shape::new(channels, 1, 1));
    for t in 0..input.frames {
        for token in input.at(t).chunks_exact(channels) {
            output.frame_mut(t).iter_mut().zip(token).for_each(|(sum, &x)| *sum += x);
        }
    }
    output
}

fn mean_timesteps(input: &Frames<f32>, timesteps: usize) -> Frames<f32> {
    let mut output = Frames::zeros(1, input.shape);
    for t in 0..timesteps {
        output.data.iter_mut().zip(input.at(t)).for_each(|(sum, &x)| *sum += x / timesteps as f32);
    }
    output
}
