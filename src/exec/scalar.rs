//! The specification: `docs/semantics.md` in Rust, one integer operation at a time.
//!
//! Every other implementation must agree with this one on every integer.

use super::activity::{Activity, NodeActivity, StepActivity, count_outputs, count_products};
use super::events::Events;
use super::neuron::{LeakyNeurons, LoihiNeurons, NeuronLayer};
use super::readout::readout as readout_of;
use super::windows::fold_windows;
use super::{Execution, live::Live};
use crate::model::{Attention, Gate, Kind, Network, Node, NodeId, Op, Sample};
use crate::num::{Accumulator, Format, Requantizer, Word};
use crate::quant::{
    QuantizedAdd, QuantizedModel, QuantizedOp, QuantizedTokens, QuantizedWeighted, per_channel,
};
use crate::tensor::{Frames, Shape};

/// Executes a quantized model in words of type `W`; [`QuantizedModel::fits_32_bits`] says which
/// suffices.
#[derive(Debug)]
pub struct ScalarExecutor<'a, W> {
    model: &'a QuantizedModel,
    /// Per node, weights as rows that one input gates.
    rows: Vec<Vec<W>>,
}

/// What a run shows of a node.
#[derive(Debug)]
pub enum Observed<'a, W> {
    /// What it yields, all timesteps.
    Value(&'a Frames<W>),
    /// What a layer of neurons keeps after timestep `t`, in the order of a frame.
    Membranes {
        /// Timestep.
        t: usize,
        /// One per neuron.
        values: &'a [W],
    },
}

impl<'a, W: Word> ScalarExecutor<'a, W> {
    /// Lays out the weights.
    pub fn new(model: &'a QuantizedModel) -> Self {
        Self::of_nodes(model, |_| true)
    }

    /// Lays out the weights of the nodes that `runs` names; only those can be run, by [`Self::node`].
    pub(super) fn of_nodes(model: &'a QuantizedModel, runs: impl Fn(NodeId) -> bool) -> Self {
        let rows = model.network().iter().map(|(id, _)| match model.op(id) {
            QuantizedOp::Weighted(weighted) if runs(id) => weight_rows(weighted),
            _ => Vec::new(),
        });
        Self { model, rows: rows.collect() }
    }

    /// Runs one image.
    pub fn run(&self, sample: &Sample) -> Execution<i64> {
        self.run_observed(sample, |_, _| ())
    }

    /// Runs one image and shows what every node yields.
    pub fn run_observed(
        &self,
        sample: &Sample,
        mut observe: impl FnMut(NodeId, &Frames<W>),
    ) -> Execution<i64> {
        self.trace(self.input(sample), |id, seen| match seen {
            Observed::Value(value) => observe(id, value),
            Observed::Membranes { .. } => (),
        })
    }

    /// Section 1: the integers that the first layer reads.
    pub fn input(&self, sample: &Sample) -> Frames<W> {
        input(&self.model.ops()[0], sample)
    }

