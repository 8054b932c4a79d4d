//! Every plan that a layer may run by.

use rayon::prelude::*;

use super::fixed::{FixedMapping, Wish};
use super::plan::Group;
use super::residency::weights_home;
use super::residents::Residents;
use super::room::{on_chip_bits, too_small};
use super::takes::{check_units, takes};
use super::tiles::{halves, ladder, quotients};
use super::{Dataflow, Home, Layer, Order, Passage, Plan, Product, Workload};
use crate::error::Result;
use crate::hw::{
    Datapath, Hardware, Layout, MemorySpec, Operand, PerOperand, Placement, SpatialDim, Unrolling,
};

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
    fixed: Option<&FixedMapping>,
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
    fixed: Option<&FixedMapping>,
) -> Result<Vec<Vec<Plan>>> {
    let residents = match weights {
        Home::OnChip(level) => Residents::all(workload, level),
        Home::OffChip => Residents::none(workload),
    };
    let of = |i| plans_of(i, workload, hardware, placement, fixed, &residents, weights);
    let all: Vec<Result<Vec<Plan>>> = (0..workload.layers.len()).into_par_iter().map(of).collect();
    // Of several refusals the first is told, whichever thread met one first.
    all.into_iter().collect()
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
    fixed: Option<&FixedMapping>,
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
        space.levels[operand].iter().map(|&memory| hardware.memories[memory].capacity_bits()).sum()
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
    space.computed(None).map(unhindered).collect()
}

/// `plan` of layer number `layer` beside `residents`, with what has no room on chip off it; `None` if the machine has
/// no room for it.
pub fn placed(
    plan: Plan,
    layer: usize,
    workload: &Workload,
    hardware: &Hardware,
    residents: &Residents,
) -> Option<Plan> {
    let weights = plan.home[Operand::Weights];
    let (layer, placement) = (&workload.layers[layer], plan.placement);
    Space::new(layer, workload, hardware, placement, residents, weights).placed(plan, &mut Vec::new())
}

fn plans_of(
    number: usize,
    workload: &Workload,
    hardware: &Hardware,
    placement: Placement,
    fixed: Option<&FixedMapping>,
    residents: &Residents,
    weights: Home,
) -> Result<Vec<Plan>> {
    let layer = &workload.layers[number];
    check_units(layer, hardware)?;
    let open = fixed.and_then(|fixed| fixed.wish(&layer.name));
    let space = Space::new(layer, workload, hardware, placement, residents, weights);
    match (space.plans(open), fixed) {
        (plans, _) if !plans.is_empty() => Ok(plans),
        (_, Some(fixed)) if !space.plans(None).is_empty() => Err(fixed.refused(&layer.name)),
        _ => {
            let bits = layer.product.as_ref().map_or(0.0, |p| p.fan_in as f64 * f64::from(p.weight_bits));
            let what = format!("layer {}: one output channel", layer.name);
            Err(too_small(hardware, Operand::Weights, &what, bits))
        }
    }
}

/// What is settled of a layer before it gets another plan.
#[derive(Debug, Clone, Copy)]
pub struct Settled {
    /// Where its activations are.
    pub activations: Passage,
    /// Where its residual streams are.
    pub residual: Passage,
    /// The layers that it takes turns with.
    pub group: Option<Group>,
}

/// Every legal plan of layer number `layer` that is `like` another one in where weights are and timesteps run, with its
/// maps as `settled`, of those that `fixed` leaves open; in that many tiles of positions where it takes turns.
pub fn settled_candidates(
    layer: usize,
    workload: &Workload,
    hardware: &Hardware,
    fixed: Option<&FixedMapping>,
    residents: &Residents,
    like: &Plan,
    settled: Settled,
) -> Vec<Plan> {
    let layer = &workload.layers[layer];
    let weights = like.home[Operand::Weights];
    let mut space = Space::new(layer, workload, hardware, like.placement, residents, weights);
    space.settled = Some(settled);
    let open = fixed.and_then(|fixed| fixed.wish(&layer.name));
    let in_turns = Wish { order: Some(like.order), ..Wish::default() };
    let mut plans = space.plans(if settled.group.is_some() { Some(&in_turns) } else { open });
    plans.retain(|plan| open.is_none_or(|wish| plan.is_as(wish)));
    plans.iter_mut().for_each(|plan| plan.resident_channels = like.resident_channels);
    plans
}

/// `plan` of layer number `layer` with its maps as `settled`, if there is room for them.
pub fn settled_plan(
    plan: Plan,
    layer: usize,
    workload: &Workload,
    hardware: &Hardware,
    residents: &Residents,
    settled: Settled,
) -> Option<Plan> {
    let weights = plan.home[Operand::Weights];
    let layer = &workload.layers[layer];
    let mut space = Space::new(layer, workload, hardware, plan.placement, residents, weights);
    space.settled = Some(settled);
    space.placed(plan, &mut Vec::new())
}

