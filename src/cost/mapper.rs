//! What plans of layers cost, one by one and together.

use std::sync::{Arc, OnceLock};

use super::front::{Front, Fronts};
use super::known_plans::KnownLayer;
use super::least_costs::least_costs;
use super::prefetch::Outline;
use super::{Machine, plan_costs};
use crate::exec::Activity;
use crate::hw::{Objective, Operand, Placement};
use crate::map::{
    Home, Plan, Residents, Wishes, Workload, placed, prefetched, resident_candidates, stream_buffer_bits,
    ways,
};

/// Factor of bounds: sums in another order differ in their last digits.
pub const SLACK: f64 = 1.0 - 1e-9;

/// Plans of all layers, and what the objective makes of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// One per layer.
    pub plans: Vec<Plan>,
    /// Per layer, true if its first weights come while the layer before it runs.
    pub prefetched: Vec<bool>,
    /// Per map, where it is.
    pub maps: Vec<Home>,
    /// Less is better.
    pub score: f64,
}

/// A network that is laid onto a machine with the loop over timesteps at one place.
pub struct Mapper<'a> {
    /// The network.
    pub workload: &'a Workload,
    /// The machine.
    pub machine: &'a Machine,
    /// What was executed.
    pub samples: &'a [Activity],
    /// Where the loop over timesteps stands.
    pub placement: Placement,
    /// What a file fixes.
    pub fixed: Option<&'a Wishes>,
    /// Per layer, what is known of its plans, where there is something to learn for.
    pub known: Option<&'a [Arc<KnownLayer>]>,
    /// Per layer, the least that it costs in each of the [ways] to compute it, once that was asked.
    pub least: &'a [OnceLock<Arc<Vec<Outline>>>],
}

/// Plans of one layer, and what the best of them cost.
pub struct Tried {
    /// All of them.
    pub plans: Vec<Plan>,
    /// Room for weights that pass through, of each plan.
    pub buffer_bits: Vec<f64>,
    /// The best of them.
    pub fronts: Arc<Fronts>,
}

/// A plan of a layer with what it costs.
#[derive(Debug, Clone, Copy)]
pub struct Running {
    /// The plan.
    pub plan: Plan,
    /// What it costs.
    pub cost: Outline,
}

