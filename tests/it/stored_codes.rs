//! Weights that a checkpoint stores as codes with scales, or as what training rounds to them: executed as they are.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::bad_input::support::Bench;
use spiq::exec::{FloatExecutor, ScalarExecutor};
use spiq::load;
use spiq::model::{Model, ModelDescription, Op, Sample, Selection};
use spiq::quant::{
    Calibration, FixedPoint, Precision, QuantizedModel, QuantizedOp, Setting, quantize, rounded_scales,
};
use spiq::tensor::{Frames, Shape};

/// Two weight layers with normalizations, neurons, a residual stream and a classifier.
const LAYERS: &str = "Conv(name: \"c1\", out_channels: 6, kernel: 3, pad: 1, norms: [\"n1\"]), Neuron(name: \"s1\"), \
    Conv(name: \"c2\", out_channels: 4, kernel: 3, pad: 1, groups: 2, norms: [\"n2\"]), \
    Requantize(name: \"r\", grid: Residual), Neuron(name: \"s2\"), \
    Conv(name: \"c3\", out_channels: 4, kernel: 1, bias: true), Add(name: \"j\", inputs: (\"r\", \"c3\")), \
    IntegerNeuron(name: \"s3\", max: 4, norm: 4), \
    Linear(name: \"head\", out_features: 3, flatten: true), MeanTimesteps(name: \"t\")";
const EVENTS: &str = "Events(shape: (2, 4, 4), max: 3)";

fn text(quantized: &str, input: &str) -> String {
    format!(
        "Model(name: \"m\", family: Layers([{LAYERS}]), quantized: [{quantized}], input: {input}, timesteps: 4, \
         classes: 3, weights: Seeded(1))"
    )
}

type Tensors = BTreeMap<String, (Dtype, Vec<f64>)>;

struct Dice(ChaCha8Rng);

impl Dice {
    fn pick(&mut self, from: &[f64]) -> f64 {
        from[self.0.next_u32() as usize % from.len()]
    }

    fn real(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.0.next_u32()) / 4_294_967_296.0
    }
}

/// Every tensor of a checkpoint; with `exact` scales, gains and shifts are powers of two, or multiples of few.
fn tensors(description: &ModelDescription, seed: u64, exact: bool) -> Tensors {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    let parameters = description.network("m").unwrap().parameters();
    let mut drawn = |name: &str| match name.rsplit('.').next().unwrap() {
        "alpha" if exact => dice.pick(&[0.125, 0.25, 0.5]),
        "alpha" => dice.real(0.05, 0.3),
        "running_var" => 1.0 - 1e-5,
        "running_mean" => 0.0,
        // Norms scale by factors of both signs.
        "weight" if name.starts_with('n') => dice.pick(&[-1.0, 1.0, 0.5, -0.5]),
        "g1" | "g2" => dice.pick(&[-1.0, 1.0, 0.5, -0.5]),
        "bias" => dice.pick(&[-0.25, 0.0, 0.5]),
        _ => dice.real(-1.5, 1.5),
    };
    parameters
        .into_iter()
        .map(|p| (p.name.clone(), (Dtype::F32, (0..p.len()).map(|_| drawn(&p.name)).collect())))
        .collect()
}

fn loaded(description: &ModelDescription, tensors: &Tensors) -> spiq::Result<Model> {
    let network = description.network("m")?;
    let shapes: BTreeMap<String, Vec<usize>> =
        network.parameters().into_iter().map(|p| (p.name, p.shape)).collect();
    let bytes = |dtype: Dtype, values: &[f64]| -> Vec<u8> {
        match dtype {
            Dtype::I8 => values.iter().map(|&x| x as i8 as u8).collect(),
            _ => values.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect(),
        }
    };
    let all: Vec<_> =
        tensors.iter().map(|(name, (dtype, values))| (name, *dtype, bytes(*dtype, values))).collect();
    let views = all.iter().map(|(name, dtype, bytes)| {
        let shape = shapes.get(*name).cloned().unwrap_or_else(|| vec![1]);
        (name.as_str(), TensorView::new(*dtype, shape, bytes).unwrap())
    });
    let file = safetensors::serialize(views, None).unwrap();
    load::with_checkpoint(description.clone(), network, &file, "file", &Selection::default())
}

fn setting(spec: &str) -> FixedPoint {
    let Precision::Fixed(fixed) = Setting::load(spec).unwrap().precision else { panic!("float") };
    fixed
}

fn described(quantized: &str, input: &str) -> ModelDescription {
    ModelDescription::parse(&text(quantized, input), "m").unwrap()
}

