//! Random networks of every operation, against the naive computation and the float network.

use spiq::num::LevelSet;

use super::dequantized::*;
use super::naive::*;
use super::support::*;

/// A neuron of any kind; `exact` leaves out what single precision and integers decide differently:
/// floor(V) > threshold is not V > threshold.
fn any_neuron(dice: &mut Dice, exact: bool) -> Neuron {
    if !exact && dice.int(0, 6) == 0 {
        let leak = Leak::Loihi {
            voltage_decay: dice.int(0, 4096) as u32,
            current_decay: dice.pick(&[0, 1024, 4000, 4095]),
        };
        let threshold = dice.pick(&[0.5, 1.0, 1.5]);
        return Neuron { leak, fire: Fire::AboveThreshold, ..Neuron::lif(threshold) };
    }
    let mut leak =
        dice.pick(&[Leak::HalfWithInput, Leak::HalfWithInput, Leak::Shift(1), Leak::Shift(2), Leak::None]);
    if !exact && dice.int(0, 1) == 0 {
        leak = any_factor(dice);
    }
    let fire = match exact && leak != Leak::None {
        true => Fire::AtThreshold,
        false => dice.pick(&[Fire::AtThreshold, Fire::AboveThreshold]),
    };
    let threshold = dice.pick(&[0.5, 1.0, 1.5]);
    let reset = dice.pick(&[
        Reset::Zero,
        Reset::Zero,
        Reset::Subtract,
        Reset::Subtract,
        Reset::SubtractDelayed,
        Reset::SubtractAmount(0.25),
        Reset::SubtractAmount(2.0),
        Reset::None,
        Reset::To(-0.5),
        Reset::To(0.25),
    ]);
    Neuron { leak, fire, reset, ..Neuron::lif(threshold) }
}

/// A leak that keeps any part of a membrane.
fn any_factor(dice: &mut Dice) -> Leak {
    let (tau, decay_input) = (dice.pick(&[1.25, 1.5, 2.0, 3.0, 4.0, 1.1, 50.0]), dice.int(0, 1) == 0);
    match dice.int(0, 3) {
        0 => Leak::Beta(dice.pick(&[0.0, 0.25, 0.75, 0.9, 0.95])),
        1 => {
            let of = dice.pick(&[Learned::W, Learned::Tau, Learned::Beta]);
            Leak::Parametric { decay_input, of, per_channel: dice.int(0, 2) > 0 }
        }
        _ => Leak::Tau { tau, decay_input },
    }
}

/// Convolutions, an attention of each kind, masks of both shapes and sums of spikes.
fn zoo_attention(net: &mut NetworkBuilder, x: NodeId, dice: &mut Dice, exact: bool) -> spiq::Result<NodeId> {
    let project = |net: &mut NetworkBuilder, name: &str, conv: Conv, dice: &mut Dice| {
        let x = net.conv(name, x, conv.norm(format!("{name}_bn")))?;
        net.neuron(&format!("{name}_lif"), x, any_neuron(dice, exact))
    };
    let q = project(net, "q", Conv::new(8, 1).bias(), dice)?;
    let k = project(net, "k", Conv::new(8, 3).pad(1).groups(dice.pick(&[2, 4, 8])), dice)?;
    let v = project(net, "v", Conv::new(8, 1).groups(dice.pick(&[1, 2])), dice)?;
    let heads = dice.pick(&[1, 2, 4, 8]);
    let product = net.attention(
        "product",
        &[q, k, v],
        Attention::Product { heads, scale: 0.125, order: ProductOrder::KeyValueFirst },
    )?;
    let product = net.neuron("product_lif", product, any_neuron(dice, exact))?;
    let channels =
        net.attention("channels", &[q], Attention::ChannelCount { heads: dice.pick(&[1, 2, 4]) })?;
    // Counts have steps of 1, and only a whole threshold on them is exact.
    let mut by_count = Neuron { threshold: dice.pick(&[1.0, 2.0]), ..any_neuron(dice, exact) };
    if exact && !matches!(by_count.reset, Reset::Subtract | Reset::SubtractDelayed | Reset::None) {
        by_count.reset = dice.pick(&[Reset::Zero, Reset::To(-1.0)]);
    }
    let tokens = net.neuron("channels_lif", channels, by_count)?;
    let by_token = net.mask("token_mask", k, tokens)?;
    let count = match dice.int(0, 1) {
        0 => net.attention("sdsa", &[k, v], Attention::KeyValueCount)?,
        _ => {
            let both = net.mask("kv", k, v)?;
            let pooled = net.plane_pool("kv_pool", both, dice.pick(&[1, 2, 4, 8]))?;
            net.attention("sdsa", &[pooled], Attention::KeyValueCount)?
        }
    };
    let mask = net.neuron("sdsa_lif", count, Neuron::lif(0.5))?;
    let by_channel = net.mask("channel_mask", q, mask)?;
    let spikes = [q, k, v, product, by_token, by_channel];
    let gate = dice.pick(&[Gate::Or, Gate::AndNot]);
    let gated = net.gate("gate", dice.pick(&spikes), dice.pick(&spikes), gate)?;
    let two = net.add("two", product, by_token)?;
    let three = net.add("three", two, by_channel)?;
    net.add("four", three, gated)
}

