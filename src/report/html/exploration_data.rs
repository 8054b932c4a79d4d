//! What the script of an exploration's page draws from.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::data::rounded;
use super::exploration_document::{Effects, ExplorationDocument, Front, Levels, Point, unit};
use super::exploration_effects::MOST_LEVELS;
use crate::explore::{ActivitySpec, Effect, Figure, NetworkSpec, evenly};

/// A point: its number, network, setting and levels, the numbers of constraints that it exceeds, and its figures, which are
/// null where they are not known.
#[derive(Serialize)]
struct PointView<'a>(u64, usize, usize, Vec<usize>, &'a [usize], Vec<Option<f64>>);

/// The data of the page of `found`.
pub(super) fn data(found: &ExplorationDocument) -> Value {
    let figures = known(found);
    let numbers: Vec<BTreeMap<usize, usize>> = (0..found.axes.len()).map(|axis| used(found, axis)).collect();
    let axes: Vec<Value> = found.axes.iter().zip(&numbers).map(|(axis, used)| levels(axis, used)).collect();
    let places: BTreeMap<u64, usize> =
        found.shown.iter().enumerate().map(|(place, point)| (point.point, place)).collect();
    let view = |point: &Point| {
        let levels = point.levels.iter().zip(&numbers).map(|(level, used)| used[level]).collect();
        let figures = figures.iter().map(|&figure| point.figure(figure)).collect();
        serde_json::to_value(PointView(
            point.point,
            point.network,
            point.setting,
            levels,
            &point.exceeded,
            figures,
        ))
        .expect("numbers")
    };
    let constraints = found.space.constraints.iter().map(ToString::to_string);
    rounded(json!({
        "figures": figures.iter().map(|&figure| described(figure)).collect::<Vec<_>>(),
        "objectives": found.space.objectives.iter().filter_map(|o| number(&figures, *o)).collect::<Vec<_>>(),
        "networks": found.networks,
        "settings": found.settings,
        "flags": found.space.networks.iter().map(flags).collect::<Vec<_>>(),
        "charged": found.space.networks.iter().map(charged).collect::<Vec<_>>(),
        "specs": found.space.settings,
        "constraints": constraints.collect::<Vec<_>>(),
        "axes": axes,
        "points": found.shown.iter().map(view).collect::<Vec<_>>(),
        "fronts": found.fronts.iter().map(|of| front(found, of, &figures, &places)).collect::<Vec<_>>(),
        "effects": found.effects.iter().map(effects).collect::<Vec<_>>(),
    }))
}

/// Figures that some point has, or that are wanted.
fn known(found: &ExplorationDocument) -> Vec<Figure> {
    let is_known = |figure: &Figure| {
        found.space.objectives.contains(figure)
            || found.shown.iter().any(|point| point.figure(*figure).is_some())
    };
    Figure::ALL.into_iter().filter(is_known).collect()
}

fn number(figures: &[Figure], figure: Figure) -> Option<usize> {
    figures.iter().position(|&other| other == figure)
}

fn described(figure: Figure) -> Value {
    json!({ "title": figure.title(), "unit": unit(figure).1, "gain": figure.is_gain() })
}

/// Levels of an axis that points on the page have, each with its new number.
fn used(found: &ExplorationDocument, axis: usize) -> BTreeMap<usize, usize> {
    let levels: std::collections::BTreeSet<usize> =
        found.shown.iter().map(|point| point.levels[axis]).collect();
    levels.into_iter().zip(0..).collect()
}

fn levels(axis: &Levels, used: &BTreeMap<usize, usize>) -> Value {
    let labels: Vec<&String> = used.keys().map(|&level| &axis.levels[level]).collect();
    let suffixes: Vec<&str> =
        used.keys().map(|&level| axis.suffixes.get(level).map_or("", String::as_str)).collect();
    json!({ "name": axis.name, "varies": axis.levels.len() > 1, "levels": labels, "suffixes": suffixes })
}

/// What makes `spiq simulate` run a network as the exploration did, word by word.
fn flags(network: &NetworkSpec) -> Vec<String> {
    let mut words = vec!["--model".to_owned(), network.model.clone()];
    if let Some(weights) = &network.weights {
        words.extend(["--weights".to_owned(), weights.clone()]);
    }
    match &network.activity {
        ActivitySpec::Rates(rates) => words.extend(["--rates".to_owned(), rates.clone()]),
        ActivitySpec::Images { data, limit, .. } => {
            words.extend(["--data".to_owned(), data.clone()]);
            words.extend(limit.iter().flat_map(|limit| ["--limit".to_owned(), limit.to_string()]));
        }
    }
    words
}

/// How many images machines are charged for, where those are not all.
fn charged(network: &NetworkSpec) -> Option<usize> {
    match network.activity {
        ActivitySpec::Images { charged, limit, .. } => charged.filter(|_| charged != limit),
        ActivitySpec::Rates(_) => None,
    }
}

/// A front by the places of its points on the page.
fn front(
    found: &ExplorationDocument,
    front: &Front,
    figures: &[Figure],
    places: &BTreeMap<u64, usize>,
) -> Value {
    let objectives: Vec<Option<usize>> = front.objectives.iter().map(|&of| number(figures, of)).collect();
    let points: Vec<usize> = front.points.iter().filter_map(|point| places.get(point).copied()).collect();
    let network = found.networks.iter().position(|name| *name == front.network);
    json!({ "network": network, "objectives": objectives, "points": points })
}

fn effects(effects: &Effects) -> Value {
    let parameter = |effect: &Effect| {
        let shown = evenly(effect.levels.len(), MOST_LEVELS).map(|level| &effect.levels[level]);
        let known: Vec<(&str, f64)> = shown.filter_map(|level| Some((&*level.value, level.mean?))).collect();
        json!({ "name": effect.parameter, "share": effect.variance_share, "means": known })
    };
    let parameters: Vec<Value> = effects.parameters.iter().map(parameter).collect();
    json!({ "network": effects.network, "title": effects.objective.title(), "unit": unit(effects.objective).1, "parameters": parameters })
}
