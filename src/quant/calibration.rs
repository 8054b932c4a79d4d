use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{InputCoding, InputStatistics, WeightScheme};
use crate::model::NodeId;

/// Memory that the codes of layers which are kept may take.
const ROUNDED_BYTES: usize = 512 << 20;

/// A range that no requantizer finds too fine or too coarse.
const ANY_RANGE: f64 = 8.0;

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
    /// Layers that were rounded before; copies of a calibration share them.
    pub rounded: Arc<RoundedLayers>,
    /// True to keep layers whose weights are rounded one by one, too: for many settings that share layers.
    pub keeps_nearest: bool,
}

impl Calibration {
    /// Nothing seen yet.
    pub fn new(nodes: usize) -> Self {
        let coding = InputCoding::default();
        let (magnitude, inputs, rounded) = (vec![0.0; nodes], vec![None; nodes], Arc::default());
        Self { magnitude, inputs, coding, rounded, keeps_nearest: false }
    }

    /// For what does not depend on ranges: `ANY_RANGE` at every node.
    pub fn of_any_range(nodes: usize) -> Self {
        Self { magnitude: vec![ANY_RANGE; nodes], ..Self::new(nodes) }
    }

    /// For what depends on nothing but `ranges`, one per node.
    pub(crate) fn of_ranges(ranges: &[f64]) -> Self {
        Self { magnitude: ranges.to_vec(), ..Self::new(ranges.len()) }
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

/// Weights of a layer as they were rounded.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Codes of all rows.
    pub codes: Vec<i32>,
    /// The scale of each.
    pub lsbs: Vec<f64>,
    /// The scheme, at the base that was chosen.
    pub scheme: WeightScheme,
}

/// How the weights of a layer become codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Approach {
    /// One by one, of a layer that reads images as the coding says.
    Nearest(InputCoding),
    /// Weights of an output together, by moments of the inputs.
    Together {
        /// Whether the moments are centred.
        centred: bool,
    },
}

/// With the weights, and the statistics of inputs where they count, all that the codes of a layer depend on.
type Key = (NodeId, WeightScheme, Approach);

/// Layers that were rounded before. Neighbours in a search share nearly all of theirs.
#[derive(Debug, Default)]
pub struct RoundedLayers(Mutex<HashMap<Key, Arc<Rows>>>);

impl RoundedLayers {
    /// The rows of `key`, by `round` where they are not known.
    ///
    /// # Errors
    /// Those of `round`.
    pub(crate) fn get<E>(&self, key: Key, round: impl FnOnce() -> Result<Rows, E>) -> Result<Arc<Rows>, E> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rows) = lock().get(&key) {
            return Ok(Arc::clone(rows));
        }
        // Not under the lock: rounding runs on all threads, and another of them may ask meanwhile.
        let rows = Arc::new(round()?);
        let mut known = lock();
        let bytes = |rows: &Rows| size_of_val(&rows.codes[..]) + size_of_val(&rows.lsbs[..]);
        if known.values().map(|rows| bytes(rows)).sum::<usize>() + bytes(&rows) <= ROUNDED_BYTES {
            known.insert(key, Arc::clone(&rows));
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_rounded_once_per_scheme() {
        let rounded = RoundedLayers::default();
        let key = |bits, approach| (NodeId(3), WeightScheme::UnitFloor { bits }, approach);
        let scheme = WeightScheme::UnitFloor { bits: 4 };
        let rows = |code: i32| move || Ok::<_, ()>(Rows { codes: vec![code], lsbs: vec![1.0], scheme });
        let together = |centred| Approach::Together { centred };
        let nearest = |bits| Approach::Nearest(InputCoding::Fixed { bits, frac: 5 });
        for (i, approach) in [together(false), together(true), nearest(8), nearest(7)].into_iter().enumerate()
        {
            let code = i as i32;
            assert_eq!(rounded.get(key(4, approach), rows(code)).unwrap().codes, [code]);
            assert_eq!(rounded.get::<()>(key(4, approach), || panic!("known")).unwrap().codes, [code]);
            assert_eq!(rounded.get(key(3, approach), rows(code + 9)).unwrap().codes, [code + 9]);
        }
        assert_eq!(rounded.get(key(2, nearest(8)), || Err("refused")), Err("refused"));
    }
}
