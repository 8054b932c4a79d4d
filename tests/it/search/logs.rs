//! Logs as input: what a log may say, and that whatever happens to one is noticed.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use proptest::prelude::*;
use proptest::sample::Index;
use spiq::model::Selection;
use spiq::search::log::{Contents, DataPart, Entry, Log, Logged, read};
use spiq::search::{
    Batch, Budgets, Figures, Identity, LayerDrift, Measured, Problem, Request, Store, StrategyName, Terms,
};

use super::synthetic::{Synthetic, problem, widths};
use crate::bad_input::support::{change, lines};

/// Names a setting.
const ID: &str = "0123456789abcdef";

fn request() -> Request {
    Request {
        model: "m.ron".into(),
        weights: None,
        selection: Selection::default(),
        timesteps: None,
        machines: None,
        hardware: "edge-28".into(),
        data: "d.ron".into(),
        limit: Some(60),
        validation_images: None,
        confidence: Some(0.0),
        alternatives: 1,
        problem: Problem {
            budgets: Budgets { footprint_bytes: Some(3e5), ..problem().budgets },
            ..problem()
        },
        widths: widths(),
        strategies: vec![StrategyName::Ilp],
        accelerated: false,
        seeds: vec![1, 2],
        identity: Identity { version: "0".into(), ..Identity::default() },
    }
}

fn measured() -> Measured {
    let figures = Figures { footprint_bytes: 5e4, energy_j: 2e-6, area_mm2: Some(0.5), ..Figures::default() };
    Measured { accuracy: 0.75, figures }
}

fn batches(first: usize, count: usize) -> Entry {
    let batch = Batch { images: 250, lost: 7, gained: 4, divergence: 0.1 + 0.2 };
    Entry::Batches { id: ID.into(), first, batches: vec![batch; count], seconds: 0.125 }
}

/// An entry of each kind.
fn entries() -> Vec<Entry> {
    let layer = LayerDrift { layer: "lif".into(), relative: 0.1, threshold: 0.2, flips: 0.3, rates: 0.4 };
    vec![
        Entry::Float { part: DataPart::Validation, accuracy: 0.9 },
        batches(0, 2),
        Entry::Charge { id: ID.into(), figures: measured().figures, seconds: 0.5 },
        batches(2, 1),
        Entry::Drift { id: ID.into(), layers: vec![layer], images: 8, seconds: 0.5 },
        Entry::Full { id: ID.into(), measured: measured(), seconds: 0.5 },
        Entry::Final { id: ID.into(), measured: measured() },
    ]
}

/// The text of a log of [`entries`].
fn text() -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let mut log = Log::create(&path).unwrap();
    log.begin(&request()).unwrap();
    entries().iter().for_each(|entry| log.append(entry).unwrap());
    fs::read_to_string(path).unwrap()
}

fn message(text: &str) -> String {
    read(text.as_bytes(), "log.jsonl").unwrap_err().to_string()
}

fn said(contents: &Contents) -> Vec<Entry> {
    contents.answers.iter().map(|answer| answer.entry.clone()).collect()
}

#[test]
fn what_was_written_is_read() {
    let contents = read(text().as_bytes(), "log.jsonl").unwrap().unwrap();
    assert_eq!(contents.request, request());
    assert_eq!(said(&contents), entries());
    assert_eq!(contents.answers[0].line, 2);
    assert_eq!(read(&b""[..], "log.jsonl").unwrap(), None);
    assert_eq!(read(&b"{\"model\":\"m"[..], "log.jsonl").unwrap(), None);
}

#[test]
fn a_cut_line_is_dropped_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/log.jsonl");
    let mut log = Log::create(&path).unwrap();
    log.begin(&request()).unwrap();
    log.append(&batches(0, 1)).unwrap();
    log.append(&batches(1, 1)).unwrap();
    drop(log);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    let (contents, mut log) = Log::resume(&path).unwrap();
    assert_eq!(said(&contents), [batches(0, 1)]);
    log.append(&batches(1, 3)).unwrap();
    drop(log);
    assert_eq!(said(&Log::resume(&path).unwrap().0), [batches(0, 1), batches(1, 3)]);
    assert!(Log::create(&path).unwrap_err().to_string().ends_with("--out names another folder"));
}

#[test]
fn one_process_writes_and_finds_out_when_its_file_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/folder/log.jsonl");
    let mut log = Log::create(&path).unwrap();
    let busy = |result: spiq::Result<()>| {
        let message = result.unwrap_err().to_string();
        assert!(message.ends_with("another search writes to this folder"), "{message}");
    };
    busy(Log::create(&path).map(drop));
    log.begin(&request()).unwrap();
    busy(Log::resume(&path).map(drop));
    fs::remove_dir_all(dir.path().join("new")).unwrap();
    let error = log.append(&batches(0, 1)).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("removed or replaced"), "{error}");
    fs::create_dir_all(dir.path().join("new/folder")).unwrap();
    fs::write(&path, "another").unwrap();
    assert_eq!(log.append(&batches(0, 1)).unwrap_err().exit_code(), 1);
}