/// The inner stages of RepConv: 1x1, padded with what that yields for nothing, 3x3 depthwise, 1x1.
fn zoo_rep_conv(net: &mut NetworkBuilder, x: NodeId) -> spiq::Result<NodeId> {
    let x = net.conv("rep.0", x, Conv::new(8, 1).norm("rep.0_bn"))?;
    let x = net.requantize("rep.0_grid", x, Grid::Activation)?;
    let x = net.conv("rep.1", x, Conv::new(8, 3).pad(1).groups(8).pad_with_bias())?;
    let x = net.requantize("rep.1_grid", x, Grid::Activation)?;
    net.conv("rep.2", x, Conv::new(8, 1).norm("rep.2_bn"))
}

/// Integer spikes with an attention whose values are wider than its keys.
fn zoo_levels(net: &mut NetworkBuilder, stream: NodeId, dice: &mut Dice) -> spiq::Result<NodeId> {
    let neuron = IntegerNeuron { max: dice.pick(&[2, 4, 7]), norm: dice.pick(&[1, 4]) };
    let x = net.integer_neuron("levels", stream, neuron)?;
    let mut qkv = Vec::new();
    for (name, channels) in [("level_q", 4), ("level_k", 4), ("level_v", 8)] {
        let x = net.conv(name, x, Conv::new(channels, 1).norm(format!("{name}_bn")))?;
        qkv.push(net.integer_neuron(&format!("{name}_spike"), x, IntegerNeuron { max: 4, norm: 4 })?);
    }
    let (heads, order) = (dice.pick(&[1, 2, 4]), ProductOrder::QueryKeyFirst);
    let product = net.attention("level_product", &qkv, Attention::Product { heads, scale: 0.5, order })?;
    let x = net.integer_neuron("level_spike", product, IntegerNeuron { max: 4, norm: 4 })?;
    net.conv("level_out", x, Conv::new(8, 1).norm("level_out_bn"))
}

/// A class token that goes through an attention and an MLP with the others, and its spikes alone.
fn zoo_tokens(
    net: &mut NetworkBuilder,
    stream: NodeId,
    dice: &mut Dice,
    exact: bool,
) -> spiq::Result<NodeId> {
    let positions = dice.pick(&[None, Some("pos_embed")]).map(str::to_owned);
    let stream = net.class_token("cls_token", stream, ClassToken { positions })?;
    let x = net.neuron("token_lif", stream, any_neuron(dice, exact))?;
    let mut qkv = Vec::new();
    for name in ["token_q", "token_k", "token_v"] {
        let x = net.conv(name, x, Conv::linear(8).norm(format!("{name}_bn")))?;
        qkv.push(net.neuron(&format!("{name}_lif"), x, any_neuron(dice, exact))?);
    }
    let (heads, order) = (dice.pick(&[1, 2, 4]), ProductOrder::QueryKeyFirst);
    let x = net.attention("token_product", &qkv, Attention::Product { heads, scale: 0.25, order })?;
    let x = net.neuron("token_product_lif", x, any_neuron(dice, exact))?;
    let proj = Conv::linear(8).norm("token_proj_bn");
    let proj = if dice.int(0, 1) == 0 { proj } else { proj.layer_scale("token_gamma") };
    let x = net.conv("token_proj", x, proj)?;
    let stream = net.add("token_add", stream, x)?;
    let x = net.neuron("token_fc_lif", stream, any_neuron(dice, exact))?;
    net.first_token("token_spikes", x)?;
    let x = net.conv("token_fc", x, Conv::linear(8).norm("token_fc_bn"))?;
    net.add("token_fc_add", stream, x)
}

