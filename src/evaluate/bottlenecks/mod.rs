//! The layers that cost most, why they do, and what would help: each change is charged for with the same workload and
//! activity, mapped anew.

mod bottleneck;
mod cause;
mod change;

pub use bottleneck::{Bottleneck, Cause, Effect, Remedy};

use std::slice::from_ref;

use rayon::prelude::*;

use self::cause::Subject;
use self::change::Change;
use super::LayerEvaluation;
use crate::cost::{Machine, MappedWorkload, patterns};
use crate::exec::{Activity, Pattern};
use crate::map::FixedMapping;
use crate::model::Network;

/// Layers that are looked at.
const LAYERS: usize = 5;

/// Images that changes are charged for.
const IMAGES: usize = 16;

/// The least share of a layer's cost that a remedy saves.
const LEAST_GAIN: f64 = 0.05;

/// A network as it runs on a machine.
pub(super) struct Mapped<'a> {
    /// The network.
    pub network: &'a Network,
    /// The machine.
    pub machine: &'a Machine,
    /// How it runs.
    pub mapped: &'a MappedWorkload,
    /// What a file fixes of that.
    pub fixed: Option<&'a FixedMapping>,
    /// Spikes that the mapper saw.
    pub samples: &'a [Activity],
}

/// What a layer or a network costs.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    energy_j: f64,
    /// Energy beside leakage.
    dynamic_j: f64,
    cycles: f64,
}

/// Costs of the layers of a network, and their sum.
struct Costs {
    layers: Vec<Cost>,
    network: Cost,
}

/// The layers that weigh most in energy times latency, whose costs are `layers`.
pub(super) fn bottlenecks(mapped: &Mapped, layers: &[LayerEvaluation]) -> Vec<Bottleneck> {
    let energy_j: f64 = layers.iter().map(energy).sum();
    let cycles: f64 = layers.iter().map(|layer| layer.cycles.total()).sum();
    if energy_j <= 0.0 || cycles <= 0.0 {
        return Vec::new();
    }
    let weight =
        |number: &usize| energy(&layers[*number]) / energy_j + layers[*number].cycles.total() / cycles;
    let mut heaviest: Vec<usize> = (0..layers.len()).collect();
    heaviest.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.cmp(b)));
    heaviest.truncate(LAYERS);
    let subjects: Vec<Subject> =
        heaviest.iter().map(|&number| mapped.subject(number, &layers[number])).collect();
    let tried = mapped.try_all(&subjects);
    let before = mapped.costs(mapped.machine, mapped.mapped);
    let bottleneck = |subject: &Subject| Bottleneck {
        layer: subject.evaluation.name.clone(),
        energy_share: energy(subject.evaluation) / energy_j,
        cycles_share: subject.evaluation.cycles.total() / cycles,
        energy_cause: subject.energy_cause(),
        cycles_cause: subject.cycles_cause(),
        tried: mapped.about(subject, &tried).map(|tried| tried.words.clone()).collect(),
        remedy: mapped.remedy(subject, &tried, &before),
    };
    subjects.iter().map(bottleneck).collect()
}

fn energy(layer: &LayerEvaluation) -> f64 {
    layer.energy_j.total() + layer.leakage_j
}

/// A change that was charged for.
struct Tried {
    change: Change,
    words: String,
    machine: Machine,
    costs: Costs,
}

