//! Sections about what decides objectives, what limits points, and what is refused.

use maud::{Markup, html};

use super::cell::Cell;
use super::exploration_document::{Effects, ExplorationDocument, unit};
use super::numbers::{Unit, grouped};
use super::page::paragraph;
use super::table::Table;
use crate::explore::{Effect, evenly};

/// Values of a parameter that a table or a chart has at the most.
pub(super) const MOST_LEVELS: usize = 64;

/// What decides each objective: shares of variance, and the mean at each value.
pub(super) fn effects(found: &ExplorationDocument) -> Markup {
    if found.effects.iter().all(|effects| effects.parameters.is_empty()) {
        return paragraph("Nothing varies, or nothing was evaluated.");
    }
    html! {
        p {
            "How much of an objective's variance, over all points that were evaluated, lies between the values of each "
            "parameter: 100 % where it alone decides. What is missing depends on several together."
        }
        @for network in &found.networks { (shares(found, network)) }
        div.controls {
            @if found.networks.len() > 1 { label { "Network " select.choose-network {} } }
            label { "Objective " select #effects-objective {} }
        }
        p.hint { "Means over all other parameters: geometric ones, but of accuracies." }
        div.chart #effects-chart {}
        details {
            summary { "Means as tables" }
            @for network in &found.networks { (means(found, network)) }
        }
    }
}

fn of<'a>(found: &'a ExplorationDocument, network: &'a str) -> Vec<&'a Effects> {
    found.effects.iter().filter(|effects| effects.network == network).collect()
}

/// A row of shares for each objective, and in words which is the largest.
fn shares(found: &ExplorationDocument, network: &str) -> Markup {
    let all = of(found, network);
    let Some(widest) = all.iter().max_by_key(|effects| effects.parameters.len()) else { return html! {} };
    let names = all.iter().map(|effects| effects.objective.title().to_owned());
    let mut table = Table::ordered(&format!("Shares of variance, {network}"), "objective", names);
    for (number, parameter) in widest.parameters.iter().enumerate() {
        let cell = |effects: &&Effects| match effects.parameters.get(number) {
            Some(Effect { variance_share: share, .. }) => {
                Cell::number(format!("{:.1} %", 100.0 * share), *share).shaded(*share)
            }
            None => Cell::text("–"),
        };
        table = table.cells(&parameter.parameter, all.iter().map(cell));
    }
    html! {
        ul.notes { @for effects in &all { (sentence(effects)) } }
        (table.markup())
    }
}

/// Which parameter decides an objective, and which comes next.
fn sentence(effects: &Effects) -> Markup {
    let mut order: Vec<&Effect> = effects.parameters.iter().collect();
    order.sort_by(|a, b| b.variance_share.total_cmp(&a.variance_share));
    let share = |effect: &Effect| format!("{:.1}\u{a0}%", 100.0 * effect.variance_share);
    let title = effects.objective.title();
    html! { @match order[..] {
        [] => {},
        [first, ..] if first.variance_share == 0.0 => { li { strong { (title) } ": the same at every point" } },
        [only] => { li { strong { (title) } ": " (only.parameter) " (" (share(only)) ")" } },
        [first, second, ..] => {
            li { strong { (title) } ": " (first.parameter) " (" (share(first)) "), then " (second.parameter) " (" (share(second)) ")" }
        },
    } }
}

/// Of each parameter, the mean of every objective at each value.
fn means(found: &ExplorationDocument, network: &str) -> Markup {
    let all = of(found, network);
    let Some(widest) = all.iter().max_by_key(|effects| effects.parameters.len()) else { return html! {} };
    html! { @for (number, Effect { parameter, levels, .. }) in widest.parameters.iter().enumerate() {
        @let shown: Vec<usize> = evenly(levels.len(), MOST_LEVELS).collect();
        @let part = if shown.len() < levels.len() { format!(", {} of {} values", shown.len(), levels.len()) } else { String::new() };
        @let caption = format!("{parameter}, {network}{part}");
        (all.iter().fold(
            Table::ordered(&caption, "value", shown.iter().map(|&level| levels[level].value.clone()))
                .numbers("points", Unit::Whole, shown.iter().map(|&level| Some(levels[level].points as f64))),
            |table, effects| {
                let level = |&level: &usize| effects.parameters.get(number)?.levels.get(level)?.mean;
                table.numbers(effects.objective.title(), unit(effects.objective).0, shown.iter().map(level))
            },
        ).markup())
    } }
}

/// How many points keep each constraint, and what comes closest where none keeps all.
pub(super) fn limits(found: &ExplorationDocument) -> Markup {
    let constraints = &found.space.constraints;
    if constraints.is_empty() {
        return paragraph("There are none: every point that was evaluated may be on a front.");
    }
    let limit = |constraint: &crate::explore::Constraint| {
        let sign = if constraint.is_least { "at least" } else { "at most" };
        format!("{} {sign} {}", constraint.figure.title(), unit(constraint.figure).0.text(constraint.limit))
    };
    let named = constraints.iter().map(limit).chain(["all, and every objective is known".to_owned()]);
    let mut table = Table::ordered("Points that keep them", "constraint", named);
    for kept in &found.kept {
        let counts: Vec<f64> =
            kept.constraints.iter().chain([&kept.all]).map(|&count| count as f64).collect();
        let shares = counts.iter().map(|count| (kept.evaluated > 0).then(|| count / kept.evaluated as f64));
        table = table.numbers(&kept.network, Unit::Whole, counts.iter().map(|&count| Some(count))).numbers(
            "of those evaluated",
            Unit::Percent,
            shares,
        );
    }
    html! {
        (table.markup())
        @for nearest in &found.nearest {
            p {
                strong { (nearest.network) } ": no point keeps all. The nearest is number " (nearest.point)
                @if nearest.exceeded.is_empty() { ", of which an objective is not known." }
                @else { ", which exceeds " (nearest.exceeded.join("; ")) "." }
            }
        }
    }
}

/// Why points were refused.
pub(super) fn refusals(found: &ExplorationDocument) -> Markup {
    if found.refused == 0 {
        return paragraph("No point was refused.");
    }
    let counted = found.refusals.iter().fold(0, |sum: u64, refusal| sum.saturating_add(refusal.points));
    let of = || found.refusals.iter();
    html! {
        p {
            (grouped(found.refused)) " of " (grouped(found.points)) " points were refused: their machines make no sense, or cannot "
            "run the network at the setting. They stop no others."
        }
        @if !found.refusals.is_empty() {
            (Table::sortable("Reasons", "first point", of().map(|refusal| refusal.first.to_string()))
                .numbers("points", Unit::Whole, of().map(|refusal| Some(refusal.points as f64)))
                .words("reason", of().map(|refusal| refusal.why.clone()))
                .words("network", of().map(|refusal| refusal.network.clone()))
                .words("machine", of().map(|refusal| refusal.hardware.clone()))
                .words("setting", of().map(|refusal| refusal.setting.clone()))
                .markup())
        }
        @if counted < found.refused {
            p.hint { "Reasons of " (grouped(found.refused - counted)) " more are in points.csv." }
        }
    }
}
