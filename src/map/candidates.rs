//! Every plan that a layer may run by.

use std::borrow::Cow;

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

/// Plans of layer number `layer`, one for each way to compute it of those that `fixed` leaves open, with all on chip and each
/// operand loaded once: with the loop over timesteps at `placement`, no plan that computes it in a way does less than this
/// one.
pub fn ways(
    layer: usize,
    workload: &Workload,
    hardware: &Hardware,
    placement: Placement,
    fixed: Option<&Wishes>,
) -> Vec<Plan> {
    let residents = Residents::none(workload);
    let described = &workload.layers[layer];
    let space = Space::new(described, workload, hardware, placement, &residents, Home::default());
    let order = Order::PositionsOutermost { tiles: 1, weights_stay: true };
    let space = space.with(fixed.and_then(|fixed| fixed.layer(layer)));
    space.computed().map(|plan| Plan { order, ..plan }).collect()
}

/// The [`ways`] to compute layer number `layer` with all on chip that has room there by itself.
pub fn unhindered(layer: usize, workload: &Workload, hardware: &Hardware, placement: Placement) -> Vec<Plan> {
    let (residents, described) = (Residents::none(workload), &workload.layers[layer]);
    let room = |operand: Operand| -> f64 {
        hardware.levels(operand).map(|memory| hardware.memories[memory].capacity_bits()).sum()
    };
    let mut plans = ways(layer, workload, hardware, placement, None);
    for plan in &mut plans {
        // Maps may stay in part.
        let operand = Operand::Membranes;
        let needed = on_chip_bits(plan, (operand, 0), described, workload, hardware, &residents);
        if needed > room(operand) && hardware.dram.is_some() {
            plan.home[operand] = Home::OffChip;
        }
    }
    plans
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
            let bits = layer.product.as_ref().map_or(0.0, |p| p.fan_in as f64 * p.weight_bits());
            let what = format!("layer {}: one output channel", layer.name);
            Err(too_small(hardware, Operand::Weights, &what, bits))
        }
    }
}

/// A layer whose maps have homes, before it gets another plan.
#[derive(Clone, Copy)]
pub struct SettledLayer<'a> {
    /// Number of the layer.
    pub number: usize,
    /// Weights are where this plan has them, and timesteps run as in this plan; a layer that takes turns does so in as many
    /// tiles of positions.
    pub like: &'a Plan,
    /// Homes of the maps of the layer.
    pub settled: Settled,
    /// Weights that stay on chip.
    pub residents: &'a Residents,
}

/// The legal plans of a layer whose maps have homes, one way to compute it after the other.
pub struct SettledCandidates<'a> {
    space: Space<'a>,
    ways: Vec<Plan>,
    resident_channels: usize,
}

impl<'a> SettledCandidates<'a> {
    /// The plans of `layer` that `fixed` leaves open.
    pub fn new(
        layer: &SettledLayer<'a>,
        workload: &'a Workload,
        hardware: &'a Hardware,
        fixed: Option<&'a Wishes>,
    ) -> Self {
        let SettledLayer { number, like, settled, residents } = *layer;
        let weights = like.home[Operand::Weights];
        let described = &workload.layers[number];
        let mut space = Space::new(described, workload, hardware, like.placement, residents, weights);
        space.settled = Some(settled);
        let mut space = space.with(fixed.and_then(|fixed| fixed.layer(number)));
        if settled.group.is_some() {
            let wish = space.wish.take().map(Cow::into_owned).unwrap_or_default();
            space.wish = Some(Cow::Owned(wish.in_order(like.order)));
        }
        let ways = space.computed().collect();
        Self { space, ways, resident_channels: like.resident_channels }
    }

    /// Plans of all ways.
    pub fn all(&self) -> Vec<Plan> {
        (0..self.ways.len()).flat_map(|way| self.in_way(way)).collect()
    }

    /// Plans that compute the layer in way number `way`.
    pub fn in_way(&self, way: usize) -> Vec<Plan> {
        let mut plans = self.space.plans_in([self.ways[way]]);
        plans.iter_mut().for_each(|plan| plan.resident_channels = self.resident_channels);
        plans
    }
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
