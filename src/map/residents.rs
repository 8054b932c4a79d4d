//! Weights that stay on chip from image to image.

use super::{Layer, Plan, Workload};
use crate::hw::Operand;

/// Weights that stay on chip from image to image.
#[derive(Debug, Clone, PartialEq)]
pub struct Residents {
    /// Per layer, output channels whose weights and parameters stay.
    pub channels: Vec<usize>,
    /// Room that they take.
    pub bits: f64,
    /// Membranes of all layers, which wait on chip where timesteps are outermost.
    pub membrane_bits: f64,
}

impl Residents {
    /// So many output channels of each layer of `workload`.
    pub fn new(workload: &Workload, channels: Vec<usize>) -> Self {
        let layers = workload.layers.iter().zip(&channels);
        let bits = layers.map(|(layer, &channels)| channels as f64 * layer.channel_bits()).sum();
        Self { channels, bits, membrane_bits: workload.membrane_bits() }
    }

    /// All weights of `workload`.
    pub fn all(workload: &Workload) -> Self {
        let bits = workload.weight_bits() + workload.parameter_bits();
        Self { bits, ..Self::new(workload, workload.layers.iter().map(Layer::outputs).collect()) }
    }

    /// No weights.
    pub fn none(workload: &Workload) -> Self {
        Self::new(workload, vec![0; workload.layers.len()])
    }

    /// As `plans`, one per layer of `workload`, leave them on chip.
    pub fn of(workload: &Workload, plans: &[Plan]) -> Self {
        let stay = |(layer, plan): (&Layer, &Plan)| {
            if plan.is_off_chip(Operand::Weights) { plan.resident_channels } else { layer.outputs() }
        };
        Self::new(workload, workload.layers.iter().zip(plans).map(stay).collect())
    }

    /// True if all weights of layer number `layer` stay.
    pub fn holds_all(&self, workload: &Workload, layer: usize) -> bool {
        self.channels[layer] == workload.layers[layer].outputs()
    }
}
