//! Weights of a layer that come while the one before it runs.

use super::{LayerCost, Machine, StallPart};

/// Hides the first weights of every layer that is `prefetched` in the time in which the layer before it leaves the bus
/// alone.
///
/// Inputs are not there before the layer before has ended, so they are not hidden.
pub fn prefetch(prefetched: &[bool], costs: &mut [LayerCost], machine: &Machine) {
    for i in (1..costs.len()).filter(|&i| prefetched[i]) {
        let before = Outline::of(&costs[i - 1]);
        let hidden = Outline::of(&costs[i]).hidden_behind(&before);
        let layer = &mut costs[i];
        if hidden > 0.0 {
            layer.stalls.scale(StallPart::Load, 1.0 - hidden / layer.cycles.load);
        }
        layer.cycles.load -= hidden;
        layer.energy_j.dram -= spared_j(hidden, machine);
    }
}

/// Energy of devices that wait `cycles` less; whole events leave nothing to wait.
fn spared_j(cycles: f64, machine: &Machine) -> f64 {
    match (&machine.events, machine.dram) {
        (None, Some(dram)) => machine.seconds(cycles) * dram.idle_w,
        _ => 0.0,
    }
}

/// What of a layer's cost a choice of plans looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Outline {
    /// All cycles.
    pub cycles: f64,
    /// Dynamic energy.
    pub energy_j: f64,
    /// Load of the first tile.
    load_cycles: f64,
    /// Bits that come to memories that feed units, and those of them that are weights.
    loaded_bits: f64,
    loaded_weight_bits: f64,
    /// Time that the bus is busy.
    transfer_cycles: f64,
}

impl Outline {
    /// The outline of `cost`.
    pub fn of(cost: &LayerCost) -> Self {
        Self {
            cycles: cost.cycles.total(),
            energy_j: cost.energy_j.total(),
            load_cycles: cost.cycles.load,
            loaded_bits: cost.loaded_bits,
            loaded_weight_bits: cost.loaded_weight_bits,
            transfer_cycles: cost.transfer_cycles,
        }
    }

    /// The outline of what takes `cycles` and `energy_j` and loads nothing.
    pub fn unloaded(cycles: f64, energy_j: f64) -> Self {
        Self { cycles, energy_j, ..Self::default() }
    }

    /// The outline of the least that `cost` can be where tiles come and go in another order: what moves takes its
    /// time and energy, and nothing waits for the first tile or the last.
    pub fn unhindered(cost: &LayerCost, machine: &Machine) -> Self {
        let (cycles, energy_j, traffic) = (&cost.cycles, &cost.energy_j, &cost.traffic_bits);
        let on_chip = cycles.total() - cycles.load - cycles.dram_stall - cycles.store;
        let moved_pj = machine.dram.filter(|_| machine.events.is_none()).map_or(0.0, |dram| {
            traffic.dram_read * dram.read_pj_per_bit + traffic.dram_written * dram.write_pj_per_bit
        });
        Self {
            cycles: on_chip.max(cost.transfer_cycles),
            energy_j: energy_j.total() - energy_j.dram + moved_pj * 1e-12,
            ..Self::default()
        }
    }

    /// Adds `other`, such as what another image takes.
    pub fn add(&mut self, other: &Self) {
        self.cycles += other.cycles;
        self.energy_j += other.energy_j;
        self.load_cycles += other.load_cycles;
        self.loaded_bits += other.loaded_bits;
        self.loaded_weight_bits += other.loaded_weight_bits;
        self.transfer_cycles += other.transfer_cycles;
    }

    /// The outline of two layers one after the other, where only time and energy count.
    pub fn then(&self, next: &Self) -> Self {
        Self { cycles: self.cycles + next.cycles, energy_j: self.energy_j + next.energy_j, ..Self::default() }
    }

    /// The smaller time and the smaller energy of the two.
    pub fn smaller(&self, other: &Self) -> Self {
        let (cycles, energy_j) = (self.cycles.min(other.cycles), self.energy_j.min(other.energy_j));
        Self { cycles, energy_j, ..Self::default() }
    }

    /// Cycles in which it leaves the bus alone.
    pub fn idle_cycles(&self) -> f64 {
        (self.cycles - self.transfer_cycles).max(0.0)
    }

    /// Cycles until its first weights are there.
    fn first_weights(&self) -> f64 {
        if self.loaded_weight_bits > 0.0 {
            self.load_cycles * (self.loaded_weight_bits / self.loaded_bits)
        } else {
            0.0
        }
    }

    /// Cycles of its load that hide while `before` leaves the bus alone.
    fn hidden_behind(&self, before: &Self) -> f64 {
        before.idle_cycles().min(self.first_weights())
    }

    /// What is left of it where its first weights come while `before` runs.
    #[must_use]
    pub fn early(&self, before: &Self, machine: &Machine) -> Self {
        self.without(self.hidden_behind(before), machine)
    }

    /// The least that can be left of it.
    #[must_use]
    pub fn least(&self, machine: &Machine) -> Self {
        self.without(self.first_weights(), machine)
    }

    fn without(&self, hidden: f64, machine: &Machine) -> Self {
        Self {
            cycles: self.cycles - hidden,
            energy_j: self.energy_j - spared_j(hidden, machine),
            load_cycles: self.load_cycles - hidden,
            ..*self
        }
    }
}
