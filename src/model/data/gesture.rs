//! DVS128 Gesture: recordings of a person each, with a table of when which gesture was made.

use std::io::BufReader;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::aedat;
use super::context::Context;
use super::events::{Integration, Split};
use super::images::{Images, Sample, Source, sha256_of_files};
use crate::error::{Error, Result};
use crate::files;
use crate::name::check_plain;

/// Rows, and columns, of a DVS128.
const SIDE: usize = 128;

/// Recordings `<name>.aedat` with their tables `<name>_labels.csv` beside them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gesture {
    /// Recordings, or text files that list those beside them, one per line.
    recordings: Vec<String>,
    frames: usize,
    split: Split,
    downscale: Option<usize>,
    /// First sample taken, and the first after it that is not.
    pub range: Option<(usize, usize)>,
}

/// One gesture of a recording.
#[derive(Debug)]
struct Trial {
    recording: PathBuf,
    table: PathBuf,
    /// Row in the table, from 1.
    row: usize,
    /// From the first microsecond to the one before the last.
    time_us: Range<u64>,
}

/// A row of a table.
#[derive(Debug, Deserialize)]
struct Row {
    /// From 1.
    class: u32,
    #[serde(rename = "startTime_usec")]
    start_us: u64,
    #[serde(rename = "endTime_usec")]
    end_us: u64,
}

impl Gesture {
    /// Reads the tables.
    pub fn load(&self, context: &Context) -> Result<Images> {
        let integration = Integration::new(context, SIDE, self.frames, self.split, self.downscale)?;
        let (mut trials, mut labels) = (Vec::new(), Vec::new());
        for recording in self.paths(context)? {
            for (trial, label) in read_table(&recording, context)? {
                trials.push(trial);
                labels.push(label);
            }
        }
        if trials.is_empty() {
            return Err(context.refuse("recordings", "no gesture"));
        }
        let (shape, frames) = (integration.shape(), self.frames);
        Ok(Images::new(Trials { trials, integration }, shape, frames, labels))
    }

    fn paths(&self, context: &Context) -> Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for name in &self.recordings {
            let path = context.folder.on_disk(name)?;
            if !name.ends_with(".txt") {
                paths.push(path);
                continue;
            }
            let list = context.folder.read_text(name)?;
            for (i, line) in list.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let refuse =
                    |message| Error::field(path.display().to_string(), format!("line {}", i + 1), message);
                let line = line.trim();
                check_plain(line).map_err(refuse)?;
                paths.push(path.with_file_name(line));
            }
        }
        Ok(paths)
    }
}

/// The gestures of a recording, with their labels from 0.
fn read_table(recording: &Path, context: &Context) -> Result<Vec<(Trial, u32)>> {
    let stem = recording.file_stem().unwrap_or_default().to_string_lossy();
    let table = recording.with_file_name(format!("{stem}_labels.csv"));
    let path = table.display().to_string();
    let text = files::read_text(&table)?;
    let mut rows = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let parse = |(row, parsed): (usize, csv::Result<Row>)| {
        let refuse = |message: String| Error::field(&path, format!("row {row}"), message);
        let Row { class, start_us, end_us } = parsed.map_err(|e| refuse(e.to_string()))?;
        if !(1..=context.classes).contains(&(class as usize)) {
            return Err(refuse(format!("class {class} is not in 1..={}", context.classes)));
        }
        if start_us >= end_us {
            return Err(refuse(format!("from {start_us} to {end_us} µs")));
        }
        let (recording, table) = (recording.to_path_buf(), table.clone());
        Ok((Trial { recording, table, row, time_us: start_us..end_us }, class - 1))
    };
    (1..).zip(rows.deserialize()).map(parse).collect()
}

/// Gestures that are cut out of their recordings when they are asked for.
#[derive(Debug)]
struct Trials {
    trials: Vec<Trial>,
    integration: Integration,
}

impl Source for Trials {
    fn sample(&self, i: usize) -> Result<Sample> {
        let Trial { recording, time_us, .. } = &self.trials[i];
        let file = files::open(recording)?;
        let path = recording.display().to_string();
        let events = aedat::events(BufReader::with_capacity(1 << 16, file), &path, |t| time_us.contains(&t))?;
        self.integration.sample(&events, &self.origin(i))
    }

    fn origin(&self, i: usize) -> String {
        let Trial { recording, row, .. } = &self.trials[i];
        format!("{}: gesture {row}", recording.display())
    }

    fn sha256(&self, samples: Range<usize>) -> Result<String> {
        let mut files: Vec<&Path> =
            self.trials[samples].iter().flat_map(|t| [t.recording.as_path(), t.table.as_path()]).collect();
        files.sort();
        files.dedup();
        sha256_of_files(&files)
    }
}
