//! Samples and labels in `.npy` files, or in one `.npz`.

use std::io::{Cursor, Read};

use serde::Deserialize;
use zip::ZipArchive;

use super::Context;
use super::images::{Images, Memory, Values, channels_last};
use crate::error::{Error, Result};
use crate::files::sha256;
use crate::npy::{self, Array, Kind};
use crate::tensor::Shape;

/// More than this is not unpacked, whatever an archive claims.
const MAX_BYTES: u64 = 2 << 30;

/// Order of the indices of images: samples, timesteps, channels, height, width.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub enum Layout {
    /// Images of one channel.
    Nhw,
    /// Channels last.
    Nhwc,
    /// Channels first.
    Nchw,
    /// A frame per timestep, channels first.
    Ntchw,
}

/// Two `.npy` files beside the description.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Npy {
    images: String,
    labels: String,
    layout: Layout,
    /// First sample taken, and the first after it that is not.
    pub range: Option<(usize, usize)>,
}

/// Two arrays of a `.npz` file beside the description, by their keys.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Npz {
    file: String,
    images: String,
    labels: String,
    layout: Layout,
    /// First sample taken, and the first after it that is not.
    pub range: Option<(usize, usize)>,
}

impl Npy {
    /// Reads both files.
    pub fn load(&self, context: &Context) -> Result<Images> {
        let read = |file: &String| Ok((context.folder.read(file)?, context.folder.path(file)));
        let ((images, image_path), (labels, label_path)) = (read(&self.images)?, read(&self.labels)?);
        let sha256 = sha256([images.as_ref(), labels.as_ref()]);
        load((&images, image_path), (&labels, label_path), self.layout, sha256, context)
    }
}

impl Npz {
    /// Reads both arrays.
    pub fn load(&self, context: &Context) -> Result<Images> {
        let (bytes, path) = (context.folder.read(&self.file)?, context.folder.path(&self.file));
        let mut archive = ZipArchive::new(Cursor::new(bytes.as_ref()))
            .map_err(|e| Error::field(&path, "zip", e.to_string()))?;
        let images = unpack(&mut archive, &self.images, &path)?;
        let labels = unpack(&mut archive, &self.labels, &path)?;
        let named = |key: &str| format!("{path}: {key}");
        let (images, labels) = ((&images[..], named(&self.images)), (&labels[..], named(&self.labels)));
        load(images, labels, self.layout, sha256([bytes.as_ref()]), context)
    }
}

fn unpack(archive: &mut ZipArchive<Cursor<&[u8]>>, key: &str, path: &str) -> Result<Vec<u8>> {
    let name = format!("{key}.npy");
    if archive.index_for_name(&name).is_none() {
        let names = archive.file_names().flatten();
        let known: Vec<String> = names.map(|name| name.trim_end_matches(".npy").to_owned()).collect();
        return Err(Error::field(path, key, format!("not there; the file has {known:?}")));
    }
    let refuse = |message: String| Error::field(path, key, message);
    let entry = archive.by_name(&name).map_err(|e| refuse(e.to_string()))?;
    if entry.size() > MAX_BYTES {
        return Err(refuse(format!("{} bytes exceed {MAX_BYTES}", entry.size())));
    }
    let mut bytes = Vec::new();
    entry.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|e| refuse(e.to_string()))?;
    Ok(bytes)
}

fn load(
    (images, image_path): (&[u8], String),
    (labels, label_path): (&[u8], String),
    layout: Layout,
    sha256: String,
    context: &Context,
) -> Result<Images> {
    let (images, labels) = (npy::parse(images, &image_path)?, npy::parse(labels, &label_path)?);
    let (frames, shape) = extents(&images.shape, layout)
        .ok_or_else(|| Error::field(&image_path, "shape", format!("{:?} is not {layout:?}", images.shape)))?;
    // Extents beside a 0 may be of any size; without one, their product is the length of the data.
    if images.shape.contains(&0) {
        return Err(Error::field(image_path, "shape", format!("{:?} has no image", images.shape)));
    }
    if labels.shape != [images.shape[0]] {
        let message = format!("{:?} for {} images", labels.shape, images.shape[0]);
        return Err(Error::field(label_path, "shape", message));
    }
    let labels = classes(&labels, &label_path)?;
    context.check_labels(&labels, &label_path)?;
    let values = match (values(&images, &image_path)?, layout) {
        (values, Layout::Nhw | Layout::Nhwc) => values,
        (Values::Bytes(values), _) => Values::Bytes(channels_last(&values, shape)),
        (Values::Words(values), _) => Values::Words(channels_last(&values, shape)),
    };
    Ok(Memory { values, shape, frames, path: image_path, sha256 }.images(labels))
}

/// Frames of a sample, and the shape of one.
fn extents(extents: &[usize], layout: Layout) -> Option<(usize, Shape)> {
    match (layout, extents) {
        (Layout::Nhw, &[_, height, width]) => Some((1, Shape::new(1, height, width))),
        (Layout::Nhwc, &[_, height, width, channels]) | (Layout::Nchw, &[_, channels, height, width]) => {
            Some((1, Shape::new(channels, height, width)))
        }
        (Layout::Ntchw, &[_, frames, channels, height, width]) => {
            Some((frames, Shape::new(channels, height, width)))
        }
        _ => None,
    }
}

fn values(images: &Array, path: &str) -> Result<Values> {
    if images.kind == Kind::Unsigned(1) {
        return Ok(Values::Bytes(images.data.to_vec()));
    }
    if ![Kind::Unsigned(2), Kind::Signed(4), Kind::Float].contains(&images.kind) {
        let message = format!("{}, expected uint8, uint16, int32 or float32", images.kind);
        return Err(Error::field(path, "descr", message));
    }
    let word = |(i, value): (usize, Option<i64>)| {
        value.and_then(|value| u16::try_from(value).ok()).ok_or_else(|| {
            Error::field(path, "values", format!("value {i} is not a whole number of 0..={}", u16::MAX))
        })
    };
    Ok(Values::Words(images.integers().enumerate().map(word).collect::<Result<_>>()?))
}

fn classes(labels: &Array, path: &str) -> Result<Vec<u32>> {
    if labels.kind == Kind::Float {
        return Err(Error::field(path, "descr", "float32, expected integers"));
    }
    let label = |(i, value): (usize, Option<i64>)| {
        value
            .and_then(|value| u32::try_from(value).ok())
            .ok_or_else(|| Error::field(path, "labels", format!("label {i} is no class")))
    };
    labels.integers().enumerate().map(label).collect()
}
