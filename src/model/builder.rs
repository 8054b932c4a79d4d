//! Builds a [`Network`] node by node, inferring shapes and kinds, refusing what does not fit.

use super::ir::*;
use super::{ConvGeometry, ir};
use crate::error::{Error, Result};
use crate::tensor::Shape;

/// A convolution to be added; square kernels, as all families use.
#[derive(Debug, Clone)]
pub struct Conv {
    out_channels: usize,
    kernel: usize,
    stride: usize,
    pad: usize,
    groups: usize,
    bias: bool,
    linear: bool,
    flatten: bool,
    padding: Padding,
    norms: Vec<String>,
}

impl Conv {
    /// `kernel` x `kernel`, stride 1, no padding, one group, no bias, no normalization.
    pub fn new(out_channels: usize, kernel: usize) -> Self {
        let padding = Padding::Zero;
        Self {
            out_channels,
            kernel,
            stride: 1,
            pad: 0,
            groups: 1,
            bias: false,
            linear: false,
            flatten: false,
            padding,
            norms: Vec::new(),
        }
    }

    /// A linear layer with a bias.
    pub fn linear(out_features: usize) -> Self {
        Self { linear: true, bias: true, ..Self::new(out_features, 1) }
    }

    /// Of the whole map: the kernel is as large as the input.
    pub fn flatten(self) -> Self {
        Self { flatten: true, ..self }
    }

    /// With padding `pad` on every side.
    pub fn pad(self, pad: usize) -> Self {
        Self { pad, ..self }
    }

    /// With stride `stride`.
    pub fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// With groups that do not mix.
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// With a bias.
    pub fn bias(self) -> Self {
        Self { bias: true, ..self }
    }

    /// Padded with the folded bias of the layer before.
    pub fn pad_with_bias(self) -> Self {
        Self { padding: Padding::BiasOfInput, ..self }
    }

    /// Followed by the batch normalization `prefix`.
    pub fn norm(mut self, prefix: impl Into<String>) -> Self {
        self.norms.push(prefix.into());
        self
    }
}

/// Builds a [`Network`].
#[derive(Debug)]
pub struct NetworkBuilder {
    nodes: Vec<Node>,
    timesteps: usize,
    scope: Scope,
}

impl NetworkBuilder {
    /// Starts with the input: an image, the same at every timestep, or event counts.
    pub fn new(input: Shape, constant: bool, timesteps: usize) -> (Self, NodeId) {
        Self::named("input", input, constant, timesteps)
    }

    /// The same with another name for the input.
    pub fn named(name: &str, input: Shape, constant: bool, timesteps: usize) -> (Self, NodeId) {
        let scope = Scope::default();
        let mut builder = Self { nodes: Vec::new(), timesteps, scope };
        let id = builder.push(name, Op::Input, vec![], input, Kind::Image, constant);
        (builder, id)
    }

    /// Nodes added from now on belong to this stage, block and module.
    pub fn scope(&mut self, stage: impl Into<String>, block: impl Into<String>, module: impl Into<String>) {
        self.scope = Scope { stage: stage.into(), block: block.into(), module: module.into() };
    }

    /// Shape of what `id` yields.
    pub fn shape(&self, id: NodeId) -> Shape {
        self.nodes[id.index()].shape
    }

    /// Shape of what `id` yields, and whether that is the same at every timestep.
    pub fn output(&self, id: NodeId) -> (Shape, bool) {
        let node = &self.nodes[id.index()];
        (node.shape, node.constant)
    }

    /// Geometry of the weight layer `id`.
    pub fn geometry(&self, id: NodeId) -> Option<ConvGeometry> {
        match &self.nodes[id.index()].op {
            Op::Weighted(weighted) => Some(weighted.geometry),
            _ => None,
        }
    }

    /// The finished network.
    ///
    /// # Errors
    /// If the last node does not yield one value per class, the same at every timestep, or two
    /// nodes share a name.
    pub fn finish(self, unused: Vec<Parameter>) -> Result<Network> {
        let logits = |node: &Node| {
            node.constant
                && node.shape.positions() == 1
                && matches!(node.kind, Kind::PreActivation | Kind::Mean)
        };
        let ends_in_logits = self.nodes.last().is_some_and(logits);
        let network = self.fragment()?;
        match ends_in_logits {
            true => Ok(Network { unused, ..network }),
            false => Err(Error::mismatch("the network does not end in one value per class")),
        }
    }

