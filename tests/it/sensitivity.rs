//! One layer quantized at a time.

use std::fs;
use std::path::Path;
use std::slice;
use std::sync::Arc;

use assert_cmd::cargo::cargo_bin_cmd;
use insta::assert_snapshot;
use spiq::cost::Machine;
use spiq::evaluate::Evaluator;
use spiq::hw::Hardware;
use spiq::load;
use spiq::model::{DataSet, Model};
use spiq::quant::{FixedPoint, Precision, Setting};
use spiq::sensitivity::{
    Choice, Measure, MembraneDrift, NuclearNorm, OutputDivergence, SpikeFlips, Subject, WeightError,
    cost_table, isolated_accuracy, measures, next_neurons, sensitivities,
};

fn fixed(spec: &str) -> FixedPoint {
    match Setting::load(spec).unwrap().precision {
        Precision::Fixed(fixed) => fixed,
        Precision::Float32 => panic!("{spec} is float"),
    }
}

fn model(name: &str) -> Arc<Model> {
    Arc::new(load::model(&format!("{}/tests/data/families/{name}.ron", env!("CARGO_MANIFEST_DIR"))).unwrap())
}

fn subject(model: &Arc<Model>, base: &str, choices: &[&str]) -> Subject {
    let data = DataSet::load_for("noise", &model.description).unwrap();
    let choices = choices.iter().map(|choice| Choice::parse(choice).unwrap()).collect();
    Subject::new(Arc::clone(model), &data, fixed(base), choices, 8).unwrap()
}

#[test]
fn a_layer_that_is_not_changed_has_no_figure() {
    let model = model("v1");
    let subject = subject(&model, "w4", &["4", "2"]);
    let network: [&dyn Measure; 3] = [&MembraneDrift, &SpikeFlips, &OutputDivergence];
    for measure in network {
        let figures = measure.figures(&subject).unwrap();
        for (candidate, figure) in subject.candidates().iter().zip(&figures) {
            assert!(candidate.choice == 1 || *figure == 0.0, "{}: {}", measure.name(), candidate.layer);
        }
        assert!(figures.iter().all(|figure| *figure >= 0.0));
        assert!(figures.iter().filter(|figure| **figure > 0.0).count() > 5, "{}", measure.name());
    }
    let drops = isolated_accuracy(&subject).unwrap().drops;
    assert!(subject.candidates().iter().zip(&drops).all(|(c, drop)| c.choice == 1 || *drop == 0.0));
}

/// Membranes of the neurons behind one layer, its weights as they were.
#[test]
fn membranes_are_choices_too() {
    let model = model("v1");
    let subject = subject(&model, "w4u8", &["u8", "u3"]);
    let drift = MembraneDrift.figures(&subject).unwrap();
    let divergence = OutputDivergence.figures(&subject).unwrap();
    for (i, candidate) in subject.candidates().iter().enumerate() {
        let changed = [drift[i], divergence[i]].map(|figure| figure != 0.0);
        assert!(candidate.choice == 1 || changed == [false; 2], "{}", candidate.layer);
    }
    assert!(drift.iter().filter(|figure| **figure > 0.0).count() > 5);
    let logits = subject.candidates().iter().rev().find(|candidate| candidate.choice == 1).unwrap();
    assert_eq!(logits.setting, *subject.base(), "no neurons are behind {}", logits.layer);
    let found = sensitivities(&subject, &measures(), ("m", "d", "w4u8"), &|_| ()).unwrap();
    for measure in &found.measures {
        let of_weights = measure.name.contains("weight error");
        assert!(!of_weights || measure.correlation.is_none(), "{}", measure.name);
    }
}

/// A layer in a table of costs costs what it does in a network that is evaluated whole.
#[test]
fn a_table_of_costs_has_the_costs_of_evaluations() {
    let model = model("v1");
    let mut data = DataSet::load_for("noise", &model.description).unwrap();
    data.validation.truncate(2);
    let images = data.validation.clone();
    let evaluator = Evaluator::new(Arc::clone(&model), &data, &images, &|| ()).unwrap();
    let machine = Machine::new(Hardware::load("edge-28").unwrap().0).unwrap();
    let choices = ["8", "3", "pot3"].map(|bits| Choice::parse(bits).unwrap());
    let base = fixed("w8");
    let table = cost_table(&evaluator, ("w8", &base), &choices, &machine, 2, &|| ()).unwrap();
    assert_eq!(table.rows.len(), 3 * model.network.weighted().count());
    let whole =
        &evaluator.evaluate(&Setting::load("w8").unwrap(), slice::from_ref(&machine), &|| ()).unwrap()[0];
    for rows in table.rows.chunks(3) {
        let layer = whole.layers.iter().find(|layer| layer.name == rows[0].layer).unwrap();
        let energy_j = layer.energy_j.total() + layer.leakage_j;
        assert_eq!((rows[0].energy_j, rows[0].cycles), (energy_j, layer.cycles.total()), "{}", layer.name);
        assert_eq!(rows[0].weight_bytes, layer.weight_bytes);
        assert_eq!(rows[0].network_energy_j, whole.total_energy_j());
        assert_eq!(rows.iter().map(|row| row.weight_bits).collect::<Vec<_>>(), [8, 3, 3]);
        assert!(rows[1].energy_j < rows[0].energy_j, "{}", layer.name);
    }
    let membranes = [Choice::parse("u4").unwrap()];
    let error = cost_table(&evaluator, ("w8", &base), &membranes, &machine, 2, &|| ()).unwrap_err();
    assert_eq!(error.to_string(), "--bits: u4 says nothing of weights");
    // Lanes of this machine decode no sums of two powers of two.
    let sums = [Choice::parse("apot4").unwrap()];
    let error = cost_table(&evaluator, ("w8", &base), &sums, &machine, 2, &|| ()).unwrap_err().to_string();
    assert!(error.contains("patch_embed.proj_conv at apot4"), "{error}");
}

