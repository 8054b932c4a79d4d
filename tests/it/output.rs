//! Folders of results: what a failure, a kill and a second run leave in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use spiq::name::check_plain;
use spiq::output::{OutputFolder, Owner};
use tempfile::TempDir;

use crate::bad_input::support::Bench;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes `files`, of which each holds its name and `content`.
fn write(target: &Path, owner: Owner, files: &[&str], content: &str) -> spiq::Result<()> {
    let folder = OutputFolder::new(target, owner)?;
    files.iter().try_for_each(|name| folder.write(name, format!("{name} {content}")))?;
    folder.finish()
}

/// What is in a folder: every file or link by its path, but for lists.
fn content(target: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![target.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.path().strip_prefix(target).unwrap().to_str().unwrap().to_owned();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if !name.contains(".spiq/") || !name.ends_with(".sha256") {
                found.insert(name, fs::read_to_string(entry.path()).unwrap_or_default());
            }
        }
    }
    found
}

fn names(target: &Path) -> Vec<String> {
    content(target).into_keys().collect()
}

#[test]
fn what_an_earlier_run_left_goes_and_what_is_the_users_stays() {
    let dir = folder();
    let target = dir.path().join("new/out");
    write(&target, Owner::Dump, &["a", "b", "c", "rates/x", "rates/y", "plots/p"], "of the first").unwrap();
    fs::write(target.join("mine"), "kept").unwrap();
    fs::write(target.join("plots/mine"), "kept").unwrap();
    fs::write(target.join("c"), "changed since").unwrap();
    write(&target, Owner::Dump, &["a", "rates/z"], "of the second").unwrap();
    assert_eq!(names(&target), ["a", "c", "mine", "plots/mine", "rates/z"]);
    assert_eq!(content(&target)["a"], "a of the second");
    // What was changed belongs to the user from then on.
    write(&target, Owner::Dump, &["a"], "of the third").unwrap();
    assert_eq!(names(&target), ["a", "c", "mine", "plots/mine"]);
    assert!(!target.join("rates").exists());
}

#[test]
fn each_command_removes_its_own_files_alone() {
    let dir = folder();
    write(dir.path(), Owner::Report, &["report.json", "plots/energy.svg", "plots/power.svg"], "report")
        .unwrap();
    write(dir.path(), Owner::Comparison, &["comparison.json", "plots/energy.svg"], "comparison").unwrap();
    assert_eq!(names(dir.path()).len(), 4);
    // The picture of the other command is no longer the one that was written here.
    write(dir.path(), Owner::Report, &["report.json"], "report").unwrap();
    assert_eq!(names(dir.path()), ["comparison.json", "plots/energy.svg", "report.json"]);
    write(dir.path(), Owner::Comparison, &["comparison.json"], "comparison").unwrap();
    assert_eq!(names(dir.path()), ["comparison.json", "report.json"]);
}

#[test]
fn a_run_that_fails_leaves_everything_as_it_was() {
    let dir = folder();
    let target = dir.path().join("fresh/out");
    {
        let folder = OutputFolder::new(&target, Owner::Dump).unwrap();
        folder.write("a", "never seen").unwrap();
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    write(&target, Owner::Dump, &["a", "b"], "first").unwrap();
    let before = content(&target);
    {
        let folder = OutputFolder::new(&target, Owner::Dump).unwrap();
        folder.write("a", "never seen").unwrap();
    }
    fs::create_dir_all(target.join("folder")).unwrap();
    fs::write(target.join("file"), "kept").unwrap();
    for (name, message) in [("folder", "folder: is a directory"), ("file/below", "file: not a directory")] {
        let told = write(&target, Owner::Dump, &["a", name], "second").unwrap_err().to_string();
        assert!(told.ends_with(message), "{told}");
    }
    fs::remove_file(target.join("file")).unwrap();
    assert_eq!(content(&target), before);
}

#[test]
fn no_two_results_share_a_file() {
    let dir = folder();
    let folder = OutputFolder::new(dir.path(), Owner::Dump).unwrap();
    for name in ["n.membrane.npy", "layer/w.mem", "a/b/c"] {
        folder.write(name, "").unwrap();
    }
    for name in ["n.membrane.npy", "N.Membrane.npy", "layer", "Layer/w.mem/x", "A/b", "a"] {
        let told = folder.write(name, "").unwrap_err().to_string();
        assert!(told.ends_with(&format!("{name:?}: two results have this name, case aside")), "{told}");
    }
    folder.write("layer/v.mem", "").unwrap();
}

/// The list is input like any other file.
#[test]
fn a_list_never_leads_out_of_its_folder() {
    let dir = folder();
    let target = dir.path().join("out");
    write(&target, Owner::Dump, &["a"], "first").unwrap();
    let list = target.join(".spiq/dump.sha256");
    let good = fs::read_to_string(&list).unwrap();
    let hash = &good[..64];
    let victim = dir.path().join("victim");
    fs::write(&victim, "a first").unwrap();
    let absolute = victim.to_str().unwrap();
    for name in [
        "../victim",
        absolute,
        "b/../../victim",
        "./../victim",
        "",
        ".",
        "..",
        "b//c",
        "b\\..\\c",
        "\u{1b}[2J",
    ] {
        fs::write(&list, format!("{good}{hash}  {name}\n")).unwrap();
        let told = write(&target, Owner::Dump, &["b"], "second").unwrap_err().to_string();
        assert!(told.contains("dump.sha256:2:1: ") && !told.contains('\u{1b}'), "{name}: {told}");
        assert_eq!(names(&target), ["a"]);
    }
    for line in ["nothing", &format!("{}  b", &hash[1..]), &format!("{hash} b"), "\0"] {
        fs::write(&list, line).unwrap();
        assert!(write(&target, Owner::Dump, &["b"], "second").is_err(), "{line}");
    }
    #[cfg(unix)]
    {
        // Neither by a link in the place of a folder, nor by one in the place of the file.
        std::os::unix::fs::symlink(dir.path(), target.join("link")).unwrap();
        std::os::unix::fs::symlink(&victim, target.join("linked")).unwrap();
        fs::write(&list, format!("{good}{hash}  link/victim\n{hash}  linked\n")).unwrap();
        write(&target, Owner::Dump, &["b"], "second").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "a first");
        assert_eq!(names(&target), ["b", "link", "linked"]);
        assert!(write(&target, Owner::Dump, &["link/b"], "third").is_err());
        assert!(!dir.path().join("b").exists());
    }
}

