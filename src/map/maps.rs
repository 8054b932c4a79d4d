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

/// Where maps of one operand are while a layer runs, of which some stay on chip, whole or in tiles, and others live
/// farther out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Passage {
    /// Bits of one timestep that stay on chip, all that other layers will read included.
    pub staying_bits: f64,
    /// What the product reads that lives farther out: all of it, 1, or nothing, 0.
    pub input: f64,
    /// Share of what is read otherwise that lives farther out.
    pub read: f64,
    /// Share of what is written that lives farther out.
    pub written: f64,
}

impl Passage {
    /// True if the layer reads or writes something that lives farther out.
    pub fn passes(&self) -> bool {
        self.input + self.read + self.written > 0.0
    }

    /// While layer number `layer` runs, one of the layers `together` whose maps are needed all the time: of map number m of
    /// `maps`, `staying_bits(m)` bits of one timestep stay on chip, or it lives farther out.
    pub fn of(
        maps: &[Map],
        operand: Operand,
        layer: usize,
        together: &Range<usize>,
        staying_bits: impl Fn(usize) -> Option<f64>,
    ) -> Self {
        let mut all = Self { staying_bits: 0.0, input: 0.0, read: 0.0, written: 0.0 };
        let (mut read_bits, mut written_bits) = (0.0, 0.0);
        let alive = |map: &Map| map.alive.start < together.end && together.start < map.alive.end;
        let concerns = |map: &Map| map.operand == operand && (alive(map) || map.is_met_by(layer));
        for (number, map) in maps.iter().enumerate().filter(|(_, map)| concerns(map)) {
            let stays = staying_bits(number);
            // What a join reads last makes room for what it yields, map by map.
            all.staying_bits += if alive(map) { stays.unwrap_or(0.0) } else { 0.0 };
            let passing = if stays.is_none() { map.bits } else { 0.0 };
            if map.products.contains(&layer) && stays.is_none() {
                all.input = 1.0;
            }
            if map.readers.contains(&layer) {
                (read_bits, all.read) = (read_bits + map.bits, all.read + passing);
            }
            if map.alive.start == layer && !map.from_outside {
                (written_bits, all.written) = (written_bits + map.bits, all.written + passing);
            }
        }
        all.read /= f64::max(read_bits, 1.0);
        all.written /= f64::max(written_bits, 1.0);
        all
    }
}

impl Map {
    /// True if layer number `layer` yields or reads it.
    fn is_met_by(&self, layer: usize) -> bool {
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
