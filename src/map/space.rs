//! The plans that one layer may run by, and room for what they leave on chip.

use std::borrow::Cow;

use super::plan::Group;
use super::residents::Residents;
use super::room::on_chip_bits;
use super::takes::takes;
use super::tiles::{halves, ladder, quotients};
use super::wishes::Wish;
use super::{Dataflow, Home, Layer, Order, Passage, Plan, Product, Workload};
use crate::hw::{
    Datapath, Hardware, Layout, MemorySpec, Operand, PerOperand, Placement, SpatialDim, Unrolling,
};

/// What is settled of a layer before it gets another plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settled {
    /// Where its activations are.
    pub activations: Passage,
    /// Where its residual streams are.
    pub residual: Passage,
    /// The layers that it takes turns with.
    pub group: Option<Group>,
}

/// What has no room on chip, and may be nowhere else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shortage {
    /// What it is.
    pub operand: Operand,
    /// Room that it needs.
    pub needed_bits: f64,
    /// Number of the memory.
    pub memory: usize,
    /// Room that is left there.
    pub free_bits: f64,
}

/// All that decides which plans one layer has.
#[derive(Clone)]
pub(super) struct Space<'a> {
    pub layer: &'a Layer,
    pub workload: &'a Workload,
    pub hardware: &'a Hardware,
    pub placement: Placement,
    pub residents: &'a Residents,
    /// Where its weights live.
    pub weights: Home,
    /// Per operand, its memories from units outward.
    levels: PerOperand<Vec<usize>>,
    /// Where its maps are, if that is known.
    pub settled: Option<Settled>,
    /// What a file fixes of it.
    pub wish: Option<Cow<'a, Wish>>,
}

impl<'a> Space<'a> {
    pub fn new(
        layer: &'a Layer,
        workload: &'a Workload,
        hardware: &'a Hardware,
        placement: Placement,
        residents: &'a Residents,
        weights: Home,
    ) -> Self {
        let levels = PerOperand::from_fn(|operand| hardware.levels(operand).collect());
        Self { layer, workload, hardware, placement, residents, weights, levels, settled: None, wish: None }
    }

    /// The space of plans that agree with `wish`, which a file fixes.
    pub fn with(self, wish: Option<&'a Wish>) -> Self {
        Self { wish: wish.map(Cow::Borrowed), ..self }
    }

    /// Every legal plan.
    pub fn plans(&self) -> Vec<Plan> {
        self.plans_in(self.computed())
    }

    /// Every legal plan that computes the layer in one of `ways`, which are of those that are
    /// [computed](Self::computed).
    pub fn plans_in(&self, ways: impl IntoIterator<Item = Plan>) -> Vec<Plan> {
        let (mut plans, mut free) = (Vec::new(), Vec::new());
        for mut way in ways {
            if self.layer.product.is_some() {
                way.home[Operand::Weights] = self.weights;
            }
            self.orders(way, &mut plans, &mut free);
        }
        plans.retain(|plan| self.wish.as_ref().is_none_or(|wish| wish.allows(plan)));
        plans
    }

