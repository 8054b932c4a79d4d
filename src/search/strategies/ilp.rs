use super::surrogate::{Proposal, Surrogate};
use crate::search::{Candidate, Engine, Quantizer, Stop, Strategy};

/// Proposals whose cost is looked at exactly at a time.
const FINALISTS: usize = 24;
/// Finalists that are looked at with their own activity.
const MEASURED: usize = 6;

/// Multiple-choice knapsacks over what each level is expected to lose, for several losses around the allowed
/// one; of their solutions, that with the largest expected saving is tested, and what it loses is learnt.
pub struct Ilp;

impl Strategy for Ilp {
    fn name(&self) -> &'static str {
        "ilp"
    }

    fn quantizer(&self) -> Quantizer {
        Quantizer::PerChannel
    }

    fn is_random(&self) -> bool {
        true
    }

    fn run(&self, engine: &mut Engine) -> Result<(), Stop> {
        let mut model = Surrogate::start(engine)?;
        while let Some(candidate) = proposal(engine, &model)? {
            model.test(engine, &candidate)?;
        }
        Ok(())
    }
}

/// The untested candidate that the model proposes with the largest saving times the chance that it keeps the
/// accuracy.
pub fn proposal(engine: &mut Engine, model: &Surrogate) -> Result<Option<Candidate>, Stop> {
    let center = model.costs.own();
    let least = engine.best().map(|(_, cost)| cost).or_else(|| model.keeps.then_some(center));
    // Without anything that keeps the accuracy yet, what is likely comes first.
    let worth = |cost: f64, chance: f64| least.map_or(chance, |least| (least - cost) * chance);
    let mut ranked: Vec<(f64, Proposal)> = model
        .proposals(engine.space)
        .into_iter()
        .map(|proposal| (worth(center + proposal.added_cost, proposal.chance), proposal))
        .collect();
    sort(&mut ranked);
    // The model of costs is additive, the machine is not.
    while !ranked.is_empty() {
        let rest = ranked.split_off(ranked.len().min(FINALISTS));
        let candidates: Vec<Candidate> = ranked.iter().map(|(_, p)| p.candidate.clone()).collect();
        let candidates = engine.placed(candidates)?;
        let costs = model.costs.expected(engine, &candidates)?;
        for (((w, p), candidate), cost) in ranked.iter_mut().zip(candidates).zip(costs) {
            (*w, p.candidate) = (worth(cost, p.chance), candidate);
        }
        sort(&mut ranked);
        ranked.truncate(MEASURED);
        for (w, p) in &mut ranked {
            *w = worth(model.costs.measured(engine, &p.candidate)?, p.chance);
        }
        sort(&mut ranked);
        if let Some((_, best)) = ranked.into_iter().find(|(worth, _)| *worth > 0.0) {
            return Ok(Some(best.candidate));
        }
        ranked = rest;
    }
    Ok(None)
}

/// The worthiest first.
fn sort(ranked: &mut [(f64, Proposal)]) {
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.candidate.cmp(&b.1.candidate)));
}
