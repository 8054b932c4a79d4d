//! Files of every format of data that are cut, of another kind, or of something that the model does not
//! look at.

use std::path::{Path, PathBuf};

use image::{GrayImage, ImageFormat, Luma, Rgb, RgbImage, RgbaImage};
use insta::assert_snapshot;
use spiq::model::DataSet;

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
    let (scaled, unscaled) = (part("Nhw, scale: 255"), part("Nhw, scale: -1"));
    let cases: [(&'static str, &str, Vec<u8>); 18] = [
        ("truncated", &nhw, good[..2000].to_vec()),
        ("a picture", &nhw, b"\x89PNG\r\n".to_vec()),
        ("empty", &nhw, Vec::new()),
        ("complex numbers", &nhw, npy("<c8", shape, &[0; 2352 * 8])),
        ("columns first", &nhw, fortran),
        ("big endian", &nhw, npy(">u2", shape, &[0; 2352 * 2])),
        ("64 bits", &nhw, npy("<u8", "(3, 1, 1)", &[0xff; 24])),
        ("halves", &nhw, npy("<f4", "(3, 1, 1)", &floats)),
        ("another layout", &nhwc, good.clone()),
        ("no images", &nhw, npy("|u1", "(0, 28, 28)", &[])),
        ("negative", &nhw, npy("<i4", "(3, 1, 1)", &[7, -7, -3].map(i32::to_le_bytes).concat())),
        ("colours", &nchw, npy("|u1", "(3, 3, 28, 28)", &[7; 3 * 2352])),
        ("frames", &ntchw, npy("|u1", "(3, 4, 1, 28, 28)", &[7; 4 * 2352])),
        ("brighter than white", &nhw, npy("<u2", shape, &words(300))),
        ("a scale of integers", &scaled, good.clone()),
        ("a scale that is none", &unscaled, npy("<f4", "(3, 1, 1)", &floats)),
        ("more than 16 bits, scaled", &part("Nhw, scale: 40000"), npy("<f4", "(3, 1, 1)", &floats)),
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
    complex numbers
      x.npy: descr: "<c8" is not of integers, float32 or float64
    columns first
      x.npy: fortran_order: True: save numpy.ascontiguousarray of it
    big endian
      x.npy: descr: ">u2" is big endian: save it with .astype("<u2")
    64 bits
      x.npy: [0, 0, 0]: 18446744073709551615 is not a whole number of 0 to 65535
    halves
      x.npy: [1, 0, 0]: 0.5 is neither a whole number of 0 to 65535 nor k / 255; `scale` says what values are multiplied by before they are rounded
    another layout
      x.npy: shape: [3, 28, 28] is not Nhwc
    no images
      x.npy: shape: [0, 28, 28] has no image
    negative
      x.npy: [1, 0, 0]: -7 is not a whole number of 0 to 65535
    colours
      data.ron: images: of 3 x 28 x 28, and model sdtv1_2-64_fashion looks at 1 x 28 x 28
    frames
      data.ron: frames: 4 of a sample, and model sdtv1_2-64_fashion looks at 1, the same at every timestep
    brighter than white
      x.npy: image 2: pixels: 300 is one, and model sdtv1_2-64_fashion has 255 for white (input.bits)
    a scale of integers
      data.ron: test: scale: x.npy holds uint8, which is not scaled
    a scale that is none
      data.ron: test: scale: -1 is not a number above 0
    more than 16 bits, scaled
      x.npy: [2, 0, 0]: 2 times 40000 is not in 0 to 65535
    more than 16 bits
      x.npy: [0, 0, 0]: 65536 is not a whole number of 0 to 65535
    "#);
}

#[test]
fn npy_labels() {
    let part = r#"Npy(images: "x.npy", labels: "y.npy", layout: Nhw)"#;
    let images = npy("|u1", "(3, 28, 28)", &[7; 2352]);
    let cases = [
        ("truncated", labels()[..30].to_vec()),
        ("fractions", npy("<f4", "(3,)", &[1.0f32, 0.0, 0.5].map(f32::to_le_bytes).concat())),
        ("fewer than images", npy("|u1", "(2,)", &[0; 2])),
        ("one hot", npy("|u1", "(3, 10)", &[0; 30])),
        ("negative", npy("<i8", "(3,)", &[0xff; 24])),
        ("without a class", npy("|u1", "(3,)", &[1, 0, 10])),
    ];
    let refuses = |bytes| refuses((part, &[("x.npy", images.clone()), ("y.npy", bytes)]));
    assert_snapshot!(lines(cases, refuses), @r"
    truncated
      y.npy: header: 20 of its 58 bytes are there
    fractions
      y.npy: [2]: 0.5 is no class, which are numbered from 0
    fewer than images
      y.npy: shape: [2] for 3 images
    one hot
      y.npy: shape: [3, 10] for 3 images
    negative
      y.npy: [0]: -1 is no class, which are numbered from 0
    without a class
      y.npy: labels: 10 of sample 2, and there are 10 classes
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

fn pictures_of_tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pictures")
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
    let cmyk = std::fs::read(pictures_of_tests().join("cmyk.jpg")).unwrap();
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
      images/0/a.png: color: 16 bits per channel, expected 8
    colours
      images/0/a.jpg: color: RGB, and channels is 1
    transparent
      images/0/a.png: alpha: some pixels are transparent
    ");
}

/// Where a picture may end too early, and what may begin there instead.
#[test]
fn truncated_jpeg_files() {
    let picture = |name: &str| std::fs::read(pictures_of_tests().join(name)).unwrap();
    let (jpeg, progressive, restarts) =
        (picture("420.jpg"), picture("420_progressive.jpg"), picture("420_restarts.jpg"));
    let marker = |bytes: &[u8], marker: u8, from: usize| {
        from + bytes[from..].windows(2).position(|two| two == [0xff, marker]).unwrap()
    };
    let scan = marker(&jpeg, 0xda, 0);
    let middle = (scan + jpeg.len()) / 2;
    let (cut, end): (_, &[u8]) = (&jpeg[..middle], &[0xff, 0xd9]);
    let thumbnail = [&[0xff, 0xe1][..], &(jpeg.len() as u16 + 2).to_be_bytes(), &jpeg].concat();
    let second = marker(&progressive, 0xda, marker(&progressive, 0xda, 0) + 2);
    let third = marker(&progressive, 0xda, second + 2);
    let restart = marker(&restarts, 0xd1, marker(&restarts, 0xda, 0));
    let cases = [
        ("within its scan", cut.to_vec()),
        ("within its scan, which is said to end", [cut, end].concat()),
        ("within its scan, where the next picture begins", [cut, &jpeg].concat()),
        ("within its scan, where a segment begins", [cut, &thumbnail, &jpeg[middle..]].concat()),
        ("within its scan, behind a thumbnail", [&jpeg[..2], &thumbnail, &cut[2..], end].concat()),
        ("before its scan, behind a thumbnail", [&jpeg[..2], &thumbnail, &jpeg[2..scan]].concat()),
        (
            "within a scan, where the next scan begins",
            [&progressive[..second + 40], &progressive[third..]].concat(),
        ),
        ("behind a scan of several", progressive[..third].to_vec()),
        ("at a restart marker", [&restarts[..restart], end].concat()),
        ("behind a restart marker", [&restarts[..restart + 2], end].concat()),
        ("without a restart marker", [&restarts[..restart], &restarts[restart + 2..]].concat()),
        ("before its end marker", jpeg[..jpeg.len() - 2].to_vec()),
        ("within a length", jpeg[..3].to_vec()),
    ];
    let bench = Bench::new();
    bench.class_folders("images");
    bench.data(r#"Folder(path: "images", crop: 28)"#);
    for (case, bytes) in cases {
        bench.write("images/0/a.jpg", bytes);
        let images = DataSet::load(bench.path("data.ron").to_str().unwrap()).unwrap().test;
        let message = images.sample(0).unwrap_err().to_string();
        assert!(message.ends_with("images/0/a.jpg: image: truncated JPEG"), "{case}: {message}");
    }
}

#[test]
fn folders() {
    let rgba = picture(RgbaImage::new(28, 28), ImageFormat::Png);
    let cases = [
        ("not there", r#"Folder(path: "pictures", crop: 28)"#),
        ("fewer folders than classes", r#"Folder(path: "images/..", crop: 28)"#),
        ("no crop", r#"Folder(path: "images", crop: 0)"#),
        ("no crop of what is resized", r#"Folder(path: "images", resize: 32)"#),
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
    no crop of what is resized
      data.ron: test: crop: missing, and resized images are of different sizes: `crop` cuts them to one
    a crop of more than is left
      data.ron: test: resize: 27 is not in 28..=4096
    two channels
      data.ron: test: channels: 2 is neither 1 nor 3
    colours that the model does not have
      data.ron: images: of 3 x 28 x 28, and model sdtv1_2-64_fashion looks at 1 x 28 x 28
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
      x.bin: labels: 10 of sample 0, and there are 10 classes
    records of CIFAR-10
      x.bin: length: 3073 bytes, which are not records of 3074 bytes
    images that the model does not look at
      data.ron: images: of 3 x 32 x 32, and model sdtv1_2-64_fashion looks at 1 x 28 x 28
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
      a.aedat: gesture 1: counts: 5 is one, and model events takes at most 3 (input.max)
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
    let lists = [
        ("a folder above", "a.aedat\n../a.aedat\n"),
        ("an absolute path", "/a.aedat\n"),
        ("an escape", "\x1b[2J\n"),
    ];
    let part = r#"Gesture(recordings: ["list.txt"], frames: 4, split: Number, downscale: 4)"#;
    let with_list = |list: &str| {
        let files = [("a.aedat", good.clone()), ("a_labels.csv", table.into()), ("list.txt", list.into())];
        refuses_events(32, (part, &files))
    };
    assert_snapshot!(lines(lists, with_list), @r#"
    a folder above
      list.txt: line 2: "../a.aedat" is not made of letters, digits, `_`, `.` and `-`, the first no `.` or `-`, the last no `.`
    an absolute path
      list.txt: line 1: "/a.aedat" is not made of letters, digits, `_`, `.` and `-`, the first no `.` or `-`, the last no `.`
    an escape
      list.txt: line 1: "\u{1b}[2J" is not made of letters, digits, `_`, `.` and `-`, the first no `.` or `-`, the last no `.`
    "#);
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
      data.ron: frames: 5 of a sample, and model events looks at 4, one per timestep
    other pixels
      data.ron: images: of 2 x 128 x 128, and model events looks at 2 x 32 x 32
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
      digits/7/a.bin: counts: 4 is one, and model events takes at most 3 (input.max)
    ");
    let other_split = r#"Nmnist(folder: "digits", frames: 2, split: Number)"#;
    assert_snapshot!(refuses_events(34, (other_split, &[("digits/7/a.bin", good)])), @"data.ron: frames: 2 of a sample, and model events looks at 4, one per timestep");
}
