use serde::{Deserialize, Serialize};

use super::strategies::Name;
use super::{Problem, Widths};
use crate::error::{Error, Result};
use crate::model::Selection;

/// A search as its log's first line holds it: what is searched, by which strategies, on what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Model, as the user named it.
    pub model: String,
    /// Checkpoint in the place of its weights.
    pub weights: Option<String>,
    /// Which tensors of it are read.
    #[serde(default)]
    pub selection: Selection,
    /// Machine, as the user named it.
    pub hardware: String,
    /// Data, as the user named it.
    pub data: String,
    /// Images of either part.
    pub limit: Option<usize>,
    /// Validation images that are looked at.
    #[serde(default)]
    pub validation_images: Option<usize>,
    /// What is wanted.
    pub problem: Problem,
    /// What is tried.
    pub widths: Widths,
    /// Who looks.
    pub strategies: Vec<Name>,
    /// The papers' strategies with the quantizers and tests of the others.
    pub accelerated: bool,
    /// Seeds of random choices.
    pub seeds: Vec<u64>,
    /// What the answers depend on.
    pub identity: Identity,
}

/// Digests of what was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Version of this program.
    pub version: String,
    /// SHA-256 of the weights.
    pub weights_sha256: String,
    /// SHA-256 of the machine's description.
    pub hardware_sha256: String,
    /// SHA-256 of the validation images.
    pub validation_sha256: String,
}

impl Identity {
    /// Refuses to go on with a log of something else.
    ///
    /// # Errors
    /// Names what has changed since `log` was begun.
    pub fn check(&self, log: &Self, path: &str) -> Result<()> {
        let parts = [
            ("version", &self.version, &log.version),
            ("weights_sha256", &self.weights_sha256, &log.weights_sha256),
            ("hardware_sha256", &self.hardware_sha256, &log.hardware_sha256),
            ("validation_sha256", &self.validation_sha256, &log.validation_sha256),
        ];
        match parts.into_iter().find(|(_, now, then)| now != then) {
            Some((field, now, then)) => {
                Err(Error::field(path, field, format!("the log was begun with {then}, this is {now}")))
            }
            None => Ok(()),
        }
    }
}
