//! Builds a [`Network`] node by node, inferring shapes and kinds, refusing what does not fit.

use std::collections::BTreeSet;

use super::ir::*;
use super::{ClassToken, Conv, ConvGeometry, IntegerNeuron, Neuron, Parameter, Readout, Sides, Window};
use crate::error::{Error, Result};
use crate::tensor::Shape;

/// Builds a [`Network`].
#[derive(Debug)]
pub struct NetworkBuilder {
    nodes: Vec<Node>,
    timesteps: usize,
    scope: Scope,
    /// Weights of all layers so far.
    weights: usize,
}

/// Rows and columns of kernels, of windows and of what lies around a map.
const MAX_EXTENT: usize = 1 << 12;
/// Values of a map, and weights of a network: with them, whatever is counted fits 64 bits.
const MAX_MAP: usize = 1 << 40;
const MAX_WEIGHTS: usize = 1 << 36;

impl NetworkBuilder {
    /// Starts with the input: an image, the same at every timestep, or event counts.
    pub fn new(input: Shape, constant: bool, timesteps: usize) -> (Self, NodeId) {
        Self::named("input", input, constant, timesteps)
    }

    /// A network that starts with an input called `name`, as [`Self::new`] starts with one called `input`.
    pub fn named(name: &str, input: Shape, constant: bool, timesteps: usize) -> (Self, NodeId) {
        let input = Node {
            name: name.to_owned(),
            scope: Scope::default(),
            op: Op::Input,
            inputs: Vec::new(),
            shape: input,
            kind: Kind::Image,
            constant,
        };
        (Self { nodes: vec![input], timesteps, scope: Scope::default(), weights: 0 }, NodeId(0))
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
    /// nodes share a name, or two parameters.
    pub fn finish(self, unused: Vec<Parameter>) -> Result<Network> {
        let logits = |node: &Node| {
            node.constant
                && node.shape.positions() == 1
                && matches!(node.kind, Kind::PreActivation | Kind::Mean)
        };
        let ends_in_logits = self.nodes.last().is_some_and(logits);
        let network = self.fragment()?;
        if ends_in_logits {
            Ok(Network { unused, ..network })
        } else {
            Err(Error::mismatch("the network does not end in one value per class"))
        }
    }

    /// The nodes so far, wherever they end.
    ///
    /// # Errors
    /// If two nodes share a name, or two parameters.
    pub(crate) fn fragment(self) -> Result<Network> {
        let mut names = BTreeSet::new();
        if let Some(node) = self.nodes.iter().find(|node| !names.insert(&node.name)) {
            return Err(Error::mismatch(format!("layer {}: defined twice", node.name)));
        }
        let mut tensors = BTreeSet::new();
        for node in &self.nodes {
            if let Some(twice) = node.parameters().into_iter().find(|p| !tensors.insert(p.name.clone())) {
                return Err(Error::mismatch(format!("layer {}: a second tensor {}", node.name, twice.name)));
            }
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
            kernel: if conv.flatten { [from.shape.height, from.shape.width] } else { conv.kernel.0 },
            stride: conv.stride.0,
            pad: conv.pad.0,
            dilation: conv.dilation.0,
            groups: conv.groups,
        };
        let weights = self.weights_with(&conv, &geometry).ok_or_else(|| {
            Error::mismatch(format!(
                "layer {name}: {channels} -> {} channels in {} groups, kernel {}, stride {}, padding {}, dilation {}",
                conv.out_channels, conv.groups, conv.kernel, conv.stride, conv.pad, conv.dilation
            ))
        })?;
        let shape = geometry.output(from.shape).ok_or_else(|| {
            Error::mismatch(format!(
                "layer {name}: a kernel that spans {} x {} does not fit an input of {}",
                geometry.span(0),
                geometry.span(1),
                from.shape
            ))
        })?;
        let constant = from.constant;
        let Conv { padding, bias, norms, layer_scale, linear, .. } = conv;
        let weighted = Weighted { geometry, padding, bias, norms, layer_scale, linear, stored: None };
        self.weights = weights;
        self.push(name, Op::Weighted(weighted), vec![input], shape, Kind::PreActivation, constant)
    }

    /// Weights of all layers with those of `conv`; `None` where its numbers make no sense.
    fn weights_with(&self, conv: &Conv, geometry: &ConvGeometry) -> Option<usize> {
        let within = |sides: Sides, low: usize| sides.0.iter().all(|side| (low..=MAX_EXTENT).contains(side));
        let extents = within(conv.kernel, 1)
            && within(conv.stride, 1)
            && within(conv.pad, 0)
            && within(conv.dilation, 1);
        let divides = conv.out_channels > 0
            && conv.groups > 0
            && geometry.in_channels.is_multiple_of(conv.groups)
            && conv.out_channels.is_multiple_of(conv.groups);
        if !extents || !divides {
            return None;
        }
        let inputs = geometry.in_channels / conv.groups;
        let factors = [conv.out_channels, inputs, geometry.kernel[0], geometry.kernel[1]];
        let weights = factors.into_iter().try_fold(1, usize::checked_mul)?;
        self.weights.checked_add(weights).filter(|&all| all <= MAX_WEIGHTS)
    }

    /// Adds a neuron layer.
    pub fn neuron(&mut self, name: &str, input: NodeId, neuron: Neuron) -> Result<NodeId> {
        let from = &self.nodes[input.index()];
        let shape = from.shape;
        neuron.check(name)?;
        match from.kind {
            Kind::PreActivation | Kind::Grid(Grid::Residual) | Kind::Count { .. } | Kind::Mean => {
                self.push(name, Op::Neuron(neuron), vec![input], shape, Kind::Spikes, false)
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
                self.push(name, Op::IntegerNeuron(neuron), vec![input], shape, kind, constant)
            }
            _ => Err(self.wrong_kind(name, "pre-activations, the residual stream, counts or means", input)),
        }
    }

    /// Adds a max pooling.
    pub fn max_pool(&mut self, name: &str, input: NodeId, window: Window) -> Result<NodeId> {
        let kind = self.nodes[input.index()].kind;
        self.pool(name, input, Op::MaxPool(window), window, kind)
    }

    /// Adds an average pooling, which sums spikes to counts.
    pub fn avg_pool(&mut self, name: &str, input: NodeId, window: Window) -> Result<NodeId> {
        let kind = match self.nodes[input.index()].kind {
            Kind::Spikes => Kind::Count { max: window.count() },
            Kind::Count { max } => Kind::Count { max: max.saturating_mul(window.count()) },
            Kind::Levels { .. } | Kind::Grid(_) => Kind::Mean,
            kind => kind,
        };
        self.pool(name, input, Op::AvgPool(window), window, kind)
    }

    fn pool(&mut self, name: &str, input: NodeId, op: Op, window: Window, kind: Kind) -> Result<NodeId> {
        let from = &self.nodes[input.index()];
        if from.kind == Kind::Image {
            return Err(self.wrong_kind(name, "spikes, pre-activations or the residual stream", input));
        }
        if kind == (Kind::Count { max: u32::MAX }) {
            return Err(Error::mismatch(format!("layer {name}: counts exceed 32 bits")));
        }
        let Window { size, stride, pad } = window;
        let sensible = |axis: usize| {
            let extents = 1..=MAX_EXTENT;
            extents.contains(&size.0[axis]) && extents.contains(&stride.0[axis]) && pad.0[axis] < size.0[axis]
        };
        if !sensible(0) || !sensible(1) {
            let message = format!(
                "layer {name}: a window of {size} with padding {pad} and stride {stride} can miss its input, or is \
                 too large"
            );
            return Err(Error::mismatch(message));
        }
        let geometry = window.geometry(from.shape.channels);
        let constant = from.constant;
        let shape = geometry.output(from.shape).ok_or_else(|| {
            Error::mismatch(format!(
                "layer {name}: window {} x {} does not fit {}",
                size.0[0], size.0[1], from.shape
            ))
        })?;
        self.push(name, op, vec![input], shape, kind, constant)
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
            Kind::Spikes => self.push(name, Op::PlanePool { heads }, vec![input], shape, kind, constant),
            _ => Err(self.wrong_kind(name, "spikes", input)),
        }
    }

