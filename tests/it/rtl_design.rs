//! A small machine as RTL, 2 positions x 4 channels, in Icarus Verilog: every integer, and the cycles of the cost model.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::cargo::cargo_bin_cmd;
use serde_json::Value;
use tempfile::TempDir;

use crate::rtl::simulator_runs;

/// Integers bit by bit; two words to a position, two tiles and a stride; two positions to a word; sums that leave.
const MODEL: &str = r#"Model(
    name: "small_design",
    family: Layers([
        Conv(name: "conv1", out_channels: 6, kernel: 3, pad: 1, bias: true),
        Neuron(name: "lif1", threshold: 0.2),
        Conv(name: "conv2", out_channels: 8, kernel: 3, stride: 2, pad: 1, bias: true),
        Neuron(name: "lif2", threshold: 0.05),
        Conv(name: "conv3", out_channels: 2, kernel: (1, 3), pad: (0, 1)),
        Neuron(name: "lif3", threshold: 0.02),
        Linear(name: "fc", out_features: 10, flatten: true),
        MeanTimesteps(name: "logits"),
    ]),
    input: Image(shape: (1, 6, 7), mean: [0.5], std: [0.5], bits: 3),
    timesteps: 3, classes: 10, weights: Seeded(7),
)"#;

/// A format for each layer: programs bring the tables, of one of them with exponents.
const FORMATS: &str = r#"Setting(
    name: "formats",
    weights: Levels(set: Apot, bits: 4, scale: Free, granularity: Channel, clip: Max),
    membrane_bits: 8, residual_bits: 16,
    layers: [
        ("conv1", Layer(weights: Uniform(bits: 4, scale: Free, granularity: Channel, clip: Max))),
        ("conv2", Layer(weights: Levels(set: Mx, bits: 4, scale: Free, granularity: Channel, clip: Max))),
        ("fc", Layer(weights: Levels(set: AdaLog, bits: 4, scale: Free, granularity: Channel, clip: Max))),
    ],
)"#;

/// Changes of edge-28 that leave 8 lanes with words of 4 bits.
fn small_machine() -> Vec<String> {
    let mut changes = vec![
        "units.lanes.layouts.0.lanes.Positions=2".to_owned(),
        "units.lanes.layouts.0.lanes.OutputChannels=4".to_owned(),
        "units.lanes.layouts.1.lanes.OutputChannels=4".to_owned(),
        "units.lanes.layouts.2.lanes.Groups=4".to_owned(),
        "units.lanes.decoders=[Levels(Binary), Levels(E2m1), Levels(Apot), Levels(Post), Levels(AdaLog), Levels(Mx), Levels(Trits)]".to_owned(),
        "units.vector unit.values_per_cycle=4".to_owned(),
    ];
    for memory in ["weight SRAM", "activation SRAM", "state SRAM"] {
        for field in ["banks=8", "word_bits=4", "bandwidth_bits_per_cycle=32", "capacity_bytes=4096"] {
            changes.push(format!("memories.{memory}.{field}"));
        }
    }
    changes
}

/// The small machine with a network at `quant`.
fn exported(quant: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    export(folder.path(), MODEL, quant).assert().success();
    folder
}

/// The command that writes the small machine with `model` at `quant` into `folder`.
fn export(folder: &Path, model: &str, quant: &str) -> assert_cmd::Command {
    fs::write(folder.join("model.ron"), model).unwrap();
    fs::write(folder.join("formats.ron"), FORMATS).unwrap();
    let mut command = cargo_bin_cmd!("spiq");
    command.args(["export", "rtl", "--design", "--model", "model.ron", "--data", "noise"]);
    command.args(["--out", "rtl", "--quant", quant]).current_dir(folder);
    small_machine().iter().for_each(|change| _ = command.args(["--set", change]));
    command
}

/// Compiles and runs what was exported into `folder`.
fn make(folder: &Path) -> String {
    let output = Command::new("make").args(["SIM=icarus", "-C"]).arg(folder.join("rtl")).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// Exit code of `spiq validate rtl --json`, and what it prints.
fn validated(folder: &Path) -> (i32, String) {
    let mut command = cargo_bin_cmd!("spiq");
    let output = command.args(["validate", "rtl", "rtl", "--json"]).current_dir(folder).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text)
}

fn log(folder: &Path, layer: &str) -> PathBuf {
    folder.join("rtl").join(layer).join("run.log")
}

