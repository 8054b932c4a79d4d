//! The append-only log of a search: one line of JSON per answer that took executing images. It survives a
//! cut last line, and a search that replays it goes on where it was cut.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::drift::LayerDrift;
use super::{Batch, Figures, Measured};
use crate::error::{Error, Result};
use crate::files::{self, MAX_LOG};

/// One answer about the setting `id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "fidelity", rename_all = "lowercase")]
pub enum Entry {
    /// Batches from number `first` on.
    Batches {
        /// Which setting.
        id: String,
        /// Number of the first batch.
        first: usize,
        /// What they say.
        batches: Vec<Batch>,
        /// Time it took.
        seconds: f64,
    },
    /// Costs at the setting's own activity on a few images.
    Charge {
        /// Which setting.
        id: String,
        /// The costs.
        figures: Figures,
        /// Time it took.
        seconds: f64,
    },
    /// Membrane drift.
    Drift {
        /// Which setting.
        id: String,
        /// Per layer of neurons.
        layers: Vec<LayerDrift>,
        /// Images it was measured on.
        images: usize,
        /// Time it took.
        seconds: f64,
    },
    /// The whole validation set with all of its activity.
    Full {
        /// Which setting.
        id: String,
        /// Accuracy and costs.
        measured: Measured,
        /// Time it took.
        seconds: f64,
    },
}

/// An open log.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Starts a log with `header`, which says what is searched.
    ///
    /// # Errors
    /// If there is one already, which is the work of an earlier search.
    pub fn create(path: &Path, header: &impl Serialize) -> Result<Self> {
        let failed = |source| Error::io(path, source);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
        }
        let file = match OpenOptions::new().write(true).create_new(true).open(path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                return Err(Error::mismatch(format!(
                    "{} is the log of an earlier search: --resume goes on with it, --out names another folder",
                    path.display()
                )));
            }
            opened => opened.map_err(failed)?,
        };
        let mut log = Self { path: path.to_owned(), file };
        log.line(header)?;
        Ok(log)
    }

    /// Opens a log to go on with it: its header and its entries. A last line that was cut is removed.
    ///
    /// # Errors
    /// If a line before the last is no entry, named with its number.
    pub fn resume<H: for<'de> Deserialize<'de>>(path: &Path) -> Result<(H, Vec<Entry>, Self)> {
        let failed = |source| Error::io(path, source);
        let bytes = files::read(path, MAX_LOG)?;
        // What has no line break at its end was cut.
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        let text = std::str::from_utf8(&bytes[..whole])
            .map_err(|e| Error::field(path.display().to_string(), "text", format!("not UTF-8 ({e})")))?;
        let mut lines = text.lines().enumerate();
        let Some((_, first)) = lines.next() else {
            return Err(Error::field(path.display().to_string(), "header", "the log has no line"));
        };
        let header = parse(path, 1, first)?;
        let entries = lines.map(|(i, line)| parse(path, i + 1, line)).collect::<Result<_>>()?;
        let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        file.set_len(whole as u64).map_err(failed)?;
        Ok((header, entries, Self { path: path.to_owned(), file }))
    }

    /// Appends `entry`.
    pub fn append(&mut self, entry: &Entry) -> Result<()> {
        self.line(entry)
    }

    /// One line in one write, so that a kill cuts at most the last.
    fn line(&mut self, value: &impl Serialize) -> Result<()> {
        let failed = |source| Error::io(&self.path, source);
        let mut text = serde_json::to_string(value).map_err(|e| failed(std::io::Error::other(e)))?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(|source| Error::io(&self.path, source))
    }
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path, line: usize, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Error::Syntax {
        path: path.display().to_string(),
        line,
        column: e.column(),
        message: e.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(divergence: f64) -> Entry {
        let batch = Batch { images: 3, lost: 1, gained: 0, divergence };
        Entry::Batches { id: "a".into(), first: 0, batches: vec![batch], seconds: 0.1 }
    }

    #[test]
    fn a_cut_line_is_dropped_and_the_rest_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        let mut log = Log::create(&path, &"header").unwrap();
        log.append(&entry(0.1 + 0.2)).unwrap();
        log.append(&entry(2.0)).unwrap();
        drop(log);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
        let (header, entries, mut log) = Log::resume::<String>(&path).unwrap();
        assert_eq!((header.as_str(), entries), ("header", vec![entry(0.1 + 0.2)]));
        log.append(&entry(3.0)).unwrap();
        let (_, entries, _) = Log::resume::<String>(&path).unwrap();
        assert_eq!(entries, [entry(0.1 + 0.2), entry(3.0)]);
        assert!(Log::create(&path, &"another").is_err());
    }

    #[test]
    fn a_line_that_is_no_entry_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        std::fs::write(&path, "\"header\"\n{\"fidelity\": \"guess\"}\n\n").unwrap();
        let message = Log::resume::<String>(&path).unwrap_err().to_string();
        assert!(message.contains("log.jsonl:2:"), "{message}");
    }
}
