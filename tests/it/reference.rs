//! Networks that `python/reference` made up and computed, in `tests/data/reference`.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::cargo::cargo_bin_cmd;

/// The bundles, and one for each defect that they have found stays among them.
fn bundles() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/reference");
    let mut folders: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

#[test]
fn every_integer_is_that_of_the_numpy_reference() {
    let output = cargo_bin_cmd!("spiq").arg("validate").args(bundles()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let compared = text.lines().filter_map(|line| {
        let (_, result) = line.split_once(": equal, ")?;
        result.strip_suffix(" integers compared, 0 mismatches")?.parse::<u64>().ok()
    });
    let compared: Vec<u64> = compared.collect();
    assert_eq!(compared.len(), bundles().len(), "{text}");
    assert!(compared.iter().all(|&n| n > 100), "{text}");
}

/// Every operation of a bundle is in one of them, so that none goes unchecked.
#[test]
fn the_networks_hold_every_operation() {
    let texts: Vec<String> =
        bundles().iter().map(|folder| fs::read_to_string(folder.join("manifest.json")).unwrap()).collect();
    let operations = [
        "weighted",
        "neuron",
        "loihi",
        "levels",
        "requantize",
        "add_membrane",
        "add_spikes",
        "or",
        "and_not",
        "max_pool",
        "sum_pool",
        "plane_pool",
        "key_value_count",
        "channel_count",
        "attention",
        "mask",
        "class_token",
        "first_token",
        "sum_positions",
        "sum_timesteps",
    ];
    for operation in operations {
        assert!(texts.iter().any(|text| text.contains(&format!("\"type\":\"{operation}\""))), "{operation}");
    }
}
