//! The reference in single precision: what the checkpoint means before quantization.

use super::activity::{Activity, NodeActivity, StepActivity, count_outputs, count_products};
use super::events::Events;
use super::execution::run_counting;
use super::kernels::{self, Cpu, FloatNeuron, FloatReset};
use super::patterns::Pattern;
use super::readout::{float_readout, updates};
use super::windows::fold_windows;
use super::{Execution, live::Live};
use crate::model::{
    Attention, Fire, FloatLeak, Gate, InputSpec, IntegerNeuron, Kind, Leak, LearnedTokens, Model, Neuron,
    Node, NodeId, Op, Padding, Reset, Sample, Weighted, fold,
};
use crate::quant::{Calibration, per_channel};
use crate::tensor::{Frames, Shape};

/// Executes a model in `f32`, batch normalizations folded.
pub struct FloatExecutor<'a> {
    model: &'a Model,
    /// Per node; empty for all but weight layers.
    layers: Vec<FloatLayer>,
}

/// A weight layer as it is executed.
#[derive(Default)]
pub struct FloatLayer {
    /// Weights as rows that one input gates.
    pub rows: Vec<f32>,
    /// Per output channel.
    pub bias: Vec<f32>,
    /// What the padding holds, per input channel; empty for zeros.
    pub padding: Vec<f32>,
}

impl<'a> FloatExecutor<'a> {
    /// Folds and lays out the weights.
    pub fn new(model: &'a Model) -> Self {
        let mut layers: Vec<FloatLayer> = Vec::new();
        for node in &model.network.nodes {
            layers.push(match &node.op {
                Op::Weighted(weighted) => {
                    let mut layer = float_layer(model, node, weighted);
                    if weighted.padding == Padding::BiasOfInput {
                        let grid = model.network.input_of(node, 0);
                        layer.padding.clone_from(&layers[grid.inputs[0].index()].bias);
                    }
                    layer
                }
                _ => FloatLayer::default(),
            });
        }
        Self { model, layers }
    }

    /// Runs one image.
    pub fn run(&self, sample: &Sample) -> Execution<f32> {
        self.run_observed(sample, |_, _| ())
    }

    /// Runs one image and counts `patterns` of its spikes.
    pub fn run_with(&self, sample: &Sample, patterns: &[Pattern]) -> Execution<f32> {
        run_counting(&self.model.network, patterns, |observe| self.run_observed(sample, observe))
    }

    /// What one image says about the ranges of every node.
    pub fn calibrate(&self, sample: &Sample) -> Calibration {
        let mut calibration = Calibration::new(self.model.network.nodes.len());
        self.run_observed(sample, |id, value| {
            // What is no number would be lost in a maximum.
            let finite = |x: &f32| if x.is_finite() { x.abs() } else { f32::INFINITY };
            let magnitude = value.data.iter().map(finite).fold(0.0, f32::max);
            calibration.magnitude[id.index()] = f64::from(magnitude);
        });
        calibration
    }

    /// Runs one image and shows what every node yields.
    pub fn run_observed(
        &self,
        sample: &Sample,
        mut observe: impl FnMut(NodeId, &Frames<f32>),
    ) -> Execution<f32> {
        let mut live = Live::new(&self.model.network);
        let mut activity = Activity::default();
        for (id, node) in self.model.network.iter() {
            let value = self.node(id, node, &live, sample);
            observe(id, &value);
            activity.nodes.push(self.count(node, &live, &value));
            live.finish(id, node, value);
        }
        Execution { logits: live.into_last().map_or_else(Vec::new, |frames| frames.data), activity }
    }

    /// Runs one image and shows what every weight layer reads, and what its padding holds: one value per input
    /// channel, or none for zeros.
    pub fn run_inputs(&self, sample: &Sample, mut observe: impl FnMut(NodeId, &Frames<f32>, &[f32])) {
        self.run_observed(sample, |id, value| {
            let readers = self.model.network.readers(id);
            for (reader, _) in readers.filter(|(_, node)| matches!(node.op, Op::Weighted(_))) {
                observe(reader, value, &self.layers[reader.index()].padding);
            }
        });
    }

