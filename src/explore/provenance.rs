use serde::{Deserialize, Serialize};

/// What an exploration was made of, which merging finds in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// What to type to run it again; empty where it was not run by a command.
    pub command: String,
    /// SHA-256 of the text of the space.
    pub space_sha256: String,
    /// What the space names: machines, and each network's weights with where its activity comes from.
    pub inputs: Vec<Input>,
}

/// A file, or several that are one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Kind of thing: `machine`, `weights`, `images and labels`, `rates` or `spikes`.
    pub what: String,
    /// What the space, or the thing itself, calls it.
    pub name: String,
    /// SHA-256 of what it holds.
    pub sha256: String,
}

impl Input {
    /// The `what` called `name`.
    pub(super) fn new(what: &str, name: &str, sha256: String) -> Self {
        Self { what: what.to_owned(), name: name.to_owned(), sha256 }
    }
}
