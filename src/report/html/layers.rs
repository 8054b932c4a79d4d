//! Sections about layers.

use maud::{Markup, html};

use super::cell::Cell;
use super::document::{Document, Layer, Setting, Source};
use super::numbers::Unit;
use super::page::paragraph;
use super::table::Table;

/// What costs most, in words, of every row; that of the featured one is open.
pub(super) fn bottlenecks(document: &Document) -> Markup {
    if document.settings.iter().all(|row| row.bottlenecks.is_empty()) {
        return paragraph("This file says nothing of what costs most: a newer spiq looks for it.");
    }
    html! {
        p {
            "The layers that weigh most in energy times latency. Each change was tried: the network was mapped and "
            "charged again with it."
        }
        @for (number, row) in document.settings.iter().enumerate() {
            details open[number == document.featured()] {
                summary { (row.name) }
                ol.bottlenecks { @for said in &row.bottlenecks {
                    li {
                        span.meters aria-hidden="true" {
                            (meter("energy", said.energy_share)) (meter("cycles", said.cycles_share))
                        }
                        p { (emphasised(&said.finding, &said.layer)) }
                        p.advice { (unbroken(&capitalised(&said.advice))) "." }
                    }
                } }
            }
        }
    }
}

fn meter(what: &str, share: f64) -> Markup {
    html! { small { (what) span.meter { span style={ "width:" (format!("{:.1}%", 100.0 * share)) } {} } } }
}

/// `text` with the name that it starts with in bold.
fn emphasised(text: &str, name: &str) -> Markup {
    match text.strip_prefix(name) {
        Some(rest) => html! { strong { (name) } (unbroken(rest)) "." },
        None => html! { (unbroken(text)) "." },
    }
}

/// With no line break before a per cent sign.
fn unbroken(text: &str) -> String {
    text.replace(" %", "\u{a0}%")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Layers of one row: bars by part, grouped by block, and a table.
pub(super) fn layers(document: &Document) -> Markup {
    let Some(row) = document.settings.get(document.featured()) else {
        return paragraph("There are no layers.");
    };
    html! {
        div.controls {
            label { "Of " select.choose-row {} }
            label { "Quantity " select #layers-quantity {
                option value="cycles" { "cycles by cause" }
                option value="energy" { "energy by component" }
            } }
            button #layers-open type="button" { "Open all blocks" }
        }
        p.hint { "A block opens with Enter or a click; a layer shows its loops and what stays on chip." }
        div.chart #layers-chart {}
        details {
            summary { "Layers of " (row.name) " as a table" }
            (table(row).markup())
        }
    }
}

fn table(row: &Setting) -> Table {
    let of = |figure: fn(&Layer) -> f64| row.layers.iter().map(move |layer| Some(figure(layer)));
    Table::sortable(
        &format!("Layers of {}", row.name),
        "layer",
        row.layers.iter().map(|layer| layer.name.clone()),
    )
    .words("kind", row.layers.iter().map(|layer| layer.kind.clone()))
    .numbers("weight bits", Unit::Whole, of(|layer| f64::from(layer.weight_bits)))
    .numbers("energy", Unit::Si("J"), of(|layer| layer.energy_j.total))
    .numbers("cycles", Unit::Count(""), of(|layer| layer.cycles.get("total").copied().unwrap_or(0.0)))
    .numbers("synaptic operations", Unit::Count(""), of(|layer| layer.synaptic_operations))
    .numbers("inputs that are not zero", Unit::Percent, of(|layer| layer.input_rate))
    .words("mapping", row.layers.iter().map(|layer| layer.mapping.clone()))
}