fn images(count: u64) -> Vec<Sample> {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(9));
    let mut image = || Frames {
        frames: 4,
        shape: Shape::new(2, 4, 4),
        data: (0..4 * 32).map(|_| dice.pick(&[0.0, 0.0, 1.0, 3.0]) as u16).collect(),
    };
    (0..count).map(|_| image()).collect()
}

fn calibrated(model: &Model, spec: &str) -> spiq::Result<QuantizedModel> {
    let mut calibration = Calibration::new(model.network.nodes.len());
    calibration.magnitude.fill(256.0);
    quantize(model, &setting(spec), &calibration)
}

const LSQ: &str = "Quantized(codes: Signed(4), scale: Tensor(\"alpha\"), per_channel: true)";

/// What LSQ computes, beside the sign of what follows it.
fn code(weight: f64, scale: f64) -> i32 {
    (weight as f32 / scale as f32).clamp(-8.0, 7.0).round_ties_even() as i32
}

/// Codes are those of the checkpoint, of the other sign behind a negative gain, and steps their scales times gains.
#[test]
fn codes_and_steps_are_those_of_the_checkpoint() {
    let description = described(LSQ, EVENTS);
    let mut tensors = tensors(&description, 1, false);
    // The lowest code, behind a gain below 0.
    tensors.get_mut("n1.weight").unwrap().1[0] = -0.5;
    tensors.get_mut("c1.weight").unwrap().1[0] = -9.0;
    let model = loaded(&description, &tensors).unwrap();
    let quantized = calibrated(&model, "int4").unwrap();
    for (layer, norm) in [("c1", Some("n1")), ("c2", Some("n2")), ("c3", None)] {
        let id = model.network.iter().find(|(_, node)| node.name == layer).unwrap().0;
        let QuantizedOp::Weighted(op) = quantized.op(id) else { panic!() };
        let values = |name: String| &tensors[&name].1;
        let (weights, scales) = (values(format!("{layer}.weight")), values(format!("{layer}.alpha")));
        let fan_in = op.geometry.fan_in();
        for (c, (row, codes)) in weights.chunks(fan_in).zip(op.codes.chunks(fan_in)).enumerate() {
            let gain = norm.map_or(1.0, |norm| values(format!("{norm}.weight"))[c]);
            let expected: Vec<i32> = row.iter().map(|&w| code(w, scales[c]) * gain.signum() as i32).collect();
            assert_eq!(codes, expected, "{layer} {c}");
            let step = f64::from(scales[c] as f32) * gain.abs();
            assert!((op.lsb[c] * f64::from(1 << op.fraction_bits) / step - 1.0).abs() < 1e-5, "{layer} {c}");
        }
        assert_eq!(op.scheme.bits(), 4);
    }
    let QuantizedOp::Weighted(first) = &quantized.ops()[1] else { panic!() };
    assert_eq!(first.codes[0], 8, "{:?}", tensors["n1.weight"]);
    // Scales of a classifier differ, and its outputs are compared: one scale of 16 bits.
    let QuantizedOp::Weighted(head) = quantized.op(model.network.classifier().unwrap()) else { panic!() };
    assert_eq!((head.scheme.bits(), head.codes.iter().map(|c| c.abs()).max()), (16, Some(32767)));
    let note = rounded_scales(&model, &quantized).unwrap();
    let said = ["scales of 3 layers", "thresholds, which", "requantizers", "the scales of head are one"];
    assert!(said.iter().all(|part| note.contains(part)), "{note}");
}

/// Where scales are powers of two, every spike and every logit is that of the float network.
#[test]
fn exact_scales_are_executed_exactly() {
    let per_layer = LSQ.replace("true", "false");
    let quantized = format!("{LSQ}, {}", per_layer.replace("codes", "layers: \"head\", codes"));
    // A variance and its epsilon are no power of two.
    let scaled = |text: String, i: usize| {
        text.replace(&format!("norms: [\"n{i}\"]"), &format!("bias: true, layer_scale: Some(\"g{i}\")"))
    };
    let text = [1, 2].into_iter().fold(text(&quantized, EVENTS), scaled);
    let description = ModelDescription::parse(&text, "m").unwrap();
    for seed in 0..6 {
        let model = loaded(&description, &tensors(&description, seed, true)).unwrap();
        let quantized = calibrated(&model, "int4u32").unwrap();
        assert_eq!(rounded_scales(&model, &quantized).unwrap(), "scales of 4 layers of stored codes: exact");
        let float = FloatExecutor::new(&model);
        let mut fired = 0.0;
        for image in images(4) {
            let mut spikes = BTreeMap::new();
            float.run_observed(&image, |id, values| {
                if model.network.node(id).op.is_neuron() {
                    spikes.insert(id, values.data.clone());
                }
            });
            let execution = ScalarExecutor::<i64>::new(&quantized).run_observed(&image, |id, values| {
                let Some(expected) = spikes.get(&id) else { return };
                let worth = if let Op::IntegerNeuron(n) = model.network.node(id).op { n.norm } else { 1 };
                let got: Vec<f32> = values.data.iter().map(|&x| x as f32 / worth as f32).collect();
                assert_eq!(&got, expected, "{seed} {}", model.network.node(id).name);
                fired += got.iter().sum::<f32>();
            });
            let step = quantized.lsbs().last().unwrap()[0];
            let logits: Vec<f32> = execution.logits.iter().map(|&x| (x as f64 * step) as f32).collect();
            let expected = float.run(&image).logits;
            assert!(
                logits.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5),
                "{logits:?} {expected:?}"
            );
        }
        assert!(fired > 100.0, "{fired}");
    }
}

