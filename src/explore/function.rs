use std::sync::Arc;

use super::figure::Figures;
use super::prepared::Prepared;
use crate::cost::Machine;
use crate::error::Result;
use crate::evaluate::Origin;
use crate::hw::Hardware;
use crate::model::Model;
use crate::quant::Setting;
use crate::watch::Watcher;

/// A network as a function of a machine and a setting, for optimisers that ask point by point: what one answer needed of the
/// network is there for the next.
#[derive(Debug)]
pub struct Function {
    network: Prepared,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Name of the setting.
    pub setting: String,
    /// Name of the machine.
    pub hardware: String,
    /// SHA-256 of the machine's description, changes included.
    pub hardware_sha256: String,
    /// What it comes to, or why the machine cannot run the network at the setting.
    pub figures: Result<Figures, String>,
}

impl Function {
    /// The function of `model`, whose activity is that of `origin`; machines are charged for the first `charged`
    /// images, if any are executed. `watcher` hears of each that is read or run.
    ///
    /// # Errors
    /// If images do not fit the model.
    pub fn new(model: &Arc<Model>, origin: &Origin, charged: usize, watcher: &dyn Watcher) -> Result<Self> {
        Ok(Self { network: Prepared::of(model, origin, charged, watcher)? })
    }

    /// Value of the function at the setting and the machine of these names, paths or changes. `watcher` hears of
    /// every image that is run for them.
    ///
    /// # Errors
    /// If one of them does not load.
    pub fn at(&mut self, hardware: &str, setting: &str, watcher: &dyn Watcher) -> Result<Answer> {
        let setting = Setting::load(setting)?;
        let (hardware, hardware_sha256) = Hardware::load(hardware)?;
        let name = hardware.name.clone();
        let machine = Machine::new(hardware)?;
        self.network.observe(std::slice::from_ref(&setting), &machine, watcher);
        let figures = self.network.charge(&machine, &setting);
        Ok(Answer { setting: setting.name, hardware: name, hardware_sha256, figures })
    }
}
