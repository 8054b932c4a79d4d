//! Numbers worked out by hand.

use super::naive::naive_grid;
use super::support::*;

/// Pixels (one channel, in a row) -> 1x1 convolution `x` with weight 1 -> neuron `lif`, with
/// V + X and the threshold `threshold` in steps: X = pixel - `zero_point`.
pub fn by_hand(
    timesteps: usize,
    neuron: Neuron,
    membrane_bits: u32,
    zero_point: u8,
    pixels: &[u16],
) -> (QuantizedModel, Run) {
    let (mut net, image) = NetworkBuilder::new(Shape::new(1, 1, pixels.len()), true, timesteps);
    let x = net.conv("x", image, Conv::new(1, 1)).unwrap();
    let spikes = net.neuron("lif", x, neuron).unwrap();
    let end = net.conv("end", spikes, Conv::new(1, 1)).unwrap();
    let network = finish(net, end);
    let ones = tensors(&network, |p| vec![1.0; p.len()]);
    let model = model(network, &[f64::from(zero_point) / 255.0], &ones);
    // Two bits are -1, 0 and 1: the code of 1.0 is 1, and a pixel step is worth 2^-8.
    let two = "Uniform(bits: 2, scale: Pow2, granularity: Layer, clip: Max)";
    let setting = setting(two, membrane_bits, 16, "(\"x\", Layer(fraction_bits: 0))");
    let quantized = quantize(&model, &setting, &Calibration::new(model.network.nodes.len())).unwrap();
    let run = run::<i32>(&quantized, &image_of(&quantized, pixels));
    (quantized, run)
}

/// The spike train of pixel `i`.
pub fn train(quantized: &QuantizedModel, run: &Run, i: usize) -> Vec<i64> {
    let spikes = &run.values[find(quantized.network(), "lif")];
    (0..quantized.network().timesteps).map(|t| spikes.at(t)[i]).collect()
}

/// Saturations of the neuron, per timestep.
pub fn clamped(quantized: &QuantizedModel, run: &Run, name: &str) -> Vec<u32> {
    let node = &run.execution.activity.nodes[find(quantized.network(), name)];
    node.steps.iter().map(|step| step.saturations).collect()
}

/// The real threshold whose integer is `th` after the doubling of tau = 2, at steps of 2^-8.
pub fn lif_at(th: i64) -> Neuron {
    Neuron::lif(th as f64 / 512.0)
}

#[test]
fn two_timesteps_of_a_neuron_by_hand() {
    let (quantized, run) = by_hand(2, lif_at(10), 16, 10, &[17, 16, 20, 19, 3, 10]);
    assert_eq!(neuron_of(&quantized, "lif").thresholds, [10]);
    assert_eq!(run.values[find(quantized.network(), "x")].data, [7, 6, 10, 9, -7, 0]);
    // 7: g = 7, V = 3, g = 10 fires. 6: V = 3, g = 9 does not. 10 fires at once, V = 0, again.
    // 9: V = 4, g = 13 fires. -7: V = -4, g = -11.
    let expected = [[0, 1], [0, 0], [1, 1], [0, 1], [0, 0], [0, 0]];
    for (i, train_of_i) in expected.iter().enumerate() {
        assert_eq!(train(&quantized, &run, i), train_of_i, "pixel {i}");
    }
    let activity = &run.execution.activity.nodes[find(quantized.network(), "lif")].steps;
    assert_eq!([activity[0].output_events, activity[1].output_events], [1, 3]);
    assert_eq!(activity[1].neuron_updates, 6);
}

