//! A model together with what settings need to know of its calibration images.

use std::sync::{Arc, Mutex, PoisonError};

use super::{CalibrationImages, RateMatching, add_statistics, calibrate};
use crate::error::Result;
use crate::model::{DataSet, Images, Kind, Model};
use crate::quant::{Calibration, FixedPoint, QuantizedModel};

/// Makes networks of integers of one model. What settings need to know of calibration images is found out once,
/// and kept.
#[derive(Debug)]
pub struct Calibrated {
    model: Arc<Model>,
    validation: CalibrationImages,
    calibration: Mutex<Calibration>,
    matching: RateMatching,
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
        Ok(Self::knowing(model, data, calibration))
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

    /// Calibrated on noise, where the model has ranges at all.
    ///
    /// # Errors
    /// If values of the float network exceed single precision.
    pub(super) fn on_noise(model: Arc<Model>) -> Result<Self> {
        let mut noise = DataSet::load_for("noise", &model.description)?;
        noise.test.truncate(0);
        let calibration = if has_ranges(&model) {
            calibrate(&model, &noise, &noise.test, &|| ())?
        } else {
            Calibration::new(model.network.nodes.len())
        };
        Ok(Self::knowing(model, &noise, calibration))
    }

    fn knowing(model: Arc<Model>, data: &DataSet, calibration: Calibration) -> Self {
        let validation = CalibrationImages::of(data, &model);
        Self { model, validation, calibration: Mutex::new(calibration), matching: RateMatching::default() }
    }

    /// For many settings that share layers: a layer is rounded once per scheme.
    pub fn keeping_layers(mut self) -> Self {
        self.calibration.get_mut().unwrap_or_else(PoisonError::into_inner).keeps_nearest = true;
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

    fn known(&self, setting: &FixedPoint) -> Result<Calibration> {
        // What a thread that panicked left is whole: statistics are added when they are complete.
        let mut known = self.calibration.lock().unwrap_or_else(PoisonError::into_inner);
        let validation = self.validation.for_setting(&self.model.network, setting)?;
        add_statistics(&self.model, validation, setting, &mut known)?;
        Ok(known.clone())
    }
}

/// True if `model` has values whose range a calibration chooses.
pub(super) fn has_ranges(model: &Model) -> bool {
    model.network.nodes.iter().any(|node| matches!(node.kind, Kind::Grid(_)))
}
