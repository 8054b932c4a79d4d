//! What `spiq sensitivity` shows and leaves behind.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::column::Cell;
use super::units::fixed;
use super::{csv, plots};
use crate::error::{Error, Result};
use crate::output::Owner;
use crate::sensitivity::{MeasureSummary, Sensitivities};

/// Rises when a field changes its name, its unit or its meaning.
const SCHEMA_VERSION: u32 = 1;

/// Writes `sensitivity.json`, `sensitivity.csv` (a row per layer and choice), `correlations.csv` (a row per
/// measure), `seconds.csv` (the only file that depends on the machine) and two pictures into `dir`.
///
/// # Errors
/// If a number is not finite, or a file cannot be written; an earlier result is then as it was.
pub fn write_sensitivity(found: &Sensitivities, dir: &Path) -> Result<()> {
    let json = sensitivity_json(found)?;
    let mut files = vec![
        ("sensitivity.csv".to_owned(), candidates_csv(found)?),
        ("correlations.csv".to_owned(), correlations_csv(found)?),
        ("seconds.csv".to_owned(), seconds_csv(found)?),
    ];
    files.extend(plots::of_sensitivities(found)?);
    files.push(("sensitivity.json".to_owned(), json.into_bytes()));
    super::write_files(files, Owner::Sensitivity, dir)
}

#[derive(Serialize)]
struct Report<'a> {
    schema_version: u32,
    spiq_version: &'static str,
    model: &'a str,
    data: &'a str,
    base: &'a str,
    images: usize,
    base_accuracy: f64,
    measures: Vec<Measure<'a>>,
    layers: Vec<Candidate<'a>>,
}

#[derive(Serialize)]
struct Measure<'a> {
    name: &'a str,
    rank_correlation: Option<f64>,
    /// In the order of `choices`.
    rank_correlation_by_choice: Vec<Choice<'a>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    choice: &'a str,
    rank_correlation: Option<f64>,
}

#[derive(Serialize)]
struct Candidate<'a> {
    layer: &'a str,
    choice: &'a str,
    accuracy_drop: f64,
    /// In the order of `measures`.
    figures: &'a [f64],
}

/// The result as pretty JSON with a newline at its end: all but the seconds.
///
/// # Errors
/// If a number is not finite.
pub fn sensitivity_json(found: &Sensitivities) -> Result<String> {
    for candidate in &found.candidates {
        if let Some(at) = candidate.figures.iter().position(|figure| !figure.is_finite()) {
            let (layer, measure) = (&candidate.layer, &found.measures[at].name);
            let message = format!("{} is not a finite number", candidate.figures[at]);
            return Err(Error::field(format!("layer {layer}"), measure, message));
        }
    }
    let measure = |measure: &'_ MeasureSummary| -> Vec<Choice<'_>> {
        let choices = found.choices.iter().zip(&measure.correlation_by_choice);
        choices.map(|(choice, &rank_correlation)| Choice { choice, rank_correlation }).collect()
    };
    let report = Report {
        schema_version: SCHEMA_VERSION,
        spiq_version: env!("CARGO_PKG_VERSION"),
        model: &found.model,
        data: &found.data,
        base: &found.base,
        images: found.images,
        base_accuracy: found.base_accuracy,
        measures: found
            .measures
            .iter()
            .map(|m| Measure {
                name: &m.name,
                rank_correlation: m.correlation,
                rank_correlation_by_choice: measure(m),
            })
            .collect(),
        layers: found
            .candidates
            .iter()
            .map(|candidate| Candidate {
                layer: &candidate.layer,
                choice: &found.choices[candidate.choice],
                accuracy_drop: candidate.accuracy_drop,
                figures: &candidate.figures,
            })
            .collect(),
    };
    let text = serde_json::to_string_pretty(&report)
        .map_err(|error| Error::io("sensitivity.json", std::io::Error::other(error)))?;
    Ok(text + "\n")
}

