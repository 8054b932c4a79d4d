//! The page of a report or a comparison.

use super::document::Document;
use super::page::{Section, page as framed};
use super::{data, layers, settings, trust};
use crate::error::Result;

const SCRIPT: &str = include_str!("report.js");

/// The page of `document`.
pub(super) fn page(document: &Document) -> Result<String> {
    let section = |id, heading, content| Section { id, heading, content };
    let sections = [
        section("summary", "Summary", settings::summary(document)),
        section(
            "rows",
            if document.row == "machine" { "Machines" } else { "Settings" },
            settings::table(document),
        ),
        section("bottlenecks", "What costs most", layers::bottlenecks(document)),
        section("costs", "Where it goes", settings::charts()),
        section("trade-off", "Accuracy and cost", settings::trade_off(document)),
        section("layers", "Layers", layers::layers(document)),
        section("roofline", "Roofline", layers::roofline(document)),
        section("memories", "Memories", settings::memories(document)),
        section("units", "Units", settings::units(document)),
        section("bits", "Bits", layers::bits(document)),
        section("rates", "Spikes", layers::rates(document)),
        section("tables", "Tables of energies", settings::tables(document)),
        section("trust", "How far to trust it", trust::trust(document)),
        section("constants", "Constants and sources", trust::constants(document)),
        section("again", "Run it again", trust::again(document)),
    ];
    let names: Vec<&str> = document.machines.iter().map(|machine| machine.name.as_str()).collect();
    let title = format!("{} on {}", document.model.name, names.join(", "));
    Ok(framed(&title, &settings::described(document), &sections, &data::of_report(document), SCRIPT))
}
