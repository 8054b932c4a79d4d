//! Answers that are known already, by the hash of their setting; what is asked for the first time is asked
//! of the oracle and logged.

use std::collections::HashMap;
use std::time::Instant;

use rayon::prelude::*;

use super::drift::LayerDrift;
use super::log::{DataPart, Entry, Log, Logged};
use super::{Batch, Figures, Measured, Oracle, Promise};
use crate::error::{Error, Result};
use crate::quant::{Setting, WeightScheme};

/// A setting on a machine.
#[derive(Debug, Clone)]
pub struct Design {
    /// What names both.
    pub id: String,
    /// What names the setting.
    pub setting_id: String,
    /// The setting.
    pub setting: Setting,
    /// Number of the machine.
    pub machine: usize,
}

/// What a setting costs at the activity of the float network; nothing where the machine cannot run it.
pub type Estimate = Option<Figures>;

/// All that is known of one setting, or of one on a machine.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Batches from the first on.
    pub batches: Vec<Batch>,
    /// Seconds of each batch.
    pub batch_seconds: Vec<f64>,
    /// Costs at the activity of the float network.
    pub estimate: Option<Estimate>,
    /// Costs at its own activity on a few images, and seconds.
    pub own: Option<(Figures, f64)>,
    /// Drift per layer, images and seconds.
    pub drift: Option<(Vec<LayerDrift>, usize, f64)>,
    /// The whole validation set, and seconds.
    pub full: Option<(Measured, f64)>,
    /// All held-out validation images, and seconds.
    pub held_out: Option<(Batch, f64)>,
    /// All test images.
    pub on_test: Option<Measured>,
}

/// Validation images that no strategy looks at, and what is promised because of them.
#[derive(Clone, Copy)]
pub struct HeldOut<'a> {
    /// Who runs them.
    pub oracle: &'a dyn Oracle,
    /// What is to be promised.
    pub promise: Promise,
}

/// Shared by all strategies of a search.
pub struct Store<'a> {
    /// Who is asked.
    pub oracle: &'a dyn Oracle,
    /// Who verifies what was found.
    pub held_out: Option<HeldOut<'a>>,
    known: HashMap<String, Known>,
    /// What rounding to a scheme leaves of the weights of each layer.
    noise: HashMap<WeightScheme, Vec<f64>>,
    /// Accuracy of the float network on either part of the data.
    float: HashMap<DataPart, f64>,
    log: Option<&'a mut Log>,
    /// Seconds that the oracle took in this process.
    pub asked_seconds: f64,
}

impl<'a> Store<'a> {
    /// Knows nothing, and keeps what it learns to itself.
    pub fn new(oracle: &'a dyn Oracle) -> Self {
        let (known, noise, float) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { oracle, held_out: None, known, noise, float, log: None, asked_seconds: 0.0 }
    }

    /// Verifies what is found on `held_out`.
    pub fn promising(self, held_out: Option<HeldOut<'a>>) -> Self {
        Self { held_out, ..self }
    }

    /// Knows the `answers` of `log`, which grows by what it learns.
    ///
    /// # Errors
    /// Names the line of an answer that `oracle` cannot have given.
    pub fn logged(oracle: &'a dyn Oracle, answers: Vec<Logged>, log: &'a mut Log) -> Result<Self> {
        let mut store = Self::new(oracle);
        for Logged { line, entry } in answers {
            entry
                .check_against(oracle)
                .map_err(|fault| fault.at(format!("{}:{line}", log.path().display())))?;
            store.learn(entry);
        }
        store.log = Some(log);
        Ok(store)
    }

    fn learn(&mut self, entry: Entry) {
        match entry {
            Entry::Float { part, accuracy } => {
                self.float.insert(part, accuracy);
            }
            Entry::Batches { id, first: _, batches, seconds } => {
                let known = self.known.entry(id).or_default();
                let each = seconds / batches.len().max(1) as f64;
                known.batch_seconds.extend(batches.iter().map(|_| each));
                known.batches.extend(batches);
            }
            Entry::Charge { id, figures, seconds } => {
                self.known.entry(id).or_default().own = Some((figures, seconds));
            }
            Entry::Drift { id, layers, images, seconds } => {
                self.known.entry(id).or_default().drift = Some((layers, images, seconds));
            }
            Entry::Full { id, measured, seconds } => {
                self.known.entry(id).or_default().full = Some((measured, seconds));
            }
            Entry::HeldOut { id, batch, seconds } => {
                self.known.entry(id).or_default().held_out = Some((batch, seconds));
            }
            Entry::Final { id, measured } => self.known.entry(id).or_default().on_test = Some(measured),
            // How far a search looks is no answer.
            Entry::Extended { .. } => (),
        }
    }

    fn record(&mut self, entry: Entry) -> Result<()> {
        if let Some(log) = &mut self.log {
            log.append(&entry)?;
        }
        self.learn(entry);
        Ok(())
    }

    /// What is known of `id`.
    pub(crate) fn known(&self, id: &str) -> Option<&Known> {
        self.known.get(id)
    }

    /// Accuracy of the float network on `part`, which `run` finds out.
    pub(crate) fn float_accuracy(
        &mut self,
        part: DataPart,
        run: impl FnOnce() -> Result<f64>,
    ) -> Result<f64> {
        if let Some(&accuracy) = self.float.get(&part) {
            return Ok(accuracy);
        }
        let accuracy = run()?;
        self.record(Entry::Float { part, accuracy })?;
        Ok(accuracy)
    }

    /// Accuracy of the float network on the validation set.
    pub fn reference_accuracy(&mut self) -> Result<f64> {
        let oracle = self.oracle;
        self.float_accuracy(DataPart::Validation, || oracle.reference_accuracy())
    }

