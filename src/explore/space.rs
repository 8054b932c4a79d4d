use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::constraint::Constraint;
use super::figure::Figure;
use super::parameter::Parameter;
use crate::check::repeated;
use crate::error::{Fault, Result};
use crate::files::Folder;
use crate::ron_file::parse_ron;

/// Most objectives: every two and every three of them have a front.
const MAX_OBJECTIVES: usize = 5;

/// Machines, settings and networks that are evaluated together, and what is wanted of them. Names and paths are those of
/// the command line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Space {
    /// What reports call it.
    #[serde(deserialize_with = "crate::name::title")]
    pub name: String,
    /// Machines, built in or by their paths.
    pub hardware: Vec<String>,
    /// Tables of energies that each machine is charged by; its own where there are none.
    #[serde(default)]
    pub tables: Vec<String>,
    /// Fields of the machines, with the values that are tried; all of them with all.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// Networks with what they do.
    pub networks: Vec<NetworkSpec>,
    /// Settings, built in or by their paths.
    pub settings: Vec<String>,
    /// What every point of a front keeps.
    #[serde(default)]
    pub constraints: Vec<Constraint>,
    /// What fronts are of.
    pub objectives: Vec<Figure>,
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

    fn check(&self) -> Result<(), Fault> {
        let lists: [(&'static str, &[String]); 2] =
            [("hardware", &self.hardware), ("settings", &self.settings)];
        for (field, list) in lists {
            if list.is_empty() {
                return Err(Fault::new(field, "empty"));
            }
        }
        for (field, list) in lists.into_iter().chain([("tables", &self.tables[..])]) {
            if let Some(twice) = repeated(list.iter().map(String::as_str)) {
                return Err(Fault::new(field, format!("{twice} stands there twice")));
            }
        }
        if self.networks.is_empty() {
            return Err(Fault::new("networks", "empty"));
        }
        if let Some(twice) = repeated(self.networks.iter().map(|network| network.model.as_str())) {
            return Err(Fault::new("networks", format!("{twice} stands there twice: points go by its name")));
        }
        self.check_parameters()?;
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

    fn check_parameters(&self) -> Result<(), Fault> {
        /// Columns of `points.csv` that are no figures.
        const TAKEN: [&str; 8] =
            ["point", "network", "hardware", "table", "setting", "meets", "refused", "exceeded"];
        let names = self.parameters.iter().map(|parameter| parameter.name.as_str());
        if let Some(twice) = repeated(names.clone().chain(TAKEN).chain(Figure::ALL.map(Figure::name))) {
            return Err(Fault::new("parameters", format!("{twice} is the name of another column")));
        }
        for parameter in &self.parameters {
            let field = |rest: &str| format!("parameters: {}: {rest}", parameter.name);
            let values = parameter.values.all().map_err(|message| Fault::new(field("values"), message))?;
            if let Some(twice) = repeated(values.iter().map(String::as_str)) {
                return Err(Fault::new(field("values"), format!("{twice} stands there twice")));
            }
            values.iter().try_for_each(|value| parameter.changes(value).map(|_| ()))?;
        }
        Ok(())
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
