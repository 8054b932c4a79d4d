use crate::model::{Network, Node, NodeId};
use crate::tensor::Frames;

/// The values of a run that a later node still reads.
#[derive(Debug, Clone)]
pub struct Live<T> {
    values: Vec<Option<Frames<T>>>,
    /// Per node, its last reader.
    last_reader: Vec<Option<usize>>,
}

impl<T> Live<T> {
    /// No value yet.
    pub fn new(network: &Network) -> Self {
        let mut last_reader = vec![None; network.nodes.len()];
        for (id, node) in network.iter() {
            for input in &node.inputs {
                last_reader[input.index()] = Some(id.index());
            }
        }
        Self { values: network.nodes.iter().map(|_| None).collect(), last_reader }
    }

    /// Input `i` of `node`.
    pub fn input(&self, node: &Node, i: usize) -> &Frames<T> {
        self.values[node.inputs[i].index()].as_ref().expect("nodes run in order")
    }

    /// Keeps what node `id` yields, and returns what it was the last to read.
    pub fn finish(&mut self, id: NodeId, node: &Node, value: Frames<T>) -> Vec<Frames<T>> {
        self.values[id.index()] = Some(value);
        self.release(id, node)
    }

    /// Returns what node `id` was the last to read.
    pub fn release(&mut self, id: NodeId, node: &Node) -> Vec<Frames<T>> {
        let read = node.inputs.iter().map(|input| input.index());
        read.filter(|&input| self.last_reader[input] == Some(id.index()))
            .filter_map(|input| self.values[input].take())
            .collect()
    }

    /// Numbers that are kept.
    pub fn numbers(&self) -> usize {
        self.values.iter().flatten().map(|frames| frames.data.len()).sum()
    }

    /// What the last node yielded.
    pub fn into_last(mut self) -> Option<Frames<T>> {
        self.values.pop().flatten()
    }
}
