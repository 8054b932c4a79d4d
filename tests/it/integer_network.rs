//! A spiking CNN of no known family, whose weights are integers already: written out layer by layer,
//! stored as 8-bit integers, and executed as stored.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use spiq::exec::{FloatExecutor, ScalarExecutor};
use spiq::load;
use spiq::model::{Model, ModelDescription, Sample, Weights};
use spiq::quant::{Calibration, Precision, QuantizedModel, QuantizedOp, Setting, quantize};
use spiq::tensor::{Frames, Shape};

const DOCUMENTATION: &str = include_str!("../../docs/models.md");
const TIMESTEPS: usize = 4;

type Integers = BTreeMap<String, Vec<i64>>;

/// The blocks of RON of the documentation.
fn examples() -> Vec<&'static str> {
    let blocks = DOCUMENTATION.split("```ron\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn documented_descriptions_build() {
    let built = examples().into_iter().map(|text| {
        let description = ModelDescription::parse(text, "models.md").unwrap();
        (description.name.clone(), description.network("models.md").unwrap().parameter_count())
    });
    // 72 + 8, 8 thresholds, 1152 + 16, 7840 + 10.
    // 864 + 64, 32 + 65 x 32, four of 1056 + 64, 330.
    let expected = [("my_v2", 15_112_208), ("class_token", 7850), ("small_cnn", 9106)];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(built.collect::<Vec<_>>(), expected);
}

/// Weights and thresholds in 8 bits, biases in 32.
fn stored(network: &spiq::model::Network) -> (Vec<u8>, Integers) {
    let mut dice = ChaCha8Rng::seed_from_u64(3);
    let mut draw = |low: i64, high: i64| low + i64::from(dice.next_u32()) % (high - low + 1);
    let mut values = Integers::new();
    let mut bytes = Vec::new();
    for parameter in network.parameters() {
        let (low, high, dtype) = match parameter.name.rsplit('.').next().unwrap() {
            "threshold" => (60, 127, Dtype::I8),
            "bias" => (-300, 300, Dtype::I32),
            _ => (-128, 127, Dtype::I8),
        };
        let integers: Vec<i64> = (0..parameter.len()).map(|_| draw(low, high)).collect();
        let raw: Vec<u8> = match dtype {
            Dtype::I8 => integers.iter().flat_map(|&x| (x as i8).to_le_bytes()).collect(),
            _ => integers.iter().flat_map(|&x| (x as i32).to_le_bytes()).collect(),
        };
        bytes.push((parameter.clone(), dtype, raw));
        values.insert(parameter.name, integers);
    }
    let views = bytes
        .iter()
        .map(|(p, dtype, raw)| (p.name.clone(), TensorView::new(*dtype, p.shape.clone(), raw).unwrap()));
    (safetensors::serialize(views, None).unwrap(), values)
}

fn small_cnn() -> (Model, Integers) {
    let description = ModelDescription::parse(examples()[2], "models.md").unwrap();
    let network = description.network("models.md").unwrap();
    let (file, values) = stored(&network);
    let weights = Weights::parse(&file, "small_cnn.safetensors", &network).unwrap();
    (Model { description, network, weights, sha256: String::new() }, values)
}

fn quantized(model: &Model, setting: &str) -> spiq::Result<QuantizedModel> {
    let Precision::Fixed(fixed) = Setting::load(setting).unwrap().precision else { panic!("float") };
    quantize(model, &fixed, &Calibration::new(model.network.nodes.len()))
}

/// `[channel][y][x]`, one frame of one timestep.
struct Map {
    channels: usize,
    side: usize,
    data: Vec<i64>,
}

impl Map {
    fn at(&self, c: usize, y: isize, x: isize) -> i64 {
        let inside = |v: isize| (0..self.side as isize).contains(&v);
        let index = |y: isize, x: isize| (c * self.side + y as usize) * self.side + x as usize;
        if inside(y) && inside(x) { self.data[index(y, x)] } else { 0 }
    }

    fn build(channels: usize, side: usize, value: impl Fn(usize, isize, isize) -> i64) -> Self {
        let mut data = Vec::new();
        for c in 0..channels {
            for y in 0..side as isize {
                data.extend((0..side as isize).map(|x| value(c, y, x)));
            }
        }
        Self { channels, side, data }
    }

    fn conv3(&self, out_channels: usize, weight: &[i64], bias: &[i64]) -> Self {
        Self::build(out_channels, self.side, |o, y, x| {
            let mut sum = bias[o];
            for (i, w) in weight[o * self.channels * 9..][..self.channels * 9].iter().enumerate() {
                let (dy, dx) = ((i % 9 / 3) as isize - 1, (i % 3) as isize - 1);
                sum += w * self.at(i / 9, y + dy, x + dx);
            }
            sum
        })
    }

