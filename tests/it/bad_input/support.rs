//! Bundled files with one thing changed, and a run of `spiq` that has to refuse them.

use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use assert_cmd::cargo::cargo_bin_cmd;
use image::{DynamicImage, ImageFormat};
use safetensors::tensor::{Dtype, TensorView};
use spiq::model::ModelDescription;
use tempfile::TempDir;

pub const MODEL: &str = "models/sdtv1_2-64_fashion.ron";
pub const WEIGHTS: &str = "models/sdtv1_2-64_fashion.safetensors";

/// A bundled file, as the repository holds it.
pub fn bundled(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// A bundled file of text, as the repository holds it.
pub fn bundled_text(path: &str) -> String {
    String::from_utf8(bundled(path)).unwrap()
}

/// `text` with `from` replaced by `to`; a change that changes nothing is a mistake of the test.
pub fn change(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in the file");
    text.replacen(from, to, 1)
}

/// An IDX file of unsigned bytes.
pub fn idx(extents: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, extents.len() as u8];
    bytes.extend(extents.iter().flat_map(|extent| extent.to_be_bytes()));
    bytes.extend(data);
    bytes
}

/// A NumPy file, version 1.0, C order.
pub fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// A `.npz` file of named `.npy` files, compressed.
pub fn npz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A picture in a file of `format`.
pub fn picture(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// An N-MNIST recording: x, y, brighter, time in microseconds.
pub fn atis(events: &[(u8, u8, bool, u32)]) -> Vec<u8> {
    let event = |&(x, y, on, time): &(u8, u8, bool, u32)| {
        [x, y, u8::from(on) << 7 | (time >> 16) as u8, (time >> 8) as u8, time as u8]
    };
    events.iter().flat_map(event).collect()
}

/// An AEDAT 3.1 recording of one packet: x, y, brighter, time in microseconds.
pub fn aedat(events: &[(u32, u32, bool, u32)]) -> Vec<u8> {
    let mut bytes = b"#!AER-DAT3.1\r\n#!END-HEADER\r\n".to_vec();
    let number = events.len() as u32;
    bytes.extend([1, 0, 1, 0]);
    bytes.extend([8, 4, 0, number, number, number].map(u32::to_le_bytes).concat());
    for &(x, y, on, time) in events {
        bytes.extend([x << 17 | y << 2 | u32::from(on) << 1 | 1, time].map(u32::to_le_bytes).concat());
    }
    bytes
}

/// A description of a data set with the four files of [`Bench::small_data`].
pub const DATA: &str = r#"DataSet(
    name: "small", source: "a test", licence: "none", classes: 10,
    test: Idx(images: "test.images", labels: "test.labels"),
    validation: Idx(images: "val.images", labels: "val.labels"),
)
"#;

/// A folder for changed files, with an earlier result in `out`.
pub struct Bench {
    folder: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(bench.path("out/plots")).unwrap();
        bench.write("out/report.json", "an earlier result");
        bench.write("out/plots/energy.svg", "an earlier picture");
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders that it is in.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// `data.ron` of ten classes with `part` as test and as validation.
    pub fn data(&self, part: &str) {
        let head = r#"name: "small", source: "a test", licence: "none", classes: 10"#;
        self.write("data.ron", format!("DataSet({head},\ntest: {part},\nvalidation: {part})\n"));
    }

    /// Folders `0` to `9` in `folder`.
    pub fn class_folders(&self, folder: &str) {
        (0..10).for_each(|class| fs::create_dir_all(self.path(&format!("{folder}/{class}"))).unwrap());
    }