    /// One plan for every unit, layout and tile of channels, in the first order of tiles and with everything on chip.
    pub fn computed(&self) -> impl Iterator<Item = Plan> {
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
            let sizes = self.tile_sizes(&plan).into_iter();
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

    fn tile_sizes(&self, plan: &Plan) -> Vec<usize> {
        let sizes = tile_sizes(self.layer, plan);
        match self.wish.as_ref().and_then(|wish| wish.said.channels) {
            Some(channels) if self.layer.product.is_some() && channels <= sizes[0] => vec![channels],
            _ => sizes,
        }
    }

    /// Adds `plan` in every order of its tiles that is worth a try: positions outermost where inputs come
    /// from outside, or where more than weights would come from off chip otherwise, and with the widest tile of
    /// channels, a quarter of it, and so on.
    ///
    /// The orders to try are the same at any capacity, so more memory takes no choice away.
    fn orders(&self, plan: Plan, plans: &mut Vec<Plan>, free: &mut Vec<f64>) {
        let whole = self.placed(plan, free).ok();
        plans.extend(whole);
        let Some(product) = &self.layer.product else { return };
        let spills = |plan: &Plan| Operand::ALL.iter().any(|&o| o != Operand::Weights && plan.passes(o));
        let stays: &[bool] = if self.weights == Home::default() { &[true] } else { &[false, true] };
        let asked = self.wish.as_ref().and_then(|wish| match wish.said.order {
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
                    let Ok(plan) = self.placed(Plan { order, ..plan }, free) else { continue };
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
        let whole = self.settled.is_some_and(|settled| settled.activations.input.any());
        let fewest = if whole || asked.is_some() { 1 } else { 2 };
        sizes.into_iter().map(|size| steps.div_ceil(size)).filter(|&tiles| tiles >= fewest).collect()
    }

    /// `plan` with each operand where there is room for it, as near to units as can be, or where a file fixes it. What is left
    /// of each memory goes to `free`.
    pub fn placed(&self, mut plan: Plan, free: &mut Vec<f64>) -> Result<Plan, Shortage> {
        free.clear();
        free.extend(self.hardware.memories.iter().map(MemorySpec::capacity_bits));
        if let Some(settled) = &self.settled {
            let outermost = |operand: Operand| self.levels[operand].len() as u8 - 1;
            settled.apply(&mut plan, outermost);
        }
        // Weights have their place already, or need one for the tiles that pass through.
        for operand in [
            Operand::Weights,
            Operand::Membranes,
            Operand::PartialSums,
            Operand::Residual,
            Operand::Activations,
        ] {
            if let Some(home) = self.fixed_home(operand) {
                plan.home[operand] = home;
            }
            while let Err(shortage) = self.take_room(&plan, operand, free) {
                match self.farther_out(plan.home[operand], operand) {
                    Some(home) => plan.home[operand] = home,
                    None if self.comes_later(operand) => break,
                    None => return Err(shortage),
                }
            }
        }
        Ok(plan)
    }

    /// True if `operand` gets its home when maps do, as a file fixes them.
    fn comes_later(&self, operand: Operand) -> bool {
        let of_maps = matches!(operand, Operand::Activations | Operand::Residual);
        of_maps && self.settled.is_none() && self.wish.as_ref().is_some_and(|wish| wish.maps_come_later())
    }

    /// Where a file fixes `operand`; weights have their place already.
    fn fixed_home(&self, operand: Operand) -> Option<Home> {
        self.wish.as_ref().filter(|_| operand != Operand::Weights)?.home(operand)
    }

    /// The next home of `operand` behind `home`; `None` if there is none.
    fn farther_out(&self, home: Home, operand: Operand) -> Option<Home> {
        let is_settled =
            self.settled.is_some() && matches!(operand, Operand::Activations | Operand::Residual);
        match home {
            _ if operand == Operand::Weights || is_settled || self.fixed_home(operand).is_some() => None,
            Home::OnChip(level) if usize::from(level) + 1 < self.levels[operand].len() => {
                Some(Home::OnChip(level + 1))
            }
            Home::OnChip(_) if self.hardware.dram.is_some() => Some(Home::OffChip),
            _ => None,
        }
    }

    /// Takes the room of `operand` from what is `free` in each memory, if there is enough.
    fn take_room(&self, plan: &Plan, operand: Operand, free: &mut [f64]) -> Result<(), Shortage> {
        let Self { layer, workload, hardware, residents, .. } = *self;
        let needed = |level| on_chip_bits(plan, (operand, level), layer, workload, hardware, residents);
        // Most operands have one memory, and there are many plans.
        if let [memory] = self.levels[operand][..] {
            let bits = needed(0);
            if bits > free[memory] {
                return Err(Shortage { operand, needed_bits: bits, memory, free_bits: free[memory] });
            }
            free[memory] -= bits;
            return Ok(());
        }
        let levels = self.levels[operand].iter().zip(0..);
        for (&memory, level) in levels.clone() {
            let (needed_bits, free_bits) = (needed(level), free[memory]);
            if needed_bits > free_bits {
                return Err(Shortage { operand, needed_bits, memory, free_bits });
            }
        }
        levels.for_each(|(&memory, level)| free[memory] -= needed(level));
        Ok(())
    }
}

impl Settled {
    /// Tells `plan` where its maps are; on-chip memories of an operand end at level number `outermost` of it.
    fn apply(&self, plan: &mut Plan, outermost: impl Fn(Operand) -> u8) {
        (plan.activations, plan.residual) = (Some(self.activations), Some(self.residual));
        plan.group = self.group;
        for (operand, passage) in
            [(Operand::Activations, self.activations), (Operand::Residual, self.residual)]
        {
            plan.home[operand] = passage.farthest(outermost(operand));
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
