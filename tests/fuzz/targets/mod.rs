//! Everything that reads what a user wrote, each as a function of its bytes: the one list for the mutator in
//! `fuzz/` and for the test that replays the corpus.

mod checkpoints;
mod data;
mod descriptions;
mod exchange;
mod results;
mod search;

use std::fs;
use std::path::PathBuf;

use spiq::Result;
use tempfile::TempDir;

/// A parser under test.
pub struct Target {
    /// What it is called, as is the folder of its corpus.
    pub name: &'static str,
    /// What its messages have to name: the file, or for what is no file the argument.
    pub names: &'static str,
    /// Reads the bytes; what is accepted is also used, as far as that is cheap.
    pub run: fn(&[u8]) -> Result<()>,
}

const fn target(name: &'static str, names: &'static str, run: fn(&[u8]) -> Result<()>) -> Target {
    Target { name, names, run }
}

/// Part of the path of every temporary file: where there are several, a message may name any of them.
const ANY_FILE: &str = ".tmp";

/// All parsers.
pub const TARGETS: [Target; 39] = [
    target("aedat", ANY_FILE, data::aedat),
    target("budget", "input.ron", search::budget),
    target("changes", "=", search::changes),
    target("checkpoint", "input.pth", checkpoints::checkpoint),
    target("cifar10", "x.bin", data::cifar10),
    target("cifar100", "x.bin", data::cifar100),
    target("data_description", ANY_FILE, data::description),
    target("energy_table", "input.ron", descriptions::energy_table),
    target("event_table", "input.ron", descriptions::event_table),
    target("gemm_mapping", "input.ron", descriptions::gemm_mapping),
    target("gesture_labels", ANY_FILE, data::gesture_labels),
    target("gesture_list", ANY_FILE, data::gesture_list),
    target("golden_array", "golden", exchange::golden_array),
    target("golden_manifest", "golden", exchange::golden_manifest),
    target("hardware", "input.ron", descriptions::hardware),
    target("idx_images", ANY_FILE, data::idx_images),
    target("idx_labels", ANY_FILE, data::idx_labels),
    target("integers", "input.safetensors", checkpoints::integers),
    target("layers", "input.ron", descriptions::layers),
    target("mapping", "input.ron", descriptions::mapping),
    target("model", "input.ron", descriptions::model),
    target("neuron", "input.ron", exchange::neuron),
    target("nmnist", "a.bin", data::nmnist),
    target("npy_images", ANY_FILE, data::npy_images),
    target("npy_labels", ANY_FILE, data::npy_labels),
    target("npz", "x.npz", data::npz),
    target("pickle", "input.pth", checkpoints::pickle),
    target("picture", "a.png", data::picture),
    target("plan", ANY_FILE, search::plan),
    target("rates", "input.csv", descriptions::rates),
    target("recorded_neuron", ANY_FILE, exchange::recorded_neuron),
    target("results", "input.json", results::results),
    target("safetensors", "input.safetensors", checkpoints::safetensors),
    target("search_log", "log.jsonl", search::search_log),
    target("sensitivity", "input.csv", search::sensitivity),
    target("setting", "input.ron", descriptions::setting),
    target("shorthand", "", descriptions::shorthand),
    target("space", "input.ron", search::space),
    target("spikes", "x.npz", exchange::spikes),
];

/// A folder of the files of one input, for parsers that take a path.
struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = Self(tempfile::tempdir().expect("temporary files can be written"));
        for (name, bytes) in files {
            let path = folder.path(name);
            fs::create_dir_all(path.parent().expect("inside the folder")).expect("a temporary folder");
            fs::write(path, bytes).expect("a temporary file");
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Path of the file `name`, as text.
    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}
