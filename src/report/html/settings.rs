//! Sections about settings, or machines, as a whole.

use maud::{Markup, html};

use super::document::{Document, Setting, Source};
use super::numbers::Unit;
use super::page::paragraph;
use super::table::Table;

/// A figure of a row.
type Figure = fn(&Setting) -> Option<f64>;

/// Figures of the table of settings: heading, unit, where it is.
const FIGURES: [(&str, Unit, Figure); 13] = [
    ("accuracy", Unit::Percent, |s| s.accuracy),
    ("drop", Unit::Points, |s| s.accuracy_drop),
    ("bits per weight", Unit::Plain(""), |s| Some(s.average_weight_bits)),
    ("model", Unit::Bytes, |s| Some(s.model_bytes)),
    ("footprint", Unit::Bytes, |s| Some(s.total_footprint_bytes())),
    ("cycles", Unit::Count(""), |s| Some(s.total_cycles())),
    ("latency", Unit::Si("s"), |s| Some(s.latency_s)),
    ("throughput", Unit::Count("/s"), |s| Some(s.throughput_images_per_s)),
    ("energy", Unit::Si("J"), |s| Some(s.energy_j.total)),
    ("power", Unit::Si("W"), |s| Some(s.power_w)),
    ("energy per synaptic operation", Unit::Si("J"), |s| Some(s.energy_per_synaptic_operation_j)),
    ("DRAM energy", Unit::Si("J"), |s| s.energy_j.dynamic.get("dram").copied()),
    ("area", Unit::Plain("mm²"), |s| s.area_mm2),
];

fn names(document: &Document) -> impl Iterator<Item = String> {
    document.settings.iter().map(|row| row.name.clone())
}

/// What was run, and what came out for the row that stands for all.
pub(super) fn summary(document: &Document) -> Markup {
    let Some(featured) = document.settings.get(document.featured()) else {
        return paragraph("Nothing was run.");
    };
    let accuracy = featured.accuracy.map(|accuracy| (Unit::Percent.text(accuracy), "accuracy"));
    let figures = [
        (Unit::Si("J").text(featured.energy_j.total), "energy"),
        (Unit::Si("s").text(featured.latency_s), "latency"),
        (Unit::Bytes.text(featured.total_footprint_bytes()), "footprint"),
        (Unit::Si("W").text(featured.power_w), "power"),
    ];
    html! {
        p { "At " strong { (featured.name) } ", per inference:" }
        ul.figures { @for (value, what) in accuracy.into_iter().chain(figures) {
            li { strong { (value) } " " span { (what) } }
        } }
    }
}

/// Where activity comes from, in words.
pub(super) fn described(document: &Document) -> String {
    let model = format!("{} ({} parameters)", document.model.name, document.model.parameters);
    match &document.source {
        Source::Data { name, images, .. } => format!("{model}, mean of {images} images of {name}"),
        Source::Rates { file, .. } => format!("{model}, activity expected from {file}; nothing was executed"),
        Source::Spikes { file, images, .. } => {
            format!("{model}, mean of {images} images recorded in {file}; nothing was executed")
        }
    }
}

/// Every row with its figures.
pub(super) fn table(document: &Document) -> Markup {
    let mut table = Table::sortable("All figures per inference", document.row, names(document));
    for (heading, unit, figure) in FIGURES {
        let values: Vec<Option<f64>> = document.settings.iter().map(figure).collect();
        if values.iter().any(Option::is_some) {
            table = table.numbers(heading, unit, values.into_iter());
        }
    }
    html! { (table.markup()) }
}

/// Bars of a quantity that can be chosen, per row.
pub(super) fn charts() -> Markup {
    html! {
        div.controls {
            label { "Quantity " select #overview-quantity {
                option value="energy" { "energy" }
                option value="cycles" { "cycles" }
                option value="latency" { "latency" }
                option value="footprint" { "footprint" }
            } }
            label { input #overview-share type="checkbox"; " shares of each total" }
        }
        div.chart #overview {}
        noscript { p { "Charts need a script; every figure is in the tables." } }
    }
}

