//! Labelled samples: a test part that is only measured, a validation part that everything is chosen on.

mod aedat;
mod arrays;
mod cifar;
mod class_folders;
mod context;
mod events;
mod gesture;
mod idx;
mod images;
mod nmnist;
mod noise;
mod pictures;

pub use images::{Images, Sample};

use std::collections::BTreeSet;

use serde::Deserialize;

pub use arrays::{ArrayData, LabelledArray, Layout};

use self::arrays::{Npy, Npz};
use self::cifar::{Cifar10, Cifar100};
use self::class_folders::SHOWN;
use self::context::Context;
use self::gesture::Gesture;
use self::idx::Idx;
use self::nmnist::Nmnist;
use self::noise::Noise;
use self::pictures::Pictures;
use super::ModelDescription;
use crate::error::{Error, Result};
use crate::files::Folder;
use crate::name::first_of;
use crate::ron_file::parse_ron;
use crate::watch::Interrupt;

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
    validation: Option<Part>,
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

/// A loaded data set.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// What reports call it.
    pub name: String,
    /// Where the images come from, and under which licence.
    pub provenance: String,
    /// Classes of its labels, which are numbered from 0.
    pub classes: usize,
    /// The description, for messages.
    pub path: String,
    /// Only measured: nothing is calibrated or chosen on these.
    pub test: Images,
    /// Held out of training: calibration and every choice use these. None where the description has no such part,
    /// which is enough for settings that depend on no images.
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
            if let Some((start, end)) = range {
                if start >= end || end > images.len() {
                    let message = format!("({start}, {end}) is not a part of {} samples", images.len());
                    return Err(context.refuse("range", message));
                }
                images.select(start..end);
            }
            images.notes.extend(unseen_classes(&images, description.classes));
            Ok(images)
        };
        let test = load(&description.test, "test")?;
        let validation = match &description.validation {
            Some(part) => load(part, "validation")?,
            None => Images::in_memory(&[], Vec::new()),
        };
        if !validation.is_empty() {
            check_alike(&test, &validation).map_err(|message| Error::field(&path, "validation", message))?;
        }
        let provenance = format!("{} ({})", description.source, description.licence);
        let (name, classes) = (description.name, description.classes);
        Ok(Self { name, provenance, classes, path, test, validation })
    }

    /// A data set of arrays that a program holds.
    ///
    /// # Errors
    /// Names the array and the value that is wrong, or what differs between both parts.
    pub fn of_arrays(data: ArrayData) -> Result<Self> {
        let path = data.name.clone();
        let (mut test, mut validation, classes) = data.load()?;
        test.notes.extend(unseen_classes(&test, classes));
        if !validation.is_empty() {
            check_alike(&test, &validation).map_err(|message| Error::field(&path, "validation", message))?;
            validation.notes.extend(unseen_classes(&validation, classes));
        }
        Ok(Self { name: path.clone(), provenance: "arrays".to_owned(), classes, path, test, validation })
    }

    /// With an end to all that runs its samples when `interrupt` is raised.
    pub fn until(self, interrupt: &Interrupt) -> Self {
        Self { test: self.test.until(interrupt), validation: self.validation.until(interrupt), ..self }
    }

    /// The validation images, which `what` looks at.
    ///
    /// # Errors
    /// If there are none.
    pub fn validation_of(&self, what: &str) -> Result<&Images> {
        if self.validation.is_empty() {
            let message = format!("missing, and {what} its images: add a part `validation: ...`");
            return Err(Error::field(&self.path, "validation", message));
        }
        Ok(&self.validation)
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
        let (test, validation) = (Noise::of(model, 1).images(), Images::noise(model));
        let (name, path) = (spec.to_owned(), spec.to_owned());
        Ok(Self { name, provenance, classes: model.classes, path, test, validation })
    }
}

/// What differs between samples of both parts.
fn check_alike(test: &Images, validation: &Images) -> Result<(), String> {
    if test.shape != validation.shape {
        return Err(format!("{} against {} of test", validation.shape, test.shape));
    }
    if test.frames != validation.frames {
        return Err(format!("{} frames of a sample against {} of test", validation.frames, test.frames));
    }
    Ok(())
}

/// What a reader must know of those of `classes` that no sample is of.
fn unseen_classes(images: &Images, classes: usize) -> Option<String> {
    let seen: BTreeSet<usize> = images.labels.iter().map(|&label| label as usize).collect();
    let unseen: Vec<String> =
        (0..classes).filter(|class| !seen.contains(class)).map(|class| class.to_string()).collect();
    let is_worth_saying = !unseen.is_empty() && !images.is_synthetic();
    is_worth_saying.then(|| {
        let (count, list) = (unseen.len(), first_of(&unseen, SHOWN));
        format!("no sample is of {count} of the {classes} classes: {list}")
    })
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
            for part in [Some(description.test), description.validation].into_iter().flatten() {
                formats.insert(format!("{part:?}").split('(').next().unwrap().to_owned());
            }
        }
        let all = ["Cifar10", "Cifar100", "Folder", "Gesture", "Idx", "Nmnist", "Noise", "Npy", "Npz"];
        assert_eq!(Vec::from_iter(formats), all);
    }
}
