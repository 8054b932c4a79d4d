//! A described machine on a network that comes with the crate.

use std::sync::Arc;

use spiq::cost::Machine;
use spiq::evaluate::{Evaluation, Evaluator};
use spiq::exec::Rates;
use spiq::hw::{Energies, Hardware, Sourced, SpikeLanes, Step, Unit};
use spiq::load;
use spiq::model::{Model, ModelDescription};
use spiq::quant::Setting;

use super::cases::Failure;

/// A machine that runs one network at one setting.
pub struct OnNetwork {
    machines: [Machine; 1],
    model: Arc<Model>,
    setting: Setting,
}

impl OnNetwork {
    /// `network` and `setting` are names or, in parentheses, descriptions.
    pub fn new(hardware: &str, network: &str, setting: &str) -> Result<Self, Failure> {
        let setting = match setting.split_once('(') {
            Some(_) => Setting::parse(setting, "setting.ron")?,
            None => Setting::load(setting)?,
        };
        let model = match network.split_once('(') {
            Some(_) => {
                let description = ModelDescription::parse(network, "model.ron")?;
                let built = description.network("model.ron")?;
                load::random(description, built, 1)?
            }
            None => load::model(network)?,
        };
        let machines = [Machine::new(Hardware::load(hardware)?.0)?];
        Ok(Self { machines, model: Arc::new(model), setting })
    }

    /// The network on a machine that `change` makes of this one.
    pub fn changed(&self, change: impl FnOnce(&mut Hardware)) -> Result<Self, Failure> {
        let mut hardware = self.machines[0].hardware.clone();
        change(&mut hardware);
        Ok(Self {
            machines: [Machine::new(hardware)?],
            model: Arc::clone(&self.model),
            setting: self.setting.clone(),
        })
    }

    /// The network on this machine, charged by the energies called `table`.
    pub fn charged_by(&self, table: &str) -> Result<Self, Failure> {
        let machines = [self.machines[0].charged_by(Energies::load(table)?)?];
        Ok(Self { machines, model: Arc::clone(&self.model), setting: self.setting.clone() })
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
        let evaluator = Evaluator::expecting(Arc::clone(&self.model), Arc::new(rates));
        let mut evaluations = evaluator.evaluate(&self.setting, &self.machines, &|| ())?;
        Ok(evaluations.remove(0))
    }

    /// Cycles of `layer`.
    pub fn cycles(&self, evaluation: &Evaluation, layer: &str) -> Result<f64, Failure> {
        let own = evaluation.layers.iter().find(|own| own.name == layer);
        Ok(own.ok_or_else(|| format!("no layer {layer}"))?.cycles.total())
    }

    /// Cycles of the array alone for `layer`, with operands that are always there.
    pub fn array_cycles(&self, evaluation: &Evaluation, layer: &str) -> Result<f64, Failure> {
        let own = evaluation.layers.iter().find(|own| own.name == layer);
        let cycles = &own.ok_or_else(|| format!("no layer {layer}"))?.cycles;
        Ok(cycles.ideal + cycles.under_utilisation + cycles.fill_drain + cycles.imbalance)
    }

    /// Milliseconds of the layers of `evaluation` that `takes`.
    pub fn milliseconds(&self, evaluation: &Evaluation, takes: impl Fn(&str) -> bool) -> f64 {
        let own = evaluation.layers.iter().filter(|layer| takes(&layer.name));
        own.map(|layer| self.machines[0].seconds(layer.cycles.total()) * 1e3).sum()
    }
}

/// The lanes called `name`.
pub fn lanes<'a>(hardware: &'a mut Hardware, name: &str) -> &'a mut SpikeLanes {
    let named = hardware.units.iter_mut().find_map(|unit| match unit {
        Unit::SpikeLanes(lanes) if lanes.name == name => Some(lanes),
        _ => None,
    });
    named.expect("lanes of the description")
}

/// The cycles in which `lanes` add nothing at each `step`.
pub fn pause(lanes: &mut SpikeLanes, step: Step) -> &mut Sourced<u32> {
    let own = lanes.overheads.iter_mut().find(|overhead| overhead.per == step);
    &mut own.expect("a pause of the description").cycles
}
