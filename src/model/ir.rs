use serde::{Deserialize, Serialize};

use super::{ClassToken, ConvGeometry, IntegerNeuron, Leak, Neuron, Parameter, Readout, StoredCodes, Window};
use crate::tensor::Shape;

/// Index of a node of a [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The id as an index into `Network::nodes`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A network: nodes in order of execution, each reading only earlier ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The nodes; the first is the input, the last yields one value per class.
    pub nodes: Vec<Node>,
    /// Timesteps that every spiking node runs for.
    pub timesteps: usize,
    /// Parameters that checkpoints hold and the forward pass never reads.
    pub unused: Vec<Parameter>,
}

/// One operation and what it yields.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The module's name in the original implementation, unique.
    pub name: String,
    /// Where it belongs, for grouping.
    pub scope: Scope,
    /// What it does.
    pub op: Op,
    /// What it reads.
    pub inputs: Vec<NodeId>,
    /// Shape of one frame of its output.
    pub shape: Shape,
    /// What kind of numbers it yields.
    pub kind: Kind,
    /// True where all timesteps yield the same values, which are then computed once.
    pub constant: bool,
}

/// Partitions of the network that settings and searches group by, coarse to fine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Resolution stage: `stem`, `stage.0`, `head`.
    pub stage: String,
    /// Block inside the stage: `patch_embed`, `block.0`.
    pub block: String,
    /// Module inside the block: `block.0.attn`.
    pub module: String,
}

/// The numbers that a node yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Signed multi-bit pixels, or event counts.
    Image,
    /// 0 or 1.
    Spikes,
    /// Integers 0..=max: sums of spikes.
    Count {
        /// Largest possible value.
        max: u32,
    },
    /// Integer spikes 0..=max, each worth 1/norm.
    Levels {
        /// Largest level.
        max: u32,
        /// The level that stands for 1.0.
        norm: u32,
    },
    /// Accumulators with their bias: wide integers whose scale may differ by channel.
    PreActivation,
    /// Requantized values on one grid.
    Grid(Grid),
    /// Exact sums over positions or timesteps, standing for their mean.
    Mean,
}

/// Grids that real values are requantized to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Grid {
    /// The residual stream: one format for the whole network.
    Residual,
    /// Signed activations between two weight layers without a neuron between.
    Activation,
}

/// Operations.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// The image or the event frames.
    Input,
    /// Convolution or linear layer, with the normalizations that follow it.
    Weighted(Weighted),
    /// Spiking neuron.
    Neuron(Neuron),
    /// Neuron of integer spikes.
    IntegerNeuron(IntegerNeuron),
    /// Maximum over windows; OR on spikes.
    MaxPool(Window),
    /// Mean over windows, with the zeros around the map: an exact sum that stands for it.
    AvgPool(Window),
    /// OR over 3x3 neighbours in the plane of tokens and channels of a head, which event-camera networks
    /// pool as if it were an image.
    PlanePool {
        /// Heads.
        heads: usize,
    },
    /// Brings a pre-activation onto a grid.
    Requantize(Grid),
    /// Residual join of two inputs.
    Add(Join),
    /// Join of two inputs of spikes by one gate per value.
    Gate(Gate),
    /// Integer part of a spiking attention; its scale lives in the neuron behind it.
    Attention(Attention),
    /// Spikes AND a mask that is broadcast over positions or channels.
    Mask,
    /// A learned token in front of all positions.
    ClassToken(ClassToken),
    /// The first position alone.
    FirstToken,
    /// Mean over positions.
    MeanTokens,
    /// Mean over timesteps.
    MeanTimesteps,
    /// Potentials of a leaky integrator.
    Readout(Readout),
}

impl Op {
    /// True for what yields one value of all timesteps.
    pub(crate) fn is_over_timesteps(&self) -> bool {
        matches!(self, Self::MeanTimesteps | Self::Readout(_))
    }

    /// The leak of what has a membrane.
    pub fn leak(&self) -> Option<Leak> {
        match self {
            Self::Neuron(neuron) => Some(neuron.leak),
            Self::Readout(readout) => Some(readout.leak),
            _ => None,
        }
    }

    /// True for what fires.
    pub fn is_neuron(&self) -> bool {
        matches!(self, Self::Neuron(_) | Self::IntegerNeuron(_))
    }

    /// True for what yields spikes or counts of them without a neuron: its outputs that are not zero are counted.
    pub(crate) fn passes_events(&self) -> bool {
        matches!(
            self,
            Self::MaxPool(_)
                | Self::AvgPool(_)
                | Self::PlanePool { .. }
                | Self::Attention(_)
                | Self::Mask
                | Self::Gate(_)
        )
    }
}

