//! Spike for spike against the float network with dequantized weights.

use super::support::*;

/// A variance to which the quantizer's epsilon adds up to 1.
pub const UNIT_VARIANCE: f32 = 1.0 - 1e-5;

/// Weights of every layer, and normalizations that do nothing.
pub fn plain_tensors(network: &Network, dice: &mut Dice) -> Tensors {
    let mut all = Tensors::new();
    for (_, node, op) in network.weighted() {
        let (outs, fan_in) = (op.geometry.out_channels, op.geometry.fan_in());
        let deviation = 1.5 / (fan_in as f64).sqrt();
        let weight = (0..outs * fan_in).map(|_| (dice.bell() * deviation) as f32);
        all.insert(format!("{}.weight", node.name), weight.collect());
        if let Some(scales) = op.stored.as_ref().and_then(|stored| stored.parameter(&node.name, outs)) {
            let scale = (0..scales.len()).map(|_| (dice.real(0.2, 1.0) * deviation) as f32);
            all.insert(scales.name.clone(), scale.collect());
        }
        if op.bias {
            let bias = (0..outs).map(|_| (0.3 * dice.bell()) as f32);
            all.insert(format!("{}.bias", node.name), bias.collect());
        }
        for norm in &op.norms {
            set_norm(
                &mut all,
                norm,
                [vec![1.0; outs], vec![0.0; outs], vec![0.0; outs], vec![UNIT_VARIANCE; outs]],
            );
        }
        if let Some(name) = &op.layer_scale {
            let scale = (0..outs).map(|_| (dice.pick(&[-1.0, 1.0]) * dice.real(0.5, 1.5)) as f32);
            all.insert(name.clone(), scale.collect());
        }
    }
    for node in network.nodes.iter().filter(|node| matches!(node.op, Op::ClassToken(_))) {
        for parameter in node.parameters() {
            // Few bits, which a membrane halves at every timestep.
            let values = (0..parameter.len()).map(|_| dice.int(-64, 64) as f32 / 64.0);
            all.insert(parameter.name, values.collect());
        }
    }
    all
}

pub fn set_norm(all: &mut Tensors, prefix: &str, values: [Vec<f32>; 4]) {
    for (name, values) in ["weight", "bias", "running_mean", "running_var"].into_iter().zip(values) {
        all.insert(format!("{prefix}.{name}"), values);
    }
}

/// Random weights whose normalizations hold the statistics that `images` really produce, layer
/// after layer, with gains of both signs: so neurons fire now and then, as in a trained network.
pub fn realistic_tensors(network: &Network, dice: &mut Dice, images: &[Sample]) -> Tensors {
    let mut all = plain_tensors(network, dice);
    for p in network.parameters() {
        let mut learned = |f: &dyn Fn(&mut Dice) -> f64| (0..p.len()).map(|_| f(dice) as f32).collect();
        let values = match p.name.rsplit_once('.') {
            Some((_, "w")) => learned(&|dice| dice.real(-2.0, 2.0)),
            Some((_, "tau")) => learned(&|dice| dice.pick(&[1.25, 1.5, 2.0, 3.0, 4.0, 10.0])),
            Some((_, "beta")) => learned(&|dice| dice.pick(&[0.0, 0.25, 0.5, 0.9, 0.95])),
            _ => continue,
        };
        all.insert(p.name, values);
    }
    let mean = vec![0.0; network.nodes[0].shape.channels];
    for (id, node, op) in network.weighted() {
        let Some(norm) = op.norms.last() else { continue };
        let model = model(network.clone(), &mean, &all);
        let runs: Vec<_> =
            images.iter().map(|image| run_float(&model, image).swap_remove(id.index())).collect();
        let (mut means, mut variances) = (Vec::new(), Vec::new());
        for channel in 0..node.shape.channels {
            let values =
                runs.iter().flat_map(|run| run.data.iter().skip(channel).step_by(node.shape.channels));
            let values: Vec<f64> = values.map(|&x| f64::from(x)).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            means.push(mean as f32);
            let squares = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
            variances.push((squares / values.len() as f64) as f32 + 0.03);
        }
        let mut list = |f: &mut dyn FnMut(&mut Dice) -> f64| -> Vec<f32> {
            means.iter().map(|_| f(dice) as f32).collect()
        };
        let gains = list(&mut |dice| dice.pick(&[-1.0, 1.0]) * dice.real(0.8, 1.5));
        // What goes to the stream adds up there, and its maxima are taken.
        let to_neuron = network.readers(id).all(|(_, reader)| reader.op.is_neuron());
        let low = if to_neuron { -0.2 } else { -0.75 };
        let shifts = list(&mut |dice| dice.real(low, low + 1.0));
        set_norm(&mut all, norm, [gains, shifts, means, variances]);
    }
    all
}