/// One value of all timesteps: a mean, a count of spikes, or potentials that are read out. Integers drop what leaks
/// leave behind the point, and floats do not.
fn zoo_logits(net: &mut NetworkBuilder, x: NodeId, dice: &mut Dice, exact: bool) -> spiq::Result<NodeId> {
    match dice.int(0, 3) {
        0 => net.mean_timesteps("logits", x),
        1 => {
            let spikes = net.neuron("logits_lif", x, any_neuron(dice, exact))?;
            net.mean_timesteps("logits", spikes)
        }
        _ => {
            let leak = match dice.int(0, 1) {
                _ if exact => Leak::None,
                0 => dice.pick(&[Leak::HalfWithInput, Leak::Shift(2), Leak::None]),
                _ => any_factor(dice),
            };
            let leak = match leak {
                Leak::Parametric { of, per_channel: true, .. } => {
                    Leak::Parametric { decay_input: false, of, per_channel: true }
                }
                leak => leak,
            };
            let over = dice.pick(&[ReadoutOver::Last, ReadoutOver::Mean, ReadoutOver::Max]);
            net.readout("logits", x, Readout { leak, over })
        }
    }
}

/// A network with every operation in it, on an image or on events.
fn zoo(dice: &mut Dice, timesteps: usize, exact: bool) -> spiq::Result<Network> {
    let constant = dice.pick(&[true, true, false]);
    let (mut net, image) = NetworkBuilder::new(Shape::new(2, 8, 8), constant, timesteps);
    let x = net.conv("stem", image, Conv::new(8, 3).pad(1).norm("stem_bn"))?;
    let x = net.neuron("stem_lif", x, any_neuron(dice, exact))?;
    let x = match dice.int(0, 1) {
        0 => net.max_pool("stem_pool", x, Window::square(3, 2, 1))?,
        _ => net.avg_pool("stem_pool", x, Window::square(2, 2, 0))?,
    };
    let counts = zoo_attention(&mut net, x, dice, exact)?;
    let dilation = dice.pick(&[1, 2]);
    let mix = Conv::new(8, 3).pad(dilation).dilation(dilation).groups(dice.pick(&[1, 1, 8]));
    let x = net.conv("mix", counts, mix.norm("mix_bn"))?;
    let stream = net.requantize("stream", x, Grid::Residual)?;
    let x = net.neuron("rep_lif", stream, any_neuron(dice, exact))?;
    let branch = zoo_rep_conv(&mut net, x)?;
    let stream = net.add("rep_add", stream, branch)?;
    let branch = zoo_levels(&mut net, stream, dice)?;
    let stream = net.add("level_add", stream, branch)?;
    let x = net.neuron("down_lif", stream, any_neuron(dice, exact))?;
    let x = net.conv("down", x, Conv::new(8, 3).stride(2).pad(1).norm("down_bn"))?;
    // Single precision has no ninths.
    let window = dice.pick(&[[3, 3], [1, 3], [3, 1]]);
    let pad = window.map(|side| side / 2).into();
    let window = Window { size: window.into(), stride: 1.into(), pad };
    let pooled = match exact || dice.int(0, 1) == 0 {
        true => net.max_pool("down_pool", x, window)?,
        false => net.avg_pool("down_pool", x, window)?,
    };
    let (stream, branch) = (
        net.requantize("down_stream", pooled, Grid::Residual)?,
        net.requantize("down_branch", x, Grid::Residual)?,
    );
    let stream = net.add("down_add", stream, branch)?;
    let tokens = dice.int(0, 1) == 0;
    let stream = if tokens { zoo_tokens(&mut net, stream, dice, exact)? } else { stream };
    // Nor has it fifths, which a mean over a class token and four others is made of.
    match if exact && tokens { 0 } else { dice.int(0, 2) } {
        0 => {
            let first = net.first_token("head_token", stream)?;
            let spikes = net.neuron("head_lif", first, any_neuron(dice, exact))?;
            let logits = net.conv("head", spikes, Conv::linear(5))?;
            zoo_logits(&mut net, logits, dice, exact)?;
        }
        1 => {
            let mean = net.mean_tokens("head_mean", stream)?;
            let spikes = net.neuron("head_lif", mean, any_neuron(dice, exact))?;
            let logits = net.conv("head", spikes, Conv::linear(5))?;
            zoo_logits(&mut net, logits, dice, exact)?;
        }
        _ => {
            let spikes = net.neuron("head_lif", stream, any_neuron(dice, exact))?;
            let mean = net.mean_tokens("head_mean", spikes)?;
            let mean = net.mean_timesteps("head_time", mean)?;
            net.conv("head", mean, Conv::linear(5))?;
        }
    }
    net.finish(Vec::new())
}

