//! Room for weights that stay on chip from image to image.

use super::residents::Residents;
use super::room::{peak_bits, tile_buffer_bits, too_small};
use super::{Layer, Plan, Workload};
use crate::error::Result;
use crate::hw::{Hardware, Operand, Placement};

/// Per layer of `workload` with `plans`, true if its first tile of weights comes from off chip and fits
/// beside the weights that the layer before it has on chip.
pub fn prefetched(workload: &Workload, hardware: &Hardware, plans: &[Plan]) -> Vec<bool> {
    let capacity = hardware.memory(Operand::Weights).capacity_bytes.value as f64 * 8.0;
    // In a memory that holds more than weights, room beside them changes from layer to layer.
    let alone = hardware.memory(Operand::Weights).holds == [Operand::Weights];
    let resident = Residents::of(workload, plans).bits;
    let layers = workload.layers.iter().zip(plans);
    let buffers: Vec<f64> = layers.map(|(layer, plan)| stream_buffer_bits(plan, layer, hardware)).collect();
    let fits = |i: usize| i > 0 && buffers[i] > 0.0 && resident + buffers[i - 1] + buffers[i] <= capacity;
    (0..plans.len()).map(|i| alone && fits(i)).collect()
}

/// Room for the weights of `layer` that pass through by `plan`; none where all of them stay.
pub fn stream_buffer_bits(plan: &Plan, layer: &Layer, hardware: &Hardware) -> f64 {
    if plan.is_off_chip(Operand::Weights) { tile_buffer_bits(plan, layer, hardware) } else { 0.0 }
}

/// Whether all weights of `workload` stay on chip, beside what else lives in their memory.
///
/// # Errors
/// If they do not fit, and there is no memory off chip.
pub fn all_stay(workload: &Workload, hardware: &Hardware, placement: Placement) -> Result<bool> {
    let needed = workload.weight_bits() + workload.parameter_bits();
    let fit = needed <= free_weight_bits(workload, hardware, placement)?;
    if !fit && hardware.dram.is_none() {
        return Err(too_small(hardware, Operand::Weights, "the network", needed));
    }
    Ok(fit)
}

/// Room that the memory of the weights has for them at the network's peak.
///
/// # Errors
/// If what else lives there does not fit, and there is no memory off chip.
pub fn free_weight_bits(workload: &Workload, hardware: &Hardware, placement: Placement) -> Result<f64> {
    let mut free_for_weights = 0.0;
    for memory in &hardware.memories {
        let mut free = memory.capacity_bytes.value as f64 * 8.0;
        // Weights come last: they stream once, the others go back and forth.
        for operand in [Operand::Membranes, Operand::Residual, Operand::Activations] {
            if !memory.holds.contains(&operand) {
                continue;
            }
            let needed = peak_bits(workload, operand, hardware, placement);
            if needed <= free {
                free -= needed;
            } else if hardware.dram.is_none() {
                return Err(too_small(hardware, operand, "the network", needed));
            }
        }
        if memory.holds.contains(&Operand::Weights) {
            free_for_weights = free;
        }
    }
    Ok(free_for_weights)
}
