//! Rules that the sources keep: who imports whom, what a file may hold, how long it may be.

mod circles;
mod crates;
mod layers;
mod paths;
mod sources;
mod tree;
mod words;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use spiq::files::Folder;
use spiq::hw::Hardware;
use spiq::hw::table::EnergyTable;
use spiq::load;
use spiq::model::{DataSet, ModelDescription};
use spiq::quant::Setting;

use sources::{Source, files, manifest, root, sources, without_literals, without_tests};

const LINES_OF_A_FILE: usize = 600;
const LINES_OF_A_FUNCTION: usize = 60;

fn assert_none(wrong: &[String], rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n{}", wrong.join("\n"));
}

/// A wrong checker would find nothing; this one finds what it should.
#[test]
fn the_checkers_see_what_they_look_for() {
    let code = without_literals(
        "use crate::{Error, hw::{Sram, Dram}, exec}; // crate::cli\nlet a = \"crate::map {\"; let c = '{'; \
         fn f<'a>(x: &'a str) { crate::cost::g(r#\"}\"#, '\\'') }",
    );
    assert_eq!(code.matches('{').count(), code.matches('}').count());
    let text = "fn a() {\n    {\n    }\n}\n\nimpl X {\n    fn b(\n        x: u8,\n    ) -> [u8; 2] {\n    }\n}\ntrait T {\n    fn c();\n}\n";
    assert_eq!(functions(text), [("a".to_owned(), 4), ("b".to_owned(), 4), ("c".to_owned(), 1)]);
}

/// The specification is of integers, so that it says what hardware does.
#[test]
fn the_scalar_specification_has_no_floating_point() {
    for Source { path, code, .. } in sources() {
        let words: BTreeSet<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let integers = ["exec/scalar.rs", "exec/neuron.rs"].contains(&path.as_str());
        assert!(!integers || (!words.contains("f32") && !words.contains("f64")), "{path}");
        assert!(path.starts_with("exec/kernels/") || !words.contains("unsafe"), "{path}");
    }
}

/// A pipe blocks, a device has no end, and a long file takes all memory: files of users are opened in one place,
/// which looks.
#[test]
fn files_are_opened_in_one_place() {
    let words = ["fs::read(", "fs::read_to_string", "File::open"];
    let mut wrong = Vec::new();
    for Source { path, code, .. } in sources() {
        let opens = words.iter().filter(|word| code.contains(**word)).count();
        assert!(path != "files.rs" || opens > 0, "{path} opens no file");
        // Folders of results open what they wrote themselves, and the folders that they lock.
        if path != "files.rs" && !path.starts_with("output/") && opens > 0 {
            wrong.push(path);
        }
    }
    assert_none(&wrong, "opens files beside files.rs");
}

/// The reasons stand where the rules of the language are suspended: above each block, and for each unsafe
/// function what its caller has to see to.
#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let (mut wrong, mut blocks) = (Vec::new(), 0);
    for Source { path, text, .. } in sources() {
        let text = without_tests(&text);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (i, line) in lines.iter().enumerate().filter(|(_, line)| !line.starts_with("//")) {
            let mut above =
                lines[..i].iter().rev().take_while(|l| l.starts_with("//") || l.starts_with("#["));
            let reason = match line {
                line if line.contains("unsafe fn") => "# Safety",
                line if line.contains("unsafe {") => "SAFETY:",
                _ => continue,
            };
            blocks += 1;
            if !above.any(|l| l.contains(reason)) {
                wrong.push(format!("{path}:{}: no {reason}", i + 1));
            }
        }
    }
    assert!(blocks > 0);
    assert_none(&wrong, "unsafe without a reason");
}

/// Rows of ARCHITECTURE.md: a file with unsafe code, and how often it says so.
fn inventory() -> BTreeSet<(String, usize)> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, section) = text.split_once("## Unsafe code\n").expect("a section on unsafe code");
    let section = section.split("\n## ").next().unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.split(" | ").collect();
        Some((cells[0].trim_end_matches('`').to_owned(), cells[1].parse().ok()?))
    };
    section.lines().filter_map(row).collect()
}

/// Whoever writes unsafe code says in the inventory what it is for, and what looks for its faults.
#[test]
fn the_inventory_of_unsafe_code_is_complete() {
    let count = |path: String| {
        let code = without_literals(&fs::read_to_string(root().join(&path)).unwrap());
        let count = code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|&w| w == "unsafe").count();
        (count > 0).then_some((path, count))
    };
    // A published package is without the fuzzer, which is a package of its own.
    let folders = ["src", "benches", "examples", "fuzz/src", "tests"];
    let folders = folders.iter().filter(|folder| root().join(folder).is_dir());
    let found: BTreeSet<_> = folders.flat_map(|folder| files(folder, "rs")).filter_map(count).collect();
    assert!(!found.is_empty());
    assert_eq!(found, inventory());
}

/// Names of the dependencies in a section of `Cargo.toml`, as the code spells them.
fn dependencies<'a>(manifest: &'a str, section: &str) -> impl Iterator<Item = String> + 'a {
    let (_, rest) = manifest.split_once(&format!("\n[{section}]\n")).unwrap();
    let lines = rest.lines().take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| Some(line.split_once(" = ")?.0.replace('-', "_")))
        .filter(|name| !name.starts_with('#'))
}