    /// Runs on the integers of an input, and shows all that every node yields and keeps.
    pub fn trace(
        &self,
        input: Frames<W>,
        mut observe: impl FnMut(NodeId, Observed<'_, W>),
    ) -> Execution<i64> {
        let mut live = Live::new(self.model.network());
        let mut activity = Activity::default();
        let mut input = Some(input);
        for (id, node) in self.model.network().iter() {
            let (value, counted) = match input.take() {
                Some(input) => quiet(input),
                None => {
                    let inputs: Vec<_> = (0..node.inputs.len()).map(|i| live.input(node, i)).collect();
                    self.node(id, &inputs, &mut |t, values| observe(id, Observed::Membranes { t, values }))
                }
            };
            observe(id, Observed::Value(&value));
            activity.nodes.push(counted);
            live.finish(id, node, value);
        }
        let logits = live.into_last().map_or_else(Vec::new, |frames| frames.data);
        Execution { logits: logits.into_iter().map(Into::into).collect(), activity }
    }

    /// What node `id` yields and counts; `membranes` is shown what neurons keep after a timestep.
    pub(super) fn node(
        &self,
        id: NodeId,
        inputs: &[&Frames<W>],
        membranes: &mut impl FnMut(usize, &[W]),
    ) -> (Frames<W>, NodeActivity) {
        let (network, rows) = (self.model.network(), &self.rows[id.index()]);
        execute(network, network.node(id), (self.model.op(id), rows), inputs, membranes)
    }
}

/// What `node` yields of `inputs` with the integers of `op`, and counts; `rows` are the weights of a weight layer,
/// and `membranes` is shown what neurons keep after a timestep.
pub(super) fn execute<W: Word>(
    network: &Network,
    node: &Node,
    (op, rows): (&QuantizedOp, &[W]),
    inputs: &[&Frames<W>],
    membranes: &mut impl FnMut(usize, &[W]),
) -> (Frames<W>, NodeActivity) {
    let input = |i: usize| inputs[i];
    let (timesteps, channels) = (network.timesteps, node.shape.channels);
    match (&node.op, op) {
        (_, QuantizedOp::Weighted(op)) => {
            let multi_bit = network.input_of(node, 0).kind != Kind::Spikes;
            let mut counted = count_products(input(0), &op.geometry, multi_bit);
            let value = weighted(op, rows, input(0), node.shape, &mut counted);
            (value, counted)
        }
        (_, QuantizedOp::Neuron(op)) => {
            let mut layer = LeakyNeurons::new(op, channels, node.shape.values());
            neurons(&mut layer, input(0), timesteps, membranes)
        }
        (_, QuantizedOp::Loihi(op)) => {
            let mut layer = LoihiNeurons::new(op, channels, node.shape.values());
            neurons(&mut layer, input(0), timesteps, membranes)
        }
        (Op::Readout(readout), QuantizedOp::Readout(op)) => readout_of(op, readout.over, input(0), timesteps),
        (_, QuantizedOp::Levels { thresholds }) => levels(thresholds, input(0)),
        (_, QuantizedOp::Requantize { requantizers, format }) => requantize(requantizers, *format, input(0)),
        (_, QuantizedOp::AddMembrane(op)) => add_membrane(op, input(0), input(1)),
        (Op::Add(_), _) => quiet(zip(input(0), input(1), |a, b| a + b)),
        (Op::Gate(Gate::Or), _) => counted(zip(input(0), input(1), |a, b| a.max(b))),
        (Op::Gate(Gate::AndNot), _) => counted(zip(input(0), input(1), |a, b| a * (W::from(1) - b))),
        (Op::MaxPool(window), _) => {
            // Padding never wins, and on spikes the largest is an OR.
            let lowest = W::saturate(i64::MIN);
            let output = Frames::zeros(input(0).frames, node.shape);
            counted(fold_windows(window, input(0), output, lowest, |a, b| a.max(b)))
        }
        (Op::AvgPool(window), _) => {
            let output = Frames::zeros(input(0).frames, node.shape);
            counted(fold_windows(window, input(0), output, W::default(), |a, b| a + b))
        }
        (Op::Attention(attention), _) => match attention {
            Attention::KeyValueCount => counted(key_value_count(input(0), input(node.inputs.len() - 1))),
            Attention::ChannelCount { heads } => counted(channel_count(input(0), *heads)),
            Attention::Product { heads, .. } => counted(product(input(0), input(1), input(2), *heads)),
        },
        (Op::PlanePool { heads }, _) => counted(plane_pool(input(0), *heads)),
        (Op::Mask, _) => counted(mask(input(0), input(1))),
        (_, QuantizedOp::ClassToken(op)) => class_token(op, input(0), node.shape),
        (Op::FirstToken, _) => quiet(first_token(input(0), node.shape)),
        (Op::MeanTokens, _) => quiet(sum_tokens(input(0))),
        (Op::MeanTimesteps, _) => quiet(sum_timesteps(input(0), timesteps)),
        (op, _) => unreachable!("{op:?} is quantized to an operation of its own"),
    }
}

/// Section 1.
pub(super) fn input<W: Word>(op: &QuantizedOp, sample: &Sample) -> Frames<W> {
    match op {
        QuantizedOp::Input { zero_points, .. } => sample.map(|x, c| W::narrow(i64::from(x) - zero_points[c])),
        QuantizedOp::InputCodes { codes } => sample.map(|x, c| W::narrow(codes[c][usize::from(x)])),
        op => unreachable!("{op:?} is no input"),
    }
}

/// A value with nothing to count.
fn quiet<W>(value: Frames<W>) -> (Frames<W>, NodeActivity) {
    let steps = vec![StepActivity::default(); value.frames];
    (value, NodeActivity { steps })
}

/// A value whose non-zero entries are events.
fn counted<W: Word>(value: Frames<W>) -> (Frames<W>, NodeActivity) {
    let activity = count_outputs(&value);
    (value, activity)
}

pub(super) fn weight_rows<W: Word>(op: &QuantizedWeighted) -> Vec<W> {
    op.geometry.rows(|i| W::narrow(i64::from(op.codes[i])))
}

/// Section 3: acc = sum of weight times input; X = (acc << f) + bias.
fn weighted<W: Word>(
    op: &QuantizedWeighted,
    rows: &[W],
    input: &Frames<W>,
    shape: Shape,
    counted: &mut NodeActivity,
) -> Frames<W> {
    let g = &op.geometry;
    let outs = g.out_channels / g.groups;
    let bias: Vec<W> = op.bias.iter().map(|&b| W::narrow(b)).collect();
    let padding: Vec<W> = op.padding.iter().flatten().map(|&x| W::narrow(x)).collect();
    let padding = Events::of_pixels(std::iter::once(padding.as_slice()));
    let mut output = Frames::zeros(input.frames, shape);
    for t in 0..input.frames {
        let events = Events::new(input, t);
        for (position, out) in output.frame_mut(t).chunks_exact_mut(g.out_channels).enumerate() {
            for (tap, at) in g.taps_of(input.shape, position / shape.width, position % shape.width) {
                for &(channel, a) in at.map_or(padding.at(0), |at| events.at(at)) {
                    let channel = channel as usize;
                    let row = &rows[(tap * g.in_channels + channel) * outs..][..outs];
                    accumulate(&mut out[g.group_of(channel) * outs..][..outs], row, a);
                }
            }
            if let Some(accumulator) = op.accumulator {
                counted.steps[t].saturations += write_back(accumulator, out);
            }
            for (x, &b) in out.iter_mut().zip(&bias) {
                *x = (*x << op.fraction_bits) + b;
            }
        }
    }
    output
}

/// acc += row x input; a spike only gates its row.
fn accumulate<W: Word>(acc: &mut [W], row: &[W], a: W) {
    if a == W::from(1) {
        acc.iter_mut().zip(row).for_each(|(x, &w)| *x += w);
    } else {
        acc.iter_mut().zip(row).for_each(|(x, &w)| *x += w * a);
    }
}

/// Section 3: what a declared accumulator keeps of its sums; returns how many it changed.
fn write_back<W: Word>(accumulator: Accumulator, sums: &mut [W]) -> u32 {
    let mut changed = 0;
    for sum in sums {
        let (stored, overflowed) = accumulator.write_back((*sum).into());
        *sum = W::narrow(stored);
        changed += u32::from(overflowed);
    }
    changed
}

/// Section 4, all timesteps of a layer.
fn neurons<W: Word>(
    layer: &mut impl NeuronLayer<W>,
    input: &Frames<W>,
    timesteps: usize,
    membranes: &mut impl FnMut(usize, &[W]),
) -> (Frames<W>, NodeActivity) {
    let mut output = Frames::zeros(timesteps, input.shape);
    let mut steps = Vec::with_capacity(timesteps);
    for t in 0..timesteps {
        steps.push(layer.step(input.at(t), output.frame_mut(t)));
        membranes(t, layer.membranes());
    }
    (output, NodeActivity { steps })
}

/// Section 4, integer spikes: how many of the thresholds of its channel the input reaches.
fn levels<W: Word>(thresholds: &[Vec<i64>], input: &Frames<W>) -> (Frames<W>, NodeActivity) {
    let level = |x: W, c: usize| {
        let channel = if thresholds.len() == 1 { &thresholds[0] } else { &thresholds[c] };
        let reached = channel.iter().filter(|&&threshold| x.into() >= threshold).count();
        W::narrow(reached as i64)
    };
    let output = input.map(level);
    let mut activity = count_outputs(&output);
    activity.steps.iter_mut().for_each(|step| step.neuron_updates = input.shape.values() as u32);
    (output, activity)
}

/// Section 5: (acc M + 2^(S-1)) >> S, saturated.
fn requantize<W: Word>(by: &[Requantizer], format: Format, input: &Frames<W>) -> (Frames<W>, NodeActivity) {
    let grid = input.map(|x, c| per_channel(by, c).apply(x.into()));
    saturate(&grid, format)
}

/// Section 5: r = sat(r + requant(branch)).
fn add_membrane<W: Word>(
    op: &QuantizedAdd,
    stream: &Frames<W>,
    branch: &Frames<W>,
) -> (Frames<W>, NodeActivity) {
    let on_grid =
        |x: W, c: usize| op.branch.as_ref().map_or(x.into(), |by| per_channel(by, c).apply(x.into()));
    let sum = zip(&stream.map(|x, _| x.into()), &branch.map(on_grid), |a: i64, b| a + b);
    saturate(&sum, op.format)
}

/// Section 5: the token, then what is read with what is added to it, saturated.
fn class_token<W: Word>(op: &QuantizedTokens, input: &Frames<W>, shape: Shape) -> (Frames<W>, NodeActivity) {
    let added = |i: usize| op.positions.as_ref().map_or(0, |all| all[i]);
    let mut wide = Frames::zeros(input.frames, shape);
    for t in 0..input.frames {
        let (token, rest) = wide.frame_mut(t).split_at_mut(shape.channels);
        token.copy_from_slice(&op.token);
        rest.iter_mut().zip(input.at(t)).enumerate().for_each(|(i, (out, &x))| *out = x.into() + added(i));
    }
    saturate(&wide, op.format)
}

/// Section 7: the first position.
fn first_token<W: Word>(input: &Frames<W>, shape: Shape) -> Frames<W> {
    let data = (0..input.frames).flat_map(|t| &input.at(t)[..shape.channels]).copied();
    Frames { frames: input.frames, shape, data: data.collect() }
}

fn saturate<W: Word>(wide: &Frames<i64>, format: Format) -> (Frames<W>, NodeActivity) {
    let mut output = Frames::zeros(wide.frames, wide.shape);
    let mut steps = vec![StepActivity::default(); wide.frames];
    for (t, step) in steps.iter_mut().enumerate() {
        for (out, &x) in output.frame_mut(t).iter_mut().zip(wide.at(t)) {
            let (value, clamped) = format.saturate(x);
            step.saturations += u32::from(clamped);
            *out = W::narrow(value);
        }
    }
    (output, NodeActivity { steps })
}

/// Value by value; a side that is constant in time is repeated.
fn zip<T: Word>(a: &Frames<T>, b: &Frames<T>, f: impl Fn(T, T) -> T) -> Frames<T> {
    let frames = a.frames.max(b.frames);
    let data = (0..frames).flat_map(|t| a.at(t).iter().zip(b.at(t))).map(|(&a, &b)| f(a, b));
    Frames { frames, shape: a.shape, data: data.collect() }
}

/// Section 7: OR of 3x3 neighbours in the plane of tokens and channels of a head.
fn plane_pool<W: Word>(input: &Frames<W>, heads: usize) -> Frames<W> {
    let (tokens, channels, width) =
        (input.shape.positions(), input.shape.channels, input.shape.channels / heads);
    let mut output = input.clone();
    for t in 0..input.frames {
        let source = input.at(t);
        for (i, out) in output.frame_mut(t).iter_mut().enumerate() {
            let (token, channel) = (i / channels, i % channels);
            let first = channel / width * width;
            for near in token.saturating_sub(1)..(token + 2).min(tokens) {
                let row = &source[near * channels..][..channels];
                let beside = channel.saturating_sub(1).max(first)..(channel + 2).min(first + width);
                *out = row[beside].iter().fold(*out, |most, &x| most.max(x));
            }
        }
    }
    output
}

/// Section 6, SDSA-1: per channel, the tokens where key and value both fire.
fn key_value_count<W: Word>(k: &Frames<W>, v: &Frames<W>) -> Frames<W> {
    sum_tokens(&zip(k, v, |k, v| k * v))
}

/// Section 6, token attention: per token and head, the channels that fire.
fn channel_count<W: Word>(q: &Frames<W>, heads: usize) -> Frames<W> {
    let head = |channels: &[W]| channels.iter().fold(W::default(), |sum, &x| sum + x);
    let data = q.data.chunks_exact(q.shape.channels / heads).map(head).collect();
    Frames { frames: q.frames, shape: Shape { channels: heads, ..q.shape }, data }
}

/// Section 6, SSA and SDSA-3: q (k^T v), head by head.
fn product<W: Word>(q: &Frames<W>, k: &Frames<W>, v: &Frames<W>, heads: usize) -> Frames<W> {
    let (width, v_width) = (q.shape.channels / heads, v.shape.channels / heads);
    let frames = q.frames.max(k.frames).max(v.frames);
    let mut output = Frames::zeros(frames, v.shape);
    for t in 0..frames {
        for head in 0..heads {
            let row = |frames: &'_ Frames<W>, token: usize, i: usize| {
                let channels = frames.shape.channels;
                frames.at(t)[token * channels + head * (channels / heads) + i]
            };
            let mut pairs = vec![W::default(); width * v_width];
            for token in 0..q.shape.positions() {
                for (i, pair) in pairs.iter_mut().enumerate() {
                    *pair += row(k, token, i / v_width) * row(v, token, i % v_width);
                }
            }
            let out = output.frame_mut(t);
            for token in 0..q.shape.positions() {
                for (i, &pair) in pairs.iter().enumerate() {
                    let channel = head * v_width + i % v_width;
                    out[token * v.shape.channels + channel] += row(q, token, i / v_width) * pair;
                }
            }
        }
    }
    output
}

