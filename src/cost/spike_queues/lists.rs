//! Lists of the spikes of a map, which are made while adders take the one before.

use std::ops::Range;

use super::rounds::{Rounds, Span};
use crate::hw::{Done, DuringSweep, Lists, LoopOrder};

impl Rounds<'_> {
    /// Spikes of `bits` a map that come as lists, map by map.
    pub fn lists(&self, search: &Lists, bits: usize) -> Span {
        let mut state = ListState::new(self, search, bits);
        for (passes, t) in self.order() {
            for _ in 0..passes {
                self.at(t).iter().for_each(|&spikes| state.map(u64::from(spikes)));
                state.sweep(self.sweep_of(t));
            }
            state.clock += self.timestep + if self.events(t) > 0 { self.active_timestep } else { 0 };
            let last = t + 1 == self.timesteps;
            if last || self.order == LoopOrder::TimestepsOutermost {
                state.clock += passes * self.pass;
            }
        }
        state.span()
    }
}

/// The search that makes lists, and the adders that take them.
struct ListState<'a> {
    search: &'a Lists,
    /// Cycles of a map without spikes, and of each of its spikes.
    map: u64,
    event: u64,
    /// The cycle that the search has come to.
    clock: u64,
    /// The first cycle in which adders are idle.
    idle: u64,
    /// The first cycle in which the search knows that they were idle.
    noticed: u64,
    /// Sweeps that began with idle adders, during which lists are lost.
    losing: Range<u64>,
    adding: u64,
    sweeping: u64,
}

impl<'a> ListState<'a> {
    fn new(rounds: &Rounds<'_>, search: &'a Lists, bits: usize) -> Self {
        let map = search.encoder.silent_cycles(1, bits);
        let (event, clock) = (rounds.event, rounds.layer);
        Self { search, map, event, clock, idle: 0, noticed: 0, losing: 0..0, adding: 0, sweeping: 0 }
    }

    /// Searches a map, and hands its list over.
    fn map(&mut self, spikes: u64) {
        self.clock += self.map + u64::from(self.search.encoder.spike_cycles.value) * spikes;
        if spikes > 0 {
            if !self.losing.contains(&self.clock) {
                let begins = self.clock.max(self.idle);
                let adding = spikes * self.event;
                self.clock = self.clock.max(self.noticed);
                self.idle = begins + u64::from(self.search.idle_cycles.value) + adding;
                self.noticed = self.idle + u64::from(self.search.notice_cycles.value);
                self.adding += adding;
            }
            self.clock += u64::from(self.search.hand_over_cycles.value);
        }
        self.clock += u64::from(self.search.next_cycles.value);
    }

    /// Sweeps over neurons behind the last map of a timestep.
    fn sweep(&mut self, cycles: u64) {
        if cycles == 0 {
            return;
        }
        let was_idle = self.idle <= self.clock;
        let begins = self.idle.max(self.clock + u64::from(self.search.idle_cycles.value));
        self.idle = begins + cycles;
        self.sweeping += cycles;
        if was_idle && self.search.during_sweep.value == DuringSweep::IsLost {
            self.losing = begins..self.idle;
        } else {
            self.noticed = self.idle + u64::from(self.search.notice_cycles.value);
        }
    }

    /// What runs beside the next layer is not this one's time: of neurons first.
    fn span(self) -> Span {
        let told = self.clock + u64::from(self.search.done_cycles.value);
        let total = match self.search.done.value {
            Done::HandedOver => told,
            Done::Drained => told.max(self.idle),
        };
        let beside = self.idle.saturating_sub(total);
        let adding = self.adding - beside.saturating_sub(self.sweeping).min(self.adding);
        let sweeping = self.sweeping.saturating_sub(beside).min(total.saturating_sub(adding));
        Span { total, adding: adding.min(total), sweeping }
    }
}
