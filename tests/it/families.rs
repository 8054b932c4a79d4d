//! Published networks count as their originals do.

use serde::Deserialize;

use spiq::exec::{FloatExecutor, seeded_weights};
use spiq::files::Folder;
use spiq::model::{Family, InputSpec, Model, ModelDescription, Network, Operations, Sample, fuse};
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

/// One network of each family, as small as its structure allows.
const SMALL: [(&str, &str, &str); 7] = [
    (
        "v1",
        "SpikeDrivenV1(dim: 64, depth: 1, heads: 8, mlp_ratio: 4, pooling: (false, false, true, true))",
        IMAGE,
    ),
    (
        "v1 on events",
        "SpikeDrivenV1(dim: 64, depth: 1, heads: 8, mlp_ratio: 4, pooling: (false, true, true, true), pool_keys: true)",
        "Events(shape: (2, 32, 32), max: 15)",
    ),
    ("v2", "SpikeDrivenV2(dims: (16, 32, 64, 80), depths: (1, 1), heads: 1, mlp_ratio: 4)", LARGE),
    (
        "v3",
        "SpikeDrivenV3(dims: (16, 32, 64, 80), depths: (1, 1), heads: 8, mlp_ratio: 4, value_ratio: 4, levels: 4)",
        LARGE,
    ),
    (
        "Spikformer",
        "Spikformer(dim: 64, depth: 1, heads: 4, mlp_ratio: 4, pooling: (false, false, true, true), \
         layers: Linear, order: QueryKeyFirst, scale: 0.125)",
        IMAGE,
    ),
    (
        "Spikingformer",
        "Spikingformer(dim: 64, depth: 1, heads: 4, mlp_ratio: 4, pooling: (false, false, true, true), \
         stem: Block, order: QueryKeyFirst)",
        IMAGE,
    ),
    ("QKFormer", "QkFormer(dim: 64, depths: (1, 1, 1), heads: 4, mlp_ratio: 4, style: Cifar)", IMAGE),
];

const IMAGE: &str = "Image(shape: (3, 32, 32), mean: [0.49, 0.48, 0.45], std: [0.25, 0.24, 0.26], bits: 8)";
const LARGE: &str = "Image(shape: (3, 64, 64), mean: [0.49, 0.48, 0.45], std: [0.25, 0.24, 0.26], bits: 8)";

fn seeded_description(family: &str, input: &str, seed: u64) -> ModelDescription {
    let text = format!(
        "Model(name: \"small\", family: {family}, input: {input}, timesteps: 4, classes: 10, weights: Seeded({seed}))"
    );
    ModelDescription::parse(&text, "small.ron").unwrap()
}

fn seeded(family: &str, input: &str, seed: u64) -> Model {
    let description = seeded_description(family, input, seed);
    let network = description.network("small.ron").unwrap();
    let weights = seeded_weights(&network, &description.input, seed);
    Model { description, network, weights, sha256: String::new() }
}

/// Something between black and white, another in every timestep of events.
fn gradient(model: &Model) -> Sample {
    let (input, shape) = (&model.description.input, model.network.nodes[0].shape);
    let frames = if input.is_constant() { 1 } else { model.network.timesteps };
    let value = |i: usize| match input {
        InputSpec::Image { .. } => (i * 7 % 256) as u16,
        InputSpec::Events { .. } | InputSpec::Integers { .. } => {
            u16::from(i.is_multiple_of(11)) * (i % 3) as u16
        }
    };
    Frames { frames, shape, data: (0..frames * shape.values()).map(value).collect() }
}

#[test]
fn seeded_networks_of_every_family_are_alive_and_the_same_every_time() {
    for (name, family, input) in SMALL {
        let model = seeded(family, input, 5);
        let mut silent = Vec::new();
        let execution = FloatExecutor::new(&model).run_observed(&gradient(&model), |id, value| {
            let node = model.network.node(id);
            let active = value.data.iter().filter(|&&x| x != 0.0).count() as f64 / value.data.len() as f64;
            if node.op.is_neuron() && !(0.002..0.998).contains(&active) {
                silent.push((node.name.clone(), active));
            }
        });
        assert!(silent.is_empty(), "{name}: {silent:?}");
        let again = FloatExecutor::new(&seeded(family, input, 5)).run(&gradient(&model));
        assert_eq!(execution, again, "{name}");
        let other = FloatExecutor::new(&seeded(family, input, 6)).run(&gradient(&model));
        assert_ne!(execution.logits, other.logits, "{name}");
    }
}

#[test]
fn a_fused_rep_conv_computes_what_its_layers_do() {
    let (name, family, input) = SMALL[2];
    assert_eq!(name, "v2");
    let unfused = seeded(family, input, 5);
    let mut description = unfused.description.clone();
    let fused_family = family.replace("mlp_ratio: 4", "mlp_ratio: 4, rep_conv: Fused");
    description.family = seeded_description(&fused_family, input, 5).family;
    let network = description.network("small.ron").unwrap();
    let weights = fuse(&unfused.network, &unfused.weights, &network);
    let fused = Model { description, network, weights, sha256: String::new() };
    let sample = gradient(&fused);
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
    assert_eq!(compared, 4 * 4 * 16 * (64 + 80));
}

#[test]
fn fusing_more_than_doubles_the_weights() {
    let count = |name: &str| ModelDescription::load(name).unwrap().1.parameter_count();
    assert_eq!([count("sdtv2_15M"), count("sdtv2_15M_fused")], [15_112_208, 33_253_520]);
}
