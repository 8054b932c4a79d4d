//! Where loops stand and operands live: the choices that a mapper makes before anything runs.

use super::fixed::{FixedMapping, Wish};
use super::tiles::{halves, ladder, quotients};
use super::{Dataflow, Layer, Order, Product, Workload};
use crate::error::{Error, Result};
use crate::hw::{
    Compute, Hardware, LaneTile, MultiBit, Operand, Placement, Skipping, SpikeLanes, Stationary,
};

/// How one layer runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// What stays in the array.
    pub dataflow: Dataflow,
    /// Where the loop over timesteps stands, for the whole network.
    pub placement: Placement,
    /// True if a product that is the same at every timestep is computed at each of them.
    pub recompute: bool,
    /// Output channels of one tile: as many as the array has, or fewer where two tiles of weights
    /// would not fit their memory or smaller ones overlap better.
    pub channels: usize,
    /// Which tiles come from off chip one after the other.
    pub order: Order,
    /// Per operand of [`Operand::ALL`], true if it is read from and written to off-chip memory.
    pub off_chip: [bool; 5],
}

impl Plan {
    /// True if `operand` is read from and written to off-chip memory.
    pub fn is_off_chip(&self, operand: Operand) -> bool {
        self.off_chip[operand as usize]
    }

    /// True if the timesteps of an output run one after the other in its own accumulator: its
    /// membrane never leaves the array.
    pub fn keeps_membranes(&self, layer: &Layer, compute: &Compute) -> bool {
        matches!(compute, Compute::SpikeLanes(_))
            && layer.product.is_some()
            && self.dataflow == Dataflow::OutputStationary
            && self.placement == Placement::Innermost
    }

    /// The tile of rows and inputs that `compute` takes `product` through, if it has more inputs and its
    /// weights do not stay on chip all together.
    pub fn tile<'a>(&self, compute: &'a Compute, product: &Product) -> Option<&'a LaneTile> {
        let Compute::SpikeLanes(SpikeLanes { tile: Some(tile), .. }) = compute else { return None };
        let stay = matches!(self.order, Order::PositionsOutermost { weights_stay: true, .. });
        let sliced =
            self.dataflow == Dataflow::OutputStationary && product.fan_in > tile.inputs.value as usize;
        (sliced && !stay).then_some(tile)
    }

    /// True if it is as `wish` says.
    fn is_as(&self, wish: &Wish) -> bool {
        wish.dataflow.is_none_or(|dataflow| dataflow == self.dataflow)
            && wish.channels.is_none_or(|channels| channels == self.channels)
            && wish.order.is_none_or(|order| order == self.order)
            && wish.recompute.is_none_or(|recompute| recompute == self.recompute)
    }

    /// True if one frame of `product` serves all timesteps.
    pub fn runs_once(&self, product: &Product) -> bool {
        product.is_constant() && !self.recompute
    }

    /// How often `product` runs in `timesteps`.
    pub fn frames<T: From<u8>>(&self, product: &Product, timesteps: T) -> T {
        if self.runs_once(product) { T::from(1) } else { timesteps }
    }

    /// In words.
    pub fn describe(&self, layer: &Layer) -> String {
        let dataflow = if layer.product.is_none() { "vector unit" } else { self.dataflow.name() };
        let placement = match self.placement {
            Placement::Innermost => "timesteps innermost",
            Placement::Outermost => "timesteps outermost",
        };
        let once = match layer.product.as_ref().filter(|product| product.is_constant()) {
            None => "",
            Some(product) if self.runs_once(product) => ", computed once",
            Some(_) => ", recomputed",
        };
        let spilled: Vec<_> =
            Operand::ALL.into_iter().filter(|&o| self.is_off_chip(o)).map(Operand::describe).collect();
        let spilled =
            if spilled.is_empty() { String::new() } else { format!(", {} off chip", spilled.join(" and ")) };
        let tiles = match self.order {
            Order::PositionsOutermost { tiles, .. } => format!(", positions in {tiles} tiles"),
            Order::ChannelsOutermost => String::new(),
        };
        format!("{dataflow}, {placement}{once}{tiles}{spilled}")
    }
}

