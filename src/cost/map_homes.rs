//! Which maps between layers stay on chip: those that save most for their room. Where a map has no room, the layers that
//! yield and read it may take turns, tile by tile, so that a tile of it is enough (`turns.rs`).

use rayon::prelude::*;

use super::mapper::{Choice, Mapper, Running};
use super::prefetch::Outline;
use super::settling::{Settling, State};
use super::turns;
use crate::error::{Error, Result};
use crate::hw::Operand;
use crate::map::{Home, Shortage, Wishes};

/// Most layers of a network whose maps are moved in several orders although they have one on-chip home.
const MAX_LAYERS: usize = 8;

/// `choice` with a home for every map: plans that were chosen one by one may see one on chip where it is written, and off
/// chip where it is read.
///
/// # Errors
/// If what a file fixes has no room.
pub fn settle(mapper: &Mapper, choice: Choice) -> Result<Choice> {
    let Some(settling) = Settling::new(mapper, &choice) else { return Ok(choice) };
    let base = settling.start(&choice, None);
    let emptied = settling.emptied(&choice);
    let empty = emptied.as_ref().map(|emptied| (emptied, emptied.start(&choice, base.as_ref().ok())));
    let starts: Vec<_> = std::iter::once((&settling, base)).chain(empty).collect();
    let find = |(settling, start)| best_of(settling, &choice, start);
    let found: Vec<Result<Choice>> = starts.into_par_iter().map(find).collect();
    let (settled, refused): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    let best = settled.into_iter().flatten().min_by(|a, b| a.score.total_cmp(&b.score));
    let refusal = refused.into_iter().filter_map(Result::err).next_back();
    best.ok_or_else(|| refusal.expect("a choice or a refusal"))
}

/// The best that maps which stay and layers that take turns lead to from `start`, in either order, both together and none.
fn best_of(settling: &Settling, choice: &Choice, start: Result<State, (usize, Shortage)>) -> Result<Choice> {
    let base = start.map_err(|(layer, shortage)| refusal(settling, layer, &shortage))?;
    let (kept, in_turns) =
        rayon::join(|| keep(settling, base.clone()), || turns::take(settling, base.clone()));
    let (both, other_order) =
        rayon::join(|| turns::take(settling, kept.clone()), || keep(settling, in_turns));
    let states = [both, kept, other_order, base];
    let score = |state: &State| settling.mapper.score(&settling.whole(state));
    let best = states.into_iter().min_by(|a, b| score(a).total_cmp(&score(b))).expect("four of them");
    let maps = best.homes.maps.clone();
    Ok(Choice { maps, ..settling.mapper.finish(&settling.replan(best, choice).layers) })
}

/// Why a layer does not run with maps where a file wants them.
fn refusal(settling: &Settling, layer: usize, shortage: &Shortage) -> Error {
    let Mapper { workload, machine, fixed, .. } = *settling.mapper;
    let name = &workload.layers[layer].name;
    let message = format!("while {name} runs, {}", shortage.describe(&machine.hardware));
    let takes_turns = |fixed: &Wishes| fixed.turns().iter().any(|turns| turns.range().contains(&layer));
    let fixed = fixed.expect("without a file something has room");
    fixed.fault(if takes_turns(fixed) { "turns" } else { "maps" }, message)
}

/// Moves maps nearer that have room there, those first that save most for it. Small networks, and maps with several on-chip
/// homes, are tried in [other orders](orders), too.
fn keep(settling: &Settling, state: State) -> State {
    let Mapper { workload, .. } = *settling.mapper;
    let whole = settling.whole(&state);
    let saving = |to: Move| {
        let (gain, _) = with_map(settling, &state, to, &whole)?;
        let map = &workload.maps[to.map];
        Some(Saving { to, gain, density: gain / (map.bits * map.alive.len() as f64) })
    };
    let savings: Vec<Saving> = moves(settling, &state).into_par_iter().filter_map(saving).collect();
    let mut orders = orders(savings).to_vec();
    let several_homes = [Operand::Activations, Operand::Residual]
        .iter()
        .any(|&operand| settling.on_chip_homes(operand).count() > 1);
    if workload.layers.len() > MAX_LAYERS && !several_homes {
        orders.truncate(1);
    }
    let states = orders.iter().map(|moves| moved(settling, state.clone(), &whole, moves));
    let score = |state: &State| settling.mapper.score(&settling.whole(state));
    states.min_by(|a, b| score(a).total_cmp(&score(b))).expect("at least one order")
}

/// What a move saves.
struct Saving {
    to: Move,
    gain: f64,
    /// For its room.
    density: f64,
}

/// Orders of moves: by what they save for their room; the outermost memory first, and so; and by all that they save. Sorts
/// are stable: of equals the first in the network comes first.
fn orders(mut savings: Vec<Saving>) -> [Vec<Move>; 3] {
    let moves = |savings: &[Saving]| savings.iter().map(|saving| saving.to).collect();
    savings.sort_by(|a, b| b.density.total_cmp(&a.density));
    let by_density = moves(&savings);
    savings.sort_by_key(|saving| std::cmp::Reverse(saving.to.home));
    let behind_first = moves(&savings);
    savings.sort_by(|a, b| b.to.home.cmp(&a.to.home).then(b.gain.total_cmp(&a.gain)));
    [by_density, behind_first, moves(&savings)]
}

/// Every map that may come nearer, and where.
fn moves(settling: &Settling, state: &State) -> Vec<Move> {
    let maps = &settling.mapper.workload.maps;
    let open = |map: usize| {
        let in_tiles = state.homes.turns[maps[map].alive.start].is_some_and(|turns| turns.holds(&maps[map]));
        settling.fixed_home(map).is_none() && !in_tiles
    };
    let nearer = |map: usize| {
        let from = state.homes.maps[map];
        let homes = settling.on_chip_homes(maps[map].operand);
        homes.filter(move |home| *home < from).map(move |home| Move { map, home })
    };
    (0..maps.len()).filter(|&map| open(map)).flat_map(nearer).collect()
}

/// `state` after those of `moves`, one after the other, that gain something.
fn moved(settling: &Settling, mut state: State, whole: &Outline, moves: &[Move]) -> State {
    for &to in moves {
        let nearer = to.home < state.homes.maps[to.map];
        let gained = nearer.then(|| with_map(settling, &state, to, whole)).flatten();
        if let Some((gain, layers)) = gained.filter(|(gain, _)| *gain > 0.0) {
            debug_assert!(gain.is_finite());
            state.homes.maps[to.map] = to.home;
            layers.into_iter().for_each(|(layer, running)| state.layers[layer] = running);
        }
    }
    state
}

/// A map that moves to another home.
#[derive(Debug, Clone, Copy)]
struct Move {
    map: usize,
    home: Home,
}

/// What is gained by the move `to`, and the layers that run otherwise then; `None` if it has no room.
fn with_map(
    settling: &Settling,
    state: &State,
    to: Move,
    whole: &Outline,
) -> Option<(f64, Vec<(usize, Running)>)> {
    let mut homes = state.homes.clone();
    homes.maps[to.map] = to.home;
    let mut gain = 0.0;
    let mut layers = Vec::new();
    for layer in settling.concerned_by(state, &settling.mapper.workload.maps[to.map]) {
        let before = &state.layers[layer];
        let running =
            settling.mapper.running(layer, settling.settled(layer, before.plan, state, &homes).ok()?);
        gain += settling.mapper.gain(whole, &before.cost, &running.cost);
        layers.push((layer, running));
    }
    Some((gain, layers))
}
