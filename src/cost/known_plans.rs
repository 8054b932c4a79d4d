use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::front::Fronts;
use crate::map::{Layer, Plan};

/// The best plans of layers that were tried before, on one machine and the same samples: neighbours in a search share
/// nearly all of their layers.
#[derive(Debug, Default)]
pub struct KnownPlans(Mutex<HashMap<usize, Vec<Known>>>);

#[derive(Debug)]
struct Known {
    layer: Layer,
    choices: Vec<Plan>,
    fronts: Arc<Fronts>,
}

impl KnownPlans {
    /// The best of `choices` for `layer`, number `index` of its network: as `best` says where they are not known.
    pub(super) fn fronts(
        &self,
        index: usize,
        layer: &Layer,
        choices: &[Plan],
        best: impl FnOnce() -> Fronts,
    ) -> Arc<Fronts> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |known: &&Known| known.layer == *layer && known.choices == choices;
        if let Some(known) = lock().get(&index).and_then(|known| known.iter().find(same)) {
            return known.fronts.clone();
        }
        // Not under the lock: another thread may look for another layer meanwhile.
        let fronts = Arc::new(best());
        let known = Known { layer: layer.clone(), choices: choices.to_vec(), fronts: fronts.clone() };
        lock().entry(index).or_default().push(known);
        fronts
    }
}