/// Codes of any kind and width, with any scale.
fn any_codes(dice: &mut Dice) -> StoredCodes {
    let bits = dice.int(2, 8) as u32;
    let codes = dice.pick(&[Codes::Signed(bits), Codes::Signed(4), Codes::Narrow(bits), Codes::Binary]);
    let scale = match dice.int(0, 3) {
        0 => Scale::Largest,
        1 => Scale::Constant(dice.real(0.02, 0.3)),
        _ => Scale::Tensor("alpha".to_owned()),
    };
    let per_channel = !matches!(scale, Scale::Constant(_)) && dice.int(0, 2) > 0;
    StoredCodes { codes, scale, per_channel }
}

/// Bits of a setting that holds `codes`.
fn bits_of(codes: Codes) -> u32 {
    match codes {
        Codes::Signed(bits) | Codes::Narrow(bits) => bits,
        Codes::Binary | Codes::Real => 2,
    }
}

/// A zoo with realistic parameters, its parameters, and images. Where it need not be `exact`, some of its layers have
/// weights that are stored as codes with scales.
pub fn zoo_model(dice: &mut Dice, timesteps: usize, exact: bool) -> (Model, Tensors, Vec<Sample>) {
    let mut network = zoo(dice, timesteps, exact).unwrap();
    for node in network.nodes.iter_mut().filter(|_| !exact) {
        let Op::Weighted(weighted) = &mut node.op else { continue };
        weighted.stored = (dice.int(0, 2) == 0).then(|| any_codes(dice));
    }
    let images: Vec<Sample> = (0..2).map(|_| dice.image(&network)).collect();
    let tensors = realistic_tensors(&network, dice, &images);
    let mean = if exact { [0.0; 2] } else { [dice.real(0.0, 1.0), dice.real(0.0, 1.0)] };
    (model(network, &mean, &tensors), tensors, images)
}

/// Weight schemes of every kind.
pub fn any_scheme(dice: &mut Dice) -> String {
    let (scale, granularity) = (dice.pick(&["Pow2", "Free"]), dice.pick(&["Layer", "Channel"]));
    let clip = dice.pick(&["Max", "Mse"]);
    match dice.int(0, 6) {
        5.. => {
            let set = LevelSet::ALL[dice.int(0, LevelSet::ALL.len() as i64 - 1) as usize];
            let bits = dice.int((*set.widths().start()).into(), (*set.widths().end()).into());
            let kind = set.kind();
            format!(
                "Levels(set: {kind}, bits: {bits}, scale: {scale}, granularity: {granularity}, clip: {clip})"
            )
        }
        0 => format!("UnitFloor(bits: {})", dice.int(3, 8)),
        1 => format!("PowerOfTwo(bits: {}, scale: {scale}, granularity: {granularity})", dice.int(2, 4)),
        _ => {
            let bits = dice.int(2, 9);
            format!("Uniform(bits: {bits}, scale: {scale}, granularity: {granularity}, clip: {clip})")
        }
    }
}

