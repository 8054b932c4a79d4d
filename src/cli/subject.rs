use std::sync::Arc;

use clap::Args;

use super::flags::check_flag;
use super::model::ModelArguments;
use crate::error::{Error, Result};
use crate::evaluate::{Calibrated, fits};
use crate::load;
use crate::model::{DataSet, Images, Model};
use crate::quant::{Calibration, FixedPoint, Precision, QuantizedModel, Setting, quantize};

/// Flags that say what is executed on what.
#[derive(Debug, Args)]
pub struct SubjectArguments {
    #[command(flatten)]
    pub model: ModelArguments,
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
    pub setting: Setting,
    pub data_name: String,
    pub images: Images,
    calibrated: Calibrated,
}

impl Subject {
    /// Loads everything; without `--limit`, `default_limit` images, or all.
    pub fn load(arguments: &SubjectArguments, default_limit: Option<usize>) -> Result<Self> {
        let setting = Setting::load(&arguments.quant)?;
        let model = Arc::new(arguments.model.load()?);
        let data = DataSet::load_for(&arguments.data, &model.description)?;
        let all = data.test.len();
        let limit = arguments.limit.unwrap_or(default_limit.unwrap_or(all).min(all));
        check_flag("--limit", limit, 1..=all)?;
        let mut images = data.test.clone();
        images.truncate(limit);
        let calibrated = Calibrated::new(model, &data, &images, &|| ())?;
        Ok(Self { setting, data_name: data.name, images, calibrated })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.calibrated.model()
    }

    /// The setting, and its file of integers: for `stood_for`, or the model itself.
    pub fn kept(&self, stood_for: Option<&Model>) -> Result<(&FixedPoint, Vec<u8>)> {
        match &self.setting.precision {
            Precision::Float32 => Err(Error::mismatch("--quant: fp32 has no integers to keep")),
            Precision::Fixed(fixed) => {
                let model = stood_for.unwrap_or(self.model());
                let integers = self.calibrated.integers_for(fixed, model);
                Ok((fixed, integers.map_err(|e| e.at_setting(&self.setting.name))?))
            }
        }
    }

    /// The network of integers; `None` for fp32.
    pub fn quantized(&self) -> Result<Option<QuantizedModel>> {
        match &self.setting.precision {
            Precision::Float32 => Ok(None),
            Precision::Fixed(fixed) => {
                let quantized = self.calibrated.quantize(fixed);
                quantized.map(Some).map_err(|e| e.at_setting(&self.setting.name))
            }
        }
    }

    /// The network of integers; `what` needs one.
    pub fn integers(&self, what: &str) -> Result<QuantizedModel> {
        let refuse = || Error::mismatch(format!("--quant: {what} holds integers, and fp32 has none"));
        self.quantized()?.ok_or_else(refuse)
    }

    /// Names of the model and the setting.
    pub fn names(&self) -> [&str; 2] {
        [&self.model().description.name, &self.setting.name]
    }
}

/// A network of integers without a run, and what it is calibrated on.
pub struct Bounded {
    pub model: QuantizedModel,
    /// In words; `None` where the integers, or what is shown of them, depend on no image.
    pub calibrated_on: Option<String>,
}

impl Bounded {
    /// The integers of `model` at `quant` for what does not depend on ranges: widths, bounds and memory are those
    /// of the formats, wherever their point lies, so any range will do. Only where weights or thresholds themselves
    /// follow from calibration images, the validation images of `data` are run.
    ///
    /// # Errors
    /// If a file does not load, or the setting or the data do not fit the model.
    pub fn load(model: &str, quant: &str, data: Option<&str>) -> Result<Self> {
        let setting = Setting::load(quant)?;
        let Precision::Fixed(fixed) = &setting.precision else {
            return Err(Error::mismatch("--quant: fp32 has no integers whose width could be proven"));
        };
        let model = load::model(model)?;
        let quantized = if fixed.needs_images(&model) {
            Self::calibrated(model, fixed, data)
        } else {
            let calibration = Calibration::of_any_range(model.network.nodes.len());
            quantize(&model, fixed, &calibration).map(|model| Self { model, calibrated_on: None })
        };
        quantized.map_err(|e| e.at_setting(&setting.name))
    }

    fn calibrated(model: Model, setting: &FixedPoint, data: Option<&str>) -> Result<Self> {
        let data = match data {
            Some(spec) => DataSet::load_for(spec, &model.description)?,
            None => Some(DataSet::load(DEFAULT_DATA)?)
                .filter(|data| fits(&model, &data.validation))
                .map_or_else(|| DataSet::load_for("noise", &model.description), Ok)?,
        };
        let calibrated = Calibrated::on_validation(Arc::new(model), &data)?;
        let images = calibrated.validation().images().len();
        let calibrated_on = Some(format!("{}, {images} images", data.name));
        Ok(Self { model: calibrated.quantize(setting)?, calibrated_on })
    }
}

/// What models are calibrated on that look at such images, unless data is named.
const DEFAULT_DATA: &str = "fashion-mnist";