/// Convolution (or linear layer) with bias and folded normalizations.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighted {
    /// Channels, kernel, stride, padding, groups.
    pub geometry: ConvGeometry,
    /// What the padding holds.
    pub padding: Padding,
    /// True if the checkpoint has `{name}.bias`.
    pub bias: bool,
    /// Prefixes of the batch normalizations that follow, in order.
    pub norms: Vec<String>,
    /// The tensor of a factor per output channel behind all of that: LayerScale.
    pub layer_scale: Option<String>,
    /// True for a linear layer, whose weight is stored [out, in].
    pub linear: bool,
    /// How its weights are stored; `None` for real numbers.
    pub stored: Option<StoredCodes>,
}

/// What lies around the input of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Padding {
    /// Zeros.
    Zero,
    /// The folded bias of the layer before: RepConv pads behind its first normalization.
    BiasOfInput,
}

/// Residual joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// Membrane shortcut: stream + requantized branch, saturated.
    Membrane,
    /// Spike addition: small unsigned integers, exact.
    Spikes,
}

/// Gates of a stream of spikes and a branch, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// stream OR branch.
    Or,
    /// stream AND NOT branch: the IAND of SEW ResNet and Spike-IAND-Former, (1 - branch) x stream.
    AndNot,
}

/// Integer products of spiking attention.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Attention {
    /// SDSA-1, inputs (k, v) or k AND v alone: per channel, tokens where both fire.
    KeyValueCount,
    /// Token attention of QKFormer, input q: per token and head, channels that fire.
    ChannelCount {
        /// Heads.
        heads: usize,
    },
    /// SSA and SDSA-3, inputs (q, k, v): (q k^T) v = q (k^T v), times `scale`; spikes or integer
    /// spikes, and v may have other channels than q and k.
    Product {
        /// Heads.
        heads: usize,
        /// Factor behind the integer product.
        scale: f64,
        /// The order that the original computes in; the integers do not depend on it.
        order: ProductOrder,
    },
}

/// Which of the two products of an attention comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum ProductOrder {
    /// (q k^T) v: work grows with the square of the tokens.
    QueryKeyFirst,
    /// q (k^T v): work grows with the width of a head.
    KeyValueFirst,
}

impl Kind {
    /// Largest value of spikes, of their sums and of integer spikes; `None` for anything else.
    pub fn largest_count(self) -> Option<u32> {
        match self {
            Self::Spikes => Some(1),
            Self::Count { max } | Self::Levels { max, .. } => Some(max),
            Self::Image | Self::PreActivation | Self::Grid(_) | Self::Mean => None,
        }
    }
}

impl Network {
    /// Node `id`.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// Input `i` of `node`.
    pub fn input_of(&self, node: &Node, i: usize) -> &Node {
        self.node(node.inputs[i])
    }

    /// Ids and nodes, in order of execution.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes.iter().enumerate().map(|(i, node)| (NodeId(i as u32), node))
    }

    /// The weight layers.
    pub fn weighted(&self) -> impl Iterator<Item = (NodeId, &Node, &Weighted)> {
        self.iter().filter_map(|(id, node)| match &node.op {
            Op::Weighted(weighted) => Some((id, node, weighted)),
            _ => None,
        })
    }

    /// Per node, true if it yields one value for all timesteps because it is computed from a mean over
    /// them, and not because it is computed from an image that repeats.
    pub(crate) fn behind_mean(&self) -> Vec<bool> {
        let mut behind = vec![false; self.nodes.len()];
        for (id, node) in self.iter() {
            let mean = |input: &NodeId| self.node(*input).op.is_over_timesteps() || behind[input.index()];
            behind[id.index()] = node.constant && node.inputs.iter().any(mean);
        }
        behind
    }

    /// The weight layer whose outputs are compared with one another.
    pub fn classifier(&self) -> Option<NodeId> {
        self.weighted().last().map(|(id, ..)| id)
    }

    /// Nodes that read `id`.
    pub fn readers(&self, id: NodeId) -> impl Iterator<Item = (NodeId, &Node)> {
        self.iter().filter(move |(_, node)| node.inputs.contains(&id))
    }

    /// Classes that the logits tell apart.
    pub fn classes(&self) -> usize {
        self.nodes.last().map_or(0, |node| node.shape.channels)
    }

    /// Every tensor that the forward pass reads.
    pub fn parameters(&self) -> Vec<Parameter> {
        self.nodes.iter().flat_map(Node::parameters).collect()
    }

    /// Trained values, unused ones included.
    pub fn parameter_count(&self) -> u64 {
        let all = self.parameters().into_iter().chain(self.unused.iter().cloned());
        all.filter(|p| p.trained).map(|p| p.len() as u64).sum()
    }
}

