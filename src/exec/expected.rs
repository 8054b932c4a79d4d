//! The activity that rates lead one to expect, in the counters of an executed one.
//!
//! Every value of a layer is taken to be non-zero with the layer's rate, independent of the others and the
//! same at every timestep. A counter is its expectation, rounded to the nearest integer per timestep.

use std::collections::BTreeMap;

use super::activity::{Activity, NodeActivity, StepActivity, WAVE_SIZES};
use crate::model::{Attention, ConvGeometry, Join, Kind, Network, Node, NodeId, Op};
use crate::tensor::Shape;

/// Fills the gaps of `given`, per node: of a weight layer the fraction of its inputs that are not zero, of
/// any other that of its outputs. What does not follow from `given` stays `None`.
pub fn complete(network: &Network, given: Vec<Option<f64>>) -> Vec<Option<f64>> {
    let mut rates = given;
    for (id, node) in network.iter() {
        if rates[id.index()].is_none() {
            rates[id.index()] = follow(network, id, node, &rates);
        }
    }
    rates
}

/// The rate of `node` from those before it, or for a neuron from a weight layer that reads it.
fn follow(network: &Network, id: NodeId, node: &Node, rates: &[Option<f64>]) -> Option<f64> {
    // What a node yields; the rate of a weight layer is that of what it reads.
    let yielded = |input: NodeId| match network.node(input).kind.largest_count() {
        Some(_) => rates[input.index()],
        None => Some(1.0),
    };
    let inputs = || node.inputs.iter().map(|&input| yielded(input)).collect::<Option<Vec<f64>>>();
    match &node.op {
        Op::Weighted(_) => yielded(node.inputs[0]),
        _ if node.kind.largest_count().is_none() => Some(1.0),
        Op::Neuron(_) | Op::IntegerNeuron(_) => {
            let weighted = |(_, reader): &(NodeId, &Node)| matches!(reader.op, Op::Weighted(_));
            network.readers(id).filter(weighted).find_map(|(reader, _)| rates[reader.index()])
        }
        Op::MaxPool(window) => {
            let geometry = window.geometry(node.shape.channels);
            Some(any_of(inputs()?[0], &fan_ins(&geometry, network.input_of(node, 0).shape)))
        }
        Op::PlanePool { heads } => {
            Some(any_of(inputs()?[0], &neighbours(node.shape.positions(), node.shape.channels / heads)))
        }
        Op::Add(Join::Spikes) => Some(1.0 - inputs()?.iter().map(|rate| 1.0 - rate).product::<f64>()),
        Op::Mask => Some(inputs()?.iter().product()),
        Op::Attention(attention) => Some(attend(*attention, network.input_of(node, 0).shape, &inputs()?)),
        op => unreachable!("{op:?} yields no counts"),
    }
}

/// That one of `count` values of `rate` is not zero.
fn any(rate: f64, count: usize) -> f64 {
    1.0 - (1.0 - rate).powf(count as f64)
}

/// [`any`] of the windows, whose sizes are given, on average.
fn any_of(rate: f64, windows: &[usize]) -> f64 {
    windows.iter().map(|&size| any(rate, size)).sum::<f64>() / windows.len() as f64
}

/// Sizes of the 3x3 windows in a plane of tokens and channels.
fn neighbours(tokens: usize, channels: usize) -> Vec<usize> {
    let near = |i: usize, end: usize| (i + 2).min(end) - i.saturating_sub(1);
    (0..tokens).flat_map(|t| (0..channels).map(move |c| near(t, tokens) * near(c, channels))).collect()
}

/// That a count of an attention is not zero; `shape` is that of its first input, `rates` are those of all.
fn attend(attention: Attention, shape: Shape, rates: &[f64]) -> f64 {
    let tokens = shape.positions();
    match attention {
        // Key and value, or what is left of them after an AND.
        Attention::KeyValueCount => any(rates.iter().product(), tokens),
        Attention::ChannelCount { heads } => any(rates[0], shape.channels / heads),
        Attention::Product { heads, .. } => {
            let pair = any(rates[1] * rates[2], tokens);
            any(rates[0] * pair, shape.channels / heads)
        }
    }
}

/// What `network` does at `rates`, one per node; layers of unknown rate yield nothing that is counted.
pub fn activity(network: &Network, rates: &[Option<f64>]) -> Activity {
    let node = |(id, node): (NodeId, &Node)| {
        let step = step(network, node, rates[id.index()].unwrap_or(0.0));
        let frames = if node.constant { 1 } else { network.timesteps };
        NodeActivity { steps: vec![step; frames] }
    };
    Activity { nodes: network.iter().map(node).collect() }
}

fn step(network: &Network, node: &Node, rate: f64) -> StepActivity {
    let values = node.shape.values();
    let output_events = (rate * values as f64).round() as u32;
    match &node.op {
        Op::Weighted(op) => {
            let input = network.input_of(node, 0);
            products(&op.geometry, input.shape, input.kind != Kind::Spikes, rate)
        }
        Op::Neuron(_) | Op::IntegerNeuron(_) => {
            StepActivity { output_events, neuron_updates: values as u32, ..StepActivity::default() }
        }
        Op::MaxPool(_) | Op::PlanePool { .. } | Op::Attention(_) | Op::Mask => {
            StepActivity { output_events, ..StepActivity::default() }
        }
        _ => StepActivity::default(),
    }
}