#[test]
fn a_narrow_membrane_discards_and_saturates_by_hand() {
    // V is at most 39 >> 1 = 19, which has 5 bits: a signed word of 4 discards 2 of them.
    let (quantized, run) = by_hand(5, lif_at(40), 4, 110, &[131, 135, 0, 150, 87]);
    // 21: V = 10 -> 2 x 4 = 8; g = 29, V = 14 -> 12; g = 33, V = 16; g = 37, V = 18 -> 16; never
    // fires, while the wide membrane 10, 15, 18, 19 reaches g = 40 at the fifth step.
    assert_eq!(train(&quantized, &run, 0), [0, 0, 0, 0, 0]);
    let (wide, wide_run) = by_hand(5, lif_at(40), 16, 110, &[131, 135, 0, 150, 87]);
    assert_eq!(train(&wide, &wide_run, 0), [0, 0, 0, 0, 1]);
    // 25: 12 -> 12; g = 37, V = 18 -> 16; g = 41 fires; 12; 16.
    assert_eq!(train(&quantized, &run, 1), [0, 0, 1, 0, 0]);
    // -110: V = -55 -> -14, clamped to -8 x 4 = -32; then -142 >> 1 = -71 -> -18, clamped: each time.
    // -23: V = -12 -> -3 x 4; -35 >> 1 = -18 -> -5 x 4 = -20; -43 >> 1 = -22 -> -6 x 4 = -24;
    // -47 >> 1 = -24 -> -6 x 4; not once clamped.
    assert_eq!(clamped(&quantized, &run, "lif"), [1; 5]);
    assert_eq!(clamped(&wide, &wide_run, "lif"), [0; 5]);
    assert_eq!(train(&quantized, &run, 3), [1; 5]);
}

#[test]
fn a_membrane_above_its_word_is_clamped_by_hand() {
    let neuron = Neuron { leak: Leak::None, reset: Reset::Subtract, ..Neuron::lif(17.0 / 256.0) };
    let (quantized, run) = by_hand(4, neuron, 4, 0, &[40, 9]);
    // V < 17 has 5 bits: the word discards 2, and its highest is 7 x 4 = 28.
    // 40: fires, 23 -> 20; 60 fires, 43 -> 10 clamped to 7 x 4 = 28; 68 fires, 51 -> 12 clamped.
    // 9: 8; 17 fires, 0; 9 -> 8; 17 fires.
    assert_eq!(train(&quantized, &run, 0), [1; 4]);
    assert_eq!(train(&quantized, &run, 1), [0, 1, 0, 1]);
    assert_eq!(clamped(&quantized, &run, "lif"), [0, 1, 1, 1]);
}

