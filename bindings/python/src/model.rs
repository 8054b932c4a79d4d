use std::path::PathBuf;
use std::sync::Arc;

use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use safetensors::tensor::{Dtype, TensorView};
use spiq::load;
use spiq::model::{InputSpec, ModelDescription, Node, Op, Selection, WeightSource};
use spiq::{Error, Result};

use crate::error::plain;

/// What messages call weights that a program holds.
const WEIGHTS: &str = "state_dict";

/// A network with its weights.
#[pyclass(frozen, module = "spiq._spiq")]
pub struct Model(pub Arc<spiq::model::Model>);

/// A node of the network.
#[derive(IntoPyObject)]
struct NodeView {
    name: String,
    /// `input`, `weighted`, `neuron` (with a membrane), `levels` (integer spikes), `max_pool` or `other`.
    kind: &'static str,
    inputs: Vec<String>,
    shape: (usize, usize, usize),
    /// Batch normalizations behind a weight layer, in order.
    norms: Vec<String>,
    /// The level of integer spikes that stands for 1.0; 1 of other nodes.
    norm: u32,
}

/// What a network looks at; mean and standard deviation per channel of an image, of values in 0..=1.
#[derive(IntoPyObject)]
struct InputView {
    mean: Option<Vec<f64>>,
    std: Option<Vec<f64>>,
    /// The largest integer of a frame.
    max: u16,
    /// True where every timestep sees one frame.
    constant: bool,
}

/// A tensor as Python hands it over: name, type as safetensors spells it, extents, bytes.
type Tensor<'py> = (String, String, Vec<usize>, PyReadonlyArray1<'py, u8>);

#[pymethods]
impl Model {
    /// A built-in model or a described one, with the weights of the file `weights` if there is one.
    #[staticmethod]
    fn load(
        py: Python,
        spec: &str,
        weights: Option<PathBuf>,
        key: Option<String>,
        ignore_extra: bool,
        timesteps: Option<usize>,
    ) -> PyResult<Self> {
        let selection = Selection { key, ignore_extra };
        let loaded = py.detach(|| load::model_with(spec, weights.as_deref(), &selection, timesteps));
        loaded.map(|model| Self(Arc::new(model))).map_err(|e| plain(py, &e))
    }

    /// The model that `text` describes, with `tensors` as its weights; without, with random ones of the seed that it
    /// names.
    #[staticmethod]
    fn described(
        py: Python,
        text: &str,
        path: &str,
        tensors: Option<Vec<Tensor>>,
        ignore_extra: bool,
    ) -> PyResult<Self> {
        let selection = Selection { key: None, ignore_extra };
        let bytes = tensors.map(|tensors| file(&tensors)).transpose().map_err(|e| plain(py, &e))?;
        let built = py.detach(|| build(text, path, bytes.as_deref(), &selection));
        built.map(|model| Self(Arc::new(model))).map_err(|e| plain(py, &e))
    }

    /// The network with other weights.
    fn with_weights(&self, py: Python, tensors: Vec<Tensor>, ignore_extra: bool) -> PyResult<Self> {
        let selection = Selection { key: None, ignore_extra };
        let bytes = file(&tensors).map_err(|e| plain(py, &e))?;
        let description = self.0.description.clone();
        let loaded = py.detach(|| {
            let network = description.network(WEIGHTS)?;
            load::with_checkpoint(description, network, &bytes, WEIGHTS, &selection)
        });
        loaded.map(|model| Self(Arc::new(model))).map_err(|e| plain(py, &e))
    }

    #[getter]
    fn name(&self) -> &str {
        &self.0.description.name
    }

    #[getter]
    fn family(&self) -> &str {
        self.0.description.family.name()
    }

    #[getter]
    fn timesteps(&self) -> usize {
        self.0.description.timesteps
    }

    #[getter]
    fn classes(&self) -> usize {
        self.0.description.classes
    }

    #[getter]
    fn sha256(&self) -> &str {
        &self.0.sha256
    }

    #[getter]
    fn notes(&self) -> Vec<String> {
        self.0.weights.notes.clone()
    }

