//! A described machine on a network that comes with the crate.

use std::sync::Arc;

use spiq::cost::Machine;
use spiq::evaluate::{Evaluation, Evaluator};
use spiq::exec::Rates;
use spiq::hw::Hardware;
use spiq::load;
use spiq::model::Model;
use spiq::quant::Setting;

use crate::cases::Failure;

/// A machine that runs one network at one setting.
pub struct OnNetwork {
    machines: [Machine; 1],
    model: Arc<Model>,
    setting: Setting,
}

impl OnNetwork {
    /// `setting` is a name or, in parentheses, a description.
    pub fn new(hardware: &str, network: &str, setting: &str) -> Result<Self, Failure> {
        let setting = match setting.split_once('(') {
            Some(_) => Setting::parse(setting, "setting.ron")?,
            None => Setting::load(setting)?,
        };
        let machines = [Machine::new(Hardware::load(hardware)?.0)?];
        Ok(Self { machines, model: Arc::new(load::model(network)?), setting })
    }

    pub fn machine(&self) -> &str {
        &self.machines[0].hardware.name
    }

    /// What figures are of.
    pub fn case(&self, part: &str) -> String {
        format!("{}, {}: {part}", self.model.description.name, self.setting.name)
    }

    /// Where every layer spikes at `rate`.
    pub fn at(&self, rate: f64) -> Result<Evaluation, Failure> {
        self.with(Rates::uniform(&self.model.network, rate)?)
    }

    /// At the rates that come with the crate under the name of the network.
    pub fn at_its_rates(&self) -> Result<Evaluation, Failure> {
        self.with(Rates::load(&self.model.description.name, &self.model.network)?)
    }

    fn with(&self, rates: Rates) -> Result<Evaluation, Failure> {
        let evaluator = Evaluator::expecting(Arc::clone(&self.model), Arc::new(rates))?;
        let mut evaluations = evaluator.evaluate(&self.setting, &self.machines, &|| ())?;
        Ok(evaluations.remove(0))
    }

    /// Milliseconds of the layers of `evaluation` that `takes`.
    pub fn milliseconds(&self, evaluation: &Evaluation, takes: impl Fn(&str) -> bool) -> f64 {
        let own = evaluation.layers.iter().filter(|layer| takes(&layer.name));
        own.map(|layer| self.machines[0].seconds(layer.cycles.total()) * 1e3).sum()
    }
}