/// Spikes AND a mask with one position, or with one channel per head.
fn mask<W: Word>(spikes: &Frames<W>, by: &Frames<W>) -> Frames<W> {
    let shape = spikes.shape;
    let mut output = spikes.clone();
    for t in 0..spikes.frames {
        let gate = by.at(t);
        for (i, x) in output.frame_mut(t).iter_mut().enumerate() {
            let (position, channel) = (i / shape.channels, i % shape.channels);
            let head = channel * by.shape.channels / shape.channels;
            *x =
                *x * gate[if by.shape.positions() == 1 { head } else { position * by.shape.channels + head }];
        }
    }
    output
}

/// Section 7: the sum over positions.
fn sum_tokens<W: Word>(input: &Frames<W>) -> Frames<W> {
    let channels = input.shape.channels;
    let mut output = Frames::zeros(input.frames, Shape::new(channels, 1, 1));
    for t in 0..input.frames {
        for token in input.at(t).chunks_exact(channels) {
            output.frame_mut(t).iter_mut().zip(token).for_each(|(sum, &x)| *sum += x);
        }
    }
    output
}

/// Section 7: the sum over timesteps.
fn sum_timesteps<W: Word>(input: &Frames<W>, timesteps: usize) -> Frames<W> {
    let mut output = Frames::zeros(1, input.shape);
    for t in 0..timesteps {
        output.data.iter_mut().zip(input.at(t)).for_each(|(sum, &x)| *sum += x);
    }
    output
}
