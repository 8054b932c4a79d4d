//! Machines that differ in some fields: what varies, and which machine has what of it.

mod axes;
mod axis;
mod parameter;

pub use axes::Axes;
pub use axis::Axis;
pub use parameter::{Parameter, Value, Values};

use serde::{Deserialize, Serialize};

use super::{Change, Description};
use crate::check::repeated;
use crate::error::{Error, Fault, Result};

/// Machines: each of `hardware`, charged by each of `tables`, with all values of all `parameters`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineSpace {
    /// Machines, built in or by their paths.
    pub hardware: Vec<String>,
    /// Tables of energies that each machine is charged by; its own where there are none.
    #[serde(default)]
    pub tables: Vec<String>,
    /// Fields of the machines, with the values that are tried.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
}

impl MachineSpace {
    /// What varies: `hardware`, `table` and the parameters. The space was checked.
    pub fn axes(&self) -> Vec<Axis> {
        let own = vec!["own".to_owned()];
        let tables = if self.tables.is_empty() { own } else { self.tables.clone() };
        let named = |name: &str, levels: Vec<String>| Axis { name: name.to_owned(), levels };
        let parameters = self
            .parameters
            .iter()
            .map(|parameter| named(&parameter.name, parameter.values.all().expect("checked with the space")));
        [named("hardware", self.hardware.clone()), named("table", tables)]
            .into_iter()
            .chain(parameters)
            .collect()
    }

    /// What makes a description of the machine with these `levels` of the axes.
    pub fn changes(&self, axes: &[Axis], levels: &[usize]) -> Vec<Change> {
        let of = |(axis, &level): (usize, &usize)| self.changes_of(axes, axis, level);
        levels.iter().enumerate().flat_map(of).collect()
    }

    /// The part of [`Self::changes`] that the axis number `axis` has; `hardware` and `table` have none.
    pub fn changes_of(&self, axes: &[Axis], axis: usize, level: usize) -> Vec<Change> {
        let parameter = axis.checked_sub(2).map(|number| &self.parameters[number]);
        let of = |parameter: &Parameter| {
            parameter.changes(&axes[axis].levels[level]).expect("checked with the space")
        };
        parameter.map(of).unwrap_or_default()
    }

    /// The machine with these `levels` as `--hw` takes it.
    pub fn spec(&self, axes: &[Axis], levels: &[usize]) -> String {
        let mut spec = axes[0].levels[levels[0]].clone();
        self.changes(axes, levels).iter().for_each(|change| spec += &format!("+{change}"));
        spec
    }

    /// Refuses lists that are empty or have something twice, and parameters without values or called as one of `taken`.
    ///
    /// # Errors
    /// Names the field.
    pub fn check<'a>(&'a self, taken: impl Iterator<Item = &'a str>) -> Result<(), Fault> {
        if self.hardware.is_empty() {
            return Err(Fault::new("hardware", "empty"));
        }
        for (field, list) in [("hardware", &self.hardware), ("tables", &self.tables)] {
            if let Some(twice) = repeated(list.iter().map(String::as_str)) {
                return Err(Fault::new(field, format!("{twice} stands there twice")));
            }
        }
        let names = self.parameters.iter().map(|parameter| parameter.name.as_str());
        if let Some(twice) = repeated(names.chain(taken)) {
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

    /// Descriptions of `hardware`, of which every parameter is a field that takes each of its values, whatever the others
    /// are.
    ///
    /// # Errors
    /// If one does not load, or names the parameter.
    pub fn descriptions(&self) -> Result<Vec<Description>> {
        let load = |spec: &String| {
            let description = Description::load(spec)?;
            self.check_fields(&description)?;
            Ok(description)
        };
        self.hardware.iter().map(load).collect()
    }

    fn check_fields(&self, description: &Description) -> Result<()> {
        for parameter in &self.parameters {
            for value in parameter.values.all().expect("checked with the space") {
                let changes = parameter.changes(&value).expect("checked with the space");
                let checked = description.text_with(&changes);
                checked.map_err(|e| Error::mismatch(format!("parameter {}: {e}", parameter.name)))?;
            }
        }
        Ok(())
    }
}
