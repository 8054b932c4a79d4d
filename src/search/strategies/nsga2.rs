use super::surrogate::Surrogate;
use crate::search::{Candidate, Engine, Quantizer, Stop, Strategy};

/// Losses that are of use, in those of the best uniform setting.
const USEFUL: [f64; 2] = [0.4, 1.6];
/// Candidates of a population.
const POPULATION: usize = 20;
/// Part of the evaluations that is kept for accuracy tests of the last front.
const KEPT: f64 = 0.35;
/// Changes of a child, on average.
const CHANGES: f64 = 2.0;

/// NSGA-II (Deb et al., 2002) on loss and cost, from solutions of the knapsack; of the last population, what is
/// expected to save most is tested.
pub struct Nsga2;

/// A member of the population.
#[derive(Clone, PartialEq)]
struct Member {
    candidate: Candidate,
    loss: f64,
    cost: f64,
    /// How far the loss is beyond what is of use.
    excess: f64,
}

impl Strategy for Nsga2 {
    fn name(&self) -> &'static str {
        "nsga2"
    }

    fn quantizer(&self) -> Quantizer {
        Quantizer::PerChannel
    }

    fn is_random(&self) -> bool {
        true
    }

    fn run(&self, engine: &mut Engine) -> Result<(), Stop> {
        let mut model = Surrogate::start(engine)?;
        let center = model.center.clone();
        let mut population = vec![member(engine, &mut model, center)?];
        for candidate in model.front().into_iter().take(POPULATION - 1) {
            population.push(member(engine, &mut model, candidate)?);
        }
        while engine.left() > KEPT {
            let before = population.clone();
            for _ in 0..POPULATION {
                let parents = [select(engine, &before), select(engine, &before)];
                let candidate = child(engine, &model, parents);
                if !population.iter().any(|m| m.candidate.choices == candidate.choices) {
                    population.push(member(engine, &mut model, candidate)?);
                }
            }
            population = survivors(population);
            if population == before && engine.below(POPULATION) == 0 {
                break;
            }
        }
        test_front(engine, model, population)
    }
}

/// Loss and cost of a candidate; those that lose so much or so little that they are of no use are alike.
fn member(engine: &mut Engine, model: &mut Surrogate, candidate: Candidate) -> Result<Member, Stop> {
    let candidate = engine.placed(vec![candidate])?.remove(0);
    let cost = model.costs.expected(engine, std::slice::from_ref(&candidate))?[0];
    let loss =
        if cost.is_finite() { model.sample(engine, &candidate)?.max(USEFUL[0]) } else { f64::INFINITY };
    let excess = (loss - USEFUL[1]).max(0.0);
    Ok(Member { candidate, loss, cost, excess })
}

/// Binary tournament: members stand in order of rank and crowding.
fn select<'m>(engine: &mut Engine, population: &'m [Member]) -> &'m Member {
    let (a, b) = (engine.below(population.len()), engine.below(population.len()));
    &population[a.min(b)]
}

/// Uniform crossover, then steps up or down.
fn child(engine: &mut Engine, model: &Surrogate, parents: [&Member; 2]) -> Candidate {
    let mut child = parents[0].candidate.clone();
    for (k, knob) in model.knobs.iter().enumerate() {
        let mut level = parents[engine.below(2)].candidate.narrowest(knob);
        if engine.unit() < CHANGES / model.knobs.len() as f64 {
            let mut steps = model.costs.below(engine.space, k, level);
            steps.extend(model.costs.above(engine.space, k, level));
            level = if steps.is_empty() { level } else { steps[engine.below(steps.len())] };
        }
        child = child.with(knob, level);
    }
    child
}

/// The first of the population by rank, then by crowding.
fn survivors(population: Vec<Member>) -> Vec<Member> {
    let mut kept = Vec::new();
    let mut left = population;
    while kept.len() < POPULATION && !left.is_empty() {
        let is_first = |m: &Member| !left.iter().any(|other| dominates(other, m));
        let first: Vec<bool> = left.iter().map(is_first).collect();
        let mut front = Vec::new();
        let mut rest = Vec::new();
        for (member, is_first) in left.into_iter().zip(first) {
            if is_first { front.push(member) } else { rest.push(member) }
        }
        kept.extend(by_crowding(front));
        left = rest;
    }
    kept.truncate(POPULATION);
    kept
}

/// The member that exceeds less is better where one of two is of no use (Deb's constrained domination).
fn dominates(a: &Member, b: &Member) -> bool {
    if a.excess > 0.0 || b.excess > 0.0 {
        a.excess < b.excess
    } else {
        a.loss <= b.loss && a.cost <= b.cost && (a.loss < b.loss || a.cost < b.cost)
    }
}

/// The loneliest first: the distance between the neighbours on both sides, both objectives.
fn by_crowding(mut front: Vec<Member>) -> Vec<Member> {
    front.sort_by(|a, b| a.cost.total_cmp(&b.cost).then_with(|| a.candidate.cmp(&b.candidate)));
    let (Some(first), Some(last)) = (front.first(), front.last()) else { return front };
    let spans = [(last.cost - first.cost).max(1e-12), (first.loss - last.loss).abs().max(1e-12)];
    let crowding = |i: usize| match (i.checked_sub(1), front.get(i + 1)) {
        (Some(before), Some(after)) => {
            let before = &front[before];
            (after.cost - before.cost) / spans[0] + (before.loss - after.loss).abs() / spans[1]
        }
        _ => f64::INFINITY,
    };
    let mut order: Vec<(f64, usize)> = (0..front.len()).map(|i| (crowding(i), i)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    order.into_iter().map(|(_, i)| front[i].clone()).collect()
}

/// Tests the last population, what is expected to save most first; what a test says is learnt.
fn test_front(engine: &mut Engine, mut model: Surrogate, mut front: Vec<Member>) -> Result<(), Stop> {
    model.forecast.fit();
    loop {
        let least = engine.best().map(|(_, cost)| cost);
        let worth = |m: &Member| {
            let chance = model.forecast.chance(&m.candidate);
            least.map_or(chance, |least| (least - m.cost) * chance)
        };
        let best = (0..front.len()).max_by(|&a, &b| worth(&front[a]).total_cmp(&worth(&front[b])));
        match best {
            Some(best) if worth(&front[best]) > 0.0 => {
                let member = front.swap_remove(best);
                if !model.tried.contains(&member.candidate.choices) {
                    model.test(engine, &member.candidate)?;
                }
            }
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Choice;

    #[test]
    fn the_first_front_survives_in_whole() {
        let member = |loss: f64, cost: f64| Member {
            candidate: Candidate { choices: vec![Choice { weights: cost as u8, membranes: 0 }], machine: 0 },
            loss,
            cost,
            excess: 0.0,
        };
        let mut population: Vec<Member> =
            (0..POPULATION).map(|i| member(i as f64, (POPULATION - i) as f64)).collect();
        let front = population.clone();
        population.extend(front.iter().map(|m| member(m.loss + 1.0, m.cost + 1.0)));
        let kept = survivors(population);
        assert_eq!(kept.len(), POPULATION);
        assert!(front.iter().all(|m| kept.contains(m)));
    }
}
