//! Flipped, inserted and cut bytes, and numbers of any size: what reads a file refuses or accepts
//! it, and never panics. What is accepted is also used, as far as that is cheap.

use std::sync::LazyLock;

use image::{ImageFormat, RgbImage};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use safetensors::tensor::{Dtype, TensorView};

use spiq::cost::{Machine, MappedWorkload};
use spiq::exec::{Activity, FloatExecutor};
use spiq::hw::Hardware;
use spiq::load;
use spiq::map::Workload;
use spiq::model::{DataSet, ModelDescription, Network, Weights};
use spiq::quant::{Precision, Setting};
use spiq::tensor::{Frames, Shape};

use super::support::{DATA, MODEL, aedat, atis, bundled_text, idx, npy, npz, picture};

/// What may happen to a file.
#[derive(Debug, Clone)]
enum Edit {
    Flip(Index, u8),
    Insert(Index, u8),
    Delete(Index, usize),
    Cut(Index),
}

/// One to three edits; inserted bytes are those that RON, numbers and headers are made of.
fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let at = any::<Index>();
    let byte = prop_oneof![any::<u8>(), select(b"0123456789.,:()[]{}\"-+eE_#/ \n".to_vec())];
    let edit = prop_oneof![
        4 => (at, 0u8..8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        4 => (any::<Index>(), byte).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        2 => (any::<Index>(), 1usize..12).prop_map(|(at, count)| Edit::Delete(at, count)),
        1 => any::<Index>().prop_map(Edit::Cut),
    ];
    prop::collection::vec(edit, 1..4)
}

fn edited(original: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for edit in edits {
        // One more than the length, so that an index exists in an empty file too.
        let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
        match edit {
            Edit::Flip(at, bit) => {
                let at = place(at, &bytes);
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
            }
            Edit::Insert(at, byte) => bytes.insert(place(at, &bytes), *byte),
            Edit::Delete(at, count) => {
                let at = place(at, &bytes);
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Edit::Cut(at) => bytes.truncate(place(at, &bytes)),
        }
    }
    bytes
}

fn edited_text(original: &str, edits: &[Edit]) -> String {
    String::from_utf8_lossy(&edited(original.as_bytes(), edits)).into_owned()
}

/// `text` with the number that `at` picks replaced.
fn with_number(text: &str, at: &Index, number: &str) -> String {
    let bytes = text.as_bytes();
    let starts: Vec<usize> = (1..bytes.len())
        .filter(|&i| bytes[i].is_ascii_digit() && matches!(bytes[i - 1], b' ' | b'(' | b'['))
        .collect();
    let start = starts[at.index(starts.len())];
    let end = text[start..].find([',', ')', ']']).map_or(text.len(), |length| start + length);
    format!("{}{number}{}", &text[..start], &text[end..])
}

fn number() -> impl Strategy<Value = &'static str> {
    let numbers = "0 1 2 3 -1 0.5 7.5 8 64 256 1024 4096 65535 65536 16777216 4294967295 1099511627776 \
                   18446744073709551615 1e-300 1e-3 1e3 1e11 1e308 -0.0 NaN inf";
    select(numbers.split_whitespace().collect::<Vec<_>>())
}

/// The bundled network as 32-bit integers, with what one image did.
static SAMPLE: LazyLock<(Workload, Activity)> = LazyLock::new(|| {
    let model = load::model("sdtv1_2-64_fashion").unwrap();
    let data = (0..784).map(|i| i % 251).collect();
    let image = Frames { frames: 1, shape: Shape::new(1, 28, 28), data };
    (Workload::float32(&model.network), FloatExecutor::new(&model).run(&image).activity)
});

/// A described machine either refuses the network or has a finite cost for it.
fn use_hardware(text: &str) -> Result<(), TestCaseError> {
    let Ok(hardware) = Hardware::parse(text, "hw.ron") else { return Ok(()) };
    let machine = Machine::new(hardware).unwrap();
    let (workload, activity) = &*SAMPLE;
    let samples = std::slice::from_ref(activity);
    let Ok(mapped) = MappedWorkload::best(workload.clone(), &machine, samples) else { return Ok(()) };
    for cost in mapped.costs(&machine, activity) {
        let numbers = [cost.cycles.parts(), cost.energy_j.parts(), cost.traffic_bits.parts()].concat();
        prop_assert!(numbers.iter().all(|x| x.is_finite() && *x >= 0.0), "{cost:?}");
    }
    Ok(())
}

