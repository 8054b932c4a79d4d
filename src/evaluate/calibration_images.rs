//! The images that settings are calibrated on, and what of a setting depends on them.

use std::collections::HashSet;

use rayon::prelude::*;

use super::fit::check_fit;
use crate::error::{Error, Result};
use crate::exec::FloatExecutor;
use crate::model::{DataSet, Grid, Images, Kind, Model, Network};
use crate::quant::{Calibration, FixedPoint};

/// Validation images that ranges are calibrated on.
pub const CALIBRATION_IMAGES: usize = 512;

/// The first [`CALIBRATION_IMAGES`] validation images of a data set.
#[derive(Debug, Clone)]
pub struct CalibrationImages {
    images: Images,
    /// The description of a data set without validation images, for messages.
    absent: Option<String>,
}

impl CalibrationImages {
    /// Calibration images of `data`; where it has none, noise that `model` looks at, for the mapper alone.
    pub fn of(data: &DataSet, model: &Model) -> Self {
        if data.validation.is_empty() {
            return Self { images: Images::noise(&model.description), absent: Some(data.path.clone()) };
        }
        let mut images = data.validation.clone();
        images.truncate(CALIBRATION_IMAGES);
        Self { images, absent: None }
    }

    /// Noise that `model` looks at.
    pub(super) fn noise(model: &Model) -> Self {
        Self { images: Images::noise(&model.description), absent: None }
    }

    /// The images, whatever they are good for.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// The images, for `setting` of `model`.
    ///
    /// # Errors
    /// If there are none, and the setting depends on them.
    pub(crate) fn for_setting(&self, model: &Model, setting: &FixedPoint) -> Result<&Images> {
        match (&self.absent, purpose(model, setting)) {
            (Some(path), Some(purpose)) => {
                let message = format!("missing, and {purpose}: add a part `validation: ...`");
                Err(Error::field(path, "validation", message))
            }
            _ => Ok(&self.images),
        }
    }

    /// What a reader must know of them, and of `measured`.
    pub(super) fn notes(&self, measured: &Images, data: &DataSet, network: &Network) -> Vec<String> {
        let seen: HashSet<String> = (0..self.images.len()).map(|i| self.images.origin(i)).collect();
        let shared = (0..measured.len()).filter(|&i| seen.contains(&measured.origin(i))).count();
        let mut notes = Vec::new();
        if measured.is_synthetic() {
            notes.push(
                "images are synthetic noise: the accuracy means nothing, and activity is not that of data"
                    .to_owned(),
            );
        }
        match &self.absent {
            Some(path) => {
                notes.push(format!("mappings are chosen on synthetic noise: {path} has no validation part"));
            }
            None if self.images.is_synthetic() => {
                notes.push("ranges and mappings are chosen on synthetic noise".to_owned());
            }
            None => {}
        }
        if shared > 0 {
            let all = measured.len();
            notes.push(format!("ranges and mappings are chosen on {shared} of the {all} images measured"));
        }
        if data.classes < network.classes() {
            let (name, fewer, all) = (&data.name, data.classes, network.classes());
            notes.push(format!("{name} has {fewer} classes, and the network tells {all} apart"));
        }
        notes.extend(measured.notes.iter().cloned());
        let of_validation = self.images.notes.iter().filter(|note| !measured.notes.contains(note));
        notes.extend(of_validation.map(|note| format!("validation: {note}")));
        notes
    }
}

/// What integers of `setting` are chosen for on images, if anything.
fn purpose(model: &Model, setting: &FixedPoint) -> Option<&'static str> {
    if setting.kept_of(model).is_some() {
        return None;
    }
    let is_ranged = |kind: Kind| match kind {
        Kind::Grid(Grid::Residual) => setting.residual_fraction_bits.is_none(),
        Kind::Grid(Grid::Activation) => true,
        _ => false,
    };
    if setting.rate_matching {
        return Some("the setting matches thresholds on its images");
    }
    if setting.needs_images(model) {
        return Some("the setting rounds or corrects layers by what they read of its images");
    }
    model.network.nodes.iter().any(|node| is_ranged(node.kind)).then_some("ranges are those of its images")
}

/// Ranges of `model` on validation images of `data`, if there are any; `images` are those to be run, and `progress`
/// is told of every image read.
///
/// # Errors
/// If images are not what the model looks at, or labels exceed its classes.
pub fn calibrate(
    model: &Model,
    data: &DataSet,
    images: &Images,
    progress: &(dyn Fn() + Sync),
) -> Result<Calibration> {
    let mut validation = data.validation.clone();
    validation.truncate(CALIBRATION_IMAGES);
    // Samples of no part have no shape to compare.
    let parts = if validation.is_empty() { &[images][..] } else { &[images, &validation] };
    check_fit(model, data, parts, progress)?;
    ranges(model, &validation)
}

/// Ranges of `model` on `images`, if there are any.
pub(super) fn ranges(model: &Model, images: &Images) -> Result<Calibration> {
    let nothing = || Calibration::new(model.network.nodes.len());
    let float = FloatExecutor::new(model);
    let calibration = (0..images.len())
        .into_par_iter()
        .map(|i| Ok(float.calibrate(&images.sample(i)?)))
        .try_reduce(nothing, |a, b| Ok(a.merge(&b)))?;
    check_ranges(model, &calibration)?;
    Ok(calibration)
}

/// Refuses weights so large that the float network overflows.
fn check_ranges(model: &Model, calibration: &Calibration) -> Result<()> {
    let mut nodes = model.network.nodes.iter().zip(&calibration.magnitude);
    match nodes.find(|(_, magnitude)| !magnitude.is_finite()) {
        Some((node, _)) => Err(model.weights.overflow(&format!(
            "layer {} of {} exceeds single precision on validation images",
            node.name, model.description.name
        ))),
        None => Ok(()),
    }
}
