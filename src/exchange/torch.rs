//! Weights for PyTorch, under the names of the original implementation.

use std::collections::HashMap;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;

use super::dump::steps;
use super::folder::OutputFolder;
use crate::error::{Error, Result};
use crate::model::{Model, Network, Node, NodeId, Op, Weighted};
use crate::quant::{LOIHI_INPUT_SHIFT, QuantizedModel, QuantizedOp, QuantizedWeighted, per_channel};

/// Type of the exported values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloatType {
    /// 32 bits.
    Float32,
    /// 64 bits.
    Float64,
}

/// PyTorch adds 1e-5, and the sum is 1 in either type.
const UNIT_VARIANCE: f64 = 1.0 - 1e-5;

/// Writes what the integers of `model` are worth into `dir`: weights and biases with batch normalizations
/// that do nothing, and the thresholds of every neuron.
///
/// # Errors
/// A layer that has neither a bias nor a normalization where its integers have a bias, or a file that
/// cannot be written.
pub fn export_torch(model: &QuantizedModel, names: [&str; 2], float: FloatType, dir: &Path) -> Result<()> {
    let mut tensors = Tensors::new(float);
    for (id, node) in model.network.iter() {
        match (&node.op, model.op(id)) {
            (Op::Weighted(weighted), QuantizedOp::Weighted(op)) => {
                tensors.dequantized(model, node, weighted, op)?;
            }
            _ if node.op.is_neuron() => tensors.thresholds(model, id, node),
            _ => {}
        }
    }
    let [input_step, logit_step] = steps(model);
    let about = json!({
        "model": names[0], "setting": names[1], "batch_norm": "folded", "timesteps": model.network.timesteps,
        "input_step": input_step, "logit_step": logit_step,
    });
    tensors.write(&about, dir)
}

/// Writes the parameters of `model` as they are.
///
/// # Errors
/// A file that cannot be written.
pub fn export_torch_float(model: &Model, float: FloatType, dir: &Path) -> Result<()> {
    let mut tensors = Tensors::new(float);
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
    }
    for node in &model.network.nodes {
        if let Some(scales) = model.weights.thresholds(node) {
            let scales = scales.iter().map(|&x| f64::from(x)).collect();
            tensors.add(node.threshold_name(), vec![node.shape.channels], scales);
        }
    }
    let Network { timesteps, .. } = model.network;
    let about = json!({
        "model": model.description.name, "setting": "fp32", "batch_norm": "original", "timesteps": timesteps,
        "input_step": 1.0, "logit_step": 1.0,
    });
    tensors.write(&about, dir)
}

struct Tensors {
    float: FloatType,
    /// Name, shape, bytes.
    all: Vec<(String, Vec<usize>, Vec<u8>)>,
}

impl Tensors {
    fn new(float: FloatType) -> Self {
        Self { float, all: Vec::new() }
    }

    fn add(&mut self, name: String, shape: Vec<usize>, values: Vec<f64>) {
        let bytes = match self.float {
            FloatType::Float32 => values.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect(),
            FloatType::Float64 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        };
        self.all.push((name, shape, bytes));
    }

    fn weight(&mut self, node: &Node, weighted: &Weighted, values: Vec<f64>) {
        let g = &weighted.geometry;
        let mut shape = vec![g.out_channels, g.in_channels / g.groups];
        match weighted.linear {
            // The inputs of a flattened map are channels times positions.
            true => shape[1] *= g.taps(),
            false => shape.extend(g.kernel),
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
        let input_lsb = model.lsbs[node.inputs[0].index()][0];
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
        match bias.iter().all(|&b| b == 0.0) {
            true => Ok(()),
            false => {
                let message = format!("layer {}: its integers have a bias, and the original none", node.name);
                Err(Error::mismatch(message))
            }
        }
    }

    /// The potentials at which a layer of neurons fires, per channel.
    fn thresholds(&mut self, model: &QuantizedModel, id: NodeId, node: &Node) {
        let channels = node.shape.channels;
        let lsbs = &model.lsbs[node.inputs[0].index()];
        let name = format!("{}.threshold", node.name);
        let scaled = |thresholds: &[i64], below: i64, divisor: f64| -> Vec<f64> {
            let real = |c| (per_channel(thresholds, c) - below) as f64 * per_channel(lsbs, c) / divisor;
            (0..channels).map(real).collect()
        };
        match (&node.op, model.op(id)) {
            (Op::Neuron(neuron), QuantizedOp::Neuron(op)) => {
                let gain = f64::from(neuron.leak.gain_log2()).exp2();
                self.add(name, vec![channels], scaled(&op.thresholds, i64::from(op.strict), gain));
            }
            (_, QuantizedOp::Loihi(op)) => {
                let gain = f64::from(LOIHI_INPUT_SHIFT).exp2();
                self.add(name, vec![channels], scaled(&op.thresholds, 1, gain));
            }
            (_, QuantizedOp::Levels { thresholds }) => {
                let of = |c: usize| if thresholds.len() == 1 { &thresholds[0] } else { &thresholds[c] };
                let real = |c| of(c).iter().map(move |&th| th as f64 * per_channel(lsbs, c));
                self.add(name, vec![channels, thresholds[0].len()], (0..channels).flat_map(real).collect());
            }
            (_, op) => unreachable!("{op:?} does not fire"),
        }
    }

    fn write(&self, about: &serde_json::Value, dir: &Path) -> Result<()> {
        let dtype = match self.float {
            FloatType::Float32 => Dtype::F32,
            FloatType::Float64 => Dtype::F64,
        };
        let views = self.all.iter().map(|(name, shape, bytes)| {
            (name, TensorView::new(dtype, shape.clone(), bytes).expect("bytes of the shape"))
        });
        // One entry: the order of several would differ from run to run.
        let metadata = HashMap::from([("spiq".to_owned(), about.to_string())]);
        let bytes = safetensors::serialize(views, Some(metadata))
            .map_err(|e| Error::mismatch(format!("model.safetensors: {e}")))?;
        let folder = OutputFolder::new(dir)?;
        folder.write("model.safetensors", bytes)?;
        folder.finish()
    }
}
