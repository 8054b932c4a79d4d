//! The activity that rates lead one to expect, in the counters of an executed one.
//!
//! Every value of a layer is taken to be non-zero with the layer's rate, independent of the others and the
//! same at every timestep. A counter is its expectation, rounded to the nearest integer per timestep.

use std::collections::BTreeMap;

use super::activity::{Activity, NodeActivity, StepActivity, WAVE_SIZES};
use crate::model::{Attention, ConvGeometry, Gate, Join, Kind, Network, Node, NodeId, Op};
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
        Op::MaxPool(window) | Op::AvgPool(window) => {
            let geometry = window.geometry(node.shape.channels);
            Some(any_of(inputs()?[0], &fan_ins(&geometry, network.input_of(node, 0).shape)))
        }
        Op::PlanePool { heads } => {
            Some(any_of(inputs()?[0], &neighbours(node.shape.positions(), node.shape.channels / heads)))
        }
        Op::Add(Join::Spikes) => Some(1.0 - inputs()?.iter().map(|rate| 1.0 - rate).product::<f64>()),
        Op::Mask => Some(inputs()?.iter().product()),
        Op::FirstToken => Some(inputs()?[0]),
        Op::Gate(gate) => {
            let rates = inputs()?;
            Some(gated(*gate, rates[0], rates[1]))
        }
        Op::Attention(attention) => Some(attend(*attention, network.input_of(node, 0).shape, &inputs()?)),
        op => unreachable!("{op:?} yields no counts"),
    }
}

/// Probability that a gate fires, of a stream and a branch of these rates.
fn gated(gate: Gate, stream: f64, branch: f64) -> f64 {
    match gate {
        Gate::Or => 1.0 - (1.0 - stream) * (1.0 - branch),
        Gate::AndNot => stream * (1.0 - branch),
    }
}

/// Probability that one of `count` values of `rate` is not zero.
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

