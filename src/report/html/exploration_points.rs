//! Sections about points of an exploration.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::exploration_document::{ExplorationDocument, Front, Point, unit};
use super::numbers::{Unit, grouped};
use super::page::paragraph;
use super::table::Table;

/// Said of an exploration whose file has no points.
const NO_POINTS: &str = "This file does not hold the figures of points: a newer spiq writes them. points.csv and \
                         fronts.csv beside it do.";

/// A chart of each two objectives, and the point that is chosen there.
pub(super) fn fronts(found: &ExplorationDocument) -> Markup {
    if found.shown.is_empty() {
        let none = found.points == found.refused;
        return paragraph(if none { "No point was evaluated." } else { NO_POINTS });
    }
    html! {
        @if found.space.objectives.len() > 1 {
            p {
                "A chart of each two objectives. The line joins the points of the front: those that keep all constraints, and "
                "that no other beats in both. Choosing a point, with a click or with arrows and Enter, here or in the table "
                "below, marks it in every chart and shows all that is known of it."
            }
        } @else {
            p { "There is one objective, so its front is the best point: nothing is traded." }
        }
        (thinned(found))
        @if found.networks.len() > 1 {
            div.controls { label { "Network " select.choose-network {} } }
        }
        div #front-legend {}
        div.pairs #front-charts {}
        div #chosen role="status" {}
        noscript { p { "Charts need a script; the points of the fronts are in the table below, all points in points.csv." } }
    }
}

/// How many points the page has of how many there are, where it has not all.
fn thinned(found: &ExplorationDocument) -> Markup {
    let evaluated = found.points.saturating_sub(found.refused);
    let on_fronts: BTreeSet<u64> = found.fronts.iter().flat_map(|front| &front.points).copied().collect();
    let (of_fronts, others): (Vec<&Point>, Vec<&Point>) =
        found.shown.iter().partition(|point| on_fronts.contains(&point.point));
    let part = |shown: usize, all: u64| match shown as u64 == all {
        true => format!("all {}", grouped(all)),
        false => format!("{} of {}", grouped(shown as u64), grouped(all)),
    };
    if found.shown.len() as u64 == evaluated {
        return html! {};
    }
    let fronts = part(of_fronts.len(), on_fronts.len() as u64);
    let others = part(others.len(), evaluated.saturating_sub(on_fronts.len() as u64));
    html! {
        p.hint { "The page has " (fronts) " points of fronts and " (others) " others, evenly by their numbers; points.csv has all." }
    }
}

/// Points of fronts with how many fronts each is on, a table per network.
pub(super) fn table(found: &ExplorationDocument) -> Markup {
    if found.shown.is_empty() {
        return paragraph("No figures of points are known.");
    }
    html! { @for (number, network) in found.networks.iter().enumerate() { (of_network(found, number, network)) } }
}

fn of_network(found: &ExplorationDocument, number: usize, network: &str) -> Markup {
    let fronts: Vec<&Front> = found.fronts_of(network).collect();
    let mut counts: BTreeMap<u64, f64> = BTreeMap::new();
    fronts.iter().flat_map(|front| &front.points).for_each(|&point| *counts.entry(point).or_default() += 1.0);
    let points: Vec<&Point> =
        found.points_of(number).filter(|point| counts.contains_key(&point.point)).collect();
    if points.is_empty() {
        return paragraph(&format!("{network}: no point keeps all constraints, so no front has any."));
    }
    let caption = format!("Points of {network} that no other beats");
    let mut rows = Table::sortable(&caption, "point", points.iter().map(|point| point.point.to_string()));
    if fronts.len() > 1 {
        let heading = format!("on fronts, of {}", fronts.len());
        rows =
            rows.numbers(&heading, Unit::Whole, points.iter().map(|point| counts.get(&point.point).copied()));
    }
    let rows = axis_columns(objective_columns(rows, found, &points), found, &points);
    setting_column(rows, found, &points).markup()
}

/// `table` with the objectives of `points`.
pub(super) fn objective_columns(mut table: Table, found: &ExplorationDocument, points: &[&Point]) -> Table {
    for &figure in &found.space.objectives {
        let values = points.iter().map(|point| point.figure(figure));
        table = table.numbers(figure.title(), unit(figure).0, values);
    }
    table
}

/// `table` with what varies from machine to machine.
pub(super) fn axis_columns(mut table: Table, found: &ExplorationDocument, points: &[&Point]) -> Table {
    for (number, axis) in found.varied() {
        table = table.words(&axis.name, points.iter().map(|point| axis.levels[point.levels[number]].clone()));
    }
    table
}

/// `table` with the settings of `points`.
pub(super) fn setting_column(table: Table, found: &ExplorationDocument, points: &[&Point]) -> Table {
    table.words("setting", points.iter().map(|point| found.settings[point.setting].clone()))
}