/// A refused search is none, and a log of it would say that there was one.
#[test]
fn what_was_not_begun_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    drop(Log::create(&dir.path().join("a/b/log.jsonl")).unwrap());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    // A header that was cut holds nothing, and is taken over.
    let path = dir.path().join("log.jsonl");
    for cut in ["", "{\"model\":\"m"] {
        fs::write(&path, cut).unwrap();
        let message = Log::resume(&path).unwrap_err().to_string();
        assert!(message.ends_with("begin it with --out"), "{message}");
        Log::create(&path).unwrap().begin(&request()).unwrap();
        assert_eq!(Log::resume(&path).unwrap().0.request, request());
    }
}

#[test]
fn a_search_is_extended_and_not_shortened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let mut log = Log::create(&path).unwrap();
    log.begin(&request()).unwrap();
    let more = Terms { strategies: vec![StrategyName::All], seeds: vec![2, 3, 1], max_evaluations: 90.0 };
    log.extend(more.clone()).unwrap();
    log.append(&batches(0, 1)).unwrap();
    drop(log);
    let (contents, mut log) = Log::resume(&path).unwrap();
    assert_eq!((contents.request.terms(), said(&contents)), (more, vec![batches(0, 1)]));
    log.extend(request().terms()).unwrap();
    drop(log);
    let message = Log::resume(&path).unwrap_err().to_string();
    assert!(message.contains("log.jsonl:4: strategies: uniform, random, qsvit"), "{message}");
}

