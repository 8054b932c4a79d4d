//! `spiq search` from the outside.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::Value;
use spiq::search::Front;

use crate::bad_input::support::{Bench, lines};

/// A short search of few images in a small space: a table of single changes behind an anchor, a gate, and
/// random settings.
const SHORT: [&str; 16] = [
    "search",
    "--quiet",
    "--limit",
    "60",
    "--strategy",
    "ratio-greedy,aq4svit-greedy,random",
    "--accelerated",
    "--weight-bits",
    "8,4",
    "--power-of-two-bits",
    "0",
    "--membrane-bits",
    "16,4",
    "--max-evaluations",
    "60",
    "--audit",
];

pub fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Without times, which differ from run to run.
pub fn timeless(mut value: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.remove("seconds");
                map.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            _ => (),
        }
    }
    strip(&mut value);
    value
}

/// One search, then the same from half of its log with a cut last line and on other threads, then its
/// setting in `simulate`: all say the same.
#[test]
fn a_killed_search_ends_as_it_would_have_and_simulate_agrees() {
    let bench = Bench::new();
    let flags = ["--max-accuracy-drop", "0.05", "--max-footprint", "300KiB", "--threads", "1", "--out", "a"];
    let peaks = ["--max-peak", "weight SRAM=96KiB", "--max-peak", "activation SRAM = 60KiB"];
    let output = bench.run(&[&SHORT[..], &flags, &peaks].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
    let log = fs::read(bench.path("a/log.jsonl")).unwrap();
    fs::create_dir(bench.path("b")).unwrap();
    fs::write(bench.path("b/log.jsonl"), &log[..log.len() / 2]).unwrap();
    let resumed = bench.run(&["search", "--quiet", "--resume", "b", "--threads", "3"]);
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    let [a, b] = ["a", "b"].map(|dir| timeless(json(&bench.path(&format!("{dir}/search.json")))));
    assert_eq!(a, b);
    let [a, b] = ["a", "b"].map(|dir| fs::read_to_string(bench.path(&format!("{dir}/setting.ron"))).unwrap());
    assert_eq!(a, b);

    let simulated = bench.run(&[
        "simulate",
        "--quiet",
        "--json",
        "--limit",
        "60",
        "--quant",
        "a/setting.ron",
        "--out",
        "simulated",
    ]);
    let simulated: Value = serde_json::from_slice(&simulated.stdout).unwrap();
    let (setting, found) = (&simulated["settings"][0], &json(&bench.path("a/search.json"))["final"]);
    for (theirs, mine) in [
        (&setting["accuracy"], "accuracy"),
        (&setting["accuracy_drop"], "accuracy_drop"),
        (&setting["model_bytes"], "model_bytes"),
        (&setting["footprint_bytes"]["total"], "footprint_bytes"),
        (&setting["latency_s"], "latency_s"),
        (&setting["power_w"], "power_w"),
        (&setting["average_weight_bits"], "average_weight_bits"),
    ] {
        assert_eq!(theirs, &found[mine], "{mine}");
    }
    assert!(found["footprint_bytes"].as_f64().unwrap() <= 300.0 * 1024.0);
    let memories = |of: &Value| of["memories"].as_array().unwrap().clone();
    for (theirs, mine) in memories(setting).iter().zip(memories(found)) {
        for field in ["name", "capacity_bytes", "share"] {
            assert_eq!(theirs[field], mine[field], "{field}");
        }
        assert_eq!(theirs["peak_bytes"]["total"], mine["peak_bytes"]);
        let limit = if mine["name"] == "activation SRAM" { 60.0 } else { 96.0 };
        assert!(mine["peak_bytes"].as_f64().unwrap() <= limit * 1024.0, "{mine}");
    }
    assert!(found["energy_j"].as_f64().unwrap() > 0.0);
    for name in
        ["front_accuracy_footprint", "front_accuracy_energy", "front_energy_latency", "trace", "weight_bits"]
    {
        assert!(bench.path(&format!("a/plots/{name}.png")).exists(), "{name}");
    }
    fronts_tell_layers(&bench);
}

/// Settings on a front are told layer by layer, and what a run found there as it was found.
fn fronts_tell_layers(bench: &Bench) {
    let search = json(&bench.path("a/search.json"));
    let runs = search["runs"].as_array().unwrap();
    let (mut points, mut best) = (0, 0);
    for (_, name) in Front::ALL {
        let csv = fs::read_to_string(bench.path(&format!("a/fronts/{name}.csv"))).unwrap();
        for row in csv.lines().skip(1) {
            let fields: Vec<&str> = row.split(',').collect();
            let run = runs.iter().find(|run| run["strategy"] == fields[0]).unwrap();
            let layers = run["fronts"][fields[2]].as_array().unwrap();
            assert_eq!(layers.len(), 18, "{row}");
            points += 1;
        }
    }
    for run in runs {
        if let Some(layers) = run["best"]["id"].as_str().and_then(|id| run["fronts"].get(id)) {
            assert_eq!(layers, &run["layers"]);
            best += 1;
        }
    }
    assert!(points > 5 && best > 0, "{points} points, {best} of them best");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let bench = Bench::new();
    bench.write("budget.ron", "Budget(max_footprint: \"48 parsecs\")");
    bench.write("typo.ron", "Budget(max_modle: \"48KiB\")");
    bench.write("memory.ron", "Budget(max_memory: \"48KiB\")");
    bench.write("peak.ron", "Budget(max_peak: {\"L2\": \"48KiB\"})");
    bench.write("size.ron", "Budget(max_peak: {\"weight SRAM\": \"48\"})");
    bench.write("log.jsonl", "{}\n");
    bench.write("old/log.jsonl", "{}\n");
    let cases: [(&'static str, &[&str]); 24] = [
        ("unknown unit", &["--max-footprint", "48kib"]),
        ("memory", &["--max-memory", "48KiB"]),
        ("memory in a file", &["--budget", "memory.ron"]),
        ("memory to minimise", &["--minimize", "memory"]),
        ("no memory", &["--max-peak", "L2=48KiB"]),
        ("no memory, in a file", &["--budget", "peak.ron"]),
        ("no size, in a file", &["--budget", "size.ron"]),
        ("no size", &["--max-peak", "weight SRAM"]),
        ("a size without a unit", &["--max-peak", "weight SRAM=48"]),
        ("a memory twice", &["--max-peak", "weight SRAM=48KiB", "--max-peak", "weight SRAM=49KiB"]),
        ("no unit", &["--max-energy", "30"]),
        ("negative", &["--max-latency", "-2ms"]),
        ("nothing", &["--max-power", "0mW"]),
        ("a drop in points", &["--max-accuracy-drop", "1.5"]),
        ("a negative drop", &["--max-accuracy-drop", "-0.1"]),
        ("unit in a file", &["--budget", "budget.ron"]),
        ("field of a file", &["--budget", "typo.ron"]),
        ("no file", &["--budget", "absent.ron"]),
        ("one point", &["--weight-bits", "4", "--power-of-two-bits", "0", "--membrane-bits", "8"]),
        ("no evaluations", &["--max-evaluations", "0"]),
        ("slack", &["--slack", "0.9"]),
        ("width", &["--weight-bits", "4,17"]),
        ("an earlier search", &["--out", "old", "--limit", "3"]),
        ("a log that is none", &["--resume", "."]),
    ];
    let refuses = |flags: &[&str]| {
        bench.small_data(28, 28);
        let data: &[&str] = if flags.contains(&"--resume") { &[] } else { &["--data", "data.ron"] };
        let message = bench.refusal(&[&["search", "--quiet"], data, flags].concat());
        message.trim_end().to_owned()
    };
    assert_snapshot!(lines(cases, refuses), @r#"
    unknown unit
      error: --max-footprint: "kib" is none of the units B, kB, KiB, MB, MiB, GB, GiB
    memory
      error: --max-memory: memory is three figures: model (weights, biases, thresholds, requantizers), footprint (the model and all state, which memory was) and peak (what each on-chip memory holds); --max-model, --max-footprint and --max-peak limit them
    memory in a file
      error: memory.ron: max_memory: memory is three figures: model (weights, biases, thresholds, requantizers), footprint (the model and all state, which memory was) and peak (what each on-chip memory holds); max_model, max_footprint and max_peak limit them
    memory to minimise
      error: invalid value 'memory' for '--minimize <WHAT>': it is three figures: --minimize takes model (weights, biases, thresholds, requantizers) or footprint (the model and all state, which memory was), and --max-peak limits what each on-chip memory holds

    For more information, try '--help'.
    no memory
      error: --max-peak: "L2" is no memory of edge-28, which has weight SRAM, activation SRAM, state SRAM
    no memory, in a file
      error: peak.ron: max_peak: "L2" is no memory of edge-28, which has weight SRAM, activation SRAM, state SRAM
    no size, in a file
      error: size.ron: max_peak: weight SRAM: "48" has none of the units B, kB, KiB, MB, MiB, GB, GiB
    no size
      error: --max-peak: "weight SRAM" is no memory with its size, as in "weight SRAM=64KiB"
    a size without a unit
      error: --max-peak: weight SRAM: "48" has none of the units B, kB, KiB, MB, MiB, GB, GiB
    a memory twice
      error: --max-peak: "weight SRAM" twice
    no unit
      error: --max-energy: "30" has none of the units pJ, nJ, uJ, mJ, J
    negative
      error: --max-latency: -2ms is not above 0
    nothing
      error: --max-power: 0mW is not above 0
    a drop in points
      error: --max-accuracy-drop: 1.5 is not in 0..=1 (0.015 stands for 1.5 points)
    a negative drop
      error: --max-accuracy-drop: -0.1 is not in 0..=1 (0.015 stands for 1.5 points)
    unit in a file
      error: budget.ron: max_footprint: "parsecs" is none of the units B, kB, KiB, MB, MiB, GB, GiB
    field of a file
      error: typo.ron:1:8: Unexpected field named `max_modle` in `Budget`, expected one of `max_accuracy_drop`, `max_model`, `max_footprint`, `max_peak`, `max_energy`, `max_power`, `max_latency`, or `max_area` instead
    no file
      error: absent.ron: No such file or directory (os error 2)
    one point
      error: the space has one point, one weight scheme and one membrane width: there is nothing to search
    no evaluations
      error: --max-evaluations: 0 is not above 0
    slack
      error: --slack: 0.9 is not in 1..=1000
    width
      error: --weight-bits: 17 is not in 2..=16
    an earlier search
      error: old/log.jsonl is the log of an earlier search: --resume goes on with it, --out names another folder
    a log that is none
      error: ./log.jsonl:1:2: missing field `model`
    "#);
    assert_eq!(fs::read(bench.path("old/log.jsonl")).unwrap(), b"{}\n");
}

#[test]
fn budgets_that_cannot_be_met_end_with_exit_code_1() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    let run = |flags: &[&str]| {
        let data = ["search", "--quiet", "--data", "data.ron", "--strategy", "uniform", "--out", "fresh"];
        let output = bench.run(&[&data, flags].concat());
        assert_eq!(output.status.code(), Some(1), "{flags:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        let _ = fs::remove_dir_all(bench.path("fresh"));
        message.trim_end().to_owned()
    };
    let cases: [(&'static str, &[&str]); 3] = [
        ("area", &["--max-area", "0.1mm2"]),
        ("footprint", &["--max-footprint", "48KiB"]),
        ("peak", &["--max-peak", "activation SRAM=8KiB"]),
    ];
    assert_snapshot!(lines(cases, run), @r"
    area
      error: area of 0.482 mm2 is 0.382 mm2 beyond 0.100 mm2, whatever the setting of edge-28
    footprint
      error: no setting found meets the budgets; the closest (2.00 bits): footprint of 84.29 KiB is 36.29 KiB beyond 48.00 KiB; all candidates that may be better were looked at: only other budgets, or more choices of bits, allow for more
    peak
      error: no setting found meets the budgets; the closest (4.00 bits): peak of activation SRAM of 32.16 KiB is 24.16 KiB beyond 8.000 KiB; all candidates that may be better were looked at: only other budgets, or more choices of bits, allow for more
    ");
}
