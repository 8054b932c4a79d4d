//! The IDX format of MNIST and its kin, plain or gzip.

use std::io::{self, Cursor, Read};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use super::context::Context;
use super::images::{Images, Memory, Values};
use crate::error::{Error, Result};
use crate::files::{MAX_PLAIN, MAX_UNPACKED};
use crate::tensor::{Shape, Tensor};

/// What gzip files start with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

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
        let (image_path, label_path) = (folder.path(&self.images), folder.path(&self.labels));
        let pixels = read(folder.open(&self.images)?, &image_path)?;
        let labels = read(folder.open(&self.labels)?, &label_path)?;
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
        let sha256 = context.sha256([&self.images, &self.labels])?;
        let values = Values::Bytes(pixels.data);
        Ok(Memory { values, shape, frames: 1, path: image_path, sha256 }.images(labels))
    }
}

/// Reads unsigned bytes, and nothing behind one byte more than the header promises; `path` is for messages.
fn read(mut reader: impl Read, path: &str) -> Result<Tensor<u8>> {
    let start = read_some(&mut reader, 2).map_err(|e| Error::io(path, e))?;
    let is_packed = start == GZIP;
    let whole = Cursor::new(start).chain(reader);
    if is_packed {
        // A file of several members is that of their contents, one behind the other.
        read_plain(MultiGzDecoder::new(whole), MAX_UNPACKED, path, &|e| {
            Error::field(path, "gzip", e.to_string())
        })
    } else {
        read_plain(whole, MAX_PLAIN, path, &|e| Error::io(path, e))
    }
}

/// [`read`] of at most `limit` bytes; `failed` says what it means that `reader` failed.
fn read_plain(
    mut reader: impl Read,
    limit: u64,
    path: &str,
    failed: &dyn Fn(io::Error) -> Error,
) -> Result<Tensor<u8>> {
    let refuse = |field: &str, message: String| Err(Error::field(path, field, message));
    let magic = read_some(&mut reader, 4).map_err(failed)?;
    let &[0, 0, kind, dimensions] = magic.as_slice() else {
        return refuse("magic", "not an IDX file".to_owned());
    };
    if kind != 8 {
        return refuse("type", format!("0x{kind:02x}, expected 0x08 (unsigned bytes)"));
    }
    let extents = read_some(&mut reader, 4 * u64::from(dimensions)).map_err(failed)?;
    if !(1..=4).contains(&dimensions) || extents.len() < 4 * usize::from(dimensions) {
        return refuse("dimensions", format!("{dimensions}, expected 1 to 4 and their extents"));
    }
    let shape: Vec<usize> = extents.as_chunks().0.iter().map(|&b| u32::from_be_bytes(b) as usize).collect();
    let promised = shape.iter().try_fold(1u64, |n, &extent| n.checked_mul(extent as u64));
    let Some(promised) = promised.filter(|&bytes| bytes <= limit) else {
        return refuse("extents", format!("{shape:?} exceed the {limit} bytes that are read of such a file"));
    };
    let data = read_some(&mut reader, promised + 1).map_err(failed)?;
    match data.len() as u64 {
        there if there > promised => {
            refuse("length", format!("more than {promised} bytes of data for extents {shape:?}"))
        }
        there if there < promised => refuse("length", format!("{there} bytes of data for extents {shape:?}")),
        _ => Ok(Tensor::new(shape, data)),
    }
}

/// Reads as many bytes as there are, up to `limit`.
fn read_some(reader: &mut impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write, repeat};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::read;

    fn message(bytes: &[u8]) -> String {
        read(bytes, "x.idx").unwrap_err().to_string()
    }

    #[test]
    fn reads_what_the_format_says() {
        let tensor = read(&SIX[..], "x.idx").unwrap();
        assert_eq!((tensor.shape, tensor.data), (vec![2, 3], vec![1, 2, 3, 4, 5, 6]));
    }

    const SIX: [u8; 18] = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// `cat a.gz b.gz`, wherever the first one ends.
    #[test]
    fn members_of_a_gzip_file_are_read_as_one() {
        for cut in 0..=SIX.len() {
            let (first, second) = SIX.split_at(cut);
            let tensor = read(&[gzip(first), gzip(second)].concat()[..], "x.idx").unwrap();
            assert_eq!(tensor.data, [1, 2, 3, 4, 5, 6], "{cut}");
        }
        let message = message(&[gzip(&SIX), b"junk behind it".to_vec()].concat());
        assert!(message.starts_with("x.idx: gzip: "), "{message}");
    }

    /// What does not end is not read to its end.
    #[test]
    fn reading_stops_one_byte_behind_what_the_header_promises() {
        let more = "x.idx: length: more than 6 bytes of data for extents [2, 3]";
        assert_eq!(read(SIX.chain(repeat(0)), "x.idx").unwrap_err().to_string(), more);
        let endless = gzip(&[&SIX[..], &[0; 1 << 20]].concat());
        // Cut where the checksum would be: it is not looked at.
        assert_eq!(message(&endless[..endless.len() - 8]), more);
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
            "x.idx: extents: [4294967295, 4294967295, 4294967295, 4294967295] exceed the 17179869184 bytes that are read of such a file"
        );
        assert!(message(&[0x1f, 0x8b, 8, 0]).starts_with("x.idx: gzip: "));
    }
}
