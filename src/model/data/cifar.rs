//! CIFAR-10 and CIFAR-100, binary version: records of labels and three planes of 32 x 32 bytes.

use serde::Deserialize;

use super::context::Context;
use super::images::{Images, Memory, Values, channels_last};
use crate::error::{Error, Result};
use crate::files::{MAX_UNPACKED, sha256};
use crate::tensor::Shape;

const SHAPE: Shape = Shape { channels: 3, height: 32, width: 32 };

/// Files such as `test_batch.bin`: a label and an image per record.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cifar10 {
    files: Vec<String>,
    /// First sample taken, and the first after it that is not.
    pub range: Option<(usize, usize)>,
}

/// Files such as `test.bin`: a coarse label, a fine label and an image per record; the fine one counts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cifar100 {
    files: Vec<String>,
    /// First sample taken, and the first after it that is not.
    pub range: Option<(usize, usize)>,
}

impl Cifar10 {
    /// Reads all files, one after the other.
    pub fn load(&self, context: &Context) -> Result<Images> {
        load(&self.files, 1, context)
    }
}

impl Cifar100 {
    /// Reads all files, one after the other.
    pub fn load(&self, context: &Context) -> Result<Images> {
        load(&self.files, 2, context)
    }
}

/// The last of `label_bytes` is the class.
fn load(files: &[String], label_bytes: usize, context: &Context) -> Result<Images> {
    if files.is_empty() {
        return Err(context.refuse("files", "none"));
    }
    let record = label_bytes + SHAPE.values();
    let (mut pixels, mut labels, mut contents) = (Vec::new(), Vec::new(), Vec::new());
    for file in files {
        let (bytes, path) = (context.folder.read(file, MAX_UNPACKED)?, context.folder.path(file));
        if bytes.is_empty() || bytes.len() % record != 0 {
            let message = format!("{} bytes, which are not records of {record} bytes", bytes.len());
            return Err(Error::field(path, "length", message));
        }
        let records = bytes.chunks_exact(record);
        let of_file: Vec<u32> = records.clone().map(|r| u32::from(r[label_bytes - 1])).collect();
        context.check_labels(&of_file, &path)?;
        labels.extend(of_file);
        records.for_each(|r| pixels.extend(channels_last(&r[label_bytes..], SHAPE)));
        contents.push(bytes);
    }
    let sha256 = sha256(contents.iter().map(AsRef::as_ref));
    let path = context.folder.path(&files.join(", "));
    Ok(Memory { values: Values::Bytes(pixels), shape: SHAPE, frames: 1, path, sha256 }.images(labels))
}
