use rayon::prelude::*;

use super::live::Live;
use super::neuron::{NeuronLayer, ShiftNeurons};
use super::scalar::{execute, input, weight_rows};
use crate::model::{Network, Node, NodeId, Sample};
use crate::quant::{QuantizedNeuron, QuantizedOp};

/// Runs several images through a network that is still being quantized, node after node: what a node is made
/// of may depend on what the nodes before it yield.
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
}
