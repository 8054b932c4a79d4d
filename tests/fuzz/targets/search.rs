//! What searches, explorations and sensitivities read.

use spiq::Result;
use spiq::explore::{Run, Space};
use spiq::hw::{Change, Description};
use spiq::search::{Budgets, log};
use spiq::sensitivity::Imported;

use super::Files;
use super::descriptions::NETWORK;

pub fn budget(bytes: &[u8]) -> Result<()> {
    let files = Files::new(&[("input.ron", bytes)]);
    Budgets::load(&files.text("input.ron")).map(drop)
}

/// Changes of a built-in machine, a line each.
pub fn changes(bytes: &[u8]) -> Result<()> {
    let text = String::from_utf8_lossy(bytes);
    let changes = text.lines().map(Change::parse).collect::<Result<Vec<_>>>()?;
    Description::load("edge-28")?.changed(&changes).map(drop)
}

pub fn space(bytes: &[u8]) -> Result<()> {
    Space::parse(&String::from_utf8_lossy(bytes), "input.ron").map(drop)
}

/// A plan of two evaluations, whose space is the one below.
pub fn plan(bytes: &[u8]) -> Result<()> {
    const SPACE: &str = "Space(name: \"small\", hardware: [\"edge-28\"], networks: [(model: \"sdtv1_2-64_fashion\", activity: Rates(\"sdtv1_2-64_fashion\"))], settings: [\"w8\", \"w4\"], objectives: [\"energy_j\"])";
    let files = Files::new(&[("plan.jsonl", bytes), ("space.ron", SPACE.as_bytes())]);
    Run::open(files.path("").as_path()).map(drop)
}

/// Every entry of a log, which a resumed search takes for its own.
pub fn search_log(bytes: &[u8]) -> Result<()> {
    log::read(bytes, "log.jsonl").map(drop)
}

pub fn sensitivity(bytes: &[u8]) -> Result<()> {
    let files = Files::new(&[("input.csv", bytes)]);
    Imported::load(&files.path("input.csv"), &NETWORK).map(drop)
}