#[test]
fn other_neurons_by_hand() {
    let neuron = |leak, reset, fire| Neuron { leak, reset, fire, ..Neuron::lif(10.0 / 256.0) };
    let train_of = |neuron, pixel| {
        let (quantized, run) = by_hand(5, neuron, 16, 0, &[pixel]);
        train(&quantized, &run, 0)
    };
    // 5, 10 fires and leaves 0, 5, 10.
    assert_eq!(train_of(neuron(Leak::None, Reset::Zero, Fire::AtThreshold), 5), [0, 1, 0, 1, 0]);
    // 5, 10 is not above 10, 15 fires.
    assert_eq!(train_of(neuron(Leak::None, Reset::Zero, Fire::AboveThreshold), 5), [0, 0, 1, 0, 0]);
    // 7, 14 leaves 4, 11 leaves 1, 8, 15.
    assert_eq!(train_of(neuron(Leak::None, Reset::Subtract, Fire::AtThreshold), 7), [0, 1, 1, 0, 1]);
    // 7, 14 leaves 4, 11 leaves 1, 8, 15: what is subtracted is 10, also where 10 does not fire.
    assert_eq!(train_of(neuron(Leak::None, Reset::Subtract, Fire::AboveThreshold), 7), [0, 1, 1, 0, 1]);
    // 7; 7/2 -> 3 + 7 = 10 fires and leaves 0; 7; 10; 7.
    assert_eq!(train_of(neuron(Leak::Shift(1), Reset::Subtract, Fire::AtThreshold), 7), [0, 1, 0, 1, 0]);
    // 8; 8/4 = 2 + 8 = 10 fires, leaves 0.
    assert_eq!(train_of(neuron(Leak::Shift(2), Reset::Zero, Fire::AtThreshold), 8), [0, 1, 0, 1, 0]);
    // tau = 2 and a soft reset: TH = 20; 15, V = 7; 22 fires, (22 - 20)/2 = 1; 16, V = 8; 23 fires.
    assert_eq!(
        train_of(neuron(Leak::HalfWithInput, Reset::Subtract, Fire::AtThreshold), 15),
        [0, 1, 0, 1, 0]
    );
    // tau = 4: TH = 40; 12, (25 x 3) >> 3 = 9, 21; 43 x 3 / 8 = 16, 28; 57 x 3 / 8 = 21, 33; 67 x 3 / 8 = 25, 37.
    let tau = |tau, decay_input| Leak::Tau { tau, decay_input };
    assert_eq!(train_of(neuron(tau(4.0, true), Reset::Zero, Fire::AtThreshold), 12), [0; 5]);
    // 13, 27 x 3 / 8 = 10, 23, 47 x 3 / 8 = 17, 30, 61 x 3 / 8 = 22, 35, 71 x 3 / 8 = 26, 39: one below 40.
    assert_eq!(train_of(neuron(tau(4.0, true), Reset::Zero, Fire::AtThreshold), 13), [0; 5]);
    // 14, 29 x 3 / 8 = 10, 24, 49 x 3 / 8 = 18, 32, 65 x 3 / 8 = 24, 38, 77 x 3 / 8 = 28, 42 fires.
    assert_eq!(train_of(neuron(tau(4.0, true), Reset::Zero, Fire::AtThreshold), 14), [0, 0, 0, 0, 1]);
    // tau = 1.5, TH = 15: 11, 11 / 3 = 3, 14, 14 / 3 = 4, 15 fires.
    assert_eq!(train_of(neuron(tau(1.5, true), Reset::Zero, Fire::AtThreshold), 11), [0, 0, 1, 0, 0]);
    // The input is not decayed: TH = 10; 7, 2, 9, 3, 10 fires.
    assert_eq!(train_of(neuron(tau(1.5, false), Reset::Zero, Fire::AtThreshold), 7), [0, 0, 1, 0, 0]);
    // The membrane keeps 3/4: 5, 11 x 3 / 8 = 4, 9, 19 x 3 / 8 = 7, 12 fires, 2 is left of it, 5 x 3 / 8 = 1, 6, 4,
    // 9.
    assert_eq!(train_of(neuron(Leak::Beta(0.75), Reset::Subtract, Fire::AtThreshold), 5), [0, 0, 1, 0, 0]);
    // 3/4, later: 5; 4 + 5 = 9; 7 + 5 = 12 fires, 25 x 3 / 8 = 9 without 10 is -1; -1 + 5 = 4; 3 + 5 = 8.
    assert_eq!(
        train_of(neuron(Leak::Beta(0.75), Reset::SubtractDelayed, Fire::AtThreshold), 5),
        [0, 0, 1, 0, 0]
    );
    // 12 fires each time but where 1/2 of it is missing: 6 - 10 = -4; 8, 4; 16, 8 - 10 = -2; 10, 5 - 10 = -5.
    assert_eq!(
        train_of(neuron(Leak::Shift(1), Reset::SubtractDelayed, Fire::AtThreshold), 12),
        [1, 0, 1, 1, 0]
    );
    // 15 from 20 before the leak: 12 fires, -3 >> 1 = -2; 10 fires, -5 >> 1 = -3; 9; 4 + 12 = 16, 1 >> 1 = 0; 12.
    let amount = Reset::SubtractAmount(15.0 / 256.0);
    assert_eq!(train_of(neuron(Leak::Shift(1), amount, Fire::AtThreshold), 12), [1, 1, 0, 1, 1]);
    // Nothing is reset: 4; 2 + 4 = 6; 3 + 4 = 7 never; 6, 9, 10 fires, 11, 11.
    assert_eq!(train_of(neuron(Leak::Shift(1), Reset::None, Fire::AtThreshold), 4), [0; 5]);
    assert_eq!(train_of(neuron(Leak::Shift(1), Reset::None, Fire::AtThreshold), 6), [0, 0, 1, 1, 1]);
    // A reset 6 below 0 is a threshold of 16 above it: 7, 14, 21 fires.
    let below = Reset::To(-6.0 / 256.0);
    assert_eq!(train_of(neuron(Leak::None, below, Fire::AtThreshold), 7), [0, 0, 1, 0, 0]);
    // Exactly 20 is at the threshold and not above it.
    assert_eq!(train_of(neuron(Leak::HalfWithInput, Reset::Zero, Fire::AtThreshold), 20), [1; 5]);
    assert_eq!(train_of(neuron(Leak::HalfWithInput, Reset::Zero, Fire::AboveThreshold), 20), [0, 1, 0, 1, 0]);
}