impl<'a> Mapped<'a> {
    fn subject(&self, number: usize, evaluation: &'a LayerEvaluation) -> Subject<'a> {
        let MappedWorkload { workload, plans, .. } = self.mapped;
        Subject { number, evaluation, hardware: &self.machine.hardware, workload, plans }
    }

    /// Every change that is about one of `subjects`, once.
    fn try_all(&self, subjects: &[Subject]) -> Vec<Tried> {
        let mut changes: Vec<Change> = Vec::new();
        for change in subjects.iter().flat_map(Subject::changes) {
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
        changes.into_par_iter().filter_map(|change| self.try_one(change)).collect()
    }

    /// `None` if there is no such machine, the network does not run there, or spikes were not counted as it asks for. Where
    /// waits of lanes for each other were not, they are taken to step through zeros, too: it is no slower than that.
    fn try_one(&self, change: Change) -> Option<Tried> {
        let (machine, workload) = change.apply(self.machine, &self.mapped.workload)?;
        let counted = patterns(from_ref(self.machine), self.network);
        let asks = patterns(from_ref(&machine), self.network);
        let missing: Vec<Pattern> = asks.into_iter().filter(|pattern| !counted.contains(pattern)).collect();
        if !missing.iter().all(|pattern| matches!(pattern, Pattern::Waves(_))) {
            return None;
        }
        let mapped = MappedWorkload::best_of(workload, &machine, self.images(), self.fixed).ok()?;
        let bound = if missing.is_empty() { "" } else { ", zeros not stepped over there" };
        let words = change.describe(&self.machine.hardware, &self.mapped.workload) + bound;
        Some(Tried { change, words, costs: self.costs(&machine, &mapped), machine })
    }

    fn images(&self) -> &[Activity] {
        &self.samples[..self.samples.len().min(IMAGES)]
    }

    /// Mean costs of the images.
    fn costs(&self, machine: &Machine, mapped: &MappedWorkload) -> Costs {
        let mut layers = vec![Cost::default(); mapped.plans.len()];
        let count = self.images().len() as f64;
        for activity in self.images() {
            for (sum, cost) in layers.iter_mut().zip(mapped.costs(machine, activity)) {
                let (cycles, dynamic_j) = (cost.cycles.total(), cost.energy_j.total());
                let energy_j = dynamic_j + machine.leakage_w * machine.seconds(cycles);
                sum.add(&Cost {
                    energy_j: energy_j / count,
                    dynamic_j: dynamic_j / count,
                    cycles: cycles / count,
                });
            }
        }
        let mut network = Cost::default();
        layers.iter().for_each(|layer| network.add(layer));
        Costs { layers, network }
    }

    fn about<'b>(&self, subject: &Subject, tried: &'b [Tried]) -> impl Iterator<Item = &'b Tried> {
        let changes = subject.changes();
        tried.iter().filter(move |tried| changes.contains(&tried.change))
    }

    /// The change that saves most of what the layer costs, where the network is no worse for it.
    fn remedy(&self, subject: &Subject, tried: &[Tried], before: &Costs) -> Option<Remedy> {
        let own = before.layers[subject.number];
        let weight =
            |cost: &Cost| cost.energy_j / before.network.energy_j + cost.cycles / before.network.cycles;
        let gain = |tried: &&Tried| 1.0 - weight(&tried.costs.layers[subject.number]) / weight(&own);
        let score = |machine: &Machine, cost: &Cost| machine.score(cost.cycles, cost.dynamic_j);
        let no_worse = |tried: &&Tried| {
            score(&tried.machine, &tried.costs.network) <= score(self.machine, &before.network)
        };
        let helpful = self.about(subject, tried).filter(|tried| gain(tried) >= LEAST_GAIN).filter(no_worse);
        // The first of equals wins: it was thought of for the larger part of the cost.
        let best = helpful.reduce(|best, next| if gain(&next) > gain(&best) { next } else { best })?;
        let area = |machine: &Machine| machine.area_mm2.map(|area| area.total());
        Some(Remedy {
            change: best.words.clone(),
            layer: best.costs.layers[subject.number].relative_to(&own),
            network: best.costs.network.relative_to(&before.network),
            area_mm2: area(&best.machine).zip(area(self.machine)).map(|(after, before)| after - before),
        })
    }
}

impl Cost {
    fn add(&mut self, other: &Self) {
        self.energy_j += other.energy_j;
        self.dynamic_j += other.dynamic_j;
        self.cycles += other.cycles;
    }

    fn relative_to(&self, before: &Self) -> Effect {
        let ratio = |after: f64, before: f64| if before > 0.0 { after / before } else { 1.0 };
        Effect {
            energy_ratio: ratio(self.energy_j, before.energy_j),
            cycles_ratio: ratio(self.cycles, before.cycles),
        }
    }
}
