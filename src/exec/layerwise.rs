use rayon::prelude::*;

use super::live::Live;
use super::neuron::{LoihiNeurons, NeuronLayer, ShiftNeurons};
use super::scalar::{execute, input, weight_rows};
use crate::model::{Network, Node, NodeId, Sample};
use crate::quant::{QuantizedNeuron, QuantizedOp};
use crate::tensor::Frames;

/// What a layer of neurons does with one image, in the order of its frames.
#[derive(Debug, Clone, PartialEq)]
pub struct NeuronTrace {
    /// V + X after integration and before the reset; of Loihi's neurons, the voltage that is left.
    pub potentials: Vec<i64>,
    /// Spikes, or levels.
    pub outputs: Vec<i64>,
}

/// Runs several images through a network that is still being quantized, node after node: what a node is made
/// of may depend on what the nodes before it yield.
#[derive(Clone)]
pub struct LayerwiseExecutor<'a> {
    network: &'a Network,
    samples: &'a [Sample],
    /// One per image.
    live: Vec<Live<i64>>,
}

impl<'a> LayerwiseExecutor<'a> {
    /// At the first node.
    pub fn new(network: &'a Network, samples: &'a [Sample]) -> Self {
        Self { network, samples, live: samples.iter().map(|_| Live::new(network)).collect() }
    }

    /// Executes `node`, the next one, with the integers of `op`.
    pub fn advance(&mut self, id: NodeId, node: &Node, op: &QuantizedOp) {
        let rows = match op {
            QuantizedOp::Weighted(weighted) => weight_rows(weighted),
            _ => Vec::new(),
        };
        self.live.par_iter_mut().zip(self.samples).for_each(|(live, sample)| {
            let value = match id.index() {
                0 => input(op, sample),
                _ => {
                    let inputs: Vec<_> = (0..node.inputs.len()).map(|i| live.input(node, i)).collect();
                    execute(self.network, node, (op, &rows), &inputs, &mut |_, _| ()).0
                }
            };
            live.finish(id, node, value);
        });
    }

    /// How often each channel of `node`, the next one, would fire in all images, with the integers of `op`.
    pub fn spikes(&self, node: &Node, op: &QuantizedNeuron) -> Vec<u64> {
        let channels = node.shape.channels;
        let of_image = |live: &Live<i64>| {
            let input = live.input(node, 0);
            let mut layer = ShiftNeurons::new(op, channels, node.shape.values());
            let mut spikes = vec![0; node.shape.values()];
            let mut counts = vec![0; channels];
            for t in 0..self.network.timesteps {
                layer.step(input.at(t), &mut spikes);
                for pixel in spikes.chunks_exact(channels) {
                    counts.iter_mut().zip(pixel).for_each(|(count, &spike)| *count += spike as u64);
                }
            }
            counts
        };
        let add = |mut sum: Vec<u64>, counts: Vec<u64>| {
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            sum
        };
        self.live.par_iter().map(of_image).reduce(|| vec![0; channels], add)
    }

    /// What `node`, the next one, would do with each image, with the integers of `op`; empty for what is no
    /// layer of neurons.
    pub fn traces(&self, node: &Node, op: &QuantizedOp) -> Vec<NeuronTrace> {
        let (channels, values, timesteps) =
            (node.shape.channels, node.shape.values(), self.network.timesteps);
        let of_image = |live: &Live<i64>| {
            let input = live.input(node, 0);
            match op {
                QuantizedOp::Neuron(op) => {
                    let potential = |kept: i64, _: i64, x: i64| kept + x;
                    trace(&mut ShiftNeurons::new(op, channels, values), input, timesteps, potential)
                }
                QuantizedOp::Loihi(op) => {
                    let voltage = |_: i64, left: i64, _: i64| left;
                    trace(&mut LoihiNeurons::new(op, channels, values), input, timesteps, voltage)
                }
                _ => {
                    let outputs = execute(self.network, node, (op, &[]), &[input], &mut |_, _| ()).0;
                    NeuronTrace { potentials: input.data.clone(), outputs: outputs.data }
                }
            }
        };
        let traced = node.op.is_neuron();
        self.live.par_iter().filter(|_| traced).map(of_image).collect()
    }
}

/// All timesteps; `potential` of what a neuron kept before, what it keeps after, and its input.
fn trace(
    layer: &mut impl NeuronLayer<i64>,
    input: &Frames<i64>,
    timesteps: usize,
    potential: impl Fn(i64, i64, i64) -> i64,
) -> NeuronTrace {
    let values = input.shape.values();
    let mut spikes = vec![0; values];
    let mut trace = NeuronTrace {
        potentials: Vec::with_capacity(timesteps * values),
        outputs: Vec::with_capacity(timesteps * values),
    };
    for t in 0..timesteps {
        let before = layer.membranes().to_vec();
        layer.step(input.at(t), &mut spikes);
        let seen = before.iter().zip(layer.membranes()).zip(input.at(t));
        trace.potentials.extend(seen.map(|((&before, &after), &x)| potential(before, after, x)));
        trace.outputs.extend(&spikes);
    }
    trace
}
