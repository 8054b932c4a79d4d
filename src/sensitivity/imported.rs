use std::path::Path;

use super::weight_error::errors;
use super::{Candidate, Measure, Subject};
use crate::error::{Error, Result};
use crate::files;
use crate::model::Network;
use crate::name::check_title;

/// One figure per weight layer from elsewhere, a Hessian trace or a relevance, times the squared error of the
/// weights.
pub struct Imported {
    /// Name of the file.
    name: String,
    /// Per node of the network, 0 for what is no weight layer.
    values: Vec<f64>,
}

impl Imported {
    /// Reads a table `layer,value` with one row for each weight layer of `network`; lines that start with `#`
    /// are comments.
    ///
    /// # Errors
    /// Names the line of a layer that the network lacks, that is said twice or that has no finite value of at
    /// least 0, and a layer that is missing.
    pub fn load(path: &Path, network: &Network) -> Result<Self> {
        let shown = path.display().to_string();
        let text = files::read_text(path)?;
        let mut reader =
            csv::ReaderBuilder::new().comment(Some(b'#')).trim(csv::Trim::All).from_reader(text.as_bytes());
        let broken = |e: csv::Error| Error::field(&shown, "row", e.to_string());
        if reader.headers().map_err(broken)? != vec!["layer", "value"] {
            return Err(Error::field(&shown, "header", "the first line is `layer,value`"));
        }
        let mut values: Vec<Option<f64>> = vec![None; network.nodes.len()];
        for record in reader.records() {
            let record = record.map_err(broken)?;
            let line = record.position().map_or(0, csv::Position::line);
            let refuse =
                |field: &str, message: String| Err(Error::field(format!("{shown}:{line}"), field, message));
            let (Some(layer), Some(text)) = (record.get(0), record.get(1)) else {
                return refuse("row", format!("{} values instead of a layer and its value", record.len()));
            };
            let Some((id, ..)) = network.weighted().find(|(_, node, _)| node.name == layer) else {
                return refuse("layer", format!("no weight layer is named {layer:?}"));
            };
            match text.parse::<f64>() {
                Ok(value) if value.is_finite() && value >= 0.0 => {
                    if values[id.index()].replace(value).is_some() {
                        return refuse("layer", format!("{layer} is said twice"));
                    }
                }
                _ => {
                    return refuse("value", format!("{text:?} of {layer} is no finite number of at least 0"));
                }
            }
        }
        if let Some((_, node, _)) = network.weighted().find(|(id, ..)| values[id.index()].is_none()) {
            return Err(Error::field(shown, "layer", format!("{} is missing", node.name)));
        }
        let values = values.into_iter().map(|value| value.unwrap_or(0.0)).collect();
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        check_title(&name).map_err(|message| Error::field(&shown, "name of the file", message))?;
        Ok(Self { name, values })
    }
}

impl Measure for Imported {
    fn name(&self) -> &str {
        &self.name
    }

    fn figures(&self, subject: &Subject) -> Result<Vec<f64>> {
        let figure = |candidate: &Candidate| {
            let squares: f64 = errors(subject, candidate)?.iter().map(|e| e * e).sum();
            Ok(self.values[candidate.node.index()] * squares)
        };
        subject.candidates().iter().map(figure).collect()
    }

    fn is_of_membranes(&self) -> bool {
        false
    }
}