/// All that decides which plans one layer has.
struct Space<'a> {
    layer: &'a Layer,
    workload: &'a Workload,
    hardware: &'a Hardware,
    placement: Placement,
    residents: &'a Residents,
    /// Where its weights live.
    weights: Home,
    /// Per operand, its memories from units outward.
    levels: PerOperand<Vec<usize>>,
    /// Where its maps are, if that is known.
    settled: Option<Settled>,
}

impl<'a> Space<'a> {
    fn new(
        layer: &'a Layer,
        workload: &'a Workload,
        hardware: &'a Hardware,
        placement: Placement,
        residents: &'a Residents,
        weights: Home,
    ) -> Self {
        let levels = PerOperand::from_fn(|operand| hardware.levels(operand).collect());
        Self { layer, workload, hardware, placement, residents, weights, levels, settled: None }
    }

    /// Every legal plan, of those that `wish` leaves open.
    fn plans(&self, wish: Option<&Wish>) -> Vec<Plan> {
        let (mut plans, mut free) = (Vec::new(), Vec::new());
        for mut plan in self.computed(wish) {
            if self.layer.product.is_some() {
                plan.home[Operand::Weights] = self.weights;
            }
            self.orders(plan, wish, &mut plans, &mut free);
        }
        plans.retain(|plan| wish.is_none_or(|wish| plan.is_as(wish)));
        plans
    }

    /// One plan for every unit, layout and tile of channels, in the first order of tiles and with everything on chip.
    fn computed(&self, wish: Option<&Wish>) -> impl Iterator<Item = Plan> {
        let units = self.hardware.product_units().filter(|(_, unit)| takes(*unit, self.layer));
        let least = Plan::least(self.hardware, self.placement);
        let arrays = units.flat_map(move |(unit, datapath)| {
            let layouts = self.layouts(datapath).into_iter();
            layouts.flat_map(move |(dataflow, lanes)| {
                let recompute = self.recompute(datapath).iter();
                recompute.map(move |&recompute| Plan { unit, dataflow, lanes, recompute, ..least })
            })
        });
        arrays.flat_map(move |plan| {
            let sizes = self.tile_sizes(&plan, wish).into_iter();
            sizes.map(move |channels| Plan { channels, ..plan })
        })
    }

    /// What lanes of `unit` may stand for. Lanes for groups are for layers that have them, unless there are no others.
    fn layouts(&self, unit: &dyn Datapath) -> Vec<(Dataflow, Unrolling)> {
        let all = unit.layouts();
        let Some(product) = self.layer.product.as_ref().filter(|_| !all.is_empty()) else {
            return vec![all.first().map_or((Dataflow::Sequential, Unrolling::default()), on_lanes)];
        };
        let suits = |layout: &&Layout| product.groups > 1 || layout.lanes.extent(SpatialDim::Groups) == 1;
        let suited: Vec<_> = all.iter().filter(suits).map(on_lanes).collect();
        if suited.is_empty() { all.iter().map(on_lanes).collect() } else { suited }
    }

