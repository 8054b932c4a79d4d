use super::{Epilogue, EpilogueKind, Layer};
use crate::exec::Activity;
use crate::num::parts;

parts! {
    /// Bits that the network's own operations read and write, whatever the machine: a weight for
    /// every synaptic operation, a membrane for every update, a map once. What a machine keeps close or
    /// fetches again is another matter, which the cost model charges.
    ExecutedBits {
        /// Weight codes read.
        weights_read: "weights read",
        /// Pixels, spikes and counts read.
        activations_read: "activations read",
        /// Spikes and counts written.
        activations_written: "activations written",
        /// Membrane potentials read.
        membranes_read: "membranes read",
        /// Membrane potentials written.
        membranes_written: "membranes written",
        /// Residual stream read.
        residual_read: "residual stream read",
        /// Residual stream written.
        residual_written: "residual stream written",
    }
}

impl Layer {
    /// What was executed at timestep `t` of one image; what is constant in time is executed at the
    /// first.
    pub fn bits_at(&self, activity: &Activity, t: usize) -> ExecutedBits {
        let mut bits = ExecutedBits::default();
        let step = |node: crate::model::NodeId| activity.nodes[node.index()].steps.get(t);
        if let Some((product, step)) = self.product.as_ref().and_then(|p| Some((p, step(p.node)?))) {
            bits.weights_read = step.synaptic_operations() as f64 * product.weight_bits();
            bits.activations_read = product.input_values as f64 * f64::from(product.input.bits());
        }
        for epilogue in self.epilogue.iter().filter(|e| step(e.node).is_some()) {
            bits.add_scaled(&epilogue.bits_per_frame(), 1.0);
        }
        bits
    }
}

impl Epilogue {
    /// What one execution reads and writes.
    pub fn bits_per_frame(&self) -> ExecutedBits {
        let values = self.values as f64;
        let stored = values * f64::from(self.stored_bits);
        let mut bits = ExecutedBits::default();
        match self.kind {
            EpilogueKind::Neuron { membrane_bits, .. } => {
                let membranes = values * f64::from(membrane_bits.unwrap_or(0));
                (bits.membranes_read, bits.membranes_written) = (membranes, membranes);
                bits.activations_written = stored;
            }
            EpilogueKind::Join { bits: width, .. } => {
                (bits.residual_read, bits.residual_written) = (values * f64::from(width), stored);
            }
            EpilogueKind::ClassToken { inputs, bits: width, .. } => {
                (bits.residual_read, bits.residual_written) = (inputs as f64 * f64::from(width), stored);
            }
            EpilogueKind::Requantize { residual: true, read_bits, .. } => {
                (bits.activations_read, bits.residual_written) = (values * f64::from(read_bits), stored);
            }
            EpilogueKind::CountJoin { read_bits: width, .. } => {
                (bits.activations_read, bits.activations_written) = (values * f64::from(width), stored);
            }
            // The branch arrives from the neurons before it.
            EpilogueKind::Gate => (bits.activations_read, bits.activations_written) = (values, stored),
            EpilogueKind::SpikeProducts { reads, .. } => {
                (bits.activations_read, bits.activations_written) = (reads as f64, stored);
            }
            EpilogueKind::IntegerNeuron { .. }
            | EpilogueKind::Requantize { .. }
            | EpilogueKind::Pool { .. } => bits.activations_written = stored,
            EpilogueKind::Sum { .. } => {}
        }
        bits
    }
}
