//! Files of every format of data that are cut, of another kind, or of something that the model does not
//! look at.

use image::{GrayImage, ImageFormat, Luma, Rgb, RgbImage, RgbaImage};
use insta::assert_snapshot;

use super::support::{Bench, aedat, atis, lines, npy, npz, picture};

type Files<'a> = &'a [(&'a str, Vec<u8>)];

/// What a run on a data set of `part` and `files` says.
fn refuses((part, files): (&str, Files)) -> String {
    let bench = Bench::new();
    bench.data(part);
    files.iter().for_each(|(name, bytes)| bench.write(name, bytes));
    bench.refuses(&["--data", "data.ron", "--quant", "w4"])
}

fn labels() -> Vec<u8> {
    npy("|u1", "(3,)", &[1, 0, 9])
}

#[test]
fn npy_images() {
    let part = |layout| format!(r#"Npy(images: "x.npy", labels: "y.npy", layout: {layout})"#);
    let (nhw, nchw, nhwc, ntchw) = (part("Nhw"), part("Nchw"), part("Nhwc"), part("Ntchw"));
    let shape = "(3, 28, 28)";
    let good = npy("|u1", shape, &[7; 2352]);
    let floats: Vec<u8> = [1.0f32, 0.5, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let words = |value: u16| [&[7, 0].repeat(2351)[..], &value.to_le_bytes()].concat();
    let mut fortran = good.clone();
    let order = fortran.windows(5).position(|word| word == b"False").unwrap();
    fortran[order..order + 5].copy_from_slice(b"True ");
    let cases: [(&'static str, &str, Vec<u8>); 15] = [
        ("truncated", &nhw, good[..2000].to_vec()),
        ("a picture", &nhw, b"\x89PNG\r\n".to_vec()),
        ("empty", &nhw, Vec::new()),
        ("doubles", &nhw, npy("<f8", shape, &[0; 2352 * 8])),
        ("columns first", &nhw, fortran),
        ("big endian", &nhw, npy(">u2", shape, &[0; 2352 * 2])),
        ("64 bits", &nhw, npy("<u8", shape, &[0; 2352 * 8])),
        ("halves", &nhw, npy("<f4", "(3, 1, 1)", &floats)),
        ("another layout", &nhwc, good.clone()),
        ("no images", &nhw, npy("|u1", "(0, 28, 28)", &[])),
        ("negative", &nhw, npy("<i4", "(3, 1, 1)", &[0xff; 12])),
        ("colours", &nchw, npy("|u1", "(3, 3, 28, 28)", &[7; 3 * 2352])),
        ("frames", &ntchw, npy("|u1", "(3, 4, 1, 28, 28)", &[7; 4 * 2352])),
        ("brighter than white", &nhw, npy("<u2", shape, &words(300))),
        ("more than 16 bits", &nhw, npy("<i4", "(3, 1, 1)", &[0, 0, 1, 0].repeat(3))),
    ];
    let cases = cases.map(|(name, part, bytes)| (name, (part, bytes)));
    let refuses = |(part, bytes): (&str, Vec<u8>)| refuses((part, &[("x.npy", bytes), ("y.npy", labels())]));
    assert_snapshot!(lines(cases, refuses), @r#"
    truncated
      x.npy: length: 1925 bytes of data for [3, 28, 28] of uint8
    a picture
      x.npy: magic: not a .npy file
    empty
      x.npy: magic: not a .npy file
    doubles
      x.npy: descr: "<f8" is not of integers or float32
    columns first
      x.npy: fortran_order: True: save numpy.ascontiguousarray of it
    big endian
      x.npy: descr: ">u2" is big endian: save it with .astype("<u2")
    64 bits
      x.npy: descr: uint64, expected uint8, uint16, int32 or float32
    halves
      x.npy: values: value 1 is not a whole number of 0..=65535
    another layout
      x.npy: shape: [3, 28, 28] is not Nhwc
    no images
      x.npy: shape: [0, 28, 28] has no image
    negative
      x.npy: values: value 0 is not a whole number of 0..=65535
    colours
      data small has images of 3 x 28 x 28, and model sdtv1_2-64_fashion looks at 1 x 28 x 28
    frames
      data small has samples of 4 frames, and model sdtv1_2-64_fashion looks at 1, the same at every timestep
    brighter than white
      data small has a pixel 300 (x.npy: image 2), and model sdtv1_2-64_fashion has 255 for white (input.bits)
    more than 16 bits
      x.npy: values: value 0 is not a whole number of 0..=65535
    "#);
}

#[test]
fn npy_labels() {
    let part = r#"Npy(images: "x.npy", labels: "y.npy", layout: Nhw)"#;
    let images = npy("|u1", "(3, 28, 28)", &[7; 2352]);
    let cases = [
        ("truncated", labels()[..30].to_vec()),
        ("floats", npy("<f4", "(3,)", &[0; 12])),
        ("fewer than images", npy("|u1", "(2,)", &[0; 2])),
        ("one hot", npy("|u1", "(3, 10)", &[0; 30])),
        ("negative", npy("<i8", "(3,)", &[0xff; 24])),
        ("without a class", npy("|u1", "(3,)", &[1, 0, 10])),
    ];
    let refuses = |bytes| refuses((part, &[("x.npy", images.clone()), ("y.npy", bytes)]));
    assert_snapshot!(lines(cases, refuses), @r"
    truncated
      y.npy: header: 20 of its 58 bytes are there
    floats
      y.npy: descr: float32, expected integers
    fewer than images
      y.npy: shape: [2] for 3 images
    one hot
      y.npy: shape: [3, 10] for 3 images
    negative
      y.npy: labels: label 0 is no class
    without a class
      y.npy: labels: label 2 is 10, and there are 10 classes
    ");
}

#[test]
fn npz_files() {
    let part = r#"Npz(file: "x.npz", images: "images", labels: "labels", layout: Nhw)"#;
    let images = npy("|u1", "(3, 28, 28)", &[7; 2352]);
    let labels = labels();
    let good = npz(&[("images.npy", &images), ("labels.npy", &labels)]);
    let cases = [
        ("truncated", good[..good.len() - 40].to_vec()),
        ("a .npy", images.clone()),
        ("another key", npz(&[("images.npy", &images), ("classes.npy", &labels)])),
        ("a bad array", npz(&[("images.npy", b"PNG"), ("labels.npy", &labels)])),
        ("damaged", {
            let mut bytes = good.clone();
            bytes[60] ^= 0xff;
            bytes
        }),
    ];
    assert_snapshot!(lines(cases, |bytes| refuses((part, &[("x.npz", bytes)]))), @r#"
    truncated
      x.npz: zip: invalid Zip archive: Could not find EOCD
    a .npy
      x.npz: zip: invalid Zip archive: Could not find EOCD
    another key
      x.npz: labels: not there; the file has ["images", "classes"]
    a bad array
      x.npz: images: magic: not a .npy file
    damaged
      x.npz: images: corrupt deflate stream
    "#);
}

/// Ten class folders with an image each, of which the first is replaced.
fn folder(part: &str, first: (&str, Vec<u8>)) -> String {
    let grey = picture(GrayImage::from_pixel(30, 28, Luma([9])), ImageFormat::Png);
    let mut files: Vec<(String, Vec<u8>)> =
        (1..10).map(|class| (format!("images/{class}/a.png"), grey.clone())).collect();
    files.push((format!("images/0/{}", first.0), first.1));
    let files: Vec<(&str, Vec<u8>)> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    refuses((part, &files))
}

#[test]
fn pictures() {
    let part = r#"Folder(path: "images", crop: 28, channels: 1)"#;
    let rgb = RgbImage::from_fn(40, 40, |x, y| Rgb([x as u8, y as u8, ((7 * x) ^ (3 * y)) as u8]));
    let png = picture(GrayImage::from_pixel(28, 28, Luma([9])), ImageFormat::Png);
    let jpeg = picture(rgb.clone(), ImageFormat::Jpeg);
    // A frame header of four components.
    let cmyk = [&[0xff, 0xd8, 0xff, 0xc0, 0, 20, 8, 0, 28, 0, 28, 4], &[0; 12][..]].concat();
    let cases = [
        ("empty", ("a.png", Vec::new())),
        ("truncated PNG", ("a.png", png[..60].to_vec())),
        ("truncated JPEG", ("a.jpg", jpeg[..jpeg.len() - 100].to_vec())),
        ("JPEG without a frame", ("a.jpeg", jpeg[..20].to_vec())),
        ("CMYK", ("a.JPG", cmyk)),
        ("GIF", ("a.png", b"GIF89a\x01\x00\x01\x00".to_vec())),
        ("another extension", ("a.bmp", png)),
        ("too small", ("a.png", picture(GrayImage::new(27, 40), ImageFormat::Png))),
        (
            "16 bits",
            ("a.png", picture(image::ImageBuffer::from_pixel(28, 28, Luma([9u16])), ImageFormat::Png)),
        ),
        ("colours", ("a.jpg", jpeg)),
        ("transparent", ("a.png", picture(image::GrayAlphaImage::new(28, 28), ImageFormat::Png))),
    ];
    assert_snapshot!(lines(cases, |first| folder(part, first)), @r"
    empty
      images/0/a.png: image: neither PNG nor JPEG
    truncated PNG
      images/0/a.png: image: unexpected end of file
    truncated JPEG
      images/0/a.jpg: image: truncated JPEG
    JPEG without a frame
      images/0/a.jpeg: image: truncated JPEG
    CMYK
      images/0/a.JPG: color: CMYK, expected RGB or grey
    GIF
      images/0/a.png: image: neither PNG nor JPEG
    another extension
      images/0/a.bmp: extension: not one of .png, .jpg, .jpeg
    too small
      images/0/a.png: size: 27 x 40 pixels, too small for a crop of 28
    16 bits
      images/0/a.png: color: L16, expected 8 bits per channel
    colours
      images/0/a.jpg: color: Rgb8, and channels is 1
    transparent
      images/0/a.png: alpha: some pixels are transparent
    ");
}

#[test]
fn folders() {
    let rgba = picture(RgbaImage::new(28, 28), ImageFormat::Png);
    let cases = [
        ("not there", r#"Folder(path: "pictures", crop: 28)"#),
        ("fewer folders than classes", r#"Folder(path: "images/..", crop: 28)"#),
        ("no crop", r#"Folder(path: "images", crop: 0)"#),
        ("a crop of more than is left", r#"Folder(path: "images", crop: 28, resize: 27)"#),
        ("two channels", r#"Folder(path: "images", crop: 28, channels: 2)"#),
        ("colours that the model does not have", r#"Folder(path: "images", crop: 28)"#),
    ];
    let refuses = |part| folder(part, ("a.png", rgba.clone()));
    assert_snapshot!(lines(cases, refuses), @r"
    not there
      pictures: No such file or directory (os error 2)
    fewer folders than classes
      images/..: folders: 2 class folders, and there are 10 classes
    no crop
      data.ron: test: crop: 0 is not in 1..=4096
    a crop of more than is left
      data.ron: test: resize: 27 is not in 28..=4096
    two channels
      data.ron: test: channels: 2 is neither 1 nor 3
    colours that the model does not have
      data small has images of 3 x 28 x 28, and model sdtv1_2-64_fashion looks at 1 x 28 x 28
    ");
    let bench = Bench::new();
    bench.data(r#"Folder(path: "images", crop: 28)"#);
    (0..10).for_each(|class| std::fs::create_dir_all(bench.path(&format!("images/{class}"))).unwrap());
    assert_snapshot!(bench.refuses(&["--data", "data.ron"]), @"images: files: no image");
}

#[test]
fn cifar_files() {
    let cases: [(&'static str, (&str, Vec<u8>)); 6] = [
        ("no files", ("Cifar10(files: [])", Vec::new())),
        ("empty", (r#"Cifar10(files: ["x.bin"])"#, Vec::new())),
        ("truncated", (r#"Cifar10(files: ["x.bin"])"#, vec![1; 3 * 3073 - 1])),
        ("without a class", (r#"Cifar10(files: ["x.bin"])"#, vec![10; 3073])),
        ("records of CIFAR-10", (r#"Cifar100(files: ["x.bin"])"#, vec![1; 3073])),
        ("images that the model does not look at", (r#"Cifar10(files: ["x.bin"])"#, vec![1; 3073])),
    ];
    assert_snapshot!(lines(cases, |(part, bytes)| refuses((part, &[("x.bin", bytes)]))), @r"
    no files
      data.ron: test: files: none
    empty
      x.bin: length: 0 bytes, which are not records of 3073 bytes
    truncated
      x.bin: length: 9218 bytes, which are not records of 3073 bytes
    without a class
      x.bin: labels: label 0 is 10, and there are 10 classes
    records of CIFAR-10
      x.bin: length: 3073 bytes, which are not records of 3074 bytes
    images that the model does not look at
      data small has images of 3 x 32 x 32, and model sdtv1_2-64_fashion looks at 1 x 28 x 28
    ");
}

/// What a run of a network of events on frames of `side` by `side` pixels says.
fn refuses_events(side: usize, (part, files): (&str, Files)) -> String {
    let bench = Bench::new();
    bench.events_model(side);
    bench.data(part);
    files.iter().for_each(|(name, bytes)| bench.write(name, bytes));
    bench.refuses(&["--model", "events.ron", "--data", "data.ron", "--quant", "w4"])
}

#[test]
fn gestures() {
    let part = r#"Gesture(recordings: ["a.aedat"], frames: 4, split: Number, downscale: 4)"#;
    let events: Vec<(u32, u32, bool, u32)> = (0..40).map(|i| (i, 3 * i, i % 2 == 0, 100 + i)).collect();
    let table = "class,startTime_usec,endTime_usec\n1,100,120\n10,120,140\n";
    let good = aedat(&events);
    let with = |recording: &[u8], table: &str| {
        refuses_events(32, (part, &[("a.aedat", recording.to_vec()), ("a_labels.csv", table.into())]))
    };
    let recordings = [
        ("empty", Vec::new()),
        ("AEDAT 2", b"#!AER-DAT2.0\r\n".to_vec()),
        ("endless header", [b"#!AER-DAT3.1\r\n".to_vec(), b"# x\r\n".repeat(20_000)].concat()),
        ("truncated packet", good[..good.len() - 3].to_vec()),
        ("truncated header", [&good[..], &[1; 27]].concat()),
        ("outside of the camera", aedat(&[(3, 128, true, 100)])),
        ("no events in a gesture", aedat(&events[..20])),
        ("many at one place", aedat(&[(3, 4, true, 100); 17])),
    ];
    assert_snapshot!(lines(recordings, |bytes| with(&bytes, table)), @r"
    empty
      a.aedat: magic: not an AEDAT 3.1 file
    AEDAT 2
      a.aedat: magic: not an AEDAT 3.1 file
    endless header
      a.aedat: header: no #!END-HEADER in 65536 bytes
    truncated packet
      a.aedat: packet at byte 28: events: 39 of 40 are there
    truncated header
      a.aedat: packet at byte 376: header: 27 of 28 bytes are there
    outside of the camera
      a.aedat: gesture 1: events: x 3, y 128 on a side of 128 pixels
    no events in a gesture
      a.aedat: gesture 2: events: none
    many at one place
      data small has a count 5 (a.aedat: gesture 1), and model events takes at most 3 (input.max)
    ");
    let tables = [
        ("empty table", ""),
        ("no gesture", "class,startTime_usec,endTime_usec\n"),
        ("class 0", "class,startTime_usec,endTime_usec\n0,100,120\n"),
        ("class 11", "class,startTime_usec,endTime_usec\n1,100,120\n11,100,120\n"),
        ("no duration", "class,startTime_usec,endTime_usec\n1,120,120\n"),
        ("a word", "class,startTime_usec,endTime_usec\n1,x,120\n"),
        ("a missing column", "class,startTime_usec\n1,100\n"),
    ];
    assert_snapshot!(lines(tables, |table| with(&good, table)), @r"
    empty table
      data.ron: test: recordings: no gesture
    no gesture
      data.ron: test: recordings: no gesture
    class 0
      a_labels.csv: row 1: class 0 is not in 1..=10
    class 11
      a_labels.csv: row 2: class 11 is not in 1..=10
    no duration
      a_labels.csv: row 1: from 120 to 120 µs
    a word
      a_labels.csv: row 1: CSV deserialize error: record 1 (line: 2, byte: 34): field 1: invalid digit found in string
    a missing column
      a_labels.csv: row 1: CSV deserialize error: record 1 (line: 2, byte: 21): missing field `endTime_usec`
    ");
    let parts = [
        ("no recordings", r#"Gesture(recordings: [], frames: 4, split: Number)"#),
        ("no table", r#"Gesture(recordings: ["b.aedat"], frames: 4, split: Number)"#),
        ("no list", r#"Gesture(recordings: ["b.txt"], frames: 4, split: Number)"#),
        ("no frames", r#"Gesture(recordings: ["a.aedat"], frames: 0, split: Number)"#),
        ("a third", r#"Gesture(recordings: ["a.aedat"], frames: 4, split: Number, downscale: 3)"#),
        ("other frames", r#"Gesture(recordings: ["a.aedat"], frames: 5, split: Time, downscale: 4)"#),
        ("other pixels", r#"Gesture(recordings: ["a.aedat"], frames: 4, split: Time)"#),
    ];
    let files = [("a.aedat", good.clone()), ("a_labels.csv", table.into())];
    assert_snapshot!(lines(parts, |part| refuses_events(32, (part, &files))), @r"
    no recordings
      data.ron: test: recordings: no gesture
    no table
      b_labels.csv: No such file or directory (os error 2)
    no list
      b.txt: No such file or directory (os error 2)
    no frames
      data.ron: test: frames: 0 is not in 1..=64
    a third
      data.ron: test: downscale: 3 does not divide the 128 pixels of a side
    other frames
      data small has samples of 5 frames, and model events looks at 4, one per timestep
    other pixels
      data small has images of 2 x 128 x 128, and model events looks at 2 x 32 x 32
    ");
}

#[test]
fn digits() {
    let part = r#"Nmnist(folder: "digits", frames: 4, split: Time)"#;
    let good = atis(&[(1, 2, true, 3), (4, 5, false, 9)]);
    let other = |name: &str| vec![(name.to_owned(), good.clone())];
    let with = |bytes: Vec<u8>| vec![("digits/7/a.bin".to_owned(), bytes)];
    let cases = [
        ("another class", other("digits/10/a.bin")),
        ("a word", other("digits/seven/a.bin")),
        ("no class folders", other("digits/7.bin")),
        ("another file", other("digits/7/a.txt")),
        ("no folder", other("7/a.bin")),
        ("empty", with(Vec::new())),
        ("truncated", with(good[..9].to_vec())),
        ("outside of the camera", with(atis(&[(1, 2, true, 3), (34, 2, true, 3)]))),
        ("backwards in time", with(atis(&[(1, 2, true, 3), (1, 2, true, 2)]))),
        ("many at one place", with(atis(&[(1, 2, true, 3); 4]))),
    ];
    let refuses = |files: Vec<(String, Vec<u8>)>| {
        let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        refuses_events(34, (part, &files))
    };
    assert_snapshot!(lines(cases, refuses), @r"
    another class
      digits/10: name: not one of the classes 0 to 9
    a word
      digits/seven: name: not one of the classes 0 to 9
    no class folders
      digits: files: no recording
    another file
      digits/7/a.txt: extension: not one of .bin
    no folder
      digits: No such file or directory (os error 2)
    empty
      digits/7/a.bin: events: none
    truncated
      digits/7/a.bin: length: 9 bytes, which are not events of 5 bytes
    outside of the camera
      digits/7/a.bin: events: x 34, y 2 on a side of 34 pixels
    backwards in time
      digits/7/a.bin: events: the last is at 2 µs, the first at 3
    many at one place
      data small has a count 4 (digits/7/a.bin), and model events takes at most 3 (input.max)
    ");
    let other_split = r#"Nmnist(folder: "digits", frames: 2, split: Number)"#;
    assert_snapshot!(refuses_events(34, (other_split, &[("digits/7/a.bin", good)])), @"data small has samples of 2 frames, and model events looks at 4, one per timestep");
}