/// One frame of a weight layer of which `rate` inputs are not zero.
fn products(geometry: &ConvGeometry, input: Shape, multi_bit: bool, rate: f64) -> StepActivity {
    let fan_ins: Vec<usize> =
        fan_ins(geometry, input).iter().map(|taps| taps * geometry.in_channels).collect();
    let gathered_events = (rate * fan_ins.iter().sum::<usize>() as f64).round() as u64;
    let mut step = StepActivity {
        input_events: (rate * input.values() as f64).round() as u32,
        gathered_events,
        wave_peaks: wave_peaks(&fan_ins, rate),
        ..StepActivity::default()
    };
    // Rounded as one.
    step.wave_peaks[0] = gathered_events as u32;
    let operations = gathered_events * (geometry.out_channels / geometry.groups) as u64;
    match multi_bit {
        true => step.multiplications = operations,
        false => step.accumulations = operations,
    }
    step
}

/// Per output position, the kernel taps that fall inside the input.
fn fan_ins(geometry: &ConvGeometry, input: Shape) -> Vec<usize> {
    let out = geometry.output(input).expect("checked when the network was built");
    let inside = |position: usize| {
        let taps = geometry.taps_of(input, position / out.width, position % out.width);
        taps.filter(|(_, at)| at.is_some()).count()
    };
    (0..out.positions()).map(inside).collect()
}

/// For 2^i consecutive positions, the expected events of the busiest, summed over waves; positions see
/// `fan_ins` inputs each, and are taken to be independent, although windows that overlap are not.
fn wave_peaks(fan_ins: &[usize], rate: f64) -> [u32; WAVE_SIZES] {
    let mut kinds = fan_ins.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    let binomials: Vec<Binomial> = kinds.iter().map(|&inputs| Binomial::new(inputs, rate)).collect();
    // Per wave, how many positions of each kind it has.
    let one_of = |inputs: &usize| kinds.iter().map(|kind| u32::from(kind == inputs)).collect();
    let mut waves: Vec<Vec<u32>> = fan_ins.iter().map(one_of).collect();
    std::array::from_fn(|_| {
        let mut alike: BTreeMap<&[u32], u32> = BTreeMap::new();
        waves.iter().for_each(|wave| *alike.entry(wave).or_default() += 1);
        let sum: f64 = alike.iter().map(|(wave, &count)| f64::from(count) * largest(&binomials, wave)).sum();
        let both = |pair: &[Vec<u32>]| match pair {
            [a, b] => a.iter().zip(b).map(|(a, b)| a + b).collect(),
            [last, ..] => last.clone(),
            [] => Vec::new(),
        };
        waves = waves.chunks(2).map(both).collect();
        sum.round() as u32
    })
}

/// Expected maximum of independent numbers of which `counts[i]` are distributed as `binomials[i]`: the sum
/// over k of 1 - P(all <= k).
fn largest(binomials: &[Binomial], counts: &[u32]) -> f64 {
    let drawn = || binomials.iter().zip(counts).filter(|(_, count)| **count > 0);
    let start = drawn().map(|(binomial, _)| binomial.start).max().unwrap_or(0);
    let end = drawn().map(|(binomial, _)| binomial.end()).max().unwrap_or(0);
    let all_below =
        |k| drawn().map(|(binomial, &count)| binomial.at_most(k).powi(count as i32)).product::<f64>();
    start as f64 + (start..end).map(|k| 1.0 - all_below(k)).sum::<f64>()
}

/// The distribution function of a binomial random number, where it differs from 0 and 1.
struct Binomial {
    /// Below, it is 0.
    start: usize,
    /// From `start` on; behind, it is 1.
    cumulative: Vec<f64>,
}

impl Binomial {
    /// Probabilities below this part of the largest are left out.
    const NEGLIGIBLE: f64 = 1e-18;

    /// Of `n` trials that succeed with probability `p`.
    fn new(n: usize, p: f64) -> Self {
        if p == 1.0 {
            return Self { start: n, cumulative: Vec::new() };
        }
        // P(k + 1) / P(k), so the probabilities follow from one another, up and down from the largest.
        let ratio = |k: usize| (n - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
        let mode = (((n + 1) as f64 * p) as usize).min(n);
        let (mut start, mut below) = (mode, Vec::new());
        let mut probability = 1.0;
        while start > 0 && probability > Self::NEGLIGIBLE {
            start -= 1;
            probability /= ratio(start);
            below.push(probability);
        }
        let mut probabilities: Vec<f64> = below.into_iter().rev().collect();
        probabilities.push(1.0);
        probability = 1.0;
        for k in mode..n {
            probability *= ratio(k);
            if probability <= Self::NEGLIGIBLE {
                break;
            }
            probabilities.push(probability);
        }
        let sum: f64 = probabilities.iter().sum();
        let mut so_far = 0.0;
        let mut cumulative: Vec<f64> = probabilities.iter().map(|x| (so_far += x, so_far / sum).1).collect();
        // The last is 1.
        cumulative.pop();
        Self { start, cumulative }
    }

    fn end(&self) -> usize {
        self.start + self.cumulative.len()
    }

    /// P(X <= k)
    fn at_most(&self, k: usize) -> f64 {
        match k.checked_sub(self.start) {
            None => 0.0,
            Some(i) => self.cumulative.get(i).copied().unwrap_or(1.0),
        }
    }
}
