//! Rules that the sources keep: who imports whom, what a file may hold, how long it may be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use spiq::files::Folder;
use spiq::hw::Hardware;
use spiq::hw::table::EnergyTable;
use spiq::model::{DataSet, ModelDescription};
use spiq::quant::Setting;

const LINES_OF_A_FILE: usize = 600;
const LINES_OF_A_FUNCTION: usize = 60;

/// Modules from the ground up; those of one line do not import each other.
const LAYERS: [&[&str]; 15] = [
    &["name"],
    &["error"],
    &["ron_file", "npy", "files", "num", "tensor"],
    &["output"],
    &["model"],
    &["quant"],
    &["exec", "hw"],
    &["load"],
    &["map"],
    &["cost"],
    &["evaluate"],
    &["sensitivity"],
    &["search"],
    &["report", "exchange"],
    &["cli"],
];

/// What a module may not import although it stands above it.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    ("hw", &["model", "quant", "exec"]),
    ("cost", &["tensor"]),
    ("exchange", &["hw", "map", "cost", "evaluate"]),
    ("report", &["ron_file", "files", "num", "tensor", "model", "quant", "exec", "hw", "map"]),
];

/// A source file: its path inside `src`, and its text without tests and comments.
struct Source {
    path: String,
    text: String,
    code: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` that ends in `.extension`, as paths from the repository.
fn files(folder: &str, extension: &str) -> Vec<String> {
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

fn sources() -> Vec<Source> {
    let source = |path: String| {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        let code = without_literals(&without_tests(&text));
        Source { path: path["src/".len()..].to_owned(), text, code }
    };
    files("src", "rs").into_iter().map(source).collect()
}

/// Up to `#[cfg(test)] mod tests`, which ends a file.
fn without_tests(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end].to_owned()
}

/// Blanks comments, strings and characters, so that words and braces in them do not count; line
/// breaks stay.
fn without_literals(text: &str) -> String {
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

/// The top-level modules that `code` names after `crate::`, also inside braces.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let list = match rest.strip_prefix('{') {
            Some(inside) => &inside[..inside.find("};").unwrap_or(inside.len())],
            None => rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(""),
        };
        found.extend(top_level(list));
    }
    found
}

/// First words of the items of a use list, nested lists apart.
fn top_level(list: &str) -> Vec<String> {
    let mut depth = 0;
    let item = |c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    };
    let word = |item: &str| {
        item.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned()
    };
    list.split(item).map(word).filter(|word| !word.is_empty()).collect()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// `src/hw/sram.rs` is of `hw`, `src/files.rs` of `files`.
fn module(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

fn assert_none(wrong: &[String], rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n{}", wrong.join("\n"));
}

#[test]
fn modules_import_only_from_those_above() {
    let mut wrong = Vec::new();
    for Source { path, code, .. } in sources() {
        let here = module(&path);
        if ["lib", "main"].contains(&here) {
            continue;
        }
        let own = layer(here).unwrap_or_else(|| panic!("{path}: say in LAYERS where {here} stands"));
        for import in imports(&code) {
            // `crate::Result` and `crate::Error` are those of `error`.
            let name = if ["Result", "Error"].contains(&import.as_str()) { "error" } else { &import };
            let above = layer(name).is_some_and(|layer| layer < own);
            let forbidden = FORBIDDEN.iter().any(|(module, names)| *module == here && names.contains(&name));
            if name != here && (!above || forbidden) {
                wrong.push(format!("{path}: {import}"));
            }
        }
    }
    assert_none(&wrong, "imports from a layer that is not above");
}

/// A wrong checker would find nothing; this one finds what it should.
#[test]
fn the_checkers_see_what_they_look_for() {
    let code = without_literals(
        "use crate::{Error, hw::{Sram, Dram}, exec}; // crate::cli\nlet a = \"crate::map {\"; let c = '{'; \
         fn f<'a>(x: &'a str) { crate::cost::g(r#\"}\"#, '\\'') }",
    );
    let found: Vec<_> = imports(&code).into_iter().collect();
    assert_eq!(found, ["Error", "cost", "exec", "hw"]);
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
    let folders = ["src", "benches", "examples", "fuzz/src", "fuzz/targets", "tests"];
    let found: BTreeSet<_> =
        folders.iter().flat_map(|folder| files(folder, "rs")).filter_map(count).collect();
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
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
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
    // `src/hw`, or `hw/` in a tree.
    let named = |folder: &String| {
        let short = folder.rsplit('/').next().unwrap();
        text.contains(folder.as_str()) || text.contains(&format!("{short}/"))
    };
    let missing: Vec<_> = folders.into_iter().filter(|folder| !named(folder)).collect();
    assert_none(&missing, "folders that ARCHITECTURE.md does not mention");
}
