//! Where loops stand and operands live: the choices that a mapper makes before anything runs.

use super::{Dataflow, Layer, Workload};
use crate::error::{Error, Result};
use crate::hw::{Compute, Hardware, Operand, Placement};

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

    /// In words.
    pub fn describe(&self, layer: &Layer) -> String {
        let dataflow = if layer.product.is_none() { "vector unit" } else { self.dataflow.name() };
        let placement = match self.placement {
            Placement::Innermost => "timesteps innermost",
            Placement::Outermost => "timesteps outermost",
        };
        let constant = layer.product.as_ref().is_some_and(|p| p.constant);
        let once = match (constant, self.recompute) {
            (false, _) => "",
            (true, false) => ", computed once",
            (true, true) => ", recomputed",
        };
        let spilled: Vec<_> =
            Operand::ALL.into_iter().filter(|&o| self.is_off_chip(o)).map(off_chip_name).collect();
        let spilled =
            if spilled.is_empty() { String::new() } else { format!(", {} off chip", spilled.join(" and ")) };
        format!("{dataflow}, {placement}{once}{spilled}")
    }
}

fn off_chip_name(operand: Operand) -> &'static str {
    match operand {
        Operand::Weights => "weights",
        Operand::Activations => "activations",
        Operand::PartialSums => "partial sums",
        Operand::Membranes => "membranes",
        Operand::Residual => "residual stream",
    }
}

/// Per layer, every legal plan with the loop over timesteps at `placement`.
///
/// # Errors
/// If an operand fits nowhere, or a weight code is wider than the machine takes.
pub fn candidates(workload: &Workload, hardware: &Hardware, placement: Placement) -> Result<Vec<Vec<Plan>>> {
    let residents = Residents::new(workload, hardware, placement)?;
    let layers = workload.layers.iter().enumerate();
    layers.map(|(i, layer)| layer_candidates((i, layer), workload, hardware, placement, &residents)).collect()
}

/// Weights that stay on chip from image to image.
struct Residents {
    /// Per layer.
    layers: Vec<bool>,
    /// Room that they take.
    bits: f64,
}

impl Residents {
    /// All of them, if they fit beside what else lives in their memory; otherwise, in order of
    /// execution, every layer that still fits beside a buffer for the tiles of the others.
    ///
    /// In this order neither more memory nor fewer bits leaves more weights outside.
    fn new(workload: &Workload, hardware: &Hardware, placement: Placement) -> Result<Self> {
        let free = free_weight_bits(workload, hardware, placement)?;
        let needed = workload.weight_bits() + workload.parameter_bits();
        if needed <= free {
            return Ok(Self { layers: vec![true; workload.layers.len()], bits: needed });
        }
        if hardware.dram.is_none() {
            return Err(too_small(hardware, Operand::Weights, "the network", needed));
        }
        let (dataflow, recompute, off_chip) = (Dataflow::OutputStationary, false, [false; 5]);
        let buffer = |layer: &Layer| {
            let channels = tile_sizes(layer, hardware, dataflow)[0];
            tile_buffer_bits(&Plan { dataflow, placement, recompute, channels, off_chip }, layer, hardware)
        };
        let budget = free - workload.layers.iter().map(buffer).fold(0.0, f64::max);
        let mut residents = Self { layers: Vec::new(), bits: 0.0 };
        for layer in &workload.layers {
            let bits = layer.weight_bits() + layer.parameter_bits();
            let fits = residents.bits + bits <= budget;
            residents.layers.push(fits);
            residents.bits += if fits { bits } else { 0.0 };
        }
        Ok(residents)
    }
}

fn layer_candidates(
    (index, layer): (usize, &Layer),
    workload: &Workload,
    hardware: &Hardware,
    placement: Placement,
    residents: &Residents,
) -> Result<Vec<Plan>> {
    check_weight_width(layer, hardware)?;
    let dataflows: &[Dataflow] = match &hardware.compute {
        Compute::Processor(_) => &[Dataflow::Sequential],
        Compute::SpikeLanes(_) => &[Dataflow::OutputStationary, Dataflow::WeightStationary],
        Compute::Systolic(_) => &Dataflow::OF_ARRAYS,
    };
    let constant = layer.product.as_ref().is_some_and(|p| p.constant);
    // Innermost, lanes keep a constant sum for all timesteps: recomputing it is never better.
    let kept = placement == Placement::Innermost && matches!(hardware.compute, Compute::SpikeLanes(_));
    let recompute: &[bool] = if constant && !kept { &[false, true] } else { &[false] };
    let mut plans = Vec::new();
    for &dataflow in if layer.product.is_some() { dataflows } else { &dataflows[..1] } {
        for &recompute in recompute {
            for channels in tile_sizes(layer, hardware, dataflow) {
                let mut plan = Plan { dataflow, placement, recompute, channels, off_chip: [false; 5] };
                plan.off_chip[Operand::Weights as usize] =
                    layer.product.is_some() && !residents.layers[index];
                plans.extend(placed(plan, layer, workload, hardware, residents.bits));
            }
        }
    }
    if plans.is_empty() {
        let bits = layer.product.as_ref().map_or(0.0, |p| p.fan_in as f64 * f64::from(p.weight_bits));
        let what = format!("layer {}: one output channel", layer.name);
        return Err(too_small(hardware, Operand::Weights, &what, bits));
    }
    Ok(plans)
}