/// Every value of a header and of an answer is held to what flags and executions can say.
#[test]
fn what_makes_no_sense_is_refused_with_line_and_field() {
    let text = text();
    let cases = [
        ("seeds", "\"seeds\":[1,2]", "\"seeds\":[]"),
        ("seeds twice", "\"seeds\":[1,2]", "\"seeds\":[2,2]"),
        ("a negative seed", "\"seeds\":[1,2]", "\"seeds\":[-1]"),
        ("strategies", "[\"ilp\"]", "[]"),
        ("strategies twice", "[\"ilp\"]", "[\"all\",\"ilp\"]"),
        ("a strategy", "[\"ilp\"]", "[\"magic\"]"),
        ("evaluations", "\"max_evaluations\":60.0", "\"max_evaluations\":0.5"),
        ("no evaluations", "\"max_evaluations\":60.0", "\"max_evaluations\":-60"),
        ("beyond numbers", "\"max_evaluations\":60.0", "\"max_evaluations\":1e999"),
        ("slack", "\"slack\":1.25", "\"slack\":0.5"),
        ("drop", "\"accuracy_drop\":0.015", "\"accuracy_drop\":-7"),
        ("budget", "\"footprint_bytes\":300000.0", "\"footprint_bytes\":0"),
        ("a peak", "\"peak_bytes\":{}", "\"peak_bytes\":{\"L1\":0}"),
        ("one memory", "\"footprint_bytes\":300000.0", "\"memory_bytes\":null"),
        ("one memory to minimise", "\"objective\":\"footprint\"", "\"objective\":\"memory\""),
        ("65 bits", "\"uniform\":[8,", "\"uniform\":[65,"),
        ("no widths", "\"membranes\":[16,8,6,4]", "\"membranes\":[]"),
        ("an escape", "\"m.ron\"", "\"\\u001b[31mred\""),
        ("an unknown field", "\"limit\":60", "\"limit\":60,\"\\u001b[31mred\":1"),
        ("a budget that is none", "\"power_w\":null", "\"powre_w\":null"),
        ("accuracy", "\"accuracy\":0.9", "\"accuracy\":1.5"),
        ("lost", "\"lost\":7", "\"lost\":251"),
        ("gained", "\"gained\":4", "\"gained\":244"),
        ("images", "\"images\":250", "\"images\":0"),
        ("divergence", "\"divergence\":0.30000000000000004", "\"divergence\":-0.3"),
        ("no number", "\"divergence\":0.30000000000000004", "\"divergence\":NaN"),
        ("no batch before", "\"first\":2", "\"first\":1"),
        ("energy", "\"energy_j\":2e-6", "\"energy_j\":-1"),
        ("seconds", "\"seconds\":0.5", "\"seconds\":-0.5"),
        ("drift", "\"flips\":0.3", "\"flips\":-0.3"),
        ("an id", "\"id\":\"0123456789abcdef\"", "\"id\":\"../../../etc/abc\""),
        ("a plausible value", "\"lost\":7", "\"lost\":6"),
    ];
    let refusal = |(from, to): (&str, &str)| message(&change(&text, from, to));
    assert_snapshot!(lines(cases.map(|(name, from, to)| (name, (from, to))), refusal), @r###"
    seeds
      log.jsonl:1: seeds: there is none
    seeds twice
      log.jsonl:1: seeds: 2 twice
    a negative seed
      log.jsonl:1:625: invalid value: integer `-1`, expected u64
    strategies
      log.jsonl:1: strategies: there is none
    strategies twice
      log.jsonl:1: strategies: ilp twice
    a strategy
      log.jsonl:1:594: unknown variant `magic`, expected one of `uniform`, `random`, `qsvit`, `aq4svit-greedy`, `aq4svit-beam`, `spikehq`, `ratio-greedy`, `ilp`, `nsga2`, `all`
    evaluations
      log.jsonl:1: problem.max_evaluations: 0.5 is not a whole number up to 4294967295
    no evaluations
      log.jsonl:1: problem.max_evaluations: -60 is not above 0
    beyond numbers
      log.jsonl:1:385: number out of range
    slack
      log.jsonl:1: problem.slack: 0.5 is not in 1..=1000
    drop
      log.jsonl:1: problem.budgets.accuracy_drop: -7 is not in 0..=1 (0.015 stands for 1.5 points)
    budget
      log.jsonl:1: problem.budgets.footprint_bytes: 0 is not above 0
    a peak
      log.jsonl:1: problem.budgets.peak_bytes: 0 is not above 0
    one memory
      log.jsonl:1: problem.budgets.memory_bytes: memory is three figures: model (weights, biases, thresholds, requantizers), footprint (the model and all state, which memory was) and peak (what each on-chip memory holds); begin the search anew, with --out
    one memory to minimise
      log.jsonl:1: problem.objective: memory is three figures: model (weights, biases, thresholds, requantizers), footprint (the model and all state, which memory was) and peak (what each on-chip memory holds); begin the search anew, with --out
    65 bits
      log.jsonl:1: widths.uniform: 65 is not in 2..=16
    no widths
      log.jsonl:1: widths.membranes: there is none
    an escape
      log.jsonl:1: model: "\u{1b}[31mred" is empty or has control characters
    an unknown field
      log.jsonl:1:140: unknown field `\u{1b}[31mred`, expected one of `model`, `weights`, `selection`, `timesteps`, `hardware`, `machines`, `data`, `limit`, `validation_images`, `confidence`, `alternatives`, `problem`, `widths`, `strategies`, `accelerated`, `seeds`, `identity`
    a budget that is none
      log.jsonl:1:298: unknown field `powre_w`, expected one of `accuracy_drop`, `model_bytes`, `footprint_bytes`, `peak_bytes`, `energy_j`, `power_w`, `latency_s`, `area_mm2`
    accuracy
      log.jsonl:2: accuracy: 1.5 is not in 0..=1
    lost
      log.jsonl:3: batches.lost: 251 of 250 images
    gained
      log.jsonl:3: batches.gained: 244 of 250 images, 7 of them lost
    images
      log.jsonl:3: batches.images: 0 is not above 0
    divergence
      log.jsonl:3: batches.divergence: -0.3 is not in 0..=1e30
    no number
      log.jsonl:3:115: expected value
    no batch before
      log.jsonl:5: first: 1 does not follow 2 batches
    energy
      log.jsonl:4: figures.energy_j: -1 is not in 0..=1e30
    seconds
      log.jsonl:4: seconds: -0.5 is not in 0..=1e30
    drift
      log.jsonl:6: layers.flips: -0.3 is not in 0..=1e30
    an id
      log.jsonl:3: id: 16 hexadecimal digits name a setting
    a plausible value
      log.jsonl:3: checksum: this line, or one before it, is not what the search wrote
    "###);
}

#[test]
fn a_line_that_is_missing_or_out_of_place_is_noticed() {
    let text = text();
    let all: Vec<&str> = text.lines().collect();
    let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let torn = [&all[..3], &[&all[3][..20]], &all[3..]].concat();
    let swapped = [&all[..1], &[all[2], all[1]], &all[3..]].concat();
    let missing = [&all[..1], &all[2..]].concat();
    let twice = [&all[..4], &all[3..]].concat();
    let cases = [
        ("torn in the middle", joined(&torn)),
        ("swapped", joined(&swapped)),
        ("missing", joined(&missing)),
        ("twice", joined(&twice)),
        ("empty", text.replacen('\n', "\n\n", 1)),
        ("no header", joined(&all[1..])),
        ("unsealed", text.replace(",\"checksum\":", "}\n{\"checksum\":")),
    ];
    assert_snapshot!(lines(cases, |text| message(&text)), @r###"
    torn in the middle
      log.jsonl:4:20: EOF while parsing an object
    swapped
      log.jsonl:2: checksum: this line, or one before it, is not what the search wrote
    missing
      log.jsonl:2: checksum: this line, or one before it, is not what the search wrote
    twice
      log.jsonl:5: fidelity: charge of 0123456789abcdef was answered before
    empty
      log.jsonl:2:0: EOF while parsing a value
    no header
      log.jsonl:1:11: unknown field `fidelity`, expected one of `model`, `weights`, `selection`, `timesteps`, `hardware`, `machines`, `data`, `limit`, `validation_images`, `confidence`, `alternatives`, `problem`, `widths`, `strategies`, `accelerated`, `seeds`, `identity`
    unsealed
      log.jsonl:1: checksum: the line has none: no search of this version wrote it
    "###);
}

/// What a network cannot have answered: 4,000 images in batches of 250.
#[test]
fn answers_fit_the_images() {
    let refusal = |entry: Entry| {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::create(&dir.path().join("log.jsonl")).unwrap();
        log.begin(&request()).unwrap();
        let oracle = Synthetic::new();
        let logged = Store::logged(&oracle, vec![Logged { line: 7, entry }], &mut log).map(drop);
        let message = logged.unwrap_err().to_string();
        message.split_once("log.jsonl").unwrap().1.to_owned()
    };
    let few = Batch { images: 249, ..Batch::default() };
    let cases = [
        ("too many", batches(16, 1)),
        ("beyond counting", batches(usize::MAX, 1)),
        ("of another size", Entry::Batches { id: ID.into(), first: 3, batches: vec![few], seconds: 0.0 }),
        ("drift", Entry::Drift { id: ID.into(), layers: Vec::new(), images: 4001, seconds: 0.0 }),
    ];
    assert_snapshot!(lines(cases, refusal), @r###"
    too many
      :7: batches: 17 of the 16 that there are
    beyond counting
      :7: batches: 18446744073709551615 of the 16 that there are
    of another size
      :7: batches.images: 249 in batch 3, which has 250
    drift
      :7: images: 4001 of the 4000 that there are
    "###);
}

/// What may happen to a log.
#[derive(Debug, Clone)]
enum Edit {
    Flip(Index, u8),
    Insert(Index, u8),
    Cut(Index),
    Delete(Index, usize),
    SwapLines(Index, Index),
    RepeatLine(Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), 0u8..8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        3 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        1 => at().prop_map(Edit::Cut),
        2 => (at(), 1usize..400).prop_map(|(at, count)| Edit::Delete(at, count)),
        1 => (at(), at()).prop_map(|(a, b)| Edit::SwapLines(a, b)),
        1 => at().prop_map(Edit::RepeatLine),
    ]
}

fn edited(original: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for edit in edits {
        let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
        let place = |at: &Index| at.index(bytes.len().max(1)).min(bytes.len());
        let line = |at: &Index| at.index(lines.len().max(1));
        match edit {
            _ if lines.is_empty() => (),
            Edit::Flip(at, bit) => {
                let at = place(at);
                bytes[at] ^= 1 << bit;
            }
            Edit::Insert(at, byte) => bytes.insert(place(at), *byte),
            Edit::Cut(at) => bytes.truncate(place(at)),
            Edit::Delete(at, count) => {
                let at = place(at);
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Edit::SwapLines(a, b) => {
                let (a, b) = (line(a), line(b));
                lines.swap(a, b);
                bytes = lines.concat();
            }
            Edit::RepeatLine(at) => {
                let at = line(at);
                lines.insert(at, lines[at].clone());
                bytes = lines.concat();
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Nothing but a part of what was written is ever believed; the rest is asked again.
    #[test]
    fn a_damaged_log_is_refused_or_tells_the_truth(edits in prop::collection::vec(edit(), 1..4)) {
        let original = text();
        match read(&edited(original.as_bytes(), &edits)[..], "log.jsonl") {
            Ok(None) => (),
            Ok(Some(contents)) => {
                prop_assert_eq!(&contents.request, &request());
                let (said, entries) = (said(&contents), entries());
                prop_assert_eq!(&said[..], &entries[..said.len()]);
            }
            Err(error) => {
                let message = error.to_string();
                let line = message.strip_prefix("log.jsonl:").and_then(|rest| rest.split(':').next());
                prop_assert!(line.is_some_and(|line| line.parse::<usize>().is_ok()), "{}", message);
                prop_assert!(!message.contains(char::is_control), "{:?}", message);
            }
        }
    }
}

#[test]
fn a_pipe_is_no_log() {
    let message = Log::resume(Path::new("/dev/null")).unwrap_err().to_string();
    assert_eq!(message, "/dev/null: a pipe or a device, not a file");
}
