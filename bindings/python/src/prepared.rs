use std::path::PathBuf;
use std::sync::Arc;

use numpy::{PyArray1, PyArray4, PyArrayMethods};
use pyo3::prelude::*;
use spiq::evaluate::Calibrated;
use spiq::exchange::{DumpRequest, Units, channels_first, dump, dump_float, torch_tensors};
use spiq::model::{Images, NodeId};
use spiq::num::{Format, Requantizer};
use spiq::quant::{MembraneWord, Precision, QuantizedModel, QuantizedOp};
use spiq::{Error, Result};

use crate::data::Data;
use crate::error::raised;
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
    /// Of model, setting and data.
    names: [String; 3],
}

/// Name, extents and values of a tensor.
type Parameter<'py> = (String, Vec<usize>, Bound<'py, PyArray1<f64>>);

/// What a node does with integers, as far as PyTorch does it otherwise.
#[derive(IntoPyObject)]
struct Integers {
    name: String,
    /// What one step of what it yields is worth, per channel or for all.
    steps: Vec<f64>,
    /// Per channel of an image, the integer of every pixel.
    codes: Option<Vec<Vec<i64>>>,
    neuron: Option<NeuronIntegers>,
    /// Per channel or for all, ascending.
    levels: Option<Vec<Vec<i64>>>,
    requantize: Option<RequantizeIntegers>,
}

#[derive(IntoPyObject)]
struct NeuronIntegers {
    thresholds: Vec<i64>,
    multiplier: u32,
    shift: u32,
    subtract: bool,
    strict: bool,
    membrane: Option<MembraneIntegers>,
}

#[derive(IntoPyObject)]
struct MembraneIntegers {
    bits: u32,
    discards: Vec<u32>,
}

#[derive(IntoPyObject)]
struct RequantizeIntegers {
    multipliers: Vec<u32>,
    shifts: Vec<u32>,
    /// Ends of the format; of a join, they hold for the sum.
    limits: (i64, i64),
    joins: bool,
}

#[pymethods]
impl Prepared {
    /// Quantizes `model` as `setting` says, on the validation images of `data`, for its first `limit` test images.
    #[new]
    fn new(py: Python, model: &Model, setting: &Setting, data: &Data, limit: usize) -> PyResult<Self> {
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
            let mut images = data.test.clone();
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

    /// The integers of every node.
    fn integers(&self, py: Python) -> PyResult<Vec<Integers>> {
        let model = self.integers_of().map_err(|e| self.fail(py, &e))?;
        model
            .network()
            .iter()
            .map(|(id, _)| integers(model, id))
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

fn integers(model: &QuantizedModel, id: NodeId) -> Result<Integers> {
    let node = model.network().node(id);
    let all = Integers {
        name: node.name.clone(),
        steps: model.lsbs()[id.index()].clone(),
        codes: None,
        neuron: None,
        levels: None,
        requantize: None,
    };
    Ok(match model.op(id) {
        QuantizedOp::Input { zero_points, max } => {
            let codes = zero_points.iter().map(|zero| (0..=*max).map(|pixel| pixel - zero).collect());
            Integers { codes: Some(codes.collect()), ..all }
        }
        QuantizedOp::InputCodes { codes } => Integers { codes: Some(codes.clone()), ..all },
        QuantizedOp::Neuron(op) => Integers {
            neuron: Some(NeuronIntegers {
                thresholds: op.thresholds.clone(),
                multiplier: op.keep.multiplier,
                shift: op.keep.shift,
                subtract: op.subtract,
                strict: op.strict,
                membrane: op.membrane.as_ref().map(|MembraneWord { bits, discards }| MembraneIntegers {
                    bits: *bits,
                    discards: discards.clone(),
                }),
            }),
            ..all
        },
        QuantizedOp::Levels { thresholds } => Integers { levels: Some(thresholds.clone()), ..all },
        QuantizedOp::Requantize { requantizers, format } => {
            Integers { requantize: Some(requantize(requantizers, *format, false)), ..all }
        }
        QuantizedOp::AddMembrane(add) => {
            let branch = add.branch.as_deref();
            Integers { requantize: branch.map(|branch| requantize(branch, add.format, true)), ..all }
        }
        QuantizedOp::Loihi(_) => {
            let message = "neurons of Loihi have no module in PyTorch";
            return Err(Error::mismatch(format!("layer {}: {message}", node.name)));
        }
        QuantizedOp::Weighted(_) | QuantizedOp::Exact => all,
    })
}

fn requantize(requantizers: &[Requantizer], format: Format, joins: bool) -> RequantizeIntegers {
    RequantizeIntegers {
        multipliers: requantizers.iter().map(|r| r.multiplier).collect(),
        shifts: requantizers.iter().map(|r| r.shift).collect(),
        limits: (format.min(), format.max()),
        joins,
    }
}
