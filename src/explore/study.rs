use rayon::prelude::*;

use super::counter::Counter;
use super::exploration::{Exploration, Names, Outcome};
use super::machines::machines;
use super::prepared::Prepared;
use super::provenance::{Input, Provenance};
use super::sample::Sample;
use super::space::Space;
use crate::check::repeated;
use crate::cost::Machine;
use crate::error::{Error, Result};
use crate::files::sha256;
use crate::hw::{Axis, Description, Energies};
use crate::quant::Setting;
use crate::watch::Watcher;

/// Machines that are made before any of them is charged.
pub(super) const CHUNK: usize = 256;

/// A space with all that does not depend on the machine.
#[derive(Debug)]
pub struct Study {
    space: Space,
    provenance: Provenance,
    /// `hardware`, `table` and the parameters.
    axes: Vec<Axis>,
    descriptions: Vec<Description>,
    /// One per table; the machine's own where there is none.
    tables: Vec<Option<Energies>>,
    settings: Vec<Setting>,
    networks: Vec<Prepared>,
    sample: Option<Sample>,
    /// Numbers of the machines that are evaluated.
    machines: Vec<u64>,
}

/// A machine, or why there is none.
type Made = Result<Machine, String>;

impl Study {
    /// Loads all that `space` names, whose text has the digest `space_sha256`, to evaluate every machine or those of
    /// `sample`; `watcher` hears of every image.
    ///
    /// # Errors
    /// If there are too many points, something does not load or does not fit a network, or a parameter is no field of a
    /// machine.
    pub fn new(
        space: Space,
        space_sha256: String,
        sample: Option<Sample>,
        watcher: &dyn Watcher,
    ) -> Result<Self> {
        let axes = space.machines.axes();
        let machines = machines(&space, &Axis::numbered(&axes), sample)?;
        let descriptions = space.machines.descriptions()?;
        let tables = match &space.machines.tables[..] {
            [] => vec![None],
            tables => tables.iter().map(|table| Energies::load(table).map(Some)).collect::<Result<_>>()?,
        };
        let settings = space.settings.iter().map(|spec| Setting::load(spec)).collect::<Result<Vec<_>>>()?;
        if let Some(twice) = repeated(settings.iter().map(|setting: &Setting| setting.name.as_str())) {
            return Err(Error::mismatch(format!("settings: two of them are named {twice}")));
        }
        let networks = space.networks.iter().map(|spec| Prepared::load(spec, watcher));
        let networks: Vec<Prepared> = networks.collect::<Result<_>>()?;
        let inputs = inputs(&space, &descriptions, &networks)?;
        let provenance = Provenance { command: String::new(), space_sha256, inputs };
        Ok(Self { space, provenance, axes, descriptions, tables, settings, networks, sample, machines })
    }

    /// Is what `command` runs, which results say.
    #[must_use]
    pub fn run_by(mut self, command: String) -> Self {
        self.provenance.command = command;
        self
    }

    /// Evaluates every point; `watcher` hears of every image that is executed, and `counter` of each point and how many were
    /// refused by then. One that is refused does not stop the others.
    pub fn explore(&mut self, watcher: &dyn Watcher, counter: &dyn Watcher) -> Exploration {
        let mut outcomes = Vec::with_capacity(self.points());
        let counter = Counter::begin(counter, self.points());
        for first in (0..self.machines.len()).step_by(CHUNK) {
            let chunk = first..(first + CHUNK).min(self.machines.len());
            let made: Vec<Made> = chunk.into_par_iter().map(|i| self.machine(i)).collect();
            made.iter().flatten().for_each(|machine| self.observe(machine, watcher));
            let of = |made: &Made| (0..self.of_machine()).map(|i| self.charge(made, i, &counter)).collect();
            let found: Vec<Vec<Outcome>> = made.par_iter().map(of).collect();
            outcomes.extend(found.into_iter().flatten());
        }
        counter.end();
        self.exploration(outcomes)
    }

    /// An exploration with these outcomes.
    pub(super) fn exploration(&self, outcomes: Vec<Outcome>) -> Exploration {
        let names = Names {
            networks: self.networks.iter().map(|network| network.name().to_owned()).collect(),
            settings: self.settings.iter().map(|setting| setting.name.clone()).collect(),
        };
        let provenance = self.provenance.clone();
        let found = Exploration::new(self.space.clone(), provenance, names, self.sample, outcomes);
        found.expect("machines were counted before")
    }

    /// Points in all: machine by machine, of each network by network, of each setting by setting.
    pub fn points(&self) -> usize {
        self.machines.len() * self.of_machine()
    }

    /// Points of a machine.
    pub(super) fn of_machine(&self) -> usize {
        self.networks.len() * self.settings.len()
    }

    /// Number `i` of the machines that are evaluated, or why there is none.
    pub(super) fn machine(&self, i: usize) -> Made {
        let make = || {
            let levels = Axis::numbered(&self.axes).levels(self.machines[i]);
            let changes = self.space.machines.changes(&self.axes, &levels);
            let (hardware, _) = self.descriptions[levels[0]].changed(&changes)?;
            let machine = Machine::new(hardware)?;
            match &self.tables[levels[1]] {
                Some(table) => machine.charged_by(table.clone()),
                None => Ok(machine),
            }
        };
        make().map_err(|error: Error| error.to_string())
    }

    /// Executes what `machine` asks for and was not executed yet.
    pub(super) fn observe(&mut self, machine: &Machine, watcher: &dyn Watcher) {
        let Self { networks, settings, .. } = self;
        networks.iter_mut().for_each(|network| network.observe(settings, machine, watcher));
    }

    /// What comes of point number `i` of a machine that was observed.
    pub(super) fn charge(&self, made: &Made, i: usize, counter: &Counter) -> Outcome {
        let (network, setting) = self.parts(i);
        let figures = made.as_ref().map_err(Clone::clone).and_then(|m| network.charge(m, setting));
        let outcome = match figures {
            Ok(figures) => Outcome::Evaluated(Box::new(figures)),
            Err(why) => Outcome::Refused(why.into_boxed_str()),
        };
        counter.count(&outcome);
        outcome
    }

    /// SHA-256 of all that point number `i` of a machine depends on.
    pub(super) fn id(&self, made: &Made, i: usize) -> String {
        let (network, setting) = self.parts(i);
        let (machine, setting) = (format!("{made:?}"), format!("{setting:?}"));
        sha256([env!("CARGO_PKG_VERSION"), &machine, network.sha256(), &setting])
    }

    fn parts(&self, i: usize) -> (&Prepared, &Setting) {
        let settings = self.settings.len();
        (&self.networks[i / settings], &self.settings[i % settings])
    }
}

/// Machines as they are before parameters change them, and what each network is made of.
fn inputs(space: &Space, descriptions: &[Description], networks: &[Prepared]) -> Result<Vec<Input>> {
    let machine = |(spec, description): (&String, &Description)| {
        Ok(Input::new("machine", spec, sha256([description.text_with(&[])?])))
    };
    let machines = space.machines.hardware.iter().zip(descriptions).map(machine);
    machines.chain(networks.iter().flat_map(|network| network.inputs().iter().cloned().map(Ok))).collect()
}
