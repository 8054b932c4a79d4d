//! The setting that a search found, layer by layer, for the terminal.

use std::fmt::Write;

use super::search::{format_quantity, push_rows};
use super::units::fixed;
use crate::search::{LayerOutlook, PartOutlook, Run, Search, StepOutlook};

/// Layers that are called obstacles.
const OBSTACLES: usize = 5;

/// The widths of the best setting, layer by layer, with the part of all losses that each is expected to make; nothing
/// where none was found.
pub fn layers_table(search: &Search) -> Option<String> {
    let run = &search.runs[search.best?];
    let mut rows = vec![header(&["layer", "weights", "lost %", "membranes", "lost %"])];
    rows.extend(run.outlook.iter().map(|layer| {
        let cells = [&layer.weights, &layer.membranes].map(level_and_loss);
        std::iter::once(layer.layer.clone()).chain(cells.concat()).collect()
    }));
    let mut text = title(run);
    push_rows(&mut text, &rows);
    text.push_str("\nlost: part of what the setting is expected to lose. --explain shows what one step wider or narrower would bring.\n");
    Some(text)
}

/// What one step wider or narrower would bring, layer by layer, and which layers are the obstacles.
pub fn outlook_text(search: &Search) -> Option<String> {
    let run = &search.runs[search.best?];
    let unit = search.objective.unit();
    let step = |step: &Option<StepOutlook>| step.as_ref().map_or("-".to_owned(), |step| change(step, unit));
    let columns = ["layer", "level", "lost %", "one step wider", "one step narrower"];
    let mut rows = vec![header(&columns)];
    for layer in &run.outlook {
        for part in [&layer.weights, &layer.membranes].into_iter().flatten() {
            let [level, loss] = level_and_loss(&Some(part.clone()));
            rows.push(vec![layer.layer.clone(), level, loss, step(&part.wider), step(&part.narrower)]);
        }
    }
    let mut text = title(run);
    push_rows(&mut text, &rows);
    text.push('\n');
    text += &if are_alike(run) {
        "Only uniform settings were executed, so losses cannot be told apart: --max-evaluations allows for more.\n".to_owned()
    } else {
        obstacles(run, unit)
    };
    let _ = writeln!(
        text,
        "lost: part of what the setting is expected to lose. Steps: what is reached, the change of {} at the activity of the float network, and the expected change of the accuracy in points.",
        search.objective.name()
    );
    Some(text)
}

/// True if weights of all layers are expected to lose as much as each other.
fn are_alike(run: &Run) -> bool {
    let mut shares =
        run.outlook.iter().filter_map(|layer| layer.weights.as_ref()).map(|part| part.loss_share);
    let first = shares.next();
    shares.all(|share| first.is_some_and(|first| (share / first - 1.0).abs() < 1e-6))
}

fn title(run: &Run) -> String {
    format!("{}, seed {}, layer by layer\n", run.strategy, run.seed)
}

fn header(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn level_and_loss(part: &Option<PartOutlook>) -> [String; 2] {
    match part {
        Some(part) => [part.level.clone(), fixed(100.0 * part.loss_share, 1)],
        None => ["-", "-"].map(str::to_owned),
    }
}

/// `w3: -1.25 KiB, -0.04`.
fn change(step: &StepOutlook, unit: &str) -> String {
    let signed =
        |value: f64, shown: String| if value < 0.0 { format!("-{shown}") } else { format!("+{shown}") };
    let objective = signed(step.objective, format_quantity(step.objective.abs(), unit));
    let accuracy = -100.0 * step.accuracy_drop;
    format!("{}: {objective}, {}", step.level, signed(accuracy, fixed(accuracy.abs(), 2)))
}

/// The layers that are expected to lose most, and what one more bit there would buy.
fn obstacles(run: &Run, unit: &str) -> String {
    let parts = |layer: &LayerOutlook| {
        let of = |part: &Option<PartOutlook>| part.clone().map(|part| (layer.layer.clone(), part));
        [of(&layer.weights), of(&layer.membranes)].into_iter().flatten().collect::<Vec<_>>()
    };
    let mut all: Vec<(String, PartOutlook)> = run.outlook.iter().flat_map(parts).collect();
    all.sort_by(|a, b| b.1.loss_share.total_cmp(&a.1.loss_share));
    let mut text = String::new();
    for (layer, part) in all.into_iter().take(OBSTACLES) {
        let lost = fixed(100.0 * part.loss_share, 1);
        let buys =
            part.wider.as_ref().map_or_else(String::new, |wider| format!("; wider, {}", change(wider, unit)));
        let _ = writeln!(text, "obstacle: {layer} at {} loses {lost} % of all{buys}", part.level);
    }
    text
}
