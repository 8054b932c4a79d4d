//! The files that the rules are about.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path inside `src`, and its text without tests and comments.
pub struct Source {
    pub path: String,
    pub text: String,
    pub code: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What was written as `Cargo.toml`; a published package has another form of it under that name.
pub fn manifest() -> String {
    let written = root().join("Cargo.toml.orig");
    fs::read_to_string(if written.exists() { written } else { root().join("Cargo.toml") }).unwrap()
}

/// Every file below `folder` that ends in `.extension`, as paths from the repository.
pub fn files(folder: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder}");
    found
}

pub fn sources() -> Vec<Source> {
    let source = |path: String| {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        let code = without_literals(&without_tests(&text));
        Source { path: path["src/".len()..].to_owned(), text, code }
    };
    files("src", "rs").into_iter().map(source).collect()
}

/// Up to `#[cfg(test)] mod tests`, which ends a file.
pub fn without_tests(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end].to_owned()
}

/// Blanks comments, strings and characters, so that words and braces in them do not count; line
/// breaks stay.
pub fn without_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = literal(rest).unwrap_or(0);
        if length == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.extend(rest[..length].chars().filter(|&c| c == '\n'));
            rest = &rest[length..];
        }
    }
    code
}

/// Length of the comment, string or character that `text` starts with, if it does.
fn literal(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("r\"") || text.starts_with("r#") {
        let hashes = text[1..].bytes().take_while(|&b| b == b'#').count();
        // A raw identifier has a hash and no quotation mark.
        text[1 + hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(2 + hashes + text[2 + hashes..].find(&end)? + end.len());
    }
    let (quote, body) = match text.as_bytes() {
        [b'"', ..] => ('"', &text[1..]),
        // A lifetime has no second quotation mark right after its first character.
        [b'\'', b'\\', ..] => ('\'', &text[1..]),
        [b'\'', ..] if text[1..].chars().nth(1) == Some('\'') => {
            return text.char_indices().nth(3).map(|(i, _)| i);
        }
        _ => return None,
    };
    let mut escaped = false;
    let end = body.find(|c| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    Some(end + 2)
}
