use super::sample::Sample;
use super::space::Space;
use crate::error::{Error, Result};
use crate::hw::Axes;

/// Most points of an exploration.
const MAX_POINTS: u128 = 10_000_000;

/// The machines of `space` that are evaluated, by their numbers.
///
/// # Errors
/// If there are too many points.
pub(super) fn machines(space: &Space, axes: &Axes, sample: Option<Sample>) -> Result<Vec<u64>> {
    let (all, of_machine) = (axes.count(), (space.networks.len() * space.settings.len()) as u128);
    if all > u128::from(u64::MAX) {
        return Err(Error::mismatch(format!("{all} machines are more than can be numbered")));
    }
    let drawn = sample.map_or(all, |sample| all.min(u128::from(sample.machines)));
    let points = drawn.saturating_mul(of_machine);
    if points > MAX_POINTS {
        return Err(Error::mismatch(format!(
            "{points} points ({drawn} machines, {of_machine} of each) are more than {MAX_POINTS}: --sample takes some of \
             the machines"
        )));
    }
    Ok(sample.map_or_else(|| (0..all as u64).collect(), |sample| sample.of(axes)))
}
