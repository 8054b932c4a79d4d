//! The schema of `exploration.json`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::explore::{
    Axis, Effect, Exploration, Figure, Figures, FrontOf, Input, Nearest, Place, Refusal, Sample, Space,
};

/// Rises when a field changes its name, its unit or its meaning.
const SCHEMA_VERSION: u32 = 1;

/// Points of fronts whose figures are in the file, and others: enough to see where they lie.
const SHOWN_OF_FRONTS: usize = 1000;
const SHOWN_OTHERS: usize = 1000;
/// Reasons of refusals that are in the file.
const REFUSALS: usize = 100;

#[derive(Serialize)]
struct Report<'a> {
    schema_version: u32,
    spiq_version: &'static str,
    command: &'a str,
    space: &'a Space,
    space_sha256: &'a str,
    inputs: &'a [Input],
    networks: &'a [String],
    settings: &'a [String],
    axes: Vec<AxisReport<'a>>,
    sample: Option<Sample>,
    all_machines: u64,
    machines: usize,
    points: usize,
    refused: usize,
    refusals: Vec<RefusalReport<'a>>,
    kept: Vec<KeptReport<'a>>,
    best: Vec<BestReport<'a>>,
    fronts: Vec<FrontReport<'a>>,
    effects: Vec<EffectsReport<'a>>,
    nearest: Vec<NearestReport<'a>>,
    shown: Vec<PointReport>,
}

#[derive(Serialize)]
struct AxisReport<'a> {
    name: &'a str,
    levels: &'a [String],
    /// What each level appends to a machine's name for `--hw`.
    suffixes: Vec<String>,
}

/// Why points were refused, the most frequent reasons first.
#[derive(Serialize)]
struct RefusalReport<'a> {
    why: &'a str,
    points: usize,
    /// The first of them.
    first: usize,
    network: &'a str,
    hardware: String,
    setting: &'a str,
}

/// How many points of a network keep limits.
#[derive(Serialize)]
struct KeptReport<'a> {
    network: &'a str,
    evaluated: usize,
    /// In the order of the space.
    constraints: Vec<usize>,
    all: usize,
}

/// The best point of a network in an objective, of those that keep all constraints.
#[derive(Serialize)]
struct BestReport<'a> {
    network: &'a str,
    objective: Figure,
    point: usize,
}

#[derive(Serialize)]
struct FrontReport<'a> {
    network: &'a str,
    objectives: &'a [Figure],
    /// Numbers of rows in `points.csv`, from 0.
    points: &'a [usize],
}

#[derive(Serialize)]
struct EffectsReport<'a> {
    network: &'a str,
    objective: Figure,
    parameters: Vec<Effect>,
}

/// The point that comes closest, of a network none of whose points keeps the constraints.
#[derive(Serialize)]
struct NearestReport<'a> {
    network: &'a str,
    point: usize,
    exceeded: Vec<String>,
}

/// A point with its figures.
#[derive(Serialize)]
struct PointReport {
    point: usize,
    #[serde(flatten)]
    place: Place,
    /// Numbers of the constraints that it exceeds.
    exceeded: Vec<usize>,
    /// Figures that are known.
    figures: BTreeMap<&'static str, f64>,
}

