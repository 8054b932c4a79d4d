//! Every kernel against the scalar specification: ragged shapes, extreme weights, densities from 0 to 1,
//! all widths, with every instruction set of this processor.
//!
//! A sample of small integers becomes what a kernel reads through stages that copy it; codes, thresholds
//! and membrane words are set directly, so that nothing rounds the extremes away.

use spiq::num::signed_bits;
use spiq::quant::{MembraneWord, QuantizedAdd};

use super::fast::assert_fast;
use super::support::*;

/// What the layer under test reads.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    Spikes,
    /// Integer spikes up to this many.
    Levels(u32),
    /// Signed values of 16 bits on a grid, with zeros or the bias of the layer before as padding.
    Grid,
    PaddedGrid,
    /// Counts of events up to this many, as they are.
    Events(i64),
    /// One frame, at every timestep.
    Image,
}

#[derive(Debug, Clone)]
struct Case {
    source: Source,
    conv: Convolution,
    timesteps: usize,
    /// Bits of the codes.
    bits: u32,
    /// Inputs that are not zero, in sixteenths.
    density: i64,
    seed: u64,
}

fn cases(sources: &'static [Source], bits: std::ops::RangeInclusive<u32>) -> impl Strategy<Value = Case> {
    let channels = prop_oneof![
        3 => (1usize..=1, [1usize..=20, 1usize..=20]),
        1 => (1usize..=1, [60usize..=140, 1usize..=4]),
        1 => (2usize..=4, [1usize..=5, 1usize..=3]),
        1 => (2usize..=17, [1usize..=1, 1usize..=1]),
    ];
    let square = (prop_oneof![Just(1usize), Just(3), 2usize..=5], 1usize..=3, 0usize..=2);
    // Maps keep their size, also under an even number of taps that lie an even distance apart.
    let same = [(1usize..=5, 1usize..=3), (1usize..=5, 1usize..=3)].prop_map(|axes| {
        let even = axes.map(|(kernel, dilation)| (kernel, dilation + (kernel - 1) * dilation % 2));
        let pad = even.map(|(kernel, dilation)| (kernel - 1) * dilation / 2);
        (even.map(|(kernel, _)| kernel), [1; 2], pad, even.map(|(_, dilation)| dilation))
    });
    let free = ([1usize..=5, 1usize..=5], [1usize..=3, 1usize..=3], [0usize..=2, 0usize..=2]);
    let window = prop_oneof![
        3 => square.prop_map(|(kernel, stride, pad)| ([kernel; 2], [stride; 2], [pad; 2], [1; 2])),
        1 => (free, [1usize..=3, 1usize..=3]).prop_map(|((kernel, stride, pad), dilation)| {
            (kernel, stride, pad, dilation)
        }),
        1 => same,
    ];
    let size = prop_oneof![3 => [1usize..=9, 1usize..=9], 1 => [10usize..=18, 10usize..=18]];
    let rest = (size, 1usize..=5, bits, 0i64..=16, any::<u64>());
    (0..sources.len(), window, channels, rest)
        .prop_map(|(source, (kernel, stride, pad, dilation), (groups, per_group), rest)| {
            let (size, timesteps, bits, density, seed) = rest;
            let conv = Convolution::new([kernel, stride, pad, dilation], groups, per_group, size);
            Case { source: sources[source], conv, timesteps, bits, density, seed }
        })
        .prop_filter("the kernel fits", |case| case.conv.fits())
}

/// A network with everything that executes it.
struct Builder {
    net: NetworkBuilder,
    ops: Vec<QuantizedOp>,
    bounds: Vec<i64>,
}

const GRID: Format = Format { bits: 16, fraction_bits: 8 };
/// The largest event count; with it the grid reaches both of its ends.
const MAX_EVENT: i64 = 65_535;

