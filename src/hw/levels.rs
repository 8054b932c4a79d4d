//! Chains of on-chip memories, from the one that feeds the units outward.

use super::machine::Hardware;
use super::memory::MemorySpec;
use super::operand::Operand;
use crate::error::Fault;

impl Hardware {
    /// The memory that feeds units with `operand`.
    pub fn memory(&self, operand: Operand) -> &MemorySpec {
        &self.memories[self.innermost(operand)]
    }

    /// Numbers of the memories that hold `operand`, from the one that feeds units outward.
    pub fn levels(&self, operand: Operand) -> impl Iterator<Item = usize> + Clone {
        std::iter::successors(Some(self.innermost(operand)), move |&inner| self.behind(inner, operand))
    }

    /// The level of weights that stay on chip where not all of them do: the largest memory that holds weights, of equals
    /// the nearest to units.
    pub(crate) fn level_of_residents(&self) -> u8 {
        let capacities =
            self.levels(Operand::Weights).map(|memory| self.memories[memory].capacity_bytes.value).zip(0..);
        let largest = capacities.reduce(|largest, next| if next.0 > largest.0 { next } else { largest });
        largest.map_or(0, |(_, level)| level)
    }

    /// Number of the memory that feeds units with `operand`.
    pub fn innermost(&self, operand: Operand) -> usize {
        let feeds_units = |memory: &MemorySpec| memory.feeds.is_empty() && memory.holds.contains(&operand);
        self.memories.iter().position(feeds_units).expect("checked when parsed")
    }

    /// The memory that feeds number `memory` with `operand`.
    fn behind(&self, memory: usize, operand: Operand) -> Option<usize> {
        let name = &self.memories[memory].name;
        self.memories.iter().position(|m| m.feeds.contains(name) && m.holds.contains(&operand))
    }

    /// Every operand has one chain of memories, from units outward, and every memory is of one.
    pub(super) fn check_levels(&self) -> Result<(), Fault> {
        self.memories.iter().try_for_each(|memory| self.check_feeds(memory))?;
        for operand in Operand::ALL {
            let feed_units = self.memories.iter().filter(|m| m.feeds.is_empty()).flat_map(|m| &m.holds);
            let homes = feed_units.filter(|&&held| held == operand).count();
            if homes != 1 {
                return Err(Fault::new(
                    "memories",
                    format!("{operand:?} is held {homes} times, expected once"),
                ));
            }
            let held = |memory: &&MemorySpec| memory.holds.contains(&operand);
            for memory in self.memories.iter().filter(held) {
                let feed_it = self.memories.iter().filter(held).filter(|m| m.feeds.contains(&memory.name));
                let names: Vec<_> = feed_it.map(|m| m.name.as_str()).collect();
                if names.len() > 1 {
                    let message =
                        format!("{} feed {} with {operand:?}: one may", names.join(" and "), memory.name);
                    return Err(Fault::new("memories", message));
                }
            }
        }
        Ok(())
    }

    /// What `memory` feeds is there, is not behind it, and holds what it holds.
    fn check_feeds(&self, memory: &MemorySpec) -> Result<(), Fault> {
        let wrong = |message: String| Err(Fault::new(format!("memories: {}: feeds", memory.name), message));
        if !memory.feeds.is_empty() && self.is_whole_chip() {
            return wrong(
                "a Processor or a ManyCore takes what it needs from one memory for each operand".to_owned(),
            );
        }
        let names: Vec<_> = self.memories.iter().map(|m| m.name.as_str()).collect();
        if let Some(unknown) = memory.feeds.iter().find(|fed| !names.contains(&fed.as_str())) {
            return wrong(format!("{unknown} is not one of {}", names.join(", ")));
        }
        if self.reach(memory).any(|fed| fed.name == memory.name) {
            return wrong("a loop: it feeds itself in the end".to_owned());
        }
        for operand in memory.holds.iter().filter(|_| !memory.feeds.is_empty()) {
            let fed = self.memories.iter().filter(|m| memory.feeds.contains(&m.name));
            let homes = fed.filter(|m| m.holds.contains(operand)).count();
            if homes != 1 {
                return wrong(format!("{operand:?} is held by {homes} of them, expected by one"));
            }
        }
        Ok(())
    }

    /// Memories that `memory` feeds, and that those feed, and so on, in as many steps as there are memories.
    fn reach<'a>(&'a self, memory: &'a MemorySpec) -> impl Iterator<Item = &'a MemorySpec> {
        let mut reached: Vec<&MemorySpec> = Vec::new();
        let mut last = vec![memory];
        while !last.is_empty() {
            let fed = |m: &&MemorySpec| last.iter().any(|from| from.feeds.contains(&m.name));
            let new: Vec<_> = self.memories.iter().filter(fed).collect();
            last = new.into_iter().filter(|m| reached.iter().all(|known| known.name != m.name)).collect();
            reached.extend(&last);
        }
        reached.into_iter()
    }
}