/// A setting with a declared accumulator, or an image on a fixed grid, now and then; layers of `network` whose weights
/// are stored as codes run on these.
pub fn any_setting(
    dice: &mut Dice,
    network: &Network,
    scheme: &str,
    membrane_bits: u32,
    residual_bits: u32,
) -> FixedPoint {
    let overflow = dice.pick(&["Wrap", "SaturateAtWriteback"]);
    let accumulator = match dice.int(0, 2) {
        0 => format!("accumulator: (bits: {}, overflow: {overflow}),", dice.int(4, 12)),
        _ => String::new(),
    };
    let input = match dice.int(0, 2) {
        0 => format!("input: Fixed(bits: {}, frac: {}),", dice.int(3, 9), dice.int(0, 6)),
        _ => String::new(),
    };
    let stored = network.weighted().filter_map(|(_, node, op)| {
        let bits = bits_of(op.stored.as_ref()?.codes);
        Some(format!("(\"{}\", Layer(weights: Stored(bits: {bits})))", node.name))
    });
    let layers = stored.collect::<Vec<_>>().join(", ");
    parsed(&format!(
        "weights: {scheme}, membrane_bits: {membrane_bits}, residual_bits: {residual_bits}, layers: [{layers}], \
         {accumulator} {input}"
    ))
}

/// Codes are the numbers that `tensors` hold, over their scales and rounded, with the sign of what follows them; yields
/// how many there are.
fn assert_stored(quantized: &QuantizedModel, tensors: &Tensors) -> usize {
    let classifier = quantized.network().classifier();
    let mut compared = 0;
    for (id, node, layer) in quantized.network().weighted().filter(|(id, ..)| Some(*id) != classifier) {
        let (Some(stored), QuantizedOp::Weighted(op)) = (&layer.stored, quantized.op(id)) else { continue };
        let weight = &tensors[&format!("{}.weight", node.name)];
        let fan_in = layer.geometry.fan_in();
        for (c, (row, codes)) in weight.chunks(fan_in).zip(op.codes.chunks(fan_in)).enumerate() {
            let sharing = if stored.per_channel { row } else { &weight[..] };
            let largest = sharing.iter().fold(0.0f32, |largest, w| largest.max(w.abs()));
            let scale = match (&stored.scale, stored.codes) {
                (Scale::Tensor(_), _) => {
                    tensors[&format!("{}.alpha", node.name)][if stored.per_channel { c } else { 0 }]
                }
                (Scale::Constant(scale), _) => *scale as f32,
                (_, Codes::Binary) => largest,
                (_, Codes::Signed(bits) | Codes::Narrow(bits)) => largest / ((1 << (bits - 1)) - 1) as f32,
                (_, Codes::Real) => unreachable!("they are stored"),
            };
            let factors =
                layer.norms.iter().map(|norm| format!("{norm}.weight")).chain(layer.layer_scale.clone());
            let sign = factors.map(|factor| tensors[&factor][c].signum()).product::<f32>();
            let expected: Vec<i32> =
                row.iter().map(|&w| (sign * code(stored.codes, w, scale)) as i32).collect();
            assert_eq!(codes, expected, "{} channel {c}, {stored:?}", node.name);
            compared += codes.len();
        }
    }
    compared
}

/// The code of `weight` in training.
fn code(codes: Codes, weight: f32, scale: f32) -> f32 {
    let high = |bits: u32| ((1 << (bits - 1)) - 1) as f32;
    let nearest = (weight / scale).round_ties_even();
    match codes {
        Codes::Binary => {
            if weight < 0.0 {
                -1.0
            } else {
                1.0
            }
        }
        Codes::Signed(bits) => nearest.clamp(-high(bits) - 1.0, high(bits)),
        Codes::Narrow(bits) => nearest.clamp(-high(bits), high(bits)),
        Codes::Real => weight,
    }
}

