//! Processes that start, stop, are killed and meet in one folder.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::Value;

use super::commands::{json, timeless};
use crate::bad_input::support::{Bench, change, lines};

/// A network of one block with weights from a seed, on three images.
const MODEL: &str = r#"Model(
    name: "tiny",
    family: SpikeDrivenV1(dim: 8, depth: 1, heads: 8, mlp_ratio: 4, pooling: (false, false, true, true)),
    input: Image(shape: (1, 28, 28), mean: [0.5], std: [0.5], bits: 8),
    timesteps: 2, classes: 10, weights: Seeded(7),
)
"#;
/// Everything of a search but who looks and how far.
const SUBJECT: [&str; 14] = [
    "search",
    "--quiet",
    "--model",
    "tiny.ron",
    "--data",
    "data.ron",
    "--max-accuracy-drop",
    "1",
    "--weight-bits",
    "8,4,2",
    "--membrane-bits",
    "16,8",
    "--hw",
    "hw.ron",
];
/// Some that run in a second or two.
const SHORT: [&str; 4] = ["--strategy", "uniform,random", "--max-evaluations", "6"];
/// All of them, so that there is time to interfere.
const LONG: [&str; 4] = ["--strategy", "all", "--max-evaluations", "30"];

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("tiny.ron", MODEL);
    bench.write("hw.ron", crate::bad_input::support::bundled("hw_configs/edge-28.ron"));
    bench.small_data(28, 28);
    bench
}

fn search(bench: &Bench, flags: &[&str]) -> Output {
    bench.run(&[&SUBJECT, flags].concat())
}

fn resume(bench: &Bench, folder: &str, flags: &[&str]) -> Output {
    bench.run(&[&["search", "--quiet", "--resume", folder], flags].concat())
}

/// Fails unless the process did what it should; returns what it said.
fn ended(output: &Output, code: i32) -> String {
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{message}");
    message.trim_end().to_owned()
}

/// What a search found, without times.
fn result(bench: &Bench, folder: &str) -> (Value, String) {
    let setting = fs::read_to_string(bench.path(&format!("{folder}/setting.ron"))).unwrap();
    (timeless(json(&bench.path(&format!("{folder}/search.json")))), setting)
}

