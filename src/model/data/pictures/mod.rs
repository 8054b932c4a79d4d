//! Class folders of PNG and JPEG files, with the usual transform of an ImageNet evaluation.

mod jpeg;
mod picture;
mod png;
mod resample;

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use self::picture::{Header, MAX_PIXELS, Picture, Refusal};
use super::class_folders::{ClassFolders, interleave};
use super::context::Context;
use super::images::{Images, Sample, Source, sha256_of_files};
use crate::check::INPUT_EXTENT;
use crate::error::{Error, Result};
use crate::files;
use crate::tensor::{Frames, Shape};

/// Bytes of a file.
const MAX_FILE: u64 = 4 * MAX_PIXELS;

/// A folder of class folders; their names, in order, are the classes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pictures {
    path: String,
    /// Length of the shorter side after resizing; absent: images stay as they are.
    resize: Option<usize>,
    /// Side of the square that is cut out of the middle; absent, which it may be where nothing is resized: all
    /// images are of one size.
    crop: Option<usize>,
    /// 3, or 1 for grey images; absent: 3.
    channels: Option<usize>,
    /// First sample taken, and the first after it that is not.
    pub range: Option<(usize, usize)>,
}

impl Pictures {
    /// Lists the folders.
    pub fn load(&self, context: &Context) -> Result<Images> {
        let channels = self.channels.unwrap_or(3);
        self.crop.map_or(Ok(()), |side| context.in_range("crop", side, &INPUT_EXTENT))?;
        match (self.resize, self.crop) {
            (Some(side), Some(crop)) => context.in_range("resize", side, &(crop..=*INPUT_EXTENT.end()))?,
            (Some(_), None) => {
                let message = "missing, and resized images are of different sizes: `crop` cuts them to one";
                return Err(context.refuse("crop", message));
            }
            (None, _) => {}
        }
        if ![1, 3].contains(&channels) {
            return Err(context.refuse("channels", format!("{channels} is neither 1 nor 3")));
        }
        let mut folder = ClassFolders::list(context.folder.on_disk(&self.path)?)?;
        if folder.classes.len() != context.classes {
            let message =
                format!("{} class folders, and there are {} classes", folder.classes.len(), context.classes);
            return Err(Error::field(folder.path(), "folders", message));
        }
        let list = |label: usize| Ok((label as u32, folder.files(label, &["png", "jpg", "jpeg"])?));
        let (files, labels) = interleave((0..context.classes).map(list).collect::<Result<_>>()?);
        let Some(first) = files.first() else {
            return Err(Error::field(folder.path(), "files", "no image"));
        };
        let shape = match self.crop {
            Some(side) => Shape::new(channels, side, side),
            None => {
                let Header { width, height, .. } = in_file(first, header(&read(first)?))?;
                Shape::new(channels, height, width)
            }
        };
        let notes = folder.notes().into_iter().chain(folder.misnumbered()).collect();
        let transform = Transform { resize: self.resize, crops: self.crop.is_some(), shape };
        Ok(Images::new(PictureFiles { files, transform }, shape, 1, labels).with_notes(notes))
    }
}

/// Images that are decoded when they are asked for.
#[derive(Debug)]
struct PictureFiles {
    files: Vec<PathBuf>,
    transform: Transform,
}

impl Source for PictureFiles {
    fn sample(&self, i: usize) -> Result<Sample> {
        let path = &self.files[i];
        let data = in_file(path, self.transform.apply(&read(path)?))?;
        Ok(Frames { frames: 1, shape: self.transform.shape, data })
    }

    fn origin(&self, i: usize) -> String {
        self.files[i].display().to_string()
    }

    fn sha256(&self, samples: Range<usize>) -> Result<String> {
        sha256_of_files(&self.files[samples])
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    files::read(path, MAX_FILE)
}

/// An error that names the file, too.
fn in_file<T>(path: &Path, result: Result<T, Refusal>) -> Result<T> {
    result.map_err(|(field, message)| Error::field(path.display().to_string(), field, message))
}

fn header(bytes: &[u8]) -> Result<Header, Refusal> {
    match bytes {
        _ if bytes.starts_with(png::MAGIC) => png::header(bytes),
        _ if bytes.starts_with(jpeg::MAGIC) => jpeg::header(bytes),
        _ => Err(("image", "neither PNG nor JPEG".to_owned())),
    }
}

fn decode(bytes: &[u8]) -> Result<Picture, Refusal> {
    if bytes.starts_with(png::MAGIC) { png::decode(bytes) } else { jpeg::decode(bytes) }
}

/// What becomes of an image.
#[derive(Debug)]
struct Transform {
    /// Length of the shorter side.
    resize: Option<usize>,
    /// True if the middle is cut out, false if images are of that size.
    crops: bool,
    /// Shape of a sample.
    shape: Shape,
}

impl Transform {
    /// Decodes, resizes and crops; `[y][x][channel]`.
    fn apply(&self, bytes: &[u8]) -> Result<Vec<u16>, Refusal> {
        let header = header(bytes)?;
        let (width, height) = self.check(header)?;
        let picture = resample::resize(decode(bytes)?, width, height);
        let Shape { channels, height: rows, width: columns } = self.shape;
        let (left, top) = (half_to_even(width - columns), half_to_even(height - rows));
        // Grey becomes as many equal channels as there are.
        let pixel = |pixel: &[u8]| -> [u8; 3] { std::array::from_fn(|c| pixel[c % pixel.len()]) };
        let row = |y: usize| {
            let start = (y * width + left) * picture.channels;
            picture.pixels[start..][..columns * picture.channels].chunks_exact(picture.channels).map(pixel)
        };
        let pixels = (top..top + rows).flat_map(row);
        Ok(pixels.flat_map(|pixel| pixel.into_iter().take(channels)).map(u16::from).collect())
    }

