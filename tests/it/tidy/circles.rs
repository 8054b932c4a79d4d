//! No file needs itself by way of others, so each may be read after those that it imports.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::sources::sources;
use super::tree::Tree;

/// Every circle that is the shortest through one of its files, each once.
fn circles(tree: &Tree) -> BTreeSet<String> {
    let imports = tree.imports();
    imports.keys().filter_map(|start| shortest_circle(&imports, start)).collect()
}

/// `a.rs -> b.rs -> a.rs`, from the file that stands first in the alphabet.
fn shortest_circle(imports: &BTreeMap<&str, BTreeSet<&str>>, start: &str) -> Option<String> {
    let mut ways: VecDeque<Vec<&str>> = VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for &next in &imports[way[way.len() - 1]] {
            if next == start {
                let first = (0..way.len()).min_by_key(|&i| way[i])?;
                let round = way.iter().cycle().skip(first).take(way.len() + 1);
                return Some(round.copied().collect::<Vec<_>>().join(" -> "));
            }
            if seen.insert(next) {
                ways.push_back([&way[..], &[next]].concat());
            }
        }
    }
    None
}

#[test]
fn files_do_not_import_each_other() {
    let circles: Vec<String> = circles(&Tree::of(&sources())).into_iter().collect();
    super::assert_none(&circles, "files that import each other");
}

/// A wrong checker would find no circle; this one finds them through lists, aliases and names that others hand on.
#[test]
fn circles_are_found() {
    let circles =
        |files: &[(&str, &str)]| Vec::from_iter(super::circles::circles(&Tree::new(files.iter().copied())));
    let direct = [
        ("lib.rs", "pub mod a; pub mod b;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use super::{a::{A as C}, c}; pub struct B;"),
    ];
    assert_eq!(circles(&direct), ["a.rs -> b.rs -> a.rs"]);
    let lib = ("lib.rs", "pub mod m;");
    let facade = ("m/mod.rs", "mod x; mod y; pub use x::X; pub(crate) use y::*;");
    let one_way =
        [lib, facade, ("m/x.rs", "pub struct X; fn f(y: super::Y) {}"), ("m/y.rs", "pub struct Y;")];
    assert!(circles(&one_way).is_empty());
    let both = [lib, facade, one_way[2], ("m/y.rs", "pub struct Y; use crate::m::{self}; type T = m::X;")];
    assert_eq!(circles(&both), ["m/x.rs -> m/y.rs -> m/x.rs"]);
    let parent =
        [lib, ("m/mod.rs", "mod x; pub use x::X; fn f(x: X) {}"), ("m/x.rs", "pub struct X; use super::f;")];
    assert_eq!(circles(&parent), ["m/mod.rs -> m/x.rs -> m/mod.rs"]);
}
