use super::drift::{DriftReference, LayerDrift};
use super::{Measure, Subject};
use crate::error::Result;
use crate::model::{Network, NodeId};

/// Images that potentials are compared on: all of them are held.
const IMAGES: usize = 16;

/// Relative drift of the membrane potentials of the next neurons behind the layer.
pub struct MembraneDrift;

/// Fraction of the spikes of the next neurons behind the layer that differ.
pub struct SpikeFlips;

impl Measure for MembraneDrift {
    fn name(&self) -> &str {
        "membrane drift"
    }

    fn figures(&self, subject: &Subject) -> Result<Vec<f64>> {
        next_neurons_mean(subject, |layer| layer.relative)
    }
}

impl Measure for SpikeFlips {
    fn name(&self) -> &str {
        "spike flips"
    }

    fn figures(&self, subject: &Subject) -> Result<Vec<f64>> {
        next_neurons_mean(subject, |layer| layer.flips)
    }
}

/// Of every candidate against the base network, the mean of `figure` over the next neurons.
fn next_neurons_mean(subject: &Subject, figure: impl Fn(&LayerDrift) -> f64) -> Result<Vec<f64>> {
    let batch = subject.batch();
    let samples = batch[..batch.len().min(IMAGES)].to_vec();
    let base = subject.quantize(subject.base())?;
    let reference = DriftReference::of_integers(subject.model(), &base, samples);
    let network = &subject.model().network;
    let of_candidate = |candidate: &super::Candidate| {
        let layers = reference.drift(subject.model(), &subject.quantize(&candidate.setting)?);
        let names: Vec<&str> =
            next_neurons(network, candidate.node).iter().map(|&id| network.node(id).name.as_str()).collect();
        let next: Vec<f64> =
            layers.iter().filter(|layer| names.contains(&layer.layer.as_str())).map(&figure).collect();
        Ok(next.iter().sum::<f64>() / next.len().max(1) as f64)
    };
    subject.candidates().iter().map(of_candidate).collect()
}

/// The layers of neurons that see node `id` without another weight layer between. Behind a join the stream
/// goes on past them; those that read it first count.
pub fn next_neurons(network: &Network, id: NodeId) -> Vec<NodeId> {
    let (mut found, mut open) = (Vec::new(), vec![id]);
    while let Some(id) = open.pop() {
        let (neurons, others): (Vec<_>, Vec<_>) =
            network.readers(id).partition(|(_, reader)| reader.op.is_neuron());
        if neurons.is_empty() {
            open.extend(others.iter().map(|(reader, _)| *reader));
        }
        found.extend(neurons.iter().map(|(reader, _)| *reader));
    }
    found.sort();
    found.dedup();
    found
}
