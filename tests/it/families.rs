//! Published networks count as their originals do.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;

use spiq::evaluate::calibrate;
use spiq::exec::{FloatExecutor, ScalarExecutor, seeded_weights};
use spiq::files::{Folder, sha256};
use spiq::load;
use spiq::model::{DataSet, Family, Model, ModelDescription, Network, Operations, fuse};
use spiq::quant::{Precision, Setting, quantize};
use spiq::tensor::Frames;

const PUBLISHED: &str = include_str!("../data/published_counts.csv");

#[derive(Debug, PartialEq, Deserialize)]
struct Counts {
    model: String,
    timesteps: usize,
    parameters: u64,
    unused_parameters: u64,
    neurons: u64,
    binary: u64,
    integer: u64,
    real: u64,
    attention: u64,
}

fn counts(model: &str, network: &Network) -> Counts {
    let Operations { binary, integer, real, attention } = network.operations();
    Counts {
        model: model.to_owned(),
        timesteps: network.timesteps,
        parameters: network.parameter_count(),
        unused_parameters: network.unused.iter().map(|p| p.len() as u64).sum(),
        neurons: network.neuron_count(),
        binary,
        integer,
        real,
        attention,
    }
}

/// The listing reads the last neuron layer of an SSA block of QKFormer, whose tensor has no batch axis, as
/// one channel; these are the neurons that it leaves out.
fn left_out(description: &ModelDescription, network: &Network) -> u64 {
    let Family::QkFormer(family) = &description.family else { return 0 };
    let tokens = network.nodes.iter().rev().map(|node| node.shape.positions()).find(|&p| p > 1).unwrap();
    (family.depths.2 * (family.dim - 1) * tokens) as u64
}

#[test]
fn all_33_published_networks_count_to_the_unit() {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(PUBLISHED.as_bytes());
    let published: Vec<Counts> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(published.len(), 33);
    for mut expected in published {
        let (description, network, _) = ModelDescription::load(&expected.model).unwrap();
        expected.neurons += left_out(&description, &network);
        assert_eq!(counts(&expected.model, &network), expected);
    }
    assert!(Folder::Bundled("models").names("ron").len() > 33);
}

/// Small networks of every family.
const SMALL: [&str; 13] = [
    "v1",
    "v1_events",
    "v2",
    "v3",
    "spikformer",
    "spikformer_events",
    "spikingformer",
    "qk_former",
    "qk_former_imagenet",
    "v1_odd",
    "v2_odd",
    "v3_odd",
    "qk_former_odd",
];

fn small(name: &str) -> String {
    format!("{}/tests/data/families/{name}.ron", env!("CARGO_MANIFEST_DIR"))
}

/// The description of a small network, changed.
fn small_but(name: &str, from: &str, to: &str) -> Model {
    let text = fs::read_to_string(small(name)).unwrap().replace(from, to);
    let description = ModelDescription::parse(&text, name).unwrap();
    let network = description.network(name).unwrap();
    let weights = seeded_weights(&network, &description.input, 6);
    Model { description, network, weights, sha256: String::new() }
}

#[test]
fn seeded_networks_of_every_family_are_alive_and_the_same_every_time() {
    for name in SMALL {
        let model = load::model(&small(name)).unwrap();
        let data = DataSet::load_for("noise", &model.description).unwrap();
        let sample = data.test.sample(0).unwrap();
        let mut silent = Vec::new();
        let execution = FloatExecutor::new(&model).run_observed(&sample, |id, value| {
            let node = model.network.node(id);
            let active = value.data.iter().filter(|&&x| x != 0.0).count() as f64 / value.data.len() as f64;
            if node.op.is_neuron() && !(0.001..0.999).contains(&active) {
                silent.push((node.name.clone(), active));
            }
        });
        assert!(silent.is_empty(), "{name}: {silent:?}");
        let again = FloatExecutor::new(&load::model(&small(name)).unwrap()).run(&sample);
        assert_eq!(execution, again, "{name}");
        let other = FloatExecutor::new(&small_but(name, "Seeded(5)", "Seeded(6)")).run(&sample);
        assert_ne!(execution.logits, other.logits, "{name}");
    }
}

#[test]
fn a_fused_rep_conv_computes_what_its_layers_do() {
    let unfused = load::model(&small("v2")).unwrap();
    let mut fused = small_but("v2", "mlp_ratio: 4", "mlp_ratio: 4, rep_conv: Fused");
    fused.weights = fuse(&unfused.network, &unfused.weights, &fused.network);
    let data = DataSet::load_for("noise", &fused.description).unwrap();
    let sample = data.test.sample(0).unwrap();
    let mut layers = Vec::new();
    FloatExecutor::new(&unfused).run_observed(&sample, |id, value| {
        let name = &unfused.network.node(id).name;
        layers.extend(name.strip_suffix(".0.body.2.1").map(|name| (name.to_owned(), value.clone())));
    });
    assert_eq!(layers.len(), 8);
    let mut compared = 0;
    FloatExecutor::new(&fused).run_observed(&sample, |id, value| {
        let node = fused.network.node(id);
        if let Some((_, expected)) = layers.iter().find(|(name, _)| *name == node.name) {
            let largest = expected.data.iter().map(|x| x.abs()).fold(1.0, f32::max);
            let differs = |(a, b): &(&f32, &f32)| (*a - *b).abs() > 1e-5 * largest;
            let different = value.data.iter().zip(&expected.data).filter(differs).count();
            assert_eq!(different, 0, "{}", node.name);
            compared += value.data.len();
        }
    });
    assert_eq!(compared, 4 * 4 * 36 * (64 + 80));
}

