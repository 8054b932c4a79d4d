//! No file needs itself by way of others, so each may be read after those that it imports.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::paths::Paths;
use super::sources::sources;

/// Folders with circles inside them; none may be added.
const CIRCULAR: [&str; 6] = ["cost/", "evaluate/", "exec/", "map/", "quant/", "search/"];

/// Words of a path below `src`, such as `model`, `checkpoint`.
type Module = Vec<String>;

struct File {
    path: String,
    paths: Paths,
}

/// The files of a crate by their modules.
struct Tree {
    files: BTreeMap<Module, File>,
}

impl Tree {
    fn new<'a>(sources: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let file = |(path, code): (&str, &str)| {
            let module = path.trim_end_matches(".rs").trim_end_matches("/mod");
            let module =
                if module == "lib" { Vec::new() } else { module.split('/').map(str::to_owned).collect() };
            (module, File { path: path.to_owned(), paths: Paths::of(code) })
        };
        Self { files: sources.map(file).collect() }
    }

    /// The module of the file that defines what `path` means in `module`; none if that is another crate.
    fn resolve(&self, module: &Module, path: &[String]) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(&Vec::new(), rest),
            "self" => self.walk(module, rest),
            "super" => {
                let parent = module[..module.len() - 1].to_vec();
                let again = rest.first().is_some_and(|next| next == "super");
                if again { self.resolve(&parent, rest) } else { self.walk(&parent, rest) }
            }
            _ if self.child(module, first).is_some() => self.walk(module, path),
            _ => self.imported(module, path),
        }
    }

    fn child(&self, module: &Module, name: &str) -> Option<Module> {
        let child = [&module[..], &[name.to_owned()]].concat();
        self.files.contains_key(&child).then_some(child)
    }

    /// What `path` means where its first word was brought into `module` by a `use`.
    fn imported(&self, module: &Module, path: &[String]) -> Option<Module> {
        let uses = &self.files[module].paths.uses;
        // A crate that is imported under its own name would be looked for in the file again.
        let named = uses.iter().find(|u| u.name == path[0] && (u.path[0] != path[0] || u.path.len() > 1))?;
        self.resolve(module, &[&named.path[..], &path[1..]].concat())
    }

    /// Follows `path` from `module`, through the names that modules hand on.
    fn walk(&self, module: &Module, path: &[String]) -> Option<Module> {
        let Some(first) = path.first() else { return Some(module.clone()) };
        if let Some(child) = self.child(module, first) {
            // A function may be called like the file that it stands in.
            return self.walk(&child, &path[1..]);
        }
        let paths = &self.files[module].paths;
        if paths.defined.contains(first) {
            return Some(module.clone());
        }
        let through_glob = || {
            let globs = paths.uses.iter().filter(|u| u.name == "*");
            let mut targets = globs.filter_map(|u| self.resolve(module, &u.path));
            let holds =
                |target: &Module| target != module && self.files[target].paths.defined.contains(first);
            targets.find(holds)
        };
        Some(self.imported(module, path).or_else(through_glob).unwrap_or_else(|| module.clone()))
    }

    /// Paths of the files that `module` imports from. A name that is only handed on is no import.
    fn imports_of(&self, module: &Module) -> BTreeSet<&str> {
        let paths = &self.files[module].paths;
        let needed = paths.uses.iter().filter(|u| !u.is_public || paths.uses_name(&u.name));
        // A single word is a name of the file, or the `super` of a visibility.
        let named = paths.named.iter().filter(|path| path.len() > 1);
        let targets = needed.map(|u| &u.path).chain(named).filter_map(|path| self.resolve(module, path));
        targets.filter(|target| target != module).map(|target| self.files[&target].path.as_str()).collect()
    }

    fn imports(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        self.files.iter().map(|(module, file)| (file.path.as_str(), self.imports_of(module))).collect()
    }

    /// Every circle that is the shortest through one of its files, each once.
    fn circles(&self) -> BTreeSet<String> {
        let imports = self.imports();
        imports.keys().filter_map(|start| shortest_circle(&imports, start)).collect()
    }
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
    let sources = sources();
    let tree = Tree::new(sources.iter().map(|source| (source.path.as_str(), source.code.as_str())));
    let circles = tree.circles();
    let inside = |circle: &str, folder: &str| circle.split(" -> ").all(|path| path.starts_with(folder));
    let is_listed = |circle: &&String| CIRCULAR.iter().any(|folder| inside(circle, folder));
    let wrong: Vec<String> = circles.iter().filter(|circle| !is_listed(circle)).cloned().collect();
    super::assert_none(&wrong, "files that import each other");
    let is_clean = |folder: &&&str| !circles.iter().any(|circle| inside(circle, folder));
    let clean: Vec<String> = CIRCULAR.iter().filter(is_clean).map(|&folder| folder.to_owned()).collect();
    super::assert_none(&clean, "folders without a circle, to be taken off CIRCULAR");
}

/// A wrong checker would find no circle; this one finds them through lists, aliases and names that others hand on.
#[test]
fn circles_are_found() {
    let circles = |files: &[(&str, &str)]| Vec::from_iter(Tree::new(files.iter().copied()).circles());
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
