//! Random numbers, models and runs.

pub use std::collections::BTreeMap;

pub use nalgebra::DMatrix;
pub use proptest::prelude::*;
pub use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
pub use rand_chacha::ChaCha8Rng;
pub use rand_chacha::rand_core::{RngCore, SeedableRng};
pub use safetensors::tensor::TensorView;
pub use spiq::exec::{
    Execution, FastExecutor, FloatExecutor, Isa, NodeActivity, ScalarExecutor, StepActivity, Workspace,
    wave_size,
};
pub use spiq::model::{
    Attention, ClassToken, Codes, Conv, ConvGeometry, Fire, Gate, Grid, IntegerNeuron, Kind, Leak, Learned,
    Model, ModelDescription, Network, NetworkBuilder, Neuron, Node, NodeId, Op, Parameter, ProductOrder,
    Readout, ReadoutOver, Reset, Sample, Scale, StoredCodes, Weights, Window, fold,
};
pub use spiq::num::{Accumulator, Format, Keep, Overflow, Requantizer, Word};
pub use spiq::quant::{
    Calibration, FixedPoint, Precision, QuantizedLoihi, QuantizedModel, QuantizedNeuron, QuantizedOp,
    QuantizedReset, QuantizedWeighted, Setting, quantize,
};
pub use spiq::tensor::{Frames, Shape};

/// With mean 0, a pixel is worth exactly p/256, and the quantizer scales no weight.
pub const STD: f64 = 256.0 / 255.0;
/// A layer whose weights are integers with a largest magnitude of 127 keeps them as codes.
pub const INTEGERS: &str = "Uniform(bits: 8, scale: Pow2, granularity: Layer, clip: Max)";

/// A convolution, and rows and columns of the map that it reads.
#[derive(Debug, Clone)]
pub struct Convolution {
    pub geometry: ConvGeometry,
    pub size: [usize; 2],
}

impl Convolution {
    /// A window of kernel, stride, padding and dilation, and groups of so many channels each, in and out.
    pub fn new(
        [kernel, stride, pad, dilation]: [[usize; 2]; 4],
        groups: usize,
        per_group: [usize; 2],
        size: [usize; 2],
    ) -> Self {
        let [in_channels, out_channels] = per_group.map(|channels| channels * groups);
        Self {
            geometry: ConvGeometry { in_channels, out_channels, kernel, stride, pad, dilation, groups },
            size,
        }
    }

    pub fn fits(&self) -> bool {
        self.geometry.output(self.input()).is_some()
    }

    pub fn input(&self) -> Shape {
        let [height, width] = self.size;
        Shape::new(self.geometry.in_channels, height, width)
    }

    pub fn layer(&self) -> Conv {
        let ConvGeometry { out_channels, kernel, stride, pad, dilation, groups, .. } = self.geometry;
        Conv::new(out_channels, kernel).stride(stride).pad(pad).dilation(dilation).groups(groups).bias()
    }
}

/// A seeded source of numbers; the seed is printed, and shown where a test fails.
pub struct Dice(pub ChaCha8Rng);

impl Dice {
    pub fn new(seed: u64) -> Self {
        println!("seed {seed}");
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Uniform in `low..=high`.
    pub fn int(&mut self, low: i64, high: i64) -> i64 {
        low + (self.0.next_u64() % (high - low + 1) as u64) as i64
    }

    /// Uniform in `low..high`.
    pub fn real(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.0.next_u32() as f64 / 4_294_967_296.0)
    }

    /// Bell-shaped, of mean 0 and deviation 1.
    pub fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.real(-0.5, 0.5)).sum()
    }

    /// What `network` looks at: an image of bytes, or counts of events.
    pub fn image(&mut self, network: &Network) -> Sample {
        let shape = network.nodes[0].shape;
        let (frames, max) = if network.nodes[0].constant { (1, 255) } else { (network.timesteps, 5) };
        Frames {
            frames,
            shape,
            data: (0..frames * shape.values()).map(|_| self.int(0, max) as u16).collect(),
        }
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.int(0, from.len() as i64 - 1) as usize]
    }
}

/// An image for the input of `quantized`.
pub fn image_of(quantized: &QuantizedModel, pixels: &[u16]) -> Sample {
    Frames { frames: 1, shape: quantized.network().nodes[0].shape, data: pixels.to_vec() }
}

/// Runs `test` on `cases` values, the same ones every time; on fewer where `PROPTEST_CASES` says so, for tools
/// that take long.
pub fn repeat<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let most = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(u32::MAX);
    let config = Config { cases: cases.min(most), failure_persistence: None, ..Config::default() };
    let seed = *b"spiq exactness, a seed of 32 B..";
    println!("seed {}", String::from_utf8_lossy(&seed));
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    TestRunner::new_with_rng(config, rng).run(&strategy, test).unwrap();
}

pub type Tensors = BTreeMap<String, Vec<f32>>;

/// A tensor for every parameter that `network` reads.
pub fn tensors(network: &Network, mut value: impl FnMut(&Parameter) -> Vec<f32>) -> Tensors {
    network.parameters().into_iter().map(|p| (p.name.clone(), value(&p))).collect()
}

