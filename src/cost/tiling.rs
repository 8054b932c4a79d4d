//! The search for the loops of one matrix product on an array with memories.

use super::gemm::{GemmCost, cost};
use super::gemm_operands::GemmOperands;
use super::nest_memories::{NestMemories, operand};
use super::{ArrayTiming, Machine};
use crate::error::Fault;
use crate::map::tiles::ladder;
use crate::map::{Dataflow, Dim, Held, Matrix, Nest};

/// Dimensions that tiles cut.
const DIMS: [Dim; 3] = [Dim::M, Dim::N, Dim::K];

/// A nest with its cost.
type Found = (Nest, GemmCost);

/// The nest that the objective of `machine` likes best, with its cost, among tiles that fit its memories:
/// the evenest tiles of each dimension's steps of the array, in every order and for each of `dataflows`. The first
/// of equals wins. Matrices that are `resident` are on chip before the product starts, and stay; without off-chip memory
/// all of them are.
///
/// With several levels of memories the tiles of one level after the other are searched beside those of the others,
/// until none gets better, from the smallest tiles of all levels and from the largest.
///
/// # Errors
/// The level and the memory that cannot even hold the smallest tiles.
pub fn best_nest(
    operands: &GemmOperands,
    dataflows: &[Dataflow],
    array: &ArrayTiming,
    machine: &Machine,
    resident: &[Matrix],
) -> Result<Found, Fault> {
    let resident = if machine.dram.is_some() { resident } else { &Matrix::ALL[..] };
    let mut best = Best { score: f64::INFINITY, found: None, refusal: None };
    for &dataflow in dataflows {
        let units = [array.rows, array.columns].map(u64::from);
        let steps = Nest::steps(dataflow, units, &operands.gemm);
        let search = Search { operands, dataflow, array, machine, resident, steps, levels: levels(machine) };
        search.descend([1; 3], &mut best);
        if search.levels.len() > 1 {
            search.descend(steps, &mut best);
        }
    }
    best.found.ok_or_else(|| best.refusal.expect("there is at least one tile"))
}

/// An on-chip level of nests.
struct LevelOfNests {
    name: String,
    keeps: Vec<Matrix>,
}

/// On-chip levels of nests on `machine`, from the outermost to the one that feeds the array.
fn levels(machine: &Machine) -> Vec<LevelOfNests> {
    let depth = |matrix: Matrix| machine.hardware.levels(operand(matrix)).count();
    let deepest = Matrix::ALL.into_iter().map(depth).max().expect("three of them");
    let level = |number: usize| LevelOfNests {
        name: if number == 1 { "sram".to_owned() } else { format!("sram {number}") },
        keeps: Matrix::ALL.into_iter().filter(|&matrix| depth(matrix) >= number).collect(),
    };
    (1..=deepest).rev().map(level).collect()
}

/// The best that is known.
struct Best {
    score: f64,
    found: Option<Found>,
    refusal: Option<Fault>,
}

/// Tiles of one level, and the order in which they come.
#[derive(Clone)]
struct Tiling {
    tile: [u64; 3],
    order: Vec<Dim>,
}

/// What one search is about.
struct Search<'a> {
    operands: &'a GemmOperands,
    dataflow: Dataflow,
    array: &'a ArrayTiming,
    machine: &'a Machine,
    resident: &'a [Matrix],
    /// What one step of the array covers along M, N and K.
    steps: [u64; 3],
    levels: Vec<LevelOfNests>,
}

impl Search<'_> {
    /// Searches the tiles of one level after the other, from tiles of `start` steps, until no level gets better.
    fn descend(&self, start: [u64; 3], best: &mut Best) {
        let mut tilings = vec![Tiling { tile: start, order: DIMS.to_vec() }; self.levels.len()];
        let (mut score, mut level, mut settled) = (f64::INFINITY, 0, 0);
        while settled < self.levels.len() {
            settled += 1;
            if let Some((least, better)) = self.improve(level, &tilings, score, best) {
                (score, tilings, settled) = (least, better, 1);
            }
            level = (level + 1) % self.levels.len();
        }
    }

    /// The best tiles and order of level number `level` beside `tilings`, if they score less than `known`.
    fn improve(
        &self,
        level: usize,
        tilings: &[Tiling],
        known: f64,
        best: &mut Best,
    ) -> Option<(f64, Vec<Tiling>)> {
        let (mut least, mut better) = (known, None);
        for tile in tiles(self.steps) {
            let around = if level == 0 { self.steps } else { larger(&tilings[level - 1].tile, &tile) };
            let (cut, whole): (Vec<Dim>, Vec<Dim>) =
                DIMS.into_iter().partition(|&dim| tile[dim as usize] < around[dim as usize]);
            for order in orders(&cut) {
                let order = [order, whole.clone()].concat();
                let tilings = with(tilings, level, Tiling { tile, order });
                let (score, found) = match self.cost(&tilings) {
                    Ok(Some(found)) => found,
                    Ok(None) => continue,
                    // Order takes no room.
                    Err(wrong) => {
                        best.refusal = Some(wrong);
                        break;
                    }
                };
                if score < best.score {
                    (best.score, best.found) = (score, Some(found));
                }
                if score < least {
                    (least, better) = (score, Some(tilings));
                }
            }
        }
        better.map(|tilings| (least, tilings))
    }

    /// Score and cost of `tilings`; `None` where what is resident would be there in parts.
    ///
    /// # Errors
    /// The level and the memory that cannot hold them.
    fn cost(&self, tilings: &[Tiling]) -> Result<Option<(f64, Found)>, Fault> {
        let levels = self.levels.iter().zip(tilings);
        let held: Vec<Held> = levels
            .map(|(level, tiling)| Held {
                name: &level.name,
                keeps: &level.keeps,
                tile: tiling.tile,
                order: &tiling.order,
            })
            .collect();
        let gemm = &self.operands.gemm;
        let units = [self.array.rows, self.array.columns].map(u64::from);
        let mut nest = Nest::in_levels(self.dataflow, units, gemm, &held);
        nest.levels[0].keeps.retain(|matrix| !self.resident.contains(matrix));
        let whole = |&matrix: &Matrix| {
            nest.homes(matrix)
                .next()
                .is_some_and(|home| nest.tile(home, matrix, gemm) == gemm.elements(matrix))
        };
        if !self.resident.iter().all(whole) {
            return Ok(None);
        }
        let memories = NestMemories::new(&nest, self.machine)?;
        memories.check(self.operands, &nest)?;
        let cost = cost(self.operands, &nest, self.dataflow, self.array, Some((self.machine, &memories)));
        let energy_j = cost.energy_j.expect("there is a machine").total();
        Ok(Some((self.machine.score(cost.cycles.total(), energy_j), (nest, cost))))
    }
}

/// `tilings` with `tiling` at level number `level`: tiles around it grow to hold it, those inside of it shrink to fit.
fn with(tilings: &[Tiling], level: usize, tiling: Tiling) -> Vec<Tiling> {
    let mut all = tilings.to_vec();
    all[..level].iter_mut().for_each(|outer| outer.tile = larger(&outer.tile, &tiling.tile));
    for inner in &mut all[level + 1..] {
        inner.tile = std::array::from_fn(|i| inner.tile[i].min(tiling.tile[i]));
    }
    all[level] = tiling;
    all
}

fn larger(a: &[u64; 3], b: &[u64; 3]) -> [u64; 3] {
    std::array::from_fn(|i| a[i].max(b[i]))
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
