//! Class folders of PNG and JPEG files, with the usual transform of an ImageNet evaluation.

use std::io::Cursor;
use std::ops::Range;
use std::path::PathBuf;

use image::imageops::{FilterType, crop_imm, resize};
use image::{ColorType, DynamicImage, ImageBuffer, ImageDecoder, ImageFormat, ImageReader, Pixel};
use serde::Deserialize;

use super::Context;
use super::class_folders::{files, folders, interleave};
use super::images::{Images, Sample, Source, sha256_of_files};
use crate::error::{Error, Result};
use crate::tensor::{Frames, Shape};

/// Pixels that an image may have, before and after it is resized.
const MAX_PIXELS: u64 = 1 << 26;

/// A folder of class folders; their names, in order, are the classes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pictures {
    path: String,
    /// Length of the shorter side after resizing; absent: images stay as they are.
    resize: Option<usize>,
    /// Side of the square that is cut out of the middle.
    crop: usize,
    /// 3, or 1 for grey images; absent: 3.
    channels: Option<usize>,
    /// First sample taken, and the first after it that is not.
    pub range: Option<(usize, usize)>,
}

impl Pictures {
    /// Lists the folders.
    pub fn load(&self, context: &Context) -> Result<Images> {
        let channels = self.channels.unwrap_or(3);
        context.in_range("crop", self.crop, 1, 4096)?;
        self.resize.map_or(Ok(()), |side| context.in_range("resize", side, self.crop, 4096))?;
        if ![1, 3].contains(&channels) {
            return Err(context.refuse("channels", format!("{channels} is neither 1 nor 3")));
        }
        let folder = context.folder.on_disk(&self.path)?;
        let classes = folders(&folder)?;
        if classes.len() != context.classes {
            let message =
                format!("{} class folders, and there are {} classes", classes.len(), context.classes);
            return Err(Error::field(folder.display().to_string(), "folders", message));
        }
        let list = |(label, (_, path)): (u32, (String, PathBuf))| {
            Ok((label, files(&path, &["png", "jpg", "jpeg"])?))
        };
        let classes = (0..).zip(classes).map(list).collect::<Result<_>>()?;
        let (files, labels) = interleave(classes);
        if files.is_empty() {
            return Err(Error::field(folder.display().to_string(), "files", "no image"));
        }
        let shape = Shape::new(channels, self.crop, self.crop);
        let source = PictureFiles { files, resize: self.resize.map(|side| side as u32), shape };
        Ok(Images::new(source, shape, 1, labels))
    }
}

/// Images that are decoded when they are asked for.
#[derive(Debug)]
struct PictureFiles {
    files: Vec<PathBuf>,
    resize: Option<u32>,
    shape: Shape,
}

impl Source for PictureFiles {
    fn sample(&self, i: usize) -> Result<Sample> {
        let path = &self.files[i];
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let data = decode(&bytes, self.resize, self.shape)
            .map_err(|(field, message)| Error::field(path.display().to_string(), field, message))?;
        Ok(Frames { frames: 1, shape: self.shape, data })
    }

    fn origin(&self, i: usize) -> String {
        self.files[i].display().to_string()
    }

    fn sha256(&self, samples: Range<usize>) -> Result<String> {
        sha256_of_files(&self.files[samples])
    }
}

/// What is wrong with an image: the field, and the message.
type Refusal = (&'static str, String);

/// Decodes, resizes and crops to `shape`; `[y][x][channel]`.
fn decode(bytes: &[u8], side: Option<u32>, shape: Shape) -> Result<Vec<u16>, Refusal> {
    let refuse = |e: image::ImageError| ("image", e.to_string());
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let reader = reader.map_err(|e| ("image", e.to_string()))?;
    match reader.format() {
        Some(ImageFormat::Png) => {}
        Some(ImageFormat::Jpeg) => check_jpeg(bytes)?,
        _ => return Err(("image", "neither PNG nor JPEG".to_owned())),
    }
    let decoder = reader.into_decoder().map_err(refuse)?;
    let (width, height) = decoder.dimensions();
    let after = side.map_or((width, height), |side| resized(width, height, side));
    let pixels = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
    if pixels((width, height)) > MAX_PIXELS || pixels(after) > MAX_PIXELS {
        return Err(("size", format!("{width} x {height} pixels, also when resized at most {MAX_PIXELS}")));
    }
    let crop = shape.width as u32;
    if after.0 < crop || after.1 < crop {
        return Err(("size", format!("{width} x {height} pixels, too small for a crop of {crop}")));
    }
    let color = decoder.color_type();
    if !matches!(color, ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8) {
        return Err(("color", format!("{color:?}, expected 8 bits per channel")));
    }
    if shape.channels == 1 && color.has_color() {
        return Err(("color", format!("{color:?}, and channels is 1")));
    }
    let image = DynamicImage::from_decoder(decoder).map_err(refuse)?;
    if color.has_alpha() && image.to_rgba8().pixels().any(|pixel| pixel.0[3] != u8::MAX) {
        return Err(("alpha", "some pixels are transparent".to_owned()));
    }
    Ok(match shape.channels {
        1 => transform(&image.to_luma8(), after, crop),
        _ => transform(&image.to_rgb8(), after, crop),
    })
}

/// Bicubic (Catmull-Rom, a = -0.5) over the area that a pixel covers, as Pillow resizes; then the middle.
fn transform<P: Pixel<Subpixel = u8> + 'static>(
    image: &ImageBuffer<P, Vec<u8>>,
    (width, height): (u32, u32),
    crop: u32,
) -> Vec<u16> {
    let same = image.dimensions() == (width, height);
    let resized = if same { None } else { Some(resize(image, width, height, FilterType::CatmullRom)) };
    let (left, top) = (half_to_even(width - crop), half_to_even(height - crop));
    let middle = crop_imm(resized.as_ref().unwrap_or(image), left, top, crop, crop).to_image();
    middle.into_raw().into_iter().map(u16::from).collect()
}

