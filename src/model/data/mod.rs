//! Labelled samples: a test part that is only measured, a validation part that everything is chosen on.

mod aedat;
mod arrays;
mod cifar;
mod class_folders;
mod events;
mod gesture;
mod idx;
mod images;
mod nmnist;
mod noise;
mod pictures;

pub use images::{Images, Sample};

use serde::Deserialize;

use self::arrays::{Npy, Npz};
use self::cifar::{Cifar10, Cifar100};
use self::gesture::Gesture;
use self::idx::Idx;
use self::nmnist::Nmnist;
use self::noise::Noise;
use self::pictures::Pictures;
use super::ModelDescription;
use crate::error::{Error, Result};
use crate::files::Folder;
use crate::ron_file::parse_ron;

/// `data/<name>/<name>.ron`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename = "DataSet")]
struct DataDescription {
    #[serde(deserialize_with = "crate::name::title")]
    name: String,
    source: String,
    licence: String,
    classes: usize,
    test: Part,
    validation: Part,
}

/// One format is one file here and one line in each place of this enum.
#[derive(Debug, Clone, PartialEq, Deserialize)]
enum Part {
    Idx(Idx),
    Npy(Npy),
    Npz(Npz),
    Folder(Pictures),
    Cifar10(Cifar10),
    Cifar100(Cifar100),
    Gesture(Gesture),
    Nmnist(Nmnist),
    Noise(Noise),
}

impl Part {
    /// All samples, and which of them to take.
    fn load(&self, context: &Context) -> Result<(Images, Option<(usize, usize)>)> {
        match self {
            Self::Idx(part) => Ok((part.load(context)?, part.range)),
            Self::Npy(part) => Ok((part.load(context)?, part.range)),
            Self::Npz(part) => Ok((part.load(context)?, part.range)),
            Self::Folder(part) => Ok((part.load(context)?, part.range)),
            Self::Cifar10(part) => Ok((part.load(context)?, part.range)),
            Self::Cifar100(part) => Ok((part.load(context)?, part.range)),
            Self::Gesture(part) => Ok((part.load(context)?, part.range)),
            Self::Nmnist(part) => Ok((part.load(context)?, part.range)),
            Self::Noise(part) => Ok((part.load(context)?, part.range)),
        }
    }
}

/// Where a part of a description stands.
struct Context<'a> {
    /// Folder of the description.
    folder: &'a Folder,
    /// The description, for messages.
    path: &'a str,
    /// `test` or `validation`.
    part: &'static str,
    /// Classes of the data set.
    classes: usize,
}

impl Context<'_> {
    /// An error in `field` of this part of the description.
    fn refuse(&self, field: &str, message: impl Into<String>) -> Error {
        Error::field(self.path, format!("{}: {field}", self.part), message)
    }

    /// Refuses a number of the description that is too small or too large.
    fn in_range(&self, field: &str, value: usize, min: usize, max: usize) -> Result<()> {
        match (min..=max).contains(&value) {
            true => Ok(()),
            false => Err(self.refuse(field, format!("{value} is not in {min}..={max}"))),
        }
    }

    /// Refuses labels of the file `path` that have no class.
    fn check_labels(&self, labels: &[u32], path: &str) -> Result<()> {
        match labels.iter().position(|&label| label as usize >= self.classes) {
            Some(i) => {
                let message = format!("label {i} is {}, and there are {} classes", labels[i], self.classes);
                Err(Error::field(path, "labels", message))
            }
            None => Ok(()),
        }
    }
}

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

impl DataSet {
    /// Loads `spec`: the name of a default, or a path to a `.ron` file. Formats of one file are read;
    /// folders of images and recordings are listed, and read one sample at a time.
    ///
    /// # Errors
    /// Names the file and the field or position that is wrong.
    pub fn load(spec: &str) -> Result<Self> {
        let (folder, name) = Folder::locate("data/fashion-mnist", spec)?;
        let path = folder.path(&name);
        let description: DataDescription = parse_ron(&folder.read_text(&name)?, &path)?;
        let load = |part: &Part, name| {
            let context = Context { folder: &folder, path: &path, part: name, classes: description.classes };
            let (mut images, range) = part.load(&context)?;
            let Some((start, end)) = range else { return Ok(images) };
            if start >= end || end > images.len() {
                let message = format!("({start}, {end}) is not a part of {} samples", images.len());
                return Err(context.refuse("range", message));
            }
            images.select(start..end);
            Ok(images)
        };
        let (test, validation) =
            (load(&description.test, "test")?, load(&description.validation, "validation")?);
        if test.shape != validation.shape {
            let message = format!("{} against {} of test", validation.shape, test.shape);
            return Err(Error::field(path, "validation", message));
        }
        if test.frames != validation.frames {
            let message = format!("{} frames of a sample against {} of test", validation.frames, test.frames);
            return Err(Error::field(path, "validation", message));
        }
        let provenance = format!("{} ({})", description.source, description.licence);
        Ok(Self { name: description.name, provenance, test, validation })
    }

    /// Loads `spec` for `model`: as [`DataSet::load`] does, or for `noise` synthetic samples that are
    /// what the model looks at.
    ///
    /// # Errors
    /// Those of [`DataSet::load`].
    pub fn load_for(spec: &str, model: &ModelDescription) -> Result<Self> {
        if spec != "noise" {
            return Self::load(spec);
        }
        let provenance = "synthetic, made from a seed".to_owned();
        let [test, validation] = [1, 2].map(|seed| Noise::of(model, seed).images());
        Ok(Self { name: spec.to_owned(), provenance, test, validation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader copies them.
    #[test]
    fn the_examples_of_the_documentation_parse() {
        let text = include_str!("../../../docs/data.md");
        let examples: Vec<&str> =
            text.split("```ron\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        let mut formats = std::collections::BTreeSet::new();
        for example in &examples {
            let description: DataDescription = parse_ron(example, "docs/data.md").unwrap();
            for part in [description.test, description.validation] {
                formats.insert(format!("{part:?}").split('(').next().unwrap().to_owned());
            }
        }
        let all = ["Cifar10", "Cifar100", "Folder", "Gesture", "Idx", "Nmnist", "Noise", "Npy", "Npz"];
        assert_eq!(Vec::from_iter(formats), all);
    }
}
