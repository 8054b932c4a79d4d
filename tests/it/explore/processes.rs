//! Plans that workers share: killed at any instant, they leave what one process makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::spaces::{SPACE, files, spiq, succeed};

/// Seed of the instants.
const SEED: u64 = 21;
/// Rounds in which workers are killed.
const ROUNDS: usize = 8;

/// A folder with a space and what `spiq explore` makes of it.
fn explored(space: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("space.ron");
    fs::write(&path, space).unwrap();
    let out = folder.path().join("out");
    succeed(spiq(&["explore", path.to_str().unwrap(), "--quiet", "--out", out.to_str().unwrap()]));
    (folder, path)
}

fn plan(space: &Path, run: &Path) -> String {
    succeed(spiq(&["plan", space.to_str().unwrap(), "--quiet", "-o", run.to_str().unwrap()]))
}

fn start(run: &Path, shard: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spiq"));
    command.args(["work", run.to_str().unwrap(), "--quiet", "--threads", "1", "--shard", shard]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn work(run: &Path, extra: &[&str]) -> Output {
    spiq(&[&["work", run.to_str().unwrap(), "--quiet"], extra].concat())
}

fn merge(run: &Path) -> Output {
    spiq(&["merge", run.to_str().unwrap()])
}

/// Files of results, by name.
fn results(run: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(run.join("results")).into_iter().flatten().map(|entry| entry.unwrap().path());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let is_result = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let mut files: Vec<PathBuf> = files.filter(is_result).collect();
    files.sort();
    files
}

fn refused(output: &Output, code: i32) -> String {
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{message}");
    message
}

#[test]
fn killed_workers_leave_what_one_process_makes() {
    let (folder, space) = explored(SPACE);
    let run = folder.path().join("run");
    let told = plan(&space, &run);
    assert!(told.contains("12 evaluations, a plan of "), "{told}");
    let mut dice = ChaCha8Rng::seed_from_u64(SEED);
    let mut instants = Vec::new();
    for round in 0..ROUNDS {
        // Two workers at the same evaluations, or at halves.
        let shards = if round % 2 == 0 { ["0/1", "0/1"] } else { ["0/2", "1/2"] };
        let mut workers = shards.map(|shard| start(&run, shard));
        for worker in &mut workers {
            let instant = dice.next_u64() % 1500;
            instants.push(instant);
            std::thread::sleep(Duration::from_millis(instant));
            // One that ended before is ended.
            let _ = worker.kill();
            worker.wait().unwrap();
        }
    }
    let half = refused(&merge(&run), if results(&run).len() == 12 { 0 } else { 1 });
    assert!(results(&run).len() == 12 || half.contains(" of 12 not made: "), "{half}");
    succeed(work(&run, &[]));
    assert_eq!(succeed(work(&run, &[])), "0 evaluations made, 12 were there\n");
    succeed(merge(&run));
    let merged = files(&run.join("merged"));
    assert!(merged == files(&folder.path().join("out")), "seed {SEED}, instants {instants:?}");
}

#[test]
fn single_evaluations_and_shards_add_up() {
    let (folder, space) = explored(SPACE);
    let run = folder.path().join("run");
    plan(&space, &run);
    let message = refused(&merge(&run), 1);
    assert!(message.contains("12 of 12 not made: "), "{message}");
    let lines = fs::read_to_string(run.join("plan.jsonl")).unwrap();
    let entry: serde_json::Value = serde_json::from_str(lines.lines().nth(3).unwrap()).unwrap();
    let id = entry["id"].as_str().unwrap();
    assert_eq!(succeed(work(&run, &["--id", id])), "1 evaluations made, 0 were there\n");
    let of: Vec<String> = (0..3).map(|i| succeed(work(&run, &["--shard", &format!("{i}/3")]))).collect();
    assert_eq!(of[0], "4 evaluations made (4 refused), 0 were there\n");
    assert_eq!(of[1], "3 evaluations made, 1 were there\n");
    // What workers were writing that were killed: long ago, and perhaps not.
    let beside = |name: &str| results(&run)[0].with_file_name(name);
    for (name, hours) in [(".new-old", 2), (".new-young", 0)] {
        let file = fs::File::create(beside(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(hours)).unwrap();
    }
    succeed(merge(&run));
    assert_eq!([".new-old", ".new-young"].map(|name| beside(name).exists()), [false, true]);
    assert!(files(&run.join("merged")) == files(&folder.path().join("out")));
    // A damaged result is named, made again, and then whole.
    let is_evaluated = |path: &&PathBuf| fs::read_to_string(path).unwrap().contains("\"refused\":null");
    let all = results(&run);
    let damaged = all.iter().filter(is_evaluated).nth(3).unwrap();
    let whole = fs::read_to_string(damaged).unwrap();
    fs::write(damaged, whole.replacen("\"id\"", "\"ie\"", 1)).unwrap();
    let message = refused(&merge(&run), 1);
    let name = damaged.file_stem().unwrap().to_str().unwrap();
    assert!(message.contains(&format!("1 of 12 damaged, to be made again: {name}")), "{message}");
    assert_eq!(succeed(work(&run, &[])), "1 evaluations made, 11 were there\n");
    assert_eq!(fs::read_to_string(damaged).unwrap(), whole);
}

#[test]
fn runs_of_other_inputs_are_refused() {
    let (folder, space) = explored(&SPACE.replace("[\"w8\", \"w4\"]", "[\"w4\"]"));
    let [run, other] = ["run", "other"].map(|name| folder.path().join(name));
    plan(&space, &run);
    succeed(work(&run, &[]));
    fs::write(&space, SPACE.replace("[\"w8\", \"w4\"]", "[\"w3\"]")).unwrap();
    plan(&space, &other);
    succeed(work(&other, &["--shard", "0/2"]));
    let stranger = &results(&other)[0];
    let name = stranger.file_name().unwrap().to_str().unwrap();
    let place = run.join("results").join(&name[..2]);
    fs::create_dir_all(&place).unwrap();
    fs::copy(stranger, place.join(name)).unwrap();
    let message = refused(&merge(&run), 2);
    assert!(message.contains("no result of this plan"), "{message}");
    // A plan that somebody changed.
    let text = fs::read_to_string(other.join("plan.jsonl")).unwrap();
    fs::write(
        other.join("plan.jsonl"),
        text.lines().take(3).map(|line| format!("{line}\n")).collect::<String>(),
    )
    .unwrap();
    assert!(refused(&merge(&other), 2).contains("the lines are not those that were planned"));
    fs::write(other.join("plan.jsonl"), &text).unwrap();
    let planned = fs::read_to_string(other.join("space.ron")).unwrap();
    fs::write(other.join("space.ron"), planned.replace("32", "16")).unwrap();
    assert!(refused(&work(&other, &[]), 2).contains("not the space that was planned"));
    for (flags, expected) in [
        (["--shard", "2/2"], "no part, from 0/n to (n-1)/n"),
        (["--shard", "1"], "no part"),
        (["--id", "abc"], "abc is no evaluation of this plan"),
    ] {
        fs::write(other.join("space.ron"), &planned).unwrap();
        assert!(refused(&work(&other, &flags), 2).contains(expected), "{flags:?}");
    }
    assert!(refused(&work(&folder.path().join("none"), &[]), 2).contains("plan.jsonl"));
}
