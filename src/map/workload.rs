//! What a network asks of any machine: fused layers with the bit width of every operand.

use super::maps::is_stored;
use super::widths::{Float32, Widths, bits_of_count, stored_bits};
use super::{Epilogue, EpilogueKind, Input, InputFrames, Map, Product};
use crate::hw::{Hardware, Operand};
use crate::model::{Attention, ClassToken, Grid, Kind, Network, Neuron, Node, NodeId, Op, Readout, Reset};
use crate::quant::QuantizedModel;

/// Biases and thresholds are words of this width.
pub const PARAMETER_BITS: u32 = 32;
/// Multiplier and shift of a requantizer.
pub const REQUANTIZER_BITS: u32 = 22;

/// A network at one setting, as the hardware sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Fused layers, in order of execution.
    pub layers: Vec<Layer>,
    /// Timesteps.
    pub timesteps: usize,
    /// Images that go through each layer together, one after the other.
    pub batch: usize,
    /// What layers leave for later ones.
    pub maps: Vec<Map>,
}

/// A weight layer with everything that follows it up to the next one, or an attention.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// The weight layer's name, or the attention's.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// Block of the network.
    pub block: String,
    /// The weighted sum, if there is one.
    pub product: Option<Product>,
    /// What is done with its results before they are stored.
    pub epilogue: Vec<Epilogue>,
    /// Spikes, counts and images alive while this layer runs, bits of one timestep.
    pub live_activation_bits: f64,
    /// Residual stream alive while this layer runs, bits of one timestep.
    pub live_residual_bits: f64,
}

impl Workload {
    /// The workload of a fixed-point network.
    pub fn quantized(model: &QuantizedModel) -> Self {
        Self::build(model.network(), model)
    }

    /// The workload of the float network, on a datapath that is 32 bits wide everywhere.
    pub fn float32(network: &Network) -> Self {
        Self::build(network, &Float32(network))
    }

    fn build(network: &Network, widths: &dyn Widths) -> Self {
        let mut layers: Vec<Layer> = Vec::new();
        // Per node, the fused layer that it belongs to.
        let mut home: Vec<Option<usize>> = Vec::new();
        let behind_mean = network.behind_mean();
        for (id, node) in network.iter() {
            let latest = node.inputs.iter().filter_map(|input| home[input.index()]).max();
            let starts = matches!(node.op, Op::Weighted(_) | Op::Attention(_));
            let layer = match node.op {
                Op::Input => None,
                _ if starts || latest.is_none() => {
                    layers.push(Layer::new(node));
                    Some(layers.len() - 1)
                }
                _ => latest,
            };
            home.push(layer);
            let Some(layer) = layer.map(|i| &mut layers[i]) else { continue };
            match &node.op {
                Op::Weighted(_) => {
                    let frames = InputFrames::of(node, behind_mean[id.index()]);
                    layer.product = Some(Product::new(network, widths, (id, node), frames));
                }
                _ => layer.epilogue.push(Epilogue::new(network, widths, id, node)),
            }
        }
        let maps = Map::all(network, widths, &home);
        for map in &maps {
            for layer in &mut layers[map.alive.clone()] {
                match map.operand {
                    Operand::Residual => layer.live_residual_bits += map.bits,
                    _ => layer.live_activation_bits += map.bits,
                }
            }
        }
        Self { layers, timesteps: network.timesteps, batch: 1, maps }
    }

    /// Images that have room of their own in memories of `hardware`: those of all batches in flight.
    pub(crate) fn images_on_chip(&self, hardware: &Hardware) -> usize {
        self.batch * hardware.images_in_flight()
    }

    /// In batches of so many images.
    #[must_use]
    pub fn in_batches_of(self, batch: usize) -> Self {
        Self { batch, ..self }
    }

    /// Bits of all weight codes.
    pub fn weight_bits(&self) -> f64 {
        self.layers.iter().map(Layer::weight_bits).sum()
    }

    /// Weights, biases not included.
    pub fn weights(&self) -> f64 {
        self.layers.iter().filter_map(|l| l.product.as_ref()).map(|p| (p.fan_in * p.outputs) as f64).sum()
    }

    /// Bits of all biases, thresholds and requantizers.
    pub fn parameter_bits(&self) -> f64 {
        self.layers.iter().map(Layer::parameter_bits).sum()
    }

    /// Bits of all membranes.
    pub fn membrane_bits(&self) -> f64 {
        self.layers.iter().map(Layer::membrane_bits).sum()
    }
}

impl Layer {
    fn new(node: &Node) -> Self {
        let kind = match &node.op {
            Op::Weighted(w) if w.linear => "linear".to_owned(),
            Op::Weighted(w) if w.geometry.groups > 1 => {
                format!("conv {}x{} grouped", w.geometry.kernel[0], w.geometry.kernel[1])
            }
            Op::Weighted(w) => format!("conv {}x{}", w.geometry.kernel[0], w.geometry.kernel[1]),
            Op::Attention(_) => "attention".to_owned(),
            _ => "input".to_owned(),
        };
        Self {
            name: node.name.clone(),
            kind,
            block: node.scope.block.clone(),
            product: None,
            epilogue: Vec::new(),
            live_activation_bits: 0.0,
            live_residual_bits: 0.0,
        }
    }