    fn pool2(&self) -> Self {
        Self::build(self.channels, self.side / 2, |c, y, x| {
            let window = [(0, 0), (0, 1), (1, 0), (1, 1)];
            window.map(|(dy, dx)| self.at(c, 2 * y + dy, 2 * x + dx)).into_iter().max().unwrap()
        })
    }
}

/// The small CNN in plain loops: logits summed over timesteps.
fn by_loops(values: &Integers, image: &Map) -> Vec<i64> {
    let mut logits = vec![0; 10];
    let current = image.conv3(8, &values["conv1.weight"], &values["conv1.bias"]);
    let mut first = vec![0i64; current.data.len()];
    let mut second = vec![0i64; 16 * 14 * 14];
    for _ in 0..TIMESTEPS {
        let spikes = current.data.iter().zip(&mut first).enumerate().map(|(i, (x, v))| {
            *v += x;
            let fires = *v >= values["if1.threshold"][i / (28 * 28)];
            *v = if fires { 0 } else { *v };
            i64::from(fires)
        });
        let pooled = Map { channels: 8, side: 28, data: spikes.collect() }.pool2();
        let x = pooled.conv3(16, &values["conv2.weight"], &values["conv2.bias"]);
        let spikes = x.data.iter().zip(&mut second).map(|(x, v)| {
            // (v + (x - v)/2) >= 96, in halves.
            let fires = *v + x >= 192;
            *v = if fires { 0 } else { (*v + x).div_euclid(2) };
            i64::from(fires)
        });
        let pooled = Map { channels: 16, side: 14, data: spikes.collect() }.pool2();
        for (class, logit) in logits.iter_mut().enumerate() {
            let row = &values["fc.weight"][class * 784..][..784];
            *logit +=
                values["fc.bias"][class] + row.iter().zip(&pooled.data).map(|(w, s)| w * s).sum::<i64>();
        }
    }
    logits
}

fn images(count: usize) -> Vec<Sample> {
    let mut dice = ChaCha8Rng::seed_from_u64(4);
    let shape = Shape::new(1, 28, 28);
    let image =
        |_| Frames { frames: 1, shape, data: (0..784).map(|_| (dice.next_u32() % 256) as u16).collect() };
    (0..count).map(image).collect()
}

#[test]
fn stored_integers_are_executed_as_they_are() {
    let (model, values) = small_cnn();
    let wide = Setting::load("int8u32").unwrap().name;
    let quantized = quantized(&model, &wide).unwrap();
    for (id, op) in quantized.weighted() {
        let name = &quantized.network().node(id).name;
        assert!(op.codes.iter().map(|&c| i64::from(c)).eq(values[&format!("{name}.weight")].iter().copied()));
        assert_eq!((op.fraction_bits, &op.bias), (0, &values[&format!("{name}.bias")]), "{name}");
        assert!(op.lsb.iter().all(|&lsb| lsb == 1.0));
    }
    let thresholds = quantized.ops().iter().filter_map(|op| match op {
        QuantizedOp::Neuron(neuron) => Some(&neuron.thresholds),
        _ => None,
    });
    assert_eq!(thresholds.collect::<Vec<_>>(), [&values["if1.threshold"], &vec![192; 16]]);
    let scalar = ScalarExecutor::<i64>::new(&quantized);
    let mut distinct = std::collections::BTreeSet::new();
    for image in images(20) {
        let data = image.data.iter().map(|&p| i64::from(p)).collect();
        let expected = by_loops(&values, &Map { channels: 1, side: 28, data });
        assert_eq!(scalar.run(&image).logits, expected);
        let float = FloatExecutor::new(&model).run(&image).logits;
        let means: Vec<f32> = expected.iter().map(|&x| x as f32 / TIMESTEPS as f32).collect();
        assert_eq!(float, means, "single precision holds these integers");
        distinct.insert(expected);
    }
    assert_eq!(distinct.len(), 20);
}

#[test]
fn what_is_no_integer_is_refused() {
    let (model, _) = small_cnn();
    let refusal = |setting: &str| quantized(&model, setting).unwrap_err().to_string();
    let message = refusal("int4");
    assert!(
        message.starts_with("layer conv1: weight ")
            && message
                .ends_with("no integer of 4 bits; is w4 meant? int4 keeps weights that are integers already"),
        "{message}"
    );
    let bundled = load::model("sdtv1_2-64_fashion").unwrap();
    let message = quantized(&bundled, "int8").unwrap_err().to_string();
    let expected = "layer patch_embed.proj_conv: integer weights read `Integers` or `Events`, not a normalized \
                    `Image`; is w8 meant? int8 keeps weights that are integers already";
    assert_eq!(message, expected);
}

