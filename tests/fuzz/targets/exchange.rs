//! Golden bundles, recorded neurons and recorded spikes. What is read is also executed or counted.

use spiq::Result;
use spiq::exchange::{Bundle, NeuronConfig, NpyReader, Recording, replay, validate};
use spiq::exec::{Pattern, SpikeRecording};
use spiq::files::sha256;
use spiq::npy::{Kind, preamble};

use super::Files;
use super::descriptions::NETWORK;

/// A bundle whose values lie in the manifest, or in `array.npy`.
fn bundle(manifest: &[u8], array: &[u8]) -> Result<()> {
    let files = Files::new(&[("golden/manifest.json", manifest), ("golden/array.npy", array)]);
    validate(&Bundle::load(&files.path("golden"))?).map(drop)
}

pub fn golden_manifest(bytes: &[u8]) -> Result<()> {
    bundle(bytes, &array(&[1, 1, 2, 1, 1]))
}

/// The input is an array with its right digest in a sound manifest.
pub fn golden_array(bytes: &[u8]) -> Result<()> {
    let manifest = format!(
        r#"{{"schema": "spiq-golden", "version": 1, "timesteps": 1, "images": 1, "nodes": [{{
            "name": "input", "inputs": [], "shape": [2, 1, 1], "constant": true,
            "operation": {{"type": "input"}}, "values": {{"file": "array.npy", "sha256": "{}"}}}}]}}"#,
        sha256([bytes])
    );
    bundle(manifest.as_bytes(), bytes)
}

/// An array of bytes, all zero.
fn array(shape: &[usize]) -> Vec<u8> {
    [preamble(Kind::Unsigned(1), shape), vec![0; shape.iter().product()]].concat()
}

/// Runs the neuron `config` on a recorded `current` of four timesteps and two neurons.
fn run(config: &[u8], current: &[u8]) -> Result<()> {
    let spikes = array(&[4, 2]);
    let files = Files::new(&[("input.ron", config), ("current.npy", current), ("spikes.npy", &spikes)]);
    let config = NeuronConfig::load(&files.text("input.ron"))?;
    let mut recording = Recording {
        current: NpyReader::open(&files.path("current.npy"))?,
        spikes: NpyReader::open(&files.path("spikes.npy"))?,
        membrane: None,
    };
    replay(&config, &mut recording, &[2]).map(drop)
}

pub fn neuron(bytes: &[u8]) -> Result<()> {
    let extremes = [i32::MAX, i32::MIN, 100, -1, 0, 255, 7, i32::MAX];
    let data = extremes.map(i32::to_le_bytes).concat();
    run(bytes, &[preamble(Kind::Signed(4), &[4, 2]), data].concat())
}

pub fn recorded_neuron(bytes: &[u8]) -> Result<()> {
    run(b"Shift(threshold: 256, shift: 1, reset: Subtract)", bytes)
}

pub fn spikes(bytes: &[u8]) -> Result<()> {
    let files = Files::new(&[("x.npz", bytes)]);
    let patterns =
        [Pattern::Windows { positions: 2, timesteps: 2 }, Pattern::Products { rows: 8, columns: 16 }];
    SpikeRecording::load(&files.text("x.npz"), &NETWORK, &patterns)?.activity(&patterns).map(drop)
}
