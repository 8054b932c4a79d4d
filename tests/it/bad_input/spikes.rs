//! Recorded spikes for `--spikes`.

use insta::assert_snapshot;
use spiq::npy::{Kind, preamble};

use super::support::{Bench, lines, npy, npz};

/// conv a -> LIF -> conv b -> LIF -> mean -> head, on two pixels at two timesteps.
const MODEL: &str = r#"Model(name: "m", family: Layers([
    Conv(name: "a", out_channels: 2, kernel: 1),
    Neuron(name: "a_lif", threshold: 1.0),
    Conv(name: "b", out_channels: 2, kernel: 1),
    Neuron(name: "b_lif", threshold: 1.0),
    MeanTokens(name: "mean"),
    MeanTimesteps(name: "mean_time"),
    Linear(name: "head", out_features: 3),
]), input: Image(shape: (1, 1, 2), mean: [0.5], std: [0.25], bits: 8), timesteps: 2, classes: 3,
weights: Seeded(1))"#;

/// An array of unsigned bytes that are all 1.
fn ones(shape: &[usize]) -> Vec<u8> {
    [preamble(Kind::Unsigned(1), shape), vec![1; shape.iter().product()]].concat()
}

/// What `spiq` says of `bytes` as a recording of [`MODEL`].
fn refuses(bench: &Bench, bytes: &[u8]) -> String {
    bench.write("m.ron", MODEL);
    bench.write("s.npz", bytes);
    bench.refuses(&["--model", "m.ron", "--quant", "w4", "--spikes", "s.npz"])
}

/// A sound recording with the array `name` replaced or added.
fn with(name: &str, array: &[u8]) -> Vec<u8> {
    let [image, a, b] = [ones(&[1, 1, 1, 2]), ones(&[2, 2, 1, 2]), ones(&[2, 2, 1, 2])];
    let mut files = vec![("input.npy", &image[..]), ("a_lif.npy", &a), ("b_lif.npy", &b)];
    files.retain(|(other, _)| *other != name);
    files.push((name, array));
    npz(&files)
}