/// Starts `spiq` in the folder of `bench`.
fn start(bench: &Bench, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spiq"));
    command.args(arguments).current_dir(bench.path(""));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until `log` has so many lines.
fn wait_for_lines(log: &Path, lines: usize) {
    let started = Instant::now();
    while fs::read_to_string(log).map_or(0, |text| text.lines().count()) < lines {
        assert!(started.elapsed() < Duration::from_secs(300), "{} does not grow", log.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The log of a long search, as a kill after `lines` lines leaves it.
fn cut(bench: &Bench, from: &str, to: &str, lines: usize) {
    let text = fs::read_to_string(bench.path(&format!("{from}/log.jsonl"))).unwrap();
    let kept: String = text.split_inclusive('\n').take(lines).collect();
    bench.write(&format!("{to}/log.jsonl"), kept);
}

#[test]
fn one_process_searches_in_a_folder() {
    let bench = bench();
    let mut first = start(&bench, &[&SUBJECT[..], &LONG, &["--threads", "1", "--out", "a"]].concat());
    wait_for_lines(&bench.path("a/log.jsonl"), 3);
    let refused = "error: a/log.jsonl: another search writes to this folder";
    assert_eq!(ended(&resume(&bench, "a", &[]), 2), refused);
    assert_eq!(ended(&search(&bench, &["--out", "a"]), 2), refused);
    assert!(first.try_wait().unwrap().is_none(), "the first one ended too early for this test");
    assert!(first.wait().unwrap().success());
    let finished = result(&bench, "a");
    ended(&resume(&bench, "a", &[]), 0);
    assert_eq!(result(&bench, "a"), finished);
}

/// Everything that an answer depends on is compared, and named where it differs.
#[test]
fn a_search_of_something_else_is_not_resumed() {
    let bench = bench();
    ended(&search(&bench, &[&SHORT[..], &["--out", "a"]].concat()), 0);
    cut(&bench, "a", "b", 6);
    let log = fs::read(bench.path("b/log.jsonl")).unwrap();
    let [data, hw] = ["data.ron", "hw.ron"].map(|name| fs::read_to_string(bench.path(name)).unwrap());
    let other = |name: &str, from: &str, to: &str| {
        let text = fs::read_to_string(bench.path(name)).unwrap();
        bench.write(name, change(&text, from, to));
        let message = ended(&resume(&bench, "b", &[]), 2);
        bench.write(name, text);
        message
    };
    let cases = [
        ("timesteps", ("tiny.ron", "timesteps: 2", "timesteps: 4")),
        ("normalization", ("tiny.ron", "mean: [0.5]", "mean: [0.25]")),
        ("layers", ("tiny.ron", "mlp_ratio: 4", "mlp_ratio: 2")),
        ("weights", ("tiny.ron", "Seeded(7)", "Seeded(8)")),
        ("split", ("data.ron", "labels: \"test.labels\"", "labels: \"test.labels\", range: (0, 2)")),
        ("labels", ("data.ron", "labels: \"val.labels\"", "labels: \"val.others\"")),
        ("machine", ("hw.ron", "objective: EnergyDelay", "objective: Latency")),
    ];
    bench.write("val.others", crate::bad_input::support::idx(&[3], &[1, 0, 8]));
    assert_snapshot!(lines(cases, |(name, from, to)| other(name, from, to)), @r###"
    timesteps
      error: b/log.jsonl:1: identity: not what the search was begun with: timesteps of the model (2 when the search was begun, 4 now), weights
    normalization
      error: b/log.jsonl:1: identity: not what the search was begun with: input of the model (shape, mean, std, bits), weights
    layers
      error: b/log.jsonl:1: identity: not what the search was begun with: network of the model (layers, neurons), weights
    weights
      error: b/log.jsonl:1: identity: not what the search was begun with: weights
    split
      error: b/log.jsonl:1: identity: not what the search was begun with: test images
    labels
      error: b/log.jsonl:1: identity: not what the search was begun with: validation images
    machine
      error: b/log.jsonl:1: identity: not what the search was begun with: hardware (description, tables, memories)
    "###);
    assert_eq!(fs::read(bench.path("b/log.jsonl")).unwrap(), log);
    // What is only written in another way is not another search.
    bench.write("tiny.ron", format!("// Of one block.\n{}", MODEL.replace(": ", ":  ")));
    bench.write("data.ron", data.replace("a test", "another test"));
    bench.write("hw.ron", format!("{hw}\n// The end.\n"));
    ended(&resume(&bench, "b", &[]), 0);
    assert_eq!(result(&bench, "b"), result(&bench, "a"));
}

/// The result is that of a search that was begun with the new flags.
#[test]
fn a_resumed_search_is_extended_or_the_flag_refused() {
    let bench = bench();
    ended(&search(&bench, &[&SHORT[..], &["--out", "a"]].concat()), 0);
    let more = ["--strategy", "random,ilp,uniform", "--seed", "2,1", "--max-evaluations", "9"];
    ended(&search(&bench, &[&more[..], &["--out", "fresh"]].concat()), 0);
    cut(&bench, "a", "b", 6);
    for folder in ["a", "b"] {
        ended(&resume(&bench, folder, &[&more[..], &["--threads", "1"]].concat()), 0);
        assert_eq!(result(&bench, folder), result(&bench, "fresh"));
    }
    // From here on the log knows by itself how far the search looks, and all answers.
    let log = fs::read(bench.path("a/log.jsonl")).unwrap();
    ended(&resume(&bench, "a", &["--json"]), 0);
    assert_eq!(result(&bench, "a"), result(&bench, "fresh"));
    assert_eq!(fs::read(bench.path("a/log.jsonl")).unwrap(), log);

    let cases: [(&'static str, &[&str]); 8] = [
        ("another model", &["--model", "tiny.ron"]),
        ("a default", &["--minimize", "footprint"]),
        ("a switch", &["--calibrated"]),
        ("fewer strategies", &["--strategy", "ilp,nsga2"]),
        ("fewer seeds", &["--seed", "3"]),
        ("a seed twice", &["--seed", "1,2,1"]),
        ("fewer evaluations", &["--max-evaluations", "8"]),
        ("another budget", &["--max-accuracy-drop", "0.5"]),
    ];
    assert_snapshot!(lines(cases, |flags| ended(&resume(&bench, "a", flags), 2)), @r###"
    another model
      error: --model: a search that is resumed keeps its own; with --resume go --strategy, --seed and --max-evaluations, to extend it, --threads, --explain, --quiet and --json
    a default
      error: --minimize: a search that is resumed keeps its own; with --resume go --strategy, --seed and --max-evaluations, to extend it, --threads, --explain, --quiet and --json
    a switch
      error: --calibrated: a search that is resumed keeps its own; with --resume go --strategy, --seed and --max-evaluations, to extend it, --threads, --explain, --quiet and --json
    fewer strategies
      error: --strategy: random, uniform of the search that is resumed is left out: it can only be extended
    fewer seeds
      error: --seed: 2, 1 of the search that is resumed is left out: it can only be extended
    a seed twice
      error: --seed: 1 twice
    fewer evaluations
      error: --max-evaluations: 8 is less than the 9 that the search was begun with: it can only be extended
    another budget
      error: --max-accuracy-drop: a search that is resumed keeps its own; with --resume go --strategy, --seed and --max-evaluations, to extend it, --threads, --explain, --quiet and --json
    "###);
    assert_eq!(fs::read(bench.path("a/log.jsonl")).unwrap(), log);
}

#[test]
fn a_log_without_a_whole_line_is_begun_anew() {
    let bench = bench();
    for cut in ["", "{\"model\":\"ti"] {
        bench.write("a/log.jsonl", cut);
        let message = ended(&resume(&bench, "a", &[]), 2);
        assert!(
            message.ends_with(
                "has no whole line: the search was stopped before it knew anything, begin it with --out"
            ),
            "{message}"
        );
        ended(&search(&bench, &[&SHORT[..], &["--out", "a"]].concat()), 0);
        assert!(bench.path("a/setting.ron").exists());
        fs::remove_dir_all(bench.path("a")).unwrap();
    }
    // What is refused leaves no folder that looks like a search.
    ended(&search(&bench, &["--limit", "1000000", "--out", "new/a"]), 2);
    assert!(!bench.path("new").exists());
}

#[test]
fn a_folder_that_is_removed_is_missed() {
    let bench = bench();
    let first = start(&bench, &[&SUBJECT[..], &LONG, &["--threads", "1", "--out", "a"]].concat());
    wait_for_lines(&bench.path("a/log.jsonl"), 4);
    fs::remove_dir_all(bench.path("a")).unwrap();
    let message = ended(&first.wait_with_output().unwrap(), 1);
    assert_eq!(
        message,
        "error: a/log.jsonl: removed or replaced while the search ran, and what it held with it"
    );
    assert!(!bench.path("a").exists());
}

#[cfg(unix)]
#[test]
fn an_interrupted_search_says_how_to_go_on() {
    let bench = bench();
    ended(&search(&bench, &[&LONG[..], &["--out", "whole"]].concat()), 0);
    let folder = "it's a folder";
    for (signal, resumes) in [("INT", false), ("TERM", true)] {
        let subject =
            if resumes { vec!["search", "--resume", folder] } else { [&SUBJECT[..], &LONG].concat() };
        let flags: &[&str] = if resumes { &["--threads", "2"] } else { &["--out", folder] };
        let log = bench.path(&format!("{folder}/log.jsonl"));
        let lines = fs::read_to_string(&log).map_or(0, |text| text.lines().count());
        let search = start(&bench, &[&subject, flags].concat());
        wait_for_lines(&log, lines + 4);
        let kill = Command::new("kill").args([&format!("-{signal}"), &search.id().to_string()]).status();
        assert!(kill.unwrap().success());
        let message = ended(&search.wait_with_output().unwrap(), 130);
        let flags = if resumes { " --threads 2" } else { "" };
        let command = format!("search --resume \"it's a folder\"{flags}");
        assert!(message.ends_with(&command), "{message}");
        assert!(message.contains(" answers kept in \"it's a folder/log.jsonl\""), "{message}");
    }
    ended(&resume(&bench, folder, &[]), 0);
    assert_eq!(result(&bench, folder), result(&bench, "whole"));
}

/// However often it is killed, a search ends as if it never was.
#[test]
fn killed_searches_end_as_whole_ones() {
    let bench = bench();
    ended(&search(&bench, &[&LONG[..], &["--out", "whole"]].concat()), 0);
    let log = bench.path("a/log.jsonl");
    for kill in 0..6 {
        let is_begun = fs::read(&log).is_ok_and(|bytes| bytes.contains(&b'\n'));
        let mut search = match is_begun {
            true => start(&bench, &["search", "--quiet", "--resume", "a"]),
            false => start(&bench, &[&SUBJECT[..], &LONG, &["--out", "a"]].concat()),
        };
        // The first one maybe before the first line, the others in the middle of the work.
        let lines = fs::read_to_string(&log).map_or(0, |text| text.lines().count());
        if kill > 0 {
            wait_for_lines(&log, lines + 1);
        }
        std::thread::sleep(Duration::from_millis(7 * kill));
        search.kill().unwrap();
        search.wait().unwrap();
    }
    ended(&resume(&bench, "a", &[]), 0);
    assert_eq!(result(&bench, "a"), result(&bench, "whole"));
}

/// What a network with fewer timesteps loses is lost against the network as it is described.
#[test]
fn a_search_of_fewer_timesteps_compares_with_the_described_network() {
    let bench = bench();
    ended(&search(&bench, &[&SHORT[..], &["--out", "described"]].concat()), 0);
    ended(&search(&bench, &[&SHORT[..], &["--timesteps", "1", "--out", "fewer"]].concat()), 0);
    let [described, fewer] = ["described", "fewer"].map(|folder| result(&bench, folder).0);
    for part in ["validation_accuracy", "test_accuracy"] {
        assert_eq!(described[part], fewer[part]);
    }
    assert_eq!(fewer["model"], "tiny with 1 timesteps");
    let latency = |result: &Value| result["float"]["latency_s"].as_f64().unwrap();
    assert!(latency(&fewer) < latency(&described));
    cut(&bench, "fewer", "resumed", 4);
    ended(&resume(&bench, "resumed", &[]), 0);
    assert_eq!(result(&bench, "resumed").0, fewer);
}
