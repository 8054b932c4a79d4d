//! Thresholds with which every channel fires as often as in the float network.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use crate::error::Result;
use crate::exec::{ChannelInputs, FloatExecutor, LayerwiseExecutor, LayerwiseState};
use crate::model::{Images, Kind, Model, Node, NodeId, Op, Sample};
use crate::quant::{
    Calibration, FixedPoint, QuantizedModel, QuantizedNeuron, QuantizedOp, per_channel, quantize,
    quantize_layerwise,
};

/// Images that thresholds are matched on, at most.
const IMAGES: usize = 128;
/// What their values may take while the network runs layer by layer.
const STATE_BYTES: usize = 1 << 30;
/// What may be kept of it for the next network: of each weight layer that has no more than its share.
const KEPT_BYTES: usize = 1 << 29;
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
    RateMatching::default().quantize(model, images, setting, calibration)
}

/// [`quantize_on`] of one model after the other setting: what the next one shares with the last, from the
/// first node on, is not matched again. That changes no integer.
#[derive(Debug, Default)]
pub struct RateMatching {
    goal: Mutex<Option<Arc<Goal>>>,
    last: Mutex<Option<Matched>>,
}

/// What thresholds are matched to.
#[derive(Debug)]
struct Goal {
    samples: Vec<Sample>,
    /// Per node and channel, how often the float network fires in all of `samples`; empty for what does not.
    spikes: Vec<Vec<u64>>,
}

/// A network as far as it was matched.
#[derive(Debug, Default)]
struct Matched {
    /// Per node, its integers before and after.
    ops: Vec<[QuantizedOp; 2]>,
    /// What ran, up to a few of the nodes.
    states: Vec<(usize, Arc<LayerwiseState>)>,
}

impl RateMatching {
    /// Quantizes as [`quantize_on`] does; every call has one and the same `model` and `images`.
    ///
    /// # Errors
    /// Those of [`quantize_on`].
    pub fn quantize(
        &self,
        model: &Model,
        images: &Images,
        setting: &FixedPoint,
        calibration: &Calibration,
    ) -> Result<QuantizedModel> {
        if !setting.rate_matching || setting.kept_of(model).is_some() {
            return quantize(model, setting, calibration);
        }
        let goal = self.goal(model, images)?;
        // Nothing is locked while threads run: one of them may quantize, too.
        let last = lock(&self.last).take().unwrap_or_default();
        let mut matching = Matching::new(model, &goal, last);
        let quantized =
            quantize_layerwise(model, setting, calibration, |id, node, op| matching.node(id, node, op))?;
        *lock(&self.last) = Some(matching.matched);
        Ok(quantized)
    }

    fn goal(&self, model: &Model, images: &Images) -> Result<Arc<Goal>> {
        if let Some(goal) = &*lock(&self.goal) {
            return Ok(Arc::clone(goal));
        }
        let network = &model.network;
        let largest = network.nodes.iter().map(|node| node.shape.values()).max().unwrap_or(1);
        // A value is held as 64 bits, together with what it is made of and one more stream beside.
        let affordable = STATE_BYTES / (3 * size_of::<i64>() * network.timesteps * largest);
        let count = images.len().min(IMAGES).min(affordable.max(1));
        let samples = (0..count).map(|i| images.sample(i)).collect::<Result<Vec<_>>>()?;
        let spikes = float_spikes(model, &samples);
        let goal = Arc::new(Goal { samples, spikes });
        *lock(&self.goal) = Some(Arc::clone(&goal));
        Ok(goal)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A network that is being matched, node by node.
struct Matching<'a> {
    model: &'a Model,
    goal: &'a Goal,
    last: Matched,
    /// False from the first node on that differs from the last network's.
    shares: bool,
    executor: LayerwiseExecutor<'a>,
    matched: Matched,
}

impl<'a> Matching<'a> {
    fn new(model: &'a Model, goal: &'a Goal, last: Matched) -> Self {
        let executor = LayerwiseExecutor::new(&model.network, &goal.samples);
        Self { model, goal, last, shares: true, executor, matched: Matched::default() }
    }

    fn node(&mut self, id: NodeId, node: &Node, op: &mut QuantizedOp) {
        let before = op.clone();
        let known = self.last.ops.get(id.index()).filter(|[known, _]| self.shares && *known == before);
        if let Some([_, after]) = known {
            *op = after.clone();
            let state = self.last.states.iter().filter(|(at, _)| *at == id.index());
            self.matched.states.extend(state.cloned());
        } else {
            if std::mem::take(&mut self.shares) {
                self.catch_up(id);
            }
            if let (QuantizedOp::Neuron(neuron), true) = (&mut *op, is_matched(self.model, node)) {
                *neuron = self.matched_neuron(id, node, neuron);
            }
            let share = KEPT_BYTES / self.model.network.weighted().count().max(1);
            if matches!(node.op, Op::Weighted(_)) && self.executor.state_bytes() <= share {
                self.matched.states.push((id.index(), Arc::new(self.executor.state())));
            }
            self.executor.advance(id, node, op);
        }
        self.matched.ops.push([before, op.clone()]);
    }

    /// Runs what comes before node `end` and is the same as in the last network.
    fn catch_up(&mut self, end: NodeId) {
        let network = &self.model.network;
        let mut start = 0;
        if let Some((at, state)) = self.matched.states.last() {
            self.executor = LayerwiseExecutor::resumed(network, &self.goal.samples, state);
            start = *at;
        }
        for (id, node) in network.iter().take(end.index()).skip(start) {
            self.executor.advance(id, node, &self.matched.ops[id.index()][1]);
        }
    }

    fn matched_neuron(&self, id: NodeId, node: &Node, neuron: &QuantizedNeuron) -> QuantizedNeuron {
        let wanted = &self.goal.spikes[id.index()];
        let threshold = |channel: usize, inputs: &ChannelInputs| {
            let given = per_channel(&neuron.thresholds, channel);
            let neuron = neuron.of_channel(channel);
            matched(given, wanted[channel], |th| inputs.spikes(&neuron.with_thresholds(vec![th])))
        };
        neuron.with_thresholds(self.executor.of_channels(node, threshold))
    }
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
        float.values(sample, |id: NodeId, value| {
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

/// The threshold that fires `wanted` times, or as nearly as it can; `given` where no other is nearer. `spikes`
/// counts.
fn matched(given: i64, wanted: u64, spikes: impl Fn(i64) -> u64) -> i64 {
    let (mut best, mut nearest) = (given, spikes(given).abs_diff(wanted));
    // Higher thresholds fire less: the interval holds the lowest that fires no more than wanted.
    let (mut low, mut high) = ((given / REACH).max(1), given * REACH);
    while low < high && nearest > 0 {
        let middle = low + (high - low) / 2;
        let count = spikes(middle);
        if count.abs_diff(wanted) < nearest {
            (nearest, best) = (count.abs_diff(wanted), middle);
        }
        if count > wanted { low = middle + 1 } else { high = middle }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs 10, 20 ... 100 to neurons without memory fire where they reach the threshold.
    #[test]
    fn thresholds_by_hand() {
        let spikes = |th: i64| (1..=10).filter(|i| 10 * i >= th).count() as u64;
        // At the threshold given, 6 fire. From 71 on 3 fire; 9 would need 20, out of reach; and 25 is the lowest that
        // is.
        assert_eq!(matched(50, 6, spikes), 50);
        assert!((71..=80).contains(&matched(50, 3, spikes)));
        assert!((25..=30).contains(&matched(50, 9, spikes)));
    }
}
