//! Where the values of a run lie, decided once per network.

use std::sync::Arc;

use super::gather::Gather;
use super::value::{Buffer, Layout, Value, WIDE};
use crate::exec::kernels::Cpu;
use crate::model::{Attention, ConvGeometry, Join, Kind, Network, Node, NodeId, Op};
use crate::quant::QuantizedModel;
use crate::tensor::Shape;

/// Layouts and buffers of all nodes.
#[derive(Debug)]
pub struct Plan {
    /// Per node.
    pub layouts: Vec<Layout>,
    /// Per node, the buffer that holds its values.
    pub slots: Vec<usize>,
    /// Buffers; a buffer is used again when the last reader of its values has run.
    pub slot_count: usize,
    /// Per node, what the taps of a convolution read, or of a pooling that sums.
    gathers: Vec<Option<Arc<Gather>>>,
    /// Per weight layer, an earlier one that reads the same inputs in the same places.
    pub twins: Vec<Option<usize>>,
}

impl Plan {
    /// For a sample of `frames` frames.
    pub fn new(model: &QuantizedModel, cpu: Cpu, frames: usize) -> Self {
        let network = model.network();
        let mut layouts: Vec<Layout> = Vec::new();
        let mut gathers = Gathers::default();
        for (node, &bound) in network.nodes.iter().zip(model.bounds()) {
            let of = |i: usize| layouts[node.inputs[i].index()].frames;
            let frames = match &node.op {
                Op::Input => frames,
                Op::Neuron(_) => network.timesteps,
                Op::MeanTimesteps | Op::Readout(_) => 1,
                Op::Add(_)
                | Op::Gate(_)
                | Op::Attention(Attention::KeyValueCount | Attention::Product { .. }) => {
                    (0..node.inputs.len()).map(of).max().unwrap_or(1)
                }
                _ => of(0),
            };
            let packed = (node.kind == Kind::Spikes).then(|| cpu.inputs_per_table());
            let wide = packed.is_none() && bound >= WIDE;
            layouts.push(Layout { wide, ..Layout::new(frames, node.shape, packed) });
            gathers.push(node, &layouts);
        }
        let (slots, slot_count) = assign_slots(network, &layouts);
        let twins = (0..layouts.len()).map(|id| twin(network, &gathers.per_node, id)).collect();
        Self { layouts, slots, slot_count, gathers: gathers.per_node, twins }
    }
}

impl Plan {
    /// What the taps of node `id` read.
    ///
    /// # Panics
    /// If it is neither a weight layer nor a pooling that sums.
    pub fn gather(&self, id: usize) -> &Gather {
        self.gathers[id].as_deref().expect("the node has taps")
    }

    /// What node `id` yielded.
    pub fn value<'r>(&'r self, slots: &'r [Buffer], id: usize) -> Value<'r> {
        Value { layout: &self.layouts[id], buffer: &slots[self.slots[id]] }
    }
}

/// An earlier weight layer that reads what weight layer `id` does.
fn twin(network: &Network, gathers: &[Option<Arc<Gather>>], id: usize) -> Option<usize> {
    let node = &network.nodes[id];
    let weighted = |node: &Node| matches!(node.op, Op::Weighted(_));
    let same = |&other: &usize| {
        let earlier = &network.nodes[other];
        let shared = gathers[other].iter().zip(&gathers[id]).any(|(one, other)| Arc::ptr_eq(one, other));
        weighted(earlier) && earlier.inputs == node.inputs && shared
    };
    if weighted(node) { (0..id).find(same) } else { None }
}

/// Gathers of all nodes; nodes that read alike share one.
#[derive(Default)]
struct Gathers {
    known: Vec<(Reads, Arc<Gather>)>,
    per_node: Vec<Option<Arc<Gather>>>,
}

/// What tells gathers apart.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Reads {
    /// Convolution of one channel.
    geometry: ConvGeometry,
    /// Height and width of what is read.
    size: [usize; 2],
    frames: usize,
}

impl Gathers {
    fn push(&mut self, node: &Node, layouts: &[Layout]) {
        let geometry = match &node.op {
            Op::Weighted(weighted) => Some(of_one_channel(weighted.geometry)),
            Op::AvgPool(window) => Some(window.geometry(1)),
            _ => None,
        };
        let gather = geometry.map(|geometry| {
            let input = &layouts[node.inputs[0].index()];
            let size = [input.shape.height, input.shape.width];
            self.get(Reads { geometry, size, frames: input.frames })
        });
        self.per_node.push(gather);
    }

    fn get(&mut self, reads: Reads) -> Arc<Gather> {
        if let Some((_, gather)) = self.known.iter().find(|(known, _)| *known == reads) {
            return gather.clone();
        }
        let Reads { geometry, size, frames } = reads;
        let gather = Arc::new(Gather::new(&geometry, Shape::new(1, size[0], size[1]), frames));
        self.known.push((reads, gather.clone()));
        gather
    }
}

/// What the taps of a layer read of each of its channels.
fn of_one_channel(geometry: ConvGeometry) -> ConvGeometry {
    ConvGeometry { in_channels: 1, out_channels: 1, groups: 1, ..geometry }
}

/// True for a weight layer that only the node right behind it reads, once: a neuron, a requantization, or
/// the join that adds it to a stream.
pub fn feeds_next(network: &Network, id: usize) -> bool {
    let mut readers = network.readers(NodeId(id as u32));
    let next = |(reader, node): (NodeId, &Node)| {
        let follows = match node.op {
            Op::Neuron(_) | Op::Requantize(_) => true,
            Op::Add(Join::Membrane) => node.inputs[0].index() != id && node.inputs[1].index() == id,
            _ => false,
        };
        reader.index() == id + 1 && follows
    };
    matches!(network.nodes[id].op, Op::Weighted(_))
        && readers.next().is_some_and(next)
        && readers.next().is_none()
}

/// A buffer per node, and how many there are.
fn assign_slots(network: &Network, layouts: &[Layout]) -> (Vec<usize>, usize) {
    let mut last_reader: Vec<usize> = (0..network.nodes.len()).collect();
    for (id, node) in network.iter() {
        // What a layer reads lives until the node right behind it has its place: the two may run as one.
        let reader = id.index() + usize::from(feeds_next(network, id.index()));
        node.inputs.iter().for_each(|input| last_reader[input.index()] = reader);
    }
    let (mut slots, mut free, mut count) = (Vec::new(), Vec::<((bool, bool), usize)>::new(), 0);
    // Spikes follow spikes and words words, so that a buffer does not grow to hold both.
    let kind = |id: usize| (layouts[id].packed.is_some(), layouts[id].wide);
    for (id, _) in network.iter() {
        let slot = match free.iter().rposition(|&(free, _)| free == kind(id.index())) {
            Some(i) => free.remove(i).1,
            None => {
                count += 1;
                count - 1
            }
        };
        slots.push(slot);
        // The last node has no reader, and is read when all is done.
        let done = (0..=id.index()).filter(|&i| last_reader[i] == id.index() && i + 1 < network.nodes.len());
        free.extend(done.map(|i| (kind(i), slots[i])));
    }
    (slots, count)
}