impl Builder {
    fn new(shape: Shape, constant: bool, timesteps: usize, max: i64) -> (Self, NodeId) {
        let (net, input) = NetworkBuilder::new(shape, constant, timesteps);
        let ops = vec![QuantizedOp::Input { zero_points: vec![0; shape.channels], max }];
        (Self { net, ops, bounds: vec![max] }, input)
    }

    fn push(&mut self, op: QuantizedOp, bound: i64) {
        self.ops.push(op);
        self.bounds.push(bound);
    }

    /// A convolution of these codes.
    fn weighted(&mut self, name: &str, x: NodeId, conv: Conv, op: QuantizedWeighted) -> NodeId {
        let sums = op.codes.chunks_exact(op.geometry.fan_in());
        let largest = self.bounds[x.index()];
        let reach = |(codes, bias): (&[i32], &i64)| {
            let sum: i64 = codes.iter().map(|w| i64::from(w.abs())).sum();
            ((sum * largest) << op.fraction_bits) + bias.abs()
        };
        let bound = sums.zip(&op.bias).map(reach).max().unwrap();
        assert!(bound < 1 << 29, "{name}: {bound}");
        self.push(QuantizedOp::Weighted(op), bound);
        self.net.conv(name, x, conv).unwrap()
    }

    /// X = x + bias, channel by channel.
    fn copy(&mut self, name: &str, x: NodeId, bias: &[i64]) -> NodeId {
        let channels = self.net.shape(x).channels;
        let geometry = ConvGeometry::centred([1, 1], [channels; 2], channels);
        let op = quantized_weighted(geometry, vec![1; channels], bias.to_vec(), 0, None);
        self.weighted(name, x, Conv::new(channels, 1).groups(channels).bias(), op)
    }

    /// Fires where x is at least 1.
    fn spikes(&mut self, name: &str, x: NodeId) -> NodeId {
        let x = self.copy(&format!("{name}_copy"), x, &vec![0; self.net.shape(x).channels]);
        let membrane = Some(MembraneWord { bits: 16, discards: vec![0] });
        let op = QuantizedNeuron {
            thresholds: vec![1],
            keeps: vec![Keep::ALL],
            gains: vec![1.0],
            reset: QuantizedReset::Zero,
            strict: false,
            membrane,
        };
        self.push(QuantizedOp::Neuron(op), 1);
        self.net.neuron(name, x, Neuron { leak: Leak::None, ..Neuron::lif(1.0) }).unwrap()
    }

    /// The level that x is.
    fn levels(&mut self, name: &str, x: NodeId, max: u32) -> NodeId {
        let x = self.copy(&format!("{name}_copy"), x, &vec![0; self.net.shape(x).channels]);
        let thresholds = vec![(1..=i64::from(max)).collect()];
        self.push(QuantizedOp::Levels { thresholds }, i64::from(max));
        self.net.integer_neuron(name, x, IntegerNeuron { max, norm: 1 }).unwrap()
    }

    /// x + bias on a grid of 16 bits.
    fn grid(&mut self, x: NodeId, bias: &[i64]) -> NodeId {
        let x = self.copy("grid_copy", x, bias);
        let requantizers = vec![Requantizer { multiplier: 1, shift: 0 }];
        self.push(QuantizedOp::Requantize { requantizers, format: GRID }, -GRID.min());
        self.net.requantize("grid", x, Grid::Activation).unwrap()
    }

