//! Weights for PyTorch, under the names of the original implementation.

use std::collections::HashMap;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;

use super::dump::steps;
use crate::error::{Error, Result};
use crate::model::{Model, Network, Node, NodeId, Op, Weighted};
use crate::num::{Format, Requantizer};
use crate::output::{OutputFolder, Owner};
use crate::quant::{
    LOIHI_INPUT_SHIFT, QuantizedModel, QuantizedOp, QuantizedTokens, QuantizedWeighted, per_channel,
};

/// Type of the exported values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloatType {
    /// 32 bits.
    Float32,
    /// 64 bits.
    Float64,
}

impl FloatType {
    fn dtype(self) -> Dtype {
        match self {
            Self::Float32 => Dtype::F32,
            Self::Float64 => Dtype::F64,
        }
    }

    fn bytes(self, values: &[f64]) -> Vec<u8> {
        match self {
            Self::Float32 => values.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect(),
            Self::Float64 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }
}

/// What exported values are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// Real numbers, as in the float network; batch normalizations do nothing.
    Real,
    /// Steps: every value is an integer or a power-of-two part of one, so that double precision computes
    /// exactly what the integers do. There are no normalizations, and every layer has a bias.
    Integers,
}

/// PyTorch adds 1e-5, and the sum is 1 in either type.
const UNIT_VARIANCE: f64 = 1.0 - 1e-5;

/// A parameter of a PyTorch module, or what a neuron or a requantization needs beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct TorchTensor {
    /// Name of the tensor in a state dict.
    pub name: String,
    /// Extents of the tensor.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f64>,
}

/// What the integers of `model` are worth: weights and biases, the thresholds of every neuron, and in integers what
/// requantizes.
///
/// # Errors
/// A layer that has neither a bias nor a normalization where its integers have a bias.
pub fn torch_tensors(model: &QuantizedModel, units: Units) -> Result<Vec<TorchTensor>> {
    let mut tensors = Tensors::default();
    for (id, node) in model.network().iter() {
        match (&node.op, model.op(id), units) {
            (Op::Weighted(weighted), QuantizedOp::Weighted(op), Units::Real) => {
                tensors.dequantized(model, node, weighted, op)?;
            }
            (Op::Weighted(weighted), QuantizedOp::Weighted(op), Units::Integers) => {
                tensors.integers(node, weighted, op);
            }
            (_, QuantizedOp::Requantize { requantizers, format }, Units::Integers) => {
                tensors.requantizers(node, requantizers, *format);
            }
            (_, QuantizedOp::AddMembrane(add), Units::Integers) => {
                let nothing = [Requantizer { multiplier: 1, shift: 0 }];
                tensors.requantizers(node, add.branch.as_deref().unwrap_or(&nothing), add.format);
            }
            (_, QuantizedOp::ClassToken(op), _) => tensors.class_token(node, op, units),
            _ if node.op.is_neuron() => tensors.thresholds(model, id, node, units),
            _ => {}
        }
    }
    Ok(tensors.all)
}

/// Writes [`torch_tensors`] into `dir`.
///
/// # Errors
/// Those of [`torch_tensors`], or a file that cannot be written.
pub fn export_torch(
    model: &QuantizedModel,
    names: [&str; 2],
    units: Units,
    float: FloatType,
    dir: &Path,
) -> Result<()> {
    let tensors = torch_tensors(model, units)?;
    let [input_step, logit_step] = steps(model);
    let about = json!({
        "model": names[0], "setting": names[1], "batch_norm": "folded", "timesteps": model.network().timesteps,
        "input_step": input_step, "logit_step": logit_step, "input_zero_points": zero_points(model),
    });
    let of_units: &[(&str, &str)] = match units {
        Units::Real => &[],
        Units::Integers => &[("norms", "folded"), ("units", "integers")],
    };
    write(&tensors, float, &about, of_units, dir)
}

/// Per channel, the pixel or count that is read as 0; `None` where pixels have codes of their own.
fn zero_points(model: &QuantizedModel) -> Option<&[i64]> {
    match &model.ops()[0] {
        QuantizedOp::Input { zero_points, .. } => Some(zero_points),
        _ => None,
    }
}