/// Every layer kind that the sequencer runs: work and waits for the slowest lane are those of the cost model, to the cycle.
#[test]
fn a_small_machine_yields_every_integer_in_the_cycles_of_the_model() {
    if !simulator_runs("design") {
        return;
    }
    let tables = ["t2", "b1", "e2m1", "post4", "apot5", "adalog4", "mx4", "formats.ron"];
    for quant in ["w4u8", "w3", "pot3"].into_iter().chain(tables) {
        let folder = exported(quant);
        let printed = make(folder.path());
        let (code, text) = validated(folder.path());
        assert_eq!(code, 0, "{quant}: {printed}{text}");
        let report: Value = serde_json::from_str(&text).unwrap();
        // 42 positions of 6 channels and 12 of 8 and of 2 at three timesteps; sums of ten classes, and those over timesteps.
        assert_eq!(report["compared"], 3 * (42 * 6 + 12 * 8 + 12 * 2 + 10) + 10);
        let layers = report["layers"].as_array().unwrap();
        for layer in layers.iter().filter(|layer| layer["layer"] != "logits") {
            let steps = layer["counted"]["steps"].as_u64().unwrap();
            assert!(steps > 0, "{quant}: {} adds nothing", layer["layer"]);
            // A power of two is shifted by an integer at once in the model, bit by bit here, and so are sums of two.
            if matches!(quant, "w4u8" | "w3" | "post4" | "adalog4" | "mx4" | "formats.ron")
                || layer["layer"] != "conv1"
            {
                for cause in ["work", "slowest"] {
                    assert_eq!(layer["rtl"][cause], layer["model"][cause], "{quant}: {layer:#}");
                }
            }
            let rtl = |cause: &str| layer["rtl"][cause].as_f64().unwrap();
            let model = |cause: &str| layer["model"][cause].as_f64().unwrap();
            assert!(rtl("fill_drain") > model("fill_drain"));
        }
    }
}

/// A broken skip, a dropped wait, a bank further, a membrane of the wrong position, a spike word over its neighbours.
#[test]
fn broken_designs_are_noticed() {
    if !simulator_runs("broken designs") {
        return;
    }
    let folder = exported("w4u8");
    for (file, right, wrong) in [
        (
            "walker.sv",
            "left & (left - WORD_BITS'(1))",
            "left & (left - WORD_BITS'(1)) & ((left & (left - WORD_BITS'(1))) - WORD_BITS'(1))",
        ),
        ("machine.sv", "enable && walk_done == '1", "enable && walk_done != '0"),
        ("row_crossbar.sv", "first_bank + LOG_BANKS'(i)", "first_bank + LOG_BANKS'(i + 1)"),
        ("row_arbiter.sv", "granted[i%POSITIONS] = !conflict", "granted[i%POSITIONS] = 1'b1"),
        ("neurons.sv", ".write_address(row_position)", ".write_address(position)"),
        ("machine.sv", "row_mask << spikes_bits[LOG_WORD-1:0]", "row_mask"),
        ("gather.sv", "fields[TAP_ROW_BITS*24+:24]", "fields[TAP_COLUMN_BITS*24+:24]"),
    ] {
        is_noticed(folder.path(), file, right, wrong);
    }
    make(folder.path());
    assert_eq!(validated(folder.path()).0, 0);
}

/// A design where `wrong` stands in a file in the place of `right` yields something else; the file stays as it was.
fn is_noticed(folder: &Path, file: &str, right: &str, wrong: &str) {
    let path = folder.join("rtl/design").join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(right), "{file}: {right}");
    fs::write(&path, text.replace(right, wrong)).unwrap();
    let printed = make(folder);
    let (code, report) = validated(folder);
    assert_eq!(code, 1, "{file}: {wrong}: {printed}{report}");
    fs::write(&path, text).unwrap();
}

/// A Spike-driven Transformer: pooling of spikes and of sums, a requantized stream with joins and neurons, attention.
const TRANSFORMER: &str = r#"Model(
    name: "small_transformer",
    family: SpikeDrivenV1(dim: 8, depth: 1, heads: 2, mlp_ratio: 1, pooling: (false, false, true, true)),
    input: Image(shape: (1, 9, 8), mean: [0.5], std: [0.5], bits: 8),
    timesteps: 3, classes: 5, weights: Seeded(7),
)"#;

/// What stands between its weight layers.
const OPERATIONS: &str = "patch_embed.maxpool2,patch_embed.maxpool3,patch_embed.stream,patch_embed.proj_lif3,\
    patch_embed.add,block.0.attn.shortcut_lif,block.0.attn.sdsa,block.0.attn.talking_heads_lif,block.0.attn.mask,\
    block.0.attn.add,head_mean,head_lif,logits";

