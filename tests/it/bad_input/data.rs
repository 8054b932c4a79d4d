//! Data sets: descriptions, IDX files, labels.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use insta::assert_snapshot;

use super::support::{Bench, DATA, change, idx, lines, npy, npz};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A bench with three images of 28 x 28 of which one file is replaced.
fn refuses((file, content): (&str, Vec<u8>)) -> String {
    let bench = Bench::new();
    bench.small_data(28, 28);
    bench.write(file, content);
    bench.refuses(&["--data", "data.ron", "--quant", "w4"])
}

#[test]
fn descriptions() {
    let cases = [
        ("missing parenthesis", ("DataSet(", "DataSet")),
        ("unknown field", ("classes:", "labels:")),
        ("missing field", ("licence: \"none\", ", "")),
        ("unknown format", ("Idx(", "Png(")),
        ("no samples of a range", ("test.labels\"", "test.labels\", range: (1, 1)")),
        ("a range past the end", ("val.labels\"", "val.labels\", range: (1, 4)")),
        (
            "noise that fits no memory",
            (
                "Idx(images: \"test.images\", labels: \"test.labels\")",
                "Noise(shape: (1, 9999, 28), frames: 1, max: 255, images: 3, seed: 1)",
            ),
        ),
        (
            "other frames than of validation",
            (
                "Idx(images: \"test.images\", labels: \"test.labels\")",
                "Noise(shape: (1, 28, 28), frames: 4, max: 255, images: 3, seed: 1)",
            ),
        ),
        ("no classes", ("classes: 10", "classes: 0")),
        ("fewer classes than labels", ("classes: 10", "classes: 9")),
        ("negative classes", ("classes: 10", "classes: -1")),
        ("images that are not there", ("test.images", "absent.images")),
        ("labels that are not there", ("val.labels", "absent.labels")),
        ("a folder", ("test.images", "out")),
    ];
    let refuses = |(from, to)| refuses(("data.ron", change(DATA, from, to).into()));
    assert_snapshot!(lines(cases, refuses), @r"
    missing parenthesis
      data.ron:1:8: Expected opening `(` for struct `DataSet`
    unknown field
      data.ron:2:55: Unexpected field named `labels` in `DataSet`, expected one of `name`, `source`, `licence`, `classes`, `test`, or `validation` instead
    missing field
      data.ron:5:1: Unexpected missing field named `licence` in `DataSet`
    unknown format
      data.ron:3:11: Unexpected variant named `Png` in enum `Part`, expected one of `Idx`, `Npy`, `Npz`, `Folder`, `Cifar10`, `Cifar100`, `Gesture`, `Nmnist`, or `Noise` instead
    no samples of a range
      data.ron: test: range: (1, 1) is not a part of 3 samples
    a range past the end
      data.ron: validation: range: (1, 4) is not a part of 3 samples
    noise that fits no memory
      data.ron: test: shape: height: 9999 is not in 1..=4096
    other frames than of validation
      data.ron: validation: 1 frames of a sample against 4 of test
    no classes
      test.labels: labels: 1 of sample 0, and there are 0 classes
    fewer classes than labels
      test.labels: labels: 9 of sample 2, and there are 9 classes
    negative classes
      data.ron:2:65: Integer is out of bounds
    images that are not there
      absent.images: No such file or directory (os error 2)
    labels that are not there
      absent.labels: No such file or directory (os error 2)
    a folder
      out: a folder, not a file
    ");
}

#[test]
fn image_files() {
    let images = idx(&[3, 28, 28], &[7; 3 * 784]);
    let zipped = gzip(&images);
    let floats = [&[0, 0, 13], &images[3..]].concat();
    let most = u32::MAX;
    let cases = [
        ("empty", Vec::new()),
        ("a picture", b"\x89PNG\r\n".to_vec()),
        ("floats", floats),
        ("truncated header", images[..10].to_vec()),
        ("truncated data", images[..2000].to_vec()),
        ("bytes after the end", [images.as_slice(), b"x"].concat()),
        ("truncated gzip", zipped[..zipped.len() - 9].to_vec()),
        ("gzip of something else", gzip(b"hello")),
        ("gzip with a wrong checksum", [&zipped[..zipped.len() - 8], &[1; 8]].concat()),
        ("extents that overflow", idx(&[most, most, most, most], &[])),
        ("no images of extents that overflow", idx(&[0, most, most, most], &[])),
        ("more images than bytes", idx(&[most, 28, 28], &[0; 784])),
        ("no images", idx(&[0, 28, 28], &[])),
        ("images of no pixels", idx(&[3, 28, 0], &[])),
        ("no dimensions", idx(&[], &[1])),
        ("one dimension", idx(&[3], &[1, 2, 3])),
        ("five dimensions", idx(&[1, 1, 1, 1, 1], &[1])),
        ("other images than of validation", idx(&[3, 27, 28], &[7; 3 * 27 * 28])),
    ];
    assert_snapshot!(lines(cases, |bytes| refuses(("test.images", bytes))), @r"
    empty
      test.images: magic: not an IDX file
    a picture
      test.images: magic: not an IDX file
    floats
      test.images: type: 0x0d, expected 0x08 (unsigned bytes)
    truncated header
      test.images: dimensions: 3, expected 1 to 4 and their extents
    truncated data
      test.images: length: 1984 bytes of data for extents [3, 28, 28]
    bytes after the end
      test.images: length: more than 2352 bytes of data for extents [3, 28, 28]
    truncated gzip
      test.images: gzip: incomplete deflate stream
    gzip of something else
      test.images: magic: not an IDX file
    gzip with a wrong checksum
      test.images: gzip: corrupt gzip stream does not have a matching checksum
    extents that overflow
      test.images: extents: [4294967295, 4294967295, 4294967295, 4294967295] exceed the 17179869184 bytes that are read of such a file
    no images of extents that overflow
      test.images: extents: no image
    more images than bytes
      test.images: extents: [4294967295, 28, 28] exceed the 17179869184 bytes that are read of such a file
    no images
      test.images: extents: no image
    images of no pixels
      test.images: extents: no image
    no dimensions
      test.images: dimensions: 0, expected 1 to 4 and their extents
    one dimension
      test.images: dimensions: not images, which have 3 or 4
    five dimensions
      test.images: dimensions: 5, expected 1 to 4 and their extents
    other images than of validation
      data.ron: validation: 1 x 28 x 28 against 1 x 27 x 28 of test
    ");
}

#[test]
fn label_files() {
    let cases = [
        ("fewer than images", idx(&[2], &[1, 2])),
        ("more than images", idx(&[4], &[1, 2, 3, 4])),
        ("a label without a class", idx(&[3], &[1, 10, 2])),
        ("two dimensions", idx(&[3, 1], &[1, 2, 3])),
        ("images", idx(&[3, 28, 28], &[7; 3 * 784])),
        ("truncated", idx(&[3], &[1, 2])),
        ("empty", Vec::new()),
    ];
    assert_snapshot!(lines(cases, |bytes| refuses(("val.labels", bytes))), @r"
    fewer than images
      val.labels: extents: [2] for 3 images
    more than images
      val.labels: extents: [4] for 3 images
    a label without a class
      val.labels: labels: 10 of sample 1, and there are 10 classes
    two dimensions
      val.labels: extents: [3, 1] for 3 images
    images
      val.labels: extents: [3, 28, 28] for 3 images
    truncated
      val.labels: length: 2 bytes of data for extents [3]
    empty
      val.labels: magic: not an IDX file
    ");
}

#[test]
fn labels_and_colours_that_the_model_does_not_have() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    bench.write("data.ron", change(DATA, "classes: 10", "classes: 100"));
    bench.write("test.labels", idx(&[3], &[1, 99, 2]));
    assert_snapshot!(bench.refuses(&["--data", "data.ron"]), @"data.ron: labels: 99 is one, and model sdtv1_2-64_fashion tells 10 classes apart");
    bench.small_data(28, 28);
    for part in ["test", "val"] {
        bench.write(&format!("{part}.images"), idx(&[3, 28, 28, 3], &[7; 9 * 784]));
    }
    assert_snapshot!(bench.refuses(&["--data", "data.ron"]), @"data.ron: images: of 3 x 28 x 28, and model sdtv1_2-64_fashion looks at 1 x 28 x 28");
}

/// A data set whose validation part is not there is refused where something looks at its images, and the message
/// says what.
#[test]
fn what_needs_a_validation_part() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    let validation = "    validation: Idx(images: \"val.images\", labels: \"val.labels\"),\n";
    bench.write("data.ron", change(DATA, validation, ""));
    let settings =
        [("ranges", "w4"), ("thresholds", "w4+rate"), ("weights", "w3+gptq"), ("biases", "w4+bias")];
    assert_snapshot!(lines(settings, |quant| bench.refuses(&["--data", "data.ron", "--quant", quant])), @r"
    ranges
      data.ron: validation: missing, and ranges are those of its images: add a part `validation: ...`
    thresholds
      data.ron: validation: missing, and the setting matches thresholds on its images: add a part `validation: ...`
    weights
      data.ron: validation: missing, and the setting rounds or corrects layers by what they read of its images: add a part `validation: ...`
    biases
      data.ron: validation: missing, and the setting rounds or corrects layers by what they read of its images: add a part `validation: ...`
    ");
    let commands = [
        ("search", "search --data data.ron --out found"),
        ("sensitivity", "sensitivity --data data.ron"),
        ("run", "run --data data.ron --quant w4+rate"),
    ];
    let refuses =
        |command: &str| bench.refusal(&command.split(' ').collect::<Vec<_>>()).trim_end().to_owned();
    assert_snapshot!(lines(commands, refuses), @r"
    search
      error: data.ron: validation: missing, and a search looks at its images: add a part `validation: ...`
    sensitivity
      error: data.ron: validation: missing, and a measure of sensitivity looks at its images: add a part `validation: ...`
    run
      error: data.ron: validation: missing, and the setting matches thresholds on its images: add a part `validation: ...`
    ");
}

/// Every flag that names a file: a pipe blocks for ever, a device has no end, a folder is none.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_read() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    assert!(std::process::Command::new("mkfifo").arg(bench.path("pipe")).status().unwrap().success());
    bench.write("data_of_pipe.ron", change(DATA, "test.images", "pipe"));
    bench.write(
        "npy_of_pipe.ron",
        change(
            DATA,
            "Idx(images: \"test.images\", labels: \"test.labels\")",
            "Npy(images: \"pipe\", labels: \"pipe\", layout: Nhw)",
        ),
    );
    let flags = [
        "describe",
        "describe --rates",
        "simulate --quiet --model",
        "simulate --quiet --weights",
        "simulate --quiet --hw",
        "simulate --quiet --data",
        "simulate --quiet --quant",
        "simulate --quiet --rates",
        "simulate --quiet --mapping",
        "search --quiet --budget",
        "sensitivity --quiet --import",
        "validate neuron --current x.npy --spikes x.npy --config",
        "validate neuron --config lif --spikes x.npy --current",
        "gemm --array 1x1 -M 1 -N 1 -K 1 --mapping",
    ];
    for flag in flags {
        let mut arguments: Vec<&str> = flag.split(' ').collect();
        if flag == "describe --rates" {
            arguments = vec!["describe", "sdtv1_2-64_fashion", "--quant", "w4", "--hw", "edge-28", "--rates"];
        }
        for (path, kind) in
            [("./pipe", "a pipe or a device"), ("/dev/zero", "a pipe or a device"), ("./out", "a folder")]
        {
            let message = bench.refusal(&[&arguments[..], &[path]].concat());
            let expected = format!("{}: {kind}, not a file\n", path.trim_start_matches("./"));
            assert!(message.ends_with(&expected), "{flag} {path}: {message}");
        }
    }
    for data in ["data_of_pipe.ron", "npy_of_pipe.ron"] {
        assert!(bench.refuses(&["--data", data]).contains("pipe: a pipe or a device, not a file"));
    }
    // The files of folders: the log of a search, the manifest of a bundle.
    for (name, arguments) in
        [("log.jsonl", ["search", "--resume"]), ("manifest.json", ["validate", "--json"])]
    {
        std::fs::create_dir_all(bench.path("folder")).unwrap();
        std::fs::rename(bench.path("pipe"), bench.path(&format!("folder/{name}"))).unwrap();
        let message = bench.refusal(&[&arguments[..], &["folder"]].concat());
        assert!(message.contains(&format!("{name}: a pipe or a device, not a file")), "{message}");
        std::fs::rename(bench.path(&format!("folder/{name}")), bench.path("pipe")).unwrap();
    }
}

/// A stream of zeros that the header does not speak of: what is behind one byte more is not unpacked.
#[test]
fn more_than_a_header_promises_is_not_unpacked() {
    let images = [&idx(&[3, 28, 28], &[7; 2352])[..], &vec![0u8; 64 << 20]].concat();
    let zipped = gzip(&images);
    assert!(zipped.len() < 1 << 20);
    // Damaged from the middle on, where nobody looks.
    let broken = [&zipped[..zipped.len() / 2], &[0xff; 99]].concat();
    let message = "test.images: length: more than 2352 bytes of data for extents [3, 28, 28]";
    assert_eq!(refuses(("test.images", broken)), message);
    let mut array = npy("|u1", "(3, 28, 28)", &[7; 2352]);
    array.resize(64 << 20, 0);
    let bench = Bench::new();
    bench.data(r#"Npz(file: "x.npz", images: "x", labels: "y", layout: Nhw)"#);
    bench.write("x.npz", npz(&[("x.npy", &array), ("y.npy", &npy("|u1", "(3,)", &[1, 0, 9]))]));
    let message = bench.refuses(&["--data", "data.ron"]);
    assert_eq!(message, "x.npz: x: length: more than 2352 bytes of data for [3, 28, 28] of uint8");
}
