//! Arrays of a bundle that are not what they should be: the message names the file.

use std::fs;

use super::support::*;

#[test]
fn arrays_that_are_not_as_described() {
    let mut dice = Dice::new(91);
    let (model, samples) = any_network(&mut dice);
    let dir = folder();
    export_golden(&model, ["zoo", "test"], &images_of(&samples), dir.path()).unwrap();
    let file = dir.path().join("stem.values.npy");
    let original = fs::read(&file).unwrap();
    let header = |from: &str, to: &str| {
        let mut bytes = original.clone();
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    let cases: [(&str, Vec<u8>); 7] = [
        ("descr: float32, expected integers", header("<i4", "<f4")),
        ("descr: \">i4\" is big endian", header("<i4", ">i4")),
        ("fortran_order: True", header("False,", "True, ")),
        ("length: ", original[..original.len() - 1].to_vec()),
        ("header: 10 of its 118 bytes are there", original[..20].to_vec()),
        ("magic: not a .npy file", b"not a .npy file at all".to_vec()),
        ("sha256: ", {
            let mut bytes = original.clone();
            *bytes.last_mut().unwrap() ^= 1;
            bytes
        }),
    ];
    for (expected, bytes) in cases {
        fs::write(&file, bytes).unwrap();
        let message = Bundle::load(dir.path()).unwrap_err().to_string();
        assert!(message.contains("stem.values.npy: ") && message.contains(expected), "{message}, {expected}");
    }
    fs::write(&file, &original).unwrap();
    let mut missing = manifest(dir.path());
    missing["nodes"].as_array_mut().unwrap().remove(2);
    write_manifest(dir.path(), &missing);
    let message = Bundle::load(dir.path()).unwrap_err().to_string();
    assert!(message.contains("no such node before it"), "{message}");
    fs::write(dir.path().join("manifest.json"), &missing.to_string()[..900]).unwrap();
    let message = Bundle::load(dir.path()).unwrap_err().to_string();
    assert!(message.contains("manifest.json:1:900: EOF"), "{message}");
}

/// No field of a manifest, whatever becomes of it, makes the reader panic.
#[test]
fn manifests_with_any_number_changed() {
    let mut dice = Dice::new(92);
    let (model, samples) = any_network(&mut dice);
    let dir = folder();
    export_golden(&model, ["zoo", "test"], &images_of(&samples[..1]), dir.path()).unwrap();
    let text = manifest(dir.path()).to_string();
    let numbers: Vec<usize> = text
        .char_indices()
        .filter(|&(i, c)| c.is_ascii_digit() && matches!(text.as_bytes()[i - 1], b'[' | b',' | b':'))
        .map(|(i, _)| i)
        .collect();
    let (mut refused, mut executed) = (0, 0);
    for _ in 0..300 {
        let at = dice.pick(&numbers);
        let end = at + text[at..].find(|c: char| !c.is_ascii_digit()).unwrap();
        let number = dice.pick(&[
            "0",
            "-1",
            "1",
            "2",
            "31",
            "47",
            "70000",
            "4294967296",
            "9223372036854775807",
            "-9223372036854775808",
        ]);
        fs::write(dir.path().join("manifest.json"), format!("{}{number}{}", &text[..at], &text[end..]))
            .unwrap();
        match Bundle::load(dir.path()) {
            Ok(bundle) => {
                validate(&bundle).unwrap();
                executed += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains("manifest.json"), "{error}");
                refused += 1;
            }
        }
    }
    println!("{refused} refused, {executed} executed");
    assert!(refused > 30 && executed > 30);
}
