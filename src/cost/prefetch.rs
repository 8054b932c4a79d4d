//! Weights of a layer that come while the one before it runs.

use super::{LayerCost, Machine, StallPart};

/// Hides the first weights of every layer that is `prefetched` in the time in which the layer before it leaves the bus
/// alone.
///
/// Inputs are not there before the layer before has ended, so they are not hidden.
pub fn prefetch(prefetched: &[bool], costs: &mut [LayerCost], machine: &Machine) {
    for i in (1..costs.len()).filter(|&i| prefetched[i]) {
        let before = &costs[i - 1];
        let idle = (before.cycles.total() - before.transfer_cycles).max(0.0);
        let layer = &mut costs[i];
        let share = layer.loaded_weight_bits / layer.loaded_bits;
        let hidden = idle.min(layer.cycles.load * share);
        if hidden > 0.0 {
            layer.stalls.scale(StallPart::Load, 1.0 - hidden / layer.cycles.load);
        }
        layer.cycles.load -= hidden;
        // Devices wait for a shorter time; whole events leave nothing to wait.
        if let (None, Some(dram)) = (&machine.events, machine.dram) {
            layer.energy_j.dram -= machine.seconds(hidden) * dram.idle_w;
        }
    }
}
