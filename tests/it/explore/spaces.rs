//! `spiq explore`: its figures are those of `simulate`, its files the same for any number of threads.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Two machines of lanes, two sizes, one of which is too small for a word, two settings, at rates.
pub const SPACE: &str = r#"Space(
    name: "small",
    hardware: ["edge-28"],
    parameters: [
        (name: "lanes", path: "units.lanes.layouts.*.lanes.OutputChannels", also: {"units.lanes.layouts.*.lanes.Groups": 1},
         values: List([32, 64])),
        (name: "size", path: "memories.weight SRAM.capacity_bytes", values: List([4, "64KiB", "128KiB"])),
    ],
    networks: [(model: "sdtv1_2-64_fashion", activity: Rates("sdtv1_2-64_fashion"))],
    settings: ["w8", "w4"],
    constraints: ["latency_s <= 1s"],
    objectives: ["energy_j", "latency_s", "area_mm2"],
)"#;

pub fn spiq(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spiq")).args(arguments).output().unwrap()
}

fn explore(folder: &Path, space: &str, extra: &[&str]) -> Output {
    let path = folder.join("space.ron");
    fs::write(&path, space).unwrap();
    let out = folder.join("out");
    let named = ["explore", path.to_str().unwrap(), "--quiet", "--out", out.to_str().unwrap()];
    spiq(&[&named[..], extra].concat())
}

pub fn succeed(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Rows of a file, each by the names of its columns.
fn rows(folder: &Path, name: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(folder.join("out").join(name)).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column}: {:?}", row[column]))
}

#[test]
fn figures_are_those_of_simulate_on_the_machine_written_out() {
    let folder = tempfile::tempdir().unwrap();
    let told = succeed(explore(folder.path(), SPACE, &[]));
    assert!(told.contains("12, 4 refused, 8 keep all constraints"), "{told}");
    let points = rows(folder.path(), "points.csv");
    assert_eq!(points.len(), 12);
    let refused: Vec<bool> = points.iter().map(|row| !row["refused"].is_empty()).collect();
    assert_eq!(refused, [true, true, false, false, false, false].repeat(2));
    assert!(points[0]["refused"].contains("weight SRAM"), "{}", points[0]["refused"]);
    let row = &points[10];
    assert_eq!([&row["lanes"], &row["size"], &row["setting"]], ["64", "128KiB", "w8"]);
    let spec = "edge-28+units.lanes.layouts.*.lanes.OutputChannels=64+units.lanes.layouts.*.lanes.Groups=64\
                +memories.weight SRAM.capacity_bytes=128KiB";
    let (out, model) = (folder.path().join("simulated"), "sdtv1_2-64_fashion");
    let json = succeed(spiq(&[
        "simulate",
        "--rates",
        model,
        "--quant",
        "w8",
        "--hw",
        spec,
        "--json",
        "--quiet",
        "--out",
        out.to_str().unwrap(),
    ]));
    let report: Value = serde_json::from_str(&json).unwrap();
    let simulated = |pointer: &str| report["settings"][0].pointer(pointer).and_then(Value::as_f64).unwrap();
    for (column, pointer) in [
        ("energy_j", "/energy_j/total"),
        ("latency_s", "/latency_s"),
        ("power_w", "/power_w"),
        ("footprint_bytes", "/footprint_bytes/total"),
        ("images_per_s", "/throughput_images_per_s"),
        ("area_mm2", "/area_mm2"),
        ("average_weight_bits", "/average_weight_bits"),
    ] {
        assert_eq!(number(row, column), simulated(pointer), "{column}");
    }
    let traffic = simulated("/traffic_bits/dram_read") + simulated("/traffic_bits/dram_written");
    assert_eq!(number(row, "dram_bits"), traffic);
    assert_eq!([&row["accuracy"], &row["accuracy_drop"]], ["", ""]);
}

