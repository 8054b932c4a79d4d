use super::ilp::{bisect, solve};
use super::table::Table;
use crate::search::{Engine, Quantizer, Stop, Strategy};

/// Batches per entry of the table.
const TABLE_BATCHES: usize = 2;
/// Batches per candidate of a population.
const BATCHES: usize = 1;
/// Candidates of a population.
const POPULATION: usize = 20;
/// Part of the evaluations that is kept for accuracy tests of the last front.
const KEPT: f64 = 0.35;
/// Changes of a child, on average.
const CHANGES: f64 = 2.0;

/// NSGA-II (Deb et al., 2002) on divergence and cost, from solutions of the knapsack; of the last front,
/// what lies around the allowed drop is tested.
pub struct Nsga2;

/// A member of the population.
#[derive(Clone, PartialEq)]
struct Member {
    levels: Vec<usize>,
    divergence: f64,
    cost: f64,
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
        let knobs = engine.knobs();
        let table = Table::measure(engine, knobs, TABLE_BATCHES)?;
        let Some(known) = bisect(engine, &table)? else { return Ok(()) };
        // Around the loss that is known to be allowed: farther away nothing useful is found.
        let allowed = table.loss(&known).max(1e-4);
        let mut population = Vec::new();
        for i in 0..POPULATION {
            let capacity = allowed * 4f64.powf(2.0 * i as f64 / (POPULATION - 1) as f64 - 1.0);
            let levels = solve(&table, capacity).unwrap_or_else(|| known.clone());
            population.push(member(engine, &table, levels)?);
        }
        while engine.left() > KEPT {
            let before = population.clone();
            for _ in 0..POPULATION {
                let parents = [select(engine, &before), select(engine, &before)];
                let levels = child(engine, &table, parents);
                if !population.iter().any(|m| m.levels == levels) {
                    population.push(member(engine, &table, levels)?);
                }
            }
            population = survivors(population);
            if population == before && engine.below(POPULATION) == 0 {
                break;
            }
        }
        test_front(engine, &table, population)
    }
}

fn member(engine: &mut Engine, table: &Table, levels: Vec<usize>) -> Result<Member, Stop> {
    let candidate = table.candidate(&levels);
    let cost = engine.cost(&candidate)?;
    let divergence = match cost.is_finite() {
        true => {
            let sum = engine.sample(&candidate, BATCHES)?;
            sum.divergence / f64::from(sum.images.max(1))
        }
        false => f64::INFINITY,
    };
    Ok(Member { levels, divergence, cost })
}

/// Binary tournament: members stand in order of rank and crowding.
fn select<'m>(engine: &mut Engine, population: &'m [Member]) -> &'m Member {
    let (a, b) = (engine.below(population.len()), engine.below(population.len()));
    &population[a.min(b)]
}

/// Uniform crossover, then steps up or down.
fn child(engine: &mut Engine, table: &Table, parents: [&Member; 2]) -> Vec<usize> {
    let knobs = table.knobs.len();
    let mut levels: Vec<usize> = (0..knobs).map(|i| parents[engine.below(2)].levels[i]).collect();
    for (level, knob) in levels.iter_mut().zip(&table.knobs) {
        if engine.unit() < CHANGES / knobs as f64 {
            let mut steps = engine.space.below(knob.part, *level);
            steps.extend(engine.space.above(knob.part, *level));
            *level = steps[engine.below(steps.len())];
        }
    }
    levels
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

fn dominates(a: &Member, b: &Member) -> bool {
    a.divergence <= b.divergence && a.cost <= b.cost && (a.divergence < b.divergence || a.cost < b.cost)
}

/// The loneliest first: the distance between the neighbours on both sides, both objectives.
fn by_crowding(mut front: Vec<Member>) -> Vec<Member> {
    front.sort_by(|a, b| a.cost.total_cmp(&b.cost).then_with(|| a.levels.cmp(&b.levels)));
    let (Some(first), Some(last)) = (front.first(), front.last()) else { return front };
    let spans = [(last.cost - first.cost).max(1e-12), (first.divergence - last.divergence).abs().max(1e-12)];
    let crowding = |i: usize| match (i.checked_sub(1), front.get(i + 1)) {
        (Some(before), Some(after)) => {
            let before = &front[before];
            (after.cost - before.cost) / spans[0] + (before.divergence - after.divergence).abs() / spans[1]
        }
        _ => f64::INFINITY,
    };
    let mut order: Vec<(f64, usize)> = (0..front.len()).map(|i| (crowding(i), i)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    order.into_iter().map(|(_, i)| front[i].clone()).collect()
}

/// Tests the front: bisection for the allowed divergence, then its neighbours towards lower cost.
fn test_front(engine: &mut Engine, table: &Table, mut front: Vec<Member>) -> Result<(), Stop> {
    front.sort_by(|a, b| a.divergence.total_cmp(&b.divergence).then_with(|| a.levels.cmp(&b.levels)));
    let (mut good, mut bad) = (0, front.len());
    while good < bad {
        let middle = (good + bad) / 2;
        match engine.test(&table.candidate(&front[middle].levels))?.within {
            true => good = middle + 1,
            false => bad = middle,
        }
    }
    for member in &front[good..] {
        let least = engine.best().map_or(f64::INFINITY, |(_, cost)| cost);
        if member.cost < least {
            engine.test(&table.candidate(&member.levels))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_front_survives_in_whole() {
        let member = |divergence: f64, cost: f64| Member { levels: vec![cost as usize], divergence, cost };
        let mut population: Vec<Member> =
            (0..POPULATION).map(|i| member(i as f64, (POPULATION - i) as f64)).collect();
        let front = population.clone();
        population.extend(front.iter().map(|m| member(m.divergence + 1.0, m.cost + 1.0)));
        let kept = survivors(population);
        assert_eq!(kept.len(), POPULATION);
        assert!(front.iter().all(|m| kept.contains(m)));
    }
}
