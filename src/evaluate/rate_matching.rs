//! Thresholds with which every channel fires as often as in the float network.

use rayon::prelude::*;

use crate::error::Result;
use crate::exec::{FloatExecutor, LayerwiseExecutor};
use crate::model::{Images, Kind, Model, Node, NodeId, Op, Sample};
use crate::quant::{
    Calibration, FixedPoint, QuantizedModel, QuantizedNeuron, QuantizedOp, per_channel, quantize,
    quantize_layerwise,
};

/// Images that thresholds are matched on, at most.
const IMAGES: usize = 128;
/// What their values may take while the network runs layer by layer.
const STATE_BYTES: usize = 1 << 30;
/// Thresholds stay within this factor of what they are without.
const REACH: i64 = 2;

/// The network of integers that `setting` makes of `model`; `images` are those that `calibration` is of.
///
/// # Errors
/// If the setting does not fit the model, or an image cannot be read.
pub fn quantize_on(
    model: &Model,
    images: &Images,
    setting: &FixedPoint,
    calibration: &Calibration,
) -> Result<QuantizedModel> {
    if !setting.rate_matching {
        return quantize(model, setting, calibration);
    }
    let network = &model.network;
    let largest = network.nodes.iter().map(|node| node.shape.values()).max().unwrap_or(1);
    // A value is held as 64 bits, together with what it is made of and one more stream beside.
    let affordable = STATE_BYTES / (3 * size_of::<i64>() * network.timesteps * largest);
    let count = images.len().min(IMAGES).min(affordable.max(1));
    let samples = (0..count).map(|i| images.sample(i)).collect::<Result<Vec<_>>>()?;
    let wanted = float_spikes(model, &samples);
    let mut executor = LayerwiseExecutor::new(network, &samples);
    quantize_layerwise(model, setting, calibration, |id, node, op| {
        if let (QuantizedOp::Neuron(neuron), true) = (&mut *op, is_matched(model, node)) {
            *neuron = matched(neuron, &wanted[id.index()], |neuron| executor.spikes(node, neuron));
        }
        executor.advance(id, node, op);
    })
}

/// Neurons that count spikes fire at one, and have nothing to match.
fn is_matched(model: &Model, node: &Node) -> bool {
    matches!(node.op, Op::Neuron(_)) && !matches!(model.network.input_of(node, 0).kind, Kind::Count { .. })
}

/// Per node and channel, how often the float network fires in all of `samples`; empty for what does not.
fn float_spikes(model: &Model, samples: &[Sample]) -> Vec<Vec<u64>> {
    let float = FloatExecutor::new(model);
    let nothing = || vec![Vec::new(); model.network.nodes.len()];
    let of_image = |sample: &Sample| {
        let mut spikes: Vec<Vec<u64>> = nothing();
        float.run_observed(sample, |id: NodeId, value| {
            if matches!(model.network.node(id).op, Op::Neuron(_)) {
                let channels = value.shape.channels;
                let mut counts = vec![0; channels];
                value.data.iter().enumerate().for_each(|(i, &x)| counts[i % channels] += u64::from(x > 0.0));
                spikes[id.index()] = counts;
            }
        });
        spikes
    };
    let add = |mut sum: Vec<Vec<u64>>, spikes: Vec<Vec<u64>>| {
        for (sum, spikes) in sum.iter_mut().zip(spikes) {
            sum.resize(spikes.len(), 0);
            sum.iter_mut().zip(spikes).for_each(|(sum, count)| *sum += count);
        }
        sum
    };
    samples.par_iter().map(of_image).reduce(nothing, add)
}

/// `neuron` with the threshold per channel with which it fires `wanted` times, or as nearly as it can; the one
/// that it has where no other is nearer. `spikes` counts.
fn matched(
    neuron: &QuantizedNeuron,
    wanted: &[u64],
    spikes: impl Fn(&QuantizedNeuron) -> Vec<u64>,
) -> QuantizedNeuron {
    let channels = wanted.len();
    let given: Vec<i64> = (0..channels).map(|c| per_channel(&neuron.thresholds, c)).collect();
    let count = |thresholds: &[i64]| spikes(&neuron.with_thresholds(thresholds.to_vec()));
    let distance = |counts: &[u64], c: usize| counts[c].abs_diff(wanted[c]);
    let mut best = given.clone();
    let mut nearest: Vec<u64> = {
        let counts = count(&given);
        (0..channels).map(|c| distance(&counts, c)).collect()
    };
    // Higher thresholds fire less: the interval holds the lowest that fires no more than wanted.
    let mut low: Vec<i64> = given.iter().map(|th| (th / REACH).max(1)).collect();
    let mut high: Vec<i64> = given.iter().map(|th| th * REACH).collect();
    while low.iter().zip(&high).any(|(low, high)| low < high) {
        let middle: Vec<i64> = low.iter().zip(&high).map(|(low, high)| low + (high - low) / 2).collect();
        let counts = count(&middle);
        for c in 0..channels {
            if distance(&counts, c) < nearest[c] {
                (nearest[c], best[c]) = (distance(&counts, c), middle[c]);
            }
            match counts[c] > wanted[c] {
                true => low[c] = (middle[c] + 1).min(high[c]),
                false => high[c] = middle[c],
            }
        }
    }
    neuron.with_thresholds(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::MembraneWord;

    /// Inputs 10, 20 ... 100 to neurons without memory fire where they reach the threshold.
    #[test]
    fn thresholds_by_hand() {
        let membrane = Some(MembraneWord { bits: 4, discards: vec![0] });
        let neuron =
            QuantizedNeuron { thresholds: vec![50], shift: 1, subtract: false, strict: false, membrane };
        let spikes = |neuron: &QuantizedNeuron| {
            neuron.thresholds.iter().map(|&th| (1..=10).filter(|i| 10 * i >= th).count() as u64).collect()
        };
        // As given, 6 fire. Channel 0 keeps its threshold; 3 fire from 71 on; 9 would need 20, out of reach;
        // and 25 is the lowest that is.
        let found = matched(&neuron, &[6, 3, 9], spikes);
        assert_eq!(found.thresholds[0], 50);
        assert!((71..=80).contains(&found.thresholds[1]), "{found:?}");
        assert!((25..=30).contains(&found.thresholds[2]), "{found:?}");
        // (TH - 1) >> 1 in a word of 4 bits, of which one is the sign.
        assert_eq!(found.membrane.unwrap().discards[0], 2);
    }
}
