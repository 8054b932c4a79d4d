//! Where loops stand and operands live: the choices that a mapper makes before anything runs.

use super::{Layer, Product, Workload};
use crate::error::{Error, Result};
use crate::hw::{Compute, Hardware, Operand, Placement};

/// What stays in the array while the rest streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dataflow {
    /// Sums: inputs and weights stream.
    OutputStationary,
    /// Weights: inputs stream, partial sums leave the array.
    WeightStationary,
    /// A processor's loops over events and output channels.
    Sequential,
}

/// How one layer runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// What stays in the array.
    pub dataflow: Dataflow,
    /// Where the loop over timesteps stands, for the whole network.
    pub placement: Placement,
    /// True if a product that is the same at every timestep is computed at each of them.
    pub recompute: bool,
    /// Output channels of one tile: as many as the array has, fewer where the weights of a tile
    /// would not fit their memory.
    pub channels: usize,
    /// Per operand of [`Operand::ALL`], true if it is read from and written to off-chip memory.
    pub off_chip: [bool; 5],
}

impl Plan {
    /// True if `operand` is read from and written to off-chip memory.
    pub fn is_off_chip(&self, operand: Operand) -> bool {
        self.off_chip[operand as usize]
    }

    /// In words.
    pub fn describe(&self, layer: &Layer) -> String {
        let dataflow = match self.dataflow {
            _ if layer.product.is_none() => "vector unit",
            Dataflow::OutputStationary => "output stationary",
            Dataflow::WeightStationary => "weight stationary",
            Dataflow::Sequential => "sequential",
        };
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
    let network = spilled(workload, hardware, placement)?;
    workload
        .layers
        .iter()
        .map(|layer| layer_candidates(layer, workload, hardware, placement, network))
        .collect()
}

fn layer_candidates(
    layer: &Layer,
    workload: &Workload,
    hardware: &Hardware,
    placement: Placement,
    network: [bool; 5],
) -> Result<Vec<Plan>> {
    let mut off_chip = network;
    for operand in [Operand::Activations, Operand::Residual] {
        // The network's peak may not fit where this layer by itself does.
        let capacity = capacity_bits(hardware, operand);
        off_chip[operand as usize] &= live_bits(layer, operand, workload, placement) > capacity;
    }
    let dataflows: &[Dataflow] = match &hardware.compute {
        Compute::Processor(_) => &[Dataflow::Sequential],
        Compute::SpikeLanes(_) | Compute::Systolic(_) => {
            &[Dataflow::OutputStationary, Dataflow::WeightStationary]
        }
    };
    let Some(product) = &layer.product else {
        return Ok(vec![Plan { dataflow: dataflows[0], placement, recompute: false, channels: 0, off_chip }]);
    };
    check_weight_width(layer, hardware)?;
    // Innermost, a constant product stays in the array for all timesteps: recomputing it is never better.
    let recompute: &[bool] =
        if product.constant && placement == Placement::Outermost { &[false, true] } else { &[false] };
    let mut plans = Vec::new();
    for &dataflow in dataflows {
        let channels = tile_channels(layer, product, hardware, dataflow, &off_chip)?;
        plans.extend(recompute.iter().map(|&recompute| Plan {
            dataflow,
            placement,
            recompute,
            channels,
            off_chip,
        }));
    }
    Ok(plans)
}

/// Output channels whose weights fit the weight memory together, up to what the array takes.
fn tile_channels(
    layer: &Layer,
    product: &Product,
    hardware: &Hardware,
    dataflow: Dataflow,
    off_chip: &[bool; 5],
) -> Result<usize> {
    let outputs = product.outputs / product.groups;
    let (inputs, columns) = match (&hardware.compute, dataflow) {
        (Compute::Processor(_), _) => return Ok(outputs),
        (Compute::SpikeLanes(lanes), Dataflow::WeightStationary) => {
            (lanes.positions.value, lanes.channels.value)
        }
        (Compute::Systolic(array), Dataflow::WeightStationary) => (array.rows.value, array.columns.value),
        (Compute::SpikeLanes(lanes), _) => (u32::MAX, lanes.channels.value),
        (Compute::Systolic(array), _) => (u32::MAX, array.columns.value),
    };
    let columns = columns as usize;
    if !off_chip[Operand::Weights as usize] {
        return Ok(columns);
    }
    let column_bits = (product.fan_in.min(inputs as usize)) as f64 * f64::from(product.weight_bits);
    let fitting = (capacity_bits(hardware, Operand::Weights) / column_bits).floor() as usize;
    match fitting {
        0 => Err(too_small(
            hardware,
            Operand::Weights,
            &format!("layer {}: one output channel", layer.name),
            column_bits,
        )),
        _ => Ok(columns.min(fitting)),
    }
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

/// Which operands do not fit on the chip at the network's peak.
fn spilled(workload: &Workload, hardware: &Hardware, placement: Placement) -> Result<[bool; 5]> {
    let mut off_chip = [false; 5];
    for memory in &hardware.memories {
        let mut free = memory.capacity_bytes.value as f64 * 8.0;
        // State first, weights last: weights stream once, the others go back and forth.
        for operand in [Operand::Membranes, Operand::Residual, Operand::Activations, Operand::Weights] {
            if !memory.holds.contains(&operand) {
                continue;
            }
            let needed = peak_bits(workload, operand, placement);
            if needed <= free {
                free -= needed;
            } else if hardware.dram.is_some() {
                off_chip[operand as usize] = true;
            } else {
                return Err(too_small(hardware, operand, "the network", needed));
            }
        }
    }
    Ok(off_chip)
}

fn peak_bits(workload: &Workload, operand: Operand, placement: Placement) -> f64 {
    match (operand, placement) {
        (Operand::Weights, _) => workload.weight_bits() + workload.parameter_bits(),
        (Operand::Membranes, Placement::Outermost) => workload.membrane_bits(),
        (Operand::Membranes, Placement::Innermost) => {
            workload.layers.iter().map(Layer::membrane_bits).fold(0.0, f64::max)
        }
        (Operand::PartialSums, _) => 0.0,
        (Operand::Activations | Operand::Residual, _) => {
            workload.layers.iter().map(|l| live_bits(l, operand, workload, placement)).fold(0.0, f64::max)
        }
    }
}

/// Activations or residual stream alive while `layer` runs, for the timesteps that are stored.
fn live_bits(layer: &Layer, operand: Operand, workload: &Workload, placement: Placement) -> f64 {
    let frames = if placement == Placement::Innermost { workload.timesteps as f64 } else { 1.0 };
    match operand {
        Operand::Residual => layer.live_residual_bits * frames,
        _ => layer.live_activation_bits * frames,
    }
}

fn capacity_bits(hardware: &Hardware, operand: Operand) -> f64 {
    hardware.memory(operand).capacity_bytes.value as f64 * 8.0
}

fn too_small(hardware: &Hardware, operand: Operand, what: &str, needed_bits: f64) -> Error {
    let memory = hardware.memory(operand);
    Error::mismatch(format!(
        "{what}: {operand:?} need {:.1} KiB, and memory {} of hardware {} holds {:.1} KiB (capacity_bytes){}",
        needed_bits / 8192.0,
        memory.name,
        hardware.name,
        memory.capacity_bytes.value as f64 / 1024.0,
        if hardware.dram.is_some() { "" } else { " and there is no dram" },
    ))
}
