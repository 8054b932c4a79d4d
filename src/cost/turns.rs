//! Layers that take turns: each computes one tile of positions from what the layer before it left, so that a tile of the
//! maps between them is on chip instead of all. Their weights are there together.

use std::ops::Range;

use rayon::prelude::*;

use super::mapper::{Mapper, Running};
use super::prefetch::Outline;
use super::settling::{Settling, State};
use crate::hw::{MemorySpec, Operand};
use crate::map::{Map, Turns, layers_take_turns, tiles::quotients};

/// Most layers that take turns.
const MAX_LAYERS: usize = 8;

/// `state` where those runs of layers take turns which gain most, all together.
pub fn take(settling: &Settling, state: State) -> State {
    if !layers_take_turns(&settling.mapper.machine.hardware) {
        return state;
    }
    let whole = settling.whole(&state);
    let found = runs(settling, &state);
    let tried: Vec<Option<InTurns>> =
        found.par_iter().map(|run| in_turns(settling, &state, run, &whole)).collect();
    // Per number of layers that are settled, the most that is gained, and the last run of it.
    let mut best: Vec<(f64, Option<InTurns>)> = vec![(0.0, None)];
    for end in 1..=state.layers.len() {
        let mut most = (best[end - 1].0, None);
        for run in tried.iter().flatten().filter(|run| run.turns.range().end == end) {
            let gain = best[run.turns.first].0 + run.gain;
            if gain > most.0 {
                most = (gain, Some(run.clone()));
            }
        }
        best.push(most);
    }
    chosen(state, best)
}

/// Layers as they take turns.
#[derive(Debug, Clone)]
struct InTurns {
    turns: Turns,
    layers: Vec<Running>,
    gain: f64,
}

/// `state` with the runs that `best` leads to.
fn chosen(mut state: State, mut best: Vec<(f64, Option<InTurns>)>) -> State {
    while let Some((_, run)) = best.pop() {
        let Some(run) = run else { continue };
        for (layer, running) in run.turns.range().zip(run.layers) {
            (state.homes.turns[layer], state.layers[layer]) = (Some(run.turns), running);
        }
        best.truncate(run.turns.first + 1);
    }
    state
}

/// Runs of layers that can take turns, each of which leaves something for the next that has no room.
fn runs(settling: &Settling, state: &State) -> Vec<Range<usize>> {
    let Mapper { workload, machine, .. } = *settling.mapper;
    let memory = machine.inner[Operand::Weights];
    let room = MemorySpec::capacity_bits(&machine.hardware.memories[memory]) - settling.residents.bits;
    let can: Vec<bool> =
        (0..state.layers.len()).map(|layer| can_take_turns(settling, layer, state)).collect();
    let mut all = Vec::new();
    for first in 0..can.len() {
        let mut weight_bits = 0.0;
        for end in first + 1..=can.len().min(first + MAX_LAYERS) {
            let turns = Turns { first, layers: end - first, tiles: 1 };
            weight_bits += settling.buffer_bits(end - 1, &turns.by_tiles(state.layers[end - 1].plan));
            if !can[end - 1] || weight_bits > room {
                break;
            }
            let between = |layer: usize| {
                let crosses =
                    |map: &Map| map.alive.start < layer && turns.holds(map) && is_read_from(map, layer);
                let maps = workload.maps.iter().enumerate();
                maps.into_iter().any(|(number, map)| crosses(map) && settling.passes(number, state))
            };
            let is_fixed =
                |(number, map): (usize, &Map)| settling.fixed_home(number).is_some() && turns.holds(map);
            let open = !workload.maps.iter().enumerate().any(is_fixed);
            if end - first > 1 && open && (first + 1..end).all(between) {
                all.push(first..end);
            }
        }
    }
    all
}

/// True if layer number `layer` or one behind it reads `map`.
fn is_read_from(map: &Map, layer: usize) -> bool {
    map.products.iter().chain(&map.readers).any(|&reader| reader >= layer)
}

/// True if layer number `layer` can take turns by its plan, and a file leaves that open.
fn can_take_turns(settling: &Settling, layer: usize, state: &State) -> bool {
    let Mapper { workload, fixed, .. } = *settling.mapper;
    workload.layers[layer].is_local()
        && state.layers[layer].plan.dataflow.comes_in_positions()
        && state.homes.turns[layer].is_none()
        && fixed.and_then(|fixed| fixed.layer(layer)).is_none()
}

/// The layers of `run` in the fewest tiles that have room.
fn in_turns(settling: &Settling, state: &State, run: &Range<usize>, whole: &Outline) -> Option<InTurns> {
    let steps: Option<Vec<usize>> = run.clone().map(|layer| steps(settling.mapper, state, layer)).collect();
    let mut homes = state.homes.clone();
    tile_counts(&steps?).into_iter().find_map(|tiles| {
        let turns = Turns { first: run.start, layers: run.len(), tiles };
        homes.turns[run.clone()].fill(Some(turns));
        let (mut gain, mut layers) = (0.0, Vec::new());
        for layer in run.clone() {
            let by_tiles = turns.by_tiles(state.layers[layer].plan);
            let plan = settling.settled(layer, by_tiles, state, &homes).ok()?;
            let running = settling.mapper.running(layer, plan);
            gain += settling.mapper.gain(whole, &state.layers[layer].cost, &running.cost);
            layers.push(running);
        }
        Some(InTurns { turns, layers, gain })
    })
}

/// Steps of the array along the positions of layer number `layer`.
fn steps(mapper: &Mapper, state: &State, layer: usize) -> Option<usize> {
    let Mapper { workload, machine, .. } = *mapper;
    let product = workload.layers[layer].product.as_ref()?;
    state.layers[layer].plan.position_steps(product, &machine.hardware, workload.timesteps)
}

/// Numbers of tiles that layers of `steps` steps come out in, all of them in as many, each at least half as many again as
/// the one before.
fn tile_counts(steps: &[usize]) -> Vec<usize> {
    let fewest = *steps.iter().min().expect("several layers");
    let come_out = |&tiles: &usize| steps.iter().all(|n| n.div_ceil(n.div_ceil(tiles)) == tiles);
    let mut last = 1;
    let apart = |&tiles: &usize| {
        let next = 2 * tiles >= 3 * last;
        last = if next { tiles } else { last };
        next
    };
    quotients(fewest)
        .map(|size| fewest.div_ceil(size))
        .filter(|&n| n > 1)
        .filter(come_out)
        .filter(apart)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::tile_counts;

    #[test]
    fn tiles_by_hand() {
        // 12 and 24 come out in 2, 3, 4, 6 and 12 tiles; 4 is too near to 3.
        assert_eq!(tile_counts(&[12, 24]), [2, 3, 6, 12]);
        // 10 steps in tiles of 4 are 3, and so are 7 in tiles of 3; 10 steps do not come out in 7.
        assert_eq!(tile_counts(&[10, 7]), [2, 3]);
    }
}
