use super::parts::FootprintBytes;
use crate::map::{Layer, Workload};

/// What the network itself takes at a setting, whatever the machine: the model, all membranes, and the largest
/// stream and spike maps alive in one timestep.
pub fn footprint_bytes(workload: &Workload) -> FootprintBytes {
    let largest = |bits: fn(&Layer) -> f64| workload.layers.iter().map(bits).fold(0.0, f64::max);
    FootprintBytes {
        weights: workload.weight_bits() / 8.0,
        parameters: workload.parameter_bits() / 8.0,
        membrane: workload.membrane_bits() / 8.0,
        residual: largest(|layer| layer.live_residual_bits) / 8.0,
        activations: largest(|layer| layer.live_activation_bits) / 8.0,
    }
}
