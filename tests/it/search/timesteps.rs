//! Searches that choose among numbers of timesteps.

use std::fs;

use serde_json::Value;

use super::commands::json;
use crate::bad_input::support::Bench;

/// A network of little noise images, so that all takes no time.
const SHORT: [&str; 17] = [
    "search",
    "--quiet",
    "--limit",
    "60",
    "--strategy",
    "uniform",
    "--weight-bits",
    "8,4",
    "--power-of-two-bits",
    "0",
    "--membrane-bits",
    "16",
    "--minimize",
    "latency",
    "--max-evaluations",
    "12",
    "--timesteps",
];

/// Half the timesteps take less time, a quarter leaves nothing of this network: the search takes two, whose setting is
/// what the folder gives.
#[test]
fn the_fewest_timesteps_that_keep_the_accuracy_are_taken() {
    let bench = Bench::new();
    let output = bench.run(&[&SHORT[..], &["1,4,2", "--max-accuracy-drop", "0.1", "--out", "t"]].concat());
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let table = fs::read_to_string(bench.path("t/timesteps.csv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|row| row.split(',').collect()).collect();
    let column = |i: usize| rows.iter().map(|row| row[i]).collect::<Vec<_>>();
    assert_eq!(column(0), ["4", "2", "1"], "{table}");
    assert_eq!((rows[0][1], column(2)), ("0", vec!["true", "true", "false"]), "{table}");
    assert_eq!(column(5), ["false", "true", "false"], "{table}");
    let [four, two] = [4, 2].map(|t| json(&bench.path(&format!("t/timesteps-{t}/search.json"))));
    let latency = |of: &Value| of["runs"][0]["best"]["measured"]["figures"]["latency_s"].as_f64().unwrap();
    let least: Vec<Option<f64>> = column(4).into_iter().map(|least| least.parse().ok()).collect();
    assert_eq!(least, [Some(latency(&four)), Some(latency(&two)), None]);
    assert!(latency(&two) < latency(&four));
    // Evaluations are shared by the two that are searched, and a promise would hold for whichever is taken.
    for search in [&four, &two] {
        assert_eq!(search["request"]["problem"]["max_evaluations"], 6.0);
        assert_eq!(search["request"]["alternatives"], 2);
    }
    assert!(!bench.path("t/timesteps-1").exists());
    let [taken, found] = ["t", "t/timesteps-2"]
        .map(|dir| fs::read_to_string(bench.path(&format!("{dir}/setting.ron"))).unwrap());
    assert_eq!(taken, format!("// For 2 timesteps: --timesteps 2.\n{found}"));
    let simulate = ["simulate", "--quiet", "--json", "--limit", "60", "--timesteps", "2", "--out", "s"];
    let simulated = bench.run(&[&simulate[..], &["--quant", "t/setting.ron"]].concat());
    let simulated: Value = serde_json::from_slice(&simulated.stdout).unwrap();
    assert_eq!(simulated["settings"][0]["latency_s"], two["final"]["latency_s"]);
}

#[test]
fn timesteps_that_cannot_be_chosen_among_are_refused() {
    let bench = Bench::new();
    let message = |arguments: &[&str]| bench.refusal(arguments);
    assert_eq!(message(&[&SHORT[..], &["4,2,4"]].concat()), "error: --timesteps: 4 twice\n");
    assert_eq!(
        message(&["simulate", "--timesteps", "4,2"]),
        "error: --timesteps: only a search chooses among several\n"
    );
    fs::create_dir_all(bench.path("t/timesteps-2")).unwrap();
    let earlier = "is there from an earlier search: --out names another folder\n";
    fs::write(bench.path("t/timesteps-2/log.jsonl"), "{}\n").unwrap();
    let refused = message(&[&SHORT[..], &["4,2", "--out", "t"]].concat());
    assert_eq!(refused.replace('\\', "/"), format!("error: t/timesteps-2/log.jsonl {earlier}"));
    fs::write(bench.path("t/timesteps.csv"), "").unwrap();
    assert_eq!(
        message(&["search", "--out", "t"]).replace('\\', "/"),
        format!("error: t/timesteps.csv {earlier}")
    );
    let refused = message(&["search", "--resume", "t", "--timesteps", "4,2"]);
    assert!(refused.contains("--timesteps"), "{refused}");
}