#[test]
fn a_sound_recording_is_charged() {
    let bench = Bench::new();
    bench.write("m.ron", MODEL);
    bench.write("s.npz", with("b.npy", &ones(&[2, 1, 2, 1, 2])));
    let flags = ["simulate", "--model", "m.ron", "--quant", "w4", "--spikes", "s.npz", "--out", "done"];
    let output = bench.run(&flags);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn files_that_are_no_recording() {
    let bench = Bench::new();
    let good = with("b.npy", &ones(&[2, 2, 1, 2]));
    let cases = [
        ("empty", Vec::new()),
        ("truncated", good[..good.len() - 30].to_vec()),
        ("damaged", {
            let mut bytes = good.clone();
            bytes[48] ^= 0xff;
            bytes
        }),
        ("a .npy", ones(&[2, 2, 1, 2])),
        ("no arrays", npz(&[])),
        ("another file", with("readme.txt", b"1")),
    ];
    assert_snapshot!(lines(cases, |bytes| refuses(&bench, &bytes)), @"
    empty
      s.npz: zip: invalid Zip archive: Could not find EOCD
    truncated
      s.npz: zip: invalid Zip archive: Could not find EOCD
    damaged
      s.npz: input: corrupt deflate stream
    a .npy
      s.npz: zip: invalid Zip archive: Could not find EOCD
    no arrays
      s.npz: arrays: there are none
    another file
      s.npz: readme.txt: the network has no such layer
    ");
}

#[test]
fn layers_that_are_missing_or_unknown() {
    let bench = Bench::new();
    let (image, spikes) = (ones(&[1, 1, 1, 2]), ones(&[2, 2, 1, 2]));
    let cases = [
        ("only the image", npz(&[("a.npy", &image)])),
        (
            "no last neurons",
            npz(&[("a.npy", &image), ("b.npy", &spikes), ("head.npy", &ones(&[1, 2, 1, 1]))]),
        ),
        ("no image", npz(&[("b.npy", &spikes), ("b_lif.npy", &spikes)])),
        ("unknown", with("block.0.\u{1b}[2J.npy", &spikes)),
        ("not charged", with("mean.npy", &ones(&[2, 2, 1, 1]))),
    ];
    assert_snapshot!(lines(cases, |bytes| refuses(&bench, &bytes)), @r"
    only the image
      s.npz: missing: what is read by b, head; spikes of b_lif
    no last neurons
      s.npz: missing: spikes of b_lif
    no image
      s.npz: missing: what is read by a
    unknown
      s.npz: block.0.\u{1b}[2J: the network has no such layer
    not charged
      s.npz: mean: yields neither spikes nor what a weight layer reads, and nothing is charged for it
    ");
}

#[test]
fn shapes_of_other_layers() {
    let bench = Bench::new();
    let cases = [
        ("timesteps", with("b.npy", &ones(&[3, 2, 1, 2]))),
        ("one timestep", with("b.npy", &ones(&[1, 2, 1, 2]))),
        ("images in a row", with("b.npy", &ones(&[6, 2, 1, 2]))),
        ("images in a row, and a part of one", with("b.npy", &ones(&[7, 2, 1, 2]))),
        ("timesteps of what is constant", with("a.npy", &ones(&[3, 1, 1, 2]))),
        ("channels last", with("b.npy", &ones(&[2, 1, 2, 2]))),
        ("tokens", with("b.npy", &ones(&[2, 2, 2]))),
        ("no image", with("b.npy", &ones(&[2, 0, 2, 1, 2]))),
        ("too many images", with("b.npy", &preamble(Kind::Unsigned(1), &[2, 1 << 40, 2, 1, 2]))),
        ("other images", with("b.npy", &ones(&[2, 3, 2, 1, 2]))),
        ("fewer values", with("b.npy", &ones(&[2, 2, 1, 2])[..130])),
    ];
    assert_snapshot!(lines(cases, |bytes| refuses(&bench, &bytes)), @"
    timesteps
      s.npz: b: shape: [3, 2, 1, 2] instead of [2, 2, 1, 2] or [2, images, 2, 1, 2]
    one timestep
      s.npz: b: shape: [1, 2, 1, 2] instead of [2, 2, 1, 2] or [2, images, 2, 1, 2]
    images in a row
      s.npz: b: shape: [6, 2, 1, 2] instead of [2, 2, 1, 2] or [2, images, 2, 1, 2]; 3 images in a row are .reshape(3, 2, 2, 1, 2).swapaxes(0, 1)
    images in a row, and a part of one
      s.npz: b: shape: [7, 2, 1, 2] instead of [2, 2, 1, 2] or [2, images, 2, 1, 2]
    timesteps of what is constant
      s.npz: a: shape: [3, 1, 1, 2] instead of [1 or 2, 1, 1, 2] or [1 or 2, images, 1, 1, 2]
    channels last
      s.npz: b: shape: [2, 1, 2, 2] instead of [2, 2, 1, 2] or [2, images, 2, 1, 2]
    tokens
      s.npz: b: shape: [2, 2, 2] instead of [2, 2, 1, 2] or [2, images, 2, 1, 2]
    no image
      s.npz: b: images: 0 is not in 1..=10000
    too many images
      s.npz: b: images: 1099511627776 is not in 1..=10000
    other images
      s.npz: b: images: 3 instead of the 1 of the arrays before
    fewer values
      s.npz: b: length: 2 bytes of data for [2, 2, 1, 2] of uint8
    ");
}

#[test]
fn values_that_no_layer_yields() {
    let bench = Bench::new();
    let spikes = |descr: &str, values: &[u8]| with("b.npy", &npy(descr, "(2, 2, 1, 2)", values));
    let floats = |values: [f32; 8]| values.map(f32::to_le_bytes).concat();
    let mut spike = [1.0; 8];
    spike[6] = f32::NAN;
    let cases = [
        ("a count", spikes("|u1", &[1, 0, 0, 0, 0, 2, 0, 0])),
        ("negative", spikes("|i1", &[1, 0, 0, 0xff, 0, 0, 0, 0])),
        ("a fraction", spikes("<f4", &floats([0.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]))),
        ("not a number", spikes("<f4", &floats(spike))),
        (
            "an infinite image",
            with("a.npy", &npy("<f4", "(1, 1, 1, 2)", &[0, 0, 0x80, 0x7f, 0, 0, 0x80, 0xff])),
        ),
        ("an image that moves", with("a.npy", &npy("|u1", "(2, 1, 1, 2)", &[1, 1, 1, 0]))),
        ("half precision", spikes("<f2", &[0; 16])),
        ("objects", spikes("|O", b"\x80\x04N.")),
        ("big endian", spikes(">i4", &[0; 32])),
        ("differences", spikes("|u1", &[1, 1, 1, 1, 1, 0, 1, 1])),
    ];
    assert_snapshot!(lines(cases, |bytes| refuses(&bench, &bytes)), @r#"
    a count
      s.npz: b: [1, 0, 0, 1]: 2 is no spike, which is 0 or 1
    negative
      s.npz: b: [0, 1, 0, 1]: -1 is no spike, which is 0 or 1
    a fraction
      s.npz: b: [0, 0, 0, 1]: 0.25 is no spike, which is 0 or 1
    not a number
      s.npz: b: [1, 1, 0, 0]: NaN is no spike, which is 0 or 1
    an infinite image
      s.npz: a: [0, 0, 0, 0]: inf is not a finite number
    an image that moves
      s.npz: a: [1, 0, 0, 1]: 0, and 1 at the first timestep: the layer sees one frame at all of them
    half precision
      s.npz: b: descr: "<f2" is not of integers, float32 or float64
    objects
      s.npz: b: descr: "|O" is not of integers, float32 or float64
    big endian
      s.npz: b: descr: ">i4" is big endian: save it with .astype("<i4")
    differences
      s.npz: b: [1, 0, 0, 1]: 0, and 1 in a_lif, which holds the same values
    "#);
}

#[test]
fn recordings_that_are_not_there_or_beside_images() {
    let bench = Bench::new();
    let message = bench.refuses(&["--spikes", "absent.npz"]);
    assert_eq!(message, "absent.npz: No such file or directory (os error 2)");
    for other in [["--rates", "sdtv1_2-64_fashion"], ["--limit", "3"]] {
        let message = bench.refusal(&["simulate", "--spikes", "s.npz", other[0], other[1]]);
        assert!(message.contains("cannot be used with") && message.contains(other[0]), "{message}");
    }
    bench.write("m.ron", MODEL);
    bench.write("s.npz", with("b.npy", &ones(&[2, 2, 1, 2])));
    let flags = ["--model", "m.ron", "--spikes", "s.npz", "--data", "fashion-mnist"];
    assert!(bench.refuses(&flags).contains("fashion-mnist"), "{}", bench.refuses(&flags));
}

/// Behind a pooling `b` reads what follows from `a_lif`.
#[test]
fn spikes_that_do_not_follow_from_others() {
    let bench = Bench::new();
    let pooled = MODEL.replacen(
        "    Conv(name: \"b\"",
        "    MaxPool(name: \"pool\", size: (1, 2), stride: (1, 2)),\n    Conv(name: \"b\"",
        1,
    );
    bench.write("m.ron", pooled);
    let refuses = |b: &[u8]| {
        let [image, a, b_lif] = [ones(&[1, 1, 1, 2]), ones(&[2, 2, 1, 2]), ones(&[2, 2, 1, 1])];
        let b = npy("|u1", "(2, 2, 1, 1)", b);
        let files = [("input.npy", &image[..]), ("a_lif.npy", &a), ("b.npy", &b), ("b_lif.npy", &b_lif)];
        bench.write("s.npz", npz(&files));
        let flags = ["simulate", "--model", "m.ron", "--quant", "w4", "--spikes", "s.npz", "--out", "done"];
        let output = bench.run(&flags);
        (output.status.code(), String::from_utf8(output.stderr).unwrap().trim_end().to_owned())
    };
    assert_eq!(refuses(&[1, 1, 1, 1]), (Some(0), String::new()));
    let message =
        "error: s.npz: b: [1, 0, 0, 0]: 0, and 1 follows from what the file says of the layers before it";
    assert_eq!(refuses(&[1, 1, 0, 1]), (Some(2), message.to_owned()));
}
