//! The bundled model from the command line: run, export, validate, describe.

use std::fs;

use super::support::*;

#[test]
fn a_run_its_dump_and_its_bundle() {
    let dir = folder();
    let (code, text, message) = spiq(dir.path(), &["run", "--limit", "3", "--dump", "dump", "--json"]);
    assert_eq!(code, 0, "{message}");
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&told["images"], &told["setting"]), (&json!(3), &json!("w8")));
    assert_eq!(fs::read_to_string(dir.path().join("dump/run.json")).unwrap(), text);
    let (shape, _) = array(&dir.path().join("dump/block.0.attn.q_lif.npy"));
    assert_eq!(shape, [4, 3, 64, 7, 7]);
    assert!(!dir.path().join("dump/head.accumulator.npy").exists());
    let (code, _, message) = spiq(dir.path(), &["export", "golden", "--limit", "1", "--out", "golden"]);
    assert_eq!(code, 0, "{message}");
    let (code, text, _) = spiq(dir.path(), &["validate", "golden"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("block.1.mlp.fc2_lif")
            && text.ends_with("golden: equal, 1413826 integers compared, 0 mismatches\n")
    );
    let (_, logits) = array(&dir.path().join("dump/logits.npy"));
    let (_, recorded) = array(&dir.path().join("golden/logits.values.npy"));
    assert_eq!(logits[..10], recorded);
    let (code, _, message) = spiq(dir.path(), &["export", "rtl", "--out", "rtl"]);
    assert_eq!(code, 0, "{message}");
    assert!(dir.path().join("rtl/block.0.attn.q_conv/layer.vh").exists());
    // Nothing but results is left.
    let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["dump", "golden", "rtl"]);
}

#[test]
fn requests_that_make_no_sense() {
    let dir = folder();
    fs::write(dir.path().join("file"), "an earlier result").unwrap();
    let refusal = |arguments: &[&str]| {
        let (code, text, message) = spiq(dir.path(), arguments);
        assert_eq!((code, text.as_str()), (2, ""), "{arguments:?}: {message}");
        message
    };
    let cases = [
        ("--limit: 0 is not in 1..=10000", refusal(&["run", "--limit", "0"])),
        ("--limit: 10001 is not in", refusal(&["run", "--limit", "10001"])),
        ("fp32 has none", refusal(&["export", "golden", "--quant", "fp32", "--out", "x"])),
        (
            "are of integers",
            refusal(&["run", "--quant", "fp32", "--limit", "1", "--dump", "x", "--dump-membranes"]),
        ),
        ("--dump <DIR>", refusal(&["run", "--dump-membranes"])),
        ("file: not a directory", refusal(&["export", "rtl", "--out", "file"])),
        ("fp32 has no integers", refusal(&["describe", "sdtv1_2-64_fashion", "--quant", "fp32"])),
        ("nowhere/manifest.json: No such file", refusal(&["validate", "nowhere"])),
    ];
    for (expected, message) in cases {
        assert!(message.contains(expected), "{message}, expected {expected}");
    }
    assert_eq!(fs::read_to_string(dir.path().join("file")).unwrap(), "an earlier result");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn proven_accumulators_are_shown() {
    let dir = folder();
    let arguments = ["describe", "sdtv1_2-64_fashion", "--quant", "w4", "--json"];
    let (code, text, message) = spiq(dir.path(), &arguments);
    assert_eq!(code, 0, "{message}");
    let told: Value = serde_json::from_str(&text).unwrap();
    let bits = |name: &str| {
        let layers = told["layers"].as_array().unwrap();
        layers.iter().find(|layer| layer["name"] == name).unwrap()["accumulator_bits"].as_u64()
    };
    // 64 weights of at most 7 are at most 448, which 10 bits hold; 9 pixels of 9 bits at most 9 x 7 x 182.
    assert!(bits("block.0.attn.q_conv").unwrap() <= 10 && bits("block.0.attn.q_conv").unwrap() > 7);
    assert!(bits("patch_embed.proj_conv").unwrap() <= 15 && bits("patch_embed.proj_conv").unwrap() > 11);
    assert_eq!(bits("block.0.attn.q_lif"), None);
    let (_, text, _) = spiq(dir.path(), &arguments[..4]);
    assert!(text.contains("operations  accumulator bits\n"), "{text}");
    let (_, text, _) = spiq(dir.path(), &arguments[..2]);
    assert!(!text.contains("accumulator"), "{text}");
}
