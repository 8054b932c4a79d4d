//! Bundled files with one thing changed, and a run of `spiq` that has to refuse them.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::cargo::cargo_bin_cmd;
use tempfile::TempDir;

pub const MODEL: &str = "models/sdtv1_2-64_fashion.ron";
pub const WEIGHTS: &str = "models/sdtv1_2-64_fashion.safetensors";

/// A bundled file, as the repository holds it.
pub fn bundled(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The same, of text.
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

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
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
