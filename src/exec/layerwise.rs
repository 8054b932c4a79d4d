use rayon::prelude::*;

use super::live::Live;
use super::neuron::{LeakyNeurons, LoihiNeurons, NeuronLayer, count_spikes};
use super::scalar::{execute, input, weight_rows};
use crate::model::{Network, Node, NodeId, Sample};
use crate::quant::{QuantizedNeuron, QuantizedOp};
use crate::tensor::Frames;

/// Channels whose inputs are gathered together: what a line of cache holds.
const TOGETHER: usize = 8;
/// Sums of inputs, and of what stored membranes lose, below this have potentials below 2^30.
const NARROW: i64 = 1 << 29;

/// What one channel of a layer of neurons reads in several images.
#[derive(Debug)]
pub struct ChannelInputs {
    /// `[image][timestep][position]`.
    values: Vec<i64>,
    /// `values` in 32 bits, where potentials fit them.
    narrow: Option<Vec<i32>>,
    timesteps: usize,
    positions: usize,
}

impl ChannelInputs {
    fn new(values: Vec<i64>, timesteps: usize, positions: usize) -> Self {
        let largest = values.iter().map(|x| x.abs()).max().unwrap_or(0);
        let fits = largest < NARROW / timesteps as i64;
        let narrow = fits.then(|| values.iter().map(|&x| x as i32).collect());
        Self { values, narrow, timesteps, positions }
    }

    /// How often `neuron`, which has one threshold, fires.
    pub fn spikes(&self, neuron: &QuantizedNeuron) -> u64 {
        // A timestep loses less than a step of the stored membrane.
        let step = neuron.membrane.as_ref().map_or(0, |word| 1i64 << word.discards[0]);
        let reach = step.max(neuron.amount(0).unwrap_or(0));
        let (timesteps, positions) = (self.timesteps, self.positions);
        match &self.narrow {
            Some(values) if reach < NARROW / timesteps as i64 => {
                count_spikes(neuron, values, timesteps, positions)
            }
            _ => count_spikes(neuron, &self.values, timesteps, positions),
        }
    }
}

/// What a [`LayerwiseExecutor`] has run.
#[derive(Debug, Clone)]
pub struct LayerwiseState(Vec<Live<i64>>);

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
    pub(crate) fn advance(&mut self, id: NodeId, node: &Node, op: &QuantizedOp) {
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

    /// `find` of what every channel of `node`, the next one, reads; in the order of channels.
    pub(crate) fn of_channels<R: Send>(
        &self,
        node: &Node,
        find: impl Fn(usize, &ChannelInputs) -> R + Sync,
    ) -> Vec<R> {
        let (channels, timesteps) = (node.shape.channels, self.network.timesteps);
        let of_group = |first: usize| {
            let mut inputs = vec![Vec::new(); TOGETHER.min(channels - first)];
            for live in &self.live {
                let value = live.input(node, 0);
                for pixel in (0..timesteps).flat_map(|t| value.at(t).chunks_exact(channels)) {
                    inputs.iter_mut().zip(&pixel[first..]).for_each(|(list, &x)| list.push(x));
                }
            }
            let found = inputs.into_iter().enumerate().map(|(i, values)| {
                find(first + i, &ChannelInputs::new(values, timesteps, node.shape.positions()))
            });
            found.collect::<Vec<R>>()
        };
        let firsts: Vec<usize> = (0..channels).step_by(TOGETHER).collect();
        firsts.into_par_iter().flat_map_iter(of_group).collect()
    }

    /// What was run so far.
    pub fn state(&self) -> LayerwiseState {
        LayerwiseState(self.live.clone())
    }

    /// At the node behind those that `state` has run, of the same network and images.
    pub fn resumed(network: &'a Network, samples: &'a [Sample], state: &LayerwiseState) -> Self {
        Self { network, samples, live: state.0.clone() }
    }

    /// Bytes that [`Self::state`] takes.
    pub(crate) fn state_bytes(&self) -> usize {
        self.live.iter().map(Live::numbers).sum::<usize>() * size_of::<i64>()
    }

    /// What `node`, the next one, would do with each image, with the integers of `op`; empty for what is no
    /// layer of neurons.
    pub(crate) fn traces(&self, node: &Node, op: &QuantizedOp) -> Vec<NeuronTrace> {
        let (channels, values, timesteps) =
            (node.shape.channels, node.shape.values(), self.network.timesteps);
        let of_image = |live: &Live<i64>| {
            let input = live.input(node, 0);
            match op {
                QuantizedOp::Neuron(op) => {
                    let potential = |kept: i64, _: i64, x: i64| kept + x;
                    trace(&mut LeakyNeurons::new(op, channels, values), input, timesteps, potential)
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
