use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::LayerCost;
use crate::map::{Layer, Plan};

/// What was chosen for layers before, on one machine and the same samples: neighbours in a search share nearly
/// all of their layers.
#[derive(Debug, Default)]
pub struct KnownPlans(Mutex<HashMap<usize, Vec<Known>>>);

#[derive(Debug)]
struct Known {
    layer: Layer,
    choices: Vec<Plan>,
    best: (Plan, LayerCost),
}

impl KnownPlans {
    /// The best of `choices` for `layer`, number `index` of its network, and its cost: by `choose` where it is
    /// not known.
    pub fn get(
        &self,
        index: usize,
        layer: &Layer,
        choices: Vec<Plan>,
        choose: impl FnOnce(&[Plan]) -> (Plan, LayerCost),
    ) -> (Plan, LayerCost) {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |known: &&Known| known.layer == *layer && known.choices == choices;
        if let Some(known) = lock().get(&index).and_then(|known| known.iter().find(same)) {
            return known.best;
        }
        // Not under the lock: another thread may look for another layer meanwhile.
        let best = choose(&choices);
        lock().entry(index).or_default().push(Known { layer: layer.clone(), choices, best });
        best
    }
}