fn use_model(text: &str) {
    if let Ok(description) = ModelDescription::parse(text, "m.ron")
        && let Ok(network) = description.network("m.ron")
    {
        let _ = (network.parameter_count(), network.operations());
    }
}

/// Descriptions of other families, which come without weights.
pub const FAMILIES: [&str; 5] = [
    "QkFormer(dim: 64, depths: (1, 1, 2), heads: 8, mlp_ratio: 4, style: Cifar)",
    "SpikeDrivenV2(dims: (16, 32, 64, 96), depths: (1, 1), heads: 8, mlp_ratio: 4)",
    "Spikformer(dim: 64, depth: 1, heads: 8, mlp_ratio: 4, pooling: (false, false, true, true), \
     layers: Linear, order: KeyValueFirst, scale: 0.125, unused_tokens: 8)",
    "Spikingformer(dim: 64, depth: 1, heads: 8, mlp_ratio: 4, pooling: (true, true, true, true), \
     stem: Proj, order: KeyValueFirst)",
    LAYERS,
];

/// Every layer that may be written out.
pub const LAYERS: &str = r#"Layers([
    Scope(stage: "stem", block: "stem", module: "stem"),
    Conv(name: "stem", out_channels: 16, kernel: 3, stride: 1, pad: 2, dilation: 2, groups: 1, norms: ["stem_bn"]),
    Neuron(name: "stem_lif", threshold: 1.0, leak: Shift(1), reset: Subtract, fire: AboveThreshold),
    MaxPool(name: "pool", size: (3, 2), stride: 2, pad: (1, 0)),
    Linear(name: "q", input: "pool", out_features: 16), Neuron(name: "q_lif"),
    Linear(name: "k", input: "pool", out_features: 16), Neuron(name: "k_lif"),
    Linear(name: "v", input: "pool", out_features: 32), IntegerNeuron(name: "v_lif", max: 4, norm: 4),
    Attention(name: "attn", inputs: ["q_lif", "k_lif", "v_lif"],
        attention: Product(heads: 8, scale: 0.125, order: KeyValueFirst)),
    Neuron(name: "attn_lif", leak: Loihi(voltage_decay: 2048, current_decay: 4095), fire: AboveThreshold),
    Attention(name: "count", inputs: ["q_lif"], attention: ChannelCount(heads: 8)),
    Neuron(name: "mask_lif", per_channel: true),
    Mask(name: "masked", spikes: "q_lif", mask: "mask_lif"),
    Attention(name: "pairs", inputs: ["q_lif", "k_lif"], attention: KeyValueCount),
    AndNot(name: "inhibited", inputs: ("masked", "k_lif")), Or(name: "either", inputs: ("inhibited", "k_lif")),
    Add(name: "sum", inputs: ("either", "k_lif")),
    Conv(name: "proj", input: "sum", out_channels: 32, kernel: 1), Requantize(name: "stream", grid: Residual),
    Conv(name: "branch", input: "attn_lif", out_channels: 32, kernel: 1, layer_scale: "gamma"),
    Add(name: "join", inputs: ("stream", "branch")),
    ClassToken(name: "cls_token", positions: "pos_embed"),
    Neuron(name: "join_lif"), FirstToken(name: "token"),
    Linear(name: "fc", out_features: 10),
    MeanTimesteps(name: "mean"),
])"#;

pub fn description(family: &str) -> String {
    format!(
        "Model(name: \"m\", family: {family}, input: Image(shape: (1, 32, 32), mean: [0.5], std: [0.5], bits: 8), \
         timesteps: 4, classes: 10, weights: File(\"w.safetensors\"))"
    )
}

#[test]
fn every_family_builds_as_it_stands() {
    for family in FAMILIES {
        let description = ModelDescription::parse(&description(family), family).unwrap();
        assert!(description.network(family).unwrap().parameter_count() > 10_000);
    }
}

fn use_setting(text: &str, network: &Network) {
    if let Ok(Setting { precision: Precision::Fixed(fixed), .. }) = Setting::parse(text, "s.ron") {
        let _ = fixed.check_names(network);
    }
}

