//! `report.html`: one file that shows what JSON files of results hold, without a network and, as far as tables go,
//! without a script.

mod cell;
mod data;
mod document;
mod exploration;
mod exploration_data;
mod exploration_document;
mod exploration_effects;
mod exploration_points;
mod inputs;
mod layers;
mod numbers;
mod page;
mod read;
mod report;
mod search;
mod search_document;
mod settings;
mod table;
mod trust;

use self::read::{Results, read};
use crate::error::Result;

/// Files of results that a page is made of, of which a folder has one or several.
pub const SOURCES: [&str; 4] = ["report.json", "comparison.json", "search.json", "exploration.json"];

/// The page that shows the results which `json` holds; `path` is the file, for messages.
///
/// # Errors
/// If it is no file of [`SOURCES`], is torn, or is of a version that is not known: the message says what to do.
pub fn html_page(json: &str, path: &str) -> Result<String> {
    match read(json, path)? {
        Results::Report(document) => report::page(&document),
        Results::Search(document) => search::page(&document),
        Results::Exploration(document) => exploration::page(&document),
    }
}
