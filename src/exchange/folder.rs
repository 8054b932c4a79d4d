use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};

/// A folder of results: files are written beside it, and take their places when all are complete, so that
/// a failure leaves an earlier result as it was.
#[derive(Debug)]
pub struct OutputFolder {
    target: PathBuf,
    staged: TempDir,
}

impl OutputFolder {
    /// Prepares `target`, which need not exist.
    pub fn new(target: &Path) -> Result<Self> {
        if target.exists() && !target.is_dir() {
            return Err(Error::mismatch(format!("{}: not a folder", target.display())));
        }
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let create = || {
            fs::create_dir_all(parent)?;
            tempfile::Builder::new().prefix(".spiq-").tempdir_in(parent)
        };
        let staged = create().map_err(|source| Error::io(target, source))?;
        Ok(Self { target: target.to_owned(), staged })
    }

    /// Where to write the file `name` for now.
    pub fn path(&self, name: &str) -> PathBuf {
        self.staged.path().join(name)
    }

    /// Makes a folder inside.
    pub fn folder(&self, name: &str) -> Result<()> {
        fs::create_dir_all(self.path(name)).map_err(|source| Error::io(self.target.join(name), source))
    }

    /// Writes the file `name`.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        fs::write(self.path(name), content).map_err(|source| Error::io(self.target.join(name), source))
    }

    /// Puts every file in its place.
    pub fn finish(self) -> Result<()> {
        move_into(self.staged.path(), &self.target)
    }
}

fn move_into(from: &Path, to: &Path) -> Result<()> {
    let failed = |source| Error::io(to, source);
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let place = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => move_into(&entry.path(), &place)?,
            false => fs::rename(entry.path(), &place).map_err(|source| Error::io(&place, source))?,
        }
    }
    Ok(())
}
