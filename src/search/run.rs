//! The part of a space that machines can run, and one run of one strategy on it.

use super::engine::{Engine, Stop};
use super::oracle::Oracle;
use super::outcome::Run;
use super::outlook::outlook;
use super::problem::Problem;
use super::space::Space;
use super::store::Store;
use super::strategy::Strategy;
use crate::error::{Error, Result};

/// The part of `space` that one of its machines can run: levels that all refuse everywhere are left out, and the
/// widest levels as long as all refuse them together. The first machine that runs the widest ones is its base.
///
/// # Errors
/// With the machine's own words if nothing is left, or one point, or if it lacks the decoder of a scheme.
pub fn legal_space(space: Space, oracle: &dyn Oracle) -> Result<Space> {
    space.check()?;
    let taker = |space: &Space, weights: usize, membranes: usize| -> Result<Result<usize, Error>> {
        let setting = space.setting(&space.uniform(weights, membranes), "level")?;
        let mut refusal = None;
        for machine in 0..space.machines.len() {
            match oracle.charge(&setting, machine) {
                Ok(_) => return Ok(Ok(machine)),
                Err(error @ Error::Mismatch(_)) => refusal = refusal.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Ok(Err(refusal.expect("there is a machine")))
    };
    let refusal = |space: &Space, weights: usize, membranes: usize| -> Result<Option<Error>> {
        Ok(taker(space, weights, membranes)?.err())
    };
    let (last_weights, last_membranes) = (space.weights.len() - 1, space.membranes.len() - 1);
    if let Some(error) = refusal(&space, last_weights, last_membranes)? {
        return Err(error);
    }
    let (mut weights, mut membranes) = (Vec::new(), Vec::new());
    for level in 0..=last_weights {
        match refusal(&space, level, last_membranes)? {
            None => weights.push(space.weights[level]),
            // Such a scheme is tried because it was asked for by name.
            Some(error) if space.weights[level].form().is_looked_up() => return Err(error),
            Some(_) => {}
        }
    }
    for level in 0..=last_membranes {
        if refusal(&space, last_weights, level)?.is_none() {
            membranes.push(space.membranes[level]);
        }
    }
    let mut left = Space { weights, membranes, ..space };
    loop {
        if let Ok(machine) = taker(&left, 0, 0)? {
            left.base_machine = machine;
            return left.check().map(|()| left);
        }
        // The narrowest levels run together, so this ends before either list is empty.
        if left.membranes.len() > 1 {
            left.membranes.remove(0);
        } else {
            left.weights.remove(0);
        }
    }
}

/// Runs `strategy` on `space`.
///
/// # Errors
/// If the input is wrong, or the log cannot be written.
pub fn run_strategy<'s>(
    strategy: &dyn Strategy,
    space: &Space,
    problem: &Problem,
    seed: u64,
    store: &mut Store<'s>,
) -> Result<Run> {
    let mut engine = Engine::new(space, problem, strategy.is_sequential(), seed, store)?;
    let exhausted = match strategy.run(&mut engine) {
        Ok(()) => false,
        Err(Stop::Exhausted) => true,
        Err(Stop::Failed(error)) => return Err(error),
    };
    let found = engine.conclude()?;
    let outlook =
        found.best.as_ref().map_or_else(|| Ok(Vec::new()), |best| outlook(&mut engine, &best.candidate))?;
    Ok(engine.finish(strategy.name(), exhausted, found, outlook))
}