#[test]
fn fusing_more_than_doubles_the_weights() {
    let count = |name: &str| ModelDescription::load(name).unwrap().1.parameter_count();
    assert_eq!([count("sdtv2_15M"), count("sdtv2_15M_fused")], [15_112_208, 33_253_520]);
}

/// What PyTorch with SpikingJelly says; python/oracle/make_golden.py wrote it.
#[derive(Deserialize)]
struct Golden {
    images: usize,
    float: Float,
    integers: Integers,
}

#[derive(Deserialize)]
struct Float {
    logits: Vec<Vec<f64>>,
    spikes: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Integers {
    setting: String,
    logits: Vec<Vec<i64>>,
    sha256: BTreeMap<String, String>,
}

fn golden(name: &str) -> Golden {
    serde_json::from_str(&fs::read_to_string(small(name).replace(".ron", ".json")).unwrap()).unwrap()
}

#[test]
fn float_logits_of_every_family_are_those_of_pytorch() {
    for name in SMALL {
        let (model, golden) = (load::model(&small(name)).unwrap(), golden(name));
        let data = DataSet::load_for("noise", &model.description).unwrap();
        let executor = FloatExecutor::new(&model);
        let mut spikes: BTreeMap<String, u64> = BTreeMap::new();
        for (i, expected) in golden.float.logits.iter().enumerate() {
            let execution = executor.run_observed(&data.test.sample(i).unwrap(), |id, value| {
                let node = model.network.node(id);
                if node.op.is_neuron() {
                    let repeated = if value.frames == 1 { model.network.timesteps } else { 1 };
                    let fired = value.data.iter().filter(|&&x| x > 0.0).count() * repeated;
                    *spikes.entry(node.name.clone()).or_default() += fired as u64;
                }
            });
            for (logit, expected) in execution.logits.iter().zip(expected) {
                assert!((f64::from(*logit) - expected).abs() < 1e-4, "{name}: {logit} for {expected}");
            }
        }
        assert_eq!((golden.float.logits.len(), spikes), (golden.images, golden.float.spikes), "{name}");
    }
}

/// Every spike of a layer as PyTorch orders them: `[T, B, C, H, W]`.
fn ordered(images: &[Frames<i64>], timesteps: usize) -> Vec<u8> {
    let shape = images[0].shape;
    let mut bytes = Vec::with_capacity(timesteps * images.len() * shape.values());
    for t in 0..timesteps {
        for image in images {
            let frame = image.at(t);
            for channel in 0..shape.channels {
                bytes.extend(frame.iter().skip(channel).step_by(shape.channels).map(|&x| x as u8));
            }
        }
    }
    bytes
}

#[test]
fn every_integer_spike_of_every_family_is_that_of_pytorch() {
    let mut compared = 0;
    for name in SMALL {
        let (model, golden) = (load::model(&small(name)).unwrap(), golden(name));
        let Precision::Fixed(setting) = Setting::load(&golden.integers.setting).unwrap().precision else {
            panic!("{name}: float")
        };
        let data = DataSet::load_for("noise", &model.description).unwrap();
        let calibration = calibrate(&model, &data, &data.test, &|| ()).unwrap();
        let quantized = quantize(&model, &setting, &calibration).unwrap();
        let executor = ScalarExecutor::<i64>::new(&quantized);
        let mut layers: BTreeMap<String, Vec<Frames<i64>>> = BTreeMap::new();
        for (i, expected) in golden.integers.logits.iter().enumerate() {
            let execution = executor.run_observed(&data.test.sample(i).unwrap(), |id, value| {
                let node = model.network.node(id);
                if node.op.is_neuron() {
                    layers.entry(node.name.clone()).or_default().push(value.clone());
                }
            });
            assert_eq!(execution.logits, *expected, "{name}, image {i}");
        }
        let hash = |images: &Vec<Frames<i64>>| sha256([ordered(images, model.network.timesteps)]);
        let hashes: BTreeMap<_, _> =
            layers.iter().map(|(name, images)| (name.clone(), hash(images))).collect();
        assert_eq!(hashes, golden.integers.sha256, "{name}");
        compared += layers.values().flatten().map(|frames| frames.data.len()).sum::<usize>();
    }
    println!("{compared} spikes compared");
    assert!(compared > 2_000_000);
}