    /// Any neuron, with words so narrow that some clamp.
    fn neuron(&mut self, name: &str, x: NodeId, dice: &mut Dice) -> NodeId {
        let channels = self.net.shape(x).channels;
        let count = dice.pick(&[1, channels]);
        let bound = self.bounds[x.index()].max(2);
        let stated = dice.pick(&[
            Leak::None,
            Leak::Shift(1),
            Leak::Shift(1),
            Leak::Shift(2),
            Leak::Shift(5),
            Leak::Beta(0.0),
            Leak::Tau { tau: 1.5, decay_input: false },
            Leak::Tau { tau: 4.0, decay_input: true },
            Leak::Beta(0.9),
        ]);
        // One for all, or any for each channel.
        let (leak, keeps) = match dice.int(0, 2) {
            0 => {
                let any = |dice: &mut Dice| Keep::nearest(dice.real(0.0, 1.0));
                let keeps = (0..channels).map(|_| any(dice)).collect();
                (Leak::Parametric { decay_input: false, of: Learned::Beta, per_channel: true }, keeps)
            }
            _ => (stated, vec![stated.stated().keep]),
        };
        let (kind, strict) = (dice.int(0, 5), dice.int(0, 1) == 1);
        // A soft reset subtracts nothing that is negative.
        let lowest = if kind < 2 { -bound / 8 } else { i64::from(strict) };
        let thresholds: Vec<i64> = (0..count).map(|_| dice.int(lowest, bound / 2)).collect();
        let (reset, integers) = match kind {
            0 | 1 => (Reset::Zero, QuantizedReset::Zero),
            2 => (Reset::Subtract, QuantizedReset::Subtract),
            3 => (Reset::SubtractDelayed, QuantizedReset::SubtractDelayed),
            4 => (Reset::None, QuantizedReset::SubtractAmount { amounts: vec![0] }),
            _ => {
                let amounts = (0..dice.pick(&[1, channels])).map(|_| dice.int(1, bound)).collect();
                (Reset::SubtractAmount(1.0), QuantizedReset::SubtractAmount { amounts })
            }
        };
        let bits = dice.pick(&[2, 5, 8, 12, 16, 24, 32]);
        let discards = (0..count).map(|_| dice.int(0, i64::from(signed_bits(0, bound)) / 2) as u32).collect();
        let membrane = Some(MembraneWord { bits, discards });
        let op = QuantizedNeuron { thresholds, keeps, gains: vec![1.0], reset: integers, strict, membrane };
        self.push(QuantizedOp::Neuron(op), 1);
        let fire = if strict { Fire::AboveThreshold } else { Fire::AtThreshold };
        self.net.neuron(name, x, Neuron { leak, reset, fire, ..Neuron::lif(1.0) }).unwrap()
    }

    fn exact(&mut self, bound: i64) {
        self.push(QuantizedOp::Exact, bound);
    }

    /// Ends in logits: the sum over tokens and timesteps of spikes, counts or the stream.
    fn finish(mut self, x: NodeId) -> QuantizedModel {
        let (positions, timesteps) = (self.net.shape(x).positions() as i64, 5);
        let mean = self.net.mean_tokens("mean", x).unwrap();
        self.exact(self.bounds[x.index()] * positions);
        self.net.mean_timesteps("logits", mean).unwrap();
        self.exact(self.bounds[mean.index()] * timesteps);
        let network = self.net.finish(Vec::new()).unwrap();
        let model = QuantizedModel::from_integers(network, self.ops).unwrap();
        assert!(model.fits_32_bits(), "{:?}", model.bounds());
        model
    }
}

fn quantized_weighted(
    geometry: ConvGeometry,
    codes: Vec<i32>,
    bias: Vec<i64>,
    fraction_bits: u32,
    padding: Option<Vec<i64>>,
) -> QuantizedWeighted {
    let (lsb, scheme) = (vec![1.0; bias.len()], setting(INTEGERS, 16, 16, "").weights);
    let (accumulator_bits, accumulator) = (32, None);
    QuantizedWeighted {
        geometry,
        codes,
        bias,
        fraction_bits,
        lsb,
        scheme,
        padding,
        accumulator_bits,
        accumulator,
    }
}

/// Codes of `bits`: uniform, powers of two, or all of the largest magnitude.
fn codes(bits: u32, dice: &mut Dice, count: usize) -> Vec<i32> {
    let largest = (1i64 << (bits - 1)) - 1;
    let sign = dice.pick(&[-1, 1]);
    match dice.int(0, 4) {
        0 => vec![(sign * largest) as i32; count],
        1 => (0..count).map(|_| (dice.pick(&[-1, 1]) * largest) as i32).collect(),
        2 => (0..count).map(|_| dice.pick(&[-1, 0, 1]) << dice.int(0, i64::from(bits) - 2)).collect(),
        _ => (0..count).map(|_| dice.int(-largest, largest) as i32).collect(),
    }
}

