//! Data sets: their descriptions and every format. The files beside the input are sound.

use std::path::Path;

use spiq::Result;
use spiq::model::{DataSet, Images};
use spiq::npy::{Kind, preamble};

use super::Files;

/// Three labels for images.
const LABELS: [u8; 11] = [0, 0, 8, 1, 0, 0, 0, 3, 1, 0, 9];
/// Three images of 2 x 2.
const IMAGES: [u8; 28] =
    [0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2, 7, 0, 1, 9, 7, 0, 1, 9, 255, 4, 4, 4];
/// Two events of a DVS128.
const RECORDING: &[u8] = include_bytes!("../corpus/aedat/events.aedat");

/// An array of three samples of a byte each, or of its labels.
fn array(shape: &[usize]) -> Vec<u8> {
    [preamble(Kind::Unsigned(1), shape), vec![0; shape.iter().product()]].concat()
}

/// Loads the data set whose two parts are `part`, of as many `classes`, and reads its samples.
fn load(part: &str, classes: usize, files: &[(&str, &[u8])]) -> Result<()> {
    let description = format!(
        "DataSet(name: \"d\", source: \"s\", licence: \"l\", classes: {classes}, test: {part}, validation: {part})"
    );
    let files = Files::new(&[files, &[("data.ron", description.as_bytes())]].concat());
    read(&files.path("data.ron"))
}

fn read(path: &Path) -> Result<()> {
    let data = DataSet::load(&path.display().to_string())?;
    let first = |images: &Images| -> Result<()> {
        (0..images.len().min(4)).try_for_each(|i| images.sample(i).map(drop))?;
        images.sha256().map(drop)
    };
    first(&data.test)?;
    first(&data.validation)
}

pub fn description(bytes: &[u8]) -> Result<()> {
    let (images, labels) = (array(&[3, 2, 2]), array(&[3]));
    let files = Files::new(&[
        ("data.ron", bytes),
        ("x.idx", &IMAGES),
        ("y.idx", &LABELS),
        ("x.npy", &images),
        ("y.npy", &labels),
        ("x.bin", &[0; 3073]),
        ("a.aedat", RECORDING),
        ("a_labels.csv", b"class,startTime_usec,endTime_usec\n1,0,200\n"),
        ("digits/0/a.bin", &[1, 2, 0x80, 0, 9]),
    ]);
    read(&files.path("data.ron"))
}

pub fn idx_images(bytes: &[u8]) -> Result<()> {
    load(r#"Idx(images: "x.idx", labels: "y.idx")"#, 10, &[("x.idx", bytes), ("y.idx", &LABELS)])
}

pub fn idx_labels(bytes: &[u8]) -> Result<()> {
    load(r#"Idx(images: "x.idx", labels: "y.idx")"#, 10, &[("x.idx", &IMAGES), ("y.idx", bytes)])
}

pub fn npy_images(bytes: &[u8]) -> Result<()> {
    let part = r#"Npy(images: "x.npy", labels: "y.npy", layout: Nhw)"#;
    load(part, 10, &[("x.npy", bytes), ("y.npy", &array(&[3]))])
}

pub fn npy_labels(bytes: &[u8]) -> Result<()> {
    let part = r#"Npy(images: "x.npy", labels: "y.npy", layout: Nhw)"#;
    load(part, 10, &[("x.npy", &array(&[3, 2, 2])), ("y.npy", bytes)])
}

pub fn npz(bytes: &[u8]) -> Result<()> {
    load(r#"Npz(file: "x.npz", images: "x", labels: "y", layout: Nhw)"#, 10, &[("x.npz", bytes)])
}

pub fn cifar10(bytes: &[u8]) -> Result<()> {
    load(r#"Cifar10(files: ["x.bin"])"#, 10, &[("x.bin", bytes)])
}

pub fn cifar100(bytes: &[u8]) -> Result<()> {
    load(r#"Cifar100(files: ["x.bin"])"#, 100, &[("x.bin", bytes)])
}

/// PNG and JPEG are told apart by their bytes, whatever a file is called.
pub fn picture(bytes: &[u8]) -> Result<()> {
    load(r#"Folder(path: "images", resize: 9, crop: 8)"#, 1, &[("images/0/a.png", bytes)])
}

pub fn nmnist(bytes: &[u8]) -> Result<()> {
    load(r#"Nmnist(folder: "digits", frames: 3, split: Time)"#, 1, &[("digits/0/a.bin", bytes)])
}

/// A recording and its table.
fn gesture(recordings: &str, files: &[(&str, &[u8])]) -> Result<()> {
    let part = format!("Gesture(recordings: [\"{recordings}\"], frames: 3, split: Number)");
    load(&part, 1, files)
}

pub fn aedat(bytes: &[u8]) -> Result<()> {
    let table = b"class,startTime_usec,endTime_usec\n1,0,150\n1,0,4000000000\n";
    gesture("a.aedat", &[("a.aedat", bytes), ("a_labels.csv", table)])
}

pub fn gesture_labels(bytes: &[u8]) -> Result<()> {
    gesture("a.aedat", &[("a.aedat", RECORDING), ("a_labels.csv", bytes)])
}

pub fn gesture_list(bytes: &[u8]) -> Result<()> {
    let table = b"class,startTime_usec,endTime_usec\n1,0,200\n";
    gesture("list.txt", &[("list.txt", bytes), ("a.aedat", RECORDING), ("a_labels.csv", table)])
}