    /// Brings a pre-activation onto a grid, or spikes and their counts onto the residual stream.
    pub fn requantize(&mut self, name: &str, input: NodeId, grid: Grid) -> Result<NodeId> {
        let from = &self.nodes[input.index()];
        let (shape, constant) = (from.shape, from.constant);
        match (from.kind, grid) {
            (Kind::PreActivation, _) => {}
            (kind, Grid::Residual) if kind.largest_count().is_some() => {}
            (_, Grid::Residual) => {
                return Err(self.wrong_kind(name, "pre-activations, spikes or counts", input));
            }
            (_, Grid::Activation) => return Err(self.wrong_kind(name, "pre-activations", input)),
        }
        self.push(name, Op::Requantize(grid), vec![input], shape, Kind::Grid(grid), constant)
    }

    /// Adds a residual join of the stream `a` and the branch `b`; of the residual stream and a pre-activation, in
    /// either order.
    pub fn add(&mut self, name: &str, a: NodeId, b: NodeId) -> Result<NodeId> {
        let on_stream = |id: NodeId| self.nodes[id.index()].kind == Kind::Grid(Grid::Residual);
        let (a, b) = if on_stream(b) && !on_stream(a) { (b, a) } else { (a, b) };
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
                (Some(l), Some(r)) => {
                    let too_many =
                        || Error::mismatch(format!("layer {name}: sums of up to {l} and {r} spikes"));
                    (Join::Spikes, Kind::Count { max: l.checked_add(r).ok_or_else(too_many)? })
                }
                _ => {
                    let message = format!(
                        "layer {name}: adds {:?} to {:?}; `Requantize` brings either onto the residual stream",
                        right.kind, left.kind
                    );
                    return Err(Error::mismatch(message));
                }
            },
        };
        self.push(name, Op::Add(join), vec![a, b], shape, kind, constant)
    }

    /// Adds a gate of the spikes of the stream `a` and of the branch `b`.
    pub fn gate(&mut self, name: &str, a: NodeId, b: NodeId, gate: Gate) -> Result<NodeId> {
        let (left, right) = (&self.nodes[a.index()], &self.nodes[b.index()]);
        let (shape, constant) = (left.shape, left.constant && right.constant);
        for (id, node) in [(a, left), (b, right)] {
            if node.kind != Kind::Spikes || node.shape != shape {
                return Err(self.wrong_kind(name, &format!("spikes of shape {shape}"), id));
            }
        }
        self.push(name, Op::Gate(gate), vec![a, b], shape, Kind::Spikes, constant)
    }

    /// Adds the integer part of an attention.
    pub fn attention(&mut self, name: &str, inputs: &[NodeId], attention: Attention) -> Result<NodeId> {
        let (arity, heads, scale) = match attention {
            Attention::KeyValueCount => (2, 1, 1.0),
            Attention::ChannelCount { heads } => (1, heads, 1.0),
            Attention::Product { heads, scale, .. } => (3, heads, scale),
        };
        let alone = attention == Attention::KeyValueCount && inputs.len() == 1;
        let ends = if inputs.len() == arity || alone { inputs.first().zip(inputs.last()) } else { None };
        let Some((&first, &last)) = ends else {
            let message = format!("layer {name}: {} inputs, and this attention reads {arity}", inputs.len());
            return Err(Error::mismatch(message));
        };
        let (first, last) = (self.shape(first), self.shape(last));
        self.check_attention(name, inputs, attention, first)?;
        if [first, last].iter().any(|shape| heads == 0 || !shape.channels.is_multiple_of(heads)) {
            let (channels, of_v) = (first.channels, last.channels);
            let message = format!("layer {name}: {channels} channels, of v {of_v}, in {heads} heads");
            return Err(Error::mismatch(message));
        }
        if !(1e-9..=1e9).contains(&scale) {
            return Err(Error::mismatch(format!("layer {name}: a scale of {scale:?} is not in 1e-9..=1e9")));
        }
        let (tokens, width) = (first.positions(), first.channels / heads);
        let (shape, max) = match attention {
            Attention::KeyValueCount => (Shape::new(first.channels, 1, 1), Some(tokens)),
            Attention::ChannelCount { heads } => (Shape { channels: heads, ..first }, Some(width)),
            Attention::Product { .. } => (last, self.largest_product(inputs, tokens, width)),
        };
        let max = max.and_then(|max| u32::try_from(max).ok()).ok_or_else(|| {
            Error::mismatch(format!("layer {name}: {tokens} tokens of {width} channels are too many"))
        })?;
        let constant = inputs.iter().all(|input| self.nodes[input.index()].constant);
        self.push(name, Op::Attention(attention), inputs.to_vec(), shape, Kind::Count { max }, constant)
    }

    /// Refuses inputs that are no spikes of the shape `first`; the third of a product may have other channels.
    fn check_attention(
        &self,
        name: &str,
        inputs: &[NodeId],
        attention: Attention,
        first: Shape,
    ) -> Result<()> {
        let product = matches!(attention, Attention::Product { .. });
        for (i, &input) in inputs.iter().enumerate() {
            let from = &self.nodes[input.index()];
            let shape =
                if product && i == 2 { Shape { channels: from.shape.channels, ..first } } else { first };
            let fires = from.kind == Kind::Spikes || product && matches!(from.kind, Kind::Levels { .. });
            if !fires || from.shape != shape {
                return Err(self.wrong_kind(name, &format!("spikes of shape {shape}"), input));
            }
        }
        Ok(())
    }

    /// Largest entry of q (k^T v).
    fn largest_product(&self, qkv: &[NodeId], tokens: usize, width: usize) -> Option<usize> {
        let largest = qkv.iter().filter_map(|input| self.nodes[input.index()].kind.largest_count());
        largest.fold(tokens.checked_mul(width), |product, max| product?.checked_mul(max as usize))
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
        self.push(name, Op::Mask, vec![spikes, mask], shape, Kind::Spikes, false)
    }

    /// Adds a learned token in front of all positions of the residual stream.
    pub fn class_token(&mut self, name: &str, input: NodeId, token: ClassToken) -> Result<NodeId> {
        let from = &self.nodes[input.index()];
        let shape = Shape::new(from.shape.channels, 1, from.shape.positions() + 1);
        let (kind, constant) = (from.kind, from.constant);
        match kind {
            Kind::Grid(Grid::Residual) => {
                self.push(name, Op::ClassToken(token), vec![input], shape, kind, constant)
            }
            _ => Err(self.wrong_kind(name, "the residual stream", input)),
        }
    }

    /// Adds the first position alone.
    pub fn first_token(&mut self, name: &str, input: NodeId) -> Result<NodeId> {
        let from = &self.nodes[input.index()];
        let (kind, constant) = (from.kind, from.constant);
        let shape = Shape::new(from.shape.channels, 1, 1);
        match kind {
            Kind::Image => Err(self.wrong_kind(name, "tokens", input)),
            _ => self.push(name, Op::FirstToken, vec![input], shape, kind, constant),
        }
    }

    /// Adds the mean over positions.
    pub fn mean_tokens(&mut self, name: &str, input: NodeId) -> Result<NodeId> {
        let from = &self.nodes[input.index()];
        let (shape, constant) = (Shape::new(from.shape.channels, 1, 1), from.constant);
        match from.kind {
            Kind::Grid(Grid::Residual) | Kind::Spikes | Kind::Count { .. } | Kind::Levels { .. } => {
                self.push(name, Op::MeanTokens, vec![input], shape, Kind::Mean, constant)
            }
            _ => Err(self.wrong_kind(name, "the residual stream or spikes", input)),
        }
    }

    /// Adds the mean over timesteps.
    pub fn mean_timesteps(&mut self, name: &str, input: NodeId) -> Result<NodeId> {
        let from = &self.nodes[input.index()];
        let shape = from.shape;
        match from.kind {
            Kind::PreActivation | Kind::Mean | Kind::Spikes | Kind::Count { .. } => {
                self.push(name, Op::MeanTimesteps, vec![input], shape, Kind::Mean, true)
            }
            _ => Err(self.wrong_kind(name, "pre-activations, means, spikes or counts", input)),
        }
    }

    /// Adds a leaky integrator, whose potentials are read out.
    pub fn readout(&mut self, name: &str, input: NodeId, readout: Readout) -> Result<NodeId> {
        readout.check(name)?;
        let from = &self.nodes[input.index()];
        let shape = from.shape;
        match from.kind {
            Kind::PreActivation | Kind::Mean | Kind::Count { .. } => {
                self.push(name, Op::Readout(readout), vec![input], shape, Kind::Mean, true)
            }
            _ => Err(self.wrong_kind(name, "pre-activations, means or counts", input)),
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
    ) -> Result<NodeId> {
        let extents = [shape.channels, shape.height, shape.width];
        let values = extents.into_iter().try_fold(1, usize::checked_mul);
        if values.is_none_or(|values| values > MAX_MAP) {
            return Err(Error::mismatch(format!("layer {name}: a map of {shape} is too large")));
        }
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
        Ok(id)
    }

    fn wrong_kind(&self, name: &str, wanted: &str, input: NodeId) -> Error {
        let from = &self.nodes[input.index()];
        Error::mismatch(format!(
            "layer {name}: reads {wanted}, and {} yields {:?} of {}",
            from.name, from.kind, from.shape
        ))
    }
}
