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

/// Names of the layers that have weights or neurons, with a figure per row.
fn heat_map(
    document: &Document,
    caption: &str,
    figure: fn(&Layer) -> Option<(f64, String)>,
) -> Option<Markup> {
    let first = document.settings.first()?;
    let shown: Vec<usize> = (0..first.layers.len())
        .filter(|&layer| document.settings.iter().any(|row| row.layers.get(layer).and_then(figure).is_some()))
        .collect();
    if shown.is_empty() {
        return None;
    }
    let figures = document.settings.iter().flat_map(|row| &row.layers).filter_map(figure);
    let largest = figures.map(|(value, _)| value).filter(|value| *value < 32.0).fold(0.0, f64::max);
    let names = shown.iter().map(|&layer| first.layers[layer].name.clone());
    let mut table = Table::ordered(caption, "layer", names);
    for row in &document.settings {
        let cell = |&layer: &usize| match row.layers.get(layer).and_then(figure) {
            Some((value, text)) => Cell::number(text, value).shaded(value / largest.max(f64::MIN_POSITIVE)),
            None => Cell::text("–"),
        };
        table = table.cells(&row.name, shown.iter().map(cell));
    }
    Some(table.markup())
}

/// Bits of weights and membranes.
pub(super) fn bits(document: &Document) -> Markup {
    let weights = heat_map(document, "Bits per weight", |layer| of_bits(layer.weight_bits));
    let membranes = heat_map(document, "Bits per membrane", |layer| of_bits(layer.membrane_bits));
    html! {
        (weights.unwrap_or_else(|| paragraph("No layer has weights.")))
        @match membranes {
            Some(membranes) => details { summary { "Membranes" } (membranes) },
            None => (paragraph("No layer keeps a membrane of fixed width.")),
        }
    }
}

fn of_bits(bits: u32) -> Option<(f64, String)> {
    (bits > 0).then(|| (f64::from(bits), bits.to_string()))
}

/// How many inputs and neurons of each layer are not zero.
pub(super) fn rates(document: &Document) -> Markup {
    let inputs = heat_map(document, "Inputs that are not zero", |layer| {
        (layer.weight_bits > 0).then(|| of_rate(layer.input_rate))
    });
    let spikes = heat_map(document, "Neurons that fire", |layer| {
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
/// spikes were executed or recorded.
fn step_rates(document: &Document) -> Option<Markup> {
    if matches!(document.source, Source::Rates { .. }) {
        return None;
    }
    let row = document.settings.get(document.featured())?;
    let layers: Vec<&Layer> = row.layers.iter().filter(|layer| !layer.step_spike_rates.is_empty()).collect();
    let rates = || layers.iter().flat_map(|layer| &layer.step_spike_rates);
    let largest = rates().fold(f64::MIN_POSITIVE, |largest, &rate| largest.max(rate));
    let timesteps = layers.iter().map(|layer| layer.step_spike_rates.len()).max()?;
    let caption = format!("Neurons that fire at each timestep, {}", row.name);
    let mut table = Table::ordered(&caption, "layer", layers.iter().map(|layer| layer.name.clone()));
    for timestep in 0..timesteps {
        let cell = |layer: &&Layer| match layer.step_spike_rates.get(timestep).map(|&rate| of_rate(rate)) {
            Some((rate, text)) => Cell::number(text, rate).shaded(rate / largest),
            None => Cell::text("–"),
        };
        table = table.cells(&(timestep + 1).to_string(), layers.iter().map(cell));
    }
    Some(table.markup())
}

fn of_rate(rate: f64) -> (f64, String) {
    (rate, format!("{:.1} %", 100.0 * rate))
}
