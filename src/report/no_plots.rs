//! Reports of a build without the feature `plots`, which have no pictures.

use super::file::File;
use crate::error::Result;
use crate::evaluate::{Comparison, Simulation};
use crate::explore::Exploration;
use crate::search::Search;
use crate::sensitivity::Sensitivities;

pub(super) fn of_simulation(_: &Simulation) -> Result<Vec<File>> {
    Ok(Vec::new())
}

pub(super) fn of_comparison(_: &Comparison) -> Result<Vec<File>> {
    Ok(Vec::new())
}

pub(super) fn of_search(_: &Search) -> Result<Vec<File>> {
    Ok(Vec::new())
}

pub(super) fn of_exploration(_: &Exploration) -> Result<Vec<File>> {
    Ok(Vec::new())
}

pub(super) fn of_sensitivities(_: &Sensitivities) -> Result<Vec<File>> {
    Ok(Vec::new())
}
