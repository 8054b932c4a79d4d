use super::surrogate::Surrogate;
use crate::search::{Candidate, Engine, Quantizer, Stop, Strategy};

/// Tests in a row that find nothing, after which there is nothing to find nearby.
const PATIENCE: usize = 24;
/// Savings below this part of the widest setting's cost are not worth a test.
const WORTHWHILE: f64 = 1e-4;
/// A step with a smaller chance to keep the accuracy is not tested.
const HOPELESS: f64 = 0.05;

/// From the best uniform setting, always the step that is expected to lose least per cost saved: one knob one
/// level narrower, alone or with another one wider. What was tested is learnt.
pub struct RatioGreedy;

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
        let (mut failures, mut skipped) = (0, Vec::new());
        while failures < PATIENCE {
            let Some(next) = promising(engine, &model, &skipped) else { break };
            let least = engine.best().map_or(f64::INFINITY, |(_, cost)| cost);
            // The model of costs is additive, the machine is not.
            if engine.cost(&next)? >= least {
                skipped.push(next);
            } else if model.test(engine, &next)?.meets {
                failures = 0;
            } else {
                failures += 1;
            }
        }
        Ok(())
    }
}

/// The untested neighbour of the center that saves most for its loss.
fn promising(engine: &Engine, model: &Surrogate, skipped: &[Candidate]) -> Option<Candidate> {
    let (space, center) = (engine.space, &model.center);
    let loss = model.loss(center, space);
    let level = |k: usize| center.narrowest(&model.knobs[k]);
    let more = |k: usize, to: usize| model.added(k, to, space) - model.added(k, level(k), space);
    let mut best: Option<(f64, Candidate)> = None;
    let mut consider = |changes: &[(usize, usize)]| {
        let saved = -changes.iter().map(|&(k, to)| model.costs[k][to]).sum::<f64>();
        let lost: f64 = changes.iter().map(|&(k, to)| more(k, to)).sum();
        // Savings for nothing come first; otherwise savings per loss.
        let score = if lost <= 0.0 { 1e12 + saved } else { saved / lost };
        let better = best.as_ref().is_none_or(|(most, _)| score > *most);
        if saved > WORTHWHILE && saved.is_finite() && better && model.chance(loss + lost) > HOPELESS {
            let change = |c: Candidate, &(k, to): &(usize, usize)| c.with(&model.knobs[k], to);
            let next = changes.iter().fold(center.clone(), change);
            if !model.tried.contains(&next) && !skipped.contains(&next) {
                best = Some((score, next));
            }
        }
    };
    for (i, knob) in model.knobs.iter().enumerate() {
        for lower in space.below(knob.part, level(i)) {
            consider(&[(i, lower)]);
            for (j, other) in model.knobs.iter().enumerate().filter(|&(j, _)| j != i) {
                if let Some(higher) = space.above(other.part, level(j)) {
                    consider(&[(i, lower), (j, higher)]);
                }
            }
        }
    }
    best.map(|(_, next)| next)
}
