use serde::Serialize;

use super::axes::{Axes, Sample};
use super::parameter::Parameter;
use super::space::Space;
use crate::error::{Error, Result};
use crate::hw::Change;

/// Most points of an exploration.
const MAX_POINTS: u128 = 10_000_000;

/// One thing that varies, and the names of its levels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Axis {
    /// What columns call it.
    pub name: String,
    /// What is tried.
    pub levels: Vec<String>,
}

/// What varies from machine to machine.
pub(super) fn axes(space: &Space) -> Vec<Axis> {
    let own = vec!["own".to_owned()];
    let tables = if space.tables.is_empty() { own } else { space.tables.clone() };
    let named = |name: &str, levels: Vec<String>| Axis { name: name.to_owned(), levels };
    let parameters = space
        .parameters
        .iter()
        .map(|parameter| named(&parameter.name, parameter.values.all().expect("checked with the space")));
    [named("hardware", space.hardware.clone()), named("table", tables)]
        .into_iter()
        .chain(parameters)
        .collect()
}

/// What makes a description of the machine with these `levels` of the axes.
pub(super) fn changes(space: &Space, axes: &[Axis], levels: &[usize]) -> Vec<Change> {
    let of = |(axis, &level): (usize, &usize)| changes_of(space, axes, axis, level);
    levels.iter().enumerate().flat_map(of).collect()
}

/// The part of [`changes`] that the axis number `axis` has; `hardware` and `table` have none.
pub(super) fn changes_of(space: &Space, axes: &[Axis], axis: usize, level: usize) -> Vec<Change> {
    let parameter = axis.checked_sub(2).map(|number| &space.parameters[number]);
    let of =
        |parameter: &Parameter| parameter.changes(&axes[axis].levels[level]).expect("checked with the space");
    parameter.map(of).unwrap_or_default()
}

/// Machines by their numbers.
pub(super) fn numbered(axes: &[Axis]) -> Axes {
    Axes::new(axes.iter().map(|axis| axis.levels.len()).collect())
}

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
    Ok(sample.map_or_else(|| (0..all as u64).collect(), |sample| axes.sample(sample)))
}
