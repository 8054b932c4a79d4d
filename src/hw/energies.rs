//! What `--table` and hardware descriptions name: a table of operations by width, or of whole events.

use super::event_table::{self, EventTable};
use super::table::{self, EnergyTable};
use crate::files::Folder;
use crate::{Error, Result};

/// Energies to charge a machine with.
#[derive(Debug, Clone, PartialEq)]
pub enum Energies {
    /// Energies of operations by width; memories are charged beside them.
    Units(Box<EnergyTable>),
    /// Energies of whole events, with all that belongs to them.
    Events(Box<EventTable>),
}

impl Energies {
    /// Loads `spec`: the name of a bundled table or the path of a `.ron` file; with `@28` behind it the
    /// energies are scaled to 28 nm.
    ///
    /// # Errors
    /// Names the tables that there are, or says what is wrong with the file or the node.
    pub fn load(spec: &str) -> Result<Self> {
        let Some((name, node)) = spec.rsplit_once('@') else { return Self::find(spec) };
        let fail = |message: String| Error::mismatch(format!("table {spec}: {message}"));
        let nm: f64 = node.parse().map_err(|_| fail(format!("{node:?} is not a node in nm")))?;
        match Self::find(name)? {
            Self::Units(table) => table.scaled(nm).map(|table| Self::Units(Box::new(table))).map_err(fail),
            Self::Events(_) => Err(fail("energies of whole events are not scaled".to_owned())),
        }
    }

    fn find(name: &str) -> Result<Self> {
        if let Some(table) = table::bundled(name) {
            return Ok(Self::Units(Box::new(table)));
        }
        let file = format!("{name}.ron");
        if let Some((path, text)) = event_table::BUNDLED.iter().find(|(bundled, _)| *bundled == file) {
            return EventTable::parse(text, path).map(|table| Self::Events(Box::new(table)));
        }
        if !name.ends_with(".ron") {
            let message = format!("{name} is not one of {}, nor a .ron file", names().join(", "));
            return Err(Error::mismatch(format!("table {message}")));
        }
        let (folder, file) = Folder::locate("hw_configs/tables", name)?;
        let (text, path) = (folder.read_text(&file)?, folder.path(&file));
        let first = text.lines().find(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"));
        if first.is_some_and(|line| line.trim_start().starts_with("EventTable")) {
            EventTable::parse(&text, &path).map(|table| Self::Events(Box::new(table)))
        } else {
            EnergyTable::parse(&text, &path).map(|table| Self::Units(Box::new(table)))
        }
    }

    /// The name to select the table by.
    pub fn name(&self) -> &str {
        match self {
            Self::Units(table) => table.name(),
            Self::Events(table) => &table.name,
        }
    }

    /// The node that the figures are for, in nm.
    pub fn technology_nm(&self) -> f64 {
        match self {
            Self::Units(table) => table.technology_nm(),
            Self::Events(table) => table.technology_nm,
        }
    }

    /// The main source of the figures.
    pub fn source(&self) -> &str {
        match self {
            Self::Units(table) => table.source(),
            Self::Events(table) => &table.source,
        }
    }

    /// What a reader of the figures must know.
    pub fn notes(&self) -> &str {
        match self {
            Self::Units(table) => table.notes(),
            Self::Events(table) => &table.notes,
        }
    }
}

/// Names of all bundled tables.
pub fn names() -> Vec<&'static str> {
    let files = table::BUNDLED.iter().chain(event_table::BUNDLED);
    files.map(|(file, _)| file.trim_end_matches(".ron")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_load() {
        assert_eq!(names().len(), 11);
        for name in names() {
            assert_eq!(Energies::load(name).unwrap().name(), name);
        }
    }

    #[test]
    fn scaled_tables_say_so() {
        let (Energies::Units(plain), Energies::Units(scaled)) =
            (Energies::load("horowitz-45").unwrap(), Energies::load("horowitz-45@28").unwrap())
        else {
            panic!("both are of units");
        };
        assert_eq!((scaled.name(), scaled.technology_nm()), ("horowitz-45@28", 28.0));
        assert!((scaled.add_pj(8.0) - plain.add_pj(8.0) * 0.513).abs() < 1e-15);
        assert!(scaled.source().contains("Stillmaker"), "{}", scaled.source());
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let message = |spec: &str| Energies::load(spec).unwrap_err().to_string();
        assert_eq!(
            message("horowitz"),
            "table horowitz is not one of aladdin-40, eyeriss-relative, fpga-16, fpga-28, horowitz-45, qkeras, sata-28, loihi, \
             fang-40, sop-45, sop-45-mac, nor a .ron file"
        );
        assert_eq!(message("sop-45@28"), "table sop-45@28: energies of whole events are not scaled");
        assert_eq!(message("sata-28@x"), "table sata-28@x: \"x\" is not a node in nm");
        assert!(message("aladdin-40@28").contains("no factor of Stillmaker and Baas for 40 nm"));
        assert!(message("nowhere.ron").contains("nowhere.ron"));
    }
}