const COLUMNS: &str = "layer,choice,weight_bits,energy_j,cycles,weight_bytes,network_energy_j,network_cycles";

#[test]
fn the_command_leaves_a_table_of_costs() {
    let folder = tempfile::TempDir::new().unwrap();
    let run = |more: &[&str]| {
        let words = ["cost-table", "--quiet", "--data", "noise", "--limit", "1", "--bits", "8,2"];
        let output = cargo_bin_cmd!("spiq").args(words).args(more).current_dir(&folder).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(run(&["--out", "costs.csv"]), (0, String::new()));
    let text = fs::read_to_string(folder.path().join("costs.csv")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], COLUMNS);
    // 18 layers; of the first 1 x 8 x 9 weights.
    assert_eq!(lines.len(), 1 + 2 * 18);
    let cells = |line: usize| lines[line].split(',').collect::<Vec<_>>();
    assert_eq!((&cells(1)[..3], cells(1)[5]), (&["patch_embed.proj_conv", "w8", "8"][..], "72"));
    assert_eq!((&cells(2)[..3], cells(2)[5]), (&["patch_embed.proj_conv", "w2", "2"][..], "18"));
    assert_eq!(
        run(&["--base", "fp32"]),
        (2, "error: --base: fp32 has no integers to change a layer of\n".to_owned())
    );
}

#[test]
fn errors_of_weights_grow_as_bits_shrink() {
    for name in ["v1", "v2"] {
        let model = model(name);
        let subject = subject(&model, "w8", &["8", "6", "4", "2"]);
        for measure in [&WeightError as &dyn Measure, &NuclearNorm] {
            let figures = measure.figures(&subject).unwrap();
            assert_eq!(figures.len(), 4 * model.network.weighted().count());
            for (layer, figures) in subject.candidates().chunks(4).zip(figures.chunks(4)) {
                let falls = figures.windows(2).all(|pair| pair[0] < pair[1]);
                assert!(falls && figures[0] > 0.0, "{}: {}: {figures:?}", measure.name(), layer[0].layer);
            }
        }
    }
}

/// Integers that are the weights themselves: nothing is wrong with them.
#[test]
fn exact_weights_have_no_error() {
    let model = model("v1");
    let subject = subject(&model, "w16", &["16"]);
    let figures = WeightError.figures(&subject).unwrap();
    let coarse = self::subject(&model, "w16", &["8"]);
    let coarse = WeightError.figures(&coarse).unwrap();
    // Eight bits more are 2^-8 of the step, and 2^-16 of its square.
    for (fine, coarse) in figures.iter().zip(coarse) {
        assert!((0.4..2.5).contains(&(fine * 65536.0 / coarse)), "{fine} of {coarse}");
    }
}

#[test]
fn neurons_behind_a_layer() {
    let model = model("v1");
    let network = &model.network;
    let behind = |name: &str| -> Vec<&str> {
        let (id, ..) = network.weighted().find(|(_, node, _)| node.name == name).unwrap();
        next_neurons(network, id).iter().map(|&id| network.node(id).name.as_str()).collect()
    };
    assert_eq!(behind("patch_embed.proj_conv"), ["patch_embed.proj_lif"]);
    // Pooled, brought onto the stream, and read there.
    assert_eq!(behind("patch_embed.proj_conv3"), ["patch_embed.proj_lif3"]);
    assert_eq!(behind("block.0.attn.proj_conv"), ["block.0.mlp.fc1_lif"]);
    // The mean over positions is behind the last join.
    assert_eq!(behind("block.0.mlp.fc2_conv"), ["head_lif"]);
    assert!(behind("head").is_empty());
}

