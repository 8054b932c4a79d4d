use std::collections::HashSet;

use super::costs::WORTHWHILE;
use super::ilp::proposal;
use super::surrogate::Surrogate;
use crate::search::{Candidate, Choice, Engine, Quantizer, Space, Stop, Strategy};

/// Tests in a row that find nothing, after which there is nothing to find nearby.
const PATIENCE: usize = 24;
/// A path ends where the chance to keep the accuracy is smaller.
const HOPELESS: f64 = 0.05;

/// From the best setting so far, always the step that is expected to lose least per cost saved: one knob one
/// level narrower, alone or with another one wider. Where the saving so far times the chance to keep the
/// accuracy is largest, the setting is tested; what the test says is learnt, and the path begins anew.
pub struct RatioGreedy;

/// Changes of levels: knobs and their new levels.
type Move = Vec<(usize, usize)>;

impl Strategy for RatioGreedy {
    fn name(&self) -> &'static str {
        "ratio-greedy"
    }

    fn quantizer(&self) -> Quantizer {
        Quantizer::PerChannel
    }

    fn is_random(&self) -> bool {
        true
    }

    fn run(&self, engine: &mut Engine) -> Result<(), Stop> {
        let mut model = Surrogate::start(engine)?;
        let (mut failures, mut skipped) = (0, HashSet::new());
        while failures < PATIENCE {
            let next = match promising(engine.space, &model, &skipped) {
                // At the end of the path there may be savings away from it.
                None => proposal(engine, &model)?,
                next => next,
            };
            let Some(next) = next else { break };
            let next = engine.placed(vec![next])?.remove(0);
            let least = engine.best().map_or(f64::INFINITY, |(_, cost)| cost);
            // The model of costs is additive, the machine is not.
            if model.costs.measured(engine, &next)? >= least {
                skipped.insert(next.choices);
            } else if model.test(engine, &next)?.meets {
                failures = 0;
            } else {
                failures += 1;
            }
        }
        Ok(())
    }
}

/// The untested candidate on the path from the center with the largest expected saving.
fn promising(space: &Space, model: &Surrogate, skipped: &HashSet<Vec<Choice>>) -> Option<Candidate> {
    let mut levels: Vec<usize> = model.knobs.iter().map(|knob| model.center.narrowest(knob)).collect();
    let (mut saved, mut best) = (0.0, None);
    let mut most = 0.0;
    while let Some((step, saving)) = steepest(space, model, &levels) {
        step.iter().for_each(|&(k, to)| levels[k] = to);
        saved += saving;
        let pairs = model.knobs.iter().zip(&levels);
        let candidate = pairs.fold(model.center.clone(), |c, (knob, &level)| c.with(knob, level));
        let chance = model.forecast.chance(&candidate);
        if chance < HOPELESS {
            break;
        }
        let known = model.tried.contains(&candidate.choices) || skipped.contains(&candidate.choices);
        if !known && saved * chance > most {
            (most, best) = (saved * chance, Some(candidate));
        }
    }
    best
}

/// The step that loses least per cost saved, and what it saves.
fn steepest(space: &Space, model: &Surrogate, levels: &[usize]) -> Option<(Move, f64)> {
    let change = |k: usize, to: usize| {
        let (costs, from) = (model.costs.added(k), levels[k]);
        let lost = model.forecast.added(k, to) - model.forecast.added(k, from);
        (k, to, costs[from] - costs[to], lost)
    };
    let knobs = 0..model.knobs.len();
    let below = |k| model.costs.below(space, k, levels[k]).into_iter().map(move |to| change(k, to));
    let wider: Vec<_> = knobs
        .clone()
        .filter_map(|k| model.costs.above(space, k, levels[k]).map(|to| change(k, to)))
        .collect();
    let mut best: Option<(f64, Move, f64)> = None;
    for (k, to, saved, lost) in knobs.flat_map(below) {
        let alone = (vec![(k, to)], saved, lost);
        let pairs = wider.iter().filter(|(other, ..)| *other != k);
        let pairs = pairs.map(|&(j, up, more, less)| (vec![(k, to), (j, up)], saved + more, lost + less));
        for (step, saved, lost) in std::iter::once(alone).chain(pairs) {
            // Savings for nothing come first; otherwise savings per loss.
            let score = if lost <= 0.0 { 1e12 + saved } else { saved / lost };
            if saved > WORTHWHILE && saved.is_finite() && best.as_ref().is_none_or(|(most, ..)| score > *most)
            {
                best = Some((score, step, saved));
            }
        }
    }
    best.map(|(_, step, saved)| (step, saved))
}
