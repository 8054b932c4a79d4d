//! Samples and labels in `.npy` files, or in one `.npz`.

use std::path::PathBuf;

use serde::Deserialize;

use super::context::Context;
use super::images::{Images, Memory, Values, channels_last};
use crate::error::{Error, Result};
use crate::files::{Folder, MAX_PLAIN, sha256};
use crate::npy::{self, Array, Kind};
use crate::npz;
use crate::tensor::Shape;

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
    /// What floats are multiplied by before they are rounded.
    scale: Option<f64>,
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
    /// What floats are multiplied by before they are rounded.
    scale: Option<f64>,
    /// First sample taken, and the first after it that is not.
    pub range: Option<(usize, usize)>,
}

/// Arrays of a program, in the place of files.
#[derive(Debug)]
pub struct ArrayData {
    /// What reports call the data.
    pub name: String,
    /// Classes; without, as many as the labels show.
    pub classes: Option<usize>,
    /// Order of the indices of images.
    pub layout: Layout,
    /// What floats are multiplied by before they are rounded.
    pub scale: Option<f64>,
    /// Samples that are only measured.
    pub test: LabelledArray,
    /// Samples that everything is chosen on.
    pub validation: Option<LabelledArray>,
}

/// Samples with their labels.
#[derive(Debug)]
pub struct LabelledArray {
    /// In the order that a [`Layout`] says.
    pub images: Array,
    /// `[N]`, whole numbers from 0.
    pub labels: Array,
}

/// An array, and what messages call it.
struct Named {
    array: Array,
    path: String,
}

/// How an array of images is read.
#[derive(Clone, Copy)]
struct Reading {
    layout: Layout,
    scale: Option<f64>,
}

impl Npy {
    /// Reads both files.
    pub fn load(&self, context: &Context) -> Result<Images> {
        let read = |file: &String| {
            let path = context.folder.path(file);
            Ok(Named { array: npy::read(context.folder.open(file)?, MAX_PLAIN, &path)?, path })
        };
        let (images, labels) = (read(&self.images)?, read(&self.labels)?);
        let reading = Reading { layout: self.layout, scale: self.scale };
        load(images, &labels, reading, context.sha256([&self.images, &self.labels])?, context)
    }
}

impl Npz {
    /// Reads both arrays.
    pub fn load(&self, context: &Context) -> Result<Images> {
        let mut file = npz::Npz::open(context.folder.on_disk(&self.file)?)?;
        let mut read = |key: &String| Ok(Named { array: file.read(key)?, path: file.place(key) });
        let (images, labels) = (read(&self.images)?, read(&self.labels)?);
        let reading = Reading { layout: self.layout, scale: self.scale };
        load(images, &labels, reading, context.sha256([&self.file])?, context)
    }
}

impl ArrayData {
    /// The test part and the validation part, which is empty where there is none, and the classes of their labels.
    pub fn load(self) -> Result<(Images, Images, usize)> {
        let parts = [Some(&self.test), self.validation.as_ref()];
        let labels = parts
            .into_iter()
            .flatten()
            .flat_map(|part| part.labels.values().filter_map(|value| part.labels.kind.integer(value)).max());
        let shown = labels.max().and_then(|last| usize::try_from(last).ok()).map_or(0, |last| last + 1);
        let classes = self.classes.unwrap_or(shown);
        let reading = Reading { layout: self.layout, scale: self.scale };
        // One array for both parts is one origin, which whoever compares them has to notice.
        let is_shared = self.validation.as_ref().is_some_and(|part| part.images == self.test.images);
        let part = |LabelledArray { images, labels }: LabelledArray, part: &'static str, name: &str| {
            let context = Context { folder: &Folder::Disk(PathBuf::new()), path: &self.name, part, classes };
            let sha256 = sha256_of_files(&[&images, &labels]);
            let named = |array: Array, what: &str| Named { array, path: format!("{name}{what}") };
            load(named(images, "images"), &named(labels, "labels"), reading, sha256, &context)
        };
        let test = part(self.test, "test", "")?;
        let validation = match self.validation {
            Some(arrays) => part(arrays, "validation", if is_shared { "" } else { "validation " })?,
            None => Images::in_memory(&[], Vec::new()),
        };
        Ok((test, validation, classes))
    }
}

/// SHA-256 of the `.npy` files that NumPy writes of `arrays`, one behind the other.
fn sha256_of_files(arrays: &[&Array]) -> String {
    let preambles: Vec<Vec<u8>> =
        arrays.iter().map(|array| npy::preamble(array.kind, &array.shape)).collect();
    sha256(preambles.iter().zip(arrays).flat_map(|(preamble, array)| [preamble, &array.data]))
}