/// Per layer, every legal plan with the loop over timesteps at `placement`, of those that `fixed` leaves
/// open.
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
    let residents = Residents::new(workload, hardware, placement)?;
    let of = |(i, layer): (usize, &Layer)| {
        check_widths(layer, hardware)?;
        let open = fixed.and_then(|fixed| fixed.wish(&layer.name));
        let space = Space {
            layer,
            workload,
            hardware,
            placement,
            residents: &residents,
            streams: !residents.layers[i],
        };
        match (space.plans(open), fixed) {
            (plans, _) if !plans.is_empty() => Ok(plans),
            (_, Some(fixed)) if !space.plans(None).is_empty() => Err(fixed.refused(&layer.name)),
            _ => {
                let bits = layer.product.as_ref().map_or(0.0, |p| p.fan_in as f64 * f64::from(p.weight_bits));
                let what = format!("layer {}: one output channel", layer.name);
                Err(too_small(hardware, Operand::Weights, &what, bits))
            }
        }
    };
    workload.layers.iter().enumerate().map(of).collect()
}

/// Weights that stay on chip from image to image.
pub(super) struct Residents {
    /// Per layer.
    layers: Vec<bool>,
    /// Room that they take.
    bits: f64,
    /// Membranes of all layers, which wait on chip where timesteps are outermost.
    membrane_bits: f64,
}

impl Residents {
    /// All of them, if they fit beside what else lives in their memory; otherwise, in order of
    /// execution, every layer that still fits beside a buffer for the tiles of the others.
    ///
    /// In this order neither more memory nor fewer bits leaves more weights outside.
    fn new(workload: &Workload, hardware: &Hardware, placement: Placement) -> Result<Self> {
        let free = free_weight_bits(workload, hardware, placement)?;
        let needed = workload.weight_bits() + workload.parameter_bits();
        let membrane_bits = workload.membrane_bits();
        if needed <= free {
            return Ok(Self { layers: vec![true; workload.layers.len()], bits: needed, membrane_bits });
        }
        if hardware.dram.is_none() {
            return Err(too_small(hardware, Operand::Weights, "the network", needed));
        }
        let (dataflow, recompute, off_chip) = (Dataflow::OutputStationary, false, [false; 5]);
        let buffer = |layer: &Layer| {
            let channels = widest_tile(layer, hardware, dataflow);
            let order = Order::ChannelsOutermost;
            tile_buffer_bits(
                &Plan { dataflow, placement, recompute, channels, order, off_chip },
                layer,
                hardware,
            )
        };
        let budget = free - workload.layers.iter().map(buffer).fold(0.0, f64::max);
        let mut residents = Self { layers: Vec::new(), bits: 0.0, membrane_bits };
        for layer in &workload.layers {
            let bits = layer.weight_bits() + layer.parameter_bits();
            let fits = residents.bits + bits <= budget;
            residents.layers.push(fits);
            residents.bits += if fits { bits } else { 0.0 };
        }
        Ok(residents)
    }

    /// As `plans`, one per layer of `workload`, leave them on chip.
    pub(super) fn of(workload: &Workload, plans: &[Plan]) -> Self {
        let layers: Vec<bool> = plans.iter().map(|plan| !plan.is_off_chip(Operand::Weights)).collect();
        let kept = workload.layers.iter().zip(&layers).filter(|(_, kept)| **kept);
        let bits = kept.map(|(layer, _)| layer.weight_bits() + layer.parameter_bits()).sum();
        Self { layers, bits, membrane_bits: workload.membrane_bits() }
    }
}

/// Per layer of `workload` with `plans`, true if its first tile of weights comes from off chip and fits
/// beside the weights that the layer before it has on chip.
pub fn prefetched(workload: &Workload, hardware: &Hardware, plans: &[Plan]) -> Vec<bool> {
    let capacity = hardware.memory(Operand::Weights).capacity_bytes.value as f64 * 8.0;
    // In a memory that holds more than weights, room beside them changes from layer to layer.
    let alone = hardware.memory(Operand::Weights).holds == [Operand::Weights];
    let resident = Residents::of(workload, plans).bits;
    let buffer = |(layer, plan): (&Layer, &Plan)| {
        if plan.is_off_chip(Operand::Weights) { tile_buffer_bits(plan, layer, hardware) } else { 0.0 }
    };
    let buffers: Vec<f64> = workload.layers.iter().zip(plans).map(buffer).collect();
    let fits = |i: usize| i > 0 && buffers[i] > 0.0 && resident + buffers[i - 1] + buffers[i] <= capacity;
    (0..plans.len()).map(|i| alone && fits(i)).collect()
}

