//! How far the thresholds and requantizers that are executed lie from the scales that a checkpoint stores with its
//! codes.

use super::neuron::per_channel;
use super::quantized::{QuantizedModel, QuantizedOp};
use super::scheme::WeightScheme;
use crate::model::{Model, Node, NodeId, Op};
use crate::num::Requantizer;

/// The largest relative difference of one kind.
#[derive(Default)]
struct Largest<'a> {
    difference: f64,
    layer: &'a str,
}

impl<'a> Largest<'a> {
    fn see(&mut self, node: &'a Node, difference: f64) {
        if difference > self.difference {
            *self = Self { difference, layer: &node.name };
        }
    }

    fn part(&self, what: &str) -> Option<String> {
        let percent = 100.0 * self.difference;
        (percent > 0.0).then(|| format!("{what} by at most {percent:.2e} % ({})", self.layer))
    }
}

/// What a reader of a report must know of the scales of stored codes, where `quantized`, the integers of `model`,
/// executes any: thresholds are whole steps, requantizers have 16 bits, and a classifier has one scale.
pub fn rounded_scales(model: &Model, quantized: &QuantizedModel) -> Option<String> {
    let network = quantized.network();
    let stored = |id: NodeId| is_stored(model, quantized, id);
    let layers = network.weighted().filter(|(id, ..)| stored(*id)).count();
    let (mut thresholds, mut requantizers) = (Largest::default(), Largest::default());
    for (id, node) in network.iter() {
        let branch = usize::from(matches!(node.op, Op::Add(_)));
        let Some(&from) = node.inputs.get(branch).filter(|&&from| stored(source(quantized, from))) else {
            continue;
        };
        let lsbs = &quantized.lsbs()[from.index()];
        threshold_differences(model, quantized, id, lsbs).for_each(|x| thresholds.see(node, x));
        requantizer_differences(quantized.op(id), lsbs).for_each(|x| requantizers.see(node, x));
    }
    let classifier = network.weighted().last().filter(|(id, _, op)| op.stored.is_some() && !stored(*id));
    let parts = [
        thresholds.part("thresholds, which are whole steps, differ"),
        requantizers.part("requantizers of 16 bits differ"),
        classifier
            .filter(|_| layers > 0)
            .map(|(_, node, _)| format!("the scales of {} are one, with codes of 16 bits", node.name)),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let said = if parts.is_empty() { "exact".to_owned() } else { parts.join("; ") };
    (layers > 0).then(|| format!("scales of {layers} layers of stored codes: {said}"))
}

/// The node whose steps those of `id` are, poolings apart.
fn source(quantized: &QuantizedModel, mut id: NodeId) -> NodeId {
    let network = quantized.network();
    while matches!(network.node(id).op, Op::MaxPool(_) | Op::AvgPool(_) | Op::FirstToken) {
        id = network.node(id).inputs[0];
    }
    id
}

/// True for a weight layer that runs codes of its checkpoint, which have scales.
fn is_stored(model: &Model, quantized: &QuantizedModel, id: NodeId) -> bool {
    let described = matches!(&model.network.node(id).op, Op::Weighted(op) if op.stored.is_some());
    described
        && matches!(quantized.op(id), QuantizedOp::Weighted(op) if matches!(op.scheme, WeightScheme::Stored { .. }))
}

/// Relative roundings of the thresholds of neurons that can be reached, per channel.
fn threshold_differences<'a>(
    model: &'a Model,
    quantized: &'a QuantizedModel,
    id: NodeId,
    lsbs: &'a [f64],
) -> Box<dyn Iterator<Item = f64> + 'a> {
    let node = quantized.network().node(id);
    match (&node.op, quantized.op(id)) {
        (Op::Neuron(neuron), QuantizedOp::Neuron(op)) => {
            let scales = model.weights.thresholds(node).unwrap_or(&[1.0]);
            let reach = quantized.potential_bound(id);
            Box::new((0..op.thresholds.len()).filter(move |&c| op.thresholds[c] <= reach).map(move |c| {
                let height = neuron.height(per_channel(scales, c)) * per_channel(&op.gains, c);
                difference(op.thresholds[c] - i64::from(op.strict), height / per_channel(lsbs, c))
            }))
        }
        (Op::IntegerNeuron(_), QuantizedOp::Levels { thresholds }) => {
            let reach = quantized.bounds()[node.inputs[0].index()];
            Box::new(thresholds.iter().zip(lsbs).flat_map(move |(levels, lsb)| {
                let reached = levels.iter().enumerate().filter(move |(_, level)| **level <= reach);
                reached.map(move |(k, &level)| difference(level, (k as f64 + 0.5) / lsb))
            }))
        }
        _ => Box::new(std::iter::empty()),
    }
}

fn difference(steps: i64, real: f64) -> f64 {
    (steps as f64 - real).abs() / real
}

/// Relative roundings of requantizers, per channel.
fn requantizer_differences<'a>(op: &'a QuantizedOp, lsbs: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    let found = match op {
        QuantizedOp::Requantize { requantizers, format } => Some((requantizers, format)),
        QuantizedOp::AddMembrane(add) => add.branch.as_ref().map(|branch| (branch, &add.format)),
        _ => None,
    };
    found.into_iter().flat_map(move |(requantizers, format)| {
        let of = move |(requantizer, lsb): (&Requantizer, &f64)| {
            let ratio = lsb / format.lsb();
            // A channel too fine to matter is 0.
            Requantizer::from_ratio(ratio).map(|_| (requantizer.ratio() / ratio - 1.0).abs())
        };
        requantizers.iter().zip(lsbs).filter_map(of)
    })
}