/// Inputs of a case: as dense as it says, the largest value among them.
fn sample(case: &Case, dice: &mut Dice, shape: Shape) -> Sample {
    let frames = if case.source == Source::Image { 1 } else { case.timesteps };
    let largest = match case.source {
        Source::Spikes => 1,
        Source::Levels(max) => i64::from(max),
        Source::Grid | Source::PaddedGrid => MAX_EVENT,
        Source::Events(max) => max,
        Source::Image => 255,
    };
    let value = |dice: &mut Dice| match (dice.int(0, 15) < case.density, dice.int(0, 1)) {
        (false, _) => 0,
        (true, 0) => largest as u16,
        (true, _) => dice.int(1, largest) as u16,
    };
    Frames { frames, shape, data: (0..frames * shape.values()).map(|_| value(dice)).collect() }
}

/// The layer under test with its source, and a neuron behind it.
fn model_of(case: &Case, dice: &mut Dice) -> (QuantizedModel, Shape) {
    let geometry = case.conv.geometry;
    let (ins, outs, shape) = (geometry.in_channels, geometry.out_channels, case.conv.input());
    let max = match case.source {
        Source::Grid | Source::PaddedGrid => MAX_EVENT,
        Source::Events(max) => max,
        Source::Spikes | Source::Levels(_) | Source::Image => 255,
    };
    let constant = case.source == Source::Image;
    let (mut builder, input) = Builder::new(shape, constant, case.timesteps, max);
    let offsets: Vec<i64> = (0..ins).map(|_| dice.pick(&[-65_535, -32_768, -30_000, -1, 0])).collect();
    let mut conv = case.conv.layer();
    let x = match case.source {
        Source::Spikes => builder.spikes("spikes", input),
        Source::Levels(max) => builder.levels("levels", input, max),
        Source::Grid | Source::PaddedGrid => builder.grid(input, &offsets),
        Source::Events(_) | Source::Image => input,
    };
    let padding = (case.source == Source::PaddedGrid).then(|| {
        conv = conv.clone().pad_with_bias();
        offsets.iter().map(|&x| GRID.saturate(x).0).collect()
    });
    // What is left of 27 bits for codes and fraction bits.
    let log2 = |x: f64| x.log2().ceil() as u32;
    let taken = log2(geometry.fan_in() as f64) + log2(builder.bounds[x.index()] as f64);
    let bits = case.bits.min(28u32.saturating_sub(taken)).max(2);
    let codes = codes(bits, dice, geometry.weights());
    let fraction_bits = dice.int(0, (28 - i64::from(taken + bits)).clamp(0, 16)) as u32;
    let bias = (0..outs).map(|_| dice.int(-70_000, 70_000)).collect();
    let op = quantized_weighted(geometry, codes, bias, fraction_bits, padding);
    let x = builder.weighted("x", x, conv, op);
    let spikes = builder.neuron("lif", x, dice);
    (builder.finish(spikes), shape)
}

fn layer_case(case: &Case) -> Result<(), TestCaseError> {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(case.seed));
    let (model, shape) = model_of(case, &mut dice);
    assert_fast(&model, &sample(case, &mut dice, shape), &mut Workspace::default());
    Ok(())
}

/// One test per kind of input and width of code, which together decide the kernel.
macro_rules! weight_layers {
    ($($name:ident: $sources:expr, $bits:expr, $cases:expr;)*) => {
        $(
            #[test]
            fn $name() {
                repeat($cases, cases(&$sources, $bits), |case| layer_case(&case));
            }
        )*
    };
}

