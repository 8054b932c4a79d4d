use clap::Args;

use super::checkpoint::CheckpointArguments;
use crate::error::{Error, Result};
use crate::evaluate::{CALIBRATION_IMAGES, add_statistics, calibrate, quantize_on};
use crate::model::{DataSet, Images, Model};
use crate::quant::{Calibration, Precision, QuantizedModel, Setting, quantize};

/// Flags that say what is executed on what.
#[derive(Debug, Args)]
pub struct SubjectArguments {
    /// A built-in model, or the path of a model description.
    #[arg(long, value_name = "M", default_value = "sdtv1_2-64_fashion")]
    pub model: String,
    #[command(flatten)]
    pub checkpoint: CheckpointArguments,
    /// A setting: fp32, w8, w4u8, pot3, floor8, a built-in one or the path of a setting file.
    #[arg(long, value_name = "Q", default_value = "w8")]
    pub quant: String,
    /// A built-in data set, or the path of a data description.
    #[arg(long, value_name = "D", default_value = "fashion-mnist")]
    pub data: String,
    /// Only the first N test images.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

/// A model, a setting and images that fit each other.
pub struct Subject {
    pub model: Model,
    pub setting: Setting,
    pub data_name: String,
    pub images: Images,
    /// Images that the setting is calibrated on.
    validation: Images,
    calibration: Calibration,
}

impl Subject {
    /// Loads everything; without `--limit`, `default_limit` images, or all.
    pub fn load(arguments: &SubjectArguments, default_limit: Option<usize>) -> Result<Self> {
        let setting = Setting::load(&arguments.quant)?;
        let model = arguments.checkpoint.load(&arguments.model)?;
        let data = DataSet::load_for(&arguments.data, &model.description)?;
        let all = data.test.len();
        let limit = arguments.limit.unwrap_or(default_limit.unwrap_or(all).min(all));
        if !(1..=all).contains(&limit) {
            return Err(Error::mismatch(format!("--limit: {limit} is not in 1..={all}")));
        }
        let mut images = data.test.clone();
        images.truncate(limit);
        let mut calibration = calibrate(&model, &data, &images, &|| ())?;
        let mut validation = data.validation.clone();
        validation.truncate(CALIBRATION_IMAGES);
        if let Precision::Fixed(fixed) = &setting.precision {
            add_statistics(&model, &validation, fixed, &mut calibration)?;
        }
        Ok(Self { model, setting, data_name: data.name, images, validation, calibration })
    }

    /// The network of integers; `None` for fp32.
    pub fn quantized(&self) -> Result<Option<QuantizedModel>> {
        match &self.setting.precision {
            Precision::Float32 => Ok(None),
            Precision::Fixed(fixed) => {
                quantize_on(&self.model, &self.validation, fixed, &self.calibration).map(Some)
            }
        }
    }

    /// The network of integers; `what` needs one.
    pub fn integers(&self, what: &str) -> Result<QuantizedModel> {
        self.quantized()?.ok_or_else(|| Error::mismatch(format!("{what} holds integers, and fp32 has none")))
    }

    /// Names of the model and the setting.
    pub fn names(&self) -> [&str; 2] {
        [&self.model.description.name, &self.setting.name]
    }
}

/// The integers of a model for what does not depend on ranges: widths, bounds and memory are those of the
/// formats, wherever their point lies. Every range is taken for [`ANY_RANGE`].
pub fn quantize_for_bounds(model: &str, quant: &str) -> Result<QuantizedModel> {
    let Precision::Fixed(setting) = Setting::load(quant)?.precision else {
        return Err(Error::mismatch("--quant: fp32 has no integers whose width could be proven"));
    };
    let model = Model::load(model)?;
    let mut calibration = Calibration::new(model.network.nodes.len());
    calibration.magnitude.fill(ANY_RANGE);
    quantize(&model, &setting, &calibration)
}

/// A range that no requantizer finds too fine or too coarse.
const ANY_RANGE: f64 = 8.0;
