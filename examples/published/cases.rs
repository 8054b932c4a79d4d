//! What a described machine takes for spikes that were recorded elsewhere, by the way of `spiq simulate --spikes`.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use spiq::cost::{Machine, patterns};
use spiq::evaluate::Evaluator;
use spiq::exec::SpikeRecording;
use spiq::hw::{EventCores, Hardware, Unit};
use spiq::load;
use spiq::npy::{Array, Kind, preamble};
use spiq::quant::Setting;
use spiq::tensor::Shape;
use zip::write::SimpleFileOptions;

pub type Failure = Box<dyn std::error::Error>;

/// Values of a layer, `[T, C, H, W]`.
pub struct Recorded {
    /// The layer that reads or yields them.
    pub layer: String,
    /// Timesteps.
    pub timesteps: usize,
    /// Shape of one timestep.
    pub shape: Shape,
    /// Bytes.
    pub values: Vec<u8>,
}

impl Recorded {
    /// Zeros.
    pub fn silent(layer: &str, timesteps: usize, shape: Shape) -> Self {
        Self { layer: layer.to_owned(), timesteps, shape, values: vec![0; timesteps * shape.values()] }
    }
}

/// A network with the spikes of one image.
pub struct Network {
    /// What it looks at, such as `Events(shape: (2, 4, 4), max: 1)`.
    pub input: String,
    /// Layers, as a description has them, without the readout.
    pub layers: String,
    /// Timesteps.
    pub timesteps: usize,
    /// Channels of the last layer.
    pub classes: usize,
    /// Values.
    pub recorded: Vec<Recorded>,
}

/// Most channels that a network may look at.
const INPUT_CHANNELS: usize = 64;

/// A layer of given spikes, followed by neurons: `layer` is a `Conv(..)` or a `Linear(..)` called `layer`, and the
/// neurons, which yield `outputs`, are called `spikes`. More channels than a camera has come from a layer before.
pub fn single(layer: &str, neurons: &str, input: Recorded, outputs: Recorded) -> Network {
    let (timesteps, shape) = (input.timesteps, input.shape);
    let mut seen = shape;
    let (mut before, mut recorded) = (String::new(), Vec::new());
    if shape.channels > INPUT_CHANNELS {
        seen.channels = 1;
        before = format!(
            "Conv(name: \"before\", out_channels: {}, kernel: 1), Neuron(name: \"given\"),",
            shape.channels
        );
        recorded.push(Recorded::silent("before", timesteps, seen));
    }
    let classes = outputs.shape.channels;
    recorded.extend([input, outputs]);
    Network {
        input: format!("Events(shape: ({}, {}, {}), max: 1)", seen.channels, seen.height, seen.width),
        layers: format!("{before} {layer}, {neurons}"),
        timesteps,
        classes,
        recorded,
    }
}

/// A layer with its cycles.
pub struct LayerCycles {
    pub layer: String,
    pub cycles: f64,
}

/// Rows of packed bits, of which the first `bits` of each are used.
pub fn unpack(array: &Array, bits: usize) -> Result<Vec<u8>, Failure> {
    let row = *array.shape.last().ok_or("an array without extents")?;
    let unpacked = |row: &[u8]| (0..bits).map(|i| row[i / 8] >> (7 - i % 8) & 1).collect::<Vec<u8>>();
    Ok(array.data.chunks(row).flat_map(unpacked).collect())
}

/// Spikes `[C, H, W]` of `rows` in hexadecimal, one per position, bit c of which is channel c.
pub fn of_positions(rows: &[&str], channels: usize) -> Result<Vec<u8>, Failure> {
    let bit = |row: &str, channel: usize| -> Result<u8, Failure> {
        let digit = row.len().checked_sub(1 + channel / 4).map(|place| &row[place..=place]);
        let digit = digit.map_or(Ok(0), |digit| u8::from_str_radix(digit, 16))?;
        Ok(digit >> (channel % 4) & 1)
    };
    (0..channels).flat_map(|c| rows.iter().map(move |row| bit(row, c))).collect()
}

/// Cycles of every layer of `network` on `hardware`, with weights and words as `setting` says.
pub fn predict(network: &Network, hardware: Hardware, setting: &str) -> Result<Vec<LayerCycles>, Failure> {
    let Network { input, layers, timesteps, classes, recorded } = network;
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let readout = r#"MeanTokens(name: "mean"), MeanTimesteps(name: "readout")"#;
    let description = format!(
        "Model(name: \"case\", family: Layers([{layers}, {readout}]), input: {input}, timesteps: {timesteps}, \
         classes: {classes}, weights: Seeded(1))"
    );
    std::fs::write(path("model.ron"), description)?;
    let mut archive = zip::ZipWriter::new(File::create(path("spikes.npz"))?);
    for Recorded { layer, timesteps, shape, values } in recorded {
        archive.start_file(format!("{layer}.npy"), SimpleFileOptions::default())?;
        let extents = [*timesteps, shape.channels, shape.height, shape.width];
        archive.write_all(&preamble(Kind::Unsigned(1), &extents))?;
        archive.write_all(values)?;
    }
    archive.finish()?;
    let model = Arc::new(load::model(&path("model.ron"))?);
    let machines = [Machine::new(hardware)?];
    let patterns = patterns(&machines, &model.network);
    let recording = SpikeRecording::load(&path("spikes.npz"), &model.network, &patterns)?;
    let evaluator = Evaluator::recorded(model, None, Arc::new(recording))?;
    let setting = Setting::parse(setting, "setting.ron")?;
    let evaluations = evaluator.evaluate(&setting, &machines, &|| ())?;
    let layers = evaluations[0].layers.iter();
    Ok(layers.map(|l| LayerCycles { layer: l.name.clone(), cycles: l.cycles.total() }).collect())
}

/// A setting of weights, membranes and sums of so many bits.
pub fn setting(weight_bits: u32, membrane_bits: u32, sum_bits: Option<u32>) -> String {
    let sums = sum_bits.map_or_else(String::new, |bits| {
        format!("accumulator: (bits: {bits}, overflow: SaturateAtWriteback),")
    });
    format!(
        "Setting(name: \"w{weight_bits}\", weights: Uniform(bits: {weight_bits}, scale: Free, granularity: Channel, clip: Max), \
         membrane_bits: {membrane_bits}, residual_bits: 16, {sums})"
    )
}

/// Cycles of the layer of a network that [`single`] made.
pub fn predict_single(network: &Network, hardware: Hardware, setting: &str) -> Result<f64, Failure> {
    let layers = predict(network, hardware, setting)?;
    let own = layers.iter().find(|own| own.layer == "layer").ok_or("no such layer")?;
    Ok(own.cycles)
}

/// Event cores number `unit` of `hardware`.
pub fn cores(hardware: &mut Hardware, unit: usize) -> &mut EventCores {
    match &mut hardware.units[unit] {
        Unit::EventCores(cores) => cores,
        other => panic!("{other:?} are no event cores"),
    }
}
