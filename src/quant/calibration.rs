use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{InputCoding, InputStatistics, WeightScheme};
use crate::model::NodeId;

/// Memory that the codes of layers which were rounded together may take.
const ROUNDED_BYTES: usize = 512 << 20;

/// What a float run over calibration images saw, per node of the network.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// Largest magnitude that the node yielded.
    pub magnitude: Vec<f64>,
    /// What a weight layer read, in units of what its weights multiply, for the layers whose integers depend
    /// on it.
    pub inputs: Vec<Option<Arc<InputStatistics>>>,
    /// What the integers of an image were for `inputs`.
    pub coding: InputCoding,
    /// Layers that were rounded by `inputs`; copies of a calibration share them.
    pub rounded: Arc<RoundedLayers>,
}

impl Calibration {
    /// Nothing seen yet.
    pub fn new(nodes: usize) -> Self {
        let coding = InputCoding::default();
        Self { magnitude: vec![0.0; nodes], inputs: vec![None; nodes], coding, rounded: Arc::default() }
    }

    /// The larger of both magnitudes, node by node: independent of the order of merging.
    pub fn merge(mut self, other: &Self) -> Self {
        for (mine, theirs) in self.magnitude.iter_mut().zip(&other.magnitude) {
            *mine = mine.max(*theirs);
        }
        self
    }

    /// Forgets what inputs were like: from now on images are read as `coding` says.
    pub fn restart(&mut self, coding: InputCoding) {
        self.inputs.fill(None);
        self.coding = coding;
        self.rounded = Arc::default();
    }
}

/// Codes of a layer and the scale of each row.
pub type Rows = (Vec<i32>, Vec<f64>);

/// Layer, scheme, and whether its moments are centred: with the statistics of its inputs, all that
/// second-order rounding of a layer depends on.
type Key = (NodeId, WeightScheme, bool);

/// Layers that were rounded together before. Neighbours in a search share nearly all of theirs.
#[derive(Debug, Default)]
pub struct RoundedLayers(Mutex<HashMap<Key, Arc<Rows>>>);

impl RoundedLayers {
    /// The rows of `key`, by `round` where they are not known.
    pub fn get(&self, key: Key, round: impl FnOnce() -> Rows) -> Arc<Rows> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rows) = lock().get(&key) {
            return Arc::clone(rows);
        }
        // Not under the lock: rounding runs on all threads, and another of them may ask meanwhile.
        let rows = Arc::new(round());
        let mut known = lock();
        let bytes = |rows: &Rows| size_of_val(&rows.0[..]) + size_of_val(&rows.1[..]);
        if known.values().map(|rows| bytes(rows)).sum::<usize>() + bytes(&rows) <= ROUNDED_BYTES {
            known.insert(key, Arc::clone(&rows));
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_rounded_once_per_scheme() {
        let rounded = RoundedLayers::default();
        let key = |bits, centred| (NodeId(3), WeightScheme::UnitFloor { bits }, centred);
        let rows = |code: i32| move || (vec![code], vec![1.0]);
        assert_eq!(rounded.get(key(4, false), rows(1)).0, [1]);
        assert_eq!(rounded.get(key(4, false), || panic!("known")).0, [1]);
        assert_eq!(rounded.get(key(3, false), rows(2)).0, [2]);
        assert_eq!(rounded.get(key(4, true), rows(3)).0, [3]);
    }
}
