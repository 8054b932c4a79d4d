use crate::hw::{LoopOrder, Once, Sourced};

/// What cores go through in a layer, in cycles.
#[derive(Debug, Clone, Copy)]
pub struct Rounds<'a> {
    /// Spikes by timestep and item: maps, positions, or what the timestep has.
    pub spikes: &'a [u32],
    /// Items of a timestep.
    pub items: usize,
    /// Timesteps.
    pub timesteps: usize,
    /// Passes over output channels.
    pub passes: u64,
    /// Which loop stands outside.
    pub order: LoopOrder,
    /// Cycles of an event.
    pub event: u64,
    /// Cycles of a sweep over the neurons of a pass; none where it is left out.
    pub sweep: Option<u64>,
    /// True if a timestep without spikes has no sweep.
    pub skips_silence: bool,
    /// True if a sweep runs beside the events behind it.
    pub overlaps: bool,
    /// Beside events and sweeps: of the layer, of a pass, of a timestep, and of one with spikes.
    pub layer: u64,
    /// Cycles of a pass.
    pub pass: u64,
    /// Cycles of a timestep.
    pub timestep: u64,
    /// Cycles of a timestep with spikes.
    pub active_timestep: u64,
}

/// Time of a layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// From its start to the start of the next layer.
    pub total: u64,
    /// Cycles in which events are added, of the total.
    pub adding: u64,
    /// Cycles in which only neurons are swept, of the total.
    pub sweeping: u64,
}

impl<'a> Rounds<'a> {
    /// Spikes of timestep `t`, item by item. Where one frame stands for all timesteps, it is held once.
    pub(super) fn at(&self, t: usize) -> &'a [u32] {
        let held = self.spikes.len() / self.items.max(1);
        let t = if held == self.timesteps { t } else { 0 };
        self.spikes.get(t * self.items..(t + 1) * self.items).unwrap_or_default()
    }

    /// Events of timestep `t`.
    pub(super) fn events(&self, t: usize) -> u64 {
        self.at(t).iter().map(|&n| u64::from(n)).sum()
    }

    /// Cycles of the sweep behind timestep `t`.
    pub(super) fn sweep_of(&self, t: usize) -> u64 {
        let silent = self.skips_silence && self.events(t) == 0;
        self.sweep.filter(|_| !silent).unwrap_or(0)
    }

    /// Passes and timesteps in their order, each with how many passes go through the spikes without a pause.
    pub(super) fn order(&self) -> Vec<(u64, usize)> {
        match self.order {
            LoopOrder::ChannelsOutermost => {
                (0..self.passes).flat_map(|_| (0..self.timesteps).map(|t| (1, t))).collect()
            }
            LoopOrder::TimestepsOutermost => (0..self.timesteps).map(|t| (self.passes, t)).collect(),
        }
    }

    /// Cycles beside those of events and sweeps.
    pub(super) fn overheads(&self) -> u64 {
        let order = self.order();
        let active = order.iter().filter(|(_, t)| self.events(*t) > 0).count() as u64;
        let passes = match self.order {
            LoopOrder::ChannelsOutermost => self.passes,
            LoopOrder::TimestepsOutermost => self.passes * self.timesteps as u64,
        };
        self.layer + passes * self.pass + order.len() as u64 * self.timestep + active * self.active_timestep
    }

    /// Spikes that are given as lists, with so many cycles of sums that they reach beside those of events.
    pub fn given(&self, sums: u64) -> Span {
        let (mut adders, mut neurons, mut adding, mut sweeping) = (0_u64, 0_u64, 0, 0);
        for (passes, t) in self.order() {
            let events = passes * self.events(t) * self.event;
            let sweep = passes * self.sweep_of(t);
            adders = if self.overlaps { adders } else { adders.max(neurons) } + events;
            neurons = neurons.max(adders) + sweep;
            adding += events;
            sweeping += sweep;
        }
        let swept = adders.max(neurons) - adding;
        let adding = adding + sums;
        Span { total: swept + adding + self.overheads(), adding, sweeping: sweeping.min(swept) }
    }

    /// Spikes that are found once, before the first is added.
    pub fn once(&self, search: &Once, maps: usize, bits: usize) -> Span {
        let encoder = &search.encoder;
        let of_frame = encoder.silent_cycles(maps as u64, bits) + cycles(&search.timestep_cycles);
        let found = |t| of_frame + cycles(&encoder.spike_cycles) * self.events(t);
        let searching: u64 = (0..self.timesteps).map(found).sum();
        let least = cycles(&search.least_events);
        let events: u64 = (0..self.timesteps).map(|t| self.events(t).max(least)).sum();
        let passes = self.passes + cycles(&search.more_passes);
        let rounds = Self { passes, ..*self };
        let sweeping = rounds.order().iter().map(|&(passes, t)| passes * self.sweep_of(t)).sum();
        let adding = passes * events * self.event;
        Span { total: searching + adding + sweeping + rounds.overheads(), adding, sweeping }
    }
}

/// Cycles as a number.
pub(super) fn cycles(sourced: &Sourced<u32>) -> u64 {
    u64::from(sourced.value)
}
