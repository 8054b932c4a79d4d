//! The commands of the tutorials, each page in a folder of its own with the project's descriptions in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Folders of the project that tutorials read.
const FOLDERS: [&str; 2] = ["hw_configs", "models"];

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Fenced blocks of a page, in order: what they are, and their lines.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(kind), false) => {
                blocks.push((kind.to_owned(), String::new()));
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                let block = &mut blocks.last_mut().expect("one is open").1;
                block.push_str(line);
                block.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!open, "a block that does not end");
    blocks
}

/// What the commands of a page print, one by one; a `text` block behind one has lines of it.
fn follow(name: &str) {
    let page = fs::read_to_string(project().join("docs/tutorials").join(format!("{name}.md"))).unwrap();
    let folder = TempDir::new().unwrap();
    for entry in FOLDERS {
        std::os::unix::fs::symlink(project().join(entry), folder.path().join(entry)).unwrap();
    }
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_spiq"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut printed = String::new();
    let mut commands = 0;
    for (kind, text) in blocks(&page) {
        match kind.as_str() {
            "sh" => {
                commands += 1;
                let mut command = Command::new("bash");
                command.args(["-e", "-o", "pipefail", "-c", &text]).current_dir(&folder).env("PATH", &path);
                let output = command.output().unwrap();
                printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
                assert!(output.status.success(), "{name}.md:\n{text}\n{printed}");
            }
            "text" => {
                let missing = text.lines().find(|line| !printed.lines().any(|other| other == *line));
                assert_eq!(missing, None, "{name}.md: not what is printed:\n{printed}");
            }
            _ => {}
        }
    }
    assert!(commands > 1, "{name}.md has no commands");
}

#[test]
fn a_checkpoint() {
    follow("checkpoint");
}

#[test]
fn a_machine() {
    follow("machine");
}

#[test]
fn a_report() {
    follow("report");
}

#[test]
fn integers() {
    follow("integers");
}

#[test]
fn a_search() {
    follow("search");
}

/// Every page is in the book, and every page of the book is there.
#[test]
fn the_book_has_all_pages() {
    let docs = project().join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let mut listed: Vec<&str> =
        summary.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    listed.sort_unstable();
    let pages = |folder: &str| -> Vec<String> {
        let files = fs::read_dir(docs.join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let names = files.map(|name| format!("{folder}{}", name.to_str().unwrap()));
        names.filter(|name| name.ends_with(".md") && !name.ends_with("SUMMARY.md")).collect()
    };
    let mut there = [pages(""), pages("tutorials/")].concat();
    there.sort_unstable();
    assert_eq!(listed, there);
}
