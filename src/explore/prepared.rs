use std::path::Path;
use std::slice::from_ref;
use std::sync::{Arc, OnceLock};

use super::figure::{Figure, Figures, figures};
use super::provenance::Input;
use super::space::{ActivitySpec, NetworkSpec};
use crate::check::in_range;
use crate::cost::{Machine, patterns};
use crate::error::{Error, Result};
use crate::evaluate::{ActivitySource, Evaluator, Observed, Origin};
use crate::exec::{Pattern, Rates};
use crate::files::sha256;
use crate::load;
use crate::model::{DataSet, Model, Selection};
use crate::quant::Setting;
use crate::watch::Watcher;

/// A network and what settings were seen to do: all that does not depend on the machine.
#[derive(Debug)]
pub(super) struct Prepared {
    evaluator: Evaluator,
    /// Images that are executed.
    images: usize,
    /// Images, among those, that machines are charged for.
    charged: usize,
    /// Accuracy of the float network on the images, if there are any, when it was first asked for.
    reference: OnceLock<Option<f64>>,
    /// SHA-256 of the network, its weights and where activity comes from.
    sha256: String,
    /// Weights, and where activity comes from.
    inputs: [Input; 2],
    seen: Vec<Seen>,
}

/// What a setting was seen to do.
#[derive(Debug)]
struct Seen {
    setting: Setting,
    /// For machines that look for these in spikes.
    patterns: Vec<Pattern>,
    observed: Result<Observed, String>,
}

impl Prepared {
    /// Loads what `spec` names; `watcher` hears of every image that is read or run.
    ///
    /// # Errors
    /// If something does not load or does not fit the model.
    pub fn load(spec: &NetworkSpec, watcher: &dyn Watcher) -> Result<Self> {
        let weights = spec.weights.as_ref().map(Path::new);
        let model = Arc::new(load::model_with(&spec.model, weights, &Selection::default(), None)?);
        let (origin, charged) = origin(&spec.activity, &model)?;
        Self::of(&model, &origin, charged, watcher)
    }

    /// The network of a loaded `model`; machines are charged for the first `charged` images, if any are executed.
    ///
    /// # Errors
    /// If images do not fit the model.
    pub fn of(model: &Arc<Model>, origin: &Origin, charged: usize, watcher: &dyn Watcher) -> Result<Self> {
        let source = origin.source()?;
        let activity = format!("{source:?} {charged}");
        let sha256 = sha256([format!("{:?}", model.network), model.sha256.clone(), activity]);
        let weights = Input::new("weights", &model.description.name, model.sha256.clone());
        let inputs = [weights, activity_input(source)];
        let evaluator = origin.evaluator(model, watcher)?;
        let (images, reference) = (origin.images(), OnceLock::new());
        Ok(Self { evaluator, images, charged, reference, sha256, inputs, seen: Vec::new() })
    }

    /// What the model is called.
    pub fn name(&self) -> &str {
        &self.evaluator.model().description.name
    }

    /// SHA-256 of all that figures depend on beside the machine and the setting.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Weights, and where activity comes from.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    fn reference(&self) -> Result<Option<f64>> {
        if let Some(known) = self.reference.get() {
            return Ok(*known);
        }
        let found = self.evaluator.float_accuracy()?;
        Ok(*self.reference.get_or_init(|| found))
    }

    fn patterns(&self, machine: &Machine) -> Vec<Pattern> {
        patterns(from_ref(machine), &self.evaluator.model().network)
    }

    fn seen(&self, patterns: &[Pattern], setting: &Setting) -> Option<&Seen> {
        let same = |seen: &&Seen| seen.patterns == patterns && seen.setting == *setting;
        self.seen.iter().find(same)
    }

    /// Executes `settings` for what `machine` looks for in spikes, as far as that was not done.
    pub fn observe(&mut self, settings: &[Setting], machine: &Machine, watcher: &dyn Watcher) {
        let patterns = self.patterns(machine);
        let new: Vec<&Setting> =
            settings.iter().filter(|setting| self.seen(&patterns, setting).is_none()).collect();
        if new.is_empty() {
            return;
        }
        watcher.begin(self.images * new.len());
        for setting in new {
            let progress = || watcher.step(&setting.name);
            let observe = |_| self.evaluator.observe(setting, &patterns, self.charged, &progress);
            let observed = self.reference().and_then(observe);
            let observed = observed.map_err(|error| error.at_setting(&setting.name).to_string());
            self.seen.push(Seen { setting: setting.clone(), patterns: patterns.clone(), observed });
        }
        watcher.end();
    }

    /// Figures of `setting` on `machine`, which it was observed for.
    ///
    /// # Errors
    /// Says why there are none.
    ///
    /// # Panics
    /// If it was not.
    pub fn charge(&self, machine: &Machine, setting: &Setting) -> Result<Figures, String> {
        let seen = self.seen(&self.patterns(machine), setting).expect("observed before");
        let observed = seen.observed.as_ref().map_err(Clone::clone)?;
        let evaluation = self.evaluator.charge_observed(observed, machine).map_err(|e| e.to_string())?;
        let mut figures = figures(&evaluation);
        let reference = self.reference.get().copied().flatten();
        if let Some((float, mine)) = reference.zip(evaluation.accuracy) {
            figures[Figure::AccuracyDrop as usize] = float - mine;
        }
        Ok(figures)
    }
}

/// What activity comes from, called as in the other reports.
fn activity_input(source: ActivitySource) -> Input {
    match source {
        ActivitySource::Data(data) => Input::new("images and labels", &data.name, data.sha256),
        ActivitySource::Rates(rates) => Input::new("rates", &rates.file, rates.sha256),
        ActivitySource::Spikes(spikes) => Input::new("spikes", &spikes.file, spikes.sha256),
    }
}

/// Where activity comes from, and how many images are charged for.
fn origin(spec: &ActivitySpec, model: &Model) -> Result<(Origin, usize)> {
    let (data, limit, charged) = match spec {
        ActivitySpec::Rates(file) => {
            return Ok((Origin::Expected(Arc::new(Rates::load(file, &model.network)?)), 1));
        }
        ActivitySpec::Images { data, limit, charged } => (data, *limit, *charged),
    };
    let mut data = DataSet::load_for(data, &model.description)?;
    let check = |field: &'static str, count: usize, most: usize| {
        in_range(field, count, &(1..=most)).map_err(|fault| {
            Error::mismatch(format!("networks: activity: {}: {}", fault.field, fault.message))
        })
    };
    let limit = limit.unwrap_or(data.test.len());
    check("limit", limit, data.test.len())?;
    data.test.truncate(limit);
    let charged = charged.unwrap_or(limit);
    check("charged", charged, limit)?;
    Ok((Origin::Executed(Box::new(data)), charged))
}