/// Per node and channel, the value of one integer step, derived from the network alone where
/// that is possible; a layer's own step comes from the quantizer and is checked in
/// [`assert_nearest`].
pub fn steps_of(quantized: &QuantizedModel) -> Vec<Vec<f64>> {
    let mut all: Vec<Vec<f64>> = Vec::new();
    for (id, node) in quantized.network().iter() {
        let from = |all: &[Vec<f64>], i: usize| all[node.inputs[i].index()].clone();
        let uniform = |step: f64| vec![step; node.shape.channels];
        let divided = |all: &[Vec<f64>], by: usize| from(all, 0).iter().map(|s| s / by as f64).collect();
        let steps = match (&node.op, quantized.op(id)) {
            (_, QuantizedOp::Input { .. }) => uniform(if node.constant { 1.0 / 256.0 } else { 1.0 }),
            (_, QuantizedOp::InputCodes { .. }) => uniform(quantized.lsbs()[0][0]),
            (_, QuantizedOp::Weighted(op)) => op.lsb.clone(),
            (_, QuantizedOp::Requantize { format, .. }) => uniform(format.lsb()),
            (_, QuantizedOp::AddMembrane(op)) => uniform(op.format.lsb()),
            (_, QuantizedOp::ClassToken(op)) => uniform(op.format.lsb()),
            (Op::AvgPool(window), _) => divided(&all, window.size.0[0] * window.size.0[1]),
            (Op::MeanTokens, _) => divided(&all, quantized.network().input_of(node, 0).shape.positions()),
            (Op::Readout(readout), QuantizedOp::Readout(_)) => {
                let summed =
                    if readout.over == ReadoutOver::Mean { quantized.network().timesteps } else { 1 };
                let gain = match readout.leak {
                    Leak::HalfWithInput => 2.0,
                    Leak::Tau { tau, decay_input: true } => tau,
                    // One step for all channels, which the quantizer knows.
                    Leak::Parametric { decay_input: true, .. } => {
                        from(&all, 0)[0] / quantized.lsbs()[id.index()][0] / summed as f64
                    }
                    _ => 1.0,
                };
                from(&all, 0).iter().map(|s| s / (gain * summed as f64)).collect()
            }
            (Op::MeanTimesteps, _) => divided(&all, quantized.network().timesteps),
            (Op::Attention(Attention::Product { scale, .. }), _) => {
                uniform((0..3).map(|i| from(&all, i)[0]).product::<f64>() * scale)
            }
            (Op::IntegerNeuron(neuron), _) => uniform(1.0 / f64::from(neuron.norm)),
            (Op::Neuron(_) | Op::Attention(_), _) => uniform(1.0),
            _ => from(&all, 0),
        };
        all.push(steps);
    }
    all
}