/// A network, all of whose parameters `value` yields, quantized with integer codes.
pub fn with_parameters(
    network: Network,
    mean: f64,
    setting: &FixedPoint,
    magnitude: &[(&str, f64)],
    value: impl FnMut(&Parameter) -> Vec<f32>,
) -> QuantizedModel {
    let mean = vec![mean; network.nodes[0].shape.channels];
    let values = tensors(&network, value);
    let mut calibration = Calibration::new(network.nodes.len());
    for (name, magnitude) in magnitude {
        calibration.magnitude[find(&network, name)] = *magnitude;
    }
    quantize(&model(network, &mean, &values), setting, &calibration).unwrap()
}

/// Two bits: -1, 0 and 1 are their own codes.
pub const TERNARY: &str = "Uniform(bits: 2, scale: Pow2, granularity: Layer, clip: Max)";

#[test]
fn the_residual_stream_saturates_at_both_ends_by_hand() {
    // Channels 0 minus 1 are the stream, 2 minus 3 the branch.
    let (mut net, image) = NetworkBuilder::new(Shape::new(4, 1, 5), true, 1);
    let a = net.conv("a", image, Conv::new(1, 1)).unwrap();
    let b = net.conv("b", image, Conv::new(1, 1)).unwrap();
    let stream = net.requantize("stream", a, Grid::Residual).unwrap();
    let sum = net.add("add", stream, b).unwrap();
    let network = finish(net, sum);
    // Twice 0.4 needs no integer bit: 4 bits, 3 behind the point, -8 to 7 steps of 1/8.
    let setting =
        setting(TERNARY, 16, 4, "(\"a\", Layer(fraction_bits: 0)), (\"b\", Layer(fraction_bits: 0))");
    let quantized = with_parameters(network, 0.0, &setting, &[("stream", 0.4)], |p| match p.name.as_str() {
        "a.weight" => vec![1.0, -1.0, 0.0, 0.0],
        _ => vec![0.0, 0.0, 1.0, -1.0],
    });
    assert_eq!(quantized.residual(), Format { bits: 4, fraction_bits: 3 });
    #[rustfmt::skip]
    let pixels = [
        224, 0, 32, 0, // 7 + 1 = 8 -> 7
        0, 224, 0, 64, // -7 - 2 = -9 -> -8
        0, 96, 255, 0, // -3 + (271 >> 5 = 8) = 5: only the sum is clamped, never the branch
        16, 0, 0, 16,  // 1 + 0: a half rounds up, also below zero
        255, 0, 0, 17, // 8 -> 7, and then 7 - 1 = 6
    ];
    let run = run::<i32>(&quantized, &image_of(&quantized, &pixels));
    assert_eq!(run.values[find(quantized.network(), "stream")].data, [7, -7, -3, 1, 7]);
    assert_eq!(run.values[find(quantized.network(), "add")].data, [7, -8, 5, 1, 6]);
    assert_eq!(clamped(&quantized, &run, "stream"), [1]);
    assert_eq!(clamped(&quantized, &run, "add"), [2]);
}

#[test]
fn a_requantizer_by_hand() {
    // 0.3 x 2^17 = 39321.6, so M = 39322. 5 x M + 65536 = 262146 = 2 x 2^17 + 2: 1.5 and a little is 2.
    let r = Requantizer::from_ratio(0.3).unwrap();
    assert_eq!(r, Requantizer { multiplier: 39322, shift: 17 });
    assert_eq!([5, -5, 4, -4, 0].map(|x| r.apply(x)), [2, -2, 1, -1, 0]);
    // Exact halves go up: 1.5 to 2, -1.5 to -1, 0.5 to 1, -0.5 to 0.
    let r = Requantizer { multiplier: 1, shift: 1 };
    assert_eq!([3, -3, 1, -1].map(|x| r.apply(x)), [2, -1, 1, 0]);
    assert_eq!(
        [3, -3, 1, -1].map(|x| naive_grid(x, Some(r), Format { bits: 8, fraction_bits: 0 }, 0, &mut 0)),
        [2, -1, 1, 0]
    );
}

