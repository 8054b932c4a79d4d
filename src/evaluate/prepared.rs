//! Settings that are ready to be executed and charged.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::map::Workload;
use crate::quant::{Precision, QuantizedModel};

/// Memory that the codes of settings which are kept may take.
const KEPT_BYTES: usize = 512 << 20;

/// A network at one setting, as it is executed and charged.
#[derive(Debug)]
pub struct Prepared {
    /// Integers of the network; `None` of the float network.
    pub quantized: Option<QuantizedModel>,
    /// What it asks of any machine.
    pub workload: Workload,
}

impl Prepared {
    /// Memory of its codes, which are by far the most of it.
    fn bytes(&self) -> usize {
        let weighted = self.quantized.iter().flat_map(QuantizedModel::weighted);
        weighted.map(|(_, layer)| size_of_val(&layer.codes[..])).sum()
    }
}

/// The settings that were asked for last, by what they say.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    settings: HashMap<Precision, Entry>,
    /// Questions so far.
    asked: u64,
}

#[derive(Debug)]
struct Entry {
    prepared: Arc<Prepared>,
    bytes: usize,
    /// The number of the question that it last answered.
    last: u64,
}

impl Recent {
    /// What `precision` was prepared as, by `prepare` where that is not known.
    ///
    /// # Errors
    /// Those of `prepare`.
    pub fn get<E>(
        &self,
        precision: &Precision,
        prepare: impl FnOnce() -> Result<Prepared, E>,
    ) -> Result<Arc<Prepared>, E> {
        let key = precision.unnamed();
        if let Some(known) = self.lock().find(&key) {
            return Ok(known);
        }
        // Not under the lock: it runs on all threads, and another of them may ask meanwhile.
        let prepared = Arc::new(prepare()?);
        self.lock().keep(key, Arc::clone(&prepared), prepared.bytes(), KEPT_BYTES);
        Ok(prepared)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn find(&mut self, key: &Precision) -> Option<Arc<Prepared>> {
        self.asked += 1;
        let entry = self.settings.get_mut(key)?;
        entry.last = self.asked;
        Some(Arc::clone(&entry.prepared))
    }

    /// Keeps `prepared`, and of the others those that were asked for last, as far as all together take `most` bytes.
    fn keep(&mut self, key: Precision, prepared: Arc<Prepared>, bytes: usize, most: usize) {
        self.asked += 1;
        self.settings.insert(key, Entry { prepared, bytes, last: self.asked });
        while self.settings.len() > 1 && self.settings.values().map(|entry| entry.bytes).sum::<usize>() > most
        {
            let oldest = self.settings.values().map(|entry| entry.last).min();
            self.settings.retain(|_, entry| Some(entry.last) != oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load;
    use crate::quant::Setting;

    #[test]
    fn what_was_asked_for_last_is_kept() {
        let model = load::model("sdtv1_2-64_fashion").unwrap();
        let [a, b, c] = ["w8", "w4", "fp32"].map(|spec| Setting::load(spec).unwrap().precision);
        let prepared = Prepared { quantized: None, workload: Workload::float32(&model.network) };
        let prepared = Arc::new(prepared);
        let mut kept = Kept::default();
        kept.keep(a.clone(), Arc::clone(&prepared), 60, 100);
        kept.keep(b.clone(), Arc::clone(&prepared), 40, 100);
        assert!(kept.find(&a).is_some());
        kept.keep(c.clone(), Arc::clone(&prepared), 10, 100);
        assert_eq!([&a, &b, &c].map(|key| kept.find(key).is_some()), [true, false, true]);
        // One alone may be larger than all that is kept.
        kept.keep(b.clone(), prepared, 200, 100);
        assert_eq!([&a, &b, &c].map(|key| kept.find(key).is_some()), [false, true, false]);
    }
}
