//! A normalization of almost nothing leaves a channel that is its bias: the integers are those of a gamma of 0.

use spiq::evaluate::{add_statistics, calibrate, quantize_on};
use spiq::load;
use spiq::model::{DataSet, Model};
use spiq::num::LevelSet;
use spiq::quant::{Calibration, FixedPoint, Precision, QuantizedModel, Setting};

fn network(name: &str) -> Model {
    load::model(&format!("{}/tests/data/families/{name}.ron", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// `model` with a gamma of `gamma` at `channels` of every normalization that `touched` names, and a bias behind
/// it that `beta` gives.
fn with_gamma(
    name: &str,
    touched: impl Fn(&str) -> bool,
    channels: &[usize],
    gamma: f32,
    beta: Option<f32>,
) -> Model {
    let mut model = network(name);
    let norms: Vec<String> =
        model.network.weighted().flat_map(|(_, _, weighted)| weighted.norms.clone()).collect();
    let mut tensors: std::collections::BTreeMap<_, _> =
        model.weights.tensors().map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect();
    for norm in norms.iter().filter(|norm| touched(norm)) {
        for (part, value) in [("weight", Some(gamma)), ("bias", beta)] {
            let data = &mut tensors.get_mut(&format!("{norm}.{part}")).unwrap().data;
            let all: Vec<usize> = (0..data.len()).collect();
            let channels = if channels.is_empty() { &all } else { channels };
            channels.iter().filter_map(|_| value).zip(channels).for_each(|(value, &c)| data[c] = value);
        }
    }
    model.weights = model.weights.with_tensors(tensors);
    model
}

/// A model with what its calibration images say, for any setting.
struct Subject {
    model: Model,
    data: DataSet,
    calibration: Calibration,
}

impl Subject {
    fn new(model: Model) -> Self {
        let mut data = DataSet::load_for("noise", &model.description).unwrap();
        data.validation.truncate(2);
        let mut calibration = calibrate(&model, &data, &data.test, &|| ()).unwrap();
        add_statistics(&model, &data.validation, &shorthand("w3+gptq+bias"), &mut calibration).unwrap();
        Self { model, data, calibration }
    }

    fn quantized(&self, fixed: &FixedPoint) -> Result<QuantizedModel, String> {
        let quantized = quantize_on(&self.model, &self.data.validation, fixed, &self.calibration);
        quantized.map_err(|e| e.to_string())
    }
}

fn fixed(setting: Setting) -> FixedPoint {
    match setting.precision {
        Precision::Fixed(fixed) => fixed,
        Precision::Float32 => panic!("not of integers"),
    }
}

fn shorthand(spec: &str) -> FixedPoint {
    fixed(Setting::load(spec).unwrap())
}

fn settings() -> Vec<(String, FixedPoint)> {
    let shorthands = [
        "w2",
        "w3",
        "w4",
        "w8",
        "w16",
        "pot2",
        "pot3",
        "pot4",
        "pot5",
        "w4u8",
        "w3+mse",
        "w3+gptq",
        "w2+mse+gptq+bias",
        "pot3+gptq",
        "w4+rate",
        "pot3+gptq+bias+rate",
    ];
    let mut texts: Vec<String> = Vec::new();
    for granularity in ["Layer", "Channel"] {
        for scale in ["Pow2", "Free"] {
            for clip in ["Max", "Mse"] {
                texts.push(format!(
                    "Uniform(bits: 4, scale: {scale}, granularity: {granularity}, clip: {clip})"
                ));
            }
            texts.push(format!("PowerOfTwo(bits: 3, scale: {scale}, granularity: {granularity})"));
        }
    }
    let written = texts.into_iter().map(|scheme| {
        let text = format!("Setting(name: \"x\", weights: {scheme}, membrane_bits: 12, residual_bits: 16)");
        (scheme, fixed(Setting::parse(&text, "x").unwrap()))
    });
    let sets = LevelSet::ALL.iter().map(|set| set.shorthand(*set.widths().end()));
    let calibrated = sets.clone().map(|set| format!("{set}+mse+gptq+bias"));
    let short = shorthands.map(str::to_owned).into_iter().chain(sets).chain(calibrated);
    short.map(|spec| (spec.clone(), shorthand(&spec))).chain(written).collect()
}

/// One channel of every layer, with the bias that it has.
#[test]
fn a_gamma_of_almost_nothing_is_a_gamma_of_zero() {
    let of = |gamma| Subject::new(with_gamma("v1", |_| true, &[1], gamma, None));
    let (zero, tiny) = (of(0.0), [-1e-12].map(|gamma| (gamma, of(gamma))));
    for (spec, fixed) in settings() {
        let zero = zero.quantized(&fixed).unwrap();
        let dead = zero.weighted().filter(|(_, op)| {
            let fan_in = op.geometry.fan_in();
            op.codes[fan_in..2 * fan_in].iter().all(|&code| code == 0)
        });
        assert!(dead.count() >= 8, "{spec}: no channel is dead");
        for (gamma, tiny) in &tiny {
            let tiny = tiny.quantized(&fixed).unwrap_or_else(|e| panic!("{spec}: gamma {gamma:e}: {e}"));
            assert_eq!(tiny.ops(), zero.ops(), "{spec}: gamma {gamma:e}");
            assert_eq!((tiny.bounds(), tiny.lsbs()), (zero.bounds(), zero.lsbs()), "{spec}: gamma {gamma:e}");
        }
    }
}

/// Dead channels are dead with any bias; so are whole layers, whose scale has no other channel to follow.
#[test]
fn neither_the_bias_nor_the_rest_of_the_layer_matters() {
    let layer = |norm: &str| norm == "patch_embed.proj_bn" || norm.ends_with("fc1_bn");
    let layerwise = "Uniform(bits: 4, scale: Pow2, granularity: Layer, clip: Max)";
    let chosen = ["w2", "w8", "w16", "pot3", "w3+gptq", layerwise];
    let pair = &[0, 2][..];
    for (beta, channels) in [(Some(0.0), &[][..]), (Some(1e-6), pair), (Some(-3.0), pair), (None, &[])] {
        let of = |gamma| Subject::new(with_gamma("v1", layer, channels, gamma, beta));
        let (zero, tiny) = (of(0.0), of(f32::from_bits(1)));
        for (spec, fixed) in settings().iter().filter(|(spec, _)| chosen.contains(&spec.as_str())) {
            let (zero, tiny) = (zero.quantized(fixed).unwrap(), tiny.quantized(fixed).unwrap());
            assert_eq!(tiny.ops(), zero.ops(), "{spec}: bias {beta:?}, channels {channels:?}");
        }
    }
}

/// In between, where a bias has more steps than 46 bits hold, the step is widened; nothing is refused, and a
/// channel that is small but alive keeps weights.
#[test]
fn every_gamma_runs() {
    for exponent in [1, 2, 3, 4, 6, 7, 9, 11, 12, 16, 24, 40] {
        let subject = Subject::new(with_gamma("v1", |_| true, &[1], 10f32.powi(-exponent), Some(0.7)));
        for spec in ["w2", "w8", "w16", "pot3", "w4+mse"] {
            let quantized = subject.quantized(&shorthand(spec));
            let quantized = quantized.unwrap_or_else(|e| panic!("{spec}: gamma 1e-{exponent}: {e}"));
            let (_, first) = quantized.weighted().next().unwrap();
            let fan_in = first.geometry.fan_in();
            let alive = first.codes[fan_in..2 * fan_in].iter().any(|&code| code != 0);
            assert!(alive || exponent > 6, "{spec}: gamma 1e-{exponent}");
            assert!(!alive || exponent < 12, "{spec}: gamma 1e-{exponent}");
            let bias = first.bias[1] as f64 * first.lsb[1];
            assert!(exponent < 3 || (bias - 0.7).abs() < 0.01, "{spec}: gamma 1e-{exponent}: bias {bias}");
        }
    }
}