    /// Bits of the weight codes, and of the exponents of their blocks.
    pub fn weight_bits(&self) -> f64 {
        let bits = |p: &Product| p.fan_in as f64 * p.code_bits() + p.weight.exponent_bits(p.fan_in);
        self.product.as_ref().map_or(0.0, |p| p.outputs as f64 * bits(p))
    }

    /// Bits of biases, thresholds and requantizers, one each per channel, of the table of its weights, and of learned
    /// tokens.
    pub fn parameter_bits(&self) -> f64 {
        let Some(product) = &self.product else { return 0.0 };
        let per_channel = self.epilogue.iter().map(|e| match e.kind {
            EpilogueKind::Neuron { .. } => PARAMETER_BITS,
            EpilogueKind::IntegerNeuron { levels, .. } => PARAMETER_BITS * levels,
            EpilogueKind::Requantize { .. } | EpilogueKind::Join { .. } => REQUANTIZER_BITS,
            _ => 0,
        });
        let learned = self.epilogue.iter().map(|e| match e.kind {
            EpilogueKind::ClassToken { learned, bits, .. } => learned as f64 * f64::from(bits),
            _ => 0.0,
        });
        let table_bits = f64::from(product.weight.table_bits);
        product.outputs as f64 * f64::from(PARAMETER_BITS + per_channel.sum::<u32>())
            + table_bits
            + learned.sum::<f64>()
    }

    /// Output channels of its product; 0 where it has none.
    pub fn outputs(&self) -> usize {
        self.product.as_ref().map_or(0, |product| product.outputs)
    }

    /// Bits of weights, biases, thresholds and requantizers of one output channel.
    pub fn channel_bits(&self) -> f64 {
        (self.weight_bits() + self.parameter_bits()) / self.outputs().max(1) as f64
    }

    /// Bits of the membranes of its neurons.
    pub fn membrane_bits(&self) -> f64 {
        let bits = |e: &Epilogue| match e.kind {
            EpilogueKind::Neuron { membrane_bits: Some(bits), .. } => e.values as f64 * f64::from(bits),
            _ => 0.0,
        };
        self.epilogue.iter().map(bits).sum()
    }
}

impl Product {
    fn new(network: &Network, widths: &dyn Widths, (id, node): (NodeId, &Node), frames: InputFrames) -> Self {
        let Op::Weighted(weighted) = &node.op else { unreachable!("only weight layers have products") };
        let from = network.input_of(node, 0);
        let input = match from.kind {
            Kind::Spikes => Input::Spikes,
            Kind::Image if widths.has_spiking_input() => Input::Spikes,
            _ => Input::Integers { bits: stored_bits(widths, node.inputs[0], from) },
        };
        Self {
            node: id,
            positions: node.shape.positions(),
            columns: node.shape.width,
            fan_in: weighted.geometry.fan_in(),
            taps: weighted.geometry.taps(),
            halo_rows: weighted.geometry.dilation[0] * (weighted.geometry.kernel[0] - 1),
            outputs: weighted.geometry.out_channels,
            groups: weighted.geometry.groups,
            frames,
            input,
            input_values: from.shape.values(),
            sums_of_spikes: matches!(from.kind, Kind::Count { .. }),
            from_outside: from.op == Op::Input,
            weight: widths.weight(id),
            accumulator_bits: widths.accumulator_bits(id),
        }
    }

    /// Bits that memory holds of the code of a weight.
    pub(crate) fn code_bits(&self) -> f64 {
        self.weight.held_bits(self.outputs)
    }

    /// Bits that memory holds of a weight: of its code, and its part of the exponent of its block.
    pub(crate) fn weight_bits(&self) -> f64 {
        match self.weight.block {
            None => self.code_bits(),
            Some(_) => self.code_bits() + self.weight.exponent_bits(self.fan_in) / self.fan_in as f64,
        }
    }

    /// Multiply-accumulates of one frame, zeros included.
    pub fn dense_operations(&self) -> f64 {
        (self.positions * self.fan_in) as f64 * self.outputs as f64
    }
}

