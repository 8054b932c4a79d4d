//! Weights that stay on chip from image to image.

use super::{Home, Layer, Plan, Workload};
use crate::hw::{Hardware, Operand};

/// Weights that stay on chip from image to image.
#[derive(Debug, Clone, PartialEq)]
pub struct Residents {
    /// Per layer, output channels whose weights and parameters stay.
    pub channels: Vec<usize>,
    /// Room that they take.
    pub bits: f64,
    /// The on-chip level that they are at; 0 feeds units.
    pub level: u8,
    /// Membranes of all layers and of the images of a batch, which wait on chip where timesteps are outermost.
    pub membrane_bits: f64,
}

impl Residents {
    /// Weights of the first output channels that stay at memory level `level`: `channels` of them in each layer of
    /// `workload`.
    pub fn new(workload: &Workload, channels: Vec<usize>, level: u8) -> Self {
        let layers = workload.layers.iter().zip(&channels);
        let bits = layers.map(|(layer, &channels)| channels as f64 * layer.channel_bits()).sum();
        Self { channels, bits, level, membrane_bits: workload.batch as f64 * workload.membrane_bits() }
    }

    /// All weights of `workload`, at `level`.
    pub fn all(workload: &Workload, level: u8) -> Self {
        let bits = workload.weight_bits() + workload.parameter_bits();
        Self { bits, ..Self::new(workload, workload.layers.iter().map(Layer::outputs).collect(), level) }
    }

    /// No weights.
    pub fn none(workload: &Workload) -> Self {
        Self::new(workload, vec![0; workload.layers.len()], 0)
    }

    /// Weights that `plans`, one per layer of `workload`, leave in memories of `hardware`: all at one level.
    pub fn of(workload: &Workload, hardware: &Hardware, plans: &[Plan]) -> Self {
        let with_weights = workload.layers.iter().zip(plans).filter(|(layer, _)| layer.outputs() > 0);
        let level =
            with_weights.map(|(_, plan)| plan.home[Operand::Weights]).max().map_or(0, |home| match home {
                Home::OnChip(level) => level,
                Home::OffChip => hardware.level_of_residents(),
            });
        let stay = |(layer, plan): (&Layer, &Plan)| {
            if plan.is_off_chip(Operand::Weights) { plan.resident_channels } else { layer.outputs() }
        };
        Self::new(workload, workload.layers.iter().zip(plans).map(stay).collect(), level)
    }
}
