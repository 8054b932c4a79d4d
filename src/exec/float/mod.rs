//! The reference in single precision: what the checkpoint means before quantization. The order of each sum is fixed,
//! so that all processors and any number of threads yield the same bytes.

mod attention;
mod inputs;
mod layer;
mod neuron;
mod operations;

pub use layer::{FloatLayer, weighted};
pub use neuron::neuron;
pub use operations::{class_token, image, without_weights};

use std::sync::Mutex;

use super::activity::{Activity, NodeActivity, StepActivity, count_outputs, count_products};
use super::execution::run_counting;
use super::patterns::Pattern;
use super::readout::{float_readout, updates};
use super::{Execution, live::Live, spare::Spare};
use crate::model::{FloatLeak, Kind, Model, Node, NodeId, Op, Padding, Sample, Weighted, fold};
use crate::quant::Calibration;
use crate::tensor::Frames;

/// Executes a model in `f32`, batch normalizations folded.
pub struct FloatExecutor<'a> {
    model: &'a Model,
    /// Per node; of weight layers.
    layers: Vec<Option<FloatLayer>>,
    /// Buffers of runs that are over.
    idle: Mutex<Vec<Spare<f32>>>,
}

impl<'a> FloatExecutor<'a> {
    /// Folds and lays out the weights.
    pub fn new(model: &'a Model) -> Self {
        let mut layers: Vec<Option<FloatLayer>> = Vec::new();
        for node in &model.network.nodes {
            layers.push(match &node.op {
                Op::Weighted(weighted) => {
                    let mut layer = float_layer(model, node, weighted);
                    if weighted.padding == Padding::BiasOfInput {
                        let grid = model.network.input_of(node, 0);
                        let before = layers[grid.inputs[0].index()].as_ref();
                        layer.padding = before.map_or_else(Vec::new, |before| before.bias.clone());
                    }
                    Some(layer)
                }
                _ => None,
            });
        }
        Self { model, layers, idle: Mutex::default() }
    }

    /// Runs one image.
    pub fn run(&self, sample: &Sample) -> Execution<f32> {
        self.run_observed(sample, |_, _| ())
    }

    /// Runs one image and counts `patterns` of its spikes.
    pub fn run_with(&self, sample: &Sample, patterns: &[Pattern]) -> Execution<f32> {
        run_counting(&self.model.network, patterns, |observe| self.run_observed(sample, observe))
    }

    /// What one image says about the ranges of every node.
    pub fn calibrate(&self, sample: &Sample) -> Calibration {
        let mut calibration = Calibration::new(self.model.network.nodes.len());
        self.values(sample, |id, value| {
            // Magnitudes are in the order of their bits, those of what is no number above infinity.
            let largest = value.data.iter().map(|x| x.abs().to_bits()).max().unwrap_or(0);
            let magnitude = f32::from_bits(largest.min(f32::INFINITY.to_bits()));
            calibration.magnitude[id.index()] = f64::from(magnitude);
        });
        calibration
    }

    /// Runs one image and shows what every node yields.
    pub fn run_observed(
        &self,
        sample: &Sample,
        mut observe: impl FnMut(NodeId, &Frames<f32>),
    ) -> Execution<f32> {
        let mut activity = Activity::default();
        let logits = self.pass(sample, |id, node, live, value| {
            observe(id, value);
            activity.nodes.push(self.count(node, live, value));
        });
        Execution { logits, activity }
    }

    /// Runs one image, counts nothing, and shows what every node yields; returns the logits.
    pub fn values(&self, sample: &Sample, mut observe: impl FnMut(NodeId, &Frames<f32>)) -> Vec<f32> {
        self.pass(sample, |id, _, _, value| observe(id, value))
    }

    /// Runs one image, and shows every node with what it reads and what it yields.
    fn pass(
        &self,
        sample: &Sample,
        mut observe: impl FnMut(NodeId, &Node, &Live<f32>, &Frames<f32>),
    ) -> Vec<f32> {
        let mut spare = self.idle.lock().expect("nothing panics here").pop().unwrap_or_default();
        let mut live = Live::new(&self.model.network);
        for (id, node) in self.model.network.iter() {
            let value = self.node(id, node, (&live, &mut spare), sample);
            observe(id, node, &live, &value);
            live.finish(id, node, value).into_iter().for_each(|read| spare.keep(read));
        }
        self.idle.lock().expect("nothing panics here").push(spare);
        live.into_last().map_or_else(Vec::new, |frames| frames.data)
    }

    /// Runs one image and shows what every weight layer reads, and what its padding holds: one value per input
    /// channel, or none for zeros.
    pub(crate) fn run_inputs(&self, sample: &Sample, mut observe: impl FnMut(NodeId, &Frames<f32>, &[f32])) {
        self.values(sample, |id, value| {
            let readers = self.model.network.readers(id);
            for (reader, _) in readers.filter(|(_, node)| matches!(node.op, Op::Weighted(_))) {
                observe(reader, value, &self.layer(reader).padding);
            }
        });
    }

    fn layer(&self, id: NodeId) -> &FloatLayer {
        self.layers[id.index()].as_ref().expect("a weight layer")
    }

    fn node(
        &self,
        id: NodeId,
        node: &Node,
        (live, spare): (&Live<f32>, &mut Spare<f32>),
        sample: &Sample,
    ) -> Frames<f32> {
        match &node.op {
            Op::Input => image(sample, &self.model.description.input),
            Op::Weighted(op) => {
                let input = live.input(node, 0);
                weighted(op, self.layer(id), input, spare.room(input.frames, node.shape))
            }
            Op::Neuron(op) => {
                let scales = self.model.weights.thresholds(node).unwrap_or(&[1.0]);
                let leaks: Vec<FloatLeak> =
                    self.model.weights.decays(node).into_iter().map(|decay| decay.float).collect();
                let spikes = spare.room(self.model.network.timesteps, node.shape);
                neuron(op, (scales, &leaks), live.input(node, 0), spikes)
            }
            Op::ClassToken(op) => {
                class_token(&self.model.weights.class_token(node, op), live.input(node, 0), node.shape)
            }
            Op::Readout(op) => {
                let leaks: Vec<FloatLeak> =
                    self.model.weights.decays(node).into_iter().map(|decay| decay.float).collect();
                float_readout(&leaks, op.over, live.input(node, 0), self.model.network.timesteps)
            }
            _ => without_weights(node, (live, spare), self.model.network.timesteps),
        }
    }

    fn count(&self, node: &Node, live: &Live<f32>, value: &Frames<f32>) -> NodeActivity {
        match &node.op {
            Op::Weighted(op) => {
                let multi_bit = self.model.network.input_of(node, 0).kind != Kind::Spikes;
                count_products(live.input(node, 0), &op.geometry, multi_bit)
            }
            Op::Neuron(_) | Op::IntegerNeuron(_) => {
                let mut counted = count_outputs(value);
                counted.steps.iter_mut().for_each(|step| step.neuron_updates = node.shape.values() as u32);
                counted
            }
            Op::Readout(_) => updates(node.shape.values(), self.model.network.timesteps),
            op if op.passes_events() => count_outputs(value),
            _ => NodeActivity { steps: vec![StepActivity::default(); value.frames] },
        }
    }
}

/// A weight layer with its normalizations folded in.
fn float_layer(model: &Model, node: &Node, weighted: &Weighted) -> FloatLayer {
    let folded = fold(weighted, &model.weights.layer(node, weighted));
    let bias = folded.bias.iter().map(|&b| b as f32).collect();
    FloatLayer::new(&weighted.geometry, |i| folded.weight[i] as f32, bias)
}
