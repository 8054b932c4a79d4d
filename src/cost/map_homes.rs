//! Which maps between layers stay on chip: those that save most for their room. Where a map has no room, the layers that
//! yield and read it may take turns, tile by tile, so that a tile of it is enough (`turns.rs`).

use rayon::prelude::*;

use super::mapper::{Choice, Mapper, Running};
use super::prefetch::Outline;
use super::settling::{Settling, State};
use super::turns;
use crate::error::{Error, Result};
use crate::map::{Home, Shortage, Wishes};

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
    let home = |&stays: &bool| if stays { Home::default() } else { Home::OffChip };
    let maps = best.homes.stays.iter().map(home).collect();
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

/// Leaves maps on chip that have room there, those first that save most for it.
fn keep(settling: &Settling, mut state: State) -> State {
    let whole = settling.whole(&state);
    let maps = &settling.mapper.workload.maps;
    let open = |state: &State, map: usize| {
        let homes = &state.homes;
        let in_tiles = homes.turns[maps[map].alive.start].is_some_and(|turns| turns.holds(&maps[map]));
        settling.fixed_home(map).is_none() && !homes.stays[map] && !in_tiles
    };
    let saving = |map: usize| {
        let (gain, _) = with_map(settling, &state, map, &whole)?;
        Some((map, gain / (maps[map].bits * maps[map].alive.len() as f64)))
    };
    let candidates = (0..maps.len()).into_par_iter().filter(|&map| open(&state, map));
    let mut savings: Vec<(usize, f64)> = candidates.filter_map(saving).collect();
    // Stable: of equals the first in the network stays.
    savings.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (map, _) in savings {
        if let Some((gain, layers)) = with_map(settling, &state, map, &whole).filter(|(gain, _)| *gain > 0.0)
        {
            debug_assert!(gain.is_finite());
            state.homes.stays[map] = true;
            layers.into_iter().for_each(|(layer, running)| state.layers[layer] = running);
        }
    }
    state
}

/// What is gained where `map` stays too, and the layers that run otherwise then; `None` if it has no room.
fn with_map(
    settling: &Settling,
    state: &State,
    map: usize,
    whole: &Outline,
) -> Option<(f64, Vec<(usize, Running)>)> {
    let mut homes = state.homes.clone();
    homes.stays[map] = true;
    let mut gain = 0.0;
    let mut layers = Vec::new();
    for layer in settling.concerned_by(state, &settling.mapper.workload.maps[map]) {
        let before = &state.layers[layer];
        let running =
            settling.mapper.running(layer, settling.settled(layer, before.plan, state, &homes).ok()?);
        gain += settling.mapper.gain(whole, &before.cost, &running.cost);
        layers.push((layer, running));
    }
    Some((gain, layers))
}
