//! Sections about where figures come from.

use maud::{Markup, html};

use super::document::{Document, Source};
use super::inputs::{command, table};
use super::page::paragraph;
use super::table::Table;

/// What is measured, given, assumed and not validated.
pub(super) fn trust(document: &Document) -> Markup {
    let executed = matches!(document.source, Source::Data { .. });
    let measured = if executed {
        "accuracy, spikes, synaptic operations, saturations and the imbalance of lanes, from the integers of each image \
         that was run; the fast executor equals the specification on every one of them"
    } else {
        "nothing: no image was executed"
    };
    let given = match &document.source {
        Source::Data { .. } => {
            "the network, its weights, the settings, and the description of the machine".to_owned()
        }
        Source::Rates { file, .. } | Source::Spikes { file, .. } => {
            format!("activity from {file}, the network, the settings, and the description of the machine")
        }
    };
    html! {
        dl.trust {
            dt { "Measured" } dd { (measured) }
            dt { "Given" } dd { (given) }
            dt { "Assumed" } dd {
                "equal tiles, double buffered; layers one after the other; accesses that never meet in a bank; a stated share "
                "for clock and control"
            }
            dt { "Not validated" } dd {
                "cycles, energy and area of machines that do not exist; constants that name no measurement say "
                q { "assumed" } " or " q { "design choice" } " below"
            }
        }
        (notes(document))
    }
}

/// What a reader must know of rows, each note once with the rows that have it.
fn notes(document: &Document) -> Markup {
    let mut notes: Vec<(&str, Vec<&str>)> = Vec::new();
    for row in &document.settings {
        for note in &row.notes {
            match notes.iter_mut().find(|(text, _)| text == note) {
                Some((_, rows)) => rows.push(&row.name),
                None => notes.push((note, vec![&row.name])),
            }
        }
    }
    let all = document.settings.len();
    html! {
        h3 { "Notes" }
        ul.notes {
            @for note in &document.model.notes { li { strong { (document.model.name) } ": " (note) } }
            @for (note, rows) in &notes {
                li {
                    strong { @if rows.len() == all && all > 1 { "all" } @else { (rows.join(", ")) } } ": " (note)
                }
            }
        }
    }
}

/// Every constant of the machines with its source.
pub(super) fn constants(document: &Document) -> Markup {
    let machines = document.machines.iter().filter(|machine| !machine.constants.is_empty());
    let tables: Vec<_> = machines
        .map(|machine| {
            let caption = format!("{}, charged by {}", machine.name, machine.energies);
            let constants = &machine.constants;
            Table::ordered(&caption, "constant", constants.iter().map(|constant| constant.name.clone()))
                .words("value", constants.iter().map(|constant| constant.value.clone()))
                .words("source", constants.iter().map(|constant| constant.source.clone()))
        })
        .collect();
    if tables.is_empty() {
        return paragraph("This file does not say them: a newer spiq writes them.");
    }
    html! {
        div.controls { label { "Only those with " input #constants-filter type="search" placeholder="assumed"; } }
        div.filtered { @for table in &tables { (table.markup()) } }
    }
}

/// The command, the version and the hashes of what went in.
pub(super) fn again(document: &Document) -> Markup {
    let mut inputs: Vec<[&str; 3]> = vec![["weights", &document.model.name, &document.model.sha256]];
    inputs.extend(document.machines.iter().map(|machine| ["machine", &machine.name, &machine.sha256]));
    inputs.push(match &document.source {
        Source::Data { name, sha256, .. } => ["images and labels", name, sha256],
        Source::Rates { file, sha256 } => ["rates", file, sha256],
        Source::Spikes { file, sha256, .. } => ["spikes", file, sha256],
    });
    html! {
        (command(&document.command))
        p { "spiq " (document.spiq_version) ", family " (document.model.family) ". The same inputs give the same bytes." }
        (table(&inputs))
    }
}
