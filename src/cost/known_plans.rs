//! What is known of plans on one machine and the same samples: neighbours in a search share nearly all of their layers.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::front::Fronts;
use super::prefetch::Outline;
use crate::map::{Layer, Plan, Workload};

/// What is known of all layers that were mapped before.
#[derive(Debug, Default)]
pub struct KnownPlans(Mutex<HashMap<usize, Variants>>);

/// A layer of a network at several settings.
#[derive(Debug, Default)]
struct Variants {
    known: Vec<Arc<KnownLayer>>,
    lists: Arc<Lists>,
}

type List = Arc<[Plan]>;

/// Lists of plans, each once: they are long, and most settings of a layer have the same choices.
#[derive(Debug, Default)]
struct Lists(Mutex<Vec<List>>);

/// What is known of a layer.
#[derive(Debug)]
pub struct KnownLayer {
    layer: Layer,
    /// The best of some plans.
    pub fronts: ByPlans<Fronts>,
    /// The least that each of the ways to compute it costs.
    pub ways: ByPlans<Vec<Outline>>,
    /// The least that it costs unhindered.
    pub least: ByPlans<Outline>,
    costs: Mutex<HashMap<[u64; 2], Outline>>,
}

/// What is known by lists of plans.
#[derive(Debug)]
pub struct ByPlans<T> {
    known: Mutex<Vec<(List, Arc<T>)>>,
    lists: Arc<Lists>,
}

impl KnownPlans {
    /// What is known of each layer of `workload`, now and from now on.
    pub(super) fn of(&self, workload: &Workload) -> Vec<Arc<KnownLayer>> {
        let mut known = locked(&self.0);
        let of_layer = |(number, layer): (usize, &Layer)| {
            let Variants { known, lists } = known.entry(number).or_default();
            let found = known.iter().find(|known| known.layer == *layer).cloned();
            found.unwrap_or_else(|| {
                let unknown = Arc::new(KnownLayer::new(layer.clone(), lists));
                known.push(unknown.clone());
                unknown
            })
        };
        workload.layers.iter().enumerate().map(of_layer).collect()
    }
}

impl KnownLayer {
    fn new(layer: Layer, lists: &Arc<Lists>) -> Self {
        let (fronts, ways, least) = (ByPlans::new(lists), ByPlans::new(lists), ByPlans::new(lists));
        Self { layer, fronts, ways, least, costs: Mutex::default() }
    }

    /// What it costs by each of `plans`: as `computed` says of those that are not known.
    pub fn costs(&self, plans: &[Plan], computed: impl FnOnce(&[Plan]) -> Vec<Outline>) -> Vec<Outline> {
        let keys: Vec<[u64; 2]> = plans.iter().map(key).collect();
        let known: Vec<Option<Outline>> = {
            let costs = locked(&self.costs);
            keys.iter().map(|key| costs.get(key).copied()).collect()
        };
        let is_new = |i: &usize| known[*i].is_none();
        let missing: Vec<usize> = (0..plans.len()).filter(is_new).collect();
        if missing.is_empty() {
            return known.into_iter().flatten().collect();
        }
        // Not under the lock: another thread may look for other plans meanwhile.
        let found = computed(&missing.iter().map(|&i| plans[i]).collect::<Vec<_>>());
        let mut costs = locked(&self.costs);
        costs.extend(missing.iter().map(|&i| keys[i]).zip(found.iter().copied()));
        let mut found = found.into_iter();
        known.into_iter().filter_map(|cost| cost.or_else(|| found.next())).collect()
    }
}

impl<T> ByPlans<T> {
    fn new(lists: &Arc<Lists>) -> Self {
        Self { known: Mutex::default(), lists: lists.clone() }
    }

    /// What is known of `plans`: what `find` finds where nothing is.
    pub fn get(&self, plans: &[Plan], find: impl FnOnce() -> T) -> Arc<T> {
        if let Some((_, known)) = locked(&self.known).iter().find(|(known, _)| **known == *plans) {
            return known.clone();
        }
        let found = Arc::new(find());
        locked(&self.known).push((self.lists.once(plans), found.clone()));
        found
    }
}

impl Lists {
    /// The list of `plans`.
    fn once(&self, plans: &[Plan]) -> List {
        let mut lists = locked(&self.0);
        let known = lists.iter().find(|list| ***list == *plans).cloned();
        known.unwrap_or_else(|| {
            lists.push(plans.into());
            lists[lists.len() - 1].clone()
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All of `plan` that decides what a layer costs, in 128 bits: a plan takes six times as much, a search meets millions of
/// them, and of a million no two share a key but with a chance of 10^-27.
fn key(plan: &Plan) -> [u64; 2] {
    // Other layers that take turns and what stays beside them need room, which legal plans have.
    let Plan { group: _, activations, residual, .. } = *plan;
    [0_u8, 1].map(|seed| {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        (plan.unit, plan.dataflow, plan.lanes, plan.placement, plan.recompute).hash(&mut hasher);
        (plan.channels, plan.order, plan.resident_channels, plan.home).hash(&mut hasher);
        for passage in [activations, residual] {
            let shares = passage.map(|passage| [passage.input, passage.read, passage.written]);
            let bits = shares.map(|shares| shares.map(|s| [s.behind.to_bits(), s.off_chip.to_bits()]));
            bits.hash(&mut hasher);
        }
        hasher.finish()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hw::{Hardware, Operand, Placement};
    use crate::map::{Farther, Group, Home, Passage};

    /// Room that layers beside need is no part of what a layer costs; where its operands live is.
    #[test]
    fn keys_are_of_what_decides_the_cost() {
        let hardware = Hardware::load("edge-28").unwrap().0;
        let plan = Plan::least(&hardware, Placement::Innermost);
        let group = Some(Group { first: 3, layers: 2, beside_bits: 64.0 });
        assert_eq!(key(&plan), key(&Plan { group, ..plan }));
        let mut home = plan.home;
        home[Operand::Membranes] = Home::OffChip;
        let half = Farther { behind: 0.0, off_chip: 0.5 };
        let read = Some(Passage { read: half, ..Passage::default() });
        let written = Some(Passage { written: half, ..Passage::default() });
        let others = [
            Plan { home, ..plan },
            Plan { channels: plan.channels + 1, ..plan },
            Plan { resident_channels: 1, ..plan },
            Plan { activations: read, ..plan },
            Plan { activations: written, ..plan },
            Plan { residual: read, ..plan },
        ];
        let keys: Vec<[u64; 2]> = others.iter().map(key).collect();
        assert!((0..keys.len()).all(|i| keys[i] != key(&plan) && !keys[..i].contains(&keys[i])));
    }
}