#[test]
fn a_bias_of_half_a_step_rounds_to_even() {
    let (mut net, image) = NetworkBuilder::new(Shape::new(1, 1, 1), true, 1);
    let x = net.conv("x", image, Conv::new(6, 1).bias()).unwrap();
    let network = finish(net, x);
    let setting = setting(TERNARY, 16, 16, "(\"x\", Layer(fraction_bits: 1))");
    // One step of X is 2^-9.
    let halves = [0.5f32, 1.5, 2.5, -0.5, -1.5, 2.75];
    let quantized = with_parameters(network, 0.0, &setting, &[], |p| match p.name.as_str() {
        "x.bias" => halves.iter().map(|h| h / 512.0).collect(),
        _ => vec![1.0; p.len()],
    });
    assert_eq!(weighted_of(&quantized, "x").bias, [0, 2, 2, 0, -2, 3]);
    let run = run::<i32>(&quantized, &image_of(&quantized, &[10]));
    assert_eq!(run.values[find(quantized.network(), "x")].data, [20, 22, 22, 20, 18, 23]);
}

#[test]
fn the_zero_point_is_the_rounded_mean_and_its_remainder_goes_to_the_bias() {
    let (mut net, image) = NetworkBuilder::new(Shape::new(1, 1, 2), true, 1);
    let x = net.conv("x", image, Conv::new(1, 1)).unwrap();
    let network = finish(net, x);
    let setting = setting(TERNARY, 16, 16, "(\"x\", Layer(fraction_bits: 4))");
    // 255 mean = 72.75: z = 73, and 0.25 of a step of 16 remains.
    let quantized = with_parameters(network, 72.75 / 255.0, &setting, &[], |p| vec![1.0; p.len()]);
    assert_eq!(quantized.ops()[0], QuantizedOp::Input { zero_points: vec![73], max: 255 });
    assert_eq!(weighted_of(&quantized, "x").bias, [4]);
    let run = run::<i32>(&quantized, &image_of(&quantized, &[0, 255]));
    assert_eq!(run.values[0].data, [-73, 182]);
    assert_eq!(run.values[1].data, [-73 * 16 + 4, 182 * 16 + 4]);
}

#[test]
fn padding_never_wins_a_maximum() {
    for (size, stride, expected) in [
        (3, 2, vec![-50, -60, -40, -10]),
        (2, 1, vec![-100, -90, -80, -80, -50, -50, -60, -60, -40, -40, -10, -10, -40, -40, -10, -10]),
    ] {
        let (mut net, image) = NetworkBuilder::new(Shape::new(1, 3, 3), true, 1);
        let x = net.conv("x", image, Conv::new(1, 1)).unwrap();
        let pooled = net.max_pool("pool", x, Window::square(size, stride, 1)).unwrap();
        let network = finish(net, pooled);
        let setting = setting(TERNARY, 16, 16, "(\"x\", Layer(fraction_bits: 0))");
        let quantized = with_parameters(network, 200.0 / 255.0, &setting, &[], |p| vec![1.0; p.len()]);
        let run =
            run::<i32>(&quantized, &image_of(&quantized, &[100, 110, 120, 150, 105, 140, 160, 101, 190]));
        // -100  -90  -80
        //  -50  -95  -60
        //  -40  -99  -10
        assert_eq!(run.values[find(quantized.network(), "pool")].data, expected, "{size} x {size}");
    }
}