fn spiq(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = cargo_bin_cmd!("spiq").arg("sensitivity").args(arguments).current_dir(dir).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const SMALL: [&str; 7] = ["--data", "noise", "--limit", "6", "--bits", "3,w2+gptq", "--quiet"];

#[test]
fn the_command_writes_the_same_for_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    let network = load::model("sdtv1_2-64_fashion").unwrap().network;
    let rows = network.weighted().map(|(id, node, _)| format!("{},{}\n", node.name, id.index()));
    fs::write(dir.path().join("trace.csv"), rows.fold("layer,value\n".to_owned(), |all, row| all + &row))
        .unwrap();
    let run = |threads: &str, out: &str, json: &[&str]| {
        let flags = ["--threads", threads, "--out", out, "--import", "trace.csv"];
        let (code, text, message) = spiq(dir.path(), &[&SMALL, &flags[..], json].concat());
        assert_eq!(code, 0, "{message}");
        text
    };
    let table = run("1", "one", &[]);
    let json = run("3", "three", &["--json"]);
    assert_eq!(json, fs::read_to_string(dir.path().join("three/sensitivity.json")).unwrap());
    for name in ["sensitivity.json", "sensitivity.csv", "correlations.csv", "plots/rank_correlations.svg"] {
        let read = |out: &str| fs::read(dir.path().join(out).join(name)).unwrap();
        assert_eq!(read("one"), read("three"), "{name}");
    }
    let csv = fs::read_to_string(dir.path().join("one/sensitivity.csv")).unwrap();
    let header = "layer,choice,accuracy_drop,rate_weighted_weight_error,membrane_drift,spike_flips,\
                  output_KL_divergence,nuclear_norm_x_weight_error,trace\n";
    assert!(csv.starts_with(header), "{csv}");
    assert_eq!(csv.lines().count(), 1 + 2 * network.weighted().count());
    for word in ["block.0.mlp.fc1_conv", "w2+gptq", "spike flips", "trace", "measured accuracy drop"] {
        assert!(table.contains(word), "{word}: {table}");
    }
}

#[test]
fn bad_input() {
    let dir = tempfile::tempdir().unwrap();
    let refusal = |arguments: &[&str]| {
        let (code, text, message) = spiq(dir.path(), &[arguments, &["--quiet"]].concat());
        assert_eq!((code, text.as_str()), (2, ""), "{arguments:?}: {message}");
        message
    };
    let import = |text: &str| {
        fs::write(dir.path().join("v.csv"), text).unwrap();
        refusal(&["--import", "v.csv"])
    };
    let told = [
        refusal(&["--bits", "1"]),
        refusal(&["--bits", "4,w4"]),
        refusal(&["--bits", "4,"]),
        refusal(&["--bits", "fp32"]),
        refusal(&["--bits", "w4u8"]),
        refusal(&["--bits", "u1"]),
        refusal(&["--bits", "w3+bias"]),
        refusal(&["--bits", "mixed"]),
        refusal(&["--base", "fp32"]),
        refusal(&["--limit", "0"]),
        refusal(&["--threads", "0"]),
        refusal(&["--import", "nowhere.csv"]),
        import("layer,values\n"),
        import("layer,value\nhed,1\n"),
        import("layer,value\nhead\n"),
        import("layer,value\nhead,-1\n"),
        import("layer,value\nhead,inf\n"),
        import("layer,value\nhead,1\nhead,2\n"),
        import("layer,value\nhead,1\n"),
    ];
    assert_snapshot!(told.concat(), @r#"
    error: w1: weights: 1 bits are not in 2..=16
    error: --bits: w4 twice
    error: --bits: "" is no choice of weights or membranes, as 4, pot3, w3+gptq or u4
    error: --bits: "fp32" is no choice of weights or membranes, as 4, pot3, w3+gptq or u4
    error: --bits: "w4u8" is no choice of weights or membranes, as 4, pot3, w3+gptq or u4
    error: --bits: "u1" is no choice of weights or membranes, as 4, pot3, w3+gptq or u4
    error: --bits: "w3+bias" is no choice of weights or membranes, as 4, pot3, w3+gptq or u4
    error: --bits: "mixed" is no choice of weights or membranes, as 4, pot3, w3+gptq or u4
    error: --base: fp32 has no integers to change a layer of
    error: --limit: 0 is not above 0
    error: --threads: 0 is not in 1..=1024
    error: nowhere.csv: No such file or directory (os error 2)
    error: v.csv: header: the first line is `layer,value`
    error: v.csv:2: layer: no weight layer is named "hed"
    error: v.csv: row: CSV error: record 1 (line: 2, byte: 12): found record with 1 fields, but the previous record has 2 fields
    error: v.csv:2: value: "-1" of head is no finite number of at least 0
    error: v.csv:2: value: "inf" of head is no finite number of at least 0
    error: v.csv:3: layer: head is said twice
    error: v.csv: layer: patch_embed.proj_conv is missing
    "#);
}
