use super::refine::{cheaper_start, refine};
use super::table::Table;
use crate::search::{Engine, Quantizer, Stop, Strategy};

/// Batches per entry of the table.
const BATCHES: usize = 2;

/// From the widest setting, always the step that loses least per cost saved, by the table of single
/// changes; the last point of this path that keeps the accuracy is found by bisection; it, or the best uniform
/// setting, is refined.
pub struct RatioGreedy;

impl Strategy for RatioGreedy {
    fn name(&self) -> &'static str {
        "ratio-greedy"
    }

    fn quantizer(&self) -> Quantizer {
        Quantizer::PerChannel
    }

    fn run(&self, engine: &mut Engine) -> Result<(), Stop> {
        let knobs = engine.knobs();
        let table = Table::measure(engine, knobs, BATCHES)?;
        let path = path(engine, &table);
        if !engine.test(&table.candidate(&path[0]))?.within {
            return Ok(());
        }
        let (mut good, mut bad) = (0, path.len());
        while bad - good > 1 {
            let middle = (good + bad) / 2;
            match engine.test(&table.candidate(&path[middle]))?.within {
                true => good = middle,
                false => bad = middle,
            }
        }
        if let Some(levels) = cheaper_start(engine, &table, Some(path[good].clone()))? {
            refine(engine, &table, levels)?;
        }
        Ok(())
    }
}

/// Levels after each step, from the widest on.
fn path(engine: &Engine, table: &Table) -> Vec<Vec<usize>> {
    let mut path = vec![vec![0; table.knobs.len()]];
    loop {
        let levels = &path[path.len() - 1];
        let mut best: Option<(f64, usize, usize)> = None;
        for (i, knob) in table.knobs.iter().enumerate() {
            for level in engine.space.below(knob.part, levels[i]) {
                let saved = table.costs[i][levels[i]] - table.costs[i][level];
                let ratio = (table.losses[i][level] - table.losses[i][levels[i]]) / saved;
                if saved > 0.0 && ratio.is_finite() && best.is_none_or(|(least, ..)| ratio < least) {
                    best = Some((ratio, i, level));
                }
            }
        }
        let Some((_, knob, level)) = best else { return path };
        let mut next = levels.clone();
        next[knob] = level;
        path.push(next);
    }
}
