//! NumPy's `.npz`: a zip archive of `.npy` files, stored or deflated.
//!
//! ```
//! use spiq::npz::Npz;
//!
//! let error = Npz::open("no/spikes.npz").unwrap_err();
//! assert!(error.to_string().starts_with("no/spikes.npz"));
//! ```

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::{CompressionMethod, ZipArchive};

use crate::error::{Error, Result};
use crate::files::{self, MAX_PLAIN, MAX_UNPACKED};
use crate::npy::{self, Array, Preamble};

/// What NumPy adds to a key.
const EXTENSION: &str = ".npy";

/// An open file of arrays.
#[derive(Debug)]
pub struct Npz {
    archive: ZipArchive<BufReader<File>>,
    path: String,
}

impl Npz {
    /// Opens the file at `path`, and reads the list of its arrays.
    ///
    /// # Errors
    /// If the file cannot be opened, or is no whole zip archive.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let shown = path.as_ref().display().to_string();
        let archive = ZipArchive::new(BufReader::new(files::open(path)?))
            .map_err(|e| Error::field(&shown, "zip", e.to_string()))?;
        Ok(Self { archive, path: shown })
    }

    /// The file, as messages call it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The file and the array `key` in it, as messages call them.
    pub fn place(&self, key: &str) -> String {
        format!("{}: {key}", self.path)
    }

    /// Keys of the arrays, in the order of the file; the whole name of what is no array.
    pub fn keys(&self) -> Vec<String> {
        let names = self.archive.file_names().flatten();
        names.map(|name| name.strip_suffix(EXTENSION).unwrap_or(&name).to_owned()).collect()
    }

    /// Shape and type of the array `key`, whose values are not read.
    ///
    /// # Errors
    /// If the array is not there or does not start as NumPy writes it.
    pub fn preamble(&mut self, key: &str) -> Result<Preamble> {
        let place = self.place(key);
        Ok(npy::read_preamble(self.entry(key)?.0, &place)?.0)
    }

    /// The array `key`.
    ///
    /// # Errors
    /// If it is not there, is damaged, or is not as NumPy writes it or not read.
    pub fn read(&mut self, key: &str) -> Result<Array> {
        let place = self.place(key);
        let (entry, limit) = self.entry(key)?;
        npy::read(entry, limit, &place)
    }

    /// The bytes of the file `key`, and how many of them are read.
    fn entry(&mut self, key: &str) -> Result<(impl Read, u64)> {
        let name = format!("{key}{EXTENSION}");
        if self.archive.index_for_name(&name).is_none() {
            return Err(Error::field(&self.path, key, format!("not there; the file has {:?}", self.keys())));
        }
        let entry = self.archive.by_name(&name).map_err(|e| Error::field(&self.path, key, e.to_string()))?;
        let is_stored = entry.compression() == CompressionMethod::Stored;
        Ok((entry, if is_stored { MAX_PLAIN } else { MAX_UNPACKED }))
    }
}
