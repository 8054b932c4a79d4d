//! What on-chip memories hold while a network runs by its plans.

use super::residents::Residents;
use super::room::{on_chip_bits, tile_buffer_bits};
use super::{Home, Layer, Plan, Workload};
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

/// Per layer of `workload` and memory of `hardware`, what it holds while the layer runs by its plan of `plans`.
///
/// `prefetched` says which layers have their first tile of weights there while the layer before them runs.
pub fn occupancy(
    workload: &Workload,
    hardware: &Hardware,
    plans: &[Plan],
    prefetched: &[bool],
) -> Vec<Vec<OnChipBytes>> {
    let residents = Residents::of(workload, hardware, plans);
    let layers: Vec<_> = workload.layers.iter().zip(plans).collect();
    let held = |(i, &(layer, plan)): (usize, &(&Layer, &Plan))| {
        let mut bits = vec![OnChipBytes::default(); hardware.memories.len()];
        for operand in Operand::ALL {
            for (memory, level) in hardware.levels(operand).zip(0..) {
                *bits[memory].part(operand) =
                    on_chip_bits(plan, (operand, level), layer, workload, hardware, &residents);
            }
        }
        // What takes turns has all its weights there already.
        let apart = |next: &&(&Layer, &Plan)| {
            next.1.group.is_none() || next.1.group.map(|g| g.first) != plan.group.map(|g| g.first)
        };
        if let (Some(true), Some((next, plan))) = (prefetched.get(i + 1), layers.get(i + 1).filter(apart)) {
            let passed = hardware.levels(Operand::Weights).zip(0..);
            for (memory, _) in passed.filter(|&(_, level)| plan.home[Operand::Weights] > Home::OnChip(level))
            {
                bits[memory].weights += tile_buffer_bits(plan, next, hardware);
            }
        }
        bits.into_iter().map(|bits| bits.divided_by(8.0)).collect()
    };
    layers.iter().enumerate().map(held).collect()
}

/// Per memory of `hardware`, the most that it holds over `layers`, which [`occupancy`] yields.
pub fn peaks(hardware: &Hardware, layers: &[Vec<OnChipBytes>]) -> Vec<MemoryPeak> {
    let peak = |(number, memory): (usize, &MemorySpec)| {
        let mut peak = MemoryPeak {
            memory: memory.name.clone(),
            capacity_bytes: memory.capacity_bytes.value as f64,
            layer: 0,
            bytes: OnChipBytes::default(),
        };
        for (layer, bytes) in layers.iter().map(|bytes| bytes[number]).enumerate() {
            if bytes.total() > peak.bytes.total() {
                (peak.layer, peak.bytes) = (layer, bytes);
            }
        }
        peak
    };
    hardware.memories.iter().enumerate().map(peak).collect()
}