    /// Channels, height and width of a frame.
    #[getter]
    fn input_shape(&self) -> (usize, usize, usize) {
        let shape = self.0.description.input.shape();
        (shape.channels, shape.height, shape.width)
    }

    /// How pixels become what the network looks at.
    #[getter]
    fn input(&self) -> InputView {
        let input = &self.0.description.input;
        let (mean, std) = match input {
            InputSpec::Image { mean, std, .. } => (Some(mean.clone()), Some(std.clone())),
            InputSpec::Events { .. } | InputSpec::Integers { .. } => (None, None),
        };
        InputView { mean, std, max: input.max(), constant: input.is_constant() }
    }

    /// The nodes, in order of execution.
    #[getter]
    fn nodes(&self) -> Vec<NodeView> {
        let network = &self.0.network;
        let view = |node: &Node| NodeView {
            name: node.name.clone(),
            kind: match node.op {
                Op::Input => "input",
                Op::Weighted(_) => "weighted",
                Op::Neuron(_) => "neuron",
                Op::IntegerNeuron(_) => "levels",
                Op::MaxPool(_) => "max_pool",
                _ => "other",
            },
            inputs: node.inputs.iter().map(|&id| network.node(id).name.clone()).collect(),
            shape: (node.shape.channels, node.shape.height, node.shape.width),
            norm: if let Op::IntegerNeuron(neuron) = node.op { neuron.norm } else { 1 },
            norms: if let Op::Weighted(weighted) = &node.op { weighted.norms.clone() } else { Vec::new() },
        };
        network.nodes.iter().map(view).collect()
    }

    /// Names and extents of the tensors that the network reads.
    #[getter]
    fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let parameters = self.0.network.parameters().into_iter();
        parameters.map(|parameter| (parameter.name, parameter.shape)).collect()
    }

    /// Names of the layers, in order of execution, with channels, height and width of what they yield.
    #[getter]
    fn layers(&self) -> Vec<(String, (usize, usize, usize))> {
        let nodes = self.0.network.nodes.iter();
        nodes.map(|n| (n.name.clone(), (n.shape.channels, n.shape.height, n.shape.width))).collect()
    }
}

fn build(
    text: &str,
    path: &str,
    weights: Option<&[u8]>,
    selection: &Selection,
) -> Result<spiq::model::Model> {
    let description = ModelDescription::parse(text, path)?;
    let network = description.network(path)?;
    match (weights, &description.weights) {
        (Some(bytes), _) => load::with_checkpoint(description, network, bytes, WEIGHTS, selection),
        (None, &WeightSource::Seeded(seed)) => load::random(description, network, seed),
        (None, WeightSource::File(_)) => {
            Err(Error::field(path, "weights", "in a file: a model of a file is loaded by its path"))
        }
    }
}

/// The safetensors file that holds `tensors`.
fn file(tensors: &[Tensor]) -> Result<Vec<u8>> {
    let views = tensors.iter().map(view).collect::<Result<Vec<_>>>()?;
    safetensors::serialize(views, None).map_err(|e| Error::mismatch(format!("{WEIGHTS}: {e}")))
}

fn view<'a>((name, dtype, shape, bytes): &'a Tensor) -> Result<(&'a str, TensorView<'a>)> {
    let refuse = |message: String| Error::field(WEIGHTS, name, message);
    let dtype = dtype_of(dtype).ok_or_else(|| refuse(format!("dtype {dtype} is none of weights")))?;
    let bytes = bytes.as_slice().map_err(|e| refuse(e.to_string()))?;
    let view = TensorView::new(dtype, shape.clone(), bytes).map_err(|e| refuse(e.to_string()))?;
    Ok((name, view))
}

fn dtype_of(name: &str) -> Option<Dtype> {
    Some(match name {
        "F64" => Dtype::F64,
        "F32" => Dtype::F32,
        "F16" => Dtype::F16,
        "BF16" => Dtype::BF16,
        "I64" => Dtype::I64,
        "I32" => Dtype::I32,
        "I16" => Dtype::I16,
        "I8" => Dtype::I8,
        "U8" => Dtype::U8,
        "BOOL" => Dtype::BOOL,
        _ => return None,
    })
}