/// `exploration.json`.
///
/// # Errors
/// If it cannot be written.
pub fn exploration_json(found: &Exploration) -> Result<String> {
    let networks = || found.networks.iter().enumerate();
    let shown = found.shown(SHOWN_OF_FRONTS, SHOWN_OTHERS);
    let report = Report {
        schema_version: SCHEMA_VERSION,
        spiq_version: env!("CARGO_PKG_VERSION"),
        command: &found.provenance.command,
        space: &found.space,
        space_sha256: &found.provenance.space_sha256,
        inputs: &found.provenance.inputs,
        networks: &found.networks,
        settings: &found.settings,
        axes: (0..found.axes.len()).map(|number| axis(found, number)).collect(),
        sample: found.sample,
        all_machines: found.all_machines,
        machines: found.machines.len(),
        points: found.outcomes.len(),
        refused: found.refused(),
        refusals: found.refusals().into_iter().take(REFUSALS).map(|why| refusal(found, why)).collect(),
        kept: networks().map(|(network, name)| kept(found, network, name)).collect(),
        best: networks().flat_map(|(network, name)| best(found, network, name)).collect(),
        fronts: found.fronts.iter().map(|of| front(found, of)).collect(),
        effects: networks().flat_map(|(network, name)| effects(found, network, name)).collect(),
        nearest: networks().filter_map(|(network, name)| nearest(found, network, name)).collect(),
        shown: shown.into_iter().filter_map(|number| point(found, number)).collect(),
    };
    let text = serde_json::to_string_pretty(&report);
    let text = text.map_err(|error| Error::io("exploration.json", std::io::Error::other(error)))?;
    Ok(text + "\n")
}

fn axis(found: &Exploration, number: usize) -> AxisReport<'_> {
    let Axis { name, levels } = &found.axes[number];
    AxisReport { name, levels, suffixes: found.suffixes(number) }
}

fn refusal<'a>(found: &'a Exploration, refusal: Refusal<'a>) -> RefusalReport<'a> {
    let Refusal { why, points, first } = refusal;
    let place = found.place(first);
    RefusalReport {
        why,
        points,
        first,
        network: &found.networks[place.network],
        hardware: found.hardware(&place),
        setting: &found.settings[place.setting],
    }
}

fn kept<'a>(found: &'a Exploration, network: usize, name: &'a str) -> KeptReport<'a> {
    let count = |keeps: &dyn Fn(&Figures) -> bool| {
        found.of_network(network).filter(|(_, figures)| keeps(figures)).count()
    };
    let constraints = found.space.constraints.iter();
    KeptReport {
        network: name,
        evaluated: count(&|_| true),
        constraints: constraints.map(|limit| count(&|figures| limit.excess(figures).is_none())).collect(),
        all: count(&|figures| found.meets(figures)),
    }
}

fn best<'a>(found: &'a Exploration, number: usize, network: &'a str) -> impl Iterator<Item = BestReport<'a>> {
    found.space.objectives.iter().filter_map(move |&objective| {
        Some(BestReport { network, objective, point: found.best(number, objective)? })
    })
}

fn front<'a>(found: &'a Exploration, front: &'a FrontOf) -> FrontReport<'a> {
    FrontReport { network: &found.networks[front.network], objectives: &front.figures, points: &front.points }
}

fn effects<'a>(
    found: &'a Exploration,
    number: usize,
    network: &'a str,
) -> impl Iterator<Item = EffectsReport<'a>> {
    found.space.objectives.iter().map(move |&objective| EffectsReport {
        network,
        objective,
        parameters: found.effects(number, objective),
    })
}

fn nearest<'a>(found: &Exploration, number: usize, network: &'a str) -> Option<NearestReport<'a>> {
    if found.is_met(number) {
        return None;
    }
    let Nearest { point, exceeded } = found.nearest(number)?;
    Some(NearestReport { network, point, exceeded })
}