#[test]
fn a_sum_over_tokens_and_its_threshold_by_hand() {
    // The stream of 1 x 4 tokens with steps of 2^-8: a mean of 3/256 is a sum of 12.
    let (mut net, image) = NetworkBuilder::new(Shape::new(2, 1, 4), true, 1);
    let x = net.conv("x", image, Conv::new(2, 1).groups(2)).unwrap();
    let stream = net.requantize("stream", x, Grid::Residual).unwrap();
    let mean = net.mean_tokens("tokens", stream).unwrap();
    let spikes = net.neuron("lif", mean, Neuron::lif(1.5 / 256.0)).unwrap();
    let x = net.conv("end", spikes, Conv::new(1, 1)).unwrap();
    let network = finish(net, x);
    let setting = setting(TERNARY, 16, 12, "(\"x\", Layer(fraction_bits: 0))");
    // 12 bits, and twice 4 needs 3 integer bits: 8 behind the point.
    let quantized =
        with_parameters(network, 20.0 / 255.0, &setting, &[("stream", 4.0)], |p| vec![1.0; p.len()]);
    let run = run::<i32>(&quantized, &image_of(&quantized, &[21, 20, 22, 20, 23, 20, 26, 31]));
    assert_eq!(run.values[find(quantized.network(), "tokens")].data, [12, 11]);
    assert_eq!(neuron_of(&quantized, "lif").thresholds, [12]);
    assert_eq!(run.values[find(quantized.network(), "lif")].data, [1, 0]);
}

/// 2 theta N 2^F is an integer, which 2 theta / (2^-F / N) exceeds in floats for N = 49.
#[test]
fn the_threshold_of_a_mean_is_a_whole_number_of_steps() {
    for size in [3, 5, 7, 14] {
        let (mut net, image) = NetworkBuilder::new(Shape::new(1, size, size), true, 1);
        let x = net.conv("x", image, Conv::new(1, 1)).unwrap();
        let stream = net.requantize("stream", x, Grid::Residual).unwrap();
        let mean = net.mean_tokens("tokens", stream).unwrap();
        let spikes = net.neuron("lif", mean, Neuron::lif(1.0)).unwrap();
        let end = net.conv("end", spikes, Conv::new(1, 1)).unwrap();
        let setting = setting(TERNARY, 32, 12, "");
        // 12 bits, and twice 4 needs 3 integer bits: 8 behind the point.
        let quantized =
            with_parameters(finish(net, end), 0.0, &setting, &[("stream", 4.0)], |p| vec![1.0; p.len()]);
        assert_eq!(neuron_of(&quantized, "lif").thresholds, [2 * 256 * (size * size) as i64]);
    }
}

#[test]
fn masked_attention_by_hand() {
    let (mut net, image) = NetworkBuilder::new(Shape::new(6, 1, 3), true, 1);
    // One neuron per channel: a pixel of 1 fires. Channels 0 and 1 are q, 2 and 3 k, 4 and 5 v.
    let mut part = |name: &str| {
        let x = net.conv(name, image, Conv::new(2, 1)).unwrap();
        net.neuron(&format!("{name}_lif"), x, Neuron::lif(0.5 / 256.0)).unwrap()
    };
    let (q, k, v) = (part("q"), part("k"), part("v"));
    let count = net.attention("count", &[k, v], Attention::KeyValueCount).unwrap();
    let mask = net.neuron("mask_lif", count, Neuron::lif(0.5)).unwrap();
    let masked = net.mask("mask", q, mask).unwrap();
    let x = net.conv("end", masked, Conv::new(1, 1)).unwrap();
    let network = finish(net, x);
    let select = |first: usize| {
        (0..2).flat_map(|o| (0..6).map(move |i| f32::from(u8::from(i == first + o)))).collect()
    };
    let setting = setting(TERNARY, 16, 16, "");
    let quantized = with_parameters(network, 0.0, &setting, &[], |p| match p.name.as_str() {
        "q.weight" => select(0),
        "k.weight" => select(2),
        "v.weight" => select(4),
        _ => vec![1.0; p.len()],
    });
    #[rustfmt::skip]
    let pixels = [
        1, 1,  1, 0,  0, 1,
        0, 1,  1, 1,  1, 0,
        1, 0,  1, 0,  1, 1,
    ];
    let run = run::<i32>(&quantized, &image_of(&quantized, &pixels));
    // Channel 0: k and v meet at tokens 1 and 2. Channel 1: never.
    assert_eq!(run.values[find(quantized.network(), "count")].data, [2, 0]);
    assert_eq!(neuron_of(&quantized, "mask_lif").membrane, None);
    assert_eq!(run.values[find(quantized.network(), "mask")].data, [1, 0, 0, 0, 1, 0]);
}

