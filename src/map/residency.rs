//! Room for weights that stay on chip from image to image.

use super::residents::Residents;
use super::room::{peak_bits, tile_buffer_bits, too_small};
use super::{Home, Layer, Plan, Workload};
use crate::error::Result;
use crate::hw::{Hardware, MemorySpec, Operand, Placement};

/// Per layer of `workload` with `plans`, true if its first tile of weights comes from farther out than the memory that
/// feeds units, and fits beside the weights that the layer before it has on chip.
pub fn prefetched(workload: &Workload, hardware: &Hardware, plans: &[Plan]) -> Vec<bool> {
    // In a memory that holds more than weights, room beside them changes from layer to layer.
    let alone = hardware.levels(Operand::Weights).all(|m| hardware.memories[m].holds == [Operand::Weights]);
    let resident = Residents::of(workload, hardware, plans);
    let layers = workload.layers.iter().zip(plans);
    let buffers: Vec<f64> = layers.map(|(layer, plan)| stream_buffer_bits(plan, layer, hardware)).collect();
    let fits_at = |i: usize, level: u8, capacity: f64| {
        let passing = |i: usize| {
            let beside = plans[i].group.map_or(0.0, |group| group.beside_bits);
            beside + if plans[i].home[Operand::Weights] > Home::OnChip(level) { buffers[i] } else { 0.0 }
        };
        let stay = if resident.level == level { resident.bits } else { 0.0 };
        let first = |i: usize| plans[i].group.map(|group| group.first);
        let before = if first(i).is_some() && first(i) == first(i - 1) { 0.0 } else { passing(i - 1) };
        stay + before + passing(i) <= capacity
    };
    let capacities = hardware.levels(Operand::Weights).map(|m| hardware.memories[m].capacity_bits()).zip(0..);
    let fits = |i: usize| {
        i > 0 && buffers[i] > 0.0 && capacities.clone().all(|(capacity, level)| fits_at(i, level, capacity))
    };
    (0..plans.len()).map(|i| alone && fits(i)).collect()
}

/// Room for the weights of `layer` that pass through by `plan`; none where all of them stay beside the units.
pub fn stream_buffer_bits(plan: &Plan, layer: &Layer, hardware: &Hardware) -> f64 {
    if plan.passes(Operand::Weights) { tile_buffer_bits(plan, layer, hardware) } else { 0.0 }
}

/// Where the weights of `workload` live: in the innermost on-chip level that has room for all of them, beside what else
/// lives in its memory, or off chip.
///
/// # Errors
/// If they fit nowhere, and there is no memory off chip.
pub fn weights_home(workload: &Workload, hardware: &Hardware, placement: Placement) -> Result<Home> {
    let needed = workload.weight_bits() + workload.parameter_bits();
    let rooms = weight_rooms(workload, hardware, placement)?;
    match rooms.into_iter().zip(0..).find(|(room, _)| needed <= *room) {
        Some((_, level)) => Ok(Home::OnChip(level)),
        None if hardware.dram.is_none() => Err(too_small(hardware, Operand::Weights, "the network", needed)),
        None => Ok(Home::OffChip),
    }
}

/// Room for weights that stay while others do not, in their memory at the network's peak.
///
/// # Errors
/// If what else lives on chip does not fit, and there is no memory off chip.
pub fn free_weight_bits(workload: &Workload, hardware: &Hardware, placement: Placement) -> Result<f64> {
    Ok(weight_rooms(workload, hardware, placement)?[usize::from(hardware.level_of_residents())])
}

/// Per level of weights, from units outward, room that its memory has for them at the network's peak.
fn weight_rooms(workload: &Workload, hardware: &Hardware, placement: Placement) -> Result<Vec<f64>> {
    let mut free: Vec<f64> = hardware.memories.iter().map(MemorySpec::capacity_bits).collect();
    // Weights come last: they stream once, the others go back and forth.
    for operand in [Operand::Membranes, Operand::Residual, Operand::Activations] {
        let needed = peak_bits(workload, operand, hardware, placement);
        match hardware.levels(operand).find(|&memory| needed <= free[memory]) {
            Some(memory) => free[memory] -= needed,
            None if hardware.dram.is_none() => {
                return Err(too_small(hardware, operand, "the network", needed));
            }
            None => {}
        }
    }
    Ok(hardware.levels(Operand::Weights).map(|memory| free[memory]).collect())
}