/// On executed images, too, where machines are charged for all of them.
#[test]
fn executed_images_are_charged_as_simulate_charges_them() {
    let folder = tempfile::tempdir().unwrap();
    let images = "Images(data: \"noise\", limit: 2)";
    let space = SPACE
        .replace("Rates(\"sdtv1_2-64_fashion\")", images)
        .replace("List([4, \"64KiB\", \"128KiB\"])", "List([\"96KiB\"])")
        .replace("List([32, 64])", "List([64])")
        .replace("[\"w8\", \"w4\"]", "[\"w4\"]")
        .replace("\"area_mm2\"]", "\"accuracy_drop\"]");
    succeed(explore(folder.path(), &space, &[]));
    let row = &rows(folder.path(), "points.csv")[0];
    let out = folder.path().join("simulated");
    let json = succeed(spiq(&[
        "simulate",
        "--data",
        "noise",
        "--limit",
        "2",
        "--quant",
        "w4",
        "--json",
        "--quiet",
        "--out",
        out.to_str().unwrap(),
    ]));
    let report: Value = serde_json::from_str(&json).unwrap();
    let setting = &report["settings"][0];
    assert_eq!(number(row, "energy_j"), setting["energy_j"]["total"].as_f64().unwrap());
    assert_eq!(number(row, "latency_s"), setting["latency_s"].as_f64().unwrap());
    assert_eq!(number(row, "accuracy"), setting["accuracy"].as_f64().unwrap());
    assert_eq!(number(row, "accuracy_drop"), setting["accuracy_drop"].as_f64().unwrap());
}

/// Fronts hold what no kept point beats, by brute force over points.csv.
#[test]
fn fronts_are_those_of_the_points() {
    let folder = tempfile::tempdir().unwrap();
    succeed(explore(folder.path(), SPACE, &[]));
    let points = rows(folder.path(), "points.csv");
    let kept: Vec<&BTreeMap<String, String>> = points.iter().filter(|row| row["meets"] == "yes").collect();
    let fronts = rows(folder.path(), "fronts.csv");
    for objectives in
        ["energy_j latency_s", "energy_j area_mm2", "latency_s area_mm2", "energy_j latency_s area_mm2"]
    {
        let names: Vec<&str> = objectives.split(' ').collect();
        let costs =
            |row: &BTreeMap<String, String>| names.iter().map(|name| number(row, name)).collect::<Vec<_>>();
        let beats = |a: &[f64], b: &[f64]| a != b && a.iter().zip(b).all(|(a, b)| a <= b);
        let best =
            |row: &&&BTreeMap<String, String>| !kept.iter().any(|other| beats(&costs(other), &costs(row)));
        let mut expected: Vec<usize> =
            kept.iter().filter(best).map(|row| row["point"].parse().unwrap()).collect();
        let of_front = fronts.iter().filter(|row| row["objectives"] == objectives);
        let mut found: Vec<usize> = of_front.map(|row| row["point"].parse().unwrap()).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{objectives}");
        assert!(!found.is_empty());
    }
    let effects = rows(folder.path(), "effects.csv");
    let decided =
        effects.iter().filter(|row| row["objective"] == "area_mm2" && row["parameter"] == "setting");
    assert!(decided.map(|row| number(row, "variance_share")).all(|share| share == 0.0));
}

pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for name in ["report.html", "points.csv", "fronts.csv", "effects.csv", "exploration.json"] {
        found.insert(name.to_owned(), fs::read(folder.join(name)).unwrap());
    }
    for entry in fs::read_dir(folder.join("plots")).unwrap() {
        let path = entry.unwrap().path();
        found.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap());
    }
    found
}

#[test]
fn bytes_do_not_depend_on_threads() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    succeed(explore(folder.path(), SPACE, &["--threads", "1"]));
    let one = files(&out);
    succeed(explore(folder.path(), SPACE, &["--threads", "2"]));
    assert!(one == files(&out));
    assert_eq!(one.len(), 5 + 2 * 5);
}

#[test]
fn a_sample_is_some_of_the_machines() {
    let folder = tempfile::tempdir().unwrap();
    succeed(explore(folder.path(), SPACE, &[]));
    let all = rows(folder.path(), "points.csv");
    let told = succeed(explore(folder.path(), SPACE, &["--sample", "3", "--seed", "7"]));
    assert!(told.contains(" of 6"), "{told}");
    let some = rows(folder.path(), "points.csv");
    assert!(some.len() < all.len());
    let figures = |row: &BTreeMap<String, String>| {
        ["lanes", "size", "setting", "energy_j", "latency_s", "refused"].map(|name| row[name].clone())
    };
    assert!(some.iter().all(|row| all.iter().any(|other| figures(other) == figures(row))));
}