fn load(
    Named { array: images, path }: Named,
    labels: &Named,
    Reading { layout, scale }: Reading,
    sha256: String,
    context: &Context,
) -> Result<Images> {
    let (frames, shape) = extents(&images.shape, layout)
        .ok_or_else(|| Error::field(&path, "shape", format!("{:?} is not {layout:?}", images.shape)))?;
    // Extents beside a 0 may be of any size; without one, their product is the length of the data.
    if images.shape.contains(&0) {
        return Err(Error::field(path, "shape", format!("{:?} has no image", images.shape)));
    }
    if labels.array.shape != [images.shape[0]] {
        let message = format!("{:?} for {} images", labels.array.shape, images.shape[0]);
        return Err(Error::field(&labels.path, "shape", message));
    }
    let classes = classes(&labels.array, &labels.path)?;
    context.check_labels(&classes, &labels.path)?;
    let (values, note) = match (scale, images.kind.is_float()) {
        (None, false) => (integers(images, &path)?, None),
        (None, true) => floats(&images, &path)?,
        (Some(scale), true) => scaled(&images, scale, &path, context)?,
        (Some(_), false) => {
            return Err(context.refuse("scale", format!("{path} holds {}, which is not scaled", images.kind)));
        }
    };
    let values = match (values, layout) {
        (values, Layout::Nhw | Layout::Nhwc) => values,
        (Values::Bytes(values), _) => Values::Bytes(channels_last(&values, shape)),
        (Values::Words(values), _) => Values::Words(channels_last(&values, shape)),
    };
    let notes = note.map(|note| format!("{path}: {note}")).into_iter().collect();
    Ok(Memory { values, shape, frames, path, sha256 }.images(classes).with_notes(notes))
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

/// Values that are whole numbers as they are.
fn integers(images: Array, path: &str) -> Result<Values> {
    if images.kind == Kind::Unsigned(1) {
        return Ok(Values::Bytes(images.data));
    }
    let word = |(i, value): (usize, &[u8])| {
        let word = images.kind.integer(value).and_then(|value| u16::try_from(value).ok());
        word.ok_or_else(|| wrong(&images, i, path, &format!("is not a whole number of 0 to {}", u16::MAX)))
    };
    Ok(Values::Words(images.values().enumerate().map(word).collect::<Result<_>>()?))
}

/// Floats: whole numbers, or bytes that were divided by 255; and what a reader of results must know of them.
fn floats(images: &Array, path: &str) -> Result<(Values, Option<String>)> {
    let kind = images.kind;
    let words = |value: &[u8]| kind.integer(value).and_then(|value| u16::try_from(value).ok());
    if let Some(words) = images.values().map(words).collect::<Option<Vec<u16>>>() {
        let is_binary = words.iter().all(|&value| value <= 1);
        let note =
            format!("{kind} values are all 0 or 1, and taken as these counts; `scale` makes them others");
        return Ok((Values::Words(words), is_binary.then_some(note)));
    }
    let byte = |(i, value): (usize, &[u8])| {
        byte_of(kind.float(value), kind).ok_or_else(|| {
            let hint = "`scale` says what values are multiplied by before they are rounded";
            wrong(images, i, path, &format!("is neither a whole number of 0 to 65535 nor k / 255; {hint}"))
        })
    };
    let bytes = images.values().enumerate().map(byte).collect::<Result<_>>()?;
    Ok((Values::Bytes(bytes), Some(format!("{kind} values of k / 255 are taken as k"))))
}

/// The k of 0 to 255 whose quotient by 255 is `value`, divided in single precision or in that of `kind`.
fn byte_of(value: f64, kind: Kind) -> Option<u8> {
    let byte = (value * 255.0).round();
    let single = f64::from(byte as f32 / 255.0);
    let is_quotient = value == single || (kind == Kind::Double && value == byte / 255.0);
    (is_quotient && (0.0..=255.0).contains(&byte)).then_some(byte as u8)
}

/// Values times `scale`, rounded to the nearest whole number, ties away from 0; and by how much.
fn scaled(images: &Array, scale: f64, path: &str, context: &Context) -> Result<(Values, Option<String>)> {
    if !(scale.is_finite() && scale > 0.0) {
        return Err(context.refuse("scale", format!("{scale} is not a number above 0")));
    }
    let mut furthest = 0f64;
    let mut word = |(i, value): (usize, &[u8])| {
        let product = images.kind.float(value) * scale;
        let word = product.round();
        if !(0.0..=f64::from(u16::MAX)).contains(&word) {
            return Err(wrong(images, i, path, &format!("times {scale} is not in 0 to {}", u16::MAX)));
        }
        furthest = furthest.max((product - word).abs());
        Ok(word as u16)
    };
    let words = images.values().enumerate().map(&mut word).collect::<Result<_>>()?;
    let note =
        format!("{} values are multiplied by {scale} and rounded, by up to {furthest:.3}", images.kind);
    Ok((Values::Words(words), Some(note)))
}

fn classes(labels: &Array, path: &str) -> Result<Vec<u32>> {
    let label = |(i, value): (usize, &[u8])| {
        let label = labels.kind.integer(value).and_then(|value| u32::try_from(value).ok());
        label.ok_or_else(|| wrong(labels, i, path, "is no class, which are numbered from 0"))
    };
    labels.values().enumerate().map(label).collect()
}

/// What is said of value number `i`, which `is` not what it should be.
fn wrong(array: &Array, i: usize, path: &str, is: &str) -> Error {
    let value = array.values().nth(i).map_or_else(String::new, |value| array.kind.text(value));
    Error::field(path, array.place(i), format!("{value} {is}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DataSet;

    fn floats_of(values: &[f32]) -> Array {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Array { shape: vec![1, values.len()], kind: Kind::Float, data }
    }

    fn doubles_of(values: &[f64]) -> Array {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Array { shape: vec![1, values.len()], kind: Kind::Double, data }
    }

    fn words(values: Values) -> Vec<u16> {
        match values {
            Values::Bytes(bytes) => bytes.into_iter().map(u16::from).collect(),
            Values::Words(words) => words,
        }
    }

    /// `x / 255` of all bytes, in single precision, in double precision, and single precision made double, as
    /// NumPy and PyTorch divide.
    #[test]
    fn bytes_that_were_divided_by_255_come_back() {
        let all: Vec<u16> = (0..256).collect();
        let single: Vec<f32> = all.iter().map(|&k| f32::from(k) / 255.0).collect();
        let double: Vec<f64> = all.iter().map(|&k| f64::from(k) / 255.0).collect();
        let widened: Vec<f64> = single.iter().map(|&x| x.into()).collect();
        for array in [floats_of(&single), doubles_of(&double), doubles_of(&widened)] {
            let (values, note) = floats(&array, "x.npy").unwrap();
            assert_eq!(words(values), all);
            assert_eq!(note.unwrap(), format!("{} values of k / 255 are taken as k", array.kind));
        }
    }

    #[test]
    fn whole_numbers_are_counts_and_anything_else_is_refused() {
        let (values, note) = floats(&doubles_of(&[0.0, -0.0, 300.0, 65535.0]), "x.npy").unwrap();
        assert_eq!((words(values), note), (vec![0, 0, 300, 65535], None));
        let (values, note) = floats(&floats_of(&[0.0, 1.0]), "x.npy").unwrap();
        assert_eq!(words(values), [0, 1]);
        assert!(note.unwrap().contains("all 0 or 1"));
        // One unit in the last place beside 2 / 255; a byte times 1 / 255 in single precision, off by one.
        let beside = f32::from_bits((2f32 / 255.0).to_bits() + 1);
        let product = 3.0 * (1.0 / 255.0f32);
        assert_ne!(product, 3.0 / 255.0);
        for (value, shown) in [
            (beside, "0.007843139"),
            (product, "0.011764707"),
            (-0.5, "-0.5"),
            (1.5, "1.5"),
            (f32::NAN, "NaN"),
            (65536.0, "65536"),
        ] {
            let message = floats(&floats_of(&[0.5 / 255.0 * 2.0, value]), "x.npy").unwrap_err().to_string();
            assert!(message.starts_with(&format!("x.npy: [0, 1]: {shown} is neither")), "{message}");
        }
    }

    fn bytes_of(shape: &[usize], data: Vec<u8>) -> Array {
        Array { shape: shape.to_vec(), kind: Kind::Unsigned(1), data }
    }

    /// What a program hands over is what it would have saved.
    #[test]
    fn arrays_are_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let save = |name: &str, array: &Array| {
            let file = [npy::preamble(array.kind, &array.shape), array.data.clone()].concat();
            std::fs::write(folder.path().join(name), file).unwrap();
        };
        let images = || bytes_of(&[2, 2, 1, 2], (0..8).collect());
        let labels = || Array { shape: vec![2], kind: Kind::Signed(2), data: vec![3, 0, 1, 0] };
        save("x.npy", &images());
        save("y.npy", &labels());
        let text = r#"DataSet(name: "a", source: "", licence: "", classes: 4,
            test: Npy(images: "x.npy", labels: "y.npy", layout: Nchw))"#;
        let description = folder.path().join("a.ron");
        std::fs::write(&description, text).unwrap();
        let saved = DataSet::load(description.to_str().unwrap()).unwrap();
        let data = |validation: Option<LabelledArray>| ArrayData {
            name: "a".to_owned(),
            classes: None,
            layout: Layout::Nchw,
            scale: None,
            test: LabelledArray { images: images(), labels: labels() },
            validation,
        };
        let held = DataSet::of_arrays(data(None)).unwrap();
        assert_eq!(held.test.sample(1).unwrap().data, [4, 6, 5, 7]);
        assert_eq!(held.test.sample(1).unwrap(), saved.test.sample(1).unwrap());
        assert_eq!(held.test.sha256().unwrap(), saved.test.sha256().unwrap());
        assert_eq!((held.classes, &held.test.labels), (4, &saved.test.labels));
        assert_eq!(held.test.notes, saved.test.notes);
        assert!(held.validation.is_empty());
        let same = DataSet::of_arrays(data(Some(LabelledArray { images: images(), labels: labels() })));
        assert_eq!(same.unwrap().validation.origin(0), held.test.origin(0));
        let other = bytes_of(&[2, 1, 2, 2], vec![0; 8]);
        let other = DataSet::of_arrays(data(Some(LabelledArray { images: other, labels: labels() })));
        assert_eq!(other.unwrap_err().to_string(), "a: validation: 1 x 2 x 2 against 2 x 1 x 2 of test");
    }
}
