//! Bounds of everything that is computed, proven from the integers of a network.

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::neuron::{QuantizedLoihi, QuantizedNeuron, QuantizedReset};
use super::quantized::{QuantizedModel, QuantizedOp, QuantizedTokens, QuantizedWeighted};
use crate::check::{ACCUMULATOR_BITS, CURRENT_DECAY, FRACTION_BITS, MEMBRANE_BITS, VOLTAGE_DECAY, in_range};
use crate::error::{Error, Result};
use crate::model::{
    Attention, ClassToken, Fire, Join, Kind, Leak, Network, Neuron, Node, Op, Padding, Readout, ReadoutOver,
    Weighted,
};
use crate::num::{Format, Keep, Requantizer, signed_bits};
use crate::tensor::Shape;

/// Requantization multiplies by 16 bits in a 64-bit word.
const MAX_BOUND: i64 = 1 << 46;

/// What `node` yields never exceeds this in magnitude; `bounds` are those of the nodes before it.
///
/// # Errors
/// If that does not fit 64-bit arithmetic.
fn bound_of(network: &Network, node: &Node, op: &QuantizedOp, bounds: &[i64]) -> Result<i64> {
    let input = |i: usize| bounds[node.inputs[i].index()];
    let bound = match op {
        QuantizedOp::Input { zero_points, max } => {
            zero_points.iter().map(|&z| z.abs().max(max - z)).max().unwrap_or(*max)
        }
        QuantizedOp::InputCodes { codes } => codes.iter().flatten().map(|x| x.abs()).max().unwrap_or(0),
        QuantizedOp::Weighted(op) => weighted_bound(op, input(0)),
        QuantizedOp::Neuron(_) | QuantizedOp::Loihi(_) => 1,
        QuantizedOp::Readout(op) => {
            let reach = op.keeps.iter().map(|keep| keep.reach(network.timesteps)).max().unwrap_or(0);
            let summed = match node.op {
                Op::Readout(Readout { over: ReadoutOver::Mean, .. }) => network.timesteps as i64,
                _ => 1,
            };
            input(0).saturating_mul(reach).saturating_mul(summed)
        }
        QuantizedOp::Levels { thresholds } => thresholds.iter().map(Vec::len).max().unwrap_or(0) as i64,
        QuantizedOp::Requantize { format, .. } => -format.min(),
        QuantizedOp::AddMembrane(add) => -add.format.min(),
        QuantizedOp::ClassToken(tokens) => -tokens.format.min(),
        QuantizedOp::Exact => match (&node.op, node.kind) {
            (Op::Add(_), _) => input(0) + input(1),
            (Op::Attention(_), Kind::Count { max }) => i64::from(max),
            (Op::AvgPool(window), _) => input(0).saturating_mul(window.values() as i64),
            (Op::MeanTokens, _) => {
                input(0).saturating_mul(network.input_of(node, 0).shape.positions() as i64)
            }
            (Op::MeanTimesteps, _) => input(0).saturating_mul(network.timesteps as i64),
            _ => input(0),
        },
    };
    if bound >= MAX_BOUND {
        let message = format!("layer {}: values up to {bound} exceed 46 bits", node.name);
        return Err(Error::mismatch(message));
    }
    Ok(bound)
}

/// The largest magnitude of acc, per output channel.
fn row_bounds(op: &QuantizedWeighted, input: i64) -> impl Iterator<Item = i64> {
    let largest = input.max(largest_padding(op));
    op.codes
        .chunks_exact(op.geometry.fan_in())
        .map(move |row| row.iter().map(|&c| i64::from(c.unsigned_abs())).sum::<i64>().saturating_mul(largest))
}

fn weighted_bound(op: &QuantizedWeighted, input: i64) -> i64 {
    let shifted = row_bounds(op, input)
        .zip(&op.bias)
        .map(|(row, bias)| row.saturating_mul(1 << op.fraction_bits).saturating_add(bias.saturating_abs()));
    // The padding is read in the same words.
    shifted.max().unwrap_or(0).max(largest_padding(op))
}

fn largest_padding(op: &QuantizedWeighted) -> i64 {
    op.padding.iter().flatten().map(|x| x.saturating_abs()).max().unwrap_or(0)
}

/// Bits that acc needs for inputs up to `input`, or those of the declared accumulator where it has less.
fn accumulator_bits(op: &QuantizedWeighted, input: i64) -> u32 {
    let largest = row_bounds(op, input).max().unwrap_or(0);
    let proven = signed_bits(-largest, largest);
    op.accumulator.map_or(proven, |declared| proven.min(declared.bits))
}

