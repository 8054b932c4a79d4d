use std::path::PathBuf;
use std::sync::Arc;

use numpy::{PyArray1, PyArray4, PyArrayMethods};
use pyo3::prelude::*;
use spiq::evaluate::Calibrated;
use spiq::exchange::{DumpRequest, Units, channels_first, dump, dump_float, torch_tensors};
use spiq::model::Images;
use spiq::quant::{Precision, QuantizedModel};
use spiq::{Error, Result};

use crate::data::Data;
use crate::error::raised;
use crate::integers::{Integers, integers};
use crate::model::Model;
use crate::setting::Setting;
use crate::work::{self, Manner};

/// A model at a setting, with the images that it is run on.
#[pyclass(frozen, module = "spiq._spiq")]
pub struct Prepared {
    model: Arc<spiq::model::Model>,
    /// `None` for the float network.
    quantized: Option<QuantizedModel>,
    images: Images,
    /// Names of model, setting and data.
    names: [String; 3],
}

/// Name, extents and values of a tensor.
type Parameter<'py> = (String, Vec<usize>, Bound<'py, PyArray1<f64>>);

#[pymethods]
impl Prepared {
    /// Quantizes `model` as `setting` says, on the validation images of `data`, for the first `limit` test images of
    /// `images`, or of `data`.
    #[new]
    #[pyo3(signature = (model, setting, data, limit, images = None))]
    fn new(
        py: Python,
        model: &Model,
        setting: &Setting,
        data: &Data,
        limit: usize,
        images: Option<&Data>,
    ) -> PyResult<Self> {
        let shown = images.unwrap_or(data).0.test.clone();
        let (model, setting, data) = (Arc::clone(&model.0), setting.0.clone(), data.0.clone());
        let network = &model.network;
        let manner = Manner { threads: None, listener: None, network };
        let held = Arc::clone(&model);
        work::run(py, &manner, move |_, interrupt| {
            let mut data = data.until(interrupt);
            if setting.precision == Precision::Float32 {
                // Nothing of a float network is chosen on images.
                data.validation.truncate(0);
            }
            let mut images = shown;
            images.truncate(limit);
            let calibrated = Calibrated::new(Arc::clone(&held), &data, &images, &|| ())?;
            let quantized = match &setting.precision {
                Precision::Float32 => None,
                Precision::Fixed(fixed) => {
                    Some(calibrated.quantize(fixed).map_err(|e| e.at_setting(&setting.name))?)
                }
            };
            let names = [held.description.name.clone(), setting.name, data.name];
            Ok(Self { model: held, quantized, images, names })
        })
    }

    /// Images that are run.
    fn __len__(&self) -> usize {
        self.images.len()
    }

    /// Image `i`, as it is stored: `[frames, C, H, W]`.
    fn sample<'py>(&self, py: Python<'py>, i: usize) -> PyResult<Bound<'py, PyArray4<i64>>> {
        let sample = self.images.sample(i).map_err(|e| self.fail(py, &e))?;
        let shape = sample.shape;
        let values = (0..sample.frames).flat_map(|t| channels_first(sample.at(t), shape, i64::from));
        let extents = [sample.frames, shape.channels, shape.height, shape.width];
        PyArray1::from_iter(py, values).reshape(extents)
    }

    /// Runs the images, and leaves spikes and logits in `dir`, as `spiq run --dump` does.
    fn dump(&self, py: Python, dir: PathBuf) -> PyResult<()> {
        let [model, setting, data] = &self.names;
        let names = [model.as_str(), setting, data];
        let dumped = py.detach(|| match &self.quantized {
            Some(quantized) => dump(quantized, names, &self.images, DumpRequest::default(), &dir),
            None => dump_float(&self.model, names, &self.images, &dir),
        });
        dumped.map(|_| ()).map_err(|e| self.fail(py, &e))
    }

    /// What `spiq export torch` writes of the integers.
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Vec<Parameter<'py>>> {
        let tensors = self.integers_of().and_then(|model| torch_tensors(model, Units::Real));
        let tensors = tensors.map_err(|e| self.fail(py, &e))?.into_iter();
        Ok(tensors.map(|t| (t.name, t.shape, PyArray1::from_vec(py, t.values))).collect())
    }

    /// Fraction bits of the residual stream.
    fn residual_fraction_bits(&self, py: Python) -> PyResult<u32> {
        let model = self.integers_of().map_err(|e| self.fail(py, &e))?;
        Ok(model.residual().fraction_bits)
    }

    /// The integers of every node.
    fn integers(&self, py: Python) -> PyResult<Vec<Integers>> {
        let model = self.integers_of().map_err(|e| self.fail(py, &e))?;
        model
            .network()
            .iter()
            .map(|(id, _)| integers(&self.model, model, id))
            .collect::<Result<_>>()
            .map_err(|e| self.fail(py, &e))
    }
}

impl Prepared {
    fn fail(&self, py: Python, error: &Error) -> PyErr {
        raised(py, error, Some(&self.model.network))
    }

    fn integers_of(&self) -> Result<&QuantizedModel> {
        self.quantized.as_ref().ok_or_else(|| Error::mismatch("setting: fp32 has no integers"))
    }
}
