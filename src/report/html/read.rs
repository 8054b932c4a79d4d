//! JSON of results as documents.

use serde::Deserialize;
use serde_json::Value;

use super::document::{Document, Hardware, Setting, Source};
use super::exploration_document::ExplorationDocument;
use super::search_document::SearchDocument;
use crate::error::{Error, Result};

/// Schema versions of `report.json` and `comparison.json`, of `search.json`, and of `exploration.json`, that pages are made of.
const REPORT_VERSION: u64 = 2;
const SEARCH_VERSION: u64 = 3;
const EXPLORATION_VERSION: u64 = 1;

/// A file of results.
pub(super) enum Results {
    Report(Box<Document>),
    Search(Box<SearchDocument>),
    Exploration(Box<ExplorationDocument>),
}

/// The results that `text` of the file `path` holds.
///
/// # Errors
/// Where it does not parse, which field is missing, or what to do about a version that is not known.
pub(super) fn read(text: &str, path: &str) -> Result<Results> {
    let value: Value = serde_json::from_str(text).map_err(|error| torn(path, &error))?;
    let has = |field: &str| value.get(field).is_some();
    let (expected, kind) = match () {
        () if has("space") => (EXPLORATION_VERSION, "exploration"),
        () if has("settings") => (REPORT_VERSION, "report"),
        () if has("machines") => (REPORT_VERSION, "comparison"),
        () if has("runs") => (SEARCH_VERSION, "search"),
        () => {
            return Err(Error::mismatch(format!(
                "{path}: no results of simulate, compare, search or explore"
            )));
        }
    };
    match value.get("schema_version").and_then(Value::as_u64) {
        Some(version) if version == expected => {}
        version => {
            let found = version.map_or_else(|| "none".to_owned(), |version| version.to_string());
            let message = format!(
                "{found}, and this spiq reads version {expected}: run the command again that wrote it, or use the spiq \
                 that did"
            );
            return Err(Error::field(path, "schema_version", message));
        }
    }
    Ok(match kind {
        "report" => Results::Report(Box::new(report(text, path)?)),
        "comparison" => Results::Report(Box::new(comparison(text, path)?)),
        "exploration" => Results::Exploration(Box::new(exploration(text, path)?)),
        _ => Results::Search(Box::new(parse(text, path)?)),
    })
}

/// The message of `serde_json`, which ends in a position, and what to do.
fn torn(path: &str, error: &serde_json::Error) -> Error {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    Error::Syntax {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
        message: format!("{message}; run the command again that wrote it"),
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str, path: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| torn(path, &error))
}

fn report(text: &str, path: &str) -> Result<Document> {
    #[derive(Deserialize)]
    struct Data {
        name: String,
        images: u64,
        sha256: String,
    }
    #[derive(Deserialize)]
    struct Rates {
        file: String,
        sha256: String,
    }
    #[derive(Deserialize)]
    struct Spikes {
        file: String,
        images: u64,
        sha256: String,
    }
    #[derive(Deserialize)]
    struct Report {
        hardware: Hardware,
        data: Option<Data>,
        rates: Option<Rates>,
        spikes: Option<Spikes>,
    }
    let mut document: Document = parse(text, path)?;
    let report: Report = parse(text, path)?;
    document.source = match report {
        Report { data: Some(Data { name, images, sha256 }), .. } => Source::Data { name, images, sha256 },
        Report { rates: Some(Rates { file, sha256 }), .. } => Source::Rates { file, sha256 },
        Report { spikes: Some(Spikes { file, images, sha256 }), .. } => {
            Source::Spikes { file, images, sha256 }
        }
        _ => {
            return Err(Error::field(
                path,
                "data",
                "null, and so are rates and spikes: activity came from one of them",
            ));
        }
    };
    document.machines = vec![report.hardware];
    document.row = "setting";
    Ok(document)
}

/// A comparison as a report whose rows are machines.
fn comparison(text: &str, path: &str) -> Result<Document> {
    #[derive(Deserialize)]
    struct Machine {
        hardware: Hardware,
        evaluation: Setting,
    }
    #[derive(Deserialize)]
    struct Comparison {
        source: Source,
        machines: Vec<Machine>,
    }
    let mut document: Document = parse(text, path)?;
    let comparison: Comparison = parse(text, path)?;
    document.source = comparison.source;
    document.row = "machine";
    for Machine { hardware, mut evaluation } in comparison.machines {
        evaluation.notes.insert(0, format!("setting {}", evaluation.name));
        evaluation.name.clone_from(&hardware.name);
        document.machines.push(hardware);
        document.settings.push(evaluation);
    }
    Ok(document)
}

fn exploration(text: &str, path: &str) -> Result<ExplorationDocument> {
    let document: ExplorationDocument = parse(text, path)?;
    document.check().map_err(|fault| fault.at(path))?;
    Ok(document)
}
