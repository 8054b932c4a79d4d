use super::surrogate::Surrogate;
use crate::search::{Candidate, Engine, Quantizer, Stop, Strategy};

/// Savings below this part of the widest setting's cost are not worth a test.
const WORTHWHILE: f64 = 1e-4;

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

/// The untested solution with the largest saving times the chance that it keeps the accuracy.
fn proposal(engine: &mut Engine, model: &Surrogate) -> Result<Option<Candidate>, Stop> {
    let mut front = model.front(engine.space);
    front.retain(|candidate| !model.tried.contains(candidate));
    let costs = engine.costs(&front)?;
    let least = engine.best().map_or(f64::INFINITY, |(_, cost)| cost);
    let mut best: Option<(f64, Candidate)> = None;
    for (candidate, cost) in front.into_iter().zip(costs) {
        let chance = model.chance(model.loss(&candidate, engine.space));
        // Without anything accepted yet, what is likely comes first.
        let score = if least.is_finite() { (least - cost) * chance } else { chance };
        if score > WORTHWHILE && best.as_ref().is_none_or(|(most, _)| score > *most) {
            best = Some((score, candidate));
        }
    }
    Ok(best.map(|(_, candidate)| candidate))
}
