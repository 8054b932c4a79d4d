//! Random quantized networks, and runs of `spiq`.

use std::fs;
use std::path::Path;

use assert_cmd::cargo::cargo_bin_cmd;
pub use serde_json::{Value, json};
pub use spiq::exchange::{Bundle, INT32, INT64, NpyReader, NpyWriter, UINT8, export_golden, validate};
pub use spiq::model::Images;
use spiq::npy;
use spiq::output::OutputFile;
pub use tempfile::TempDir;

pub use crate::exactness::support::*;
use crate::exactness::zoo::{any_scheme, any_setting, zoo_model};

pub fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Samples as the images of a data set.
pub fn images_of(samples: &[Sample]) -> Images {
    Images::in_memory(samples, vec![0; samples.len()])
}

/// A quantized network with every operation in it, and images.
pub fn any_network(dice: &mut Dice) -> (QuantizedModel, Vec<Sample>) {
    let timesteps = dice.int(1, 4) as usize;
    let (model, _, samples) = zoo_model(dice, timesteps, false);
    let scheme = any_scheme(dice);
    let (membrane, residual) = (dice.int(2, 20) as u32, dice.int(4, 16) as u32);
    let setting = any_setting(dice, &model.network, &scheme, membrane, residual);
    (quantize(&model, &setting, &calibrate(&model, &samples)).unwrap(), samples)
}

/// Runs `spiq` in `folder`; its exit code, what it printed and what it complained of.
pub fn spiq(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = cargo_bin_cmd!("spiq").args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A whole array and its shape.
pub fn array(path: &Path) -> (Vec<usize>, Vec<i64>) {
    let mut reader = NpyReader::open(path).unwrap();
    let values = reader.read().unwrap();
    (reader.shape().to_vec(), values)
}

pub fn write_array(path: &Path, kind: npy::Kind, shape: &[usize], values: &[i64]) {
    let file = OutputFile { path: path.display().to_string(), file: fs::File::create(path).unwrap() };
    NpyWriter::new(file, kind, shape).unwrap().write_at(0, values).unwrap();
}

pub fn manifest(folder: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join("manifest.json")).unwrap()).unwrap()
}

pub fn write_manifest(folder: &Path, manifest: &Value) {
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
}

/// The values of a frame in the order of PyTorch, `[C, H, W]`.
pub fn channels_first(frames: &Frames<i64>, t: usize) -> Vec<i64> {
    let (shape, frame) = (frames.shape, frames.at(t));
    let mut values = Vec::new();
    for c in 0..shape.channels {
        values.extend((0..shape.positions()).map(|p| frame[p * shape.channels + c]));
    }
    values
}
