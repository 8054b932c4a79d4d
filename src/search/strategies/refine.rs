//! The end game of strategies that start from a good setting: single steps and swaps, tested for real.

use std::collections::HashSet;

use super::table::Table;
use super::uniform::scan;
use crate::search::{Engine, Knob, Part, Stop};

/// Tests in a row that find nothing, after which there is nothing to find nearby.
const PATIENCE: usize = 24;

/// Savings below this part of the widest setting's cost are not worth a test.
const WORTHWHILE: f64 = 0.002;

/// The cheaper of `found` and the best uniform setting, by the table, as a start for [`refine`].
pub fn cheaper_start(
    engine: &mut Engine,
    table: &Table,
    found: Option<Vec<usize>>,
) -> Result<Option<Vec<usize>>, Stop> {
    let uniform = scan(engine)?.map(|[weights, membranes]| {
        let level = |knob: &Knob| if knob.part == Part::Weights { weights } else { membranes };
        table.knobs.iter().map(level).collect::<Vec<usize>>()
    });
    let mut best: Option<(f64, Vec<usize>)> = None;
    for levels in found.into_iter().chain(uniform) {
        let cost = engine.cost(&table.candidate(&levels))?;
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, levels));
        }
    }
    Ok(best.map(|(_, levels)| levels))
}

/// Lowers one knob, or lowers one and raises another, as long as that is cheaper and keeps the accuracy;
/// what the table promises most per loss comes first. Returns the levels in the end.
pub fn refine(engine: &mut Engine, table: &Table, mut levels: Vec<usize>) -> Result<Vec<usize>, Stop> {
    let mut tried: HashSet<Vec<usize>> = HashSet::new();
    let mut failures = 0;
    engine.anchor(&table.candidate(&levels))?;
    while failures < PATIENCE {
        let Some(next) = promising(engine, table, &levels, &tried)? else { break };
        tried.insert(next.clone());
        let least = engine.cost(&table.candidate(&levels))?;
        let candidate = table.candidate(&next);
        // The table is additive, the machine is not.
        if engine.cost(&candidate)? >= least {
            continue;
        }
        if engine.test(&candidate)?.within {
            levels = next;
            failures = 0;
            engine.anchor(&candidate)?;
        } else {
            failures += 1;
        }
    }
    Ok(levels)
}

/// The untried neighbour that saves most for its loss.
fn promising(
    engine: &Engine,
    table: &Table,
    levels: &[usize],
    tried: &HashSet<Vec<usize>>,
) -> Result<Option<Vec<usize>>, Stop> {
    let mut best: Option<(f64, Vec<usize>)> = None;
    let mut consider = |next: Vec<usize>| {
        let saved = saved(table, levels, &next);
        if saved <= WORTHWHILE || !saved.is_finite() || tried.contains(&next) {
            return;
        }
        let loss = table.loss(&next) - table.loss(levels);
        // Savings for nothing come first; otherwise savings per loss.
        let score = if loss <= 0.0 { 1e12 + saved } else { saved / loss };
        if best.as_ref().is_none_or(|(most, _)| score > *most) {
            best = Some((score, next));
        }
    };
    for (i, knob) in table.knobs.iter().enumerate() {
        for lower in engine.space.below(knob.part, levels[i]) {
            let mut next = levels.to_vec();
            next[i] = lower;
            for (j, other) in table.knobs.iter().enumerate().filter(|&(j, _)| j != i) {
                if let Some(higher) = engine.space.above(other.part, levels[j]) {
                    let mut swapped = next.clone();
                    swapped[j] = higher;
                    consider(swapped);
                }
            }
            consider(next);
        }
    }
    Ok(best.map(|(_, next)| next))
}

fn saved(table: &Table, from: &[usize], to: &[usize]) -> f64 {
    let pairs = table.costs.iter().zip(from.iter().zip(to));
    pairs.map(|(costs, (&from, &to))| costs[from] - costs[to]).sum()
}