/// Accuracy against a cost, or why there is none.
pub(super) fn trade_off(document: &Document) -> Markup {
    if document.settings.iter().all(|row| row.accuracy.is_none()) {
        return paragraph(
            "No images were executed, so no accuracy is known: there is nothing to trade for it.",
        );
    }
    html! {
        p { "Rows that no other beats in both figures are joined by a line. Choosing one shows its layers below." }
        div.controls { label { "Against " select #trade-quantity {
            option value="energy" { "energy" }
            option value="latency" { "latency" }
            option value="footprint" { "footprint" }
            option value="power" { "power" }
        } } }
        div.chart #trade {}
    }
}

/// Peaks of memories, and what they hold over time.
pub(super) fn memories(document: &Document) -> Markup {
    let rows: Vec<_> = document
        .settings
        .iter()
        .flat_map(|row| row.memories.iter().map(move |memory| (row.name.as_str(), memory)))
        .collect();
    if rows.is_empty() {
        return paragraph("The machine has no memories of its own that are described.");
    }
    let table = Table::sortable("Peaks", document.row, rows.iter().map(|(name, _)| (*name).to_owned()))
        .words("memory", rows.iter().map(|(_, memory)| memory.name.clone()))
        .numbers("capacity", Unit::Bytes, rows.iter().map(|(_, memory)| Some(memory.capacity_bytes)))
        .numbers("peak", Unit::Bytes, rows.iter().map(|(_, memory)| memory.peak_bytes.get("total").copied()))
        .numbers("full", Unit::Percent, rows.iter().map(|(_, memory)| Some(memory.share)))
        .words("first at layer", rows.iter().map(|(_, memory)| memory.layer.clone()));
    html! {
        p { "What each memory holds while the layers run one after the other, as a share of its capacity." }
        div.controls { label { "Of " select.choose-row {} } }
        div.chart #occupancy {}
        (table.markup())
    }
}

/// What units do with their time.
pub(super) fn units(document: &Document) -> Markup {
    let rows: Vec<_> = document
        .settings
        .iter()
        .flat_map(|row| row.units.iter().map(move |unit| (row.name.as_str(), unit)))
        .collect();
    Table::sortable("Units, by kind of work", document.row, rows.iter().map(|(name, _)| (*name).to_owned()))
        .words("unit", rows.iter().map(|(_, unit)| unit.unit.clone()))
        .words("work", rows.iter().map(|(_, unit)| unit.work.replace('_', " ")))
        .numbers("ideal", Unit::Count("cycles"), rows.iter().map(|(_, unit)| Some(unit.ideal_cycles)))
        .numbers("busy", Unit::Count("cycles"), rows.iter().map(|(_, unit)| Some(unit.busy_cycles)))
        .numbers("busy", Unit::Percent, rows.iter().map(|(_, unit)| Some(unit.busy_share)))
        .markup()
}

/// Energies by table, where there are several.
pub(super) fn tables(document: &Document) -> Markup {
    let [first, _, ..] = &document.tables[..] else {
        return paragraph("One table of energies was charged; --table compares several.");
    };
    let rows = first.settings.iter().map(|cost| cost.setting.clone());
    let mut table = Table::sortable("Energy per inference by table of energies", document.row, rows);
    for by_table in &document.tables {
        let energies = by_table.settings.iter().map(|cost| Some(cost.energy_j));
        let ranks = by_table.settings.iter().map(|cost| Some(cost.rank as f64));
        let latencies = by_table.settings.iter().map(|cost| Some(cost.latency_s));
        table = table
            .numbers(&by_table.table, Unit::Si("J"), energies)
            .numbers("rank", Unit::Whole, ranks)
            .numbers("latency", Unit::Si("s"), latencies);
    }
    table.markup()
}