    fn node(&self, id: NodeId, node: &Node, live: &Live<f32>, sample: &Sample) -> Frames<f32> {
        match &node.op {
            Op::Input => image(sample, &self.model.description.input),
            Op::Weighted(op) => weighted(op, &self.layers[id.index()], live.input(node, 0), node.shape),
            Op::Neuron(op) => {
                let scales = self.model.weights.thresholds(node).unwrap_or(&[1.0]);
                let leaks: Vec<FloatLeak> =
                    self.model.weights.decays(node).into_iter().map(|decay| decay.float).collect();
                neuron(op, (scales, &leaks), live.input(node, 0), self.model.network.timesteps)
            }
            Op::ClassToken(op) => {
                class_token(&self.model.weights.class_token(node, op), live.input(node, 0), node.shape)
            }
            Op::Readout(op) => {
                let leaks: Vec<FloatLeak> =
                    self.model.weights.decays(node).into_iter().map(|decay| decay.float).collect();
                float_readout(&leaks, op.over, live.input(node, 0), self.model.network.timesteps)
            }
            _ => without_weights(node, live, self.model.network.timesteps),
        }
    }

    fn count(&self, node: &Node, live: &Live<f32>, value: &Frames<f32>) -> NodeActivity {
        match &node.op {
            Op::Weighted(op) => {
                let multi_bit = self.model.network.input_of(node, 0).kind != Kind::Spikes;
                count_products(live.input(node, 0), &op.geometry, multi_bit)
            }
            Op::Neuron(_) | Op::IntegerNeuron(_) => {
                let mut counted = count_outputs(value);
                counted.steps.iter_mut().for_each(|step| step.neuron_updates = node.shape.values() as u32);
                counted
            }
            Op::Readout(_) => updates(node.shape.values(), self.model.network.timesteps),
            op if op.passes_events() => count_outputs(value),
            _ => NodeActivity { steps: vec![StepActivity::default(); value.frames] },
        }
    }
}