#[test]
fn nothing_that_keeps_the_constraints_is_1_and_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let space = SPACE.replace("latency_s <= 1s", "latency_s <= 1ns");
    let output = explore(folder.path(), &space, &[]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains("no point keeps all constraints; the nearest, w4 on edge-28+units"),
        "{message}"
    );
    assert!(rows(folder.path(), "fronts.csv").is_empty());
    let space = SPACE.replace("List([4, \"64KiB\", \"128KiB\"])", "List([1, 2])");
    let output = explore(folder.path(), &space, &[]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("every point was refused, the first one because: "), "{message}");
}

#[test]
fn bad_spaces_are_2_and_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let many = "Steps(from: 1, to: 9000, plus: 1)";
    let cases = [
        ("name: \"small\"", "name: \"\"", "space.ron:2:"),
        ("hardware: [\"edge-28\"]", "hardware: []", "space.ron: hardware: empty"),
        ("hardware: [\"edge-28\"]", "hardware: [\"edge-29\"]", "\"edge-29\": neither a file nor one of"),
        ("OutputChannels\", also", "OutputChanels\", also", "parameter lanes: "),
        (
            "capacity_bytes\"",
            "capacity\"",
            "parameter size: memories.weight SRAM.capacity=4: there is no \"capacity\"; nearest: capacity_bytes",
        ),
        ("\"128KiB\"])", "\"large\"])", "parameter size: memories.weight SRAM.capacity_bytes=large: "),
        ("name: \"size\"", "name: \"lanes\"", "parameters: lanes is the name of another column"),
        ("name: \"size\"", "name: \"power_w\"", "parameters: power_w is the name of another column"),
        ("List([32, 64])", "List([32, 32])", "parameters: lanes: values: 32 stands there twice"),
        (
            "List([32, 64])",
            "Steps(from: 64, to: 32, times: 2)",
            "parameters: lanes: values: from 64 is above to 32",
        ),
        ("settings: [\"w8\", \"w4\"]", "settings: [\"w8\", \"w8\"]", "settings: w8 stands there twice"),
        ("settings: [\"w8\", \"w4\"]", "settings: [\"w99\"]", "w99"),
        ("latency_s <= 1s", "latency <= 1s", "there is no figure \"latency\"; nearest: latency_s"),
        ("latency_s <= 1s", "accuracy >= 0.5", "accuracy: nothing is executed of sdtv1_2-64_fashion"),
        ("\"area_mm2\"]", "\"area_mm2\", \"area_mm2\"]", "objectives: area_mm2 stands there twice"),
        ("networks: [(", "networks: [], other: [(", "Unexpected field named `other`"),
        (
            "networks: [(",
            "networks: [(model: \"sdtv1_2-64_fashion\", activity: Rates(\"x\")), (",
            "networks: sdtv1_2-64_fashion stands there twice",
        ),
        (
            "List([32, 64])",
            many,
            "162000000 points (81000000 machines, 2 of each) are more than 10000000: --sample",
        ),
    ];
    for (from, to, expected) in cases {
        assert!(SPACE.contains(from), "{from}");
        let mut space = SPACE.replacen(from, to, 1);
        if to == many {
            space = space.replace("List([4, \"64KiB\", \"128KiB\"])", many);
        }
        let output = explore(folder.path(), &space, &[]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{to}: {message}");
        assert!(message.contains(expected), "{to}: {message}");
        assert!(!folder.path().join("out").exists(), "{to}");
    }
    for (flags, expected) in [
        (&["--sample", "0"][..], "--sample: 0 is not in 1..=10000000"),
        (&["--seed", "3"], "--sample"),
        (&["--threads", "0"], "--threads: 0 is not in 1..=1024"),
    ] {
        let output = explore(folder.path(), SPACE, flags);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(expected), "{flags:?}");
    }
}