#[test]
fn the_first_of_equal_logits_is_predicted() {
    let prediction =
        |logits: &[i64]| Execution { logits: logits.to_vec(), activity: Default::default() }.prediction();
    assert_eq!(prediction(&[3, 5, 5, 1]), 1);
    assert_eq!(prediction(&[0, 0, 0]), 0);
    assert_eq!(prediction(&[-3, -2, -2]), 1);
}

#[test]
fn integer_spikes_by_hand() {
    let (mut net, image) = NetworkBuilder::new(Shape::new(1, 1, 10), true, 1);
    let x = net.conv("x", image, Conv::new(1, 1)).unwrap();
    let levels = net.integer_neuron("levels", x, IntegerNeuron { max: 4, norm: 4 }).unwrap();
    let end = net.conv("end", levels, Conv::new(1, 1)).unwrap();
    let network = finish(net, end);
    let setting = setting(TERNARY, 16, 16, "(\"x\", Layer(fraction_bits: 0))");
    let quantized =
        with_parameters(network, 0.0, &setting, &[], |p| vec![if p.name == "x.weight" { 16.0 } else { 1.0 }]);
    // A pixel is worth 16/256: round(p/16) in 0..=4, halves to even. 8 is one half -> 0, 24 is 1.5 -> 2,
    // 40 is 2.5 -> 2, 56 is 3.5 -> 4.
    let QuantizedOp::Levels { thresholds } = &quantized.ops()[find(quantized.network(), "levels")] else {
        panic!("not integer spikes")
    };
    assert_eq!(thresholds[0], [9, 24, 41, 56]);
    let image = image_of(&quantized, &[0, 8, 9, 23, 24, 40, 41, 55, 56, 255]);
    let run = run::<i32>(&quantized, &image);
    assert_eq!(run.values[find(quantized.network(), "levels")].data, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    let step = run.execution.activity.nodes[find(quantized.network(), "levels")].steps[0];
    assert_eq!((step.output_events, step.neuron_updates), (8, 10));
}

/// Spikes of a block before are added to the sums of a layer: each is 1, 16 steps of a stream with 4 fraction bits,
/// and the sums in front of the stream or behind it are one join.
#[test]
fn spikes_and_sums_are_added_in_front_of_a_neuron() {
    let (mut net, image) = NetworkBuilder::new(Shape::new(1, 1, 4), true, 2);
    let first = net.conv("first", image, Conv::new(1, 1).bias()).unwrap();
    let spikes = net.neuron("spikes", first, Neuron::lif(1.0)).unwrap();
    let x = net.conv("x", spikes, Conv::new(1, 1).bias()).unwrap();
    let identity = net.requantize("identity", spikes, Grid::Residual).unwrap();
    let sum = net.add("sum", x, identity).unwrap();
    net.neuron("sum_lif", sum, Neuron::lif(1.0)).unwrap();
    let network = finish(net, x);
    let values = tensors(&network, |p| match p.name.as_str() {
        "first.weight" => vec![4.0],
        "first.bias" => vec![0.0],
        // A spike adds 1/2, and every position has 1/4.
        "x.weight" => vec![0.5],
        _ => vec![0.25],
    });
    let model = model(network, &[0.0], &values);
    let setting = parsed(&format!(
        "weights: {INTEGERS}, membrane_bits: 16, residual_bits: 16, residual_fraction_bits: Some(4)"
    ));
    let quantized = quantize(&model, &setting, &Calibration::new(model.network.nodes.len())).unwrap();
    // 4 p / 256 is at least 2 in its first timestep where p is 128.
    let run = run::<i32>(&quantized, &image_of(&quantized, &[0, 128, 255, 0]));
    let value = |name: &str| run.values[find(quantized.network(), name)].at(0);
    assert_eq!(value("spikes"), &[0, 1, 1, 0]);
    assert_eq!(value("identity"), &[0, 16, 16, 0]);
    assert_eq!(value("sum"), &[4, 28, 28, 4]);
    assert_eq!(quantized.network().nodes[find(quantized.network(), "sum")].inputs[0], identity);
}
