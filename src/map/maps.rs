//! Maps between layers: what one of them yields and later ones read.

use std::ops::Range;

use super::widths::{Widths, stored_bits};
use crate::hw::Operand;
use crate::model::{Grid, Kind, Network, Node, NodeId, Op};

/// Spikes, counts, an image, or a residual stream, from the layer that yields it to the last one that reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// The node that yields it.
    pub name: String,
    /// Activations, or the residual stream.
    pub operand: Operand,
    /// The layers that run while it is needed, the first of which yields it.
    pub alive: Range<usize>,
    /// Bits of one timestep.
    pub bits: f64,
    /// Rows of it.
    pub rows: usize,
    /// True if it comes from outside the chip.
    pub from_outside: bool,
    /// Layers whose products read it.
    pub products: Vec<usize>,
    /// Layers that read it behind a product, or without one.
    pub readers: Vec<usize>,
}

impl Map {
    /// True if layer number `layer` yields or reads it.
    pub(super) fn is_met_by(&self, layer: usize) -> bool {
        self.alive.start == layer || self.products.contains(&layer) || self.readers.contains(&layer)
    }

    /// All that go to a memory, in the order of the nodes that yield them; `home` has the layer of each node.
    pub(super) fn all(network: &Network, widths: &dyn Widths, home: &[Option<usize>]) -> Vec<Self> {
        let stored = network.iter().filter(|(id, _)| is_stored(network, *id));
        stored.filter_map(|(id, node)| Self::new(network, widths, home, (id, node))).collect()
    }

    fn new(
        network: &Network,
        widths: &dyn Widths,
        home: &[Option<usize>],
        (id, node): (NodeId, &Node),
    ) -> Option<Self> {
        let residual = node.kind == Kind::Grid(Grid::Residual);
        let (last, reader) = network.readers(id).max_by_key(|(reader, _)| *reader)?;
        let (from, dies) = (home[id.index()], home[last.index()]?);
        // A join writes the stream that it yields over the stream that it read.
        let overwritten = residual && matches!(reader.op, Op::Add(_)) && reader.inputs[0] == id;
        let end = if overwritten { dies } else { dies + 1 };
        let (mut products, mut readers) = (Vec::new(), Vec::new());
        for (reader, node) in network.readers(id) {
            let layer = home[reader.index()].filter(|_| home[reader.index()] != from);
            let list = if matches!(node.op, Op::Weighted(_)) { &mut products } else { &mut readers };
            list.extend(layer);
        }
        Some(Self {
            name: node.name.clone(),
            operand: if residual { Operand::Residual } else { Operand::Activations },
            alive: from.unwrap_or(0)..end,
            bits: node.shape.values() as f64 * f64::from(stored_bits(widths, id, node)),
            rows: node.shape.height,
            from_outside: from.is_none(),
            products,
            readers,
        })
    }
}

/// True for what goes to a memory: not what the next operation of the same fused layer consumes on
/// the fly.
pub(super) fn is_stored(network: &Network, id: NodeId) -> bool {
    let on_the_fly = |reader: &Node| {
        let pools = |op: &Op| {
            matches!(op, Op::MaxPool(_) | Op::AvgPool(_) | Op::MeanTokens) || op.is_over_timesteps()
        };
        reader.op.is_neuron() || pools(&reader.op)
    };
    let node = network.node(id);
    // Where the tokens lie, the first of them does.
    let is_sum = node.kind == Kind::PreActivation
        || matches!(node.op, Op::MeanTokens | Op::FirstToken)
        || node.op.is_over_timesteps();
    !is_sum && !network.readers(id).all(|(_, reader)| on_the_fly(reader))
}