/// All that decides which plans one layer has.
struct Space<'a> {
    layer: &'a Layer,
    workload: &'a Workload,
    hardware: &'a Hardware,
    placement: Placement,
    residents: &'a Residents,
    /// True if its weights come from off chip for every image.
    streams: bool,
}

impl Space<'_> {
    /// Every legal plan, of those that `wish` leaves open.
    fn plans(&self, wish: Option<&Wish>) -> Vec<Plan> {
        let dataflows: &[Dataflow] = match &self.hardware.compute {
            Compute::Processor(_) | Compute::ManyCore(_) => &[Dataflow::Sequential],
            Compute::SpikeLanes(_) => &[Dataflow::OutputStationary, Dataflow::WeightStationary],
            Compute::Systolic(_) => &Dataflow::OF_ARRAYS,
        };
        let product = self.layer.product.as_ref();
        let constant = product.is_some_and(Product::is_constant);
        // Innermost, lanes keep a constant sum for all timesteps: recomputing it is never better.
        let kept =
            self.placement == Placement::Innermost && matches!(self.hardware.compute, Compute::SpikeLanes(_));
        let recompute: &[bool] = if constant && !kept { &[false, true] } else { &[false] };
        let mut plans = Vec::new();
        let allowed: Vec<Dataflow> =
            dataflows.iter().copied().filter(|&dataflow| allows(self.hardware, dataflow)).collect();
        for &dataflow in if product.is_some() { &allowed } else { &dataflows[..1] } {
            for &recompute in recompute {
                for channels in self.tile_sizes(dataflow, wish) {
                    let (placement, order) = (self.placement, Order::ChannelsOutermost);
                    let off_chip = [product.is_some() && self.streams, false, false, false, false];
                    self.orders(
                        Plan { dataflow, placement, recompute, channels, order, off_chip },
                        wish,
                        &mut plans,
                    );
                }
            }
        }
        plans.retain(|plan| wish.is_none_or(|wish| plan.is_as(wish)));
        plans
    }

    fn tile_sizes(&self, dataflow: Dataflow, wish: Option<&Wish>) -> Vec<usize> {
        let sizes = tile_sizes(self.layer, self.hardware, dataflow);
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
    fn orders(&self, plan: Plan, wish: Option<&Wish>, plans: &mut Vec<Plan>) {
        let whole = self.placed(plan);
        plans.extend(whole);
        let Some(product) = &self.layer.product else { return };
        let spills = |plan: &Plan| Operand::ALL.iter().any(|&o| o != Operand::Weights && plan.is_off_chip(o));
        let stays: &[bool] = if self.streams { &[false, true] } else { &[true] };
        let asked = wish.and_then(|wish| match wish.order {
            Some(Order::PositionsOutermost { tiles, .. }) => Some(tiles),
            _ => None,
        });
        let widest = widest_tile(self.layer, self.hardware, plan.dataflow);
        let pays = product.from_outside || whole.as_ref().is_none_or(spills);
        if asked.is_some() || (pays && halves(widest).step_by(2).any(|channels| channels == plan.channels)) {
            for tiles in self.position_tiles(&plan, product, asked) {
                let orders =
                    stays.iter().map(|&weights_stay| Order::PositionsOutermost { tiles, weights_stay });
                plans.extend(orders.filter_map(|order| self.placed(Plan { order, ..plan })));
            }
        }
    }

    /// Tiles of positions to try: more than one, as they come out in steps of the array, or so many as asked.
    fn position_tiles(&self, plan: &Plan, product: &Product, asked: Option<usize>) -> Vec<usize> {
        let steps = plan.position_steps(product, self.hardware, self.workload.timesteps).unwrap_or(1);
        let sizes = asked.map_or_else(|| ladder(steps).collect(), |tiles| vec![steps.div_ceil(tiles)]);
        sizes.into_iter().map(|size| steps.div_ceil(size)).filter(|&tiles| tiles > 1).collect()
    }

    /// `plan` with what it keeps off the chip; `None` if the machine has no room for it.
    fn placed(&self, mut plan: Plan) -> Option<Plan> {
        let (layer, hardware) = (self.layer, self.hardware);
        for memory in &hardware.memories {
            let mut free = memory.capacity_bytes.value as f64 * 8.0;
            // Weights have their place already, or need one for the tiles that pass through.
            for operand in [
                Operand::Weights,
                Operand::Membranes,
                Operand::PartialSums,
                Operand::Residual,
                Operand::Activations,
            ] {
                if !memory.holds.contains(&operand) {
                    continue;
                }
                let on_chip =
                    |plan: &Plan| on_chip_bits(plan, operand, layer, self.workload, hardware, self.residents);
                let mut needed = on_chip(&plan);
                if needed > free && operand != Operand::Weights && hardware.dram.is_some() {
                    plan.off_chip[operand as usize] = true;
                    needed = on_chip(&plan);
                }
                if needed > free {
                    return None;
                }
                free -= needed;
            }
        }
        Some(plan)
    }
}

