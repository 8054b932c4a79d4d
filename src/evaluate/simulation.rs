use std::sync::Arc;

use serde::Serialize;

use super::{ActivitySource, Evaluation, Evaluator, HardwareSummary, ModelSummary, Origin, TableEvaluation};
use crate::cost::Machine;
use crate::error::Result;
use crate::exec::Backend;
use crate::hw::Energies;
use crate::map::FixedMapping;
use crate::model::Model;
use crate::quant::{Precision, Setting};
use crate::watch::Watcher;

/// Everything that one `simulate` found out.
#[derive(Debug, Clone, Serialize)]
pub struct Simulation {
    /// The network.
    pub model: ModelSummary,
    /// The accelerator.
    pub hardware: HardwareSummary,
    /// Images, rates or recorded spikes.
    pub source: ActivitySource,
    /// One per setting, in the order asked for, charged by the first of the tables.
    pub settings: Vec<Evaluation>,
    /// Totals of the settings by every table of energies asked for; one table if none was.
    pub tables: Vec<TableEvaluation>,
    /// What a report of it shows.
    pub presentation: Presentation,
}

/// What a report of a simulation shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Presentation {
    /// What to type to run it again; empty where it was not run by a command.
    pub command: String,
    /// The setting whose layers stand for those of all; where it is left out, four-bit weights, the most usual choice,
    /// or else the first setting that is quantized.
    pub featured: Option<String>,
    /// True to draw every layer of a network that has more of them than a picture shows.
    pub all_layers: bool,
    /// True to leave the timelines of all settings.
    pub trace: bool,
}

impl Simulation {
    /// The setting whose layers stand for those of all.
    pub fn featured(&self) -> Option<&Evaluation> {
        let settings = &self.settings;
        let named = |name: &str| settings.iter().find(|setting| setting.name == name);
        let quantized = || settings.iter().find(|setting| setting.name != "fp32");
        let asked = self.presentation.featured.as_deref().and_then(named);
        asked.or_else(|| named("w4")).or_else(quantized).or(settings.first())
    }
}

/// What is simulated: everything is loaded.
#[derive(Debug)]
pub struct SimulationRequest {
    /// The network.
    pub model: Arc<Model>,
    /// The accelerator, charged by each table of energies; there is one at least.
    pub machines: Vec<Machine>,
    /// SHA-256 of its description.
    pub hardware_sha256: String,
    /// Images, rates or recorded spikes.
    pub origin: Origin,
    /// Settings, whose names differ.
    pub settings: Vec<Setting>,
    /// What executes integers; no result depends on it.
    pub engine: Backend,
    /// The mapping, as far as it is fixed.
    pub mapping: Option<FixedMapping>,
    /// Images that go through each layer together, at least one.
    pub batch: usize,
    /// What a report of it shows.
    pub presentation: Presentation,
}

impl SimulationRequest {
    /// Simulates it; `watcher` hears of every image that is read, and then run.
    ///
    /// # Errors
    /// If images do not decode or do not fit the model, a setting does not fit it, or the machine cannot run it.
    pub fn run(&self, watcher: &dyn Watcher) -> Result<Simulation> {
        let source = self.origin.source()?;
        let evaluator = self.origin.evaluator(&self.model, watcher)?;
        let names = self.machines.iter().map(|machine| machine.hardware.name.clone());
        let evaluator = evaluator
            .with_engine(self.engine)
            .with_mappings(names.zip(self.mapping.iter().cycle().cloned()).collect())
            .with_batch(self.batch)
            // The other tables are shown in sums alone.
            .explaining(1);
        watcher.begin(self.origin.images() * self.settings.len());
        let by_setting =
            evaluator.evaluate_all(&self.settings, &self.machines, &|setting| watcher.step(&setting.name))?;
        let of_table = |(i, machine): (usize, &Machine)| {
            let evaluations: Vec<&Evaluation> = by_setting.iter().map(|tables| &tables[i]).collect();
            TableEvaluation::new(machine.table_name(), &evaluations)
        };
        let tables = self.machines.iter().enumerate().map(of_table).collect();
        let mut settings: Vec<_> = by_setting.into_iter().map(|mut tables| tables.remove(0)).collect();
        let reference = self.reference_accuracy(&evaluator, &settings)?;
        watcher.end();
        for evaluation in &mut settings {
            evaluation.accuracy_drop = reference.zip(evaluation.accuracy).map(|(float, mine)| float - mine);
        }
        let hardware = HardwareSummary::new(&self.machines[0], self.hardware_sha256.clone());
        let presentation = self.presentation.clone();
        Ok(Simulation {
            model: ModelSummary::new(&self.model),
            hardware,
            source,
            settings,
            tables,
            presentation,
        })
    }

    /// Accuracy of the float network, which may be one of the settings that were evaluated.
    fn reference_accuracy(&self, evaluator: &Evaluator, evaluations: &[Evaluation]) -> Result<Option<f64>> {
        let mut settings = evaluations.iter().zip(&self.settings);
        match settings.find(|(_, setting)| setting.precision == Precision::Float32) {
            Some((evaluation, _)) => Ok(evaluation.accuracy),
            None => evaluator.float_accuracy(),
        }
    }
}

/// `machine` charged by each of the `tables`, which differ, or by its own. The rule of the papers comes in two
/// readings, which differ in what an integer residual is; one is never shown without the other.
///
/// # Errors
/// If a table does not load, or the machine is not charged by such.
pub fn charged_machines(machine: Machine, tables: &[String]) -> Result<Vec<Machine>> {
    if tables.is_empty() {
        return Ok(vec![machine]);
    }
    let mut names: Vec<&str> = tables.iter().map(String::as_str).collect();
    if let (Some(place), false) =
        (names.iter().position(|name| *name == "sop-45"), names.contains(&"sop-45-mac"))
    {
        names.insert(place + 1, "sop-45-mac");
    }
    names.into_iter().map(|name| machine.charged_by(Energies::load(name)?)).collect()
}
