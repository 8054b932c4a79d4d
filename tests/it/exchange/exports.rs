//! What is exported means the same to a program that reads only the files.

use std::fs;

use safetensors::SafeTensors;
use spiq::exchange::{DumpRequest, FloatType, Units, dump, export_rtl, export_torch, export_torch_float};

use super::support::*;
use crate::exactness::dequantized::dequantized_tensors;
use crate::exactness::zoo::zoo_model;

#[test]
fn a_dump_holds_what_the_run_shows() {
    let mut dice = Dice::new(93);
    let (model, samples) = any_network(&mut dice);
    let dir = folder();
    let request = DumpRequest { membranes: true, accumulators: true };
    let summary = dump(&model, ["zoo", "test", "noise"], &images_of(&samples), request, dir.path()).unwrap();
    assert_eq!((summary.images, summary.timesteps), (samples.len(), model.network().timesteps));
    let runs: Vec<Run> = samples.iter().map(|sample| run::<i64>(&model, sample)).collect();
    let mut files = 0;
    for (id, node) in model.network().iter() {
        let name = match &node.op {
            Op::Weighted(_) => format!("{}.accumulator.npy", node.name),
            op if op.is_neuron() || *op == Op::Input => format!("{}.npy", node.name),
            _ => continue,
        };
        let (shape, values) = array(&dir.path().join(name));
        let Shape { channels, height, width } = node.shape;
        assert_eq!(shape, [model.network().timesteps, samples.len(), channels, height, width]);
        let frames = (0..model.network().timesteps).flat_map(|t| runs.iter().map(move |run| (t, run)));
        let expected: Vec<i64> =
            frames.flat_map(|(t, run)| channels_first(&run.values[id.index()], t)).collect();
        assert!(values == expected, "{}", node.name);
        files += 1;
    }
    assert!(files > 20);
    let logits: Vec<i64> = runs.iter().flat_map(|run| run.execution.logits.clone()).collect();
    assert_eq!(
        array(&dir.path().join("logits.npy")),
        (vec![samples.len(), model.network().classes()], logits)
    );
    assert_membranes(&model, dir.path());
}

/// Each membrane follows from the one before, the input and the spike, in words wide enough.
fn assert_membranes(model: &QuantizedModel, dir: &std::path::Path) {
    let mut checked = 0;
    for (node, op) in model.network().nodes.iter().zip(model.ops()) {
        let QuantizedOp::Neuron(op) = op else { continue };
        let input = dir.join(format!("{}.accumulator.npy", model.network().input_of(node, 0).name));
        let Some(word) = op.membrane.as_ref().filter(|_| input.exists()) else { continue };
        let ((shape, x), (_, spikes)) = (array(&input), array(&dir.join(format!("{}.npy", node.name))));
        let (_, membranes) = array(&dir.join(format!("{}.membrane.npy", node.name)));
        let frame: usize = shape[1..].iter().product();
        let channel = |i: usize| i / (shape[3] * shape[4]) % shape[2];
        for i in 0..x.len() {
            let before = if i < frame { 0 } else { membranes[i - frame] };
            let (th, d) = (
                op.thresholds[channel(i) % op.thresholds.len()],
                word.discards[channel(i) % word.discards.len()],
            );
            let g = before + x[i];
            assert_eq!(spikes[i] == 1, g >= th, "{} {i}", node.name);
            let limit = 1i64 << (word.bits - 1);
            let keep = op.keep(channel(i));
            let leak = |left: i64| ((2 * left + 1) * i64::from(keep.multiplier)).div_euclid(2 << keep.shift);
            let amount = op.amount(channel(i));
            let kept = match (g >= th, amount) {
                (false, _) => leak(g),
                (true, None) => 0,
                (true, Some(amount)) if op.reset == QuantizedReset::SubtractDelayed => leak(g) - amount,
                (true, Some(amount)) => leak(g - amount),
            };
            let stored = kept.div_euclid(1 << d).clamp(-limit, limit - 1);
            assert_eq!(membranes[i], stored * (1 << d), "{} {i}", node.name);
        }
        checked += 1;
    }
    assert!(checked > 0);
}