/// A network with a checkpoint of a few kilobytes.
static SMALL: LazyLock<(Network, Vec<u8>)> = LazyLock::new(|| {
    let text = bundled_text(MODEL).replace("dim: 64, depth: 2", "dim: 8, depth: 1").replace("28, 28", "4, 4");
    let network = ModelDescription::parse(&text, "m.ron").unwrap().network("m.ron").unwrap();
    let parameters = network.parameters();
    let zeros = vec![0u8; 4 * 4096];
    let views = parameters.iter().map(|p| {
        let size = 4 * p.shape.iter().product::<usize>();
        (&p.name, TensorView::new(Dtype::F32, p.shape.clone(), &zeros[..size]).unwrap())
    });
    let bytes = safetensors::serialize(views, None).unwrap();
    Weights::parse(&bytes, "w.safetensors", &network).unwrap();
    (network, bytes)
});

/// Loads a data set of three 2 x 2 images of which the file `name` is `bytes`.
fn use_data(name: &str, bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("data.ron"), DATA).unwrap();
    for part in ["test", "val"] {
        std::fs::write(path(&format!("{part}.images")), idx(&[3, 2, 2], &[7; 12])).unwrap();
        std::fs::write(path(&format!("{part}.labels")), idx(&[3], &[1, 0, 9])).unwrap();
    }
    std::fs::write(path(name), bytes).unwrap();
    let _ = DataSet::load(path("data.ron").to_str().unwrap());
}

/// A format that has a file for a test sample: the part of a description, the file, what it holds.
type Format = (&'static str, &'static str, Vec<u8>);