weight_layers! {
    spikes_and_codes_of_few_bits: [Source::Spikes], 2..=4, 150;
    spikes_and_codes_of_many_bits: [Source::Spikes], 5..=13, 150;
    spikes_and_codes_too_wide_for_tables: [Source::Spikes], 14..=18, 60;
    small_counts: [Source::Levels(1), Source::Levels(2), Source::Levels(4), Source::Levels(31)], 2..=9, 120;
    large_counts: [Source::Levels(32), Source::Levels(255)], 2..=9, 60;
    values_on_a_grid: [Source::Grid], 2..=4, 100;
    values_padded_with_a_bias: [Source::PaddedGrid], 2..=4, 100;
    events_and_images: [Source::Events(255), Source::Image], 2..=10, 100;
    events_beyond_16_bits: [Source::Events(65_535)], 2..=6, 60;
}

/// Attention of all kinds, masks of both shapes, poolings, sums and joins on `source`.
fn attention_case((channels, size, timesteps, density, seed): (usize, [usize; 2], usize, i64, u64)) {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    let shape = Shape::new(2 * channels, size[0], size[1]);
    let max = dice.pick(&[1, 1, 4, 7]);
    let (mut b, input) = Builder::new(shape, false, timesteps, max);
    let mut qkv = Vec::new();
    for name in ["q", "k", "v"] {
        qkv.push(match max {
            1 => b.spikes(name, input),
            max => b.levels(name, input, max as u32),
        });
    }
    let heads = dice.pick(&[1, 2, channels]);
    let (order, width) = (ProductOrder::QueryKeyFirst, (2 * channels / heads) as i64);
    let heads = if (2 * channels).is_multiple_of(heads) { heads } else { 1 };
    let op = Attention::Product { heads, scale: 1.0, order };
    let product = b.net.attention("product", &qkv, op).unwrap();
    b.exact(shape.positions() as i64 * width.max(2 * channels as i64) * max * max * max);
    let mut x = b.neuron("product_lif", product, &mut dice);
    if max == 1 {
        let count = b.net.attention("key_value", &qkv[1..], Attention::KeyValueCount).unwrap();
        b.exact(shape.positions() as i64);
        let by_channel = b.neuron("key_value_lif", count, &mut dice);
        let tokens = b.net.attention("tokens", &qkv[..1], Attention::ChannelCount { heads }).unwrap();
        b.exact(2 * channels as i64);
        let by_token = b.neuron("tokens_lif", tokens, &mut dice);
        let (first, second) = (
            b.net.mask("by_channel", qkv[0], by_channel).unwrap(),
            b.net.mask("by_token", x, by_token).unwrap(),
        );
        b.exact(1);
        b.exact(1);
        for (name, gate) in [("or", Gate::Or), ("and_not", Gate::AndNot)] {
            b.net.gate(name, first, dice.pick(&[second, qkv[0], qkv[2]]), gate).unwrap();
            b.exact(1);
        }
        x = b.net.add("sum", first, second).unwrap();
        b.exact(2);
        let more = b.net.add("more", x, qkv[2]).unwrap();
        b.exact(3);
        x = more;
    }
    let axis =
        |dice: &mut Dice| dice.pick(&[(1, 1, 0), (2, 2, 0), (3, 2, 1), (3, 1, 1), (5, 3, 2), (2, 1, 1)]);
    let rows = axis(&mut dice);
    let columns = if dice.int(0, 1) == 0 { rows } else { axis(&mut dice) };
    let window = Window {
        size: [rows.0, columns.0].into(),
        stride: [rows.1, columns.1].into(),
        pad: [rows.2, columns.2].into(),
    };
    if (0..2).all(|i| size[i] + 2 * window.pad.0[i] >= window.size.0[i]) {
        for (name, from) in [("pool_q", qkv[0]), ("pool_product", product), ("pool_x", x)] {
            b.net.max_pool(name, from, window).unwrap();
            b.exact(b.bounds[from.index()]);
        }
    }
    let model = b.finish(x);
    let value = |dice: &mut Dice| if dice.int(0, 15) < density { dice.int(1, max) as u16 } else { 0 };
    let data = (0..timesteps * shape.values()).map(|_| value(&mut dice)).collect();
    assert_fast(&model, &Frames { frames: timesteps, shape, data }, &mut Workspace::default());
}

