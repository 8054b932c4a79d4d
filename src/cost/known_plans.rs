use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::LayerCost;
use crate::map::{Layer, Plan};

/// What plans of layers cost that were tried before, on one machine and the same samples: neighbours in a search share
/// nearly all of their layers.
#[derive(Debug, Default)]
pub struct KnownPlans(Mutex<HashMap<usize, Vec<Known>>>);

#[derive(Debug)]
struct Known {
    layer: Layer,
    choices: Vec<Plan>,
    costs: Arc<[LayerCost]>,
}

impl KnownPlans {
    /// What each of `choices` costs for `layer`, number `index` of its network: as `cost` says where it is not known.
    pub fn costs(
        &self,
        index: usize,
        layer: &Layer,
        choices: &[Plan],
        cost: impl Fn(&Plan) -> LayerCost,
    ) -> Arc<[LayerCost]> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |known: &&Known| known.layer == *layer && known.choices == choices;
        if let Some(known) = lock().get(&index).and_then(|known| known.iter().find(same)) {
            return known.costs.clone();
        }
        // Not under the lock: another thread may look for another layer meanwhile.
        let costs: Arc<[LayerCost]> = choices.iter().map(cost).collect();
        let known = Known { layer: layer.clone(), choices: choices.to_vec(), costs: costs.clone() };
        lock().entry(index).or_default().push(known);
        costs
    }
}