/// 13 operations, every integer, each in no fewer cycles than it has rows; and with broken ones.
#[test]
fn operations_between_layers_yield_every_integer() {
    if !simulator_runs("operations") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    export(folder.path(), TRANSFORMER, "w4").args(["--layers", OPERATIONS]).assert().success();
    assert_eq!(operations_yield_every_integer(folder.path()), 13);
    for (file, right, wrong) in [
        ("element_lane.sv", "x > reduced ? x", "x < reduced ? x"),
        ("element_lane.sv", "begins ? MEMBRANE_BITS'(0)", "1'b0 ? MEMBRANE_BITS'(0)"),
        ("requantize.sv", ">>> (shift - 6'd1)) + BITS'(1)", ">>> (shift - 6'd1))"),
        ("element_lane.sv", "in_map ? x : maximum ? LEAST", "in_map ? x : maximum ? '0"),
        ("elementwise.sv", "b_wants && !writes && !(a_wants", "b_wants && !(a_wants"),
        ("elementwise.sv", "'0 : a_place[4] + fields[A_FRAME*24+:24]", "'0 : a_place[4]"),
        ("elementwise.sv", "LOG_PLACES'(block * LEVELS)", "LOG_PLACES'(0)"),
    ] {
        is_noticed(folder.path(), file, right, wrong);
    }
}

/// Runs what was exported into `folder`, and returns how many operations there were.
fn operations_yield_every_integer(folder: &Path) -> usize {
    let printed = make(folder);
    let (code, text) = validated(folder);
    assert_eq!(code, 0, "{printed}{text}");
    let report: Value = serde_json::from_str(&text).unwrap();
    let layers = report["layers"].as_array().unwrap();
    for layer in layers {
        let count = |name: &str| layer["counted"][name].as_u64().unwrap();
        assert!(count("steps") > 0 && count("cycles") > count("steps"), "{layer:#}");
    }
    layers.len()
}

/// Integer spikes of 0 to 5 behind sums and, of 0 to 3, behind a stream, of more channels than lanes.
const INTEGER_SPIKES: &str = r#"Model(
    name: "integer_spikes",
    family: Layers([
        Conv(name: "conv1", out_channels: 6, kernel: 3, pad: 1, bias: true),
        Requantize(name: "stream", grid: Residual),
        IntegerNeuron(name: "spike1", max: 5, norm: 5),
        Conv(name: "conv2", out_channels: 6, kernel: 3, pad: 1, bias: true),
        Add(name: "add", inputs: ("stream", "conv2")),
        IntegerNeuron(name: "spike2", max: 3, norm: 3),
        Linear(name: "fc", out_features: 10, flatten: true),
        MeanTimesteps(name: "logits"),
    ]),
    input: Image(shape: (1, 6, 7), mean: [0.5], std: [0.01], bits: 8),
    timesteps: 2, classes: 10, weights: Seeded(7),
)"#;

/// A stream in quarters, whose values often lie on a threshold.
const COARSE: &str = r#"Setting(
    name: "coarse",
    weights: Uniform(bits: 4, scale: Free, granularity: Channel, clip: Max),
    membrane_bits: 8, residual_bits: 8, residual_fraction_bits: Some(2),
)"#;

#[test]
fn integer_spikes_yield_every_integer() {
    if !simulator_runs("integer spikes") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("coarse.ron"), COARSE).unwrap();
    export(folder.path(), INTEGER_SPIKES, "coarse.ron")
        .args(["--layers", "spike1,add,spike2"])
        .assert()
        .success();
    assert_eq!(operations_yield_every_integer(folder.path()), 3);
    let yielded = fs::read_to_string(log(folder.path(), "spike1")).unwrap();
    let words = yielded.lines().filter_map(|line| line.strip_prefix("word "));
    let digits: String = words.collect();
    assert!(digits.chars().filter(|&digit| digit != '0').count() > 20, "{yielded}");
    for (file, right, wrong) in [
        ("element_lane.sv", "reduced >= $signed(parameters", "reduced > $signed(parameters"),
        ("element_lane.sv", "LOG_PLACES'(k)][31:0]", "LOG_PLACES'(0)][31:0]"),
    ] {
        is_noticed(folder.path(), file, right, wrong);
    }
}