/// Killed runs leave a folder like this: staged files, a list of old and new files, some of the new ones in place.
#[test]
fn the_next_run_repairs_what_a_killed_one_left() {
    let dir = folder();
    let lists = dir.path().join(".spiq");
    write(dir.path(), Owner::Dump, &["a", "new"], "killed").unwrap();
    let killed = fs::read_to_string(lists.join("dump.sha256")).unwrap();
    write(dir.path(), Owner::Dump, &["a", "old"], "before").unwrap();
    let before = fs::read_to_string(lists.join("dump.sha256")).unwrap();
    // Killed after the first rename of two, with one file staged.
    fs::write(lists.join("dump.sha256"), before + &killed).unwrap();
    fs::write(dir.path().join("a"), "a killed").unwrap();
    fs::create_dir(lists.join("new-dead")).unwrap();
    fs::write(lists.join("new-dead/new"), "new killed").unwrap();
    // Another process is at work there.
    let alive = OutputFolder::new(dir.path(), Owner::Torch).unwrap();
    assert!(!lists.join("new-dead").exists());
    write(dir.path(), Owner::Dump, &["a"], "repaired").unwrap();
    alive.write("model.safetensors", "alive").unwrap();
    alive.finish().unwrap();
    assert_eq!(names(dir.path()), ["a", "model.safetensors"]);
    assert_eq!(content(dir.path())["a"], "a repaired");
    assert_eq!(fs::read_dir(&lists).unwrap().count(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any text either is no name, or is one file inside the folder and comes back as such.
    #[test]
    fn any_name_is_refused_or_one_file_inside(
        name in prop_oneof![any::<String>(), "[./\\\\a-cA_:-]{0,12}", "[a-z0-9_.-]{1,140}"],
    ) {
        let dir = folder();
        let target = dir.path().join("out");
        let written = write(&target, Owner::Dump, &[&name], "");
        prop_assert!(written.is_ok() || !dir.path().join("out").exists(), "{:?}", name);
        if check_plain(&name).is_ok() {
            prop_assert!(written.is_ok(), "{:?}", name);
            prop_assert_eq!(names(dir.path()), [format!("out/{name}")]);
        } else if written.is_ok() {
            // A path of plain names, or a longer one.
            prop_assert!(name.contains('/') || name.chars().count() > 128, "{:?}", name);
            prop_assert_eq!(names(dir.path()), [format!("out/{name}")]);
        }
        prop_assert_eq!(fs::read_dir(dir.path()).unwrap().count(), usize::from(written.is_ok()));
    }
}

const LAYERS: &str = r#"Model(name: "small", family: Layers([
    Conv(name: "conv1", out_channels: 4, kernel: 3), Neuron(name: "if1"),
    Conv(name: "conv2", out_channels: 4, kernel: 3), Neuron(name: "if2"),
    Linear(name: "fc", out_features: 10, flatten: true), MeanTimesteps(name: "mean"),
]), input: Image(shape: (1, 16, 16), mean: [0.5], std: [0.5], bits: 8), timesteps: 4, classes: 10,
weights: Seeded(1))"#;

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("m.ron", LAYERS);
    bench
}