    /// A setting on all test images, which `run` finds out.
    pub(crate) fn on_test(&mut self, id: &str, run: impl FnOnce() -> Result<Measured>) -> Result<Measured> {
        if let Some(measured) = self.known.get(id).and_then(|known| known.on_test.as_ref()) {
            return Ok(measured.clone());
        }
        let measured = run()?;
        self.record(Entry::Final { id: id.to_owned(), measured: measured.clone() })?;
        Ok(measured)
    }

    /// Batches of a setting, as long as `more` answers true to the sum so far; returns how many these are.
    pub fn batches(
        &mut self,
        id: &str,
        setting: &Setting,
        more: &mut dyn FnMut(&Batch) -> bool,
    ) -> Result<usize> {
        let (mut sum, mut seen) = (Batch::default(), 0);
        for batch in self.known.get(id).map_or(&[][..], |known| &known.batches) {
            sum.add(batch);
            seen += 1;
            if !more(&sum) {
                return Ok(seen);
            }
        }
        if seen == self.oracle.batches() {
            return Ok(seen);
        }
        let start = Instant::now();
        let mut batches = Vec::new();
        let ran = self.oracle.run(setting, seen, &mut |batch| {
            batches.push(batch);
            sum.add(&batch);
            more(&sum)
        });
        let seconds = self.took(start);
        let (first, count) = (seen, batches.len());
        // What was run before a failure, or before somebody ended the search, is as good as any.
        if ran.is_ok() || count > 0 {
            self.record(Entry::Batches { id: id.to_owned(), first, batches, seconds })?;
        }
        ran.map(|()| first + count)
    }

    /// Per scheme and weight layer, the squared error of rounding beside the squares of the weights.
    pub(crate) fn rounding_noise(&mut self, schemes: &[WeightScheme]) -> Result<Vec<&[f64]>> {
        let oracle = self.oracle;
        let new: Vec<_> = schemes.iter().copied().filter(|scheme| !self.noise.contains_key(scheme)).collect();
        let noise =
            new.par_iter().map(|&scheme| oracle.rounding_noise(scheme)).collect::<Result<Vec<_>>>()?;
        self.noise.extend(new.into_iter().zip(noise));
        Ok(schemes.iter().map(|scheme| &self.noise[scheme][..]).collect())
    }

    /// Costs of designs at the activity of the float network, in parallel; none where the machine cannot
    /// run one.
    pub(crate) fn estimates(&mut self, designs: &[Design]) -> Result<Vec<Option<Figures>>> {
        let unknown = |id: &String| self.known.get(id).is_none_or(|known| known.estimate.is_none());
        let new: Vec<&Design> = designs.iter().filter(|design| unknown(&design.id)).collect();
        let oracle = self.oracle;
        let charge = |design: &&Design| match oracle.charge(&design.setting, design.machine) {
            Ok(figures) => Ok(Some(figures)),
            Err(Error::Mismatch(_)) => Ok(None),
            Err(error) => Err(error),
        };
        let figures = new.par_iter().map(charge).collect::<Result<Vec<_>>>()?;
        for (design, figures) in new.into_iter().zip(figures) {
            self.known.entry(design.id.clone()).or_default().estimate = Some(figures);
        }
        Ok(designs.iter().map(|design| self.known[&design.id].estimate.clone().flatten()).collect())
    }

    /// Costs of a design at its own activity on a few images.
    pub(crate) fn own(&mut self, design: &Design) -> Result<(Figures, f64)> {
        let Design { id, setting, machine, .. } = design;
        if let Some(own) = self.known.get(id).and_then(|known| known.own.as_ref()) {
            return Ok(own.clone());
        }
        let start = Instant::now();
        let figures = self.oracle.charge_own(setting, *machine)?;
        let seconds = self.took(start);
        self.record(Entry::Charge { id: id.clone(), figures: figures.clone(), seconds })?;
        Ok((figures, seconds))
    }

    /// Drift of a setting.
    pub fn drift(&mut self, id: &str, setting: &Setting) -> Result<()> {
        if self.known.get(id).is_some_and(|known| known.drift.is_some()) {
            return Ok(());
        }
        let start = Instant::now();
        let (layers, images) = self.oracle.drift(setting)?;
        let seconds = self.took(start);
        self.record(Entry::Drift { id: id.to_owned(), layers, images, seconds })
    }

    /// A design on the whole validation set.
    pub(crate) fn full(&mut self, design: &Design) -> Result<Measured> {
        let Design { id, setting, machine, .. } = design;
        if let Some((measured, _)) = self.known.get(id).and_then(|known| known.full.as_ref()) {
            return Ok(measured.clone());
        }
        let start = Instant::now();
        let measured = self.oracle.measure(setting, *machine)?;
        let seconds = self.took(start);
        self.record(Entry::Full { id: id.clone(), measured: measured.clone(), seconds })?;
        Ok(measured)
    }

    /// A setting on the images that `oracle` holds out.
    pub(crate) fn on_held_out(
        &mut self,
        oracle: &dyn Oracle,
        id: &str,
        setting: &Setting,
    ) -> Result<(Batch, f64)> {
        if let Some(known) = self.known.get(id).and_then(|known| known.held_out) {
            return Ok(known);
        }
        let start = Instant::now();
        let mut batch = Batch::default();
        oracle.run(setting, 0, &mut |more| {
            batch.add(&more);
            true
        })?;
        let seconds = self.took(start);
        self.record(Entry::HeldOut { id: id.to_owned(), batch, seconds })?;
        Ok((batch, seconds))
    }

    fn took(&mut self, start: Instant) -> f64 {
        let seconds = start.elapsed().as_secs_f64();
        self.asked_seconds += seconds;
        seconds
    }
}
