//! The search for the loops of one matrix product on an array with memories.

use super::gemm::{GemmCost, GemmOperands, check_capacities, cost};
use super::{ArrayTiming, Machine};
use crate::error::Fault;
use crate::map::tiles::ladder;
use crate::map::{Dataflow, Dim, Nest};

/// The nest that the objective of `machine` likes best, with its cost, among tiles that fit its memories:
/// the [ladder] of each dimension's steps of the array, in every order and for each of `dataflows`. The first
/// of equals wins.
///
/// # Errors
/// The level and the memory that cannot even hold the smallest tiles.
pub fn best_nest(
    operands: &GemmOperands,
    dataflows: &[Dataflow],
    array: &ArrayTiming,
    machine: &Machine,
) -> Result<(Nest, GemmCost), Fault> {
    let units = [array.rows, array.columns].map(u64::from);
    let mut best: Option<(f64, Nest, GemmCost)> = None;
    let mut refusal = None;
    for &dataflow in dataflows {
        let steps = Nest::steps(dataflow, units, &operands.gemm);
        for chip in tiles(steps) {
            let outer: Vec<Dim> = [Dim::M, Dim::N, Dim::K]
                .into_iter()
                .filter(|&d| chip[d as usize] < steps[d as usize])
                .collect();
            for order in orders(&outer) {
                let nest = Nest::tiled(dataflow, units, &operands.gemm, &chip, &order);
                // Order takes no room.
                if let Err(wrong) = check_capacities(operands, &nest, machine) {
                    refusal = Some(wrong);
                    break;
                }
                let cost = cost(operands, &nest, dataflow, array, Some(machine));
                let energy_j = cost.energy_j.expect("there is a machine").total();
                let score = machine.score(cost.cycles.total(), energy_j);
                if best.as_ref().is_none_or(|(least, ..)| score < *least) {
                    best = Some((score, nest, cost));
                }
            }
        }
    }
    match (best, refusal) {
        (Some((_, nest, cost)), _) => Ok((nest, cost)),
        (None, refusal) => Err(refusal.expect("there is at least one tile")),
    }
}

/// All tiles, from the largest to the smallest.
fn tiles([m, n, k]: [u64; 3]) -> impl Iterator<Item = [u64; 3]> {
    let along = |steps: u64| ladder(steps as usize).map(|size| size as u64);
    along(m).flat_map(move |m| along(n).flat_map(move |n| along(k).map(move |k| [m, n, k])))
}

/// All orders of `dims`.
fn orders(dims: &[Dim]) -> Vec<Vec<Dim>> {
    match dims {
        [] => vec![Vec::new()],
        _ => (0..dims.len())
            .flat_map(|first| {
                let rest: Vec<Dim> = dims.iter().copied().filter(|&d| d != dims[first]).collect();
                orders(&rest).into_iter().map(move |order| [&[dims[first]], &order[..]].concat())
            })
            .collect(),
    }
}