/// Every membrane has the width that the setting asks for.
fn assert_membrane_bits(quantized: &QuantizedModel, bits: u32) {
    for op in quantized.ops() {
        let QuantizedOp::Neuron(neuron) = op else { continue };
        assert!(neuron.membrane.as_ref().is_none_or(|word| word.bits == bits), "{neuron:?}");
    }
}

#[test]
fn every_node_and_counter_is_what_a_naive_computation_says() {
    let mut dice = Dice::new(77);
    let (mut compared, mut saturated, mut learned, mut stored) = (0, 0, 0, 0);
    for case in 0..60 {
        let timesteps = dice.int(1, 5) as usize;
        let (model, tensors, images) = zoo_model(&mut dice, timesteps, false);
        let scheme = any_scheme(&mut dice);
        let (membrane, residual) = (dice.int(2, 20) as u32, dice.int(4, 16) as u32);
        let setting = any_setting(&mut dice, &model.network, &scheme, membrane, residual);
        let quantized = quantize(&model, &setting, &calibrate(&model, &images)).unwrap();
        assert_thresholds(&quantized);
        learned += assert_leaks(&quantized, &tensors);
        stored += assert_stored(&quantized, &tensors);
        assert_membrane_bits(&quantized, membrane);
        assert_nearest_tokens(&quantized, &tensors);
        assert!(quantized.fits_32_bits(), "case {case}: {:?}", quantized.bounds());
        let logits = steps_of(&quantized).pop().unwrap();
        assert!(logits.iter().all(|&step| step == logits[0]), "logits are compared: {logits:?}");
        let image = dice.image(&model.network);
        let (wide, narrow) = (run::<i64>(&quantized, &image), run::<i32>(&quantized, &image));
        assert_eq!(wide, narrow, "case {case}");
        let (values, clamped) = assert_naive(&quantized, &wide, &image);
        compared += values;
        saturated += clamped;
    }
    println!(
        "{compared} values, {saturated} saturations, {learned} leaks and {stored} codes of a checkpoint"
    );
    assert!(compared > 500_000 && saturated > 1000 && learned > 50 && stored > 10_000);
}

#[test]
fn every_operation_is_that_of_the_dequantized_float_network() {
    let mut dice = Dice::new(78);
    // Runs that single precision does not hold are left out, and are few.
    let (mut all, mut beyond) = (Compared::default(), 0);
    for _ in 0..150 {
        let timesteps = dice.pick(&[1, 2, 4]);
        let (original, tensors, images) = zoo_model(&mut dice, timesteps, true);
        let (bits, granularity) = (dice.int(3, 4), dice.pick(&["Layer", "Channel"]));
        let scheme = format!("Uniform(bits: {bits}, scale: Pow2, granularity: {granularity}, clip: Max)");
        // Coarse steps of the inner stages, so that no requantizer rounds.
        let setting = setting(&scheme, 32, 24, "(\"rep.*\", Layer(fraction_bits: 0))");
        // Few bits change the network: calibrated on what it becomes, nothing is saturated.
        let mut calibration = calibrate(&original, &images);
        // A layer that the original leaves silent may yet be reached.
        calibration.magnitude.iter_mut().for_each(|magnitude| *magnitude = magnitude.max(8.0));
        let draft = quantize(&original, &setting, &calibration).unwrap();
        let float = model(original.network.clone(), &[0.0; 2], &dequantized_tensors(&draft));
        let calibration = calibration.merge(&calibrate(&float, &images));
        let quantized = quantize(&original, &setting, &calibration).unwrap();
        assert_nearest(&quantized, &tensors);
        assert_thresholds(&quantized);
        let float = model(original.network.clone(), &[0.0; 2], &dequantized_tensors(&quantized));
        assert_dequantized(&quantized, &float);
        for image in &images {
            if single_precision_bits(&quantized, &run::<i64>(&quantized, image)) > 24 {
                beyond += 1;
                continue;
            }
            let (run, compared) = compare_with_float(&quantized, &float, image);
            assert_naive(&quantized, &run, image);
            all += compared;
        }
    }
    println!("{all:?}, {beyond} runs beyond single precision");
    assert!(all.spikes > 100_000 && all.fired > 10_000 && beyond < 30);
}
