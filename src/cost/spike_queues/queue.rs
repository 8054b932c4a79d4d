//! A queue of spikes between a search and adders, and what writes their sums.

use std::collections::VecDeque;

use super::rounds::{Rounds, Span, cycles};
use super::weights::{Halves, Streamed};
use crate::hw::Queue;

impl Rounds<'_> {
    /// Spikes that pass one by one through a queue, position by position.
    pub fn queue(&self, search: &Queue, streamed: Option<Streamed<'_>>) -> Span {
        let (mut total, mut sweeping, mut adding) = (self.overheads(), 0, 0);
        for (passes, t) in self.order() {
            let halves = streamed.map(|streamed| Halves::new(streamed, passes, t == 0));
            total += QueueState::new(search, self.event).run(self.at(t), passes, halves);
            sweeping += passes * self.sweep_of(t);
            adding += passes * self.events(t) * self.event;
        }
        Span { total: total + sweeping, adding, sweeping }
    }
}

/// A search, a queue of spikes, adders, and what writes their sums.
struct QueueState<'a> {
    search: &'a Queue,
    event: u64,
    /// When each of the last spikes left the queue, as many as it holds.
    left: VecDeque<u64>,
    /// When sums of the last positions began to be written, as many as may wait.
    written: VecDeque<u64>,
    /// The first cycle in which adders take a spike.
    ready: u64,
}

impl<'a> QueueState<'a> {
    fn new(search: &'a Queue, event: u64) -> Self {
        Self { search, event, left: VecDeque::new(), written: VecDeque::new(), ready: 0 }
    }

    /// Cycles until all sums of `passes` over `parts` are written, which wait for weights that come in `halves`.
    fn run(mut self, parts: &[u32], passes: u64, mut halves: Option<Halves<'_>>) -> u64 {
        let search = self.search;
        let group = search.parts();
        let reads = cycles(&search.group) * cycles(&search.read_cycles) + cycles(&search.group_cycles);
        let mut clock = 0;
        for pass in 0..passes {
            if let Some(halves) = &mut halves {
                self.ready = self.ready.max(halves.come(pass, self.ready));
            }
            for parts in parts.chunks(group) {
                clock += reads;
                for (number, &spikes) in parts.iter().enumerate() {
                    let is_common = parts.len() > 1 && number == 0;
                    let starts_from_common = number > 0 && parts[0] > 0;
                    clock = self.part(clock, u64::from(spikes), is_common, starts_from_common);
                }
                clock += cycles(&search.next_cycles);
            }
        }
        let written = self.written.back().map_or(0, |begins| begins + cycles(&search.write_cycles));
        clock.max(written)
    }

    /// The first cycle in which the queue has room for one more spike.
    fn has_room(&self) -> u64 {
        let full = self.left.len() as u64 == u64::from(self.search.spikes.value);
        if full { self.left[0] + 1 } else { 0 }
    }

    /// Notes that a spike leaves the queue at `cycle`.
    fn leaves(&mut self, cycle: u64) {
        if self.left.len() as u64 == u64::from(self.search.spikes.value) {
            self.left.pop_front();
        }
        self.left.push_back(cycle);
    }

    /// Goes through a part from cycle `clock` on, and returns the cycle of the next one. A position without spikes of
    /// its own that starts from what its group has in common takes the time of one.
    fn part(&mut self, clock: u64, spikes: u64, is_common: bool, starts_from_common: bool) -> u64 {
        let search = self.search;
        let checked = clock + cycles(&search.part_cycles);
        if spikes == 0 {
            let room = self.has_room();
            if starts_from_common {
                let enters = clock.max(room);
                self.add(enters, 1, is_common);
            }
            return checked.max(room + cycles(&search.part_cycles));
        }
        let mut enters = checked.max(self.has_room()) + cycles(&search.first_cycles);
        let first = self.ready.max(enters + cycles(&search.queue_cycles));
        self.leaves(first);
        for number in 1..spikes {
            enters = (enters + 1).max(self.has_room());
            self.leaves(first + number * self.event);
        }
        self.finish(first, spikes, is_common);
        enters + cycles(&search.last_cycles)
    }

    /// Adds `spikes` of which the first one enters the queue at `enters`.
    fn add(&mut self, enters: u64, spikes: u64, is_common: bool) {
        let first = self.ready.max(enters + u64::from(self.search.queue_cycles.value));
        self.leaves(first);
        self.finish(first, spikes, is_common);
    }

    /// Hands the sums of a part on whose first spike left the queue at `first`.
    fn finish(&mut self, first: u64, spikes: u64, is_common: bool) {
        let search = self.search;
        let settled = first + spikes * self.event + cycles(&search.settle_cycles);
        let least = if is_common { 0 } else { first + cycles(&search.least_cycles) };
        let full = self.written.len() as u64 == cycles(&search.waiting);
        let room = if full { self.written[0] + 1 } else { 0 };
        let sums = settled.max(least).max(room);
        if !is_common {
            let writer = self.written.back().map_or(0, |begins| begins + cycles(&search.write_cycles));
            if full {
                self.written.pop_front();
            }
            self.written.push_back(writer.max(sums + 1));
        }
        self.ready = sums + cycles(&search.resume_cycles);
    }
}
