//! The page of an exploration.

use maud::{Markup, html};

use super::exploration_data::data;
use super::exploration_document::{Best, ExplorationDocument, Point};
use super::exploration_effects::{effects, limits, refusals};
use super::exploration_points::{axis_columns, fronts, objective_columns, setting_column, table};
use super::inputs;
use super::numbers::grouped;
use super::page::{Section, page as framed};
use super::table::Table;
use crate::error::Result;

const SCRIPT: &str = include_str!("exploration.js");

/// The page of `found`.
pub(super) fn page(found: &ExplorationDocument) -> Result<String> {
    let section = |id, heading, content| Section { id, heading, content };
    let sections = [
        section("summary", "Summary", summary(found)),
        section("fronts", "Fronts", fronts(found)),
        section("points", "Points of the fronts", table(found)),
        section("effects", "What decides", effects(found)),
        section("limits", "Constraints", limits(found)),
        section("refused", "Refused", refusals(found)),
        section("again", "Run it again", again(found)),
    ];
    let title = format!("Exploration: {}", found.space.name);
    let subtitle = format!("{} on {}", found.networks.join(", "), found.space.machines.hardware.join(", "));
    Ok(framed(&title, &subtitle, &sections, &data(found), SCRIPT))
}

/// How many points came to what, and the best of them.
fn summary(found: &ExplorationDocument) -> Markup {
    let ExplorationDocument { machines, all_machines, points, refused, .. } = found;
    let kept = (!found.kept.is_empty())
        .then(|| found.kept.iter().fold(0, |sum: u64, kept| sum.saturating_add(kept.all)));
    let figures = [
        (Some(*machines), "machines"),
        (Some(*points), "points"),
        (Some(points.saturating_sub(*refused)), "evaluated"),
        (kept, "keep all constraints"),
        (Some(*refused), "refused"),
    ];
    let of = match found.sample {
        Some(sample) if machines < all_machines => {
            format!(
                "{machines} of {all_machines} machines, drawn as a Latin hypercube with seed {}",
                sample.seed
            )
        }
        _ if *machines == 1 => "one machine".to_owned(),
        _ => format!("all {machines} machines"),
    };
    html! {
        p {
            "A point is a machine with a network at a setting: " (of) ", " (counted(found.networks.len(), "network")) " and "
            (counted(found.settings.len(), "setting")) "."
        }
        ul.figures { @for (count, what) in figures { @if let Some(count) = count {
            li { strong { (grouped(count)) } " " span { (what) } }
        } } }
        @for (number, network) in found.networks.iter().enumerate() { (best(found, number, network)) }
    }
}

/// The point of `network` that is best in each objective, of those that keep all constraints.
fn best(found: &ExplorationDocument, number: usize, network: &str) -> Markup {
    let of = |best: &Best| {
        let point = found.points_of(number).find(|point| point.point == best.point)?;
        (best.network == network).then_some((best.objective.title().to_owned(), point))
    };
    let (names, points): (Vec<String>, Vec<&Point>) = found.best.iter().filter_map(of).unzip();
    if points.is_empty() {
        return html! {};
    }
    let caption = format!("The best of {network} in each objective");
    let best = Table::ordered(&caption, "best", names.into_iter())
        .words("point", points.iter().map(|point| point.point.to_string()));
    let best = axis_columns(objective_columns(best, found, &points), found, &points);
    setting_column(best, found, &points).markup()
}

/// `count` of what `one` is called.
fn counted(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

fn again(found: &ExplorationDocument) -> Markup {
    let space = ["space", found.space.name.as_str(), found.space_sha256.as_str()];
    let named = found.inputs.iter().map(|input| [&*input.what, &*input.name, &*input.sha256]);
    let all: Vec<[&str; 3]> = std::iter::once(space).chain(named).collect();
    html! {
        (inputs::command(&found.command))
        p { "spiq " (found.spiq_version) ". The same inputs give the same bytes." }
        (inputs::table(&all))
        (inputs::described("The space", &found.space))
    }
}
