//! The pictures of `spiq explore`.

use super::super::units::{Scale, decimals, fixed};
use super::heat_map::HeatMap;
use super::lines::{Line, Lines, Quantity, Style};
use super::palette;
use super::scene::Scene;
use crate::explore::{Exploration, Figure, Figures, FrontOf};

/// Most points of a cloud: beyond that only every so manieth is drawn.
const CLOUD: usize = 4000;
/// Classes of a third objective.
const CLASSES: usize = 4;

/// Name and scene of each front among `fronts`, and of what decides the objectives of each network.
pub(super) fn scenes(found: &Exploration, fronts: &[FrontOf]) -> Vec<(String, Scene)> {
    let several = found.networks.len() > 1;
    let prefix = |network: usize| if several { format!("{}_", network + 1) } else { String::new() };
    let mut scenes = Vec::new();
    for front in fronts {
        let names: Vec<&str> = front.figures.iter().map(|figure| figure.name()).collect();
        let stem = format!("{}front_{}", prefix(front.network), names.join("_"));
        match front.figures[..] {
            [x, y] => scenes.push((stem, pair(found, front, x, y))),
            [x, y, z] => scenes.push((stem, triple(found, front, [x, y, z]))),
            _ => {}
        }
    }
    for network in 0..found.networks.len() {
        scenes.push((format!("{}variance_shares", prefix(network)), shares(found, network)));
    }
    scenes
}

fn subtitle(found: &Exploration, network: usize) -> String {
    let Exploration { space, networks, machines, .. } = found;
    format!("{}: {} on {} machines", space.name, networks[network], machines.len())
}

fn quantity(figure: Figure) -> Quantity {
    let scale: fn(f64) -> Scale = match figure.unit() {
        "" => |_| Scale { divisor: 0.01, unit: "%".to_owned() },
        "B" => Scale::bytes,
        "J" => |largest| Scale::si(largest, "J"),
        "Js" => |largest| Scale::si(largest, "Js"),
        "s" => |largest| Scale::si(largest, "s"),
        "W" => |largest| Scale::si(largest, "W"),
        "mm2" => |_| Scale { divisor: 1.0, unit: "mm2".to_owned() },
        "bit" => |largest| Scale::count(largest, "bit"),
        _ => |largest| Scale::count(largest, "images/s"),
    };
    Quantity { name: figure.title().to_owned(), scale, spread: true }
}

/// All evaluated points of a network, or some of them, small and quiet: those that exceed a limit, if any do, and those
/// that keep all.
fn clouds(found: &Exploration, network: usize, x: Figure, y: Figure) -> Vec<Line> {
    let cloud = |keeps: bool, label: &str, colour| {
        let places: Vec<(f64, f64)> = found
            .of_network(network)
            .filter(|(_, figures)| found.meets(figures) == keeps)
            .map(|(_, figures)| (x.of(figures), y.of(figures)))
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .collect();
        let step = places.len().div_ceil(CLOUD).max(1);
        let points = places.into_iter().step_by(step).collect();
        Line { label: label.to_owned(), colour, hollow: false, style: Style::Cloud, points }
    };
    let exceeding = cloud(false, "exceed a limit", palette::part(7));
    let keeping = cloud(true, "keep all limits", palette::LEADER);
    if exceeding.points.is_empty() { vec![keeping] } else { vec![exceeding, keeping] }
}

fn of_front<'a>(found: &'a Exploration, front: &FrontOf) -> Vec<&'a Figures> {
    front.points.iter().filter_map(|&point| found.figures(point)).collect()
}

fn pair(found: &Exploration, front: &FrontOf, x: Figure, y: Figure) -> Scene {
    let points = of_front(found, front).iter().map(|f| (x.of(f), y.of(f))).collect();
    let best = Line {
        label: "no point beats these".to_owned(),
        colour: palette::SINGLE,
        hollow: false,
        style: Style::Joined,
        points,
    };
    Lines {
        title: format!("{} against {}", y.title(), x.title().to_lowercase()),
        subtitle: subtitle(found, front.network),
        x: quantity(x),
        y: quantity(y),
        steps: true,
        lines: clouds(found, front.network, x, y).into_iter().chain([best]).collect(),
    }
    .scene()
}

/// The third objective in classes of equally many points.
fn triple(found: &Exploration, front: &FrontOf, [x, y, z]: [Figure; 3]) -> Scene {
    let mut points = of_front(found, front);
    points.sort_by(|a, b| z.of(a).total_cmp(&z.of(b)));
    let mut lines = clouds(found, front.network, x, y);
    let scale = (quantity(z).scale)(points.last().map_or(0.0, |f| z.of(f)));
    let shown = |value: f64| fixed(scale.apply(value), decimals(scale.apply(value).abs(), 3).min(4));
    for (class, points) in points.chunks(points.len().div_ceil(CLASSES).max(1)).enumerate() {
        let ends = [&points[0], &points[points.len() - 1]].map(|f| shown(z.of(f)));
        lines.push(Line {
            label: format!("{} to {} {}", ends[0], ends[1], scale.unit),
            colour: palette::part(2 * class),
            hollow: false,
            style: Style::Apart,
            points: points.iter().map(|f| (x.of(f), y.of(f))).collect(),
        });
    }
    let [x_title, z_title] = [x, z].map(|figure| figure.title().to_lowercase());
    Lines {
        title: format!("{} against {x_title}, coloured by {z_title}", y.title()),
        subtitle: subtitle(found, front.network),
        x: quantity(x),
        y: quantity(y),
        steps: false,
        lines,
    }
    .scene()
}

/// How much of each objective's variance each parameter decides, in per cent.
fn shares(found: &Exploration, network: usize) -> Scene {
    let effects: Vec<_> =
        found.space.objectives.iter().map(|&objective| found.effects(network, objective)).collect();
    let columns = effects.iter().find(|effects| !effects.is_empty());
    let names = columns.map_or_else(Vec::new, |all| all.iter().map(|e| e.parameter.as_str()).collect());
    let row = |effects: &Vec<crate::explore::Effect>| {
        let share = |i: usize| effects.get(i).map(|effect| 100.0 * effect.variance_share);
        (0..names.len()).map(share).collect()
    };
    HeatMap {
        title: "What decides each objective: share of its variance (%)".to_owned(),
        subtitle: subtitle(found, network),
        rows: found.space.objectives.iter().map(|objective| objective.title()).collect(),
        values: effects.iter().map(row).collect(),
        columns: names,
        full: 100.0,
        decimals: 1,
    }
    .scene()
}