    /// The nodes so far, wherever they end.
    ///
    /// # Errors
    /// If two nodes share a name.
    pub fn fragment(self) -> Result<Network> {
        let mut names: Vec<_> = self.nodes.iter().map(|n| &n.name).collect();
        names.sort();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::mismatch(format!("layer {}: defined twice", pair[0])));
        }
        Ok(Network { nodes: self.nodes, timesteps: self.timesteps, unused: Vec::new() })
    }

    /// Adds a convolution or linear layer.
    pub fn conv(&mut self, name: &str, input: NodeId, conv: Conv) -> Result<NodeId> {
        let from = &self.nodes[input.index()];
        if matches!(from.kind, Kind::PreActivation | Kind::Grid(Grid::Residual)) {
            return Err(self.wrong_kind(name, "spikes, counts, means, an image or activations", input));
        }
        if conv.padding == Padding::BiasOfInput && from.kind != Kind::Grid(Grid::Activation) {
            return Err(self.wrong_kind(
                name,
                "a grid of activations, whose zeros its padding stands for",
                input,
            ));
        }
        let channels = from.shape.channels;
        let geometry = ConvGeometry {
            in_channels: channels,
            out_channels: conv.out_channels,
            kernel: if conv.flatten { [from.shape.height, from.shape.width] } else { [conv.kernel; 2] },
            stride: [conv.stride; 2],
            pad: [conv.pad; 2],
            groups: conv.groups,
        };
        if conv.groups == 0
            || conv.stride == 0
            || conv.kernel == 0
            || !channels.is_multiple_of(conv.groups)
            || !conv.out_channels.is_multiple_of(conv.groups)
        {
            let message = format!(
                "layer {name}: {channels} -> {} channels in {} groups, kernel {}, stride {}",
                conv.out_channels, conv.groups, conv.kernel, conv.stride
            );
            return Err(Error::mismatch(message));
        }
        let shape = geometry.output(from.shape).ok_or_else(|| {
            Error::mismatch(format!(
                "layer {name}: kernel {0} x {0} does not fit an input of {1}",
                conv.kernel, from.shape
            ))
        })?;
        let constant = from.constant;
        let Conv { padding, bias, norms, linear, .. } = conv;
        let weighted = Weighted { geometry, padding, bias, norms, linear };
        Ok(self.push(name, Op::Weighted(weighted), vec![input], shape, Kind::PreActivation, constant))
    }

    /// Adds a neuron layer.
    pub fn neuron(&mut self, name: &str, input: NodeId, neuron: Neuron) -> Result<NodeId> {
        let from = &self.nodes[input.index()];
        let shape = from.shape;
        if neuron.leak.shift() > 30 {
            return Err(Error::mismatch(format!(
                "layer {name}: a leak of 2^-{} exceeds 2^-30",
                neuron.leak.shift()
            )));
        }
        if !(1e-9..=1e9).contains(&neuron.threshold) {
            let message = format!("layer {name}: a threshold of {:?} is not in 1e-9..=1e9", neuron.threshold);
            return Err(Error::mismatch(message));
        }
        if let Leak::Loihi { voltage_decay, current_decay } = neuron.leak {
            let resets = neuron.reset == Reset::Zero && neuron.fire == Fire::AboveThreshold;
            if voltage_decay > 4096 || current_decay > 4095 || !resets {
                return Err(Error::mismatch(format!(
                    "layer {name}: a neuron of Loihi decays by 0..=4096 and 0..=4095 parts of 4096, fires above \
                     its threshold and resets to 0"
                )));
            }
        }
        match from.kind {
            Kind::PreActivation | Kind::Grid(Grid::Residual) | Kind::Count { .. } | Kind::Mean => {
                Ok(self.push(name, Op::Neuron(neuron), vec![input], shape, Kind::Spikes, false))
            }
            _ => Err(self.wrong_kind(name, "pre-activations, the residual stream, counts or means", input)),
        }
    }

    /// Adds a layer of integer spikes.
    pub fn integer_neuron(&mut self, name: &str, input: NodeId, neuron: IntegerNeuron) -> Result<NodeId> {
        let IntegerNeuron { max, norm } = neuron;
        let from = &self.nodes[input.index()];
        let (shape, constant) = (from.shape, from.constant);
        if !(1..=255).contains(&max) || !(1..=255).contains(&norm) {
            return Err(Error::mismatch(format!(
                "layer {name}: {max} levels of 1/{norm} are not in 1..=255"
            )));
        }
        match from.kind {
            Kind::PreActivation | Kind::Grid(Grid::Residual) | Kind::Count { .. } | Kind::Mean => {
                let kind = Kind::Levels { max, norm };
                Ok(self.push(name, Op::IntegerNeuron(neuron), vec![input], shape, kind, constant))
            }
            _ => Err(self.wrong_kind(name, "pre-activations, the residual stream, counts or means", input)),
        }
    }

    /// Adds a max pooling.
    pub fn max_pool(&mut self, name: &str, input: NodeId, window: Window) -> Result<NodeId> {
        let from = &self.nodes[input.index()];
        if from.kind == Kind::Image {
            return Err(self.wrong_kind(name, "spikes, pre-activations or the residual stream", input));
        }
        if window.stride == 0 || window.pad >= window.size {
            let message = format!(
                "layer {name}: a window of {} with padding {} and stride {} can miss its input",
                window.size, window.pad, window.stride
            );
            return Err(Error::mismatch(message));
        }
        let geometry = window.geometry(from.shape.channels);
        let (kind, constant) = (from.kind, from.constant);
        let shape = geometry.output(from.shape).ok_or_else(|| {
            Error::mismatch(format!(
                "layer {name}: window {0} x {0} does not fit {1}",
                window.size, from.shape
            ))
        })?;
        Ok(self.push(name, Op::MaxPool(window), vec![input], shape, kind, constant))
    }

    /// Adds an OR over 3x3 neighbours in the plane of tokens and channels of a head.
    pub fn plane_pool(&mut self, name: &str, input: NodeId, heads: usize) -> Result<NodeId> {
        let from = &self.nodes[input.index()];
        let (shape, kind, constant) = (from.shape, from.kind, from.constant);
        if heads == 0 || !shape.channels.is_multiple_of(heads) {
            let message = format!("layer {name}: {} channels in {heads} heads", shape.channels);
            return Err(Error::mismatch(message));
        }
        match kind {
            Kind::Spikes => Ok(self.push(name, Op::PlanePool { heads }, vec![input], shape, kind, constant)),
            _ => Err(self.wrong_kind(name, "spikes", input)),
        }
    }

    /// Brings a pre-activation onto a grid.
    pub fn requantize(&mut self, name: &str, input: NodeId, grid: Grid) -> Result<NodeId> {
        let from = &self.nodes[input.index()];
        let (shape, constant) = (from.shape, from.constant);
        if from.kind != Kind::PreActivation {
            return Err(self.wrong_kind(name, "pre-activations", input));
        }
        Ok(self.push(name, Op::Requantize(grid), vec![input], shape, Kind::Grid(grid), constant))
    }

    /// Adds a residual join of the stream `a` and the branch `b`.
    pub fn add(&mut self, name: &str, a: NodeId, b: NodeId) -> Result<NodeId> {
        let (left, right) = (&self.nodes[a.index()], &self.nodes[b.index()]);
        let (shape, constant) = (left.shape, left.constant && right.constant);
        if left.shape != right.shape {
            return Err(Error::mismatch(format!(
                "layer {name}: {} does not add to {}",
                right.shape, left.shape
            )));
        }
        // A product of attention counts in steps of its scale, spikes in steps of one.
        for (id, node) in [(a, left), (b, right)] {
            if matches!(node.op, Op::Attention(Attention::Product { .. })) {
                return Err(self.wrong_kind(name, "the residual stream or spikes", id));
            }
        }
        // Nor do integer spikes, which count in steps of 1/norm.
        let maximum = |kind| match kind {
            Kind::Levels { .. } => None,
            kind => kind.largest_count(),
        };
        let (join, kind) = match (left.kind, right.kind) {
            (Kind::Grid(Grid::Residual), Kind::PreActivation | Kind::Grid(Grid::Residual)) => {
                (Join::Membrane, Kind::Grid(Grid::Residual))
            }
            (l, r) => match (maximum(l), maximum(r)) {
                (Some(l), Some(r)) => (Join::Spikes, Kind::Count { max: l + r }),
                _ => return Err(self.wrong_kind(name, "the residual stream or spikes", a)),
            },
        };
        Ok(self.push(name, Op::Add(join), vec![a, b], shape, kind, constant))
    }

    /// Adds the integer part of an attention.
    pub fn attention(&mut self, name: &str, inputs: &[NodeId], attention: Attention) -> Result<NodeId> {
        let first = self.nodes[inputs[0].index()].shape;
        let product = matches!(attention, Attention::Product { .. });
        for (i, &input) in inputs.iter().enumerate() {
            let from = &self.nodes[input.index()];
            let shape = match product && i == 2 {
                true => Shape { channels: from.shape.channels, ..first },
                false => first,
            };
            let fires = from.kind == Kind::Spikes || product && matches!(from.kind, Kind::Levels { .. });
            if !fires || from.shape != shape {
                return Err(self.wrong_kind(name, &format!("spikes of shape {shape}"), input));
            }
        }
        let arity = match attention {
            Attention::ChannelCount { .. } => 1,
            Attention::KeyValueCount => 2,
            Attention::Product { .. } => 3,
        };
        let heads = match attention {
            Attention::KeyValueCount => 1,
            Attention::ChannelCount { heads } | Attention::Product { heads, .. } => heads,
        };
        let alone = attention == Attention::KeyValueCount && inputs.len() == 1;
        if !(inputs.len() == arity || alone) || heads == 0 || !first.channels.is_multiple_of(heads) {
            let message = format!(
                "layer {name}: {} inputs, {} channels in {heads} heads",
                inputs.len(),
                first.channels
            );
            return Err(Error::mismatch(message));
        }
        let last = &self.nodes[inputs[inputs.len() - 1].index()];
        if !last.shape.channels.is_multiple_of(heads) {
            let message = format!("layer {name}: {} channels of v in {heads} heads", last.shape.channels);
            return Err(Error::mismatch(message));
        }
        let (tokens, width) = (first.positions() as u32, (first.channels / heads) as u32);
        let (shape, max) = match attention {
            Attention::KeyValueCount => (Shape::new(first.channels, 1, 1), tokens),
            Attention::ChannelCount { heads } => (Shape { channels: heads, ..first }, width),
            Attention::Product { .. } => (last.shape, self.largest_product(name, inputs, tokens, width)?),
        };
        let constant = inputs.iter().all(|input| self.nodes[input.index()].constant);
        Ok(self.push(name, Op::Attention(attention), inputs.to_vec(), shape, Kind::Count { max }, constant))
    }

    /// Largest entry of q (k^T v).
    fn largest_product(&self, name: &str, qkv: &[NodeId], tokens: u32, width: u32) -> Result<u32> {
        let largest = qkv.iter().filter_map(|input| self.nodes[input.index()].kind.largest_count());
        largest.fold(tokens.checked_mul(width), |product, max| product?.checked_mul(max)).ok_or_else(|| {
            Error::mismatch(format!("layer {name}: {tokens} tokens of {width} channels are too many"))
        })
    }

    /// Adds `spikes` AND `mask`; the mask has one position, or one channel per head.
    pub fn mask(&mut self, name: &str, spikes: NodeId, mask: NodeId) -> Result<NodeId> {
        let (from, by) = (&self.nodes[spikes.index()], &self.nodes[mask.index()]);
        let shape = from.shape;
        let per_channel = by.shape == Shape::new(shape.channels, 1, 1);
        let per_token = by.shape.positions() == shape.positions() && shape.channels % by.shape.channels == 0;
        if from.kind != Kind::Spikes || by.kind != Kind::Spikes || !(per_channel || per_token) {
            return Err(self.wrong_kind(name, &format!("spikes and a mask of {shape}"), mask));
        }
        Ok(self.push(name, Op::Mask, vec![spikes, mask], shape, Kind::Spikes, false))
    }

    /// Adds the mean over positions.
    pub fn mean_tokens(&mut self, name: &str, input: NodeId) -> Result<NodeId> {
        let from = &self.nodes[input.index()];
        let (shape, constant) = (Shape::new(from.shape.channels, 1, 1), from.constant);
        match from.kind {
            Kind::Grid(Grid::Residual) | Kind::Spikes | Kind::Count { .. } | Kind::Levels { .. } => {
                Ok(self.push(name, Op::MeanTokens, vec![input], shape, Kind::Mean, constant))
            }
            _ => Err(self.wrong_kind(name, "the residual stream or spikes", input)),
        }
    }

    /// Adds the mean over timesteps.
    pub fn mean_timesteps(&mut self, name: &str, input: NodeId) -> Result<NodeId> {
        let from = &self.nodes[input.index()];
        let shape = from.shape;
        match from.kind {
            Kind::PreActivation | Kind::Mean => {
                Ok(self.push(name, Op::MeanTimesteps, vec![input], shape, Kind::Mean, true))
            }
            _ => Err(self.wrong_kind(name, "pre-activations or means", input)),
        }
    }

    fn push(
        &mut self,
        name: &str,
        op: Op,
        inputs: Vec<NodeId>,
        shape: Shape,
        kind: Kind,
        constant: bool,
    ) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Node {
            name: name.to_owned(),
            scope: self.scope.clone(),
            op,
            inputs,
            shape,
            kind,
            constant,
        });
        id
    }

    fn wrong_kind(&self, name: &str, wanted: &str, input: NodeId) -> Error {
        let from = &self.nodes[input.index()];
        Error::mismatch(format!(
            "layer {name}: reads {wanted}, and {} yields {:?} of {}",
            from.name, from.kind, from.shape
        ))
    }
}

impl ir::Window {
    /// The window as a depthwise convolution over `channels`.
    pub fn geometry(&self, channels: usize) -> ConvGeometry {
        ConvGeometry {
            in_channels: channels,
            out_channels: channels,
            kernel: [self.size; 2],
            stride: [self.stride; 2],
            pad: [self.pad; 2],
            groups: channels,
        }
    }
}
