//! Values at a cut of a network, from which another run starts.

use super::plan::Plan;
use super::value::{Buffer, Layout, Value};
use crate::exec::room::Room;
use crate::model::Network;
use crate::quant::QuantizedModel;

/// What the nodes from `cut` on read of those before it, for one image.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The first node that has not run.
    pub cut: usize,
    values: Vec<(usize, Kept)>,
}

/// A value in the narrowest words that hold it: whole rows of packed spikes, or the columns of rows of words
/// that mean something.
#[derive(Debug, Clone)]
enum Kept {
    Spikes(Vec<u8>),
    Half(Vec<i16>),
    Words(Vec<i32>),
    Wide(Vec<i64>),
}

impl Snapshot {
    /// Copies what crosses `cut` while a run stands there.
    pub(super) fn take(network: &Network, plan: &Plan, slots: &[Buffer], cut: usize) -> Self {
        let keep = |id: usize| {
            let value = Value { layout: &plan.layouts[id], buffer: &slots[plan.slots[id]] };
            (id, Kept::new(value))
        };
        Self { cut, values: crossing(network, cut).map(keep).collect() }
    }

    /// Puts the values where a run expects them.
    pub(super) fn restore(&self, plan: &Plan, slots: &mut [Buffer]) {
        for (id, value) in &self.values {
            let (layout, buffer) = (&plan.layouts[*id], &mut slots[plan.slots[*id]]);
            match value {
                Kept::Spikes(x) => buffer.bytes.at_least(x.len()).copy_from_slice(x),
                Kept::Half(x) => write_rows(x, layout, &mut buffer.words),
                Kept::Words(x) => write_rows(x, layout, &mut buffer.words),
                Kept::Wide(x) => write_rows(x, layout, &mut buffer.wide),
            }
        }
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.values.iter().map(|(_, value)| value.bytes()).sum()
    }
}

impl Kept {
    fn new(value: Value) -> Self {
        if value.layout.packed.is_some() {
            return Self::Spikes(value.bytes().to_vec());
        }
        let rows = || 0..value.layout.rows();
        if value.layout.wide {
            return Self::Wide(
                rows().flat_map(|row| value.wide_row(row, &mut Vec::new()).to_vec()).collect(),
            );
        }
        let words = || rows().flat_map(|row| value.word_row(row).iter().copied());
        let half: Result<Vec<i16>, _> = words().map(i16::try_from).collect();
        half.map_or_else(|_| Self::Words(words().collect()), Self::Half)
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Spikes(x) => x.len(),
            Self::Half(x) => 2 * x.len(),
            Self::Words(x) => 4 * x.len(),
            Self::Wide(x) => 8 * x.len(),
        }
    }
}

fn write_rows<T: Copy + Into<W>, W: Copy + Default>(x: &[T], layout: &Layout, room: &mut Room<W>) {
    let rows = room.at_least(layout.rows() * layout.stride).chunks_exact_mut(layout.stride);
    for (row, x) in rows.zip(x.chunks_exact(layout.columns())) {
        row.iter_mut().zip(x).for_each(|(word, &x)| *word = x.into());
    }
}

/// Bytes that a snapshot at `cut` takes at most.
pub(super) fn most_bytes(model: &QuantizedModel, plan: &Plan, cut: usize) -> usize {
    let bytes = |id: usize| {
        let layout = &plan.layouts[id];
        match (layout.packed, model.bounds()[id]) {
            (Some(_), _) => layout.rows() * layout.stride,
            (None, bound) if bound < 1 << 15 => 2 * layout.rows() * layout.columns(),
            _ if layout.wide => 8 * layout.rows() * layout.columns(),
            _ => 4 * layout.rows() * layout.columns(),
        }
    };
    crossing(model.network(), cut).map(bytes).sum()
}

/// Nodes before `cut` that a node from there on reads.
fn crossing(network: &Network, cut: usize) -> impl Iterator<Item = usize> {
    let mut read = vec![false; cut];
    let inputs = network.nodes[cut..].iter().flat_map(|node| &node.inputs);
    inputs.filter(|input| input.index() < cut).for_each(|input| read[input.index()] = true);
    (0..cut).filter(move |&id| read[id])
}
