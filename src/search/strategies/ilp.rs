use super::surrogate::Surrogate;
use crate::search::{Candidate, Engine, Quantizer, Stop, Strategy};

/// Proposals whose cost is looked at exactly at a time.
const FINALISTS: usize = 24;

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

/// Of what the model proposes, the untested candidate with the largest saving times the chance that it keeps
/// the accuracy.
pub fn proposal(engine: &mut Engine, model: &Surrogate) -> Result<Option<Candidate>, Stop> {
    let least = engine.best().map(|(_, cost)| cost);
    let center = engine.cost(&model.center)?;
    // Without anything accepted yet, what is likely comes first.
    let worth = |cost: f64, chance: f64| least.map_or(chance, |least| (least - cost) * chance);
    let mut ranked: Vec<(f64, f64, Candidate)> = model
        .proposals(engine.space)
        .into_iter()
        .map(|(added, loss, candidate)| {
            (worth(center + added, model.chance(loss)), model.chance(loss), candidate)
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.2.cmp(&b.2)));
    // The model of costs is additive, the machine is not.
    for some in ranked.chunks(FINALISTS) {
        let candidates: Vec<Candidate> = some.iter().map(|(.., candidate)| candidate.clone()).collect();
        let costs = engine.costs(&candidates)?;
        let exact = costs.into_iter().zip(some).map(|(cost, (_, chance, _))| worth(cost, *chance));
        let best = exact.zip(candidates).max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(&a.1)));
        if let Some((_, candidate)) = best.filter(|(worth, _)| *worth > 0.0) {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}