/// Whether `hardware` can keep that in its array. Lanes that find spikes in common keep sums.
fn allows(hardware: &Hardware, dataflow: Dataflow) -> bool {
    let kept = match dataflow {
        Dataflow::OutputStationary => Stationary::Outputs,
        Dataflow::WeightStationary => Stationary::Weights,
        Dataflow::InputStationary => Stationary::Inputs,
        Dataflow::Sequential => return true,
    };
    match &hardware.compute {
        Compute::SpikeLanes(SpikeLanes {
            skipping: Skipping::Windows { .. } | Skipping::Products { .. },
            ..
        }) => kept == Stationary::Outputs,
        _ => hardware.stationary.is_empty() || hardware.stationary.contains(&kept),
    }
}

/// Output channels of a tile that are worth a try, from the widest: for every number of tiles the evenest ones,
/// and the widest tile by halves, which fill whole words. Small tiles fit small memories and overlap more.
fn tile_sizes(layer: &Layer, hardware: &Hardware, dataflow: Dataflow) -> Vec<usize> {
    let widest = widest_tile(layer, hardware, dataflow);
    let channels = match (&layer.product, &hardware.compute) {
        (Some(product), Compute::SpikeLanes(_) | Compute::Systolic(_)) => product.outputs / product.groups,
        _ => return vec![widest],
    };
    let even = quotients(channels).filter(|&n| n < widest);
    let mut sizes: Vec<usize> = halves(widest).chain(even).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.dedup();
    sizes
}

/// As many channels as the array has, or all where they stream through it.
fn widest_tile(layer: &Layer, hardware: &Hardware, dataflow: Dataflow) -> usize {
    match (&layer.product, &hardware.compute) {
        (None, _) => 0,
        (Some(product), Compute::Processor(_) | Compute::ManyCore(_)) => product.outputs / product.groups,
        (Some(product), _) if dataflow == Dataflow::InputStationary => product.outputs / product.groups,
        (_, Compute::SpikeLanes(lanes)) => lanes.channels.value as usize,
        (_, Compute::Systolic(array)) => array.columns.value as usize,
    }
}

/// Room for the weights of one tile, and for the next one while it computes.
pub(super) fn tile_buffer_bits(plan: &Plan, layer: &Layer, hardware: &Hardware) -> f64 {
    let Some(product) = &layer.product else { return 0.0 };
    let inputs = match (&hardware.compute, plan.dataflow) {
        // A processor streams through its weights, cores keep theirs.
        (Compute::Processor(_) | Compute::ManyCore(_), _) => return 0.0,
        (Compute::SpikeLanes(lanes), Dataflow::WeightStationary) => lanes.positions.value as usize,
        (Compute::Systolic(array), Dataflow::WeightStationary | Dataflow::InputStationary) => {
            array.rows.value as usize
        }
        (compute, _) => plan.tile(compute, product).map_or(product.fan_in, |tile| tile.inputs.value as usize),
    };
    let values = product.fan_in.min(inputs) * plan.channels.min(product.outputs / product.groups);
    let all = product.fan_in * product.outputs;
    let stored = match plan.order {
        Order::PositionsOutermost { weights_stay: true, .. } => all,
        _ if values == all => all,
        _ => 2 * values,
    };
    stored as f64 * f64::from(product.weight_bits)
}