/// What is stored in 8-bit integers is what single precision is rounded to.
#[test]
fn integers_and_what_is_rounded_to_them_are_equal() {
    let description = described(LSQ, EVENTS);
    let latent = tensors(&description, 2, false);
    let mut integers = latent.clone();
    for layer in ["c1", "c2", "c3", "head"] {
        let scales = latent[&format!("{layer}.alpha")].1.clone();
        let weights = &mut integers.get_mut(&format!("{layer}.weight")).unwrap();
        let fan_in = weights.1.len() / scales.len();
        weights.1.iter_mut().enumerate().for_each(|(i, w)| *w = f64::from(code(*w, scales[i / fan_in])));
        weights.0 = Dtype::I8;
    }
    let models = [&latent, &integers].map(|tensors| loaded(&description, tensors).unwrap());
    let [expected, found] = [0, 1].map(|i| calibrated(&models[i], "int4").unwrap().ops().to_vec());
    assert_eq!(found, expected);
    integers.insert("c1.init_state".to_owned(), (Dtype::F32, vec![1.0]));
    loaded(&description, &integers).unwrap();
}

/// 2 x 64 / 0.3 = 426.67 steps of a threshold are 427: a third of a step more.
#[test]
fn how_far_a_threshold_is_rounded_by_hand() {
    let text = "Model(name: \"m\", family: Layers([Conv(name: \"c\", out_channels: 1, kernel: 1), Neuron(name: \"s\"), \
                Linear(name: \"head\", out_features: 2, flatten: true), MeanTimesteps(name: \"t\")]), quantized: \
                [Quantized(layers: \"c\", codes: Narrow(2), scale: Constant(0.3))], input: Events(shape: (1, 1, 1), \
                max: 15), timesteps: 2, classes: 2, weights: Seeded(1))";
    let description = ModelDescription::parse(text, "m").unwrap();
    let single = |values: &[f64]| (Dtype::F32, values.to_vec());
    let values = [
        ("c.weight", single(&[0.4])),
        ("head.weight", single(&[1.0, 2.0])),
        ("head.bias", single(&[0.0; 2])),
    ];
    let values = values.map(|(name, tensor)| (name.to_owned(), tensor));
    let model = loaded(&description, &values.into_iter().collect()).unwrap();
    let text = "Setting(name: \"s\", weights: Stored(bits: 2), membrane_bits: 16, residual_bits: 16, layers: [(\"head\", \
                Layer(weights: Uniform(bits: 8, scale: Free, granularity: Layer, clip: Max)))])";
    let Precision::Fixed(fixed) = Setting::parse(text, "s").unwrap().precision else { panic!() };
    let quantized = quantize(&model, &fixed, &Calibration::new(model.network.nodes.len())).unwrap();
    let QuantizedOp::Neuron(neuron) = &quantized.ops()[2] else { panic!() };
    assert_eq!(neuron.thresholds, [427]);
    let expected = "scales of 1 layers of stored codes: thresholds, which are whole steps, differ by at most 7.81e-2 % (s)";
    assert_eq!(rounded_scales(&model, &quantized).unwrap(), expected);
}