/// Probability that a count of an attention is not zero; `shape` is the shape of its first input, `rates` are the
/// rates of all inputs.
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
        let frames = node.steps(network.timesteps);
        NodeActivity { steps: vec![step; frames] }
    };
    Activity { nodes: network.iter().map(node).collect(), ..Activity::default() }
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
        Op::Readout(_) => StepActivity { neuron_updates: values as u32, ..StepActivity::default() },
        op if op.passes_events() => StepActivity { output_events, ..StepActivity::default() },
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
    if multi_bit {
        step.multiplications = operations
    } else {
        step.accumulations = operations
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

    /// Distribution of the successes of `n` trials that succeed with probability `p`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_three_by_one_image_by_hand() {
        // Two channels; a 1x3 kernel with padding 1 sees 2, 3 and 2 positions, so 4, 6 and 4 of 6 inputs.
        let step = products(&ConvGeometry::centred([1, 3], [2, 4], 1), Shape::new(2, 1, 3), false, 0.5);
        assert_eq!((step.input_events, step.gathered_events), (3, 7));
        assert_eq!((step.accumulations, step.multiplications), (28, 0));
        // Two at a time: the larger of 4 and of 6 coins, then 4 coins. With F = (1, 5, 11, 15, 16)/16 and
        // G = (1, 7, 22, 42, 57, 63, 64)/64, the first is 6 - (1 + 35 + 242 + 630 + 912 + 1008)/1024.
        let pair = 6.0 - 2828.0 / 1024.0;
        let found = largest(&[Binomial::new(4, 0.5), Binomial::new(6, 0.5)], &[1, 1]);
        assert!((found - pair).abs() < 1e-12, "{found}");
        let two: f64 = pair + 2.0;
        assert_eq!(step.wave_peaks[..2], [7, two.round() as u32]);
        // All at once, and every larger wave alike: 6 - (1 + 175 + 2662 + 9450 + 14592 + 16128)/16384.
        assert!(step.wave_peaks[2..].iter().all(|&peak| peak == 3), "{step:?}");
        assert_eq!(
            products(&ConvGeometry::centred([1, 3], [2, 4], 2), Shape::new(2, 1, 3), true, 0.5)
                .multiplications,
            14
        );
    }

    /// Against all outcomes of a few coins, one by one.
    #[test]
    fn the_busiest_of_three_positions_by_enumeration() {
        for p in [0.1, 0.5, 0.85] {
            let mut expected = 0.0;
            for coins in 0u32..1 << 9 {
                let heads = [coins & 7, coins >> 3 & 7, coins >> 6].map(u32::count_ones);
                let sum: u32 = heads.iter().sum();
                expected += f64::from(*heads.iter().max().unwrap())
                    * f64::powi(p, sum as i32)
                    * f64::powi(1.0 - p, 9 - sum as i32);
            }
            let found = largest(&[Binomial::new(3, p)], &[3]);
            assert!((found - expected).abs() < 1e-12, "{p}: {found} {expected}");
        }
    }

    /// Expected maximum of n standard normal numbers: 0.5642 of 2, 1.5388 of 10 (Harter, Biometrika 1961).
    #[test]
    fn many_inputs_are_distributed_as_normal_numbers() {
        for (count, normal) in [(2, 0.5642), (10, 1.5388)] {
            let (n, p) = (40_000.0, 0.3_f64);
            let peak = largest(&[Binomial::new(40_000, p)], &[count]);
            let score = (peak - n * p) / (n * p * (1.0 - p)).sqrt();
            assert!((score - normal).abs() < 0.01, "{score} {normal}");
        }
        let mean = largest(&[Binomial::new(4608, 0.137)], &[1]);
        assert!((mean - 4608.0 * 0.137).abs() < 1e-9, "{mean}");
    }

    #[test]
    fn no_rate_is_no_work_and_rate_one_is_all() {
        let (geometry, input) = (ConvGeometry::centred([3, 3], [6, 4], 1), Shape::new(6, 7, 9));
        assert_eq!(products(&geometry, input, false, 0.0), StepActivity::default());
        let all = crate::tensor::Frames { frames: 1, shape: input, data: vec![1u8; input.values()] };
        let executed = super::super::activity::count_products(&all, &geometry, false).steps[0];
        assert_eq!(products(&geometry, input, false, 1.0), executed);
    }

    #[test]
    fn more_spikes_are_more_work() {
        let geometry = ConvGeometry::centred([3, 3], [6, 4], 3);
        let steps: Vec<StepActivity> = (0..=100)
            .map(|i| products(&geometry, Shape::new(6, 7, 9), false, f64::from(i) / 100.0))
            .collect();
        for (less, more) in steps.iter().zip(&steps[1..]) {
            assert!(less.input_events <= more.input_events && less.gathered_events < more.gathered_events);
            assert!(less.accumulations < more.accumulations);
            assert!(less.wave_peaks.iter().zip(more.wave_peaks).all(|(less, more)| *less <= more));
        }
        // A wave is busier than its average and no busier than its positions together.
        for step in steps {
            for pair in step.wave_peaks.windows(2) {
                assert!(pair[1] <= pair[0] && 2 * pair[1] + 1 >= pair[0], "{pair:?}");
            }
        }
    }

    #[test]
    fn windows_fire_where_one_of_their_values_does() {
        // Windows of 2, 3 and 2 values.
        let windows = fan_ins(&ConvGeometry::centred([1, 3], [1, 4], 1), Shape::new(1, 1, 3));
        assert!((any_of(0.5, &windows) - (0.75 + 0.875 + 0.75) / 3.0).abs() < 1e-15);
        assert_eq!(neighbours(3, 2), [4, 4, 6, 6, 4, 4]);
        assert_eq!((any(0.0, 9), any(1.0, 9), any(0.25, 1)), (0.0, 1.0, 0.25));
    }

    #[test]
    fn gates_by_hand() {
        assert_eq!((gated(Gate::Or, 0.5, 0.25), gated(Gate::AndNot, 0.5, 0.25)), (0.625, 0.375));
    }

    #[test]
    fn counts_of_an_attention_by_hand() {
        let shape = Shape::new(4, 1, 2);
        let close = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-15, "{found} {wanted}");
        // Two tokens; both fire with 1/4, or with 1/2 where the AND has been taken already.
        close(attend(Attention::KeyValueCount, shape, &[0.5, 0.5]), 1.0 - 0.75 * 0.75);
        close(attend(Attention::KeyValueCount, shape, &[0.5]), 0.75);
        close(attend(Attention::ChannelCount { heads: 2 }, shape, &[0.5]), 0.75);
        // A count needs one of two channels of a head: q fires, and one of two tokens has both k and v.
        let order = crate::model::ProductOrder::KeyValueFirst;
        let product = Attention::Product { heads: 2, scale: 1.0, order };
        let channel = 0.5 * (1.0 - 0.75 * 0.75);
        close(attend(product, shape, &[0.5, 0.5, 0.5]), 1.0 - (1.0 - channel) * (1.0 - channel));
    }
}
