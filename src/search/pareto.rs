//! The Pareto front of a run: settings that no other one beats in two figures at once.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Figures, LayerChoice, Run, Search, Step};

/// Images from which on an accuracy is good enough for a front.
const IMAGES: u32 = 1000;

/// Two figures, both of which are to be small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// Accuracy drop and footprint.
    AccuracyFootprint,
    /// Accuracy drop and energy.
    AccuracyEnergy,
    /// Energy and latency of what keeps the accuracy.
    EnergyLatency,
}

/// A point of a front, on validation images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrontPoint {
    /// Names the setting.
    pub setting: String,
    /// Images that the accuracy rests on.
    pub images: u32,
    /// Accuracy of the float network minus that of the setting on them.
    pub accuracy_drop: f64,
    /// Costs.
    #[serde(flatten)]
    pub figures: Figures,
}

impl Front {
    /// All, with the stem of their files.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::AccuracyFootprint, "front_accuracy_footprint"),
        (Self::AccuracyEnergy, "front_accuracy_energy"),
        (Self::EnergyLatency, "front_energy_latency"),
    ];

    /// The two figures of a point.
    pub fn figures(self, point: &FrontPoint) -> [f64; 2] {
        match self {
            Self::AccuracyFootprint => [point.accuracy_drop, point.figures.footprint_bytes],
            Self::AccuracyEnergy => [point.accuracy_drop, point.figures.energy_j],
            Self::EnergyLatency => [point.figures.energy_j, point.figures.latency_s],
        }
    }

    /// What each layer has in every setting of `run` that is on a front, by the name of the setting.
    pub fn layers(search: &Search, run: &Run) -> BTreeMap<String, Vec<LayerChoice>> {
        let on_any = Self::ALL.iter().flat_map(|(front, _)| front.of(search, run));
        let on_any: BTreeSet<String> = on_any.map(|point| point.setting).collect();
        let steps = run.steps.iter().filter(|step| on_any.contains(&step.setting));
        let candidates: BTreeMap<&str, _> = steps.map(|step| (&*step.setting, &step.candidate)).collect();
        candidates.into_iter().map(|(id, candidate)| (id.to_owned(), run.space.layers(candidate))).collect()
    }

    /// The points of `run` that no other beats, by the second figure.
    pub fn of(self, search: &Search, run: &Run) -> Vec<FrontPoint> {
        let enough = IMAGES.min(search.images[0] as u32);
        // What was looked at last rests on most images.
        let mut last: BTreeMap<&str, &Step> = BTreeMap::new();
        for step in run.steps.iter().filter(|step| step.images >= enough) {
            last.insert(&step.setting, step);
        }
        let point = |step: &&Step| {
            let accuracy_drop = step.accuracy_drop?;
            let keeps = accuracy_drop <= search.accuracy_drop;
            (keeps || self != Self::EnergyLatency).then(|| FrontPoint {
                setting: step.setting.clone(),
                images: step.images,
                accuracy_drop,
                figures: step.figures.clone(),
            })
        };
        let points: Vec<FrontPoint> = last.values().filter_map(point).collect();
        let beaten = |point: &FrontPoint| {
            let [x, y] = self.figures(point);
            points.iter().map(|other| self.figures(other)).any(|[a, b]| a <= x && b <= y && (a < x || b < y))
        };
        let mut front: Vec<FrontPoint> = points.iter().filter(|p| !beaten(p)).cloned().collect();
        front.sort_by(|a, b| {
            self.figures(a)[1].total_cmp(&self.figures(b)[1]).then_with(|| a.setting.cmp(&b.setting))
        });
        front
    }
}
