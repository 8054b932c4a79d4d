//! What on-chip memories hold while a network runs by its plans.

use super::residents::Residents;
use super::room::{on_chip_bits, tile_buffer_bits};
use super::{Layer, Plan, Workload};
use crate::hw::{Hardware, MemorySpec, Operand};
use crate::num::parts;

parts! {
    /// Bytes in on-chip memories, by what they are.
    OnChipBytes {
        /// Weight codes, biases and thresholds that stay, and tiles of others that pass through.
        weights: "weights",
        /// Spikes, counts and images, or tiles of them that pass through.
        activations: "activations",
        /// Sums that left the array.
        partial_sums: "partial sums",
        /// Membrane potentials.
        membranes: "membranes",
        /// The residual stream.
        residual: "residual stream",
    }
}

impl OnChipBytes {
    fn part(&mut self, operand: Operand) -> &mut f64 {
        match operand {
            Operand::Weights => &mut self.weights,
            Operand::Activations => &mut self.activations,
            Operand::PartialSums => &mut self.partial_sums,
            Operand::Membranes => &mut self.membranes,
            Operand::Residual => &mut self.residual,
        }
    }

    /// Those of them that lie in `memory`.
    fn inside(mut self, memory: &MemorySpec) -> Self {
        let elsewhere = Operand::ALL.into_iter().filter(|operand| !memory.holds.contains(operand));
        elsewhere.for_each(|operand| *self.part(operand) = 0.0);
        self
    }
}

/// The most that one on-chip memory holds.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryPeak {
    /// Name of the memory.
    pub memory: String,
    /// What it could hold, bytes.
    pub capacity_bytes: f64,
    /// The first layer of those during which it holds so much.
    pub layer: usize,
    /// What it holds then.
    pub bytes: OnChipBytes,
}

/// Per layer of `workload`, what on-chip memories of `hardware` hold while it runs by its plan of `plans`.
///
/// `prefetched` says which layers have their first tile of weights there while the layer before them runs.
pub fn occupancy(
    workload: &Workload,
    hardware: &Hardware,
    plans: &[Plan],
    prefetched: &[bool],
) -> Vec<OnChipBytes> {
    let residents = Residents::of(workload, plans);
    let layers: Vec<_> = workload.layers.iter().zip(plans).collect();
    let held = |(i, &(layer, plan)): (usize, &(&Layer, &Plan))| {
        let mut bits = OnChipBytes::default();
        for operand in Operand::ALL {
            *bits.part(operand) = on_chip_bits(plan, operand, layer, workload, hardware, &residents);
        }
        if let (Some(true), Some((next, plan))) = (prefetched.get(i + 1), layers.get(i + 1)) {
            bits.weights += tile_buffer_bits(plan, next, hardware);
        }
        bits.divided_by(8.0)
    };
    layers.iter().enumerate().map(held).collect()
}

/// Per memory of `hardware`, the most that it holds over `layers`, which [`occupancy`] yields.
pub fn peaks(hardware: &Hardware, layers: &[OnChipBytes]) -> Vec<MemoryPeak> {
    let peak = |memory: &MemorySpec| {
        let mut peak = MemoryPeak {
            memory: memory.name.clone(),
            capacity_bytes: memory.capacity_bytes.value as f64,
            layer: 0,
            bytes: OnChipBytes::default(),
        };
        for (layer, bytes) in layers.iter().map(|bytes| bytes.inside(memory)).enumerate() {
            if bytes.total() > peak.bytes.total() {
                (peak.layer, peak.bytes) = (layer, bytes);
            }
        }
        peak
    };
    hardware.memories.iter().map(peak).collect()
}
