//! Every plan that a layer may run by.

use rayon::prelude::*;

use super::refusal::refusal;
use super::residency::weights_home;
use super::residents::Residents;
use super::room::{on_chip_bits, too_small};
use super::space::{Settled, Shortage, Space};
use super::takes::check_units;
use super::wishes::Wishes;
use super::{Home, Order, Plan, Workload};
use crate::error::Result;
use crate::hw::{Hardware, Operand, Placement};

/// Per layer, every legal plan with the loop over timesteps at `placement`, of those that `fixed` leaves open: all
/// weights stay on chip if they fit there together, and come from off chip for every image if they do not.
///
/// # Errors
/// If an operand fits nowhere, if weight codes or inputs are wider than the machine takes, or if no plan
/// is as `fixed` wants it.
pub fn candidates(
    workload: &Workload,
    hardware: &Hardware,
    placement: Placement,
    fixed: Option<&Wishes>,
) -> Result<Vec<Vec<Plan>>> {
    candidates_at(weights_home(workload, hardware, placement)?, workload, hardware, placement, fixed)
}

/// Per layer, every legal plan with the weights of all layers at `weights`.
///
/// # Errors
/// As of [`candidates`].
pub fn candidates_at(
    weights: Home,
    workload: &Workload,
    hardware: &Hardware,
    placement: Placement,
    fixed: Option<&Wishes>,
) -> Result<Vec<Vec<Plan>>> {
    let residents = match weights {
        Home::OnChip(level) => Residents::all(workload, level),
        Home::OffChip => Residents::none(workload),
    };
    let of = |i| plans_of(i, workload, hardware, placement, fixed, &residents, weights);
    let all: Vec<Result<Vec<Plan>>> = (0..workload.layers.len()).into_par_iter().map(of).collect();
    // The first of several refusals is told, whichever thread met one first.
    all.into_iter().collect()
}

/// Every legal plan of layer number `layer`, whose weights come from off chip.
///
/// # Errors
/// As of [`candidates`].
pub fn streaming_candidates(
    layer: usize,
    workload: &Workload,
    hardware: &Hardware,
    placement: Placement,
    fixed: Option<&Wishes>,
) -> Result<Vec<Plan>> {
    plans_of(layer, workload, hardware, placement, fixed, &Residents::none(workload), Home::OffChip)
}

/// Every legal plan of layer number `layer`, whose weights all stay on chip while others do not.
///
/// # Errors
/// As of [`candidates`].
pub fn resident_candidates(
    layer: usize,
    workload: &Workload,
    hardware: &Hardware,
    placement: Placement,
    fixed: Option<&Wishes>,
) -> Result<Vec<Plan>> {
    let weights = Home::OnChip(hardware.level_of_residents());
    plans_of(layer, workload, hardware, placement, fixed, &Residents::none(workload), weights)
}

/// Plans of layer number `layer`, one for each way to compute it, with all on chip that has room there by itself, and each
/// operand loaded once: with the loop over timesteps at `placement`, no plan does less than all of them.
pub fn unhindered(layer: usize, workload: &Workload, hardware: &Hardware, placement: Placement) -> Vec<Plan> {
    let (residents, layer) = (Residents::none(workload), &workload.layers[layer]);
    let space = Space::new(layer, workload, hardware, placement, &residents, Home::default());
    let order = Order::PositionsOutermost { tiles: 1, weights_stay: true };
    let room = |operand: Operand| -> f64 {
        hardware.levels(operand).map(|memory| hardware.memories[memory].capacity_bits()).sum()
    };
    let unhindered = |plan: Plan| {
        let mut plan = Plan { order, ..plan };
        // Maps may stay in part.
        let operand = Operand::Membranes;
        let needed = on_chip_bits(&plan, (operand, 0), layer, workload, hardware, &residents);
        if needed > room(operand) && hardware.dram.is_some() {
            plan.home[operand] = Home::OffChip;
        }
        plan
    };
    space.computed().map(unhindered).collect()
}

/// `plan` of layer number `layer` beside `residents`, with what has no room on chip off it; `None` if the machine has
/// no room for it.
pub fn placed(
    plan: Plan,
    layer: usize,
    workload: &Workload,
    hardware: &Hardware,
    fixed: Option<&Wishes>,
    residents: &Residents,
) -> Option<Plan> {
    let weights = plan.home[Operand::Weights];
    let (described, placement) = (&workload.layers[layer], plan.placement);
    let space = Space::new(described, workload, hardware, placement, residents, weights);
    space.with(fixed.and_then(|fixed| fixed.layer(layer))).placed(plan, &mut Vec::new()).ok()
}

fn plans_of(
    number: usize,
    workload: &Workload,
    hardware: &Hardware,
    placement: Placement,
    fixed: Option<&Wishes>,
    residents: &Residents,
    weights: Home,
) -> Result<Vec<Plan>> {
    let layer = &workload.layers[number];
    check_units(layer, hardware)?;
    let wish = fixed.and_then(|fixed| fixed.layer(number));
    let space = Space::new(layer, workload, hardware, placement, residents, weights);
    let plans = space.clone().with(wish).plans();
    match fixed.zip(wish) {
        _ if !plans.is_empty() => Ok(plans),
        Some((fixed, wish)) if !space.plans().is_empty() => {
            let (field, message) = refusal(&space, wish);
            Err(fixed.fault(format!("layers: {}{field}", layer.name), message))
        }
        _ => {
            let bits = layer.product.as_ref().map_or(0.0, |p| p.fan_in as f64 * f64::from(p.weight_bits));
            let what = format!("layer {}: one output channel", layer.name);
            Err(too_small(hardware, Operand::Weights, &what, bits))
        }
    }
}

/// Every legal plan of layer number `layer` that is `like` another one in where weights are and timesteps run, with its
/// maps as `settled`, of those that `fixed` leaves open; in that many tiles of positions where it takes turns.
pub fn settled_candidates(
    layer: usize,
    workload: &Workload,
    hardware: &Hardware,
    fixed: Option<&Wishes>,
    residents: &Residents,
    like: &Plan,
    settled: Settled,
) -> Vec<Plan> {
    let weights = like.home[Operand::Weights];
    let described = &workload.layers[layer];
    let mut space = Space::new(described, workload, hardware, like.placement, residents, weights);
    space.settled = Some(settled);
    let wish = fixed.and_then(|fixed| fixed.layer(layer));
    let in_turns = settled.group.map(|_| wish.cloned().unwrap_or_default().in_order(like.order));
    let mut plans = space.with(in_turns.as_ref().or(wish)).plans();
    plans.iter_mut().for_each(|plan| plan.resident_channels = like.resident_channels);
    plans
}

/// `plan` of layer number `layer` with its maps as `settled`.
///
/// # Errors
/// What has no room then.
pub fn settled_plan(
    plan: Plan,
    layer: usize,
    workload: &Workload,
    hardware: &Hardware,
    fixed: Option<&Wishes>,
    residents: &Residents,
    settled: Settled,
) -> Result<Plan, Shortage> {
    let weights = plan.home[Operand::Weights];
    let described = &workload.layers[layer];
    let mut space = Space::new(described, workload, hardware, plan.placement, residents, weights);
    space.settled = Some(settled);
    space.with(fixed.and_then(|fixed| fixed.layer(layer))).placed(plan, &mut Vec::new())
}
