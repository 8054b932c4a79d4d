//! How far the membrane potentials of a setting drift from those of the float network.
//!
//! H is the potential after integration and before the reset, in units of the float network, of every
//! neuron at every timestep of a few calibration images.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::keyword::keywords;
use crate::exec::{FloatExecutor, Observed, ScalarExecutor};
use crate::model::{Leak, Model, Neuron, Node, NodeId, Op, Reset, Sample};
use crate::num::Word;
use crate::quant::{QuantizedModel, per_channel};
use crate::tensor::Frames;

/// Drift of one layer of neurons; `q` is the setting's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerDrift {
    /// Name of the layer.
    pub layer: String,
    /// mean |H_q - H| / mean |H|.
    pub relative: f64,
    /// Root mean square of H_q - H, in thresholds.
    pub threshold: f64,
    /// Fraction of spikes that differ.
    pub flips: f64,
    /// Total variation distance of the histograms of the channels' firing rates.
    pub rates: f64,
}

keywords! {
    /// Which of them a gate looks at.
    #[derive(Default)]
    pub enum DriftMetric {
        #[default]
        Relative = "relative": "mean |H_q - H| / mean |H|.",
        Threshold = "threshold": "rms(H_q - H) in thresholds.",
        Flips = "flips": "Fraction of spikes that differ.",
        Rates = "rates": "Distance of the histograms of firing rates.",
    }
}

impl DriftMetric {
    /// The mean over layers.
    pub fn of(self, layers: &[LayerDrift]) -> f64 {
        let value = |layer: &LayerDrift| match self {
            Self::Relative => layer.relative,
            Self::Threshold => layer.threshold,
            Self::Flips => layer.flips,
            Self::Rates => layer.rates,
        };
        layers.iter().map(value).sum::<f64>() / layers.len().max(1) as f64
    }
}

/// Bins of a histogram of firing rates.
const BINS: usize = 16;

/// What the float network does on calibration images.
pub struct DriftReference {
    samples: Vec<Sample>,
    /// Per image and layer of neurons.
    traces: Vec<Vec<Trace>>,
}

/// One layer of neurons on one image.
struct Trace {
    node: NodeId,
    /// H, all timesteps.
    potentials: Vec<f32>,
    /// What is fired, all timesteps.
    spikes: Frames<f32>,
}

impl DriftReference {
    /// Runs the float network on `samples`.
    pub fn new(model: &Model, samples: Vec<Sample>) -> Self {
        let float = FloatExecutor::new(model);
        let traces = samples.par_iter().map(|sample| float_traces(model, &float, sample)).collect();
        Self { samples, traces }
    }

    /// Images.
    pub fn images(&self) -> usize {
        self.samples.len()
    }

    /// Drift of every layer of neurons of `quantized`, over all images.
    pub fn drift(&self, model: &Model, quantized: &QuantizedModel) -> Vec<LayerDrift> {
        let pairs = self.samples.par_iter().zip(&self.traces);
        let per_image: Vec<Vec<Sums>> = if quantized.fits_32_bits() {
            let scalar = ScalarExecutor::<i32>::new(quantized);
            pairs.map(|(sample, float)| compare(model, quantized, &scalar, sample, float)).collect()
        } else {
            let scalar = ScalarExecutor::<i64>::new(quantized);
            pairs.map(|(sample, float)| compare(model, quantized, &scalar, sample, float)).collect()
        };
        let mut layers = per_image.into_iter();
        let mut sums = layers.next().unwrap_or_default();
        for image in layers {
            sums.iter_mut().zip(&image).for_each(|(sum, one)| sum.add(one));
        }
        let traces = self.traces.first().map_or(&[][..], |traces| traces);
        let name = |trace: &Trace| model.network.node(trace.node).name.clone();
        traces.iter().zip(&sums).map(|(trace, sum)| sum.drift(name(trace))).collect()
    }
}

/// What has a potential to compare: neurons whose state is one membrane, unlike those of Loihi.
fn is_compared(op: &Op) -> bool {
    match op {
        Op::IntegerNeuron(_) => true,
        Op::Neuron(neuron) => !matches!(neuron.leak, Leak::Loihi { .. }),
        _ => false,
    }
}

fn float_traces(model: &Model, float: &FloatExecutor, sample: &Sample) -> Vec<Trace> {
    let network = &model.network;
    let mut inputs: Vec<Option<Frames<f32>>> = vec![None; network.nodes.len()];
    let mut traces = Vec::new();
    float.values(sample, |id, value| {
        let node = network.node(id);
        if is_compared(&node.op) {
            let input = inputs[node.inputs[0].index()].as_ref().expect("nodes run in order");
            let potentials = float_potentials(model, node, input, value);
            traces.push(Trace { node: id, potentials, spikes: value.clone() });
        }
        if network.readers(id).any(|(_, reader)| is_compared(&reader.op)) {
            inputs[id.index()] = Some(value.clone());
        }
    });
    traces
}

/// H of all timesteps, from what a layer reads and fires.
fn float_potentials(model: &Model, node: &Node, input: &Frames<f32>, spikes: &Frames<f32>) -> Vec<f32> {
    let Op::Neuron(neuron) = &node.op else {
        return (0..spikes.frames).flat_map(|t| input.at(t)).copied().collect();
    };
    let (channels, decays) = (node.shape.channels, model.weights.decays(node));
    let amounts: Vec<Option<f32>> = (0..channels)
        .map(|c| neuron.reset.amount(threshold(model, node, neuron, c)).map(|amount| amount as f32))
        .collect();
    let delayed = neuron.reset == Reset::SubtractDelayed;
    let mut membranes = vec![0.0f32; node.shape.values()];
    let mut potentials: Vec<f32> = Vec::with_capacity(spikes.data.len());
    for t in 0..spikes.frames {
        let fired_before = t.checked_sub(1).filter(|_| delayed).map(|t| spikes.at(t));
        let values = membranes.iter_mut().zip(input.at(t)).zip(spikes.at(t)).enumerate();
        for (i, ((v, &x), &spike)) in values {
            let amount = amounts[i % channels];
            let late = fired_before.map_or(0.0, |before| before[i] * amount.unwrap_or(0.0));
            let h = per_channel(&decays, i % channels).float.potential(*v, x) - late;
            *v = match amount {
                Some(amount) if spike > 0.0 && !delayed => h - amount,
                None if spike > 0.0 => 0.0,
                _ => h,
            };
            potentials.push(h);
        }
    }
    potentials
}