/// The parameters that mean in real numbers exactly what the integers mean.
pub fn dequantized_tensors(quantized: &QuantizedModel) -> Tensors {
    let steps = steps_of(quantized);
    let mut all = Tensors::new();
    for (id, node, op) in quantized.network().weighted() {
        let QuantizedOp::Weighted(integer) = quantized.op(id) else { unreachable!("a weight layer") };
        let input_step = steps[node.inputs[0].index()][0];
        let scale = |out: usize| integer.lsb[out] * f64::from(1u32 << integer.fraction_bits) / input_step;
        let fan_in = op.geometry.fan_in();
        let weight =
            integer.codes.iter().enumerate().map(|(i, &c)| (f64::from(c) * scale(i / fan_in)) as f32);
        all.insert(format!("{}.weight", node.name), weight.collect());
        let bias: Vec<f32> =
            integer.bias.iter().zip(&integer.lsb).map(|(&b, s)| (b as f64 * s) as f32).collect();
        let outs = bias.len();
        let shift = if op.bias { vec![0.0; outs] } else { bias.clone() };
        if op.bias {
            all.insert(format!("{}.bias", node.name), bias);
        }
        for norm in &op.norms {
            set_norm(
                &mut all,
                norm,
                [vec![1.0; outs], shift.clone(), vec![0.0; outs], vec![UNIT_VARIANCE; outs]],
            );
        }
        // Weights and bias have the scale of the layer already.
        all.extend(op.layer_scale.clone().map(|name| (name, vec![1.0; outs])));
    }
    for (node, op) in quantized.network().nodes.iter().zip(quantized.ops()) {
        let QuantizedOp::ClassToken(op) = op else { continue };
        let real = |x: &i64| (*x as f64 * op.format.lsb()) as f32;
        // What is added to the token itself is part of its integers.
        let first = vec![0; op.token.len()];
        let positions = op.positions.iter().map(|rest| first.iter().chain(rest).map(real).collect());
        let values = std::iter::once(op.token.iter().map(real).collect()).chain(positions);
        all.extend(node.parameters().into_iter().map(|p| p.name).zip(values));
    }
    all
}

/// Learned tokens are within half a step of the real ones, their share of the positions included.
pub fn assert_nearest_tokens(quantized: &QuantizedModel, tensors: &Tensors) {
    for (node, op) in quantized.network().nodes.iter().zip(quantized.ops()) {
        let (Op::ClassToken(token), QuantizedOp::ClassToken(op)) = (&node.op, op) else { continue };
        let mut real: Vec<f64> = tensors[&node.name].iter().map(|&x| f64::from(x)).collect();
        if let Some(positions) = &token.positions {
            let added: Vec<f64> = tensors[positions].iter().map(|&x| f64::from(x)).collect();
            real.iter_mut().zip(&added).for_each(|(x, added)| *x += added);
            real.extend_from_slice(&added[op.token.len()..]);
        }
        let integers = op.token.iter().chain(op.positions.iter().flatten());
        let [lowest, highest] = [op.format.min() as f64, op.format.max() as f64];
        for (&x, &wanted) in integers.zip(&real) {
            let nearest = (wanted / op.format.lsb()).clamp(lowest, highest);
            assert!((x as f64 - nearest).abs() <= 0.5, "{}: {x}, {wanted}", node.name);
        }
    }
}

/// The float network holds codes x scale and biases to the last bit, folding included.
pub fn assert_dequantized(quantized: &QuantizedModel, float: &Model) {
    let steps = steps_of(quantized);
    for (id, node, op) in float.network.weighted() {
        let QuantizedOp::Weighted(integer) = quantized.op(id) else { unreachable!("a weight layer") };
        let folded = fold(op, &float.weights.layer(node, op));
        let input_step = steps[node.inputs[0].index()][0];
        for (i, (&w, &code)) in folded.weight.iter().zip(&integer.codes).enumerate() {
            let scale = integer.lsb[i / op.geometry.fan_in()] * f64::from(1u32 << integer.fraction_bits);
            assert_eq!(f64::from(w as f32) * input_step, f64::from(code) * scale, "{} {i}", node.name);
        }
        for (i, (&b, &code)) in folded.bias.iter().zip(&integer.bias).enumerate() {
            assert_eq!(f64::from(b as f32), code as f64 * integer.lsb[i], "{} {i}", node.name);
        }
    }
}