/// The shorter side becomes `side`; the longer one is rounded down, as torchvision does.
fn resized(width: u32, height: u32, side: u32) -> (u32, u32) {
    let longer = |long: u32, short: u32| {
        let scaled = u64::from(side) * u64::from(long) / u64::from(short.max(1));
        u32::try_from(scaled).unwrap_or(u32::MAX)
    };
    match width <= height {
        true => (side, longer(height, width)),
        false => (longer(width, height), side),
    }
}

/// `margin / 2` rounded to nearest, ties to even: where torchvision starts a centre crop.
fn half_to_even(margin: u32) -> u32 {
    margin / 2 + (margin % 2) * (margin / 2 % 2)
}

/// Refuses what the decoder would make up: inks for colours, and grey for missing rows.
fn check_jpeg(bytes: &[u8]) -> Result<(), Refusal> {
    let truncated = || ("image", "truncated JPEG".to_owned());
    if components(bytes).ok_or_else(truncated)? == 4 {
        return Err(("color", "CMYK, expected RGB or grey".to_owned()));
    }
    // Within a scan 0xff is followed by 0 or a restart marker, so this end is no pixel.
    let scan = bytes.windows(2).rposition(|marker| marker == [0xff, 0xda]).ok_or_else(truncated)?;
    match bytes[scan..].windows(2).any(|marker| marker == [0xff, 0xd9]) {
        true => Ok(()),
        false => Err(truncated()),
    }
}

/// Components of a JPEG, from its frame header.
fn components(bytes: &[u8]) -> Option<u8> {
    let mut rest = bytes.get(2..)?;
    loop {
        match rest {
            // Fill bytes.
            [0xff, 0xff, ..] => rest = &rest[1..],
            [0xff, 0xc4 | 0xc8 | 0xcc, high, low, ..] | [0xff, 0..=0xbf | 0xd0.., high, low, ..] => {
                rest = rest.get(2 + usize::from(u16::from_be_bytes([*high, *low]))..)?;
            }
            [0xff, 0xc0..=0xcf, ..] => return rest.get(9).copied(),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(image: &DynamicImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
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
        let rgb = image::RgbImage::from_fn(5, 4, |x, y| image::Rgb([x as u8, y as u8, 100]));
        let data = decode(&png(&rgb.into()), None, Shape::new(3, 2, 2)).unwrap();
        // Margins of 3 and 2 begin at 2 and 1.
        assert_eq!(data, [2, 1, 100, 3, 1, 100, 2, 2, 100, 3, 2, 100]);
    }

    /// `Resize(5, BICUBIC)` and `CenterCrop(4)` of torchvision 0.29.2 on Pillow 13.0.0, which rounds to
    /// bytes between rows and columns too.
    #[test]
    fn resizing_is_that_of_pillow() {
        let value = |x: u32, y: u32, c: u32| ((x * 37 + y * 11 + c * 90) % 256) as u8;
        let rgb = image::RgbImage::from_fn(11, 8, |x, y| image::Rgb([0, 1, 2].map(|c| value(x, y, c))));
        let data = decode(&png(&rgb.into()), Some(5), Shape::new(3, 4, 4)).unwrap();
        let pillow: [u16; 48] = [
            85, 184, 124, 162, 181, 69, 174, 46, 152, 32, 127, 183, 102, 198, 57, 179, 90, 91, 197, 66, 168,
            49, 144, 206, 120, 215, 56, 198, 68, 111, 140, 85, 190, 65, 161, 151, 137, 152, 50, 220, 38, 131,
            85, 108, 214, 80, 187, 100,
        ];
        assert!(data.iter().zip(pillow).all(|(&ours, pillow)| ours.abs_diff(pillow) <= 1), "{data:?}");
    }

    #[test]
    fn grey_becomes_three_channels_or_stays_one() {
        let grey = png(&image::GrayImage::from_fn(2, 2, |x, y| image::Luma([(10 * x + y) as u8])).into());
        assert_eq!(decode(&grey, None, Shape::new(1, 2, 2)).unwrap(), [0, 10, 1, 11]);
        let three = [0, 0, 0, 10, 10, 10, 1, 1, 1, 11, 11, 11];
        assert_eq!(decode(&grey, None, Shape::new(3, 2, 2)).unwrap(), three);
    }

    #[test]
    fn alpha_is_dropped_where_it_hides_nothing() {
        let with = |alpha| png(&image::RgbaImage::from_pixel(1, 1, image::Rgba([1, 2, 3, alpha])).into());
        assert_eq!(decode(&with(255), None, Shape::new(3, 1, 1)).unwrap(), [1, 2, 3]);
        let message = ("alpha", "some pixels are transparent".to_owned());
        assert_eq!(decode(&with(254), None, Shape::new(3, 1, 1)).unwrap_err(), message);
    }
}