    /// Whether to try the product once for all timesteps, and at each of them. An accumulator that keeps a constant sum
    /// for all timesteps never recomputes it.
    fn recompute(&self, unit: &dyn Datapath) -> &'static [bool] {
        let constant = self.layer.product.as_ref().is_some_and(Product::is_constant);
        let kept = self.placement == Placement::Innermost && unit.keeps_state();
        match (constant, kept, unit.holds_constant_sums()) {
            (true, false, true) => &[false, true],
            (true, false, false) => &[true],
            _ => &[false],
        }
    }

    fn tile_sizes(&self, plan: &Plan, wish: Option<&Wish>) -> Vec<usize> {
        let sizes = tile_sizes(self.layer, plan);
        match wish.and_then(|wish| wish.channels) {
            Some(channels) if self.layer.product.is_some() && channels <= sizes[0] => vec![channels],
            _ => sizes,
        }
    }

    /// Adds `plan` in every order of its tiles that is worth a try: positions outermost where inputs come
    /// from outside, or where more than weights would come from off chip otherwise, and with the widest tile of
    /// channels, a quarter of it, and so on.
    ///
    /// The orders to try are the same at any capacity, so more memory takes no choice away.
    fn orders(&self, plan: Plan, wish: Option<&Wish>, plans: &mut Vec<Plan>, free: &mut Vec<f64>) {
        let whole = self.placed(plan, free);
        plans.extend(whole);
        let Some(product) = &self.layer.product else { return };
        let spills = |plan: &Plan| Operand::ALL.iter().any(|&o| o != Operand::Weights && plan.passes(o));
        let stays: &[bool] = if self.weights == Home::default() { &[true] } else { &[false, true] };
        let asked = wish.and_then(|wish| match wish.order {
            Some(Order::PositionsOutermost { tiles, .. }) => Some(tiles),
            _ => None,
        });
        let widest = plan.widest_tile(self.layer);
        let pays = product.from_outside || whole.as_ref().is_none_or(spills);
        if asked.is_some() || (pays && halves(widest).step_by(2).any(|channels| channels == plan.channels)) {
            let first = plans.len();
            for tiles in self.position_tiles(&plan, product, asked) {
                for &weights_stay in stays {
                    let order = Order::PositionsOutermost { tiles, weights_stay };
                    let Some(plan) = self.placed(Plan { order, ..plan }, free) else { continue };
                    if !plans[first..].iter().any(|known| plan.costs_like(known, self.hardware)) {
                        plans.push(plan);
                    }
                }
            }
        }
    }

    /// Tiles of positions to try, as they come out in steps of the array, or so many as asked: more than one, unless inputs
    /// that live farther out may come all together.
    fn position_tiles(&self, plan: &Plan, product: &Product, asked: Option<usize>) -> Vec<usize> {
        let steps = plan.position_steps(product, self.hardware, self.workload.timesteps).unwrap_or(1);
        let sizes = asked.map_or_else(|| ladder(steps).collect(), |tiles| vec![steps.div_ceil(tiles)]);
        let whole = self.settled.is_some_and(|settled| settled.activations.input > 0.0);
        let fewest = if whole { 1 } else { 2 };
        sizes.into_iter().map(|size| steps.div_ceil(size)).filter(|&tiles| tiles >= fewest).collect()
    }

    /// `plan` with each operand where there is room for it, as near to units as can be; `None` if there is none. What
    /// is left of each memory goes to `free`.
    fn placed(&self, mut plan: Plan, free: &mut Vec<f64>) -> Option<Plan> {
        free.clear();
        free.extend(self.hardware.memories.iter().map(MemorySpec::capacity_bits));
        if let Some(settled) = &self.settled {
            settled.apply(&mut plan);
        }
        // Weights have their place already, or need one for the tiles that pass through.
        for operand in [
            Operand::Weights,
            Operand::Membranes,
            Operand::PartialSums,
            Operand::Residual,
            Operand::Activations,
        ] {
            while !self.takes_room(&plan, operand, free) {
                plan.home[operand] = self.farther_out(plan.home[operand], operand)?;
            }
        }
        Some(plan)
    }

    /// The next home of `operand` behind `home`; `None` if there is none.
    fn farther_out(&self, home: Home, operand: Operand) -> Option<Home> {
        let is_settled =
            self.settled.is_some() && matches!(operand, Operand::Activations | Operand::Residual);
        match home {
            _ if operand == Operand::Weights || is_settled => None,
            Home::OnChip(level) if usize::from(level) + 1 < self.levels[operand].len() => {
                Some(Home::OnChip(level + 1))
            }
            Home::OnChip(_) if self.hardware.dram.is_some() => Some(Home::OffChip),
            _ => None,
        }
    }

    /// Takes the room of `operand` from what is `free` in each memory, if there is enough.
    fn takes_room(&self, plan: &Plan, operand: Operand, free: &mut [f64]) -> bool {
        let Self { layer, workload, hardware, residents, .. } = *self;
        let needed = |level| on_chip_bits(plan, (operand, level), layer, workload, hardware, residents);
        // Most operands have one memory, and there are many plans.
        if let [memory] = self.levels[operand][..] {
            let bits = needed(0);
            let fits = bits <= free[memory];
            free[memory] -= if fits { bits } else { 0.0 };
            return fits;
        }
        let levels = self.levels[operand].iter().zip(0..);
        let fits = levels.clone().all(|(&memory, level)| needed(level) <= free[memory]);
        if fits {
            levels.for_each(|(&memory, level)| free[memory] -= needed(level));
        }
        fits
    }
}

impl Settled {
    /// Tells `plan` where its maps are.
    fn apply(&self, plan: &mut Plan) {
        (plan.activations, plan.residual) = (Some(self.activations), Some(self.residual));
        plan.group = self.group;
        for (operand, passage) in
            [(Operand::Activations, self.activations), (Operand::Residual, self.residual)]
        {
            plan.home[operand] = if passage.passes() { Home::OffChip } else { Home::default() };
        }
    }
}

/// The dataflow of `layout`, with its lanes.
fn on_lanes(layout: &Layout) -> (Dataflow, Unrolling) {
    (layout.keeps.into(), layout.lanes)
}

/// Output channels of a tile that are worth a try, from the widest: for every number of tiles the evenest ones,
/// and the widest tile by halves, which fill whole words. Small tiles fit small memories and overlap more.
fn tile_sizes(layer: &Layer, plan: &Plan) -> Vec<usize> {
    let widest = plan.widest_tile(layer);
    let channels = match &layer.product {
        Some(product) if plan.dataflow != Dataflow::Sequential => product.group_outputs(),
        _ => return vec![widest],
    };
    let even = quotients(channels).filter(|&n| n < widest);
    let mut sizes: Vec<usize> = halves(widest).chain(even).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.dedup();
    sizes
}
