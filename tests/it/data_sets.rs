//! Data sets of every format, as a library user and as the command line see them.

use std::collections::BTreeMap;
use std::path::Path;

use image::{GrayImage, ImageFormat, Luma};
use serde::Deserialize;
use serde_json::Value;
use spiq::files::sha256;
use spiq::model::{DataSet, Images, Sample};
use spiq::tensor::Shape;

use crate::bad_input::support::{Bench, aedat, idx, npy, npz, picture};

/// The test part of a data set of `part`.
fn load(bench: &Bench, part: &str) -> Images {
    bench.data(part);
    DataSet::load(bench.path("data.ron").to_str().unwrap()).unwrap().test
}

fn samples(images: &Images) -> Vec<Sample> {
    (0..images.len()).map(|i| images.sample(i).unwrap()).collect()
}

/// What SpikingJelly made of recordings: tests/data/events/export_frames.py.
#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    sample: String,
    split: String,
    frames: usize,
    /// Frame, polarity, y, x, count.
    counts: Vec<[usize; 5]>,
}

#[test]
fn frames_of_recordings_are_those_of_spikingjelly() {
    let golden: Golden = serde_json::from_str(include_str!("../data/events/frames.json")).unwrap();
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/events");
    let bench = Bench::new();
    for (from, to) in [
        ("person.aedat", "person.aedat"),
        ("person_labels.csv", "person_labels.csv"),
        ("3.bin", "digits/3/a.bin"),
    ] {
        bench.write(to, std::fs::read(recordings.join(from)).unwrap());
    }
    bench.write("trials.txt", "person.aedat\r\n\r\n");
    let mut compared = 0;
    for Case { sample, split, frames, counts } in golden.cases {
        let split = if split == "number" { "Number" } else { "Time" };
        // A gesture is of class 3 or 11, a digit of class 3.
        let (part, i, label) = match sample.as_str() {
            "gesture 0" => (r#"Gesture(recordings: ["person.aedat"]"#, 0, 2),
            "gesture 1" => (r#"Gesture(recordings: ["trials.txt"]"#, 1, 10),
            _ => (r#"Nmnist(folder: "digits""#, 0, 3),
        };
        let part = format!("{part}, frames: {frames}, split: {split})");
        bench.data(&part);
        let text = std::fs::read_to_string(bench.path("data.ron")).unwrap();
        bench.write("data.ron", text.replace("classes: 10", "classes: 11"));
        let images = DataSet::load(bench.path("data.ron").to_str().unwrap()).unwrap().test;
        assert_eq!(images.labels[i], label);
        let mut expected = Sample::zeros(frames, images.shape);
        for [frame, polarity, y, x, count] in counts {
            let width = images.shape.width;
            expected.frame_mut(frame)[(y * width + x) * 2 + polarity] = count as u16;
            compared += count;
        }
        assert!(images.sample(i).unwrap() == expected, "{part}");
    }
    assert!(compared > 1000, "{compared} events");
}

#[test]
fn layouts_of_arrays_hold_the_same_images() {
    let bench = Bench::new();
    // Two images of 2 x 3 pixels with two channels: 100 image + 10 y + x, and 50 more.
    let at = |i: usize, c: usize, y: usize, x: usize| (100 * i + 50 * c + 10 * y + x) as u8;
    let places = |f: &dyn Fn(usize, usize, usize) -> (usize, usize, usize), (a, b, c)| -> Vec<u8> {
        let of_image = |i| {
            let all = (0..a).flat_map(move |p| (0..b).flat_map(move |q| (0..c).map(move |r| (p, q, r))));
            all.map(move |(p, q, r)| f(p, q, r)).map(move |(ch, y, x)| at(i, ch, y, x))
        };
        (0..2).flat_map(of_image).collect()
    };
    let last = places(&|y, x, c| (c, y, x), (2, 3, 2));
    let first = places(&|c, y, x| (c, y, x), (2, 2, 3));
    let wide = |bytes: &[u8]| bytes.iter().flat_map(|&b| i32::from(b).to_le_bytes()).collect::<Vec<u8>>();
    let float = |bytes: &[u8]| bytes.iter().flat_map(|&b| f32::from(b).to_le_bytes()).collect::<Vec<u8>>();
    bench.write("nhwc.npy", npy("|u1", "(2, 2, 3, 2)", &last));
    bench.write("nchw.npy", npy("<i4", "(2, 2, 2, 3)", &wide(&first)));
    bench.write("y.npy", npy("<i2", "(2,)", &[4, 0, 9, 0]));
    let floats = npy("<f4", "(2, 1, 2, 2, 3)", &float(&first));
    bench.write(
        "x.npz",
        npz(&[("frames.npy", &floats), ("y.npy", &npy("<u4", "(2,)", &[4, 0, 0, 0, 9, 0, 0, 0]))]),
    );
    let parts = [
        r#"Npy(images: "nhwc.npy", labels: "y.npy", layout: Nhwc)"#,
        r#"Npy(images: "nchw.npy", labels: "y.npy", layout: Nchw)"#,
        r#"Npz(file: "x.npz", images: "frames", labels: "y", layout: Ntchw)"#,
    ];
    for part in parts {
        let images = load(&bench, part);
        assert_eq!((images.shape, images.frames, &images.labels[..]), (Shape::new(2, 2, 3), 1, &[4, 9][..]));
        let expected = last.iter().map(|&value| u16::from(value)).collect::<Vec<_>>();
        assert_eq!(samples(&images).into_iter().flat_map(|s| s.data).collect::<Vec<_>>(), expected, "{part}");
    }
}

#[test]
fn one_file_in_two_parts() {
    let bench = Bench::new();
    bench.write("x.bin", (0..4).flat_map(|i| vec![i; 3073]).collect::<Vec<u8>>());
    let part = r#"Cifar10(files: ["x.bin"], range: (1, 3))"#;
    let mut images = load(&bench, part);
    assert_eq!((images.shape, &images.labels[..]), (Shape::new(3, 32, 32), &[1, 2][..]));
    images.truncate(1);
    assert_eq!(images.len(), 1);
    assert!(images.sample(0).unwrap().data.iter().all(|&value| value == 1));
    // The first byte of a record of CIFAR-100 is a coarse label.
    bench.write("x.bin", [&[99, 5][..], &[7; 3072]].concat());
    assert_eq!(load(&bench, r#"Cifar100(files: ["x.bin"])"#).labels, [5]);
}

/// Class folders of grey images that hold the bytes of an IDX file: the same report, but for the name and
/// the hash.
#[test]
fn a_run_on_pictures_is_a_run_on_their_pixels() {
    let bench = Bench::new();
    let pixel = |i: u32, x: u32, y: u32| (40 * i + 7 * x + 3 * y) as u8;
    let mut bytes = Vec::new();
    for i in 0..3 {
        let image = GrayImage::from_fn(28, 28, |x, y| Luma([pixel(i, x, y)]));
        bench.write(&format!("images/{i}/a.png"), picture(image.clone(), ImageFormat::Png));
        bytes.extend(image.into_raw());
    }
    bench.class_folders("images");
    bench.write("images/.hidden", "is not seen");
    bench.write("x.idx", idx(&[3, 28, 28], &bytes));
    bench.write("y.idx", idx(&[3], &[0, 1, 2]));
    let run = |part: &str| {
        bench.data(part);
        let arguments =
            ["simulate", "--data", "data.ron", "--quant", "w4", "--json", "--quiet", "--limit", "2"];
        let output = bench.run(&arguments);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let pictures = run(r#"Folder(path: "images", crop: 28, channels: 1)"#);
    let pixels = run(r#"Idx(images: "x.idx", labels: "y.idx")"#);
    // Notes speak of folders and files.
    let figures = |report: &Value| {
        let mut settings = report["settings"].clone();
        settings[0].as_object_mut().unwrap().remove("notes").unwrap();
        settings
    };
    assert_eq!(figures(&pictures), figures(&pixels));
    // Test and validation part are the same files, which no report hides.
    let notes = pictures["settings"][0]["notes"].to_string();
    assert!(notes.contains("chosen on 2 of the 2 images measured"), "{notes}");
    assert_eq!(pictures["data"]["images"], 2);
    // The digest is of the files in use: not of the third.
    bench.write("images/2/a.png", std::fs::read(bench.path("images/1/a.png")).unwrap());
    let again = run(r#"Folder(path: "images", crop: 28, channels: 1)"#);
    assert_eq!(again["data"], pictures["data"]);
    bench.write("images/1/a.png", std::fs::read(bench.path("images/0/a.png")).unwrap());
    let other = run(r#"Folder(path: "images", crop: 28, channels: 1)"#);
    assert_ne!(other["data"]["sha256"], pictures["data"]["sha256"]);
}

/// A network of events runs on gestures, and no two timesteps see the same frame.
#[test]
fn a_run_on_gestures() {
    let bench = Bench::new();
    bench.events_model(32);
    let events: Vec<(u32, u32, bool, u32)> = (0..80).map(|i| (i, 127 - i, i % 2 == 0, 100 + i)).collect();
    bench.write("a.aedat", aedat(&events));
    bench.write("a_labels.csv", "class, startTime_usec, endTime_usec\n1, 100, 140\n7, 130, 180\n");
    bench.data(r#"Gesture(recordings: ["a.aedat"], frames: 4, split: Time, downscale: 4)"#);
    let arguments = ["simulate", "--model", "events.ron", "--data", "data.ron", "--quant", "w4", "--json"];
    let output = bench.run(&arguments);
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["data"]["images"], 2);
    assert!(report["settings"][0]["synaptic_operations"].as_f64() > Some(0.0));
}

/// Any model runs without data of its own, and the report says what that is worth.
#[test]
fn a_run_on_noise() {
    let bench = Bench::new();
    bench.events_model(32);
    for model in ["sdtv1_2-64_fashion", "events.ron"] {
        let run = |more: &[&str]| {
            let flags = ["simulate", "--model", model, "--data", "noise", "--quant", "w4", "--quiet"];
            let output = bench.run(&[&flags, more].concat());
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let report: Value = serde_json::from_str(&run(&["--json"])).unwrap();
        assert_eq!((&report["data"]["name"], &report["data"]["images"]), (&"noise".into(), &8.into()));
        let notes = report["settings"][0]["notes"].to_string();
        for note in ["images are synthetic noise: the accuracy means nothing", "chosen on synthetic noise"] {
            assert!(notes.contains(note), "{notes}");
        }
        assert!(run(&["--limit", "1"]).contains("w4: images are synthetic noise"));
    }
}

/// Width, height and SHA-256 of the pixels of pictures: tests/data/pictures/export_pixels.py.
#[derive(Deserialize)]
struct Pixels {
    pixels: BTreeMap<String, (usize, usize, String)>,
}

/// Baseline and progressive, of every subsampling, coarse and fine, of sizes that are no multiple of a block.
#[test]
fn pictures_hold_the_pixels_that_pillow_sees() {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pictures");
    let Pixels { pixels } = serde_json::from_str(include_str!("../data/pictures/pixels.json")).unwrap();
    assert!(pixels.len() >= 13);
    for (name, (width, height, hash)) in pixels {
        let bench = Bench::new();
        bench.class_folders("images");
        bench.write(&format!("images/3/{name}"), std::fs::read(pictures.join(&name)).unwrap());
        // No crop: the size is that of the pictures.
        let images = load(&bench, r#"Folder(path: "images")"#);
        assert_eq!((images.shape, &images.labels[..]), (Shape::new(3, height, width), &[3][..]), "{name}");
        let bytes: Vec<u8> = images.sample(0).unwrap().data.iter().map(|&value| value as u8).collect();
        assert_eq!(sha256([bytes]), hash, "{name}");
    }
}

/// What is whole is read, whatever lies around it.
#[test]
fn jpeg_files_as_programs_leave_them() {
    let jpeg =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pictures/420.jpg")).unwrap();
    let segment = [&[0xff, 0xe1][..], &(jpeg.len() as u16 + 2).to_be_bytes(), &jpeg].concat();
    let scan = jpeg.windows(2).position(|marker| marker == [0xff, 0xda]).unwrap();
    let end = jpeg.len() - 2;
    let files = [
        jpeg.clone(),
        [&jpeg[..], &jpeg].concat(),
        [&jpeg[..], b"left behind the end"].concat(),
        [&jpeg[..2], &segment, &jpeg[2..]].concat(),
        [&jpeg[..scan], &[0xff, 0xff, 0xff], &jpeg[scan..]].concat(),
        [&jpeg[..end], &[0, 0], &jpeg[end..]].concat(),
    ];
    let bench = Bench::new();
    bench.class_folders("images");
    files.iter().enumerate().for_each(|(i, file)| bench.write(&format!("images/0/{i}.jpg"), file));
    let samples = samples(&load(&bench, r#"Folder(path: "images")"#));
    assert_eq!(samples.len(), files.len());
    assert!(samples.iter().all(|sample| *sample == samples[0]));
}

/// A run at `quant` on `description`, whose files are in `bench`, and what its report says.
fn report(bench: &Bench, description: &str, quant: &str) -> Value {
    bench.write("data.ron", description);
    let output = bench.run(&["simulate", "--data", "data.ron", "--quant", quant, "--json", "--quiet"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Bytes, the same divided by 255, doubles, and others times a scale.
#[test]
fn floats_are_the_integers_that_they_are_made_of() {
    let bench = Bench::new();
    let pixels: Vec<u8> = (0..3 * 784).map(|i| (i * 7 % 256) as u8).collect();
    let floats =
        |f: &dyn Fn(u8) -> f32| -> Vec<u8> { pixels.iter().flat_map(|&b| f(b).to_le_bytes()).collect() };
    let doubles: Vec<u8> = pixels.iter().flat_map(|&b| f64::from(b).to_le_bytes()).collect();
    let shape = "(3L, 28L, 28L)";
    bench.write("bytes.npy", npy("|u1", shape, &pixels));
    bench.write(
        "longs.npy",
        npy("<i8", shape, &pixels.iter().flat_map(|&b| i64::from(b).to_le_bytes()).collect::<Vec<u8>>()),
    );
    bench.write("doubles.npy", npy("<f8", shape, &doubles));
    bench.write("quotients.npy", npy("<f4", shape, &floats(&|b| f32::from(b) / 255.0)));
    bench.write("signed.npy", npy("<f4", shape, &floats(&|b| f32::from(b) / 127.5 + 1e-3)));
    bench.write("y.npy", npy("<f8", "(3,)", &[1.0f64, 0.0, 9.0].map(f64::to_le_bytes).concat()));
    let run = |images: &str, scale: &str| {
        let part = format!(r#"Npy(images: "{images}.npy", labels: "y.npy", layout: Nhw{scale})"#);
        let head = r#"name: "small", source: "a test", licence: "none", classes: 10"#;
        report(&bench, &format!("DataSet({head}, test: {part}, validation: {part})"), "w4")["settings"][0]
            .take()
    };
    let bytes = run("bytes", "");
    for (images, scale, note) in [
        ("longs", "", None),
        ("doubles", "", None),
        ("quotients", "", Some("quotients.npy: float32 values of k / 255 are taken as k")),
        (
            "quotients",
            ", scale: 255",
            Some("quotients.npy: float32 values are multiplied by 255 and rounded, by up to 0.000"),
        ),
        (
            "signed",
            ", scale: 127.5",
            Some("signed.npy: float32 values are multiplied by 127.5 and rounded, by up to 0.128"),
        ),
    ] {
        let mut setting = run(images, scale);
        let notes = setting["notes"].take();
        let mut expected = bytes.clone();
        expected["notes"].take();
        assert_eq!(setting, expected, "{images}");
        let found =
            notes.as_array().unwrap().iter().filter(|note| note.as_str().unwrap().contains(".npy: float32"));
        let found: Vec<&str> = found.map(|note| note.as_str().unwrap()).collect();
        assert_eq!(found, Vec::from_iter(note), "{images}");
    }
}

/// What a reader of results must know of a folder of pictures.
#[test]
fn what_was_left_or_never_seen_is_in_the_notes() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    for class in ["10", "2", "9"] {
        bench.write(&format!("images/{class}/a.png"), picture(GrayImage::new(28, 28), ImageFormat::Png));
    }
    bench.write("images/9/.DS_Store", "");
    bench.write("images/README", "");
    std::fs::remove_file(bench.path("images/2/a.png")).unwrap();
    let description = r#"DataSet(name: "few", source: "a test", licence: "none", classes: 3,
        test: Folder(path: "images", channels: 1), validation: Idx(images: "val.images", labels: "val.labels"))"#;
    bench.write("val.labels", idx(&[3], &[1, 1, 1]));
    let report = report(&bench, description, "w4");
    let notes: Vec<&str> = report["settings"][0]["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| note.as_str().unwrap())
        .collect();
    for note in [
        "few has 3 classes, and the network tells 10 apart",
        "images: class folders without a file: 2",
        "images: not read: README, 9/.DS_Store",
        "images: classes are in the order of the names of their folders: 10 is class 0",
        "no sample is of 1 of the 3 classes: 1",
        "validation: no sample is of 2 of the 3 classes: 0, 2",
    ] {
        assert!(notes.contains(&note), "{note}: {notes:?}");
    }
}

/// A network without a residual stream has no ranges: weights that are rounded to nearest need no image.
const WITHOUT_RANGES: &str = r#"Model(name: "plain", family: Layers([
    Conv(name: "conv1", out_channels: 4, kernel: 3, pad: 1, stride: 2, bias: true),
    Neuron(name: "if1", threshold: 1.0),
    Linear(name: "fc", out_features: 10, flatten: true),
    MeanTimesteps(name: "logits"),
]), input: Integers(shape: (1, 28, 28), max: 255), timesteps: 4, classes: 10, weights: Seeded(5))"#;

#[test]
fn a_data_set_without_a_validation_part() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    bench.write("plain.ron", WITHOUT_RANGES);
    let part = r#"Idx(images: "test.images", labels: "test.labels")"#;
    let with = format!(
        r#"DataSet(name: "d", source: "s", licence: "l", classes: 10, test: {part}, validation: {part})"#
    );
    let without = with.replace(&format!(", validation: {part}"), "");
    let run = |command: &str, description: &str, quant: &str| -> Value {
        bench.write("data.ron", description);
        let flags = ["--model", "plain.ron", "--data", "data.ron", "--quant", quant, "--json"];
        let output = bench.run(&[&[command], &flags[..]].concat());
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let [full, alone] =
        [&with, &without].map(|description| run("simulate", description, "w4")["settings"][0].take());
    for field in ["accuracy", "spikes", "synaptic_operations", "saturations", "footprint_bytes"] {
        assert!(!full[field].is_null(), "{field}");
        assert_eq!(alone[field], full[field], "{field}");
    }
    let notes = alone["notes"].to_string();
    assert!(
        notes.contains("mappings are chosen on synthetic noise: data.ron has no validation part"),
        "{notes}"
    );
    assert_eq!(run("run", &with, "w4"), run("run", &without, "w4"));
    assert_eq!(run("run", &with, "fp32"), run("run", &without, "fp32"));
}
