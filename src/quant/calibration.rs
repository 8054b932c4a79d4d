use std::sync::Arc;

use super::{InputCoding, InputStatistics};

/// What a float run over calibration images saw, per node of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Largest magnitude that the node yielded.
    pub magnitude: Vec<f64>,
    /// What a weight layer read, in units of what its weights multiply, for the layers whose integers depend
    /// on it.
    pub inputs: Vec<Option<Arc<InputStatistics>>>,
    /// What the integers of an image were for `inputs`.
    pub coding: InputCoding,
}

impl Calibration {
    /// Nothing seen yet.
    pub fn new(nodes: usize) -> Self {
        let coding = InputCoding::default();
        Self { magnitude: vec![0.0; nodes], inputs: vec![None; nodes], coding }
    }

    /// The larger of both magnitudes, node by node: independent of the order of merging.
    pub fn merge(mut self, other: &Self) -> Self {
        for (mine, theirs) in self.magnitude.iter_mut().zip(&other.magnitude) {
            *mine = mine.max(*theirs);
        }
        self
    }
}
