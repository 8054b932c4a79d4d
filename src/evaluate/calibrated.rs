//! A model together with what settings need to know of its calibration images.

use std::sync::{Arc, Mutex, PoisonError};

use super::calibration_images::ranges;
use super::{CalibrationImages, RateMatching, add_statistics, calibrate};
use crate::error::Result;
use crate::model::{DataSet, Grid, Images, Kind, Model, Network, Node};
use crate::quant::{Calibration, FixedPoint, KeptIntegers, QuantizedModel};

/// Makes networks of integers of one model. What settings need to know of calibration images is found out once,
/// and kept.
#[derive(Debug)]
pub struct Calibrated {
    model: Arc<Model>,
    validation: CalibrationImages,
    /// `None` as long as no setting needed it.
    calibration: Mutex<Option<Calibration>>,
    matching: RateMatching,
    /// True where networks are charged and never run, so that most settings need no ranges.
    only_charged: bool,
}

impl Calibrated {
    /// Reads the validation images of `data` and `images`, which will be run, and calibrates ranges on the former;
    /// `progress` is told of every image read: `images.len() + data.validation.len().min(CALIBRATION_IMAGES)` in
    /// all.
    ///
    /// # Errors
    /// If an image does not decode or is not what the model looks at, or labels exceed its classes.
    pub fn new(
        model: Arc<Model>,
        data: &DataSet,
        images: &Images,
        progress: &(dyn Fn() + Sync),
    ) -> Result<Self> {
        let calibration = calibrate(&model, data, images, progress)?;
        let validation = CalibrationImages::of(data, &model);
        Ok(Self::of(model, validation, Some(calibration)))
    }

    /// Calibrated on the validation images of `data`, for a model that runs no other images.
    ///
    /// # Errors
    /// Those of [`Calibrated::new`].
    pub fn on_validation(model: Arc<Model>, data: &DataSet) -> Result<Self> {
        let mut none = data.test.clone();
        none.truncate(0);
        Self::new(model, data, &none, &|| ())
    }

    /// For networks that are charged and never run: nearly all widths are those of the formats, wherever their point lies.
    /// What a setting needs beyond that is found out on noise.
    pub(super) fn on_noise(model: Arc<Model>) -> Self {
        let validation = CalibrationImages::noise(&model);
        Self { only_charged: true, ..Self::of(model, validation, None) }
    }

    fn of(model: Arc<Model>, validation: CalibrationImages, calibration: Option<Calibration>) -> Self {
        let (calibration, matching) = (Mutex::new(calibration), RateMatching::default());
        Self { model, validation, calibration, matching, only_charged: false }
    }

    /// For many settings that share layers: a layer is rounded once per scheme.
    pub(crate) fn keeping_layers(mut self) -> Self {
        let calibration = self.calibration.get_mut().unwrap_or_else(PoisonError::into_inner);
        calibration.iter_mut().for_each(|calibration| calibration.keeps_nearest = true);
        self
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The calibration images.
    pub fn validation(&self) -> &CalibrationImages {
        &self.validation
    }

    /// What of `setting` is found out on noise, for want of images; `None` where nothing is.
    pub(super) fn noise_note(&self, setting: &FixedPoint) -> Option<&'static str> {
        if !self.only_charged || setting.kept_of(&self.model).is_some() {
            None
        } else if setting.needs_images(&self.model) {
            Some("weights, thresholds and ranges are chosen on synthetic noise")
        } else if ranges_matter(&self.model.network, setting) {
            Some("ranges are chosen on synthetic noise")
        } else {
            None
        }
    }

    /// Finds out what `setting` needs to know of the calibration images.
    ///
    /// # Errors
    /// If there are none and it needs some, one is no longer there, or a layer has too many inputs for what the
    /// setting rounds by.
    pub fn prepare(&self, setting: &FixedPoint) -> Result<()> {
        self.known(setting).map(|_| ())
    }

    /// The network of integers that `setting` makes.
    ///
    /// # Errors
    /// Those of [`Calibrated::prepare`], and if the setting does not fit the model.
    pub fn quantize(&self, setting: &FixedPoint) -> Result<QuantizedModel> {
        let calibration = self.known(setting)?;
        self.matching.quantize(&self.model, self.validation.images(), setting, &calibration)
    }

    /// The integers of `setting` for its file of integers: bytes of [`KeptIntegers`].
    ///
    /// # Errors
    /// Those of [`Calibrated::quantize`].
    pub fn integers(&self, setting: &FixedPoint) -> Result<Vec<u8>> {
        self.integers_for(setting, &self.model)
    }

    /// [`Calibrated::integers`], to be those of the setting for `model`: what this model was trained from, with other
    /// weights.
    ///
    /// # Errors
    /// Those of [`Calibrated::quantize`].
    pub fn integers_for(&self, setting: &FixedPoint, model: &Model) -> Result<Vec<u8>> {
        let (quantized, calibration) = (self.quantize(setting)?, self.known(setting)?);
        Ok(KeptIntegers::to_bytes(model, &setting.asked_text(), &calibration.magnitude, &quantized))
    }

    fn known(&self, setting: &FixedPoint) -> Result<Calibration> {
        if let Some(kept) = setting.kept_of(&self.model) {
            return Ok(Calibration::of_ranges(kept.ranges()));
        }
        if self.only_charged && self.noise_note(setting).is_none() {
            return Ok(Calibration::of_any_range(self.model.network.nodes.len()));
        }
        // What a thread that panicked left is whole: statistics are added when they are complete.
        let mut known = self.calibration.lock().unwrap_or_else(PoisonError::into_inner);
        let validation = self.validation.for_setting(&self.model, setting)?;
        let known = match &mut *known {
            Some(known) => known,
            none => none.insert(ranges(&self.model, validation)?),
        };
        add_statistics(&self.model, validation, setting, known)?;
        Ok(known.clone())
    }
}

/// A grid of so many bits has enough of them behind its point, whatever its range: sums of what is read there need no
/// bits of their own to be as fine as a threshold, and their biases are small beside them.
const FINE_BITS: u32 = 16;

/// True if a range may decide more of what `setting` makes of `network` than where a point lies: the width of sums
/// of what is read from a coarse grid, or how far the scales of stored codes are rounded.
fn ranges_matter(network: &Network, setting: &FixedPoint) -> bool {
    let rounds_scales = network.weighted().any(|(.., weighted)| weighted.stored.is_some());
    let is_coarse = |node: &Node| match node.kind {
        Kind::Grid(Grid::Residual) => {
            setting.residual_fraction_bits.is_none() && (rounds_scales || setting.residual_bits < FINE_BITS)
        }
        Kind::Grid(Grid::Activation) => rounds_scales || setting.activation_bits < FINE_BITS,
        _ => false,
    };
    network.nodes.iter().any(is_coarse)
}