impl QuantizedModel {
    /// A network of integers from anywhere: every list is checked, every bound proven. A step of its
    /// integers is worth 1.
    ///
    /// # Errors
    /// Names the layer whose integers do not fit it.
    pub fn from_integers(network: Network, mut ops: Vec<QuantizedOp>) -> Result<Self> {
        if ops.len() != network.nodes.len() {
            return Err(Error::mismatch(format!(
                "{} operations of {} nodes",
                ops.len(),
                network.nodes.len()
            )));
        }
        let mut bounds = Vec::with_capacity(ops.len());
        for (node, op) in network.nodes.iter().zip(&mut ops) {
            bounds.push(prove(&network, node, op, &bounds)?);
        }
        let residual = ops.iter().find_map(|op| match op {
            QuantizedOp::AddMembrane(add) => Some(add.format),
            QuantizedOp::ClassToken(tokens) => Some(tokens.format),
            _ => None,
        });
        let residual = residual.unwrap_or(Format { bits: 16, fraction_bits: 0 });
        let lsbs = vec![vec![1.0]; ops.len()];
        Ok(Self { network, ops, bounds, lsbs, residual })
    }
}

/// Holds the integers of `node` to it, and says how wide the accumulator of a weight layer is; returns what the node
/// never exceeds. `bounds` are those of the nodes before it.
///
/// # Errors
/// Names the layer whose integers do not fit it, or 64-bit arithmetic.
pub fn prove(network: &Network, node: &Node, op: &mut QuantizedOp, bounds: &[i64]) -> Result<i64> {
    check(node, op).map_err(|message| Error::mismatch(format!("layer {}: {message}", node.name)))?;
    if let QuantizedOp::Weighted(op) = op {
        op.accumulator_bits = accumulator_bits(op, bounds[node.inputs[0].index()]);
    }
    bound_of(network, node, op, bounds)
}

/// Says what is wrong with the integers of a node, if anything.
fn check(node: &Node, op: &QuantizedOp) -> Result<(), String> {
    let channels = node.shape.channels;
    match (&node.op, op) {
        (Op::Input, QuantizedOp::Input { zero_points, .. }) => {
            count("zero points", zero_points.len(), channels)
        }
        (Op::Input, QuantizedOp::InputCodes { codes }) => count("lists of codes", codes.len(), channels),
        (Op::Weighted(weighted), QuantizedOp::Weighted(op)) => check_weighted(weighted, op),
        (Op::Neuron(neuron), QuantizedOp::Neuron(op)) => check_neuron(neuron, op, channels),
        (Op::Neuron(neuron), QuantizedOp::Loihi(op)) => {
            let QuantizedLoihi { voltage_decay, current_decay, .. } = *op;
            agree("leak", neuron.leak == Leak::Loihi { voltage_decay, current_decay })?;
            per_channel("thresholds", op.thresholds.len(), channels)?;
            range("voltage_decay", op.voltage_decay, &VOLTAGE_DECAY)?;
            range("current_decay", op.current_decay, &CURRENT_DECAY)
        }
        (Op::Readout(readout), QuantizedOp::Readout(op)) => check_keeps(readout.leak, &op.keeps, channels),
        (Op::IntegerNeuron(neuron), QuantizedOp::Levels { thresholds }) => {
            per_channel("lists of thresholds", thresholds.len(), channels)?;
            thresholds.iter().try_for_each(|list| count("levels", list.len(), neuron.max as usize))
        }
        (Op::Requantize(_), QuantizedOp::Requantize { requantizers, format }) => {
            check_format(*format)?;
            check_requantizers(requantizers, channels)
        }
        (Op::Add(Join::Membrane), QuantizedOp::AddMembrane(add)) => {
            check_format(add.format)?;
            add.branch.as_ref().map_or(Ok(()), |branch| check_requantizers(branch, channels))
        }
        (Op::ClassToken(token), QuantizedOp::ClassToken(op)) => check_tokens(token, op, node.shape),
        (
            Op::Add(Join::Spikes)
            | Op::MaxPool(_)
            | Op::AvgPool(_)
            | Op::PlanePool { .. }
            | Op::Mask
            | Op::Gate(_)
            | Op::FirstToken
            | Op::MeanTokens
            | Op::MeanTimesteps
            | Op::Attention(
                Attention::KeyValueCount | Attention::ChannelCount { .. } | Attention::Product { .. },
            ),
            QuantizedOp::Exact,
        ) => Ok(()),
        _ => Err("its integers are those of another operation".to_owned()),
    }
}

