use super::table::ladder;
use crate::search::{Candidate, Engine, GateSummary, Granularity, Quantizer, Stop, Strategy};

/// AQ4SViT: at the level of the network, then of stages, then of blocks, candidates lower one group by one
/// step. A gate rejects those whose membranes drift too far; the others are tested, and the cheapest that
/// keep the accuracy go on. Greedy keeps one, a beam several.
///
/// The gate's threshold adapts: it follows the largest drift that was proven to keep the accuracy. Where it
/// would reject all candidates of a round, the one that drifts least is tested, so that it can learn.
pub struct Aq4svit {
    /// Candidates that go on.
    pub width: usize,
    /// With scales per channel, membranes and sequential tests.
    pub accelerated: bool,
}

impl Strategy for Aq4svit {
    fn name(&self) -> &'static str {
        match (self.width, self.accelerated) {
            (1, false) => "aq4svit-greedy",
            (1, true) => "aq4svit-greedy accelerated",
            (_, false) => "aq4svit-beam",
            (_, true) => "aq4svit-beam accelerated",
        }
    }

    fn quantizer(&self) -> Quantizer {
        if self.accelerated { Quantizer::PerChannel } else { Quantizer::FixedPoint }
    }

    fn run(&self, engine: &mut Engine) -> Result<(), Stop> {
        let widest = engine.space.widest();
        if !engine.test(&widest)?.within {
            return Ok(());
        }
        let slack = engine.problem.slack;
        let threshold = slack * engine.drift(&widest)?;
        engine.gate = Some(GateSummary { threshold, ..GateSummary::default() });
        let mut beam = vec![widest];
        for granularity in [Granularity::Network, Granularity::Stage, Granularity::Block] {
            loop {
                let next = lowered(engine, &beam, granularity)?;
                let kept = self.select(engine, next)?;
                if kept.is_empty() {
                    break;
                }
                beam = kept;
            }
        }
        Ok(())
    }
}

/// Every member with one group one step lower, the cheapest first; only what costs less than it did.
fn lowered(
    engine: &mut Engine,
    beam: &[Candidate],
    granularity: Granularity,
) -> Result<Vec<Candidate>, Stop> {
    let mut next = Vec::new();
    for member in beam {
        let cost = engine.cost(member)?;
        for knob in engine.space.knobs(granularity) {
            let ladder = ladder(engine.space, knob.part);
            let level = member.narrowest(&knob);
            let Some(&lower) = ladder.iter().find(|&&l| l > level) else { continue };
            let candidate = member.with(&knob, lower);
            let lower_cost = engine.cost(&candidate)?;
            if lower_cost < cost {
                next.push((lower_cost, candidate));
            }
        }
    }
    next.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    next.dedup();
    Ok(next.into_iter().map(|(_, candidate)| candidate).collect())
}

impl Aq4svit {
    /// The cheapest candidates that pass the gate and keep the accuracy.
    fn select(&self, engine: &mut Engine, candidates: Vec<Candidate>) -> Result<Vec<Candidate>, Stop> {
        let mut drifts = Vec::new();
        for candidate in candidates {
            drifts.push((engine.drift(&candidate)?, candidate));
        }
        let least = drifts.iter().map(|(drift, _)| *drift).fold(f64::INFINITY, f64::min);
        let mut kept = Vec::new();
        for (drift, candidate) in drifts {
            let threshold = engine.gate.map_or(f64::INFINITY, |gate| gate.threshold);
            // With none below the threshold, the nearest to it teaches the gate.
            if drift > threshold.max(least) {
                reject(engine, &candidate, drift, threshold)?;
                continue;
            }
            count(engine, |gate| gate.seen += 1);
            if kept.len() < self.width && engine.test(&candidate)?.within {
                let slack = engine.problem.slack;
                count(engine, |gate| gate.threshold = gate.threshold.max(slack * drift));
                kept.push(candidate);
            }
        }
        Ok(kept)
    }
}

/// Counts a rejection; an audit runs the candidate all the same.
fn reject(engine: &mut Engine, candidate: &Candidate, drift: f64, threshold: f64) -> Result<(), Stop> {
    engine.reject(candidate, drift, threshold)?;
    count(engine, |gate| {
        gate.seen += 1;
        gate.rejected += 1;
    });
    if engine.problem.audit {
        let falsely = engine.audit(candidate)?;
        count(engine, |gate| {
            gate.audited += 1;
            gate.falsely_rejected += usize::from(falsely);
        });
    }
    Ok(())
}

fn count(engine: &mut Engine, change: impl FnOnce(&mut GateSummary)) {
    if let Some(gate) = &mut engine.gate {
        change(gate);
    }
}