/// Weights and biases of a [`Clip::Max`](spiq::quant::scheme::Clip) setting are within half a
/// step of the normalized ones.
pub fn assert_nearest(quantized: &QuantizedModel, tensors: &Tensors) {
    assert_nearest_tokens(quantized, tensors);
    let steps = steps_of(quantized);
    for (id, node, op) in quantized.network().weighted() {
        let QuantizedOp::Weighted(integer) = quantized.op(id) else { unreachable!("a weight layer") };
        let input_step = steps[node.inputs[0].index()][0];
        let real = |name: String, i: usize| f64::from(tensors[&name][i]);
        for (out, codes) in integer.codes.chunks_exact(op.geometry.fan_in()).enumerate() {
            let (mut gain, mut bias) = (1.0, 0.0);
            if op.bias {
                bias = real(format!("{}.bias", node.name), out);
            }
            for norm in &op.norms {
                let get = |part: &str| real(format!("{norm}.{part}"), out);
                gain = get("weight") / (get("running_var") + 1e-5).sqrt();
                bias = gain * (bias - get("running_mean")) + get("bias");
            }
            let scale = op.layer_scale.as_ref().map_or(1.0, |name| real(name.clone(), out));
            (gain, bias) = (gain * scale, bias * scale);
            let step = integer.lsb[out];
            assert!(
                (integer.bias[out] as f64 * step - bias).abs() <= 0.5000001 * step,
                "{} {out}",
                node.name
            );
            let scale = step * f64::from(1u32 << integer.fraction_bits) / input_step;
            for (i, &code) in codes.iter().enumerate() {
                let w = gain * real(format!("{}.weight", node.name), out * codes.len() + i);
                assert!((f64::from(code) * scale - w).abs() <= 0.5000001 * scale, "{} {out} {i}", node.name);
            }
        }
    }
}

/// Bits that single precision needs to represent everything between the integers `x` of one
/// channel and `halvings` further halvings.
pub fn bits_needed(x: impl Iterator<Item = i64> + Clone, halvings: usize) -> u32 {
    let unit = x.clone().filter(|&x| x != 0).map(|x| x.trailing_zeros()).min().unwrap_or(0);
    let largest = x.map(|x| x.unsigned_abs()).max().unwrap_or(0) >> unit;
    64 - largest.leading_zeros() + halvings as u32
}

/// Single precision computes the run exactly: no sum, and no membrane, has more than 24 bits.
pub fn assert_single_precision_is_exact(quantized: &QuantizedModel, run: &Run) -> u32 {
    let needed = single_precision_bits(quantized, run);
    assert!(needed <= 24, "{needed} bits");
    needed
}

/// Bits of the widest sum or membrane of a run.
pub fn single_precision_bits(quantized: &QuantizedModel, run: &Run) -> u32 {
    let network = quantized.network();
    let mut worst = 0;
    for (id, node) in network.iter() {
        let channel = |from: &Node, values: &'_ Frames<i64>, c: usize| -> Vec<i64> {
            values.data.iter().skip(c).step_by(from.shape.channels).copied().collect()
        };
        let needed = match &node.op {
            Op::Weighted(_) => 64 - quantized.bounds()[id.index()].leading_zeros(),
            Op::Neuron(_) | Op::IntegerNeuron(_) | Op::MeanTokens => {
                let (from, values) = (network.input_of(node, 0), &run.values[node.inputs[0].index()]);
                let extra = match node.op {
                    Op::MeanTokens => from.shape.positions().ilog2() as usize,
                    _ => network.timesteps,
                };
                let bits = |c| bits_needed(channel(from, values, c).into_iter(), extra);
                (0..from.shape.channels).map(bits).max().unwrap()
            }
            _ => {
                let bits = |c| bits_needed(channel(node, &run.values[id.index()], c).into_iter(), 0);
                (0..node.shape.channels).map(bits).max().unwrap()
            }
        };
        worst = worst.max(needed);
    }
    worst
}

/// No requantizer rounds: each only moves to a finer grid.
pub fn assert_no_rounding(quantized: &QuantizedModel) {
    for (node, op) in quantized.network().nodes.iter().zip(quantized.ops()) {
        let requantizers = match op {
            QuantizedOp::Requantize { requantizers, .. } => requantizers.as_slice(),
            QuantizedOp::AddMembrane(add) => add.branch.as_deref().unwrap_or(&[]),
            _ => &[],
        };
        assert!(requantizers.iter().all(|r| r.shift == 0 && r.is_shift()), "{}: {requantizers:?}", node.name);
    }
}

#[derive(Debug, Default, Clone, Copy)]
pub struct Compared {
    pub spikes: usize,
    pub fired: usize,
    pub values: usize,
}