#[test]
fn logs_of_other_runs_are_refused() {
    let folder = exported("w3");
    let (code, text) = validated(folder.path());
    assert!(code == 2 && text.contains("conv1/run.log: no such log: make runs the design"), "{text}");
    fs::write(log(folder.path(), "conv1"), "export 00\nword 0\nend\n").unwrap();
    let (code, text) = validated(folder.path());
    assert!(code == 2 && text.contains("conv1/run.log: the log of another export"), "{text}");
    let manifest: Value =
        serde_json::from_slice(&fs::read(folder.path().join("rtl/manifest.json")).unwrap()).unwrap();
    let hash = manifest["sha256"].as_str().unwrap();
    for (lines, message) in [
        ("walk 3\n", "the log does not end: the run was cut short"),
        ("walk three\nend\n", "walk three: no number"),
        ("talk 3\nend\n", "talk 3: no counter"),
    ] {
        fs::write(log(folder.path(), "conv1"), format!("export {hash}\n{lines}")).unwrap();
        let (code, text) = validated(folder.path());
        assert!(code == 2 && text.contains(message), "{text}");
    }
}

#[test]
fn manifests_that_no_export_writes_are_refused() {
    let folder = exported("w3");
    let path = folder.path().join("rtl/manifest.json");
    let whole: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (field, value, message) in [
        ("/layers/0/element_bits", 0, "conv1: element_bits: 0 is not in 1..=64"),
        ("/layers/0/element_bits", 65, "conv1: element_bits: 65 is not in 1..=64"),
        ("/channels", 0, "channels are no lanes"),
        ("/channels", 65, "channels are no lanes"),
        ("/positions", 0, "channels are no lanes"),
    ] {
        let mut manifest = whole.clone();
        *manifest.pointer_mut(field).unwrap() = Value::from(value);
        fs::write(&path, manifest.to_string()).unwrap();
        let (code, text) = validated(folder.path());
        assert!(code == 2 && text.contains(message), "{field} {value}: {text}");
    }
}

#[test]
fn machines_without_rtl_are_refused() {
    let refused = |arguments: &[&str], message: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut command = cargo_bin_cmd!("spiq");
        command.args(["export", "rtl", "--out", "rtl"]).args(arguments);
        let output = command.current_dir(folder.path()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(message), "{arguments:?}: {text}");
        assert!(!folder.path().join("rtl").exists());
    };
    refused(&["--design", "--hw", "loihi-14"], "loihi-14: no RTL: the design is one unit of SpikeLanes");
    refused(
        &["--design", "--hw", "systolic-28"],
        "systolic-28: no RTL: the design is one unit of SpikeLanes",
    );
    refused(&["--design", "--hw", "cortex-m4"], "cortex-m4: no RTL: the design is one unit of SpikeLanes");
    let gated = ["--design", "--set", "units.lanes.zeros=Gated"];
    refused(&gated, "no RTL: lanes: the lanes of the design Skip zeros");
    let words = [
        "--design",
        "--set",
        "memories.weight SRAM.word_bits=32",
        "--set",
        "memories.weight SRAM.bandwidth_bits_per_cycle=512",
    ];
    refused(&words, "weight SRAM: words of 32 bits, and the design has one of 64: a bit per lane");
    let banks = ["--design", "--set", "memories.weight SRAM.bandwidth_bits_per_cycle=512"];
    refused(&banks, "weight SRAM: the design moves a word of every bank in a cycle, the description fewer");
    refused(&["--hw", "edge-28"], "--design");
}

#[test]
fn layers_without_rtl_are_refused() {
    let refused_at = |quant: &str, model: &str, arguments: &[&str], message: &str| {
        let folder = tempfile::tempdir().unwrap();
        let output = export(folder.path(), model, quant).args(arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(message), "{arguments:?}: {text}");
        assert!(!folder.path().join("rtl/manifest.json").exists());
    };
    let refused =
        |model: &str, arguments: &[&str], message: &str| refused_at("w4", model, arguments, message);
    refused(MODEL, &["--layers", "stem"], "--layers: stem: no such layer");
    refused_at("t1.6", MODEL, &["--layers", "conv2"], "--layers: conv2: weights that share bytes");
    refused(MODEL, &["--limit", "2"], "--limit: the design runs one image");
    let grouped = MODEL.replace("kernel: (1, 3), pad: (0, 1)", "kernel: 1, groups: 2");
    refused(&grouped, &["--layers", "conv3"], "--layers: conv3: groups: the sequencer runs");
    let leaks = MODEL.replace("threshold: 0.02", "threshold: 0.02, leak: Beta(0.3)");
    refused(&leaks, &["--layers", "conv3"], "--layers: conv3: leaks that are no common shift");
}
