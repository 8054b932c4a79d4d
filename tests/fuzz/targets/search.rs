//! What searches and sensitivities read.

use spiq::Result;
use spiq::search::{Budgets, log};
use spiq::sensitivity::Imported;

use super::Files;
use super::descriptions::NETWORK;

pub fn budget(bytes: &[u8]) -> Result<()> {
    let files = Files::new(&[("input.ron", bytes)]);
    Budgets::load(&files.text("input.ron")).map(drop)
}

/// Every entry of a log, which a resumed search takes for its own.
pub fn search_log(bytes: &[u8]) -> Result<()> {
    log::read(bytes, "log.jsonl").map(drop)
}

pub fn sensitivity(bytes: &[u8]) -> Result<()> {
    let files = Files::new(&[("input.csv", bytes)]);
    Imported::load(&files.path("input.csv"), &NETWORK).map(drop)
}
