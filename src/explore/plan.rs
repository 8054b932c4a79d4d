//! The evaluations of an exploration, by ids: a line for the whole, and a line for each of them.

use serde::{Deserialize, Serialize};

use super::exploration::Names;
use super::machines::machines;
use super::provenance::Provenance;
use super::sample::Sample;
use super::space::Space;
use crate::error::{Error, Result};
use crate::files::sha256;
use crate::hw::Axis;

/// Rises when a line changes its meaning.
const SCHEMA_VERSION: u32 = 2;

/// First line of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    schema_version: u32,
    spiq_version: String,
    provenance: Provenance,
    sample: Option<Sample>,
    networks: Vec<String>,
    settings: Vec<String>,
    points: usize,
    /// SHA-256 of all ids, line by line.
    ids_sha256: String,
}

/// Line of an evaluation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// SHA-256 of all that it depends on.
    id: String,
    /// Number of the point, as in `points.csv`.
    point: usize,
}

/// What is to be evaluated.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// What it is made of.
    pub provenance: Provenance,
    /// What stands for all machines, if not all are evaluated.
    pub sample: Option<Sample>,
    /// What points are called by.
    pub names: Names,
    /// Id of every point.
    pub ids: Vec<String>,
}

impl Plan {
    /// The plan as it stands in a file.
    pub fn text(&self) -> String {
        let head = Head {
            schema_version: SCHEMA_VERSION,
            spiq_version: env!("CARGO_PKG_VERSION").to_owned(),
            provenance: self.provenance.clone(),
            sample: self.sample,
            networks: self.names.networks.clone(),
            settings: self.names.settings.clone(),
            points: self.ids.len(),
            ids_sha256: digest(&self.ids),
        };
        let entry = |(point, id): (usize, &String)| line(&Entry { id: id.clone(), point });
        line(&head) + &self.ids.iter().enumerate().map(entry).collect::<String>()
    }

    /// Reads such a text; `path` is for messages.
    ///
    /// # Errors
    /// If it is of another version, or not what was planned.
    pub fn parse(text: &str, path: &str) -> Result<Self> {
        let mut lines = text.lines();
        let wrong = |line: usize, error: &serde_json::Error| Error::Syntax {
            path: path.to_owned(),
            line,
            column: error.column(),
            message: error.to_string(),
        };
        let head: Head = serde_json::from_str(lines.next().unwrap_or_default()).map_err(|e| wrong(1, &e))?;
        if head.schema_version != SCHEMA_VERSION || head.spiq_version != env!("CARGO_PKG_VERSION") {
            let message = format!("planned by spiq {}, and this is another version", head.spiq_version);
            return Err(Error::field(path, "spiq_version", message));
        }
        let entry = |(i, text): (usize, &str)| match serde_json::from_str::<Entry>(text) {
            Ok(entry) if entry.point == i && is_id(&entry.id) => Ok(entry.id),
            Ok(_) => Err(Error::field(path, format!("line {}", i + 2), "not the id of the next point")),
            Err(error) => Err(wrong(i + 2, &error)),
        };
        let ids = lines.enumerate().map(entry).collect::<Result<Vec<_>>>()?;
        if ids.len() != head.points || digest(&ids) != head.ids_sha256 {
            return Err(Error::field(path, "ids_sha256", "the lines are not those that were planned"));
        }
        let names = Names { networks: head.networks, settings: head.settings };
        Ok(Self { provenance: head.provenance, sample: head.sample, names, ids })
    }

    /// Points of a machine.
    pub fn of_machine(&self) -> usize {
        self.names.networks.len() * self.names.settings.len()
    }

    /// Refuses a plan of another space; `path` is for messages.
    ///
    /// # Errors
    /// If its points are not those of `space`.
    pub fn check(&self, space: &Space, path: &str) -> Result<()> {
        let machines = machines(space, &Axis::numbered(&space.machines.axes()), self.sample)?.len();
        let counts = [self.names.networks.len(), self.names.settings.len()];
        let same = counts == [space.networks.len(), space.settings.len()];
        if same && machines * self.of_machine() == self.ids.len() {
            Ok(())
        } else {
            Err(Error::field(path, "points", "not those of the space"))
        }
    }
}

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("names and numbers") + "\n"
}

fn digest(ids: &[String]) -> String {
    sha256(ids.iter().map(|id| format!("{id}\n")))
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