/// `network` as a model: the description is that of some v1, and only its input is ever read: bytes with
/// `mean`, or counts of events.
pub fn model(network: Network, mean: &[f64], tensors: &Tensors) -> Model {
    let Shape { channels, height, width } = network.nodes[0].shape;
    let std = vec![STD; channels];
    let input = match network.nodes[0].constant {
        true => {
            format!("Image(shape: ({channels}, {height}, {width}), mean: {mean:?}, std: {std:?}, bits: 8)")
        }
        false => format!("Events(shape: ({channels}, {height}, {width}), max: 5)"),
    };
    let text = format!(
        "Model(name: \"test\", family: SpikeDrivenV1(dim: 8, depth: 1, heads: 1, mlp_ratio: 1, \
         pooling: (false, false, false, false)), input: {input}, timesteps: {}, classes: {}, \
         weights: File(\"none\"))",
        network.timesteps,
        network.classes()
    );
    let description = ModelDescription::parse(&text, "test").unwrap();
    let weights = weights(&network, tensors);
    Model { description, network, weights, sha256: String::new() }
}

pub fn weights(network: &Network, tensors: &Tensors) -> Weights {
    let bytes: Vec<(Parameter, Vec<u8>)> = network
        .parameters()
        .into_iter()
        .map(|p| (p.clone(), tensors[&p.name].iter().flat_map(|x| x.to_le_bytes()).collect()))
        .collect();
    let views = bytes.iter().map(|(p, bytes)| {
        let view = TensorView::new(safetensors::Dtype::F32, p.shape.clone(), bytes).unwrap();
        (p.name.clone(), view)
    });
    let file = safetensors::serialize(views, None).unwrap();
    Weights::parse(&file, "test", network).unwrap()
}

/// A setting; `layers` holds overrides as in a file.
pub fn setting(weights: &str, membrane_bits: u32, residual_bits: u32, layers: &str) -> FixedPoint {
    parsed(&format!(
        "weights: {weights}, membrane_bits: {membrane_bits}, residual_bits: {residual_bits}, layers: [{layers}]"
    ))
}

/// A setting of these fields.
pub fn parsed(fields: &str) -> FixedPoint {
    let text = format!("Setting(name: \"test\", {fields})");
    match Setting::parse(&text, "test").unwrap().precision {
        Precision::Fixed(fixed) => fixed,
        Precision::Float32 => unreachable!("a file is never float"),
    }
}

/// Everything that a run of the integers shows.
#[derive(Debug, PartialEq)]
pub struct Run {
    pub values: Vec<Frames<i64>>,
    pub execution: Execution<i64>,
}

pub fn run<W: Word>(quantized: &QuantizedModel, sample: &Sample) -> Run {
    let mut values = Vec::new();
    let execution = ScalarExecutor::<W>::new(quantized)
        .run_observed(sample, |_, frames| values.push(frames.map(|x, _| x.into())));
    Run { values, execution }
}

pub fn run_float(model: &Model, sample: &Sample) -> Vec<Frames<f32>> {
    let mut values = Vec::new();
    FloatExecutor::new(model).run_observed(sample, |_, frames| values.push(frames.clone()));
    values
}

pub fn calibrate(model: &Model, images: &[Sample]) -> Calibration {
    let executor = FloatExecutor::new(model);
    let nothing = Calibration::new(model.network.nodes.len());
    images.iter().fold(nothing, |all, image| all.merge(&executor.calibrate(image)))
}

pub fn find(network: &Network, name: &str) -> usize {
    network.nodes.iter().position(|node| node.name == name).unwrap()
}

pub fn neuron_of<'a>(quantized: &'a QuantizedModel, name: &str) -> &'a QuantizedNeuron {
    match &quantized.ops()[find(quantized.network(), name)] {
        QuantizedOp::Neuron(neuron) => neuron,
        op => panic!("{name} is {op:?}"),
    }
}

pub fn weighted_of<'a>(quantized: &'a QuantizedModel, name: &str) -> &'a QuantizedWeighted {
    match &quantized.ops()[find(quantized.network(), name)] {
        QuantizedOp::Weighted(weighted) => weighted,
        op => panic!("{name} is {op:?}"),
    }
}

/// Integers whose largest magnitude is 127, so that they are their own codes under [`INTEGERS`].
pub fn integer_weights(dice: &mut Dice, count: usize) -> Vec<f32> {
    let mut weights: Vec<f32> = (0..count).map(|_| dice.int(-127, 127) as f32).collect();
    weights[0] = dice.pick(&[-127.0, 127.0]);
    weights
}

/// Ends a network whose last interesting value is the pre-activation `x`.
pub fn finish(mut net: NetworkBuilder, x: NodeId) -> Network {
    let spikes = net.neuron("end_lif", x, Neuron::lif(1.0)).unwrap();
    let mean = net.mean_tokens("mean", spikes).unwrap();
    net.mean_timesteps("logits", mean).unwrap();
    net.finish(Vec::new()).unwrap()
}
