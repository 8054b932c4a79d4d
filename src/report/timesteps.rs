//! What a search found at several numbers of timesteps.

use std::path::Path;

use super::column::Cell;
use super::csv;
use super::search::{format_quantity, push_rows};
use super::units::fixed;
use crate::error::Result;
use crate::output::Owner;
use crate::search::{Request, Search};

/// A number of timesteps that a search may choose.
#[derive(Debug)]
pub struct TimestepsTried {
    /// Timesteps of an inference.
    pub timesteps: usize,
    /// Accuracy that the float network loses by them on the validation images, as a fraction.
    pub float_drop: f64,
    /// The search, and what was asked for; nothing where the float network already loses too much.
    pub search: Option<(Search, Request)>,
}

impl TimestepsTried {
    /// The least that was found of the objective, in base units.
    fn objective(&self) -> Option<f64> {
        let (search, request) = self.search.as_ref()?;
        let best = search.runs[search.best?].best.as_ref()?;
        Some(request.problem.objective.of(&best.measured.figures))
    }
}

/// The one with which the objective is least, if anything was found at any.
pub fn best_timesteps(tried: &[TimestepsTried]) -> Option<&TimestepsTried> {
    let found = tried.iter().filter_map(|tried| Some((tried.objective()?, tried)));
    found.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, tried)| tried)
}

/// A line per number of timesteps: what they lose by themselves, and the least that was found of the objective.
pub fn timesteps_table(tried: &[TimestepsTried]) -> String {
    let best = best_timesteps(tried).map(|best| best.timesteps);
    let unit = |tried: &TimestepsTried| tried.search.as_ref().map(|(search, _)| search.objective);
    let name = tried.iter().find_map(unit).map_or("objective", |objective| objective.name());
    let mut rows =
        vec![["timesteps", "lost by the float network, points", name, ""].map(str::to_owned).to_vec()];
    for tried in tried {
        let found = match (tried.objective(), unit(tried)) {
            (Some(value), Some(objective)) => format_quantity(value, objective.unit()),
            (None, Some(_)) => "nothing within the budgets".to_owned(),
            (_, None) => "not searched: loses too much by itself".to_owned(),
        };
        let mark = if best == Some(tried.timesteps) { "taken" } else { "" };
        rows.push(vec![
            tried.timesteps.to_string(),
            fixed(100.0 * tried.float_drop, 2),
            found,
            mark.to_owned(),
        ]);
    }
    let mut text = String::new();
    push_rows(&mut text, &rows);
    text
}

/// Writes `timesteps.csv`, and the setting that was taken as `setting.ron`, with its machine where one was chosen, to
/// `dir`.
///
/// # Errors
/// If a file cannot be written; an earlier result is then as it was.
pub fn write_timesteps(tried: &[TimestepsTried], dir: &Path) -> Result<()> {
    let mut files = vec![("timesteps.csv".to_owned(), timesteps_csv(tried)?)];
    let best = best_timesteps(tried).and_then(|best| Some((best.timesteps, &best.search.as_ref()?.0)));
    if let Some((timesteps, search)) = best {
        let run = search.best.map(|best| &search.runs[best]);
        if let Some(setting) = run.and_then(|run| run.setting.as_ref()) {
            let text = format!("// For {timesteps} timesteps: --timesteps {timesteps}.\n{setting}");
            files.push(("setting.ron".to_owned(), text.into_bytes()));
        }
        if let Some(machine) = run.and_then(|run| run.machine.as_ref()) {
            files.push(("machine.ron".to_owned(), machine.text.clone().into_bytes()));
        }
    }
    super::write_files(files, Owner::Search, dir)
}

/// A row per number of timesteps; the objective in base units, empty where nothing was found.
fn timesteps_csv(tried: &[TimestepsTried]) -> Result<Vec<u8>> {
    let header = ["timesteps", "float_drop", "searched", "objective", "least", "taken"];
    let best = best_timesteps(tried).map(|best| best.timesteps);
    let row = |tried: &TimestepsTried| {
        let objective = tried.search.as_ref().map_or("", |(search, _)| search.objective.name());
        vec![
            Cell::Number(tried.timesteps as f64),
            Cell::Number(tried.float_drop),
            Cell::Text(tried.search.is_some().to_string()),
            Cell::Text(objective.to_owned()),
            tried.objective().map_or_else(|| Cell::Absent, Cell::Number),
            Cell::Text((best == Some(tried.timesteps)).to_string()),
        ]
    };
    csv::write("timesteps.csv", header.map(str::to_owned).to_vec(), tried.iter().map(row))
}
