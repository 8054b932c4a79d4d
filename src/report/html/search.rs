//! The page of a search.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::cell::Cell;
use super::data::rounded;
use super::inputs::described;
use super::numbers::Unit;
use super::page::{Section, page as framed, paragraph};
use super::search_document::{Choice, Final, Run, SearchDocument};
use super::table::Table;
use crate::error::Result;

const SCRIPT: &str = include_str!("search.js");

/// The page of `search`.
pub(super) fn page(search: &SearchDocument) -> Result<String> {
    let section = |id, heading, content| Section { id, heading, content };
    let sections = [
        section("runs", "Runs", runs(search)),
        section("fronts", "Fronts", fronts()),
        section("trace", "How it went", html! { div.chart #trace-chart {} }),
        section("bits", "Bits", bits(search)),
        section("again", "Run it again", again(search)),
    ];
    let title = format!("Search: {} on {}", search.model, search.hardware);
    let subtitle = format!(
        "{} of {}, {} validation and {} test images; the float network classifies {} of the former and {} of the latter",
        search.model,
        search.data,
        search.validation_images,
        search.test_images,
        Unit::Percent.text(search.validation_accuracy),
        Unit::Percent.text(search.test_accuracy),
    );
    Ok(framed(&title, &subtitle, &sections, &data(search), SCRIPT))
}

/// The name of a run.
fn label(run: &Run) -> String {
    format!("{}, seed {}", run.strategy, run.seed)
}

fn runs(search: &SearchDocument) -> Markup {
    let names = ["float network".to_owned()].into_iter().chain(search.runs.iter().map(label));
    let finals = |of_float: Option<f64>, figure: fn(&Final) -> f64| {
        let found = search.runs.iter().map(move |run| run.r#final.as_ref().map(figure));
        std::iter::once(of_float).chain(found)
    };
    let spent = |figure: fn(&Run) -> f64| {
        std::iter::once(None).chain(search.runs.iter().map(move |run| Some(figure(run))))
    };
    let of_runs = || search.runs.iter().map(|run| run.promised.as_ref());
    let promised = std::iter::once(None).chain(of_runs().map(|promised| Some(promised?.most_drop)));
    let float = &search.float;
    let mut table = Table::sortable("What was found, on test images", "run", names)
        .numbers("accuracy", Unit::Percent, finals(Some(search.test_accuracy), |f| f.accuracy))
        .numbers("drop", Unit::Points, finals(Some(0.0), |f| f.accuracy_drop));
    if of_runs().any(|promised| promised.is_some()) {
        table = table.numbers("drop promised", Unit::Points, promised);
    }
    let table = table
        .numbers(
            "bits per weight",
            Unit::Plain(""),
            finals(Some(float.average_weight_bits), |f| f.average_weight_bits),
        )
        .numbers("model", Unit::Bytes, finals(Some(float.model_bytes), |f| f.model_bytes))
        .numbers("footprint", Unit::Bytes, finals(Some(float.footprint_bytes), |f| f.footprint_bytes))
        .numbers("energy", Unit::Si("J"), finals(Some(float.energy_j), |f| f.energy_j))
        .numbers("latency", Unit::Si("s"), finals(Some(float.latency_s), |f| f.latency_s))
        .numbers("power", Unit::Si("W"), finals(Some(float.power_w), |f| f.power_w))
        .numbers("evaluations", Unit::Plain(""), spent(|run| run.evaluations))
        .numbers("settings", Unit::Whole, spent(|run| run.candidates as f64))
        .numbers("time", Unit::Plain("s"), spent(|run| run.seconds));
    html! {
        (table.markup())
        @if let Some(promised) = of_runs().flatten().next() {
            p {
                "The drop promised is not exceeded on unseen images like these, with a confidence of "
                (Unit::Percent.text(promised.confidence)) " for each run: held-out validation images have decided."
            }
        }
        @if search.runs.iter().any(|run| run.best.is_none()) {
            p { "A run without figures found nothing that meets all budgets." }
        }
    }
}

fn fronts() -> Markup {
    html! {
        p {
            "Settings that were looked at on validation images; a line joins those of a run that no other beats. Choosing "
            "a point of a line shows its bits below."
        }
        div.controls {
            label { "Against " select #front-quantity {
                option value="footprint_bytes" { "footprint" }
                option value="model_bytes" { "model" }
                option value="energy_j" { "energy" }
                option value="latency_s" { "latency" }
                option value="power_w" { "power" }
            } }
            label { input #front-all type="checkbox"; " all settings" }
        }
        div.chart #front-chart {}
        p #front-chosen role="status" {}
        noscript { p { "Charts need a script; fronts/*.csv have the points." } }
    }
}

/// Bits per layer of what every run found.
fn bits(search: &SearchDocument) -> Markup {
    let found: Vec<&Run> = search.runs.iter().filter(|run| !run.layers.is_empty()).collect();
    let Some(first) = found.first() else { return paragraph("No run found a setting.") };
    let names = || first.layers.iter().map(|choice| choice.layer.clone());
    let mut weights = Table::ordered("Bits per weight", "layer", names());
    let mut membranes = Table::ordered("Bits per membrane", "layer", names());
    for run in &found {
        weights = weights.cells(&label(run), run.layers.iter().map(weight_cell));
        membranes = membranes.cells(&label(run), run.layers.iter().map(membrane_cell));
    }
    html! { (weights.markup()) details { summary { "Membranes" } (membranes.markup()) } }
}

fn weight_cell(choice: &Choice) -> Cell {
    let bits = f64::from(choice.weight_bits);
    let text = match choice.scheme.trim_end_matches(|c: char| c.is_ascii_digit()) {
        _ if choice.power_of_two => format!("{bits} pot"),
        // The width of uniform weights says all of them.
        "" | "w" | "floor" | "int" => bits.to_string(),
        _ => choice.scheme.clone(),
    };
    Cell::number(text, bits).shaded(bits / 8.0)
}

fn membrane_cell(choice: &Choice) -> Cell {
    match choice.membrane_bits.map(f64::from) {
        Some(bits) => Cell::number(bits.to_string(), bits).shaded(bits / 16.0),
        None => Cell::text("–"),
    }
}

/// The columns of [`bits`] for each setting on a front: of either table, the text and the shade of every layer.
fn front_columns(run: &Run) -> Value {
    let column = |layers: &[Choice], cell: fn(&Choice) -> Cell| -> Vec<Value> {
        layers.iter().map(cell).map(|cell| json!([cell.words(), cell.percent()])).collect()
    };
    let columns = |layers: &Vec<Choice>| json!([column(layers, weight_cell), column(layers, membrane_cell)]);
    run.fronts.iter().map(|(setting, layers)| (setting.clone(), columns(layers))).collect()
}

fn again(search: &SearchDocument) -> Markup {
    html! {
        p { "spiq " (search.spiq_version) ". All that an answer depends on:" }
        (described("The request", &search.request))
    }
}

/// What the script draws from.
fn data(search: &SearchDocument) -> Value {
    let run = |run: &Run| {
        json!({
            "name": label(run),
            "best": run.best.as_ref().map(|best| &best.id),
            "fronts": front_columns(run),
            "trace": run.trace,
            "steps": run.steps,
        })
    };
    let runs: Vec<Value> = search.runs.iter().map(run).collect();
    let float = serde_json::to_value(&search.float).expect("finite numbers");
    rounded(json!({
        "objective": search.request["problem"]["objective"],
        "accuracy": search.validation_accuracy,
        "images": search.validation_images,
        "float": float,
        "runs": runs,
    }))
}