impl Mapper<'_> {
    /// Finds the best of `plans` of layer number `layer`.
    pub fn try_all(&self, layer: usize, plans: Vec<Plan>) -> Tried {
        let described = &self.workload.layers[layer];
        let buffer = |plan| stream_buffer_bits(plan, described, &self.machine.hardware);
        let buffer_bits: Vec<f64> = plans.iter().map(buffer).collect();
        let best = || self.fronts(&self.computed(layer, &plans), &buffer_bits);
        let fronts = match self.known {
            Some(known) => known[layer].fronts.get(&plans, best),
            None => Arc::new(best()),
        };
        Tried { plans, buffer_bits, fronts }
    }

    /// The best of plans that cost `costs` and need buffers of `buffer_bits`.
    pub fn fronts(&self, costs: &[Outline], buffer_bits: &[f64]) -> Fronts {
        let front = |early| Front::new(costs, buffer_bits, |cost| self.score_where(early, cost));
        Fronts { alone: front(false), early: front(true) }
    }

    /// Costs of layer number `layer` by each of `plans`, all samples together.
    pub fn costs(&self, layer: usize, plans: &[Plan]) -> Vec<Outline> {
        match self.known {
            Some(known) => known[layer].costs(plans, |plans| self.computed(layer, plans)),
            None => self.computed(layer, plans),
        }
    }

    fn computed(&self, layer: usize, plans: &[Plan]) -> Vec<Outline> {
        let Self { workload, machine, .. } = *self;
        let mut sums = vec![Outline::default(); plans.len()];
        for activity in self.samples {
            let costs = plan_costs(workload, &workload.layers[layer], plans, machine, activity, Outline::of);
            sums.iter_mut().zip(&costs).for_each(|(sum, cost)| sum.add(cost));
        }
        sums
    }

    /// Layer number `layer` by `plan`.
    pub fn running(&self, layer: usize, plan: Plan) -> Running {
        Running { plan, cost: self.costs(layer, &[plan])[0] }
    }

    /// The best plan of layer number `layer` where all its weights stay, while others do not.
    pub fn resident(&self, layer: usize) -> Option<Running> {
        let Self { workload, machine, placement, fixed, .. } = *self;
        let plans = resident_candidates(layer, workload, &machine.hardware, placement, fixed).ok()?;
        let tried = self.try_all(layer, plans);
        let best = tried.fronts.alone.best(f64::INFINITY)?;
        let plan = tried.plans[best.plan];
        debug_assert!(!plan.is_off_chip(Operand::Weights));
        Some(Running { plan, cost: best.cost })
    }

    /// Numbers of the ways to compute layer number `layer`, and a score that no plan of each is below: the least first.
    pub fn promising_ways(&self, layer: usize) -> Vec<(usize, f64)> {
        let Self { workload, machine, samples, placement, fixed, .. } = *self;
        let least = self.least[layer].get_or_init(|| {
            let ways = ways(layer, workload, &machine.hardware, placement, fixed);
            let least = || least_costs(workload, &workload.layers[layer], &ways, machine, samples);
            match self.known {
                Some(known) => known[layer].ways.get(&ways, least),
                None => Arc::new(least()),
            }
        });
        let scores = least.iter().map(|cost| self.score(cost) * SLACK);
        let mut ways: Vec<(usize, f64)> = scores.enumerate().collect();
        ways.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        ways
    }

    /// Output channels of layer number `layer` that a file wants to stay on chip for good.
    pub fn resident_channels(&self, layer: usize) -> Option<usize> {
        self.fixed?.resident_channels(layer)
    }

    /// `running` of layer number `layer` beside `residents`: what shares a memory with weights that stay may have no room
    /// there. `None` if the machine has none at all.
    pub fn beside(&self, running: Running, layer: usize, residents: &Residents) -> Option<Running> {
        if self.weights_are_alone() {
            return Some(running);
        }
        let there =
            placed(running.plan, layer, self.workload, &self.machine.hardware, self.fixed, residents)?;
        Some(if there == running.plan { running } else { self.running(layer, there) })
    }

    /// True if memories of weights hold nothing else.
    pub fn weights_are_alone(&self) -> bool {
        let machine = self.machine;
        let alone = |&memory: &usize| machine.hardware.memories[memory].holds == [Operand::Weights];
        alone(&machine.inner[Operand::Weights]) && machine.behind[Operand::Weights].iter().all(alone)
    }

    /// What the objective makes of `cost`: less is better.
    pub fn score(&self, cost: &Outline) -> f64 {
        self.machine.score(cost.cycles, cost.energy_j)
    }

    /// What it makes of it, `early` where the first weights come while the layer before runs.
    pub fn score_where(&self, early: bool, cost: &Outline) -> f64 {
        if early { self.score(&cost.least(self.machine)) } else { self.score(cost) }
    }

    /// How much better the score of the `whole` network gets, in small steps, where `after` takes the place of
    /// `before`.
    pub fn gain(&self, whole: &Outline, before: &Outline, after: &Outline) -> f64 {
        let machine = self.machine;
        let leakage_j = |cycles: f64| machine.leakage_w * machine.seconds(cycles);
        let fewer_cycles = before.cycles - after.cycles;
        let less_j = before.energy_j - after.energy_j + leakage_j(fewer_cycles);
        match machine.hardware.objective {
            Objective::Energy => less_j,
            Objective::Latency => fewer_cycles,
            Objective::EnergyDelay => {
                less_j / (whole.energy_j + leakage_j(whole.cycles)) + fewer_cycles / whole.cycles
            }
        }
    }

    /// The network with its layers as they run.
    pub fn finish(&self, layers: &[Running]) -> Choice {
        let plans: Vec<Plan> = layers.iter().map(|layer| layer.plan).collect();
        let prefetched = prefetched(self.workload, &self.machine.hardware, &plans);
        let (mut all, mut before) = (Outline::default(), Outline::default());
        for (layer, &comes) in layers.iter().zip(&prefetched) {
            before = if comes { layer.cost.early(&before, self.machine) } else { layer.cost };
            all = all.then(&before);
        }
        let maps = vec![Home::default(); self.workload.maps.len()];
        Choice { plans, prefetched, maps, score: self.score(&all) }
    }
}