    /// `events.ron`: a small network with 4 timesteps of 2 x `side` x `side` counts of 3 at most.
    pub fn events_model(&self, side: usize) {
        let text = format!(
            r#"Model(name: "events", family: SpikeDrivenV1(dim: 8, depth: 1, heads: 2, mlp_ratio: 4,
            pooling: (true, true, true, true)), input: Events(shape: (2, {side}, {side}), max: 3),
            timesteps: 4, classes: 10, weights: File("events.safetensors"))"#
        );
        self.write("events.ron", &text);
        let network = ModelDescription::parse(&text, "events.ron").unwrap().network("events.ron").unwrap();
        let parameters = network.parameters();
        let size = parameters.iter().map(|p| p.shape.iter().product::<usize>()).max().unwrap();
        let values: Vec<u8> = (0..size).flat_map(|i| (0.1 * (i % 7) as f32 + 0.1).to_le_bytes()).collect();
        let views = parameters.iter().map(|p| {
            let bytes = 4 * p.shape.iter().product::<usize>();
            (&p.name, TensorView::new(Dtype::F32, p.shape.clone(), &values[..bytes]).unwrap())
        });
        self.write("events.safetensors", safetensors::serialize(views, None).unwrap());
    }

    /// `data.ron` with three random-looking images in either part: as many as a run needs.
    pub fn small_data(&self, height: usize, width: usize) {
        let pixels: Vec<u8> = (0..3 * height * width).map(|i| (i * 7 % 251) as u8).collect();
        self.write("data.ron", DATA);
        for part in ["test", "val"] {
            self.write(&format!("{part}.images"), idx(&[3, height as u32, width as u32], &pixels));
            self.write(&format!("{part}.labels"), idx(&[3], &[1, 0, 9]));
        }
    }

    /// Runs `spiq` in the folder.
    pub fn run(&self, arguments: &[&str]) -> std::process::Output {
        cargo_bin_cmd!("spiq").args(arguments).current_dir(self.folder.path()).output().unwrap()
    }

    /// What `spiq` says when it refuses `arguments`.
    pub fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty(), "{arguments:?} printed something");
        assert!(!message.contains("panicked"), "{message}");
        message
    }

    /// What `spiq simulate` says when it refuses `arguments`: one line, and the earlier result is
    /// still there.
    pub fn refuses(&self, arguments: &[&str]) -> String {
        let before = self.earlier_result();
        let message = self.refusal(&[&["simulate", "--quiet", "--out", "out"], arguments].concat());
        assert_eq!(self.earlier_result(), before, "{message}");
        let line = message.strip_suffix('\n').and_then(|line| line.strip_prefix("error: "));
        let line = line.unwrap_or_else(|| panic!("not one line that starts with error: {message:?}"));
        assert!(!line.contains('\n'), "more than one line: {message}");
        line.to_owned()
    }

    fn earlier_result(&self) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let mut files = Vec::new();
        for folder in ["out", "out/plots"] {
            let entries = fs::read_dir(self.path(folder)).unwrap();
            files.extend(entries.map(|e| e.unwrap().path()).map(|path| (path.clone(), fs::read(path).ok())));
        }
        files.sort();
        files
    }
}

/// One line per case: what was changed, and what `spiq` says of it.
pub fn lines<T>(cases: impl IntoIterator<Item = (&'static str, T)>, message: impl Fn(T) -> String) -> String {
    cases.into_iter().fold(String::new(), |mut text, (name, case)| {
        let _ = writeln!(text, "{name}\n  {}", message(case));
        text
    })
}

/// Messages for copies of the description `bundled`, each with one replacement; `flag` passes it.
pub fn changed(flag: &str, original: &str, cases: &[(&'static str, &str, &str)]) -> String {
    let (bench, text) = (Bench::new(), bundled_text(original));
    bench.write("sdtv1_2-64_fashion.safetensors", bundled(WEIGHTS));
    // Should a change be accepted, the run is short.
    bench.small_data(28, 28);
    lines(cases.iter().map(|&(name, from, to)| (name, (from, to))), |(from, to)| {
        bench.write("changed.ron", change(&text, from, to));
        bench.refuses(&["--data", "data.ron", flag, "changed.ron"])
    })
}
