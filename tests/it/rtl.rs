//! The units in `rtl/` against the integers of the executor, in Icarus Verilog.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin_cmd;
use tempfile::TempDir;

/// True if the benches can run; says so, past the capture of the test runner, where they can not.
pub fn simulator_runs(test: &str) -> bool {
    let missing =
        ["iverilog", "make"].into_iter().find(|tool| Command::new(tool).arg("-v").output().is_err());
    if let Some(tool) = missing {
        let mut terminal = std::io::stderr();
        writeln!(terminal, "skipped: rtl::{test}: {tool} is not on PATH").unwrap();
    }
    missing.is_none()
}

/// Whether `rtl/run.sh` passes, and what it prints.
fn bench(folders: &[&Path]) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("rtl/run.sh");
    let output = Command::new("bash").arg(script).args(folders).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// The values that the bench compared, from its line "LAYER: PASS n values".
fn compared(text: &str) -> u64 {
    let passed = text.lines().filter_map(|line| line.split_once("PASS ")?.1.strip_suffix(" values"));
    passed.map(|n| n.parse::<u64>().unwrap()).sum()
}

/// Stimuli for one image, of the bundled model or of the description `model`.
fn exported(model: Option<&str>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = vec!["export", "rtl", "--out", "rtl", "--quant", "w4u8", "--limit", "1"];
    if let Some(description) = model {
        fs::write(folder.path().join("model.ron"), description).unwrap();
        arguments.extend(["--model", "model.ron"]);
    }
    cargo_bin_cmd!("spiq").args(arguments).current_dir(folder.path()).assert().success();
    folder
}

#[test]
fn a_layer_of_the_bundled_model_is_equal_value_for_value() {
    if !simulator_runs("a_layer_of_the_bundled_model_is_equal_value_for_value") {
        return;
    }
    let folder = exported(None);
    let layer = folder.path().join("rtl/block.0.attn.q_conv");
    let (passes, text) = bench(&[&layer]);
    assert!(passes, "{text}");
    // X, V and the spike of 64 channels on 7 x 7 positions at four timesteps.
    assert_eq!(compared(&text), 3 * 64 * 49 * 4, "{text}");

    let spikes = layer.join("out_t2.mem");
    let mut lines: Vec<String> = fs::read_to_string(&spikes).unwrap().lines().map(str::to_owned).collect();
    // Channel 3, row 1, column 2.
    let at = 3 * 49 + 7 + 2;
    lines[at] = if lines[at] == "0" { "1" } else { "0" }.to_owned();
    fs::write(&spikes, lines.join("\n") + "\n").unwrap();
    let (passes, text) = bench(&[&layer]);
    assert!(!passes && text.contains("FAIL spike t 2 image 0 channel 3 y 1 x 2"), "{text}");

    // A file that ends early is no pass.
    fs::write(&spikes, lines[..100].join("\n") + "\n").unwrap();
    assert!(!bench(&[&layer]).0);
}

/// A small Spikformer: attention of 49 tokens in two heads.
const SPIKFORMER: &str = r#"Model(
    name: "small",
    family: Spikformer(
        dim: 32, depth: 1, heads: 2, mlp_ratio: 1, pooling: (false, false, true, true),
        layers: Linear, order: QueryKeyFirst, scale: 0.125,
    ),
    input: Image(shape: (1, 28, 28), mean: [0.2860], std: [0.3530], bits: 8),
    timesteps: 4, classes: 10, weights: Seeded(1),
)"#;

#[test]
fn an_attention_layer_is_equal_value_for_value() {
    if !simulator_runs("an_attention_layer_is_equal_value_for_value") {
        return;
    }
    let folder = exported(Some(SPIKFORMER));
    let layer = folder.path().join("rtl/block.0.attn.ssa");
    let spikes: String =
        (0..4).map(|t| fs::read_to_string(layer.join(format!("out_t{t}.mem"))).unwrap()).collect();
    assert!(spikes.contains('1'), "nothing fires");
    let (passes, text) = bench(&[&layer]);
    assert!(passes, "{text}");
    // The count, V and the spike of 32 channels on 7 x 7 positions at four timesteps.
    assert_eq!(compared(&text), 3 * 32 * 49 * 4, "{text}");
}

#[test]
fn units_alone_do_what_they_should() {
    if simulator_runs("units_alone_do_what_they_should") {
        let (passes, text) = bench(&[]);
        assert!(passes, "{text}");
        // Counts of the attention neuron, bytes of ternary weights, rows of spikes, products, shifts of a requantizer.
        let expected = 3 * 25u64.pow(3) + 3u64.pow(5) + (256 + 257 * 37) + (256 * 256 + 1) + 33_472;
        assert_eq!(compared(&text), expected, "{text}");
    }
}

#[test]
fn no_layer_is_no_pass() {
    let folder = tempfile::tempdir().unwrap();
    let (passes, text) = bench(&[folder.path()]);
    assert!(!passes && text.contains("no layer.vh"), "{text}");
}