fn check_weighted(weighted: &Weighted, op: &QuantizedWeighted) -> Result<(), String> {
    agree("geometry", op.geometry == weighted.geometry)?;
    count("weights", op.codes.len(), op.geometry.weights())?;
    count("biases", op.bias.len(), op.geometry.out_channels)?;
    range("fraction_bits", op.fraction_bits, &FRACTION_BITS)?;
    if let Some(accumulator) = op.accumulator {
        range("accumulator bits", accumulator.bits, &ACCUMULATOR_BITS)?;
    }
    match (weighted.padding, &op.padding) {
        (Padding::Zero, None) => Ok(()),
        (Padding::BiasOfInput, Some(padding)) => {
            count("padding values", padding.len(), op.geometry.in_channels)
        }
        _ => Err("padding where there is none, or none where there is".to_owned()),
    }
}

fn check_tokens(token: &ClassToken, op: &QuantizedTokens, shape: Shape) -> Result<(), String> {
    check_format(op.format)?;
    count("values of a token", op.token.len(), shape.channels)?;
    agree("embedding of positions", op.positions.is_some() == token.positions.is_some())?;
    if let Some(positions) = &op.positions {
        count("values of positions", positions.len(), shape.values() - shape.channels)?;
    }
    match op.token.iter().chain(op.positions.iter().flatten()).find(|&&x| op.format.saturate(x).1) {
        Some(x) => Err(format!("{x} is beyond its format")),
        None => Ok(()),
    }
}

fn check_neuron(neuron: &Neuron, op: &QuantizedNeuron, channels: usize) -> Result<(), String> {
    check_keeps(neuron.leak, &op.keeps, channels)?;
    per_channel("gains", op.gains.len(), channels)?;
    agree("reset", op.reset.is_of(neuron.reset))?;
    agree("comparison with the threshold", op.strict == (neuron.fire == Fire::AboveThreshold))?;
    per_channel("thresholds", op.thresholds.len(), channels)?;
    match &op.reset {
        QuantizedReset::SubtractAmount { amounts } => {
            per_channel("amounts", amounts.len(), channels)?;
            amounts.iter().try_for_each(|&amount| range("amounts", amount, &(0..=MAX_BOUND)))?;
        }
        QuantizedReset::Subtract | QuantizedReset::SubtractDelayed
            if op.thresholds.iter().any(|&th| th < i64::from(op.strict)) =>
        {
            return Err("a soft reset subtracts a negative threshold".to_owned());
        }
        _ => {}
    }
    let Some(word) = &op.membrane else { return Ok(()) };
    range("membrane bits", word.bits, &MEMBRANE_BITS)?;
    per_channel("discards", word.discards.len(), channels)?;
    word.discards.iter().try_for_each(|&d| range("discards", d, &(0..=45)))
}

fn check_keeps(leak: Leak, keeps: &[Keep], channels: usize) -> Result<(), String> {
    match leak {
        Leak::Loihi { .. } => agree("leak", false),
        Leak::Parametric { per_channel: false, .. } => count("leaks", keeps.len(), 1),
        Leak::Parametric { per_channel: true, .. } => per_channel("leaks", keeps.len(), channels),
        stated => agree("leak", keeps == [stated.stated().keep]),
    }?;
    if keeps.iter().all(|keep| keep.is_valid()) {
        Ok(())
    } else {
        Err("a leak is no factor of 16 bits in lowest terms".to_owned())
    }
}

fn agree(what: &str, agrees: bool) -> Result<(), String> {
    if agrees { Ok(()) } else { Err(format!("its {what} is not that of the network")) }
}

fn count(what: &str, found: usize, expected: usize) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{found} {what}, expected {expected}")) }
}

fn per_channel(what: &str, found: usize, channels: usize) -> Result<(), String> {
    if found == 1 { Ok(()) } else { count(what, found, channels) }
}

fn range<T: PartialOrd + Display>(
    what: &'static str,
    value: T,
    range: &RangeInclusive<T>,
) -> Result<(), String> {
    in_range(what, value, range).map_err(|fault| format!("{}: {}", fault.field, fault.message))
}

fn check_format(format: Format) -> Result<(), String> {
    range("bits of the format", format.bits, &(2..=32))?;
    range("fraction_bits of the format", format.fraction_bits, &(0..=30))
}

fn check_requantizers(requantizers: &[Requantizer], channels: usize) -> Result<(), String> {
    per_channel("requantizers", requantizers.len(), channels)?;
    requantizers.iter().try_for_each(|r| {
        range("multipliers", r.multiplier, &(1..=65535))?;
        range("shifts", r.shift, &(0..=62))
    })
}
