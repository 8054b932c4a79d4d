/// What a float run over calibration images saw, per node of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Largest magnitude that the node yielded.
    pub magnitude: Vec<f64>,
}

impl Calibration {
    /// Nothing seen yet.
    pub fn new(nodes: usize) -> Self {
        Self { magnitude: vec![0.0; nodes] }
    }

    /// The larger of both, node by node: independent of the order of merging.
    pub fn merge(mut self, other: &Self) -> Self {
        for (mine, theirs) in self.magnitude.iter_mut().zip(&other.magnitude) {
            *mine = mine.max(*theirs);
        }
        self
    }
}