/// What a description of layers gets wrong, and what the user is told.
#[test]
fn layers_that_do_not_fit_are_named() {
    let cases = [
        (
            "unknown input",
            "name: \"pool1\"",
            "name: \"pool1\", input: \"iff\"",
            "layer pool1: no layer before it is called \"iff\"",
        ),
        ("two of one name", "name: \"conv2\"", "name: \"conv1\"", "layer conv1: defined twice"),
        (
            "wrong kind",
            "MaxPool(name: \"pool1\", size: 2, stride: 2),",
            "Neuron(name: \"m\"),",
            "layer m: reads",
        ),
        (
            "stride 0",
            "size: 2, stride: 2",
            "size: 2, stride: 0",
            "layer pool1: a window of 2 with padding 0 and stride 0",
        ),
        ("threshold 0", "threshold: 96.0", "threshold: 0.0", "layer lif2: a threshold of 0.0 is not in"),
        ("classes", "out_features: 10", "out_features: 11", "the last layer yields 11 values for 10 classes"),
        ("no end", "        MeanTimesteps(name: \"logits\"),\n", "", "does not end in one value per class"),
        (
            "attention of nothing",
            "MaxPool(name: \"pool1\", size: 2, stride: 2),",
            "Attention(name: \"a\", inputs: [], attention: KeyValueCount),",
            "family: layer a: 0 inputs, and this attention reads 2",
        ),
        (
            "attention of one too many",
            "MaxPool(name: \"pool1\", size: 2, stride: 2),",
            "Attention(name: \"a\", inputs: [\"if1\", \"if1\"], attention: ChannelCount(heads: 2)),",
            "family: layer a: 2 inputs, and this attention reads 1",
        ),
        (
            "attention without a scale",
            "MaxPool(name: \"pool1\", size: 2, stride: 2),",
            "Attention(name: \"a\", inputs: [\"if1\", \"if1\", \"if1\"], \
             attention: Product(heads: 1, scale: NaN, order: KeyValueFirst)),",
            "family: layer a: a scale of NaN is not in",
        ),
        ("no channels", "out_channels: 16", "out_channels: 0", "family: layer conv2: 8 -> 0 channels"),
        (
            "more weights than there are",
            "out_channels: 16",
            "out_channels: 18446744073709551615",
            "family: layer conv2: 8 -> 18446744073709551615 channels in 1 groups",
        ),
        (
            "more padding than there is",
            "kernel: 3, pad: 1",
            "kernel: 3, pad: 9223372036854775808",
            "family: layer conv1: 1 -> 8 channels in 1 groups, kernel 3, stride 1, padding 9223372036854775808",
        ),
        (
            "a window of everything",
            "size: 2, stride: 2",
            "size: 18446744073709551615, stride: 2, pad: 18446744073709551614",
            "layer pool1: a window of 18446744073709551615",
        ),
        (
            "a tensor that two layers read",
            "name: \"conv2\",",
            "name: \"conv2\", norms: [\"conv1\"],",
            "family: layer conv2: a second tensor conv1.weight",
        ),
    ];
    for (what, from, to, expected) in cases {
        let text = examples()[2].replacen(from, to, 1);
        assert_ne!(text, examples()[2], "{what}");
        let told = ModelDescription::parse(&text, "m.ron").and_then(|d| d.network("m.ron")).unwrap_err();
        assert!(told.to_string().contains(expected), "{what}: {told}");
    }
    // 2^33 spikes are more than 32 bits count.
    let doubled: String = (0..33)
        .map(|i| {
            format!(
                "Add(name: \"a{i}\", inputs: (\"{0}\", \"{0}\")),",
                match i {
                    0 => "if1".to_owned(),
                    i => format!("a{}", i - 1),
                }
            )
        })
        .collect();
    let text = examples()[2].replacen("MaxPool(name: \"pool1\", size: 2, stride: 2),", &doubled, 1);
    let told = ModelDescription::parse(&text, "m.ron").and_then(|d| d.network("m.ron")).unwrap_err();
    let expected = "m.ron: family: layer a31: sums of up to 2147483648 and 2147483648 spikes";
    assert_eq!(told.to_string(), expected);
}
