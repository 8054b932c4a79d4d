//! Which module may import which other: data flows one way through the layers.

use std::collections::BTreeSet;

use super::paths::Paths;
use super::sources::{Source, sources, without_literals};

/// Modules from the ground up; those of one line do not import each other.
const LAYERS: [&[&str]; 18] = [
    &["name"],
    &["error"],
    &["check", "watch"],
    &["ron_file", "ron_tree", "npy", "files", "num", "tensor"],
    &["output", "npz"],
    &["model"],
    &["quant"],
    &["exec", "hw"],
    &["load"],
    &["map"],
    &["cost"],
    &["evaluate"],
    &["sensitivity"],
    &["search"],
    &["explore"],
    &["report", "exchange"],
    &["rtl"],
    &["cli"],
];

/// What a module may not import although it stands above it.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    ("hw", &["model", "quant", "exec"]),
    ("cost", &["tensor"]),
    ("exchange", &["hw", "map", "cost", "evaluate"]),
    ("report", &["ron_file", "ron_tree", "files", "num", "tensor", "model", "quant", "exec", "hw", "map"]),
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// `src/hw/sram.rs` is of `hw`, `src/files.rs` of `files`.
fn module(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The top-level modules that `code` names after `crate::`.
fn imports(code: &str) -> BTreeSet<String> {
    let paths = Paths::of(code);
    let all = paths.uses.iter().map(|u| &u.path).chain(&paths.named);
    all.filter(|path| path.len() > 1 && path[0] == "crate").map(|path| path[1].clone()).collect()
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
    super::assert_none(&wrong, "imports from a layer that is not above");
}

/// A wrong checker would find nothing; this one finds what it should.
#[test]
fn imports_are_seen_in_lists_and_in_code() {
    let code = without_literals(
        "use crate::{Error, hw::{Sram, Dram}, exec}; // crate::cli\nlet a = \"crate::map {\"; let c = '{'; \
         fn f<'a>(x: &'a str) { crate::cost::g(r#\"}\"#, '\\'') }",
    );
    assert_eq!(Vec::from_iter(imports(&code)), ["Error", "cost", "exec", "hw"]);
}
