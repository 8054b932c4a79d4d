//! Doc comments that can be read alone.

use std::fs;

use super::assert_none;
use super::sources::{files, root};

/// Beginnings that send a reader to another comment: the list of a module, or a search, shows one without the other.
const REFERENCES: [&str; 12] = [
    "As",
    "Both",
    "It",
    "Its",
    "One of them",
    "Such",
    "The other",
    "The same",
    "Their",
    "They",
    "Those",
    "Whatever",
];

/// Lines at which doc comments of `text` begin with one of [`REFERENCES`], with what they begin with.
fn references(text: &str) -> Vec<(usize, &'static str)> {
    let doc = |line: &str| {
        let line = line.trim_start();
        let rest = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))?;
        Some(rest.trim_start().to_owned())
    };
    let lines: Vec<Option<String>> = text.lines().map(doc).collect();
    let begins = |i: &usize| *i == 0 || lines[i - 1].is_none();
    let reference = |i: usize| {
        let line = lines[i].as_ref()?;
        let is_word = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let found = REFERENCES.iter().find(|word| line.strip_prefix(**word).is_some_and(is_word))?;
        Some((i + 1, *found))
    };
    (0..lines.len()).filter(begins).filter_map(reference).collect()
}

#[test]
fn references_are_seen_where_comments_begin() {
    let text = "//! It runs.\n\n/// Italics: It is fine\n/// As this line is no beginning.\nfn a() {}\n\n    /// As\n    b: u8,\n\
                // Those are no documentation.\n/// The same.\n";
    assert_eq!(references(text), [(1, "It"), (7, "As"), (10, "The same")]);
}

#[test]
fn doc_comments_stand_alone() {
    let mut wrong = Vec::new();
    let folders = ["src", "tests", "benches", "examples", "fuzz/src", "bindings/python/src"];
    // A published package is without the fuzzer and the bindings.
    for folder in folders.iter().filter(|folder| root().join(folder).is_dir()) {
        for path in files(folder, "rs") {
            let text = fs::read_to_string(root().join(&path)).unwrap();
            let found = references(&text).into_iter();
            wrong.extend(found.map(|(line, word)| format!("{path}:{line}: begins with {word:?}")));
        }
    }
    assert_none(&wrong, "doc comments that refer to another one");
}