fn candidates_csv(found: &Sensitivities) -> Result<Vec<u8>> {
    let mut header = vec!["layer".to_owned(), "choice".to_owned(), "accuracy_drop".to_owned()];
    header.extend(found.measures.iter().map(|measure| column(&measure.name)));
    let rows = found.candidates.iter().map(|candidate| {
        let names = [&candidate.layer, &found.choices[candidate.choice]].map(|name| Cell::Text(name.clone()));
        let numbers = std::iter::once(&candidate.accuracy_drop).chain(&candidate.figures);
        names.into_iter().chain(numbers.map(|&x| Cell::Number(x))).collect()
    });
    csv::write("sensitivity.csv", header, rows)
}

fn correlations_csv(found: &Sensitivities) -> Result<Vec<u8>> {
    let mut header = vec!["measure".to_owned(), "rank_correlation".to_owned()];
    header.extend(found.choices.iter().map(|choice| format!("rank_correlation_{choice}")));
    let rows = found.measures.iter().map(|measure| {
        let numbers = std::iter::once(&measure.correlation).chain(&measure.correlation_by_choice);
        let numbers = numbers.map(|x| x.map_or(Cell::Absent, Cell::Number));
        std::iter::once(Cell::Text(measure.name.clone())).chain(numbers).collect()
    });
    csv::write("correlations.csv", header, rows)
}

fn seconds_csv(found: &Sensitivities) -> Result<Vec<u8>> {
    let header = vec!["measure".to_owned(), "seconds".to_owned()];
    let measured = std::iter::once(("measured accuracy drop", found.accuracy_seconds));
    let rows = measured.chain(found.measures.iter().map(|m| (m.name.as_str(), m.seconds)));
    let rows = rows.map(|(name, seconds)| vec![Cell::Text(name.to_owned()), Cell::Number(seconds)]);
    csv::write("seconds.csv", header, rows)
}

/// A name without blanks.
fn column(name: &str) -> String {
    name.replace([' ', '-'], "_")
}

/// The accuracy drop of every layer in points, and under it a line per measure.
pub fn sensitivity_table(found: &Sensitivities) -> String {
    let mut text = format!(
        "model     {}\ndata      {}, {} validation images\nbase      {}, {:.2} % of them\n\n",
        found.model,
        found.data,
        found.images,
        found.base,
        100.0 * found.base_accuracy
    );
    let layers: Vec<_> = found.candidates.chunks(found.choices.len().max(1)).collect();
    let names = layers.iter().map(|layer| layer[0].layer.len()).max().unwrap_or(0);
    let widths: Vec<usize> = found.choices.iter().map(|choice| choice.len().max(7)).collect();
    let _ = writeln!(text, "accuracy drop of one layer, points");
    push_row(&mut text, "layer", names, &found.choices, &widths);
    for layer in layers {
        let drops: Vec<String> =
            layer.iter().map(|candidate| fixed(100.0 * candidate.accuracy_drop, 2)).collect();
        push_row(&mut text, &layer[0].layer, names, &drops, &widths);
    }
    let _ = writeln!(text, "\nrank correlation with it, and what the figures took");
    let names = found.measures.iter().map(|measure| measure.name.len()).max().unwrap_or(0).max(22);
    let mut header = vec!["all".to_owned()];
    header.extend(found.choices.iter().cloned());
    header.push("seconds".to_owned());
    let widths: Vec<usize> = header.iter().map(|cell| cell.len().max(7)).collect();
    push_row(&mut text, "measure", names, &header, &widths);
    for measure in &found.measures {
        let numbers = std::iter::once(&measure.correlation).chain(&measure.correlation_by_choice);
        let mut cells: Vec<String> =
            numbers.map(|x| x.map_or_else(|| "-".to_owned(), |x| fixed(x, 2))).collect();
        cells.push(fixed(measure.seconds, 2));
        push_row(&mut text, &measure.name, names, &cells, &widths);
    }
    let mut cells = vec![String::new(); found.choices.len() + 1];
    cells.push(fixed(found.accuracy_seconds, 2));
    push_row(&mut text, "measured accuracy drop", names, &cells, &widths);
    text
}

fn push_row(text: &mut String, name: &str, names: usize, cells: &[String], widths: &[usize]) {
    let _ = write!(text, "{name:<names$}");
    for (cell, width) in cells.iter().zip(widths) {
        let _ = write!(text, "  {cell:>width$}");
    }
    text.push('\n');
}