/// Bits of `operand` in its on-chip memory while `layer` runs by `plan` beside `residents`: all of it, or the
/// tiles that pass through where it is off chip.
pub(super) fn on_chip_bits(
    plan: &Plan,
    operand: Operand,
    layer: &Layer,
    workload: &Workload,
    hardware: &Hardware,
    residents: &Residents,
) -> f64 {
    match (operand, plan.is_off_chip(operand)) {
        (Operand::Weights, true) => residents.bits + tile_buffer_bits(plan, layer, hardware),
        (Operand::Weights, false) => residents.bits,
        (Operand::Activations, true) => input_tile_bits(plan, layer, workload),
        (_, true) => 0.0,
        (Operand::Membranes, false) if plan.placement == Placement::Outermost => residents.membrane_bits,
        (_, false) => needed_bits(plan, operand, layer, workload, hardware),
    }
}

/// Room for the inputs of one tile of positions, and for the next one while it is computed.
fn input_tile_bits(plan: &Plan, layer: &Layer, workload: &Workload) -> f64 {
    match (plan.order, &layer.product) {
        (Order::PositionsOutermost { tiles, .. }, Some(product)) => {
            let frames = if plan.placement == Placement::Innermost { workload.timesteps } else { 1 };
            let frames = product.input_frames(frames);
            2.0 * (product.input_values.div_ceil(tiles) * frames) as f64 * f64::from(product.input.bits())
        }
        // Inputs stream by.
        _ => 0.0,
    }
}

/// Bits of `operand` that are stored somewhere while `layer` runs by `plan`.
fn needed_bits(
    plan: &Plan,
    operand: Operand,
    layer: &Layer,
    workload: &Workload,
    hardware: &Hardware,
) -> f64 {
    match operand {
        Operand::Membranes if plan.placement == Placement::Outermost => workload.membrane_bits(),
        Operand::Membranes if plan.keeps_membranes(layer, &hardware.compute) => 0.0,
        Operand::Membranes => layer.membrane_bits(),
        Operand::PartialSums => partial_sum_bits(plan, layer, workload, hardware),
        Operand::Weights => layer.weight_bits() + layer.parameter_bits(),
        Operand::Activations | Operand::Residual => live_bits(layer, operand, workload, plan.placement),
    }
}

/// Sums of one tile of channels between its passes over the inputs, and sums that are computed
/// once for all timesteps.
pub(super) fn partial_sum_bits(plan: &Plan, layer: &Layer, workload: &Workload, hardware: &Hardware) -> f64 {
    let Some(product) = &layer.product else { return 0.0 };
    let rows = match &hardware.compute {
        Compute::SpikeLanes(lanes) => lanes.positions.value,
        Compute::Systolic(array) => array.rows.value,
        Compute::Processor(_) | Compute::ManyCore(_) => return 0.0,
    };
    let once = plan.runs_once(product);
    let innermost = plan.placement == Placement::Innermost;
    let frames = if innermost && !once { workload.timesteps } else { 1 };
    let passes = plan.dataflow.sums_leave_the_array() && product.fan_in > rows as usize;
    let held = once && !plan.keeps_membranes(layer, &hardware.compute);
    let channels = plan.channels.min(product.outputs / product.groups);
    if let Some(tile) = plan.tile(&hardware.compute, product) {
        let rows = (product.positions * frames).min(tile.rows.value as usize);
        return (rows * channels) as f64 * f64::from(product.accumulator_bits);
    }
    let sums = match (held, passes, plan.order) {
        (true, _, _) => product.positions * product.outputs,
        (false, false, _) => 0,
        (false, true, Order::ChannelsOutermost) => product.positions * channels,
        (false, true, Order::PositionsOutermost { tiles, .. }) => {
            product.positions.div_ceil(tiles) * channels
        }
    };
    (sums * frames) as f64 * f64::from(product.accumulator_bits)
}