/// Writes the parameters of `model` as they are.
///
/// # Errors
/// A file that cannot be written.
pub fn export_torch_float(model: &Model, float: FloatType, dir: &Path) -> Result<()> {
    let mut tensors = Tensors::default();
    for (_, node, weighted) in model.network.weighted() {
        let layer = model.weights.layer(node, weighted);
        let wide = |values: &[f32]| values.iter().map(|&x| f64::from(x)).collect();
        tensors.weight(node, weighted, wide(layer.weight));
        if let Some(bias) = layer.bias {
            tensors.add(format!("{}.bias", node.name), vec![bias.len()], wide(bias));
        }
        for (prefix, norm) in weighted.norms.iter().zip(&layer.norms) {
            tensors.norm(prefix, [norm.weight, norm.bias, norm.mean, norm.variance].map(wide));
        }
        if let (Some(name), Some(scale)) = (&weighted.layer_scale, layer.layer_scale) {
            tensors.add(name.clone(), vec![scale.len()], wide(scale));
        }
    }
    for node in &model.network.nodes {
        if let Op::Neuron(neuron) = &node.op {
            for parameter in neuron.parameters(&node.name, node.shape.channels) {
                let values = model.weights.values(&parameter).iter().map(|&x| f64::from(x)).collect();
                tensors.add(parameter.name, parameter.shape, values);
            }
        }
        if let Op::ClassToken(_) = node.op {
            let parameters = node.parameters();
            let of_token = |name: &str| parameters.iter().any(|p| p.name == name);
            for (name, tensor) in model.weights.tensors().filter(|(name, _)| of_token(name)) {
                let values = tensor.data.iter().map(|&x| f64::from(x)).collect();
                tensors.add(name.to_owned(), tensor.shape.clone(), values);
            }
        }
    }
    let Network { timesteps, .. } = model.network;
    let about = json!({
        "model": model.description.name, "setting": "fp32", "batch_norm": "original", "timesteps": timesteps,
        "input_step": 1.0, "logit_step": 1.0,
    });
    write(&tensors.all, float, &about, &[], dir)
}

#[derive(Default)]
struct Tensors {
    all: Vec<TorchTensor>,
}

impl Tensors {
    fn add(&mut self, name: String, shape: Vec<usize>, values: Vec<f64>) {
        self.all.push(TorchTensor { name, shape, values });
    }

    fn weight(&mut self, node: &Node, weighted: &Weighted, values: Vec<f64>) {
        let g = &weighted.geometry;
        let mut shape = vec![g.out_channels, g.in_channels / g.groups];
        if weighted.linear {
            // The inputs of a flattened map are channels times positions.
            shape[1] *= g.taps();
        } else {
            shape.extend(g.kernel);
        }
        self.add(format!("{}.weight", node.name), shape, values);
    }

    fn norm(&mut self, prefix: &str, values: [Vec<f64>; 4]) {
        for (name, values) in ["weight", "bias", "running_mean", "running_var"].into_iter().zip(values) {
            self.add(format!("{prefix}.{name}"), vec![values.len()], values);
        }
    }

    fn dequantized(
        &mut self,
        model: &QuantizedModel,
        node: &Node,
        weighted: &Weighted,
        op: &QuantizedWeighted,
    ) -> Result<()> {
        let input_lsb = model.lsbs()[node.inputs[0].index()][0];
        let shifted = f64::from(op.fraction_bits).exp2();
        let lsb = |out: usize| op.lsb[out] * shifted / input_lsb;
        let fan_in = op.geometry.fan_in();
        let weight = op.codes.iter().enumerate().map(|(i, &c)| f64::from(c) * lsb(i / fan_in));
        self.weight(node, weighted, weight.collect());
        let outs = op.geometry.out_channels;
        let mut bias: Vec<f64> = op.bias.iter().zip(&op.lsb).map(|(&b, lsb)| b as f64 * lsb).collect();
        let nothing = vec![0.0; outs];
        if weighted.bias {
            self.add(
                format!("{}.bias", node.name),
                vec![outs],
                std::mem::replace(&mut bias, nothing.clone()),
            );
        }
        for (i, norm) in weighted.norms.iter().enumerate() {
            let last = i + 1 == weighted.norms.len();
            let shift = if last { std::mem::replace(&mut bias, nothing.clone()) } else { nothing.clone() };
            self.norm(norm, [vec![1.0; outs], shift, nothing.clone(), vec![UNIT_VARIANCE; outs]]);
        }
        if let Some(name) = &weighted.layer_scale {
            self.add(name.clone(), vec![outs], vec![1.0; outs]);
        }
        if bias.iter().all(|&b| b == 0.0) {
            Ok(())
        } else {
            let message = "its integers have a bias, and the original none: --units integers writes it";
            Err(Error::field("model.safetensors", format!("layer {}", node.name), message))
        }
    }

    /// Weights in steps of X, and the bias of every layer.
    fn integers(&mut self, node: &Node, weighted: &Weighted, op: &QuantizedWeighted) {
        let shifted = f64::from(op.fraction_bits).exp2();
        self.weight(node, weighted, op.codes.iter().map(|&c| f64::from(c) * shifted).collect());
        let bias = op.bias.iter().map(|&b| b as f64).collect();
        self.add(format!("{}.bias", node.name), vec![op.bias.len()], bias);
    }