static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(|| {
    let (values, labels) = (npy("<u2", "(3, 2, 2)", &[7, 0].repeat(12)), npy("<i8", "(3,)", &[0; 24]));
    let image = RgbImage::from_fn(20, 17, |x, y| image::Rgb([x as u8, y as u8, (x * y) as u8]));
    let digit: Vec<(u8, u8, bool, u32)> =
        (0..20).map(|i| (i, 33 - i, i % 3 == 0, 100 * u32::from(i))).collect();
    let gesture: Vec<(u32, u32, bool, u32)> = (0..20).map(|i| (i, 127 - i, i % 3 == 0, 100 + i)).collect();
    vec![
        (r#"Npy(images: "x.npy", labels: "y.npy", layout: Nhw)"#, "x.npy", values.clone()),
        (r#"Npy(images: "x.npy", labels: "y.npy", layout: Nhw)"#, "y.npy", labels.clone()),
        (
            r#"Npz(file: "x.npz", images: "x", labels: "y", layout: Nhw)"#,
            "x.npz",
            npz(&[("x.npy", &values), ("y.npy", &labels)]),
        ),
        (
            r#"Folder(path: "images", resize: 9, crop: 8)"#,
            "images/0/a.png",
            picture(image.clone(), ImageFormat::Png),
        ),
        (
            r#"Folder(path: "images", resize: 9, crop: 8)"#,
            "images/0/a.jpg",
            picture(image, ImageFormat::Jpeg),
        ),
        (r#"Cifar10(files: ["x.bin"])"#, "x.bin", vec![0; 3073]),
        (r#"Nmnist(folder: "digits", frames: 3, split: Time)"#, "digits/0/a.bin", atis(&digit)),
        (
            r#"Nmnist(folder: "digits", frames: 3, split: Number, downscale: 2)"#,
            "digits/0/a.bin",
            atis(&digit),
        ),
        (r#"Gesture(recordings: ["a.aedat"], frames: 3, split: Time)"#, "a.aedat", aedat(&gesture)),
        (
            r#"Gesture(recordings: ["a.aedat"], frames: 3, split: Number)"#,
            "a_labels.csv",
            b"class,startTime_usec,endTime_usec\n1,100,110\n1,105,130\n".to_vec(),
        ),
        (r#"Gesture(recordings: ["a.txt"], frames: 3, split: Number)"#, "a.txt", b"a.aedat\n\n".to_vec()),
    ]
});

/// Loads the data set of format `i`, with the others' files beside its own, and reads its samples.
fn use_format(i: usize, bytes: &[u8]) -> Option<usize> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let (part, name) = (FORMATS[i].0, FORMATS[i].1);
    FORMATS.iter().for_each(|(_, name, bytes)| write(name, bytes));
    if name.starts_with("images/") {
        std::fs::remove_dir_all(folder.path().join("images")).unwrap();
    }
    write(name, bytes);
    let head = r#"name: "d", source: "s", licence: "l", classes: 1"#;
    write("data.ron", format!("DataSet({head}, test: {part}, validation: {part})").as_bytes());
    let images = DataSet::load(folder.path().join("data.ron").to_str().unwrap()).ok()?.test;
    (0..images.len()).map(|i| images.sample(i).ok()).collect::<Option<Vec<_>>>().map(|samples| samples.len())
}

#[test]
fn every_format_reads_as_it_stands() {
    let samples: Vec<_> = (0..FORMATS.len()).map(|i| use_format(i, &FORMATS[i].2)).collect();
    assert_eq!(samples, [3, 3, 3, 1, 1, 1, 1, 1, 2, 2, 2].map(Some));
}

const HARDWARE: [&str; 3] =
    ["hw_configs/edge-28.ron", "hw_configs/systolic-28.ron", "hw_configs/cortex-m4.ron"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hardware(file in select(&HARDWARE[..]), edits in edits()) {
        use_hardware(&edited_text(&bundled_text(file), &edits))?;
    }

    #[test]
    fn hardware_with_other_numbers(
        file in select(&HARDWARE[..]),
        numbers in prop::collection::vec((any::<Index>(), number()), 1..4),
    ) {
        let text = numbers.iter().fold(bundled_text(file), |text, (at, n)| with_number(&text, at, n));
        use_hardware(&text)?;
    }

    #[test]
    fn model(edits in edits(), at: Index, number in number()) {
        use_model(&edited_text(&bundled_text(MODEL), &edits));
        use_model(&with_number(&bundled_text(MODEL), &at, number));
    }

    #[test]
    fn families_with_other_numbers(
        family in select(&FAMILIES[..]),
        numbers in prop::collection::vec((any::<Index>(), number()), 1..4),
    ) {
        let text = numbers.iter().fold(description(family), |text, (at, n)| with_number(&text, at, n));
        use_model(&text);
    }

    /// Names too are any text.
    #[test]
    fn layers_with_other_names(at in 0..LAYERS.matches('"').count() / 2, name in prop_oneof!["\\PC{0,8}", any::<String>()]) {
        let mut parts: Vec<&str> = LAYERS.split('"').collect();
        let name = name.replace(['\\', '"'], "\u{1b}");
        parts[2 * at + 1] = &name;
        use_model(&description(&parts.join("\"")));
    }

    #[test]
    fn setting(edits in edits(), at: Index, number in number()) {
        let text = bundled_text("models/settings/mixed.ron");
        use_setting(&edited_text(&text, &edits), &SMALL.0);
        use_setting(&with_number(&text, &at, number), &SMALL.0);
    }

    #[test]
    fn weights(edits in edits()) {
        let (network, bytes) = &*SMALL;
        let _ = Weights::parse(&edited(bytes, &edits), "w.safetensors", network);
    }

    #[test]
    fn weights_with_another_header(edits in edits()) {
        let (network, bytes) = &*SMALL;
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header = edited(&bytes[8..8 + length], &edits);
        // The length is right, so that the edited JSON is read.
        let parts = [&(header.len() as u64).to_le_bytes()[..], &header, &bytes[8 + length..]];
        let _ = Weights::parse(&parts.concat(), "w.safetensors", network);
    }

    #[test]
    fn data(name in select(vec!["test.images", "test.labels", "val.labels", "data.ron"]), edits in edits()) {
        let original = match name {
            "data.ron" => DATA.as_bytes().to_vec(),
            "test.images" => idx(&[3, 2, 2], &[7; 12]),
            _ => idx(&[3], &[1, 0, 9]),
        };
        use_data(name, &edited(&original, &edits));
    }

    /// The gzip of the bundled labels, which the format tells apart by its first bytes.
    #[test]
    fn compressed_data(edits in edits()) {
        use_data("test.labels", &edited(&super::support::bundled("data/fashion-mnist/t10k-labels-idx1-ubyte.gz"), &edits));
    }

    /// Anything that a user may write after `--quant` is parsed or refused.
    #[test]
    fn shorthands(spec in "(fp|w|pot|floor|W|)[0-9]{0,12}[u.+-]?[0-9]{0,12}", noise in "\\PC{0,12}") {
        let _ = Setting::load(&spec);
        let _ = Setting::load(&noise);
    }
}

proptest! {
    // Every case writes and reads several files.
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn formats_of_data(i in 0..11usize, edits in edits()) {
        use_format(i, &edited(&FORMATS[i].2, &edits));
    }
}
