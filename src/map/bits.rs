use super::{Epilogue, EpilogueKind, Layer};
use crate::exec::Activity;

/// Bits that the operations of a layer read and write at one timestep, by kind: a weight for every
/// synaptic operation, a membrane for every update, a map once. What a machine keeps close or
/// fetches again is another matter, which the cost model charges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BitCounts {
    /// Weight codes.
    pub weights_read: u64,
    /// Pixels, spikes, counts.
    pub activations_read: u64,
    /// Spikes, counts.
    pub activations_written: u64,
    /// Membrane potentials.
    pub membranes_read: u64,
    /// Membrane potentials.
    pub membranes_written: u64,
    /// Residual stream.
    pub residual_read: u64,
    /// Residual stream.
    pub residual_written: u64,
}

impl BitCounts {
    /// Adds `other`, kind by kind.
    pub fn add(&mut self, other: &Self) {
        self.weights_read += other.weights_read;
        self.activations_read += other.activations_read;
        self.activations_written += other.activations_written;
        self.membranes_read += other.membranes_read;
        self.membranes_written += other.membranes_written;
        self.residual_read += other.residual_read;
        self.residual_written += other.residual_written;
    }
}

impl Layer {
    /// What was executed at timestep `t` of one image; what is constant in time is executed at the
    /// first.
    pub fn bits_at(&self, activity: &Activity, t: usize) -> BitCounts {
        let mut bits = BitCounts::default();
        let step = |node: crate::model::NodeId| activity.nodes[node.index()].steps.get(t);
        if let Some((product, step)) = self.product.as_ref().and_then(|p| Some((p, step(p.node)?))) {
            bits.weights_read = step.synaptic_operations() * u64::from(product.weight_bits);
            bits.activations_read = product.input_values as u64 * u64::from(product.input.bits());
        }
        for epilogue in self.epilogue.iter().filter(|e| step(e.node).is_some()) {
            bits.add(&epilogue.bits_per_frame());
        }
        bits
    }
}

impl Epilogue {
    /// What one execution reads and writes.
    pub fn bits_per_frame(&self) -> BitCounts {
        let values = self.values as u64;
        let stored = values * u64::from(self.stored_bits);
        let mut bits = BitCounts::default();
        match self.kind {
            EpilogueKind::Neuron { membrane_bits, .. } => {
                let membranes = values * u64::from(membrane_bits.unwrap_or(0));
                (bits.membranes_read, bits.membranes_written) = (membranes, membranes);
                bits.activations_written = stored;
            }
            EpilogueKind::Join { bits: width, .. } => {
                (bits.residual_read, bits.residual_written) = (values * u64::from(width), stored);
            }
            EpilogueKind::Requantize { residual: true, .. } => bits.residual_written = stored,
            EpilogueKind::CountJoin { bits: width } => {
                (bits.activations_read, bits.activations_written) = (values * u64::from(width), stored);
            }
            EpilogueKind::SpikeProducts { reads, .. } => {
                (bits.activations_read, bits.activations_written) = (reads as u64, stored);
            }
            EpilogueKind::IntegerNeuron { .. }
            | EpilogueKind::Requantize { .. }
            | EpilogueKind::Pool { .. } => bits.activations_written = stored,
            EpilogueKind::Sum { .. } => {}
        }
        bits
    }
}