#[test]
fn attention_masks_and_pooling() {
    let sizes = prop_oneof![3 => [1usize..=7, 1usize..=7], 1 => [8usize..=14, 8usize..=14]];
    let cases = (1usize..=20, sizes, 1usize..=4, 0i64..=16, any::<u64>());
    repeat(150, cases, |case| {
        attention_case(case);
        Ok(())
    });
}

/// The residual stream: requantizers and joins at the ends of their range, per channel and for all.
fn stream_case((channels, size, timesteps, seed): (usize, [usize; 2], usize, u64)) {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    let shape = Shape::new(channels, size[0], size[1]);
    let constant = dice.int(0, 1) == 0;
    let (mut b, input) = Builder::new(shape, constant, timesteps, MAX_EVENT);
    let format = Format { bits: dice.int(4, 24) as u32, fraction_bits: 4 };
    let any = |dice: &mut Dice| match dice.int(0, 3) {
        0 => Requantizer { multiplier: 1 << dice.int(0, 15), shift: 0 },
        1 => Requantizer { multiplier: 1, shift: dice.int(0, 62) as u32 },
        _ => Requantizer { multiplier: dice.int(32_768, 65_535) as u32, shift: dice.int(0, 40) as u32 },
    };
    let offsets = |dice: &mut Dice| (0..channels).map(|_| dice.int(-65_535, 1000)).collect::<Vec<i64>>();
    let biases = offsets(&mut dice);
    let x = b.copy("x", input, &biases);
    let requantizers = (0..dice.pick(&[1, channels])).map(|_| any(&mut dice)).collect();
    let stream = b.net.requantize("stream", x, Grid::Residual).unwrap();
    b.push(QuantizedOp::Requantize { requantizers, format }, -format.min());
    let biases = offsets(&mut dice);
    let branch = b.copy("branch", input, &biases);
    let by = (0..dice.pick(&[1, channels])).map(|_| any(&mut dice)).collect();
    let joined = b.net.add("join", stream, branch).unwrap();
    b.push(QuantizedOp::AddMembrane(QuantizedAdd { branch: Some(by), format }), -format.min());
    let twice = b.net.add("twice", joined, stream).unwrap();
    b.push(QuantizedOp::AddMembrane(QuantizedAdd { branch: None, format }), -format.min());
    let fired = b.spikes("spikes", input);
    let levels = b.levels("levels", input, 7);
    let mut x = twice;
    for (name, from) in [("fired", fired), ("leveled", levels)] {
        let requantizers = (0..dice.pick(&[1, channels])).map(|_| any(&mut dice)).collect();
        let identity = b.net.requantize(name, from, Grid::Residual).unwrap();
        b.push(QuantizedOp::Requantize { requantizers, format }, -format.min());
        // In either order.
        let sides = if dice.int(0, 1) == 0 { [x, identity] } else { [identity, x] };
        x = b.net.add(&format!("{name}_join"), sides[0], sides[1]).unwrap();
        b.push(QuantizedOp::AddMembrane(QuantizedAdd { branch: None, format }), -format.min());
    }
    let model = {
        let spikes = b.neuron("lif", x, &mut dice);
        b.finish(spikes)
    };
    let frames = if constant { 1 } else { timesteps };
    let data = (0..frames * shape.values()).map(|_| dice.int(0, MAX_EVENT) as u16).collect();
    assert_fast(&model, &Frames { frames, shape, data }, &mut Workspace::default());
}

#[test]
fn requantizers_and_joins() {
    repeat(150, (1usize..=9, [1usize..=9, 1usize..=9], 1usize..=4, any::<u64>()), |case| {
        stream_case(case);
        Ok(())
    });
}
