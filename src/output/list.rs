//! The list of the files that a command has put into a folder, as `sha256sum` prints it.

use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::error::{Error, Result};
use crate::files::sha256_of_reader;
use crate::name::is_plain;

/// No list is longer, in bytes.
const MAX_BYTES: u64 = 1 << 26;

/// Files of a folder.
#[derive(Debug, Default, PartialEq)]
pub struct List(pub Vec<Listed>);

/// A listed file: what it was when it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// SHA-256 of the content, as hexadecimal.
    pub sha256: String,
    /// Relative to the folder.
    pub name: String,
}

/// True for a path of plain names.
pub fn is_relative(name: &str) -> bool {
    name.split('/').all(is_plain)
}

impl List {
    /// Reads the list at `path`; none is an empty one. A list is input: what names no file inside the folder
    /// is refused.
    ///
    /// # Errors
    /// Names the line that is none.
    pub fn read(path: &Path) -> Result<Self> {
        let failed = |source| Error::io(path, source);
        match path.symlink_metadata() {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(failed(e)),
            Ok(found) if !found.is_file() => return Err(failed(ErrorKind::InvalidInput.into())),
            Ok(_) => {}
        }
        let mut text = String::new();
        let file = File::open(path).map_err(failed)?;
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
        let line = |(i, line): (usize, &str)| {
            parse(line).ok_or_else(|| Error::Syntax {
                path: path.display().to_string(),
                line: i + 1,
                column: 1,
                message: "no SHA-256 and name of a file in this folder: remove the list if it is not needed"
                    .into(),
            })
        };
        text.lines().enumerate().map(line).collect::<Result<_>>().map(Self)
    }

    /// The files of this list, and behind them those of `others`.
    pub fn followed_by(&self, others: &Self) -> Self {
        Self(self.0.iter().chain(&others.0).cloned().collect())
    }

    /// True if a file is called `name`.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|file| file.name == name)
    }

    /// True if a file is called `name`, case aside.
    pub fn has_spelling_of(&self, name: &str) -> bool {
        self.0.iter().any(|file| file.name.eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|Listed { sha256, name }| writeln!(f, "{sha256}  {name}"))
    }
}

fn parse(line: &str) -> Option<Listed> {
    let (sha256, name) = line.split_once("  ")?;
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
    (is_hash && is_relative(name)).then(|| Listed { sha256: sha256.to_owned(), name: name.to_owned() })
}

impl Listed {
    /// Removes the file from `folder`, and the folders inside that this leaves empty. A file that is no longer
    /// what was written stays, and no link is followed.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove_from(&self, folder: &Path) -> Result<()> {
        let mut place = folder.to_owned();
        let folders = self.name.split('/').count() - 1;
        for name in self.name.split('/').take(folders) {
            place.push(name);
            if !place.symlink_metadata().is_ok_and(|found| found.is_dir()) {
                return Ok(());
            }
        }
        let place = folder.join(&self.name);
        if !place.symlink_metadata().is_ok_and(|found| found.is_file()) {
            return Ok(());
        }
        let hash = File::open(&place).and_then(sha256_of_reader);
        if !hash.is_ok_and(|hash| hash.eq_ignore_ascii_case(&self.sha256)) {
            return Ok(());
        }
        fs::remove_file(&place).map_err(|source| Error::io(&place, source))?;
        let above = place.ancestors().skip(1).take(folders);
        above.for_each(|folder| drop(fs::remove_dir(folder)));
        Ok(())
    }
}