/// A report says it of the settings that run stored codes, and of no other.
#[test]
fn a_report_says_how_far_scales_are_rounded() {
    let bench = Bench::new();
    bench.write("m.ron", text(LSQ, EVENTS));
    let command = ["simulate", "--quiet", "--model", "m.ron", "--data", "noise", "--limit", "1"];
    let output = bench.run(&[&command[..], &["--quant", "int4", "--quant", "w4"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = std::fs::read_to_string(bench.path("spiq-out/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let says =
        |setting: usize| report["settings"][setting]["notes"].to_string().contains("layers of stored codes");
    assert!(says(0) && !says(1), "{report}");
}

/// Images keep codes where all their channels are scaled alike, and else on a grid.
#[test]
fn codes_that_meet_images() {
    let image = |std: &str| format!("Image(shape: (2, 4, 4), mean: [0.5, 0.25], std: [{std}], bits: 8)");
    let codes = |std: &str, fields: &str| -> spiq::Result<Vec<i32>> {
        let description = described(LSQ, &image(std));
        let model = loaded(&description, &tensors(&description, 3, false)).unwrap();
        let text = format!(
            "Setting(name: \"s\", weights: Stored(bits: 4), membrane_bits: 16, residual_bits: 16{fields})"
        );
        let Precision::Fixed(fixed) = Setting::parse(&text, "s").unwrap().precision else { panic!() };
        let mut calibration = Calibration::new(model.network.nodes.len());
        calibration.magnitude.fill(256.0);
        let quantized = quantize(&model, &fixed, &calibration)?;
        let QuantizedOp::Weighted(op) = &quantized.ops()[1] else { panic!() };
        Ok(op.codes.clone())
    };
    let grid = ", input: Fixed(bits: 8, frac: 5)";
    let alike = codes("0.3, 0.3", "").unwrap();
    assert!(alike.iter().any(|&code| code != 0));
    assert_eq!(codes("0.3, 0.3", grid).unwrap(), alike);
    assert_eq!(codes("0.3, 0.2", grid).unwrap(), alike);
    let refused = codes("0.3, 0.2", "").unwrap_err().to_string();
    assert!(
        refused.starts_with("layer c1: stored codes meet an image whose channels have deviations"),
        "{refused}"
    );
}

#[test]
fn random_weights_are_rounded_to_codes() {
    for quantized in [LSQ, "Quantized(codes: Narrow(2))", "Quantized(codes: Binary, per_channel: true)"] {
        let description = described(quantized, EVENTS);
        let model = load::random(description.clone(), description.network("m").unwrap(), 1).unwrap();
        let bits = if quantized == LSQ { "int4" } else { "int2" };
        let quantized = calibrated(&model, bits).unwrap();
        let QuantizedOp::Weighted(op) = &quantized.ops()[1] else { panic!() };
        assert!(op.codes.iter().any(|&code| code > 0) && op.codes.iter().any(|&code| code < 0));
        let text = description.as_layers(&model.network);
        assert_eq!(ModelDescription::parse(&text, "m").unwrap().quantized, description.quantized, "{text}");
    }
}

#[test]
fn what_no_stored_codes_can_be_is_refused() {
    let refusal = |quantized: &str| {
        let description = ModelDescription::parse(&text(quantized, EVENTS), "m")?;
        description.network("m").map(|_| ())
    };
    for (quantized, message) in [
        ("Quantized(codes: Signed(1))", "m: quantized: codes of 1 bits are not of 2 to 16"),
        ("Quantized(codes: Narrow(17))", "m: quantized: codes of 17 bits are not of 2 to 16"),
        ("Quantized(layers: \"s1\", codes: Binary)", "m: quantized: no weight layer is called \"s1\""),
        (
            "Quantized(codes: Binary, scale: Constant(0.0))",
            "m: quantized: a scale of 0.0 is not in 1e-30..=1e30",
        ),
        (
            "Quantized(codes: Binary, scale: Constant(1.0), per_channel: true)",
            "m: quantized: a constant scale is that of a layer, not of each channel",
        ),
    ] {
        assert_eq!(refusal(quantized).unwrap_err().to_string(), message);
    }
    let description = described(LSQ, EVENTS);
    let good = tensors(&description, 4, false);
    let changed = |name: &str, i: usize, dtype: Dtype, value: f64| {
        let mut tensors = good.clone();
        let tensor = tensors.get_mut(name).unwrap();
        (tensor.0, tensor.1[i]) = (dtype, value);
        loaded(&description, &tensors).unwrap_err().to_string()
    };
    assert_eq!(
        changed("c2.alpha", 1, Dtype::F32, -0.5),
        "file: c2.weight: a scale of -0.5, of channel 1, is no normal number above 0"
    );
    assert_eq!(
        changed("c1.weight", 2, Dtype::I8, 9.0),
        "file: c1.weight: value 2 is 9, and no code of -8 to 7"
    );
    let mut missing = good.clone();
    missing.remove("head.alpha");
    assert_eq!(
        loaded(&description, &missing).unwrap_err().to_string(),
        "file: tensors: do not fit the model: missing head.alpha"
    );
    let model = loaded(&description, &good).unwrap();
    let narrow = calibrated(&model, "int3").unwrap_err().to_string();
    assert!(
        narrow.starts_with("layer c1: a weight is stored as") && narrow.contains("no code of 3 bits"),
        "{narrow}"
    );
}
