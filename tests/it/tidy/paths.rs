//! The paths that a file names, in its `use` declarations and in its code.

use std::collections::BTreeSet;

/// One name that a `use` brings into a file.
#[derive(Debug, PartialEq)]
pub struct Use {
    /// The path as it is written, nested lists resolved; without `self` at its end, and without the `*` of a glob.
    pub path: Vec<String>,
    /// What the file calls it; `*` for all that the path holds.
    pub name: String,
    /// Whether others may take the name from this file.
    pub is_public: bool,
}

/// All that a file names.
#[derive(Default)]
pub struct Paths {
    pub uses: Vec<Use>,
    /// Paths in the code behind the declarations, single words among them.
    pub named: BTreeSet<Vec<String>>,
    /// Functions, types, traits, constants and macros that the file defines.
    pub defined: BTreeSet<String>,
}

impl Paths {
    /// Reads `code`, which has no comments and literals.
    pub fn of(code: &str) -> Self {
        let tokens = tokens(code);
        let (mut paths, mut at) = (Self::default(), 0);
        while at < tokens.len() {
            at = match tokens[at] {
                "use" => {
                    let is_public = at > 0 && ["pub", ")"].contains(&tokens[at - 1]);
                    tree(&tokens, at + 1, &[], &mut |path, name| {
                        paths.uses.push(Use { path, name, is_public });
                    })
                }
                "mod" if tokens.get(at + 2) == Some(&";") => at + 3,
                // A field or a method is no path.
                "." => at + 2,
                word if is_word(word) => paths.word(&tokens, at),
                _ => at + 1,
            };
        }
        paths
    }

    /// Takes the path that starts at token `at`, and says where it ends.
    fn word(&mut self, tokens: &[&str], at: usize) -> usize {
        const KINDS: [&str; 8] = ["fn", "struct", "enum", "trait", "type", "const", "static", "macro_rules"];
        if let Some(previous) = at.checked_sub(1) {
            // The name of a macro follows an exclamation mark.
            let kind = if tokens[previous] == "!" && previous > 0 { previous - 1 } else { previous };
            if KINDS.contains(&tokens[kind]) {
                self.defined.insert(tokens[at].to_owned());
                return at + 1;
            }
        }
        let mut end = at + 1;
        while tokens.get(end) == Some(&"::") && tokens.get(end + 1).is_some_and(|next| is_word(next)) {
            end += 2;
        }
        self.named.insert(tokens[at..end].iter().step_by(2).map(|word| (*word).to_owned()).collect());
        end
    }

    /// Whether the code uses what it calls `name`, instead of only handing it on.
    pub fn uses_name(&self, name: &str) -> bool {
        self.named.iter().any(|path| path[0] == name)
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::`, and every other character that is no space.
fn tokens(code: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), code.trim_start());
    while let Some(first) = rest.chars().next() {
        let is_inside = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            c if is_inside(c) => rest.find(|c| !is_inside(c)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            c => c.len_utf8(),
        };
        found.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    found
}

/// Gives every leaf of the use tree at token `at` below `prefix`, and returns where the tree ends.
fn tree(
    tokens: &[&str],
    mut at: usize,
    prefix: &[String],
    leaf: &mut dyn FnMut(Vec<String>, String),
) -> usize {
    let mut path = prefix.to_vec();
    while let Some(&token) = tokens.get(at) {
        at += 1;
        match token {
            "::" => {}
            "{" => {
                while tokens.get(at).is_some_and(|&token| token != "}") {
                    at = tree(tokens, at, &path, leaf);
                    at += usize::from(tokens.get(at) == Some(&","));
                }
                return at + 1;
            }
            "*" => {
                leaf(path, "*".to_owned());
                return at;
            }
            "as" => {
                leaf(path, tokens[at].to_owned());
                return at + 1;
            }
            word if is_word(word) => {
                // `self` in a list is the path before the list.
                if word != "self" || path.is_empty() {
                    path.push(word.to_owned());
                }
                if !tokens.get(at).is_some_and(|&next| ["::", "as"].contains(&next)) {
                    let name = path.last().cloned().unwrap_or_default();
                    leaf(path, name);
                    return at;
                }
            }
            _ => return at,
        }
    }
    at
}

#[test]
fn lists_aliases_and_globs_are_resolved() {
    let paths = Paths::of(
        "use a::{b, c::{self, d as e}, f::*}; pub(super) use super::g; mod h; mod i { use crate::j; } \
         fn k(x: l::M) { x.n(o::p::<q>()); self::r!(1) } macro_rules! s { }",
    );
    let uses: Vec<String> =
        paths.uses.iter().map(|u| format!("{} {} {}", u.path.join("::"), u.name, u.is_public)).collect();
    let wanted = [
        "a::b b false",
        "a::c c false",
        "a::c::d e false",
        "a::f * false",
        "super::g g true",
        "crate::j j false",
    ];
    assert_eq!(uses, wanted);
    let named: Vec<String> = paths.named.iter().map(|path| path.join("::")).collect();
    for path in ["l::M", "o::p", "q", "self::r"] {
        assert!(named.iter().any(|named| named == path), "{path}: {named:?}");
    }
    assert!(!named.iter().any(|path| ["h", "n", "k"].contains(&path.as_str())), "{named:?}");
    assert!(paths.uses_name("o") && !paths.uses_name("g"));
    assert_eq!(Vec::from_iter(&paths.defined), ["k", "s"]);
}
