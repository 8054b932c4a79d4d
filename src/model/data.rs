//! Labelled images: a test part that is only measured, a validation part that everything is chosen on.

use serde::Deserialize;

use super::idx;
use crate::error::{Error, Result};
use crate::files::{Folder, check_name, sha256};
use crate::ron_file::parse_ron;
use crate::tensor::{Frames, Shape};

/// `data/<name>/<name>.ron`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename = "DataSet")]
struct DataDescription {
    name: String,
    source: String,
    licence: String,
    classes: usize,
    test: Part,
    validation: Part,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
enum Part {
    /// Images and labels in IDX, gzip or plain, beside the description.
    Idx { images: String, labels: String },
}

/// What a network looks at once: one frame that every timestep sees, or one per timestep.
pub type Sample = Frames<u16>;

/// A loaded data set.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// What reports call it.
    pub name: String,
    /// Where the images come from, and under which licence.
    pub provenance: String,
    /// Only measured: nothing is calibrated or chosen on these.
    pub test: Images,
    /// Held out of training: calibration and every choice use these.
    pub validation: Images,
}

/// Images of unsigned bytes with labels.
#[derive(Debug, Clone)]
pub struct Images {
    /// Shape of one image.
    pub shape: Shape,
    /// `[image][y][x][channel]`.
    pub pixels: Vec<u8>,
    /// One per image.
    pub labels: Vec<u32>,
    /// SHA-256 of the files.
    pub sha256: String,
}

impl DataSet {
    /// Loads `spec`: the name of a default, or a path to a `.ron` file.
    pub fn load(spec: &str) -> Result<Self> {
        let (folder, name) = Folder::locate("data/fashion-mnist", spec)?;
        let path = folder.path(&name);
        let description: DataDescription = parse_ron(&folder.read_text(&name)?, &path)?;
        check_name(&description.name).map_err(|message| Error::field(&path, "name", message))?;
        let part = |part: &Part| Images::load(&folder, part, description.classes);
        let (test, validation) = (part(&description.test)?, part(&description.validation)?);
        if test.shape != validation.shape {
            let message = format!("{} against {} of test", validation.shape, test.shape);
            return Err(Error::field(path, "validation", message));
        }
        let provenance = format!("{} ({})", description.source, description.licence);
        Ok(Self { name: description.name, provenance, test, validation })
    }
}

impl Images {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Image `i`.
    pub fn sample(&self, i: usize) -> Sample {
        let pixels = &self.pixels[i * self.shape.values()..][..self.shape.values()];
        Frames { frames: 1, shape: self.shape, data: pixels.iter().map(|&p| u16::from(p)).collect() }
    }

    /// The first `count` images.
    pub fn truncate(&mut self, count: usize) {
        self.labels.truncate(count);
        self.pixels.truncate(count * self.shape.values());
    }

    fn load(folder: &Folder, part: &Part, classes: usize) -> Result<Self> {
        let Part::Idx { images, labels } = part;
        let (image_bytes, label_bytes) = (folder.read(images)?, folder.read(labels)?);
        let (image_path, label_path) = (folder.path(images), folder.path(labels));
        let pixels = idx::parse(&image_bytes, &image_path)?;
        let labels = idx::parse(&label_bytes, &label_path)?;
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
        if let Some(i) = labels.data.iter().position(|&label| usize::from(label) >= classes) {
            let message = format!("label {} is {}, and there are {classes} classes", i, labels.data[i]);
            return Err(Error::field(label_path, "labels", message));
        }
        Ok(Self {
            shape,
            pixels: pixels.data,
            labels: labels.data.into_iter().map(u32::from).collect(),
            sha256: sha256([image_bytes.as_ref(), label_bytes.as_ref()]),
        })
    }
}
