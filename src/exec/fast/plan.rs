//! Where the values of a run lie, decided once per network.

use std::sync::Arc;

use super::gather::Gather;
use super::value::Layout;
use crate::exec::kernels::Cpu;
use crate::model::{Attention, Kind, Network, Node, Op};
use crate::quant::QuantizedModel;

/// Layouts and buffers of all nodes.
#[derive(Debug)]
pub struct Plan {
    /// Per node.
    pub layouts: Vec<Layout>,
    /// Per node, the buffer that holds its values.
    pub slots: Vec<usize>,
    /// Buffers; a buffer is used again when the last reader of its values has run.
    pub slot_count: usize,
    /// Per node, what the taps of a convolution or pooling read.
    pub gathers: Vec<Option<Arc<Gather>>>,
}

impl Plan {
    /// For a sample of `frames` frames.
    pub fn new(model: &QuantizedModel, cpu: Cpu, frames: usize) -> Self {
        let network = &model.network;
        let mut layouts: Vec<Layout> = Vec::new();
        let mut gathers: Vec<Option<Arc<Gather>>> = Vec::new();
        for node in &network.nodes {
            let of = |i: usize| layouts[node.inputs[i].index()].frames;
            let frames = match &node.op {
                Op::Input => frames,
                Op::Neuron(_) => network.timesteps,
                Op::MeanTimesteps => 1,
                Op::Add(_) | Op::Attention(Attention::KeyValueCount) => of(0).max(of(1)),
                _ => of(0),
            };
            let packed = (node.kind == Kind::Spikes).then(|| cpu.inputs_per_table());
            layouts.push(Layout::new(frames, node.shape, packed));
            gathers.push(gather(model, node, &layouts, &gathers));
        }
        let (slots, slot_count) = assign_slots(network, &layouts);
        Self { layouts, slots, slot_count, gathers }
    }
}

/// What the taps of `node` read: shared with an earlier node that reads the same.
fn gather(
    model: &QuantizedModel,
    node: &Node,
    layouts: &[Layout],
    earlier: &[Option<Arc<Gather>>],
) -> Option<Arc<Gather>> {
    let geometry_of = |node: &Node| match &node.op {
        Op::Weighted(weighted) => Some(weighted.geometry),
        Op::MaxPool(window) => Some(window.geometry(node.shape.channels)),
        _ => None,
    };
    let geometry = geometry_of(node)?;
    let input = &layouts[node.inputs[0].index()];
    let same = |other: &&Node| {
        let Some(theirs) = geometry_of(other) else { return false };
        let from = &layouts[other.inputs[0].index()];
        let shape = |layout: &Layout| (layout.frames, layout.shape.height, layout.shape.width);
        (theirs.kernel, theirs.stride, theirs.pad) == (geometry.kernel, geometry.stride, geometry.pad)
            && shape(from) == shape(input)
    };
    let twin = model.network.nodes[..earlier.len()].iter().position(|other| same(&other));
    match twin {
        Some(twin) => earlier[twin].clone(),
        None => Some(Arc::new(Gather::new(&geometry, input.shape, input.frames))),
    }
}

/// A buffer per node, and how many there are.
fn assign_slots(network: &Network, layouts: &[Layout]) -> (Vec<usize>, usize) {
    let mut last_reader: Vec<usize> = (0..network.nodes.len()).collect();
    for (id, node) in network.iter() {
        node.inputs.iter().for_each(|input| last_reader[input.index()] = id.index());
    }
    let (mut slots, mut free, mut count) = (Vec::new(), Vec::<(bool, usize)>::new(), 0);
    for (id, node) in network.iter() {
        // Spikes follow spikes and words words, so that a buffer does not grow to hold both.
        let packed = layouts[id.index()].packed.is_some();
        let slot = match free.iter().rposition(|&(kind, _)| kind == packed) {
            Some(i) => free.remove(i).1,
            None => {
                count += 1;
                count - 1
            }
        };
        slots.push(slot);
        let mut done: Vec<_> = node.inputs.iter().map(|input| input.index()).collect();
        done.push(id.index());
        done.sort_unstable();
        done.dedup();
        for input in done.into_iter().filter(|&input| last_reader[input] == id.index()) {
            // The last node has no reader, and is read when all is done.
            if input + 1 < network.nodes.len() {
                free.push((layouts[input].packed.is_some(), slots[input]));
            }
        }
    }
    (slots, count)
}