fn point(found: &Exploration, point: usize) -> Option<PointReport> {
    let figures = found.figures(point)?;
    let constraints = found.space.constraints.iter().enumerate();
    let known = Figure::ALL.into_iter().map(|figure| (figure.name(), figure.of(figures)));
    Some(PointReport {
        point,
        place: found.place(point),
        exceeded: constraints
            .filter(|(_, limit)| limit.excess(figures).is_some())
            .map(|(number, _)| number)
            .collect(),
        figures: known.filter(|(_, value)| value.is_finite()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::html_page;
    use super::*;
    use crate::explore::{Names, Outcome, Provenance};

    /// 100 values of two parameters of a machine: every point of the anti-diagonal energy and latency trade, and one in
    /// seven is refused, each for a reason of its own.
    fn large(constraints: &str) -> Exploration {
        let values = "Steps(from: 1, to: 100, plus: 1)";
        let parameter =
            |name: &str| format!("(name: \"{name}\", path: \"{name}.{}\", values: {values})", "x".repeat(60));
        let text = format!(
            "(name: \"large\", hardware: [\"m\"], parameters: [{}, {}], networks: [(model: \"n\", activity: \
             Rates(\"r\"))], settings: [\"w4\"], constraints: [{constraints}], objectives: [\"energy_j\", \"latency_s\", \"power_w\"])",
            parameter("a"),
            parameter("b"),
        );
        let outcome = |point: usize| {
            if point.is_multiple_of(7) {
                return Outcome::Refused(format!("point {point} has no room for {}", "x".repeat(60)).into());
            }
            let mut figures = [1.0 / 3.0; Figure::ALL.len()];
            figures[Figure::EnergyJ as usize] = 1e-6 * (1.0 + point as f64);
            figures[Figure::LatencyS as usize] = 1e-3 / (1.0 + point as f64);
            Outcome::Evaluated(Box::new(figures))
        };
        let names = Names { networks: vec!["n".to_owned()], settings: vec!["w4".to_owned()] };
        let made_of = Provenance { command: String::new(), space_sha256: String::new(), inputs: Vec::new() };
        let space = Space::parse(&text, "large.ron").unwrap();
        Exploration::new(space, made_of, names, None, (0..10_000).map(outcome).collect()).unwrap()
    }

    #[test]
    fn ten_thousand_points_are_a_small_page() {
        let found = large("");
        let json = exploration_json(&found).unwrap();
        let value: Value = serde_json::from_str(&json).unwrap();
        let front = &found.fronts[0].points;
        assert_eq!(front.len(), 8571, "all that were evaluated");
        let shown: Vec<u64> =
            value["shown"].as_array().unwrap().iter().map(|point| point["point"].as_u64().unwrap()).collect();
        assert!((250..=1000).contains(&shown.len()), "{}", shown.len());
        assert!(shown.is_sorted() && shown.contains(&1) && shown.contains(&9999), "ends of fronts are there");
        let refused: Vec<u64> = value["refusals"]
            .as_array()
            .unwrap()
            .iter()
            .map(|refusal| refusal["points"].as_u64().unwrap())
            .collect();
        assert_eq!(refused, [1; REFUSALS]);
        let page = html_page(&json, "exploration.json").unwrap();
        assert!(page.len() < 1_500_000, "{} bytes", page.len());
        for words in
            ["of 8,571 points of fronts", "Reasons of 1,329 more are in points.csv", "64 of 100 values"]
        {
            assert!(page.contains(words), "{words}");
        }
    }

    /// Of the 1,000 points that take at most 1 mJ, 143 are refused; the first 42 of the others take more than 20 µs.
    #[test]
    fn points_that_keep_constraints_are_counted() {
        let found = large("\"energy_j <= 1mJ\", \"latency_s <= 20us\", \"power_w <= 1\"");
        let value: Value = serde_json::from_str(&exploration_json(&found).unwrap()).unwrap();
        let kept = &value["kept"][0];
        // 1 ms / (1 + n) is at most 20 µs from point 49 on, which is refused.
        assert_eq!(kept["evaluated"], 8571);
        assert_eq!(kept["constraints"], serde_json::json!([857, 8571 - 42, 8571]));
        assert_eq!(kept["all"], 857 - 42);
        let shown = value["shown"].as_array().unwrap();
        let exceeded =
            |number: u64| shown.iter().find(|point| point["point"] == number).map(|p| &p["exceeded"]);
        assert_eq!(exceeded(1), Some(&serde_json::json!([1])));
        assert_eq!(exceeded(9999), Some(&serde_json::json!([0])));
        assert!(value["nearest"].as_array().unwrap().is_empty() && value["best"][0]["point"] == 50);
        let none = large("\"energy_j <= 1nJ\"");
        let value: Value = serde_json::from_str(&exploration_json(&none).unwrap()).unwrap();
        assert_eq!(value["nearest"][0]["point"], 1);
        assert!(value["shown"].as_array().unwrap().iter().any(|point| point["point"] == 1));
    }
}
