//! The drift of membrane potentials in the neurons behind a layer that alone is changed.

use super::{Candidate, Measure, Subject};
use crate::error::Result;
use crate::exec::{LayerwiseExecutor, NeuronTrace};
use crate::model::{Network, NodeId, Op};
use crate::quant::{QuantizedModel, QuantizedOp, per_channel};

/// Images that potentials are compared on: all of them are held.
const IMAGES: usize = 16;

/// By how much the next neurons behind a layer differ from those of the base network.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Drift {
    /// mean |H_q - H| / mean |H| of the potentials H after integration and before the reset, over neurons,
    /// timesteps and images.
    pub relative: f64,
    /// Fraction of spikes that differ.
    pub flips: f64,
}

/// Relative drift of the membrane potentials of the next neurons.
pub struct MembraneDrift;

/// Fraction of the spikes of the next neurons that differ.
pub struct SpikeFlips;

impl Measure for MembraneDrift {
    fn name(&self) -> &str {
        "membrane drift"
    }

    fn figures(&self, subject: &Subject) -> Result<Vec<f64>> {
        Ok(isolated_drift(subject)?.iter().map(|drift| drift.relative).collect())
    }
}

impl Measure for SpikeFlips {
    fn name(&self) -> &str {
        "spike flips"
    }

    fn figures(&self, subject: &Subject) -> Result<Vec<f64>> {
        Ok(isolated_drift(subject)?.iter().map(|drift| drift.flips).collect())
    }
}

/// The drift of every candidate, on the first `IMAGES` calibration images: the base network runs once, and
/// a candidate from the layer on that it changes to the next neurons.
///
/// # Errors
/// If a candidate does not fit the model.
pub fn isolated_drift(subject: &Subject) -> Result<Vec<Drift>> {
    let network = &subject.model().network;
    let base = subject.quantize(subject.base())?;
    let samples = &subject.batch()[..subject.batch().len().min(IMAGES)];
    let mut executor = LayerwiseExecutor::new(network, samples);
    let mut candidates = subject.candidates().iter().peekable();
    let mut drifts = Vec::new();
    for (id, node) in network.iter() {
        let changed = |candidate: &&Candidate| candidate.node == id;
        if candidates.peek().is_some_and(changed) {
            let next = next_neurons(network, id);
            let expected = potentials(&executor, &base, id, &next);
            while let Some(candidate) = candidates.next_if(changed) {
                let quantized = subject.quantize(&candidate.setting)?;
                drifts.push(drift(&expected, &potentials(&executor, &quantized, id, &next)));
            }
        }
        executor.advance(id, node, base.op(id));
    }
    Ok(drifts)
}

/// The layers of neurons that see node `id` without another weight layer between. Behind a join the stream
/// goes on past them; those that read it first count.
pub fn next_neurons(network: &Network, id: NodeId) -> Vec<NodeId> {
    let (mut found, mut open) = (Vec::new(), vec![id]);
    while let Some(id) = open.pop() {
        let readers = || network.readers(id).filter(|(_, reader)| !matches!(reader.op, Op::Weighted(_)));
        if readers().any(|(_, reader)| reader.op.is_neuron()) {
            found.extend(readers().filter(|(_, reader)| reader.op.is_neuron()).map(|(id, _)| id))
        } else {
            open.extend(readers().map(|(id, _)| id))
        }
    }
    found.sort();
    found.dedup();
    found
}

/// H of all `next` neurons in units of the float network, and whether they fire; of `model`, which is what
/// `executor` ran so far up to node `from`.
fn potentials(
    executor: &LayerwiseExecutor,
    model: &QuantizedModel,
    from: NodeId,
    next: &[NodeId],
) -> Vec<(f64, bool)> {
    let mut executor = executor.clone();
    let mut found = Vec::new();
    let end = next.last().map_or(0, |id| id.index() + 1);
    for (id, node) in model.network().iter().take(end).skip(from.index()) {
        if next.contains(&id) {
            let gains = match model.op(id) {
                QuantizedOp::Neuron(neuron) => neuron.gains.as_slice(),
                _ => &[1.0],
            };
            let (lsbs, channels) = (&model.lsbs()[node.inputs[0].index()], node.shape.channels);
            let real = |trace: NeuronTrace| {
                let values = trace.potentials.into_iter().zip(trace.outputs).enumerate();
                let real = |i: usize, g: i64| {
                    g as f64 * per_channel(lsbs, i % channels) / per_channel(gains, i % channels)
                };
                values.map(|(i, (g, output))| (real(i, g), output != 0)).collect::<Vec<_>>()
            };
            found.extend(executor.traces(node, model.op(id)).into_iter().flat_map(real));
        }
        executor.advance(id, node, model.op(id));
    }
    found
}

fn drift(expected: &[(f64, bool)], found: &[(f64, bool)]) -> Drift {
    let (mut difference, mut magnitude, mut flips) = (0.0, 0.0, 0usize);
    for ((h, fires), (h_q, fires_q)) in expected.iter().zip(found) {
        difference += (h_q - h).abs();
        magnitude += h.abs();
        flips += usize::from(fires != fires_q);
    }
    let relative = if difference > 0.0 { difference / (magnitude + f64::EPSILON) } else { 0.0 };
    Drift { relative, flips: flips as f64 / expected.len().max(1) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_by_hand() {
        let base = [(1.0, true), (-2.0, false), (0.5, false), (0.5, false)];
        let found = [(1.5, true), (-2.0, false), (1.0, true), (0.5, false)];
        // 1 of 4 in all, and one spike of four.
        assert_eq!(drift(&base, &found), Drift { relative: 0.25, flips: 0.25 });
        assert_eq!(drift(&base, &base), Drift::default());
        assert_eq!(drift(&[], &[]), Drift::default());
    }
}