    /// Width and height after resizing, of which a sample is cut.
    fn check(&self, Header { width, height, channels }: Header) -> Result<(usize, usize), Refusal> {
        let size = |message: String| Err(("size", format!("{width} x {height} pixels, {message}")));
        let after = self.resize.map_or((width, height), |side| resized(width, height, side));
        let pixels = |(width, height): (usize, usize)| (width as u64).saturating_mul(height as u64);
        if pixels((width, height)) > MAX_PIXELS || pixels(after) > MAX_PIXELS {
            return size(format!("also when resized at most {MAX_PIXELS}"));
        }
        let Shape { height: rows, width: columns, .. } = self.shape;
        if !self.crops && after != (columns, rows) {
            return size(format!("and the first image has {columns} x {rows}: `crop` cuts them to one size"));
        }
        if after.0 < columns || after.1 < rows {
            return size(format!("too small for a crop of {columns}"));
        }
        if channels > self.shape.channels {
            return Err(("color", "RGB, and channels is 1".to_owned()));
        }
        Ok(after)
    }
}

/// The shorter side becomes `side`; the longer one is rounded down, as torchvision does.
fn resized(width: usize, height: usize, side: usize) -> (usize, usize) {
    let longer = |long: usize, short: usize| side.saturating_mul(long) / short.max(1);
    if width <= height { (side, longer(height, width)) } else { (longer(width, height), side) }
}

/// `margin / 2` rounded to nearest, ties to even: where torchvision starts a centre crop.
fn half_to_even(margin: usize) -> usize {
    margin / 2 + (margin % 2) * (margin / 2 % 2)
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    fn crop(channels: usize, side: usize) -> Transform {
        Transform { resize: None, crops: true, shape: Shape::new(channels, side, side) }
    }

    #[test]
    fn sizes_and_margins_are_those_of_torchvision() {
        assert_eq!(resized(500, 375, 256), (341, 256));
        assert_eq!(resized(375, 500, 256), (256, 341));
        assert_eq!(resized(32, 32, 48), (48, 48));
        // int(round(margin / 2)) in Python.
        assert_eq!([0, 1, 2, 3, 4, 5, 7].map(half_to_even), [0, 0, 1, 2, 2, 2, 4]);
    }

    #[test]
    fn the_middle_of_an_image_as_it_is() {
        let rgb = RgbImage::from_fn(5, 4, |x, y| Rgb([x as u8, y as u8, 100]));
        let data = crop(3, 2).apply(&png(rgb.clone())).unwrap();
        // Margins of 3 and 2 begin at 2 and 1.
        assert_eq!(data, [2, 1, 100, 3, 1, 100, 2, 2, 100, 3, 2, 100]);
        let whole = Transform { resize: None, crops: false, shape: Shape::new(3, 4, 5) };
        assert_eq!(
            whole.apply(&png(rgb.clone())).unwrap(),
            rgb.as_raw().iter().map(|&b| u16::from(b)).collect::<Vec<_>>()
        );
        let (field, message) = whole.apply(&png(RgbImage::new(4, 5))).unwrap_err();
        assert_eq!(field, "size");
        assert_eq!(message, "4 x 5 pixels, and the first image has 5 x 4: `crop` cuts them to one size");
    }

    /// `Resize(5, BICUBIC)` and `CenterCrop(4)` of torchvision 0.29.2 on Pillow 13.0.0.
    #[test]
    fn resizing_is_that_of_pillow() {
        let value = |x: u32, y: u32, c: u32| ((x * 37 + y * 11 + c * 90) % 256) as u8;
        let rgb = RgbImage::from_fn(11, 8, |x, y| Rgb([0, 1, 2].map(|c| value(x, y, c))));
        let transform = Transform { resize: Some(5), ..crop(3, 4) };
        let pillow: [u16; 48] = [
            85, 184, 124, 162, 181, 69, 174, 46, 152, 32, 127, 183, 102, 198, 57, 179, 90, 91, 197, 66, 168,
            49, 144, 206, 120, 215, 56, 198, 68, 111, 140, 85, 190, 65, 161, 151, 137, 152, 50, 220, 38, 131,
            85, 108, 214, 80, 187, 100,
        ];
        assert_eq!(transform.apply(&png(rgb)).unwrap(), pillow);
    }

    #[test]
    fn grey_becomes_three_channels_or_stays_one() {
        let grey = png(GrayImage::from_fn(2, 2, |x, y| Luma([(10 * x + y) as u8])));
        assert_eq!(crop(1, 2).apply(&grey).unwrap(), [0, 10, 1, 11]);
        assert_eq!(crop(3, 2).apply(&grey).unwrap(), [0, 0, 0, 10, 10, 10, 1, 1, 1, 11, 11, 11]);
    }

    #[test]
    fn alpha_is_dropped_where_it_hides_nothing() {
        let with = |alpha| png(RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, alpha])));
        assert_eq!(crop(3, 1).apply(&with(255)).unwrap(), [1, 2, 3]);
        let message = ("alpha", "some pixels are transparent".to_owned());
        assert_eq!(crop(3, 1).apply(&with(254)).unwrap_err(), message);
    }
}
