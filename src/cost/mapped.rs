use std::sync::OnceLock;

use super::cost_model::run;
use super::mapper::{Choice, Mapper};
use super::pipeline::{overlap, period_cycles};
use super::prefetch::prefetch;
use super::{KnownPlans, LayerCost, Machine, less_room, residency};
use crate::error::Result;
use crate::exec::Activity;
use crate::hw::Hardware;
use crate::map::{FixedMapping, Home, OnChipBytes, Plan, Workload, occupancy};

/// A workload with the plan that was chosen for each layer.
#[derive(Debug, Clone, PartialEq)]
pub struct MappedWorkload {
    /// The workload.
    pub workload: Workload,
    /// One per layer.
    pub plans: Vec<Plan>,
    /// Per layer, true if its first weights fit beside what the layer before it keeps on chip.
    pub prefetched: Vec<bool>,
    /// Per map, where it is, or tiles of it where layers take turns.
    pub maps: Vec<Home>,
}

impl MappedWorkload {
    /// Chooses, per layer, the legal plan that `machine`'s objective likes best on the `samples`,
    /// and the placement of the timesteps for all layers together.
    ///
    /// # Errors
    /// If no plan is legal.
    pub fn best(workload: Workload, machine: &Machine, samples: &[Activity]) -> Result<Self> {
        Self::best_of(workload, machine, samples, None)
    }

    /// The best plans of `workload` among those that the mapping `fixed` leaves open.
    ///
    /// # Errors
    /// If no plan is legal, or none is as `fixed` wants it.
    pub fn best_of(
        workload: Workload,
        machine: &Machine,
        samples: &[Activity],
        fixed: Option<&FixedMapping>,
    ) -> Result<Self> {
        Self::best_with(workload, machine, samples, fixed, None)
    }

    /// The plans of [`Self::best_of`], sooner: `known` holds plans that were chosen on this machine at these samples
    /// before, and learns those that are chosen now.
    ///
    /// # Errors
    /// Those of [`Self::best_of`].
    pub fn best_knowing(
        workload: Workload,
        machine: &Machine,
        samples: &[Activity],
        fixed: Option<&FixedMapping>,
        known: &KnownPlans,
    ) -> Result<Self> {
        Self::best_with(workload, machine, samples, fixed, Some(known))
    }

    fn best_with(
        workload: Workload,
        machine: &Machine,
        samples: &[Activity],
        fixed: Option<&FixedMapping>,
        known: Option<&KnownPlans>,
    ) -> Result<Self> {
        let fixed = fixed.map(|fixed| fixed.on(&workload, &machine.hardware)).transpose()?;
        let fixed = fixed.as_ref();
        let placements = machine.hardware.placements.iter();
        let placements = placements.filter(|&&p| fixed.is_none_or(|fixed| fixed.allows(p)));
        let known = known.map(|known| known.of(&workload));
        let known = known.as_deref();
        let mut best: Option<Choice> = None;
        let mut refusal = None;
        for &placement in placements {
            let least = &workload.layers.iter().map(|_| OnceLock::new()).collect::<Vec<_>>();
            let mapper = Mapper { workload: &workload, machine, samples, placement, fixed, known, least };
            if best.as_ref().is_some_and(|best| !residency::may_beat(&mapper, best.score)) {
                continue;
            }
            match less_room::choose(&mapper) {
                Ok(choice) if best.as_ref().is_none_or(|best| choice.score < best.score) => {
                    best = Some(choice)
                }
                Ok(_) => {}
                Err(e) => _ = refusal.get_or_insert(e),
            }
        }
        match (best, refusal) {
            (Some(Choice { plans, prefetched, maps, .. }), _) => {
                Ok(Self { workload, plans, prefetched, maps })
            }
            (None, Some(refusal)) => Err(refusal),
            (None, None) => unreachable!("a hardware description has at least one placement"),
        }
    }

    /// All of it as a file that fixes it, on `hardware`.
    pub fn fixed(&self, hardware: &Hardware) -> FixedMapping {
        FixedMapping::of(&self.workload, hardware, &self.plans, &self.maps)
    }

    /// What each on-chip memory of `hardware` holds while each layer runs.
    pub fn occupancy(&self, hardware: &Hardware) -> Vec<Vec<OnChipBytes>> {
        occupancy(&self.workload, hardware, &self.plans, &self.prefetched)
    }

    /// Cost of every layer for one image, of a batch of such.
    pub fn costs(&self, machine: &Machine, activity: &Activity) -> Vec<LayerCost> {
        let layers = self.workload.layers.iter().zip(&self.plans);
        let mut costs: Vec<LayerCost> =
            layers.map(|(layer, plan)| run(&self.workload, layer, plan, activity).cost(machine)).collect();
        prefetch(&self.prefetched, &mut costs, machine);
        overlap(&self.workload, &self.plans, &mut costs, machine);
        costs
    }

    /// Cycles from one image to the next, of whose layers [`Self::costs`] are the costs.
    pub fn period_cycles(&self, costs: &[LayerCost], machine: &Machine) -> f64 {
        period_cycles(&self.workload, &self.plans, costs, machine)
    }
}