/// What an operation that reads no weights yields.
pub fn without_weights(node: &Node, live: &Live<f32>, timesteps: usize) -> Frames<f32> {
    let input = |i| live.input(node, i);
    match &node.op {
        Op::IntegerNeuron(op) => integer_neuron(*op, input(0)),
        Op::Requantize(_) => input(0).clone(),
        Op::Add(_) => zip(input(0), input(1), |a, b| a + b),
        Op::Gate(Gate::Or) => zip(input(0), input(1), f32::max),
        Op::Gate(Gate::AndNot) => zip(input(0), input(1), |a, b| a * (1.0 - b)),
        Op::MaxPool(window) => fold_windows(window, input(0), node.shape, f32::NEG_INFINITY, f32::max),
        Op::AvgPool(window) => {
            let sums = fold_windows(window, input(0), node.shape, 0.0, |a, b| a + b);
            sums.map(|sum, _| sum / window.values() as f32)
        }
        Op::PlanePool { heads } => plane_pool(input(0), *heads),
        Op::Attention(Attention::KeyValueCount) => {
            sum_tokens(&zip(input(0), input(node.inputs.len() - 1), |k, v| k * v))
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

/// A weight layer with its normalizations folded in.
fn float_layer(model: &Model, node: &Node, weighted: &Weighted) -> FloatLayer {
    let folded = fold(weighted, &model.weights.layer(node, weighted));
    let rows = weighted.geometry.rows(|i| folded.weight[i] as f32);
    FloatLayer { rows, bias: folded.bias.iter().map(|&b| b as f32).collect(), padding: Vec::new() }
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

/// Weighted sums and bias.
pub fn weighted(op: &Weighted, layer: &FloatLayer, input: &Frames<f32>, shape: Shape) -> Frames<f32> {
    let g = &op.geometry;
    let (cpu, outs) = (Cpu::best(), g.out_channels / g.groups);
    let padding = Events::of_pixels(std::iter::once(layer.padding.as_slice()));
    let mut output = Frames::zeros(input.frames, shape);
    for t in 0..input.frames {
        let events = Events::new(input, t);
        for (position, out) in output.frame_mut(t).chunks_exact_mut(g.out_channels).enumerate() {
            out.copy_from_slice(&layer.bias);
            for (tap, at) in g.taps_of(input.shape, position / shape.width, position % shape.width) {
                let rows = &layer.rows[tap * g.in_channels * outs..][..g.in_channels * outs];
                let events = at.map_or(padding.at(0), |at| events.at(at));
                if g.groups == 1 {
                    kernels::add_rows(cpu, events, rows, out);
                    continue;
                }
                for &(channel, a) in events {
                    let channel = channel as usize;
                    let acc = &mut out[g.group_of(channel) * outs..][..outs];
                    acc.iter_mut().zip(&rows[channel * outs..]).for_each(|(x, &w)| *x += w * a);
                }
            }
        }
    }
    output
}

/// Spikes of all timesteps; `scales` multiply the threshold. They and `leaks` are per channel, or one for all.
pub fn neuron(
    op: &Neuron,
    (scales, leaks): (&[f32], &[FloatLeak]),
    input: &Frames<f32>,
    timesteps: usize,
) -> Frames<f32> {
    let channels = input.shape.channels;
    let heights: Vec<f64> = (0..channels).map(|c| op.height(per_channel(scales, c))).collect();
    let thresholds: Vec<f32> = heights.iter().map(|&height| height as f32).collect();
    let amounts: Vec<f32> = heights.iter().map(|&h| op.reset.amount(h).unwrap_or(0.0) as f32).collect();
    let mut membrane = vec![0.0f32; input.shape.values()];
    let mut current = vec![0.0f32; input.shape.values()];
    let mut output = Frames::zeros(timesteps, input.shape);
    let reset = match op.reset {
        Reset::Zero | Reset::To(_) => FloatReset::Zero,
        Reset::Subtract | Reset::SubtractAmount(_) | Reset::None => FloatReset::Subtract,
        Reset::SubtractDelayed => FloatReset::SubtractDelayed,
    };
    let fires = FloatNeuron { leaks, above: op.fire == Fire::AboveThreshold, reset };
    for t in 0..timesteps {
        let mut input = input.at(t);
        if let Leak::Loihi { current_decay, .. } = op.leak {
            let kept = (4095 - current_decay) as f32 / 4096.0;
            current.iter_mut().zip(input).for_each(|(i, &x)| *i = *i * kept + x);
            input = &current;
        }
        let (v, spikes) = (&mut membrane, output.frame_mut(t));
        kernels::float_neurons(Cpu::best(), fires, &thresholds, &amounts, input, v, spikes);
    }
    output
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

fn zip(a: &Frames<f32>, b: &Frames<f32>, f: impl Fn(f32, f32) -> f32) -> Frames<f32> {
    let frames = a.frames.max(b.frames);
    let data = (0..frames).flat_map(|t| a.at(t).iter().zip(b.at(t))).map(|(&a, &b)| f(a, b));
    Frames { frames, shape: a.shape, data: data.collect() }
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

fn channel_sum(q: &Frames<f32>, heads: usize) -> Frames<f32> {
    let data = q.data.chunks_exact(q.shape.channels / heads).map(|head| head.iter().sum()).collect();
    Frames { frames: q.frames, shape: Shape { channels: heads, ..q.shape }, data }
}

/// (q k^T) v, head by head.
fn product(q: &Frames<f32>, k: &Frames<f32>, v: &Frames<f32>, heads: usize) -> Frames<f32> {
    let tokens = q.shape.positions();
    let frames = q.frames.max(k.frames).max(v.frames);
    let mut output = Frames::zeros(frames, v.shape);
    for t in 0..frames {
        let out = output.frame_mut(t);
        for (i, j) in (0..tokens).flat_map(|i| (0..tokens).map(move |j| (i, j))) {
            for head in 0..heads {
                let score: f32 = head_of(q, t, i, head, heads)
                    .iter()
                    .zip(head_of(k, t, j, head, heads))
                    .map(|(q, k)| q * k)
                    .sum();
                if score != 0.0 {
                    let values = head_of(v, t, j, head, heads);
                    let first = i * v.shape.channels + head * values.len();
                    out[first..][..values.len()].iter_mut().zip(values).for_each(|(x, v)| *x += score * v);
                }
            }
        }
    }
    output
}

/// The channels of one head of one token.
fn head_of(frames: &Frames<f32>, t: usize, token: usize, head: usize, heads: usize) -> &[f32] {
    let (channels, width) = (frames.shape.channels, frames.shape.channels / heads);
    &frames.at(t)[token * channels + head * width..][..width]
}

fn mask(spikes: &Frames<f32>, by: &Frames<f32>) -> Frames<f32> {
    let (channels, by_channels) = (spikes.shape.channels, by.shape.channels);
    let mut output = spikes.clone();
    for t in 0..spikes.frames {
        let gate = by.at(t);
        for (token, values) in output.frame_mut(t).chunks_exact_mut(channels).enumerate() {
            let row =
                if by.shape.positions() == 1 { gate } else { &gate[token * by_channels..][..by_channels] };
            for (head, group) in values.chunks_exact_mut(channels / by_channels).enumerate() {
                group.iter_mut().for_each(|x| *x *= row[head]);
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