    /// A token that has what is added at its position already, so that 0 is added there.
    fn class_token(&mut self, node: &Node, op: &QuantizedTokens, units: Units) {
        let lsb = if units == Units::Real { op.format.lsb() } else { 1.0 };
        let first = vec![0; op.token.len()];
        let positions = op.positions.as_ref().map(|rest| [first, rest.clone()].concat());
        let values = [Some(op.token.clone()), positions].into_iter().flatten();
        for (parameter, values) in node.parameters().into_iter().zip(values) {
            let real = values.iter().map(|&x| x as f64 * lsb).collect();
            self.add(parameter.name, parameter.shape, real);
        }
        if units == Units::Integers {
            let limits = vec![op.format.min() as f64, op.format.max() as f64];
            self.add(format!("{}.limits", node.name), vec![2], limits);
        }
    }

    /// M 2^-S, and the ends of the format.
    fn requantizers(&mut self, node: &Node, by: &[Requantizer], format: Format) {
        let multipliers = by.iter().map(|r| r.ratio()).collect();
        self.add(format!("{}.multiplier", node.name), vec![by.len()], multipliers);
        self.add(format!("{}.limits", node.name), vec![2], vec![format.min() as f64, format.max() as f64]);
    }

    /// The potentials at which a layer of neurons fires, per channel.
    fn thresholds(&mut self, model: &QuantizedModel, id: NodeId, node: &Node, units: Units) {
        let channels = node.shape.channels;
        let lsbs: &[f64] = match units {
            Units::Real => &model.lsbs()[node.inputs[0].index()],
            Units::Integers => &[1.0],
        };
        let name = format!("{}.threshold", node.name);
        let scaled = |thresholds: &[i64], below: i64, divisors: &[f64]| -> Vec<f64> {
            let real = |c| {
                let steps = (per_channel(thresholds, c) - below) as f64;
                steps * per_channel(lsbs, c) / per_channel(divisors, c)
            };
            (0..channels).map(real).collect()
        };
        match (&node.op, model.op(id)) {
            (Op::Neuron(neuron), QuantizedOp::Neuron(op)) => {
                let heights = scaled(&op.thresholds, i64::from(op.strict), &op.gains);
                let reset = match units {
                    Units::Real => neuron.reset.value(),
                    Units::Integers => 0.0,
                };
                let thresholds = heights.iter().map(|height| height + reset).collect();
                self.add(name, vec![channels], thresholds);
            }
            (_, QuantizedOp::Loihi(op)) => {
                let gain = f64::from(LOIHI_INPUT_SHIFT).exp2();
                self.add(name, vec![channels], scaled(&op.thresholds, 1, &[gain]));
            }
            (_, QuantizedOp::Levels { thresholds }) => {
                let of = |c: usize| if thresholds.len() == 1 { &thresholds[0] } else { &thresholds[c] };
                let real = |c| of(c).iter().map(move |&th| th as f64 * per_channel(lsbs, c));
                self.add(name, vec![channels, thresholds[0].len()], (0..channels).flat_map(real).collect());
            }
            (_, op) => unreachable!("{op:?} does not fire"),
        }
    }
}

fn write(
    tensors: &[TorchTensor],
    float: FloatType,
    about: &serde_json::Value,
    more: &[(&str, &str)],
    dir: &Path,
) -> Result<()> {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|tensor| float.bytes(&tensor.values)).collect();
    let views = tensors.iter().zip(&bytes).map(|(TorchTensor { name, shape, .. }, bytes)| {
        (name, TensorView::new(float.dtype(), shape.clone(), bytes).expect("bytes of the shape"))
    });
    let mut metadata = HashMap::from([("spiq".to_owned(), about.to_string())]);
    metadata.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let bytes = safetensors::serialize(views, Some(metadata))
        .map_err(|e| Error::mismatch(format!("model.safetensors: {e}")))?;
    let folder = OutputFolder::new(dir, Owner::Torch)?;
    folder.write("model.safetensors", sorted_header(bytes))?;
    folder.finish()
}

/// Sorts the entries in the header of `file`: the library writes metadata in the order of a hash table, which differs
/// from run to run.
fn sorted_header(mut file: Vec<u8>) -> Vec<u8> {
    const LENGTH: usize = 8;
    let length = u64::from_le_bytes(file[..LENGTH].try_into().expect("eight bytes")) as usize;
    let header = &mut file[LENGTH..LENGTH + length];
    let entries: serde_json::Value = serde_json::from_slice(header).expect("a header of JSON");
    // A map of serde_json is ordered by key, and as long.
    let sorted = entries.to_string();
    header[..sorted.len()].copy_from_slice(sorted.as_bytes());
    header[sorted.len()..].fill(b' ');
    file
}
