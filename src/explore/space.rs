use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::constraint::Constraint;
use super::figure::Figure;
use crate::check::repeated;
use crate::error::{Fault, Result};
use crate::files::Folder;
use crate::hw::{MachineSpace, Parameter};
use crate::ron_file::parse_ron;
use crate::search::{Budgets, DEFAULT_ACCURACY_DROP};

/// Most objectives: every two and every three of them have a front.
const MAX_OBJECTIVES: usize = 5;

/// Machines, settings and networks that are evaluated together, and what is wanted of them. Names and paths are those of
/// the command line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "File", into = "File")]
pub struct Space {
    /// What reports call it.
    pub name: String,
    /// The machines.
    pub machines: MachineSpace,
    /// Networks with what they do.
    pub networks: Vec<NetworkSpec>,
    /// Settings, built in or by their paths.
    pub settings: Vec<String>,
    /// What every point of a front keeps.
    pub constraints: Vec<Constraint>,
    /// What fronts are of.
    pub objectives: Vec<Figure>,
}

/// A space as its file reads.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "Space")]
struct File {
    #[serde(deserialize_with = "crate::name::title")]
    name: String,
    hardware: Vec<String>,
    #[serde(default)]
    tables: Vec<String>,
    #[serde(default)]
    parameters: Vec<Parameter>,
    networks: Vec<NetworkSpec>,
    settings: Vec<String>,
    #[serde(default)]
    constraints: Vec<Constraint>,
    objectives: Vec<Figure>,
}

impl From<File> for Space {
    fn from(file: File) -> Self {
        let File { name, hardware, tables, parameters, networks, settings, constraints, objectives } = file;
        let machines = MachineSpace { hardware, tables, parameters };
        Self { name, machines, networks, settings, constraints, objectives }
    }
}

impl From<Space> for File {
    fn from(space: Space) -> Self {
        let Space { name, machines, networks, settings, constraints, objectives } = space;
        let MachineSpace { hardware, tables, parameters } = machines;
        Self { name, hardware, tables, parameters, networks, settings, constraints, objectives }
    }
}

/// A network and where its activity comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    /// A built-in model, or the path of a description.
    pub model: String,
    /// Weights in the place of those that the description names.
    #[serde(default)]
    pub weights: Option<String>,
    /// What it does.
    pub activity: ActivitySpec,
}

/// Where activity comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ActivitySpec {
    /// Activity that rates lead one to expect; nothing is executed.
    Rates(String),
    /// Activity of executed test images.
    Images {
        /// A built-in data set, or the path of a data description.
        data: String,
        /// Only the first of them; all where it is left out.
        #[serde(default)]
        limit: Option<usize>,
        /// Machines are charged for the first so many of them, and accuracy is that of all; for all where it is left out.
        #[serde(default)]
        charged: Option<usize>,
    },
}

impl Space {
    /// Loads `spec`, the name of a built-in space or a path to a `.ron` file, with its text.
    ///
    /// # Errors
    /// If there is none, or it makes no sense.
    pub fn load(spec: &str) -> Result<(Self, String)> {
        let (folder, name) = Folder::locate("hw_configs/spaces", spec)?;
        let text = folder.read_text(&name)?;
        Ok((Self::parse(&text, &folder.path(&name))?, text))
    }

    /// Parses the text of such a file; `path` is for messages.
    ///
    /// # Errors
    /// Those of [`Space::load`].
    pub fn parse(text: &str, path: &str) -> Result<Self> {
        let space: Self = parse_ron(text, path)?;
        space.check().map_err(|fault| fault.at(path))?;
        Ok(space)
    }

    /// The constraints as budgets of a search.
    ///
    /// # Errors
    /// Names a constraint that a search has no budget for.
    pub fn budgets(&self) -> Result<Budgets, Fault> {
        let mut budgets = Budgets { accuracy_drop: DEFAULT_ACCURACY_DROP, ..Budgets::default() };
        for constraint in &self.constraints {
            let limit = Some(constraint.limit);
            match constraint.figure {
                Figure::AccuracyDrop if !constraint.is_least => budgets.accuracy_drop = constraint.limit,
                Figure::ModelBytes if !constraint.is_least => budgets.model_bytes = limit,
                Figure::FootprintBytes if !constraint.is_least => budgets.footprint_bytes = limit,
                Figure::EnergyJ if !constraint.is_least => budgets.energy_j = limit,
                Figure::PowerW if !constraint.is_least => budgets.power_w = limit,
                Figure::LatencyS if !constraint.is_least => budgets.latency_s = limit,
                Figure::AreaMm2 if !constraint.is_least => budgets.area_mm2 = limit,
                _ => {
                    let message = format!(
                        "{constraint}: a search limits accuracy_drop, model_bytes, footprint_bytes, energy_j, power_w, \
                         latency_s and area_mm2 from above"
                    );
                    return Err(Fault::new("constraints", message));
                }
            }
        }
        Ok(budgets)
    }

    fn check(&self) -> Result<(), Fault> {
        /// Columns of `points.csv` that are no figures.
        const TAKEN: [&str; 8] =
            ["point", "network", "hardware", "table", "setting", "meets", "refused", "exceeded"];
        self.machines.check(TAKEN.into_iter().chain(Figure::ALL.map(Figure::name)))?;
        if self.settings.is_empty() {
            return Err(Fault::new("settings", "empty"));
        }
        if let Some(twice) = repeated(self.settings.iter().map(String::as_str)) {
            return Err(Fault::new("settings", format!("{twice} stands there twice")));
        }
        if self.networks.is_empty() {
            return Err(Fault::new("networks", "empty"));
        }
        if let Some(twice) = repeated(self.networks.iter().map(|network| network.model.as_str())) {
            return Err(Fault::new("networks", format!("{twice} stands there twice: points go by its name")));
        }
        let mut objectives = HashSet::new();
        if let Some(twice) = self.objectives.iter().find(|objective| !objectives.insert(**objective)) {
            return Err(Fault::new("objectives", format!("{} stands there twice", twice.name())));
        }
        if !(1..=MAX_OBJECTIVES).contains(&self.objectives.len()) {
            let count = self.objectives.len();
            return Err(Fault::new("objectives", format!("{count} are not in 1..={MAX_OBJECTIVES}")));
        }
        self.check_known()
    }

    /// Refuses accuracies that nobody measures.
    fn check_known(&self) -> Result<(), Fault> {
        let rates = |network: &&NetworkSpec| matches!(network.activity, ActivitySpec::Rates(_));
        let Some(unknown) = self.networks.iter().find(rates) else { return Ok(()) };
        let objectives = self.objectives.iter().map(|&figure| ("objectives", figure));
        let constraints = self.constraints.iter().map(|constraint| ("constraints", constraint.figure));
        match objectives.chain(constraints).find(|(_, figure)| figure.is_share()) {
            Some((field, figure)) => {
                let message = format!(
                    "{}: nothing is executed of {}, whose activity is that of rates",
                    figure.name(),
                    unknown.model
                );
                Err(Fault::new(field, message))
            }
            None => Ok(()),
        }
    }
}
