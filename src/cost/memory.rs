use super::parts::MemoryBytes;
use crate::map::{Layer, Workload};

/// Storage that the network itself needs at a setting, whatever the machine: all weights and
/// membranes, and the largest stream and spike maps alive in one timestep.
pub fn memory_bytes(workload: &Workload) -> MemoryBytes {
    let largest = |bits: fn(&Layer) -> f64| workload.layers.iter().map(bits).fold(0.0, f64::max);
    MemoryBytes {
        weights: workload.weight_bits() / 8.0,
        membrane: workload.membrane_bits() / 8.0,
        residual: largest(|layer| layer.live_residual_bits) / 8.0,
        other: (workload.parameter_bits() + largest(|layer| layer.live_activation_bits)) / 8.0,
    }
}