#[test]
fn every_dependency_is_used() {
    let manifest = manifest();
    let code = |folders: &[&str]| -> String {
        let paths = folders.iter().flat_map(|folder| files(folder, "rs"));
        paths.map(|path| without_literals(&fs::read_to_string(root().join(path)).unwrap())).collect()
    };
    let uses = |code: &str, name: &str| {
        let start = |(at, _): (usize, &str)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        code.match_indices(&format!("{name}::")).any(start)
    };
    let product: String = sources().into_iter().map(|source| source.code).collect();
    let everything = code(&["src", "tests", "benches", "examples"]);
    let mut wrong: Vec<_> =
        dependencies(&manifest, "dependencies").filter(|name| !uses(&product, name)).collect();
    wrong.extend(dependencies(&manifest, "dev-dependencies").filter(|name| !uses(&everything, name)));
    assert!(dependencies(&manifest, "dependencies").any(|name| name == "serde_json"));
    assert_none(&wrong, "dependencies that nothing uses");
}

/// Nothing is left undone or left over from a search for a bug.
#[test]
fn nothing_is_left_to_do() {
    // In two parts, so that this file could be read too.
    let words =
        [("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("dbg", "!"), ("to", "do!"), ("unimple", "mented!")];
    let mut wrong = Vec::new();
    for Source { path, text, .. } in sources() {
        let has = |(a, b): &&(&str, &str)| text.contains(&format!("{a}{b}"));
        wrong.extend(words.iter().filter(has).map(|(a, b)| format!("{path}: {a}{b}")));
    }
    assert_none(&wrong, "left over");
}

/// Names and lengths in lines of all functions, from `fn` to the brace that ends the body.
fn functions(code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let starts = code.match_indices("fn ").filter(|(at, _)| {
        let before = code[..*at].chars().next_back();
        before.is_none_or(|c| c.is_whitespace())
    });
    for (at, _) in starts {
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !name.is_empty() {
            found.push((name, code[at..at + body_end(&code[at..])].lines().count()));
        }
    }
    found
}

/// Where the function at the start of `code` ends: at the brace that closes its body, or at a
/// semicolon where it has none.
fn body_end(code: &str) -> usize {
    let (mut braces, mut brackets) = (0, 0);
    for (i, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            '{' => braces += 1,
            '}' if braces == 1 => return i + 1,
            '}' => braces -= 1,
            ';' if braces == 0 && brackets == 0 => return i + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn files_and_functions_stay_short() {
    let mut wrong = Vec::new();
    for Source { path, text, code } in sources() {
        let lines = text.lines().count();
        if lines > LINES_OF_A_FILE {
            wrong.push(format!("{path}: {lines} lines"));
        }
        let long = functions(&code).into_iter().filter(|(_, lines)| *lines > LINES_OF_A_FUNCTION);
        wrong.extend(long.map(|(name, lines)| format!("{path}: fn {name}: {lines} lines")));
    }
    assert_none(&wrong, "too long");
}

/// The names of `folder/*.ron` on disk, without the ending.
fn described(folder: &str) -> BTreeSet<String> {
    let name =
        |path: &String| path.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(".ron").map(str::to_owned);
    files(folder, "ron").iter().filter_map(name).filter(|name| !name.contains('/')).collect()
}

/// A description that is not part of the binary works here and nowhere else.
#[test]
fn every_description_is_bundled_and_parses() {
    for folder in ["models", "hw_configs", "models/settings", "data/fashion-mnist"] {
        let bundled: BTreeSet<_> =
            Folder::Bundled(folder).names("ron").into_iter().map(str::to_owned).collect();
        assert_eq!(bundled, described(folder), "{folder}");
    }
    described("models").iter().for_each(|name| drop(ModelDescription::load(name).unwrap()));
    described("hw_configs").iter().for_each(|name| assert_eq!(Hardware::load(name).unwrap().0.name, *name));
    described("models/settings").iter().for_each(|name| assert_eq!(Setting::load(name).unwrap().name, *name));
    described("data/fashion-mnist")
        .iter()
        .for_each(|name| assert_eq!(DataSet::load(name).unwrap().name, *name));
    for name in described("models/zoo") {
        let model = load::model(root().join(format!("models/zoo/{name}.ron")).to_str().unwrap()).unwrap();
        assert_eq!(model.description.name, name);
        assert!(model.description.trained.is_some(), "{name}");
        assert!(root().join(format!("python/train/{name}.log")).exists(), "{name}");
    }
    for name in described("hw_configs/tables") {
        let path = format!("hw_configs/tables/{name}.ron");
        let table = EnergyTable::parse(&fs::read_to_string(root().join(&path)).unwrap(), &path).unwrap();
        assert_eq!(table.name(), name);
        assert_eq!(spiq::hw::table::bundled(&name), Some(table));
    }
}

/// A reader who opens a folder finds out what it is for.
#[test]
fn the_architecture_names_every_folder() {
    let path = root().join("ARCHITECTURE.md");
    let text = fs::read_to_string(path).expect("ARCHITECTURE.md at the root of the repository");
    let folders: BTreeSet<String> = files("src", "rs")
        .iter()
        .filter_map(|path| Path::new(path).parent().map(|folder| folder.to_str().unwrap().to_owned()))
        .filter(|folder| folder != "src")
        .collect();
    // By its path, or without it in the row of the table that is about the folder around it.
    let named = |folder: &String| {
        let (_, short) = folder.rsplit_once('/').unwrap();
        let top: Vec<&str> = folder.splitn(3, '/').take(2).collect();
        let row = text
            .lines()
            .find(|line| line.starts_with("| ") && line.contains(&format!("`{}/`", top.join("/"))));
        text.contains(&format!("`{folder}/`")) || row.is_some_and(|row| row.contains(&format!("`{short}/`")))
    };
    let missing: Vec<_> = folders.into_iter().filter(|folder| !named(folder)).collect();
    assert_none(&missing, "folders that ARCHITECTURE.md does not mention");
}