/// Refuses weights and inputs that the units do not take. 32 bits stand for the float network, which is
/// charged on a datapath of its own width.
fn check_widths(layer: &Layer, hardware: &Hardware) -> Result<()> {
    let Some(product) = &layer.product else { return Ok(()) };
    let refuse = |what: &str, bits: u32, takes: &str| {
        let (layer, machine) = (&layer.name, &hardware.name);
        Err(Error::mismatch(format!(
            "layer {layer}: {bits}-bit {what}, and hardware {machine} takes {takes}"
        )))
    };
    let (max_weight, max_input) = match &hardware.compute {
        Compute::SpikeLanes(lanes) if lanes.multi_bit == MultiBit::Absent => (lanes.max_weight_bits.value, 1),
        Compute::SpikeLanes(lanes) => (lanes.max_weight_bits.value, 32),
        Compute::Systolic(array) => (array.max_weight_bits.value, array.input_bits.value),
        Compute::Processor(processor) => (processor.word_bits.value, processor.word_bits.value),
        Compute::ManyCore(cores) => (cores.max_weight_bits.value, 32),
    };
    let (weight, input) = (product.weight_bits, product.input.bits());
    if weight > max_weight && weight != 32 {
        return refuse("weights", weight, &format!("up to {max_weight} (compute.max_weight_bits)"));
    }
    if input > max_input && weight != 32 {
        let takes = match &hardware.compute {
            Compute::SpikeLanes(_) => "spikes only (compute.multi_bit)".to_owned(),
            _ => format!("up to {max_input} (compute.input_bits)"),
        };
        return refuse("inputs", input, &takes);
    }
    let sums = product.accumulator_bits;
    match hardware.compute.accumulator_bits() {
        Some(widest) if sums > widest && weight != 32 => {
            let takes = format!(
                "up to {widest} (compute.accumulator_bits); a setting may declare narrower ones (accumulator)"
            );
            refuse("sums", sums, &takes)
        }
        _ => Ok(()),
    }
}

/// Room that the memory of the weights has for them at the network's peak.
fn free_weight_bits(workload: &Workload, hardware: &Hardware, placement: Placement) -> Result<f64> {
    let mut free_for_weights = 0.0;
    for memory in &hardware.memories {
        let mut free = memory.capacity_bytes.value as f64 * 8.0;
        // Weights come last: they stream once, the others go back and forth.
        for operand in [Operand::Membranes, Operand::Residual, Operand::Activations] {
            if !memory.holds.contains(&operand) {
                continue;
            }
            let needed = peak_bits(workload, operand, hardware, placement);
            if needed <= free {
                free -= needed;
            } else if hardware.dram.is_none() {
                return Err(too_small(hardware, operand, "the network", needed));
            }
        }
        if memory.holds.contains(&Operand::Weights) {
            free_for_weights = free;
        }
    }
    Ok(free_for_weights)
}

/// The most that any layer needs by the plan that stores the least.
fn peak_bits(workload: &Workload, operand: Operand, hardware: &Hardware, placement: Placement) -> f64 {
    let (dataflow, recompute) = (Dataflow::OutputStationary, false);
    let order = Order::ChannelsOutermost;
    let plan = Plan { dataflow, placement, recompute, channels: 0, order, off_chip: [false; 5] };
    let layers = workload.layers.iter();
    layers.map(|l| needed_bits(&plan, operand, l, workload, hardware)).fold(0.0, f64::max)
}

/// Activations or residual stream alive while `layer` runs, for the timesteps that are stored.
fn live_bits(layer: &Layer, operand: Operand, workload: &Workload, placement: Placement) -> f64 {
    let frames = if placement == Placement::Innermost { workload.timesteps as f64 } else { 1.0 };
    match operand {
        Operand::Residual => layer.live_residual_bits * frames,
        _ => layer.live_activation_bits * frames,
    }
}

fn too_small(hardware: &Hardware, operand: Operand, what: &str, needed_bits: f64) -> Error {
    let memory = hardware.memory(operand);
    Error::mismatch(format!(
        "{what}: {operand:?} need {:.0} bytes, and memory {} of hardware {} holds {} (capacity_bytes){}",
        (needed_bits / 8.0).ceil(),
        memory.name,
        hardware.name,
        memory.capacity_bytes.value,
        if hardware.dram.is_some() { "" } else { " and there is no dram" },
    ))
}
