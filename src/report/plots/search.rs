//! The figures of a search.

use super::super::units::Scale;
use super::bars::{Bars, Series};
use super::lines::{Line, Lines, Quantity, Style};
use super::palette;
use super::scene::Scene;
use crate::search::{Front, FrontPoint, LayerChoice, Run, Search};

/// Name and scene of the fronts, the trace, and the bits of the best setting.
pub(super) fn scenes(search: &Search) -> Vec<(&'static str, Scene)> {
    let fronts = Front::ALL.into_iter().map(|(front, stem)| (stem, front_scene(search, front)));
    let mut scenes: Vec<(&'static str, Scene)> = fronts.collect();
    scenes.push(("trace", trace(search)));
    if let Some(best) = search.best {
        let run = &search.runs[best];
        scenes.push(("weight_bits", bits(search, run, "Weight bits", |layer| Some(layer.weight_bits))));
        scenes.push(("membrane_bits", bits(search, run, "Membrane bits", |layer| layer.membrane_bits)));
    }
    scenes
}

fn subtitle(search: &Search) -> String {
    let Search { model, hardware, data, images, .. } = search;
    format!("{model} on {hardware}, validation images of {data} ({})", images[0])
}

/// One colour per strategy, rings for the accelerated form of a paper's.
fn lines(search: &Search, points: impl Fn(&Run) -> Vec<(f64, f64)>) -> Vec<Line> {
    let mut colours: Vec<&str> = Vec::new();
    let mut lines: Vec<Line> = Vec::new();
    for run in &search.runs {
        let (plain, hollow) = match run.strategy.strip_suffix(" accelerated") {
            Some(plain) => (plain, true),
            None => (run.strategy.as_str(), false),
        };
        let colour = colours.iter().position(|c| *c == plain).unwrap_or_else(|| {
            colours.push(plain);
            colours.len() - 1
        });
        // Fronts of several seeds would cross: the first stands for all.
        if lines.iter().all(|line| line.label != run.strategy) {
            let (label, colour) = (run.strategy.clone(), palette::part(colour));
            lines.push(Line { label, colour, hollow, style: Style::Joined, points: points(run) });
        }
    }
    lines
}

fn front_scene(search: &Search, front: Front) -> Scene {
    let accuracy = |point: &FrontPoint| search.reference_accuracy[0] - point.accuracy_drop;
    let place = |point: &FrontPoint| match front {
        Front::AccuracyFootprint => (point.figures.footprint_bytes, accuracy(point)),
        Front::AccuracyEnergy => (point.figures.energy_j, accuracy(point)),
        Front::EnergyLatency => (point.figures.latency_s, point.figures.energy_j),
    };
    let named = |name: &str, scale| Quantity { name: name.to_owned(), scale, spread: false };
    let size: fn(f64) -> Scale = Scale::bytes;
    let energy: fn(f64) -> Scale = |largest| Scale::si(largest, "J");
    let latency: fn(f64) -> Scale = |largest| Scale::si(largest, "s");
    let percent: fn(f64) -> Scale = |_| Scale { divisor: 0.01, unit: "%".to_owned() };
    let (title, x, y) = match front {
        Front::AccuracyFootprint => {
            ("Accuracy against footprint", named("Footprint", size), named("Accuracy", percent))
        }
        Front::AccuracyEnergy => {
            ("Accuracy against energy", named("Energy per inference", energy), named("Accuracy", percent))
        }
        Front::EnergyLatency => (
            "Energy against latency of what keeps the accuracy",
            named("Latency", latency),
            named("Energy per inference", energy),
        ),
    };
    // Far below the allowed drop nothing is of interest, and the axis would show little else.
    let near = |point: &FrontPoint| point.accuracy_drop <= 4.0 * search.accuracy_drop.max(0.005);
    let points = |run: &Run| front.of(search, run).iter().filter(|p| near(p)).map(place).collect();
    Lines {
        title: format!("{title}: the front of each strategy"),
        subtitle: subtitle(search),
        x,
        y,
        steps: false,
        lines: lines(search, points),
    }
    .scene()
}

fn trace(search: &Search) -> Scene {
    let scale: fn(f64) -> Scale = match search.objective.unit() {
        "B" => Scale::bytes,
        "J" => |largest| Scale::si(largest, "J"),
        "s" => |largest| Scale::si(largest, "s"),
        "W" => |largest| Scale::si(largest, "W"),
        "Js" => |largest| Scale::si(largest, "Js"),
        _ => |largest| Scale::si(largest, "Js mm2"),
    };
    let name = search.objective.name();
    let title = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
    Lines {
        title: format!("{title} of the best setting so far"),
        subtitle: subtitle(search),
        x: Quantity {
            name: "Evaluations, in validation sets executed".to_owned(),
            scale: |_| Scale { divisor: 1.0, unit: String::new() },
            spread: false,
        },
        y: Quantity { name: title, scale, spread: false },
        steps: true,
        lines: lines(search, |run| run.trace.iter().map(|t| (t.evaluations, t.objective)).collect()),
    }
    .scene()
}

fn bits(search: &Search, run: &Run, quantity: &'static str, get: fn(&LayerChoice) -> Option<u32>) -> Scene {
    let shown: Vec<&LayerChoice> = run.layers.iter().filter(|layer| get(layer).is_some()).collect();
    let values = |family: Option<&str>| {
        let value = |layer: &&LayerChoice| {
            let applies = family.is_none_or(|family| layer.family == family);
            f64::from(get(layer).filter(|_| applies).unwrap_or(0))
        };
        shown.iter().map(value).collect()
    };
    let series = match quantity {
        "Membrane bits" => {
            vec![Series { label: "membranes", colour: palette::SINGLE, values: values(None) }]
        }
        _ => {
            let mut families = vec!["uniform", "power of two"];
            let mut others: Vec<&str> = shown.iter().map(|layer| layer.family).collect();
            others.retain(|family| !families.contains(family));
            others.sort_unstable();
            others.dedup();
            families.extend(others);
            let of_family = |(i, family): (usize, &'static str)| Series {
                label: family,
                colour: palette::part(i),
                values: values(Some(family)),
            };
            families.into_iter().enumerate().map(of_family).collect()
        }
    };
    Bars {
        title: format!("{quantity} by layer, found by {}", run.strategy),
        subtitle: subtitle(search),
        category: "Layer",
        quantity,
        scale: |_| Scale { divisor: 1.0, unit: "bits".to_owned() },
        names: shown.iter().map(|layer| layer.layer.clone()).collect(),
        series,
    }
    .scene()
}