/// Operations per bit against operations per cycle.
pub(super) fn roofline(document: &Document) -> Markup {
    if document.machines.iter().all(|machine| machine.units.is_empty()) {
        return paragraph("This file does not say what units and memories can do at the most.");
    }
    html! {
        p {
            "Each point is a layer. None can be above the dashed line: on its slope the memory is the limit, on its flat "
            "part the lanes are. Memories that feed units are shown, and DRAM."
        }
        div.controls {
            label { "Of " select.choose-row {} }
            label { "Memory " select #roofline-memory {} }
        }
        div.chart #roofline-chart {}
    }
}

/// A figure as a number and as text, where there is one.
type Figure = Option<(f64, String)>;

/// Names of layers beside columns of their figures, the larger the deeper; layers without any are left out. Widths of 32
/// bits do not count among the largest.
fn heat_map(caption: &str, names: &[String], columns: &[(String, Vec<Figure>)]) -> Option<Markup> {
    let figure = |column: &[Figure], layer: usize| column.get(layer).cloned().flatten();
    let has_any = |layer: &usize| columns.iter().any(|(_, column)| figure(column, *layer).is_some());
    let shown: Vec<usize> = (0..names.len()).filter(has_any).collect();
    if shown.is_empty() {
        return None;
    }
    let values = columns.iter().flat_map(|(_, column)| column).flatten().map(|(value, _)| *value);
    let largest = values.filter(|value| *value < 32.0).fold(f64::MIN_POSITIVE, f64::max);
    let mut table = Table::ordered(caption, "layer", shown.iter().map(|&layer| names[layer].clone()));
    for (heading, column) in columns {
        let cell = |&layer: &usize| match figure(column, layer) {
            Some((value, text)) => Cell::number(text, value).shaded(value / largest),
            None => Cell::text("–"),
        };
        table = table.cells(heading, shown.iter().map(cell));
    }
    Some(table.markup())
}

fn names(layers: &[Layer]) -> Vec<String> {
    layers.iter().map(|layer| layer.name.clone()).collect()
}

/// The `figure` of each layer, a column per row of the report.
fn by_row(document: &Document, caption: &str, figure: fn(&Layer) -> Figure) -> Option<Markup> {
    let column = |row: &Setting| (row.name.clone(), row.layers.iter().map(figure).collect());
    let columns: Vec<(String, Vec<Figure>)> = document.settings.iter().map(column).collect();
    heat_map(caption, &names(&document.settings.first()?.layers), &columns)
}

/// Bits of weights and membranes.
pub(super) fn bits(document: &Document) -> Markup {
    let weights = by_row(document, "Bits per weight", |layer| of_bits(layer.weight_bits));
    let membranes = by_row(document, "Bits per membrane", |layer| of_bits(layer.membrane_bits));
    html! {
        (weights.unwrap_or_else(|| paragraph("No layer has weights.")))
        @match membranes {
            Some(membranes) => details { summary { "Membranes" } (membranes) },
            None => (paragraph("No layer keeps a membrane of fixed width.")),
        }
    }
}

fn of_bits(bits: u32) -> Figure {
    (bits > 0).then(|| (f64::from(bits), bits.to_string()))
}

/// Columns of timesteps at the most.
const STEP_COLUMNS: usize = 64;

/// How many inputs and neurons of each layer are not zero.
pub(super) fn rates(document: &Document) -> Markup {
    let inputs = by_row(document, "Inputs that are not zero", |layer| {
        (layer.weight_bits > 0).then(|| of_rate(layer.input_rate))
    });
    let spikes = by_row(document, "Neurons that fire", |layer| {
        (layer.neuron_updates > 0.0).then(|| of_rate(layer.spike_rate))
    });
    html! {
        p { "Means over timesteps." }
        (inputs.unwrap_or_else(|| paragraph("No layer has inputs that were counted.")))
        @match spikes {
            Some(spikes) => details { summary { "Neurons that fire" } (spikes) },
            None => (paragraph("Spikes of neurons were not counted.")),
        }
        @match step_rates(document) {
            Some(rates) => details { summary { "Neurons that fire at each timestep" } (rates) },
            None => (paragraph("No neurons were counted timestep by timestep.")),
        }
    }
}

/// How many neurons of each layer fire at each timestep, of the row whose layers the page shows first; `None` where no
/// spikes were executed or recorded. Where there are more timesteps than [`STEP_COLUMNS`], a column is the mean of
/// several.
fn step_rates(document: &Document) -> Option<Markup> {
    if matches!(document.source, Source::Rates { .. }) {
        return None;
    }
    let row = document.settings.get(document.featured())?;
    let timesteps = row.layers.iter().map(|layer| layer.step_spike_rates.len()).max()?;
    let merged = timesteps.div_ceil(STEP_COLUMNS).max(1);
    let column = |first: usize| {
        let end = (first + merged).min(timesteps);
        let figure = |layer: &Layer| layer.step_spike_rates.get(first..end).map(|rates| of_rate(mean(rates)));
        let heading = if end == first + 1 { end.to_string() } else { format!("{}–{end}", first + 1) };
        (heading, row.layers.iter().map(figure).collect())
    };
    let columns: Vec<(String, Vec<Figure>)> = (0..timesteps).step_by(merged).map(column).collect();
    let each = if merged == 1 { String::new() } else { format!(", a column the mean of up to {merged}") };
    let caption = format!("Neurons that fire at each timestep, {}{each}", row.name);
    heat_map(&caption, &names(&row.layers), &columns)
}

fn mean(rates: &[f64]) -> f64 {
    rates.iter().sum::<f64>() / rates.len() as f64
}

fn of_rate(rate: f64) -> (f64, String) {
    (rate, format!("{:.1} %", 100.0 * rate))
}