impl Epilogue {
    fn new(network: &Network, widths: &dyn Widths, id: NodeId, node: &Node) -> Self {
        let input = network.input_of(node, 0);
        let input_bits = widths.value_bits(node.inputs[0]);
        let values = node.shape.values();
        let kind = match &node.op {
            Op::Neuron(neuron) => neurons(neuron, widths, id, input_bits),
            Op::IntegerNeuron(neuron) => {
                EpilogueKind::IntegerNeuron { levels: neuron.max, potential_bits: input_bits.min(32) }
            }
            Op::Requantize(grid) => EpilogueKind::Requantize {
                from_bits: input_bits,
                read_bits: match input.kind {
                    Kind::PreActivation => 0,
                    _ => stored_bits(widths, node.inputs[0], input),
                },
                shift: widths.requantizes_by_shift(id),
                residual: *grid == Grid::Residual,
            },
            Op::Add(_) if node.kind == Kind::Grid(Grid::Residual) => EpilogueKind::Join {
                from_bits: widths.value_bits(node.inputs[1]),
                bits: widths.residual_bits(),
                shift: widths.requantizes_by_shift(id),
            },
            Op::MaxPool(window) => EpilogueKind::Pool {
                comparisons: window.values() - 1,
                bits: stored_bits(widths, node.inputs[0], input),
                inputs: input.shape.values(),
            },
            Op::AvgPool(window) => {
                EpilogueKind::Sum { additions: window.values(), bits: widths.value_bits(id) }
            }
            Op::MeanTokens => {
                EpilogueKind::Sum { additions: input.shape.positions(), bits: widths.value_bits(id) }
            }
            Op::MeanTimesteps => {
                EpilogueKind::Sum { additions: network.timesteps, bits: widths.value_bits(id) }
            }
            Op::Readout(readout) => potentials(readout, widths, id),
            Op::Attention(attention) => spike_products(network, node, *attention),
            Op::PlanePool { .. } => EpilogueKind::Pool { comparisons: 8, bits: 1, inputs: values },
            Op::Mask => {
                EpilogueKind::SpikeProducts { operations: values, sums: 0, sum_bits: 0, reads: values }
            }
            Op::ClassToken(token) => tokens(token, input.shape.values(), node, widths.residual_bits()),
            Op::FirstToken => EpilogueKind::Sum { additions: 0, bits: widths.value_bits(id) },
            Op::Gate(_) => EpilogueKind::Gate,
            Op::Add(_) => EpilogueKind::CountJoin {
                bits: stored_bits(widths, id, node),
                read_bits: stored_bits(widths, node.inputs[0], input),
            },
            Op::Input | Op::Weighted(_) => unreachable!("not an epilogue"),
        };
        let stored_bits = if is_stored(network, id) { stored_bits(widths, id, node) } else { 0 };
        // A readout yields one value, and updates its membranes at every timestep.
        let constant = node.constant && !matches!(node.op, Op::Readout(_));
        Self { node: id, kind, values, constant, stored_bits }
    }
}

fn neurons(neuron: &Neuron, widths: &dyn Widths, id: NodeId, input_bits: u32) -> EpilogueKind {
    let membrane_bits = widths.membrane_bits(id);
    EpilogueKind::Neuron {
        multiplier_bits: membrane_bits.map_or(0, |_| widths.multiplier_bits(id, neuron.leak)),
        membrane_bits,
        potential_bits: (input_bits + 1).min(32),
        subtracts: matches!(neuron.reset, Reset::SubtractAmount(_) | Reset::SubtractDelayed),
    }
}

/// Membranes without spikes, as wide as what is read of them.
fn potentials(readout: &Readout, widths: &dyn Widths, id: NodeId) -> EpilogueKind {
    let bits = widths.value_bits(id);
    EpilogueKind::Neuron {
        multiplier_bits: widths.multiplier_bits(id, readout.leak),
        membrane_bits: Some(bits),
        potential_bits: bits.min(32),
        subtracts: false,
    }
}

fn tokens(token: &ClassToken, inputs: usize, node: &Node, bits: u32) -> EpilogueKind {
    let (learned, additions) = match token.positions {
        Some(_) => (node.shape.values(), inputs),
        None => (node.shape.channels, 0),
    };
    EpilogueKind::ClassToken { learned, additions, inputs, bits }
}

fn spike_products(network: &Network, node: &Node, attention: Attention) -> EpilogueKind {
    let largest = |kind: Kind| kind.largest_count().unwrap_or(1);
    let planes = |kind: Kind| bits_of_count(largest(kind)) as usize;
    let inputs = || node.inputs.iter().map(|&id| network.node(id));
    let keys = network.input_of(node, 0);
    let (values, tokens) = (keys.shape.values(), keys.shape.positions());
    let (operations, sums, sum_bits) = match attention {
        Attention::KeyValueCount | Attention::ChannelCount { .. } => (values, 0, 0),
        // The cheaper of (q k^T) v and q (k^T v), whose first product runs over head channels or over tokens.
        Attention::Product { heads, .. } => {
            let channels = node.shape.channels / heads;
            let count_bits = |terms: usize| bits_of_count(terms as u32 * largest(keys.kind).pow(2));
            let query_key_first = (values * tokens, node.shape.values() * tokens, count_bits(channels));
            let key_value_first = (values * channels, values * channels, count_bits(tokens));
            let work = |order: &(usize, usize, u32)| order.0 + order.1 * order.2 as usize;
            let orders = [query_key_first, key_value_first];
            let (first, second, bits) = orders.into_iter().min_by_key(work).expect("two of them");
            (first * planes(keys.kind).pow(2), second * planes(keys.kind), bits)
        }
    };
    EpilogueKind::SpikeProducts {
        operations,
        sums,
        sum_bits,
        reads: inputs().map(|i| i.shape.values() * planes(i.kind)).sum(),
    }
}
