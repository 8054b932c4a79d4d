//! Networks that run fewer or more timesteps than their descriptions say.

use std::fs;

use tempfile::TempDir;

use crate::kept_integers::spiq;

/// A network and one whose description says two timesteps compute the same, spike by spike, if the former is asked for
/// two: the hash is over every logit.
#[test]
fn timesteps_are_those_of_a_description_that_says_so() {
    let folder = TempDir::new().unwrap();
    let text = fs::read_to_string("tests/data/families/v1.ron").unwrap();
    assert!(text.contains("timesteps: 4"), "{text}");
    fs::write(folder.path().join("own.ron"), &text).unwrap();
    fs::write(folder.path().join("said.ron"), text.replace("timesteps: 4", "timesteps: 2")).unwrap();
    let run = |model: &str, more: &[&str]| {
        let run = ["run", "--json", "--data", "noise", "--limit", "3", "--quant", "w4u8", "--model", model];
        let (code, told) = spiq(folder.path(), &[&run[..], more].concat());
        assert_eq!(code, 0, "{told}");
        let run: serde_json::Value = serde_json::from_str(&told).unwrap();
        (run["timesteps"].as_u64().unwrap(), run["logits_sha256"].as_str().unwrap().to_owned())
    };
    let (said, asked) = (run("said.ron", &[]), run("own.ron", &["--timesteps", "2"]));
    assert_eq!(said, asked);
    assert_eq!(run("own.ron", &["--timesteps", "4"]), run("own.ron", &[]));
    assert_ne!(asked, run("own.ron", &[]));
}

#[test]
fn timesteps_that_no_network_has() {
    let folder = TempDir::new().unwrap();
    for timesteps in ["0", "65"] {
        let (code, told) = spiq(folder.path(), &["simulate", "--timesteps", timesteps]);
        let expected = format!("error: sdtv1_2-64_fashion: timesteps: {timesteps} is not in 1..=64\n");
        assert_eq!((code, told), (2, expected));
    }
}
