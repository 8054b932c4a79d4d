//! What searches and sensitivities read.

use spiq::Result;
use spiq::search::log::Log;
use spiq::search::{Budgets, Request};
use spiq::sensitivity::Imported;

use super::Files;
use super::descriptions::NETWORK;

pub fn budget(bytes: &[u8]) -> Result<()> {
    let files = Files::new(&[("input.ron", bytes)]);
    Budgets::load(&files.text("input.ron")).map(drop)
}

/// Every entry of a log, which a resumed search takes for its own.
pub fn log(bytes: &[u8]) -> Result<()> {
    let files = Files::new(&[("log.jsonl", bytes)]);
    Log::resume::<Request>(&files.path("log.jsonl")).map(drop)
}

pub fn sensitivity(bytes: &[u8]) -> Result<()> {
    let files = Files::new(&[("input.csv", bytes)]);
    Imported::load(&files.path("input.csv"), &NETWORK).map(drop)
}