fn succeed(bench: &Bench, arguments: &[&str]) {
    let output = bench.run(&[arguments, &["--model", "m.ron", "--data", "noise"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Every command describes what is in its folder.
#[test]
fn a_second_run_leaves_nothing_of_the_first() {
    let bench = bench();
    succeed(&bench, &["run", "--quant", "w8", "--limit", "2", "--dump", "d", "--dump-membranes"]);
    assert!(bench.path("d/if1.membrane.npy").exists());
    succeed(&bench, &["run", "--quant", "w2", "--limit", "1", "--dump", "d"]);
    assert_eq!(names(&bench.path("d")), ["if1.npy", "if2.npy", "input.npy", "logits.npy", "run.json"]);
    succeed(&bench, &["run", "--quant", "fp32", "--limit", "1", "--dump", "d"]);
    assert_eq!(names(&bench.path("d")), ["if1.npy", "if2.npy", "logits.npy", "run.json"]);
    for setting in ["w3", "w8"] {
        succeed(&bench, &["simulate", "--quiet", "--limit", "1", "--quant", setting, "--out", "s"]);
    }
    let rates: Vec<_> =
        names(&bench.path("s")).into_iter().filter(|name| name.starts_with("rates/")).collect();
    assert_eq!(rates, ["rates/w8.csv"]);
    // One manifest, so one set of files: those of the other bundle go with theirs.
    succeed(&bench, &["export", "golden", "--quant", "w4", "--limit", "1", "--out", "g"]);
    succeed(
        &bench,
        &["export", "torch", "--units", "integers", "--quant", "w4", "--limit", "1", "--out", "g"],
    );
    assert!(bench.path("g/if1.values.npy").exists());
    succeed(&bench, &["export", "rtl", "--quant", "w4", "--limit", "1", "--out", "g"]);
    let tops = fs::read_dir(bench.path("g")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut tops: Vec<_> = tops.map(|name| name.into_string().unwrap()).collect();
    tops.sort();
    assert_eq!(tops, [".spiq", "conv2", "manifest.json", "model.safetensors"]);
}

/// Killed at any instant, a run leaves what the next one makes whole.
#[test]
fn a_run_after_kills_is_a_first_run() {
    let bench = bench();
    let dump = ["run", "--quant", "w4", "--dump", "d", "--dump-membranes", "--dump-accumulators"];
    succeed(&bench, &[&dump[..], &["--limit", "3"]].concat());
    for i in 0..12u64 {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_spiq"))
            .args(["run", "--model", "m.ron", "--data", "noise", "--quant", "w6", "--dump", "d"])
            .current_dir(bench.path(""))
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(4 * i * i % 97));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(bench.path("d/run.json").exists());
    }
    succeed(&bench, &["run", "--quant", "w5", "--limit", "1", "--dump", "d"]);
    succeed(&bench, &["run", "--quant", "w5", "--limit", "1", "--dump", "fresh"]);
    let bytes = |folder: &str| -> Vec<_> {
        names(&bench.path(folder))
            .iter()
            .map(|name| fs::read(bench.path(folder).join(name)).unwrap())
            .collect()
    };
    assert_eq!(names(&bench.path("d")), names(&bench.path("fresh")));
    assert_eq!(bytes("d"), bytes("fresh"));
    let inside = fs::read_dir(bench.path("d/.spiq")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(inside.collect::<Vec<_>>(), ["dump.sha256"]);
}

/// Names that are no files, and those that clash with others: refused before anything runs.
#[test]
fn layers_whose_arrays_would_be_lost() {
    let bench = bench();
    let told = |name: &str| {
        bench.write("m.ron", LAYERS.replace("\"if2\"", &format!("{name:?}")));
        let flags = ["--data", "noise", "--quant", "w4", "--dump", "lost", "--dump-membranes"];
        let message = bench.refusal(&[&["run", "--model", "m.ron"], &flags[..]].concat());
        assert!(!bench.path("lost").exists(), "{name}");
        message.trim_end().to_owned()
    };
    let long = "x".repeat(300);
    for name in ["../../victim", "/victim", ".", "..", "", "n/1", "n\\1", "n\n", &long] {
        let message = told(name);
        assert!(message.starts_with("error: m.ron:3:") && message.contains(": name: "), "{message}");
        assert!(message.len() < 250, "{message}");
    }
    for (name, file) in [
        ("if1.membrane", "if1.membrane.npy"),
        ("logits", "logits.npy"),
        ("IF1", "IF1.npy"),
        ("IF1.Membrane", "IF1.Membrane.npy"),
    ] {
        assert_eq!(told(name), format!("error: lost: {file:?}: two results have this name, case aside"));
    }
    assert_eq!(told("input"), "error: m.ron: family: layer input: defined twice");
}