impl Node {
    /// Frames of what it yields over `timesteps`: one where they are all the same.
    pub fn frames(&self, timesteps: usize) -> usize {
        if self.constant { 1 } else { timesteps }
    }

    /// Timesteps of `timesteps` in which it computes: a readout yields one value of all of them.
    pub fn steps(&self, timesteps: usize) -> usize {
        if let Op::Readout(_) = self.op { timesteps } else { self.frames(timesteps) }
    }

    /// The tensors that it reads, named as in a checkpoint.
    pub fn parameters(&self) -> Vec<Parameter> {
        match &self.op {
            Op::Weighted(weighted) => weighted.parameters(&self.name),
            Op::Neuron(neuron) => neuron.parameters(&self.name, self.shape.channels),
            Op::ClassToken(token) => token.parameters(&self.name, self.shape),
            Op::Readout(readout) => readout.parameters(&self.name, self.shape.channels),
            _ => Vec::new(),
        }
    }
}

/// Multiply-accumulates per timestep, zeros included, by what meets the weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Operations {
    /// Inputs are spikes.
    pub binary: u64,
    /// Inputs are whole numbers: sums of spikes, event counts, integer spikes that are not divided.
    pub integer: u64,
    /// Inputs are pixels, multi-bit activations, means, or integer spikes divided by their norm.
    pub real: u64,
    /// Products of spikes with spikes, in the order of the original.
    pub attention: u64,
}

impl Network {
    /// Neurons, whether they keep a membrane or not.
    pub fn neuron_count(&self) -> u64 {
        self.nodes.iter().filter(|node| node.op.is_neuron()).map(|node| node.shape.values() as u64).sum()
    }

    /// Work per timestep.
    pub fn operations(&self) -> Operations {
        let mut sum = Operations::default();
        for node in &self.nodes {
            let one = self.operations_of(node);
            sum.binary += one.binary;
            sum.integer += one.integer;
            sum.real += one.real;
            sum.attention += one.attention;
        }
        sum
    }

    /// Work of one node per timestep.
    pub(crate) fn operations_of(&self, node: &Node) -> Operations {
        let mut operations = Operations::default();
        match &node.op {
            Op::Weighted(weighted) => {
                let work = (weighted.geometry.fan_in() * node.shape.values()) as u64;
                let from = self.input_of(node, 0);
                match from.kind {
                    Kind::Spikes => operations.binary = work,
                    Kind::Count { .. } | Kind::Levels { norm: 1, .. } => operations.integer = work,
                    Kind::Image if !from.constant => operations.integer = work,
                    _ => operations.real = work,
                }
            }
            Op::Attention(Attention::Product { heads, order, .. }) => {
                let keys = self.input_of(node, 0).shape;
                operations.attention = match order {
                    ProductOrder::QueryKeyFirst => (keys.values() + node.shape.values()) * keys.positions(),
                    ProductOrder::KeyValueFirst => 2 * keys.values() * (node.shape.channels / heads),
                } as u64;
            }
            _ => {}
        }
        operations
    }
}

impl Operations {
    /// All kinds.
    pub fn total(&self) -> u64 {
        self.binary + self.integer + self.real + self.attention
    }
}

impl Weighted {
    /// The tensors of this layer, named as in a checkpoint.
    pub fn parameters(&self, name: &str) -> Vec<Parameter> {
        let g = &self.geometry;
        let mut shape = vec![g.out_channels, g.in_channels / g.groups];
        if self.linear {
            // The inputs of a flattened map are channels times positions.
            shape[1] *= g.taps();
        } else {
            shape.extend(g.kernel);
        }
        while shape.last() == Some(&1) {
            shape.pop();
        }
        let channels = |name: String, trained| Parameter { name, shape: vec![g.out_channels], trained };
        let mut all = vec![Parameter { name: format!("{name}.weight"), shape, trained: true }];
        all.extend(self.stored.as_ref().and_then(|stored| stored.parameter(name, g.out_channels)));
        if self.bias {
            all.push(channels(format!("{name}.bias"), true));
        }
        for norm in &self.norms {
            all.push(channels(format!("{norm}.weight"), true));
            all.push(channels(format!("{norm}.bias"), true));
            all.push(channels(format!("{norm}.running_mean"), false));
            all.push(channels(format!("{norm}.running_var"), false));
        }
        all.extend(self.layer_scale.iter().map(|name| channels(name.clone(), true)));
        all
    }
}
