//! The time of units: what they do with it, and what they wait for, by name.

use std::fmt;

use serde::Serialize;

use crate::cost::{Machine, MappedWorkload, Place, Stall, Stalls, WorkCycles};
use crate::hw::{Hardware, Unit, Work};

/// Cycles that units wait for one memory, per inference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StallEvaluation {
    /// Name of the memory, or `DRAM`.
    pub memory: String,
    /// `read` or `write`.
    pub direction: &'static str,
    /// The part of the cycles that they are of.
    pub part: &'static str,
    /// How long.
    pub cycles: f64,
}

impl fmt::Display for StallEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?} ({})", self.memory, self.direction, self.cycles, self.part)
    }
}

impl StallEvaluation {
    /// All waits in `stalls` by the names of `hardware`, the longest first.
    pub fn all(stalls: &Stalls, hardware: &Hardware) -> Vec<Self> {
        let named = |stall: &Stall| Self {
            memory: match stall.memory {
                Place::OnChip(number) => hardware.memories[number].name.clone(),
                Place::OffChip => "DRAM".to_owned(),
            },
            direction: stall.direction.name(),
            part: stall.part.name(),
            cycles: stall.cycles,
        };
        let mut all: Vec<Self> = stalls.iter().map(named).collect();
        all.sort_by(|a, b| b.cycles.total_cmp(&a.cycles));
        all
    }

    /// Sums over the parts, the longest first.
    pub(crate) fn by_memory(stalls: &[Self]) -> Vec<Self> {
        let mut sums: Vec<Self> = Vec::new();
        for stall in stalls {
            let known =
                sums.iter_mut().find(|s| (&s.memory, s.direction) == (&stall.memory, stall.direction));
            match known {
                Some(sum) => sum.cycles += stall.cycles,
                None => sums.push(Self { part: "all", ..stall.clone() }),
            }
        }
        sums.sort_by(|a, b| b.cycles.total_cmp(&a.cycles));
        sums
    }
}

/// What a unit does of one kind of work, per inference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnitEvaluation {
    /// Name of the unit.
    pub unit: String,
    /// The work.
    pub work: &'static str,
    /// Operations divided by all lanes of the unit.
    pub ideal_cycles: f64,
    /// Cycles that it is busy with it.
    pub busy_cycles: f64,
    /// Ideal cycles divided by those of the network.
    pub utilisation: f64,
    /// Busy cycles divided by those of the network.
    pub busy_share: f64,
}

/// What one unit, or all units of a layer, did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Worked {
    /// Operations divided by lanes.
    pub ideal: WorkCycles,
    /// How long units were busy.
    pub busy: WorkCycles,
}

impl Worked {
    /// Adds what `part` picks of `other`.
    fn add(&mut self, mut other: Self, part: impl Fn(&mut WorkCycles) -> &mut f64) {
        *part(&mut self.ideal) += *part(&mut other.ideal);
        *part(&mut self.busy) += *part(&mut other.busy);
    }
}

impl UnitEvaluation {
    /// Every unit of `machine` with every kind of work that it did, where the layers of `mapped` `worked` so in
    /// `total_cycles`.
    pub(super) fn all(
        machine: &Machine,
        mapped: &MappedWorkload,
        worked: impl Iterator<Item = Worked>,
        total_cycles: f64,
    ) -> Vec<Self> {
        let hardware = &machine.hardware;
        let mut units = vec![Worked::default(); hardware.units.len()];
        for ((layer, plan), own) in mapped.workload.layers.iter().zip(&mapped.plans).zip(worked) {
            if let Some(product) = &layer.product {
                units[plan.unit].add(own, |cycles| cycles.of_products(product.input));
            }
            for work in Work::ALL {
                units[hardware.unit_of(plan.unit, work)].add(own, |cycles| cycles.of(work));
            }
        }
        let of_unit = |(unit, worked): (&Unit, Worked)| {
            let parts = WorkCycles::LABELS.iter().zip(worked.ideal.parts()).zip(worked.busy.parts());
            let evaluation = |((&(_, work), ideal_cycles), busy_cycles)| Self {
                unit: unit.datapath().name().to_owned(),
                work,
                ideal_cycles,
                busy_cycles,
                utilisation: ideal_cycles / total_cycles,
                busy_share: busy_cycles / total_cycles,
            };
            parts.filter(|(_, busy)| *busy > 0.0).map(evaluation).collect::<Vec<_>>()
        };
        hardware.units.iter().zip(units).flat_map(of_unit).collect()
    }
}
