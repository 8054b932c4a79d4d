//! The files of a crate, and which of them a path leads to.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::Paths;
use super::sources::Source;

/// Words of a path below `src`, such as `model`, `checkpoint`.
pub type Module = Vec<String>;

/// A source file.
pub struct File {
    pub path: String,
    pub paths: Paths,
}

/// The files of a crate by their modules.
pub struct Tree {
    pub files: BTreeMap<Module, File>,
}

impl Tree {
    pub fn new<'a>(sources: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let file = |(path, code): (&str, &str)| {
            let module = path.trim_end_matches(".rs").trim_end_matches("/mod");
            let module =
                if module == "lib" { Vec::new() } else { module.split('/').map(str::to_owned).collect() };
            (module, File { path: path.to_owned(), paths: Paths::of(code) })
        };
        Self { files: sources.map(file).collect() }
    }

    /// The tree of `src`.
    pub fn of(sources: &[Source]) -> Self {
        Self::new(sources.iter().map(|source| (source.path.as_str(), source.code.as_str())))
    }

    /// The module of the file that defines what `path` means in `module`; none if that is another crate.
    pub fn resolve(&self, module: &Module, path: &[String]) -> Option<Module> {
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

    /// Paths of the files that each file imports from.
    pub fn imports(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        self.files.iter().map(|(module, file)| (file.path.as_str(), self.imports_of(module))).collect()
    }
}