/// Output channels of a tile that are worth a try: as many as the array has, or all where they stream
/// through it, and by halves down to one. Small tiles fit small memories and overlap more; the list is the same at any capacity and
/// any weight width, so neither more memory nor fewer bits takes a choice away.
fn tile_sizes(layer: &Layer, hardware: &Hardware, dataflow: Dataflow) -> Vec<usize> {
    let columns = match (&layer.product, &hardware.compute) {
        (None, _) => return vec![0],
        (Some(product), Compute::Processor(_)) => return vec![product.outputs / product.groups],
        (Some(product), _) if dataflow == Dataflow::InputStationary => product.outputs / product.groups,
        (_, Compute::SpikeLanes(lanes)) => lanes.channels.value as usize,
        (_, Compute::Systolic(array)) => array.columns.value as usize,
    };
    std::iter::successors(Some(columns), |n| (*n > 1).then_some(n / 2)).collect()
}

/// `plan` with what it keeps off the chip; `None` if the machine has no room for it.
fn placed(
    mut plan: Plan,
    layer: &Layer,
    workload: &Workload,
    hardware: &Hardware,
    resident_bits: f64,
) -> Option<Plan> {
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
            let needed = match operand {
                Operand::Weights if plan.is_off_chip(operand) => {
                    resident_bits + tile_buffer_bits(&plan, layer, hardware)
                }
                Operand::Weights => resident_bits,
                _ => needed_bits(&plan, operand, layer, workload, hardware),
            };
            if needed <= free {
                free -= needed;
            } else if operand == Operand::Weights || hardware.dram.is_none() {
                return None;
            } else {
                plan.off_chip[operand as usize] = true;
            }
        }
    }
    Some(plan)
}

/// Room for the weights of one tile, and for the next one while it computes.
fn tile_buffer_bits(plan: &Plan, layer: &Layer, hardware: &Hardware) -> f64 {
    let Some(product) = &layer.product else { return 0.0 };
    let inputs = match (&hardware.compute, plan.dataflow) {
        // A processor streams through its weights.
        (Compute::Processor(_), _) => return 0.0,
        (Compute::SpikeLanes(lanes), Dataflow::WeightStationary) => lanes.positions.value as usize,
        (Compute::Systolic(array), Dataflow::WeightStationary | Dataflow::InputStationary) => {
            array.rows.value as usize
        }
        _ => product.fan_in,
    };
    let values = product.fan_in.min(inputs) * plan.channels.min(product.outputs / product.groups);
    let buffers = if values == product.fan_in * product.outputs { 1 } else { 2 };
    (values * buffers) as f64 * f64::from(product.weight_bits)
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
fn partial_sum_bits(plan: &Plan, layer: &Layer, workload: &Workload, hardware: &Hardware) -> f64 {
    let Some(product) = &layer.product else { return 0.0 };
    let rows = match &hardware.compute {
        Compute::SpikeLanes(lanes) => lanes.positions.value,
        Compute::Systolic(array) => array.rows.value,
        Compute::Processor(_) => return 0.0,
    };
    let once = product.constant && !plan.recompute;
    let innermost = plan.placement == Placement::Innermost;
    let frames = if innermost && !once { workload.timesteps } else { 1 };
    let passes = plan.dataflow.sums_leave_the_array() && product.fan_in > rows as usize;
    let held = once && !plan.keeps_membranes(layer, &hardware.compute);
    let channels = match (held, passes) {
        (true, _) => product.outputs,
        (false, true) => plan.channels.min(product.outputs / product.groups),
        (false, false) => 0,
    };
    (product.positions * channels * frames) as f64 * f64::from(product.accumulator_bits)
}

fn check_weight_width(layer: &Layer, hardware: &Hardware) -> Result<()> {
    let Some(product) = &layer.product else { return Ok(()) };
    let max = match &hardware.compute {
        Compute::SpikeLanes(lanes) => lanes.max_weight_bits.value,
        Compute::Systolic(array) => array.max_weight_bits.value,
        Compute::Processor(processor) => processor.word_bits.value,
    };
    // 32 bits stand for the float network, which is charged on a datapath of its own width.
    if product.weight_bits > max && product.weight_bits != 32 {
        let message = format!(
            "layer {}: {}-bit weights, and hardware {} takes up to {max} (compute.max_weight_bits)",
            layer.name, product.weight_bits, hardware.name
        );
        return Err(Error::mismatch(message));
    }
    Ok(())
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
    let plan = Plan { dataflow, placement, recompute, channels: 0, off_chip: [false; 5] };
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
