//! Cycles of lanes beside their work, at the steps of their loops.

use super::zeros::Waves;
use crate::hw::{Placement, SpatialDim, SpikeLanes, Step};
use crate::map::{Dataflow, Plan, Product};

/// Cycles in which no lane of `unit` works, in all frames of a product.
pub fn cycles(unit: &SpikeLanes, plan: &Plan, waves: &Waves<'_>) -> f64 {
    let pauses = unit.overheads.iter();
    pauses.map(|pause| steps(pause.per, unit, plan, waves) * f64::from(pause.cycles.value)).sum()
}

/// Stretches of positions that pass by the same weights, where weights stay.
pub fn stretches(unit: &SpikeLanes, product: &Product) -> f64 {
    let positions = product.positions as f64;
    unit.stream_positions.as_ref().map_or(1.0, |stretch| (positions / f64::from(stretch.value)).ceil())
}

/// How often the loop over `step` turns, in all frames of a product.
///
/// Where timesteps are innermost, they turn within a row or pass by as further positions do: only the rows and the sums
/// of a step are met again at every timestep.
fn steps(step: Step, unit: &SpikeLanes, plan: &Plan, waves: &Waves<'_>) -> f64 {
    let product = waves.product;
    let (each, runs) = match plan.placement {
        Placement::Innermost => (waves.timestep_steps(), 1.0),
        Placement::Outermost => (1.0, waves.timestep_steps()),
    };
    let groups = product.group_steps(waves.lanes) as f64;
    let channels = (product.group_outputs() as f64 / plan.channels as f64).ceil()
        * groups
        * stretches_of(unit, plan, product);
    let inputs = channels * product.input_steps(waves.lanes) as f64;
    let turns = match step {
        Step::Layer => 1.0,
        Step::OutputChannels => channels,
        Step::Inputs => inputs,
        Step::Rows => inputs * rows(product, waves) * each,
        Step::Sums => (product.positions * product.outputs) as f64 * each,
    };
    turns * runs
}

fn stretches_of(unit: &SpikeLanes, plan: &Plan, product: &Product) -> f64 {
    if plan.dataflow == Dataflow::WeightStationary { stretches(unit, product) } else { 1.0 }
}

/// Steps of lanes along the rows of the output map.
fn rows(product: &Product, waves: &Waves<'_>) -> f64 {
    let side_by_side = waves.lanes.extent(SpatialDim::Rows) as usize;
    (product.positions / product.columns).div_ceil(side_by_side) as f64
}
