//! Weights of a layer that come while the one before it runs.

use super::{LayerCost, Machine};

/// Hides the first weights of every layer that is `prefetched` in the time in which the layer before it leaves the bus
/// alone.
///
/// Inputs are not there before the layer before has ended, so they are not hidden.
pub fn prefetch(prefetched: &[bool], costs: &mut [LayerCost], machine: &Machine) {
    let Some(dram) = machine.dram else { return };
    for i in (1..costs.len()).filter(|&i| prefetched[i]) {
        let before = &costs[i - 1];
        let moved = before.traffic_bits.dram_read + before.traffic_bits.dram_written;
        let idle = (before.cycles.total() - moved / dram.bits_per_cycle).max(0.0);
        let layer = &mut costs[i];
        let share = layer.traffic_bits.weights_written / layer.traffic_bits.dram_read;
        let hidden = idle.min(layer.cycles.load * share);
        layer.cycles.load -= hidden;
        // Devices wait for a shorter time; whole events leave nothing to wait.
        if machine.events.is_none() {
            layer.energy_j.dram -= machine.seconds(hidden) * dram.idle_w;
        }
    }
}
