//! The integers of a network, node by node, as Python sees them.

use pyo3::prelude::*;
use spiq::model::{InputSpec, Model, Node, NodeId, Op};
use spiq::num::{Format, Requantizer};
use spiq::quant::scheme::{Scale, Sharing};
use spiq::quant::{
    MembraneWord, QuantizedModel, QuantizedNeuron, QuantizedOp, QuantizedReset, QuantizedWeighted,
};
use spiq::{Error, Result};

/// What a node does with integers, as far as PyTorch does it otherwise.
#[derive(IntoPyObject)]
pub struct Integers {
    name: String,
    /// What one step of what it yields is worth, per channel or for all.
    steps: Vec<f64>,
    /// Per channel of an image, the integer of every pixel.
    codes: Option<Vec<Vec<i64>>>,
    /// Per channel, the pixel that is 0, where the first layer carries the normalization of an image.
    zero_points: Option<Vec<i64>>,
    weights: Option<WeightIntegers>,
    neuron: Option<NeuronIntegers>,
    /// Per channel or for all, ascending.
    levels: Option<Vec<Vec<i64>>>,
    requantize: Option<RequantizeIntegers>,
}

#[derive(IntoPyObject)]
struct WeightIntegers {
    /// What settings call it: `Uniform`, `PowerOfTwo`.
    scheme: &'static str,
    bits: u32,
    /// True where scales are powers of two.
    pow2: bool,
    /// True where all channels share a scale.
    per_layer: bool,
    fraction_bits: u32,
    /// What one step of a weight is worth, per output channel.
    steps: Vec<f64>,
    /// True where a width of the accumulator was declared.
    narrow: bool,
}

#[derive(IntoPyObject)]
struct NeuronIntegers {
    /// How far above the value that it resets to it fires, in units of the float network: per channel or for all.
    heights: Vec<f64>,
    /// By what the integer potential exceeds that of the float network.
    gain: f64,
    thresholds: Vec<i64>,
    multiplier: u32,
    shift: u32,
    /// What a spike subtracts: `zero` (all of the potential), `threshold`, `delayed` (the threshold, behind the leak) or
    /// `amount`.
    reset: &'static str,
    /// Per channel or for all; empty of a hard reset.
    amounts: Vec<i64>,
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

/// The integers of node `id` of `model`, which are `quantized`.
///
/// # Errors
/// A node that has no module in PyTorch.
pub fn integers(model: &Model, quantized: &QuantizedModel, id: NodeId) -> Result<Integers> {
    let node = quantized.network().node(id);
    let all = Integers {
        name: node.name.clone(),
        steps: quantized.lsbs()[id.index()].clone(),
        codes: None,
        zero_points: None,
        weights: None,
        neuron: None,
        levels: None,
        requantize: None,
    };
    Ok(match quantized.op(id) {
        QuantizedOp::Input { zero_points, max } => {
            let codes = zero_points.iter().map(|zero| (0..=*max).map(|pixel| pixel - zero).collect());
            let normalized = matches!(model.description.input, InputSpec::Image { .. });
            let zero_points = normalized.then(|| zero_points.clone());
            Integers { codes: Some(codes.collect()), zero_points, ..all }
        }
        QuantizedOp::InputCodes { codes } => Integers { codes: Some(codes.clone()), ..all },
        QuantizedOp::Neuron(op) if op.keeps.len() > 1 => {
            let message = "leaks of channels have no module in PyTorch";
            return Err(Error::mismatch(format!("layer {}: {message}", node.name)));
        }
        QuantizedOp::Neuron(op) => Integers { neuron: neuron(model, node, op), ..all },
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
        QuantizedOp::Readout(_) => {
            let message = "leaky readouts have no module in PyTorch";
            return Err(Error::mismatch(format!("layer {}: {message}", node.name)));
        }
        QuantizedOp::ClassToken(_) => {
            let message = "class tokens have no module in PyTorch";
            return Err(Error::mismatch(format!("layer {}: {message}", node.name)));
        }
        QuantizedOp::Weighted(op) => {
            let input = quantized.lsbs()[node.inputs[0].index()][0];
            Integers { weights: Some(weights(op, input)), ..all }
        }
        QuantizedOp::Exact => all,
    })
}

fn neuron(model: &Model, node: &Node, op: &QuantizedNeuron) -> Option<NeuronIntegers> {
    let Op::Neuron(neuron) = &node.op else { return None };
    let scales = model.weights.thresholds(node).unwrap_or(&[1.0]);
    Some(NeuronIntegers {
        heights: scales.iter().map(|&scale| neuron.height(scale)).collect(),
        gain: op.gains[0],
        thresholds: op.thresholds.clone(),
        multiplier: op.keeps[0].multiplier,
        shift: op.keeps[0].shift,
        reset: match op.reset {
            QuantizedReset::Zero => "zero",
            QuantizedReset::Subtract => "threshold",
            QuantizedReset::SubtractDelayed => "delayed",
            QuantizedReset::SubtractAmount { .. } => "amount",
        },
        amounts: match &op.reset {
            QuantizedReset::Zero => Vec::new(),
            QuantizedReset::SubtractAmount { amounts } => amounts.clone(),
            _ => op.thresholds.iter().map(|threshold| threshold - i64::from(op.strict)).collect(),
        },
        strict: op.strict,
        membrane: op.membrane.as_ref().map(|MembraneWord { bits, discards }| MembraneIntegers {
            bits: *bits,
            discards: discards.clone(),
        }),
    })
}

fn weights(op: &QuantizedWeighted, input: f64) -> WeightIntegers {
    let shifted = f64::from(op.fraction_bits).exp2() / input;
    WeightIntegers {
        scheme: op.scheme.kind(),
        bits: op.scheme.bits(),
        pow2: op.scheme.scale() == Some(Scale::Pow2),
        per_layer: op.scheme.granularity() == Sharing::Layer,
        fraction_bits: op.fraction_bits,
        steps: op.lsb.iter().map(|lsb| lsb * shifted).collect(),
        narrow: op.accumulator.is_some(),
    }
}

fn requantize(requantizers: &[Requantizer], format: Format, joins: bool) -> RequantizeIntegers {
    RequantizeIntegers {
        multipliers: requantizers.iter().map(|r| r.multiplier).collect(),
        shifts: requantizers.iter().map(|r| r.shift).collect(),
        limits: (format.min(), format.max()),
        joins,
    }
}