fn threshold(model: &Model, node: &Node, neuron: &Neuron, channel: usize) -> f64 {
    let scales = model.weights.thresholds(node).unwrap_or(&[1.0]);
    neuron.height(per_channel(scales, channel))
}

/// Sums over neurons, timesteps and images.
#[derive(Clone, Default)]
struct Sums {
    values: f64,
    difference: f64,
    magnitude: f64,
    /// Sum of squared differences in thresholds.
    squares: f64,
    flips: f64,
    /// Per channel, spikes of the float network and of the setting.
    spikes: Vec<[f64; 2]>,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.values += other.values;
        self.difference += other.difference;
        self.magnitude += other.magnitude;
        self.squares += other.squares;
        self.flips += other.flips;
        for (mine, theirs) in self.spikes.iter_mut().zip(&other.spikes) {
            mine[0] += theirs[0];
            mine[1] += theirs[1];
        }
    }

    fn drift(&self, layer: String) -> LayerDrift {
        let values = self.values.max(1.0);
        LayerDrift {
            layer,
            relative: self.difference / (self.magnitude + f64::EPSILON * values),
            threshold: (self.squares / values).sqrt(),
            flips: self.flips / values,
            rates: self.rate_distance(),
        }
    }

    fn rate_distance(&self) -> f64 {
        let channels = self.spikes.len().max(1) as f64;
        let bin =
            |spikes: f64| (spikes * channels / self.values * BINS as f64).min(BINS as f64 - 1.0) as usize;
        let mut histogram = [0.0; BINS];
        for &[float, setting] in &self.spikes {
            histogram[bin(float)] += 1.0 / channels;
            histogram[bin(setting)] -= 1.0 / channels;
        }
        histogram.iter().map(|x: &f64| x.abs()).sum::<f64>() / 2.0
    }
}

fn compare<W: Word>(
    model: &Model,
    quantized: &QuantizedModel,
    scalar: &ScalarExecutor<W>,
    sample: &Sample,
    float: &[Trace],
) -> Vec<Sums> {
    let network = quantized.network();
    let mut inputs: Vec<Option<Frames<W>>> = network.nodes.iter().map(|_| None).collect();
    // Membranes of the layer that runs, after each timestep.
    let mut kept: Vec<Vec<W>> = Vec::new();
    let mut layers = float.iter();
    let mut sums = Vec::new();
    scalar.trace(scalar.input(sample), |id, seen| match seen {
        Observed::Membranes { values, .. } => kept.push(values.to_vec()),
        Observed::Value(value) => {
            let node = network.node(id);
            let membranes = std::mem::take(&mut kept);
            if is_compared(&node.op)
                && let (Some(trace), Some(input)) = (layers.next(), &inputs[node.inputs[0].index()])
            {
                let lsbs = &quantized.lsbs()[node.inputs[0].index()];
                sums.push(layer_sums(model, node, lsbs, input, &membranes, value, trace));
            }
            if network.readers(id).any(|(_, reader)| is_compared(&reader.op)) {
                inputs[id.index()] = Some(value.clone());
            }
        }
    });
    sums
}

fn layer_sums<W: Word>(
    model: &Model,
    node: &Node,
    lsbs: &[f64],
    input: &Frames<W>,
    membranes: &[Vec<W>],
    spikes: &Frames<W>,
    float: &Trace,
) -> Sums {
    let channels = node.shape.channels;
    let values = node.shape.values();
    let neuron = match &node.op {
        Op::Neuron(neuron) => Some(neuron),
        _ => None,
    };
    let gains: Vec<f64> = match neuron {
        Some(_) => model.weights.decays(node).into_iter().map(|decay| decay.gain).collect(),
        None => vec![1.0],
    };
    let thresholds: Vec<f64> =
        (0..channels).map(|c| neuron.map_or(1.0, |neuron| threshold(model, node, neuron, c))).collect();
    let mut sums = Sums { values: (spikes.frames * values) as f64, ..Sums::default() };
    sums.spikes = vec![[0.0; 2]; channels];
    for t in 0..spikes.frames {
        let before = t.checked_sub(1).and_then(|t| membranes.get(t));
        for i in 0..values {
            let channel = i % channels;
            let kept = before.map_or(0, |membranes| membranes[i].into());
            let x: i64 = input.at(t)[i].into();
            let potential = (kept + x) as f64 * per_channel(lsbs, channel) / per_channel(&gains, channel);
            let reference = f64::from(float.potentials[t * values + i]);
            let difference = potential - reference;
            sums.difference += difference.abs();
            sums.magnitude += reference.abs();
            sums.squares += (difference / thresholds[channel]).powi(2);
            let fired = [float.spikes.at(t)[i] > 0.0, spikes.at(t)[i] != W::default()];
            sums.flips += f64::from(u8::from(fired[0] != fired[1]));
            sums.spikes[channel][0] += f64::from(u8::from(fired[0]));
            sums.spikes[channel][1] += f64::from(u8::from(fired[1]));
        }
    }
    sums
}
