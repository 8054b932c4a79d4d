//! The IDX format of MNIST and its kin, plain or gzip.

use std::io::Read;

use flate2::read::GzDecoder;
use serde::Deserialize;

use super::Context;
use super::images::{Images, Memory, Values};
use crate::error::{Error, Result};
use crate::files::sha256;
use crate::tensor::{Shape, Tensor};

/// Images `[N, H, W]` or `[N, H, W, C]` and labels `[N]` of unsigned bytes, beside the description.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idx {
    images: String,
    labels: String,
    /// First sample taken, and the first after it that is not.
    pub range: Option<(usize, usize)>,
}

impl Idx {
    /// Reads both files.
    pub fn load(&self, context: &Context) -> Result<Images> {
        let folder = context.folder;
        let (image_bytes, label_bytes) = (folder.read(&self.images)?, folder.read(&self.labels)?);
        let (image_path, label_path) = (folder.path(&self.images), folder.path(&self.labels));
        let pixels = parse(&image_bytes, &image_path)?;
        let labels = parse(&label_bytes, &label_path)?;
        let shape = match pixels.shape[..] {
            [_, height, width] => Shape::new(1, height, width),
            [_, height, width, channels] => Shape::new(channels, height, width),
            _ => return Err(Error::field(image_path, "dimensions", "not images, which have 3 or 4")),
        };
        // Extents beside a 0 may be of any size; without one, their product is the length of the data.
        if pixels.shape.contains(&0) {
            return Err(Error::field(image_path, "extents", "no image"));
        }
        if labels.shape != [pixels.shape[0]] {
            let message = format!("{:?} for {} images", labels.shape, pixels.shape[0]);
            return Err(Error::field(label_path, "extents", message));
        }
        let labels: Vec<u32> = labels.data.into_iter().map(u32::from).collect();
        context.check_labels(&labels, &label_path)?;
        let sha256 = sha256([image_bytes.as_ref(), label_bytes.as_ref()]);
        let values = Values::Bytes(pixels.data);
        Ok(Memory { values, shape, frames: 1, path: image_path, sha256 }.images(labels))
    }
}

/// More than this is not read, whatever a header or a compressed stream claims.
const MAX_BYTES: u64 = 2 << 30;

/// Parses unsigned bytes; `path` is for messages.
fn parse(raw: &[u8], path: &str) -> Result<Tensor<u8>> {
    let refuse = |field: &str, message: String| Err(Error::field(path, field, message));
    let bytes = match raw.starts_with(&[0x1f, 0x8b]) {
        true => gunzip(raw).map_err(|e| Error::field(path, "gzip", e.to_string()))?,
        false => raw.to_vec(),
    };
    let [0, 0, kind, dimensions, rest @ ..] = bytes.as_slice() else {
        return refuse("magic", "not an IDX file".to_owned());
    };
    if *kind != 8 {
        return refuse("type", format!("0x{kind:02x}, expected 0x08 (unsigned bytes)"));
    }
    let header = usize::from(*dimensions) * 4;
    if !(1..=4).contains(dimensions) || rest.len() < header {
        return refuse("dimensions", format!("{dimensions}, expected 1 to 4 and their extents"));
    }
    let extent = |b: &[u8]| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize;
    let shape: Vec<usize> = rest[..header].chunks_exact(4).map(extent).collect();
    let data = &rest[header..];
    let values = shape.iter().try_fold(1usize, |n, &extent| n.checked_mul(extent));
    if values != Some(data.len()) {
        return refuse("length", format!("{} bytes of data for extents {shape:?}", data.len()));
    }
    Ok(Tensor::new(shape, data.to_vec()))
}

fn gunzip(raw: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(raw).take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn message(bytes: &[u8]) -> String {
        parse(bytes, "x.idx").unwrap_err().to_string()
    }

    #[test]
    fn reads_what_the_format_says() {
        let tensor = parse(&[0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6], "x.idx").unwrap();
        assert_eq!((tensor.shape, tensor.data), (vec![2, 3], vec![1, 2, 3, 4, 5, 6]));
    }

    #[test]
    fn refuses_what_it_is_not() {
        assert_eq!(message(b"PNG"), "x.idx: magic: not an IDX file");
        assert_eq!(message(&[0, 0, 13, 1, 0, 0, 0, 0]), "x.idx: type: 0x0d, expected 0x08 (unsigned bytes)");
        assert_eq!(message(&[0, 0, 8, 1, 0, 0]), "x.idx: dimensions: 1, expected 1 to 4 and their extents");
        assert_eq!(message(&[0, 0, 8, 1, 0, 0, 0, 3, 7]), "x.idx: length: 1 bytes of data for extents [3]");
        assert_eq!(
            message(&[
                0, 0, 8, 4, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255
            ]),
            "x.idx: length: 0 bytes of data for extents [4294967295, 4294967295, 4294967295, 4294967295]"
        );
        assert!(message(&[0x1f, 0x8b, 8, 0]).starts_with("x.idx: gzip: "));
    }
}