/// Every value of every node at every timestep: float == integer x step, spikes included.
pub fn compare_with_float(quantized: &QuantizedModel, float: &Model, sample: &Sample) -> (Run, Compared) {
    let run = run::<i64>(quantized, sample);
    let reals = run_float(float, sample);
    let steps = steps_of(quantized);
    let mut compared = Compared::default();
    for (id, node) in quantized.network().iter() {
        let (ints, reals) = (&run.values[id.index()], &reals[id.index()]);
        assert_eq!((ints.frames, ints.shape), (reals.frames, reals.shape));
        for (i, (&x, &real)) in ints.data.iter().zip(&reals.data).enumerate() {
            let step = steps[id.index()][i % node.shape.channels];
            assert_eq!(
                x as f64 * step,
                f64::from(real),
                "{}, value {i}, step {step}, {:?}",
                node.name,
                node.op
            );
        }
        compared.values += ints.data.len();
        if matches!(node.op, Op::Neuron(_)) {
            compared.spikes += ints.data.len();
            compared.fired += ints.data.iter().filter(|&&s| s == 1).count();
        }
    }
    (run, compared)
}

pub fn v1(dim: usize, depth: usize, timesteps: usize) -> Network {
    let text = format!(
        "Model(name: \"v1\", family: SpikeDrivenV1(dim: {dim}, depth: {depth}, heads: 8, mlp_ratio: 4, \
         pooling: (false, false, true, true)), input: Image(shape: (1, 16, 16), mean: [0.0], std: [{STD:?}], bits: 8), \
         timesteps: {timesteps}, classes: 10, weights: File(\"none\"))"
    );
    ModelDescription::parse(&text, "v1").unwrap().network("v1").unwrap()
}

/// The rates at which layers of neurons fire, masks (an OR over tokens) and the head aside.
pub fn firing_rates(network: &Network, runs: &[Run]) -> Vec<f64> {
    let inner = |node: &Node| {
        matches!(node.op, Op::Neuron(_)) && !node.name.contains("talking_heads") && node.name != "head_lif"
    };
    let rate = |i: usize| {
        let values = runs.iter().flat_map(|run| &run.values[i].data);
        values.clone().sum::<i64>() as f64 / values.count() as f64
    };
    (0..network.nodes.len()).filter(|&i| inner(&network.nodes[i])).map(rate).collect()
}

impl std::ops::AddAssign for Compared {
    fn add_assign(&mut self, other: Self) {
        self.spikes += other.spikes;
        self.fired += other.fired;
        self.values += other.values;
    }
}

pub fn spike_for_spike([dim, depth, timesteps]: [usize; 3], weights: &str, dice: &mut Dice) -> Compared {
    let network = v1(dim, depth, timesteps);
    let images: Vec<Sample> = (0..3).map(|_| dice.image(&network)).collect();
    let tensors = realistic_tensors(&network, dice, &images);
    let original = model(network.clone(), &[0.0], &tensors);
    let calibration = calibrate(&original, &images);
    let quantized = quantize(&original, &setting(weights, 32, 24, ""), &calibration).unwrap();
    assert_nearest(&quantized, &tensors);
    assert_no_rounding(&quantized);
    let float = model(network, &[0.0], &dequantized_tensors(&quantized));
    assert_dequantized(&quantized, &float);
    let (mut all, mut runs, mut bits) = (Compared::default(), Vec::new(), 0);
    for image in &images {
        let (run, compared) = compare_with_float(&quantized, &float, image);
        bits = bits.max(assert_single_precision_is_exact(&quantized, &run));
        runs.push(run);
        all += compared;
    }
    let rates = firing_rates(quantized.network(), &runs);
    let (low, high) = rates.iter().fold((1.0f64, 0.0f64), |(l, h), &r| (l.min(r), h.max(r)));
    println!("{dim}-{depth} T {timesteps} {weights}: {all:?}, rates {low:.3} to {high:.3}, {bits} bits");
    assert!(low > 0.005 && high < 0.5, "{rates:?}");
    all
}

#[test]
fn every_spike_is_that_of_the_dequantized_float_network() {
    let mut dice = Dice::new(20_250_701);
    let mut all = Compared::default();
    for (dim, depth) in [(16, 1), (32, 2)] {
        for timesteps in [1, 4, 8] {
            for bits in [3, 4, 8] {
                for granularity in ["Layer", "Channel"] {
                    let scheme =
                        format!("Uniform(bits: {bits}, scale: Pow2, granularity: {granularity}, clip: Max)");
                    all += spike_for_spike([dim, depth, timesteps], &scheme, &mut dice);
                }
            }
        }
    }
    println!("{all:?}");
    assert!(all.spikes > 5_000_000 && all.fired > 500_000);
}
