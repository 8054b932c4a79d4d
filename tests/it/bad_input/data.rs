//! Data sets: descriptions, IDX files, labels.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use insta::assert_snapshot;

use super::support::{Bench, DATA, change, idx, lines};

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
      test.labels: labels: label 0 is 1, and there are 0 classes
    fewer classes than labels
      test.labels: labels: label 2 is 9, and there are 9 classes
    negative classes
      data.ron:2:65: Integer is out of bounds
    images that are not there
      absent.images: No such file or directory (os error 2)
    labels that are not there
      absent.labels: No such file or directory (os error 2)
    a folder
      out: Is a directory (os error 21)
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
      test.images: length: 2353 bytes of data for extents [3, 28, 28]
    truncated gzip
      test.images: gzip: incomplete deflate stream
    gzip of something else
      test.images: magic: not an IDX file
    gzip with a wrong checksum
      test.images: gzip: corrupt gzip stream does not have a matching checksum
    extents that overflow
      test.images: length: 0 bytes of data for extents [4294967295, 4294967295, 4294967295, 4294967295]
    no images of extents that overflow
      test.images: extents: no image
    more images than bytes
      test.images: length: 784 bytes of data for extents [4294967295, 28, 28]
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
      val.labels: labels: label 1 is 10, and there are 10 classes
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
    assert_snapshot!(bench.refuses(&["--data", "data.ron"]), @"data small has a label 99, and model sdtv1_2-64_fashion tells 10 classes apart");
    bench.small_data(28, 28);
    for part in ["test", "val"] {
        bench.write(&format!("{part}.images"), idx(&[3, 28, 28, 3], &[7; 9 * 784]));
    }
    assert_snapshot!(bench.refuses(&["--data", "data.ron"]), @"data small has images of 3 x 28 x 28, and model sdtv1_2-64_fashion looks at 1 x 28 x 28");
}
