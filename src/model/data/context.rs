//! What every reader of a format knows of the part that it reads, and what it checks.

use std::ops::RangeInclusive;

use sha2::{Digest, Sha256};

use crate::check::in_range;
use crate::error::{Error, Result};
use crate::files::{Folder, hexadecimal};

/// Where a part of a description stands.
pub struct Context<'a> {
    /// Folder of the description.
    pub folder: &'a Folder,
    /// The description, for messages.
    pub path: &'a str,
    /// `test` or `validation`.
    pub part: &'static str,
    /// Classes of the data set.
    pub classes: usize,
}

impl Context<'_> {
    /// An error in `field` of this part of the description.
    pub fn refuse(&self, field: &str, message: impl Into<String>) -> Error {
        Error::field(self.path, format!("{}: {field}", self.part), message)
    }

    /// Refuses a number of the description that is too small or too large.
    pub fn in_range(&self, field: &'static str, value: usize, range: &RangeInclusive<usize>) -> Result<()> {
        in_range(field, value, range).map_err(|fault| self.refuse(&fault.field, fault.message))
    }

    /// SHA-256 of what is in `files`, one behind the other.
    pub fn sha256<const N: usize>(&self, files: [&String; N]) -> Result<String> {
        let mut hasher = Sha256::new();
        for name in files {
            let failed = |e| Error::io(self.folder.path(name), e);
            std::io::copy(&mut self.folder.open(name)?, &mut hasher).map_err(failed)?;
        }
        Ok(hexadecimal(hasher))
    }

    /// Refuses labels of the file `path` that have no class.
    pub fn check_labels(&self, labels: &[u32], path: &str) -> Result<()> {
        match labels.iter().position(|&label| label as usize >= self.classes) {
            Some(i) => {
                let message = format!("{} of sample {i}, and there are {} classes", labels[i], self.classes);
                Err(Error::field(path, "labels", message))
            }
            None => Ok(()),
        }
    }
}