#[test]
fn weights_for_pytorch_are_the_dequantized_ones() {
    let mut dice = Dice::new(94);
    let (model, tensors, samples) = zoo_model(&mut dice, 2, true);
    let scheme = "Uniform(bits: 4, scale: Pow2, granularity: Channel, clip: Max)";
    let quantized = quantize(&model, &setting(scheme, 16, 16, ""), &calibrate(&model, &samples)).unwrap();
    let dir = folder();
    export_torch(&quantized, ["zoo", "test"], Units::Real, FloatType::Float32, dir.path()).unwrap();
    let bytes = fs::read(dir.path().join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let view = file.tensor(name).unwrap();
        view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let expected = dequantized_tensors(&quantized);
    for (name, values) in &expected {
        assert_eq!(&floats(name), values, "{name}");
    }
    let mut thresholds = 0;
    for (id, node) in model.network.iter().filter(|(_, node)| node.op.is_neuron()) {
        let values = floats(&format!("{}.threshold", node.name));
        let Op::Neuron(neuron) = &node.op else { continue };
        // Powers of two: the integer threshold is the real one, rounded up to a whole step.
        let step = quantized.lsbs()[node.inputs[0].index()].iter().fold(0.0f64, |m, &s| m.max(s));
        assert_eq!(values.len(), node.shape.channels, "{}", node.name);
        let unreachable = quantized.bounds()[node.inputs[0].index()];
        let reached = unreachable as f64 * step > neuron.threshold;
        let near = |&v: &f32| (f64::from(v) - neuron.threshold).abs() <= step;
        assert!(!reached || values.iter().all(near), "{} {values:?} {:?}", node.name, quantized.op(id));
        thresholds += 1;
    }
    assert!(thresholds > 5);
    assert_eq!(file.len(), expected.len() + model.network.nodes.iter().filter(|n| n.op.is_neuron()).count());
    export_torch_float(&model, FloatType::Float32, dir.path()).unwrap();
    let bytes = fs::read(dir.path().join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.len(), tensors.len());
    for (name, values) in &tensors {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(file.tensor(name).unwrap().data(), bytes, "{name}");
    }
}

/// In double precision and steps, nothing is rounded: the tensors are the integers.
#[test]
fn weights_in_steps_are_the_integers() {
    let mut dice = Dice::new(96);
    let (model, _) = any_network(&mut dice);
    let (dir, names) = (folder(), ["zoo", "test"]);
    export_torch(&model, names, Units::Integers, FloatType::Float64, dir.path()).unwrap();
    let bytes = fs::read(dir.path().join("model.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().as_ref().unwrap();
    assert_eq!((metadata["norms"].as_str(), metadata["units"].as_str()), ("folded", "integers"));
    let about: Value = serde_json::from_str(&metadata["spiq"]).unwrap();
    let QuantizedOp::Input { zero_points, .. } = &model.ops()[0] else { panic!("{:?}", model.ops()[0]) };
    assert_eq!(about["input_zero_points"], serde_json::json!(zero_points));
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: String| -> Vec<f64> {
        let view = file.tensor(&name).unwrap_or_else(|e| panic!("{name}: {e}"));
        view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let mut tensors = 0;
    for (node, op) in model.network().nodes.iter().zip(model.ops()) {
        tensors += match op {
            QuantizedOp::Weighted(op) => {
                let steps = f64::from(1u32 << op.fraction_bits);
                let weights: Vec<f64> = op.codes.iter().map(|&c| f64::from(c) * steps).collect();
                assert_eq!(floats(format!("{}.weight", node.name)), weights);
                let bias: Vec<f64> = op.bias.iter().map(|&b| b as f64).collect();
                assert_eq!(floats(format!("{}.bias", node.name)), bias);
                2
            }
            QuantizedOp::Requantize { requantizers, format } => {
                let ratios: Vec<f64> = requantizers.iter().map(|r| r.ratio()).collect();
                assert_eq!(floats(format!("{}.multiplier", node.name)), ratios);
                assert_eq!(
                    floats(format!("{}.limits", node.name)),
                    [format.min() as f64, format.max() as f64]
                );
                2
            }
            QuantizedOp::AddMembrane(_) => 2,
            QuantizedOp::Neuron(op) => {
                let real = floats(format!("{}.threshold", node.name));
                for (c, real) in real.iter().enumerate() {
                    let threshold = op.thresholds[c % op.thresholds.len()] - i64::from(op.strict);
                    let expected = threshold as f64 / op.gains[c % op.gains.len()];
                    assert!((real - expected).abs() <= 1e-12 * expected.abs(), "{}", node.name);
                }
                1
            }
            QuantizedOp::Loihi(_) | QuantizedOp::Levels { .. } => 1,
            _ => 0,
        };
    }
    assert_eq!(file.len(), tensors);
    // Every export has equal bytes.
    export_torch(&model, names, Units::Integers, FloatType::Float64, dir.path()).unwrap();
    assert_eq!(fs::read(dir.path().join("model.safetensors")).unwrap(), bytes);
}

/// A column of hardware that knows the `.mem` files and the manifest alone.
#[test]
fn the_files_of_a_layer_suffice_to_recompute_it() {
    let mut dice = Dice::new(95);
    let (mut columns, mut attentions) = (0, 0);
    while columns < 8 || attentions < 2 {
        let (model, samples) = any_network(&mut dice);
        let dir = folder();
        if export_rtl(&model, ["zoo", "test"], &images_of(&samples), dir.path()).is_err() {
            continue;
        }
        let manifest = manifest(dir.path());
        for layer in manifest["layers"].as_array().unwrap() {
            let files = Mem { folder: dir.path().join(layer["name"].as_str().unwrap()), layer };
            let (timesteps, images) = (files.of(&manifest, "timesteps"), files.of(&manifest, "images"));
            let x = match layer["kind"].as_str() {
                Some("weighted") => {
                    columns += 1;
                    (0..timesteps).map(|t| files.column(t as usize, images as usize)).collect::<Vec<_>>()
                }
                _ => {
                    attentions += 1;
                    (0..timesteps).map(|t| files.product(t as usize, images as usize)).collect()
                }
            };
            files.assert_neurons(&x);
        }
    }
}

struct Mem<'a> {
    folder: std::path::PathBuf,
    layer: &'a Value,
}

impl Mem<'_> {
    fn of(&self, object: &Value, field: &str) -> i64 {
        object[field].as_i64().unwrap_or_else(|| panic!("{field} in {object}"))
    }

    fn number(&self, field: &str) -> i64 {
        let value = self.of(self.layer, field);
        let parameters = fs::read_to_string(self.folder.join("layer.vh")).unwrap();
        let line = format!("localparam int {} = {value};\n", field.to_uppercase());
        assert!(parameters.contains(&line), "{line} in {parameters}");
        value
    }

    fn shape(&self, field: &str) -> [usize; 3] {
        std::array::from_fn(|i| self.layer[field][i].as_u64().unwrap() as usize)
    }

    /// The values of a file of `bits`, whose lines all have as many digits.
    fn read(&self, name: &str, bits: i64) -> Vec<i64> {
        let text = fs::read_to_string(self.folder.join(format!("{name}.mem"))).unwrap();
        assert!(text.ends_with('\n'));
        let digits = (bits as usize).div_ceil(4);
        let value = |line: &str| {
            assert_eq!(line.len(), digits, "{name}");
            let unused = 64 - 4 * digits as u32;
            let value = (u64::from_str_radix(line, 16).unwrap() << unused) as i64 >> unused;
            assert!(
                bits == 1 || bits == 8 || (-(1i64 << (bits - 1))..1i64 << (bits - 1)).contains(&value),
                "{name}"
            );
            value
        };
        text.lines().map(value).collect()
    }

    fn column(&self, t: usize, images: usize) -> Vec<i64> {
        let [ins, height, width] = self.shape("input_shape");
        let [outs, rows, columns] = self.shape("output_shape");
        let [kernel, stride, pad, groups] =
            ["kernel", "stride", "pad", "groups"].map(|field| self.number(field) as usize);
        let weights = self.read("w", self.number("weight_bits"));
        let bias = self.read("bias", self.number("x_bits"));
        let spikes = self.read(&format!("in_t{t}"), 1);
        let per_group = ins / groups;
        let mut all = Vec::new();
        for image in 0..images {
            for o in 0..outs {
                for (y, x) in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
                    let mut acc = 0;
                    for (i, (ky, kx)) in (0..per_group).flat_map(|i| {
                        (0..kernel).flat_map(move |ky| (0..kernel).map(move |kx| (i, (ky, kx))))
                    }) {
                        let channel = o / (outs / groups) * per_group + i;
                        let (row, column) = (y * stride + ky, x * stride + kx);
                        let inside =
                            row >= pad && column >= pad && row < height + pad && column < width + pad;
                        let spike = inside
                            && spikes[((image * ins + channel) * height + row - pad) * width + column - pad]
                                == 1;
                        if spike {
                            acc += weights[((o * per_group + i) * kernel + ky) * kernel + kx];
                        }
                    }
                    let limit = 1i64 << (self.number("accumulator_bits") - 1);
                    let acc = match self.layer["accumulator"]["overflow"].as_str() {
                        Some("wrap") => (acc + limit).rem_euclid(2 * limit) - limit,
                        Some(_) => acc.clamp(-limit, limit - 1),
                        None => acc,
                    };
                    assert!(-limit <= acc && acc < limit);
                    all.push((acc << self.number("fraction_bits")) + bias[o]);
                }
            }
        }
        assert_eq!(all, self.read(&format!("x_t{t}"), self.number("x_bits")));
        all
    }

    /// (q k^T) v
    fn product(&self, t: usize, images: usize) -> Vec<i64> {
        let ([channels, height, width], [values, ..]) = (self.shape("shape"), self.shape("value_shape"));
        let (tokens, heads) = (height * width, self.number("heads") as usize);
        let [q, k, v] = ["q", "k", "v"].map(|name| self.read(&format!("in_{name}_t{t}"), 1));
        let mut all = Vec::new();
        for image in 0..images {
            for (c, token) in (0..values).flat_map(|c| (0..tokens).map(move |token| (c, token))) {
                let head = c / (values / heads);
                let score = |other: usize| -> i64 {
                    let range = head * (channels / heads)..(head + 1) * (channels / heads);
                    range
                        .map(|i| {
                            q[(image * channels + i) * tokens + token]
                                * k[(image * channels + i) * tokens + other]
                        })
                        .sum()
                };
                all.push(
                    (0..tokens).map(|other| score(other) * v[(image * values + c) * tokens + other]).sum(),
                );
            }
        }
        assert_eq!(all, self.read(&format!("x_t{t}"), self.number("count_bits")));
        all
    }

    fn assert_neurons(&self, x: &[Vec<i64>]) {
        let shape = if self.layer["kind"] == "weighted" { "output_shape" } else { "value_shape" };
        let [channels, height, width] = self.shape(shape);
        let threshold = self.read("thresh", self.number("threshold_bits"));
        let amount = self.read("amount", self.number("amount_bits"));
        let discard = self.read("discard", 8);
        let multiplier = self.read("multiplier", 20);
        assert!(multiplier.iter().all(|&m| m < 1 << self.number("multiplier_bits").max(1)));
        let limit = 1i64 << (self.number("membrane_bits") - 1);
        let mut v = vec![0; x[0].len()];
        for (t, x) in x.iter().enumerate() {
            let mut fired = Vec::new();
            for (i, v) in v.iter_mut().enumerate() {
                let c = i / (height * width) % channels;
                let g = *v + x[i];
                let fires = g >= threshold[c];
                let leak = |left: i64| ((2 * left + 1) * multiplier[c]) >> (self.number("shift") + 1);
                let kept = match self.layer["reset"].as_str() {
                    Some("zero") if fires => 0,
                    Some("subtract") if fires => leak(g - amount[c]),
                    Some("subtract_delayed") if fires => leak(g) - amount[c],
                    _ => leak(g),
                };
                *v = (kept >> discard[c]).clamp(-limit, limit - 1) << discard[c];
                fired.push(i64::from(fires));
            }
            assert_eq!(v, self.read(&format!("v_t{t}"), self.number("v_bits")), "{}", self.layer["name"]);
            // One bit has no sign.
            assert_eq!(fired, self.read(&format!("out_t{t}"), 1), "{}", self.layer["name"]);
        }
    }
}
