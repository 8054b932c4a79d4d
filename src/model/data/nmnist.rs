//! N-MNIST: class folders `0` to `9` of one recording per digit, 5 bytes per event.

use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;

use super::class_folders::{ClassFolders, interleave};
use super::context::Context;
use super::events::{Event, Integration, Split};
use super::images::{Images, Sample, Source, sha256_of_files};
use crate::error::{Error, Result};
use crate::files;

/// Rows, and columns, of the recordings.
const SIDE: usize = 34;
/// Bytes of a recording.
const MAX_RECORDING: u64 = 1 << 28;

/// A folder such as `Test`, of folders named by their class, of `.bin` files.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nmnist {
    folder: String,
    frames: usize,
    split: Split,
    downscale: Option<usize>,
    /// First sample taken, and the first after it that is not.
    pub range: Option<(usize, usize)>,
}

impl Nmnist {
    /// Lists the folders.
    pub fn load(&self, context: &Context) -> Result<Images> {
        let integration = Integration::new(context, SIDE, self.frames, self.split, self.downscale)?;
        let mut folder = ClassFolders::list(context.folder.on_disk(&self.folder)?)?;
        let count = folder.classes.len();
        let list = |i: usize| {
            let (name, path) = &folder.classes[i];
            // `+1` and `01` are numbers, and no names of classes.
            match name.parse::<u32>() {
                Ok(label) if (label as usize) < context.classes && label.to_string() == *name => {
                    Ok((label, folder.files(i, &["bin"])?))
                }
                _ => {
                    let message =
                        format!("not one of the classes 0 to {}", context.classes.saturating_sub(1));
                    Err(Error::field(path.display().to_string(), "name", message))
                }
            }
        };
        let (files, labels) = interleave((0..count).map(list).collect::<Result<_>>()?);
        if files.is_empty() {
            return Err(Error::field(folder.path(), "files", "no recording"));
        }
        let (shape, frames, notes) = (integration.shape(), self.frames, folder.notes());
        Ok(Images::new(Recordings { files, integration }, shape, frames, labels).with_notes(notes))
    }
}

/// Recordings that are read when they are asked for.
#[derive(Debug)]
struct Recordings {
    files: Vec<PathBuf>,
    integration: Integration,
}

impl Source for Recordings {
    fn sample(&self, i: usize) -> Result<Sample> {
        let path = &self.files[i];
        let bytes = files::read(path, MAX_RECORDING)?;
        let origin = self.origin(i);
        self.integration.sample(&events(&bytes, &origin)?, &origin)
    }

    fn origin(&self, i: usize) -> String {
        self.files[i].display().to_string()
    }

    fn sha256(&self, samples: Range<usize>) -> Result<String> {
        sha256_of_files(&self.files[samples])
    }
}

/// An event is a byte of x, a byte of y, a bit of polarity and 23 bits of microseconds, highest first.
fn events(bytes: &[u8], path: &str) -> Result<Vec<Event>> {
    let (events, []) = bytes.as_chunks::<5>() else {
        let message = format!("{} bytes, which are not events of 5 bytes", bytes.len());
        return Err(Error::field(path, "length", message));
    };
    let event = |&[x, y, high, middle, low]: &[u8; 5]| Event {
        time_us: u64::from(u32::from_be_bytes([0, high & 0x7f, middle, low])),
        x: x.into(),
        y: y.into(),
        on: high & 0x80 != 0,
    };
    Ok(events.iter().map(event).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_five_bytes() {
        let bytes = [3, 33, 0x80, 0x01, 0x02, 255, 0, 0x7f, 0xff, 0xff];
        let expected = [
            Event { time_us: 258, x: 3, y: 33, on: true },
            Event { time_us: (1 << 23) - 1, x: 255, y: 0, on: false },
        ];
        assert_eq!(events(&bytes, "x.bin").unwrap(), expected);
        let message = events(&bytes[..7], "x.bin").unwrap_err().to_string();
        assert_eq!(message, "x.bin: length: 7 bytes, which are not events of 5 bytes");
    }
}
