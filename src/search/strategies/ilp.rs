use super::knapsack::knapsack;
use super::refine::{cheaper_start, refine};
use super::table::Table;
use crate::search::{Engine, Quantizer, Stop, Strategy};

/// Batches per entry of the table.
const BATCHES: usize = 2;
/// Capacities that are tried: each halves the interval in which the right one lies, on a logarithmic scale.
const CAPACITIES: usize = 7;
/// The smallest of them, as a part of the largest loss.
const SMALLEST: f64 = 1e-3;
/// Steps of a capacity.
const STEPS: usize = 4000;

/// The least cost with a bounded sum of losses, as a multiple-choice knapsack over the table of single
/// changes; how large a sum keeps the accuracy is found by testing; then steps and swaps, from
/// there or from the best uniform setting.
pub struct Ilp;

impl Strategy for Ilp {
    fn name(&self) -> &'static str {
        "ilp"
    }

    fn quantizer(&self) -> Quantizer {
        Quantizer::PerChannel
    }

    fn run(&self, engine: &mut Engine) -> Result<(), Stop> {
        let knobs = engine.knobs();
        let table = Table::measure(engine, knobs, BATCHES)?;
        let found = bisect(engine, &table)?;
        if let Some(levels) = cheaper_start(engine, &table, found)? {
            refine(engine, &table, levels)?;
        }
        Ok(())
    }
}

/// The cheapest levels whose losses sum up to at most `capacity`.
pub fn solve(table: &Table, capacity: f64) -> Option<Vec<usize>> {
    let class = |(costs, losses): (&Vec<f64>, &Vec<f64>)| {
        costs.iter().copied().zip(losses.iter().copied()).collect::<Vec<_>>()
    };
    let classes: Vec<_> = table.costs.iter().zip(&table.losses).map(class).collect();
    knapsack(&classes, capacity, STEPS)
}

/// The solution for the largest capacity that keeps the accuracy.
pub fn bisect(engine: &mut Engine, table: &Table) -> Result<Option<Vec<usize>>, Stop> {
    let largest = table.largest_loss().max(1e-4);
    let (mut low, mut high) = ((SMALLEST * largest).ln(), largest.ln());
    let mut best = None;
    for _ in 0..CAPACITIES {
        let middle = (low + high) / 2.0;
        let levels = solve(table, middle.exp()).filter(|levels| table.loss(levels).is_finite());
        match levels {
            Some(levels) if engine.test(&table.candidate(&levels))?.within => {
                low = middle;
                best = Some(levels);
            }
            _ => high = middle,
        }
    }
    Ok(best)
}
