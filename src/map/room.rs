//! Room that a plan needs in on-chip memories.

use super::residents::Residents;
use super::{Dataflow, Home, Layer, Order, Plan, Workload};
use crate::error::Error;
use crate::hw::{Hardware, Operand, Placement, SpatialDim};

/// Room for the weights of one tile, and for the next one while it computes; as much for each unit that takes another
/// image meanwhile.
pub(super) fn tile_buffer_bits(plan: &Plan, layer: &Layer, hardware: &Hardware) -> f64 {
    let Some(product) = &layer.product else { return 0.0 };
    let inputs = match plan.dataflow {
        // A processor streams through its weights, cores keep theirs.
        Dataflow::Sequential => return 0.0,
        Dataflow::WeightStationary | Dataflow::InputStationary => plan.lanes.summed() as usize,
        Dataflow::OutputStationary => {
            plan.tile(hardware, product).map_or(product.fan_in, |tile| tile.inputs.value as usize)
        }
    };
    let channels = plan.channels.min(product.group_outputs()) * plan.groups(product);
    let values = product.fan_in.min(inputs) * channels;
    let all = product.fan_in * product.outputs;
    let stored = match plan.order {
        Order::PositionsOutermost { weights_stay: true, .. } => all,
        _ if values == all => all,
        _ => 2 * values,
    };
    (stored * hardware.products_in_flight()) as f64 * product.weight_bits()
}

/// Bits of `operand` at on-chip level number `level`, of which 0 feeds units, while `layer` runs by `plan` beside
/// `residents`: all of it, or tiles that pass through where it lives farther out.
pub(super) fn on_chip_bits(
    plan: &Plan,
    (operand, level): (Operand, u8),
    layer: &Layer,
    workload: &Workload,
    hardware: &Hardware,
    residents: &Residents,
) -> f64 {
    let home = plan.home[operand];
    let passes = home > Home::OnChip(level);
    match operand {
        Operand::Weights => {
            let stay = if residents.level == level { residents.bits } else { 0.0 };
            let beside = plan.group.filter(|_| level == 0).map_or(0.0, |group| group.beside_bits);
            stay + beside + if passes { tile_buffer_bits(plan, layer, hardware) } else { 0.0 }
        }
        Operand::Activations | Operand::Residual if plan.passage(operand).is_some() => {
            let outermost = level > 0 && hardware.levels(operand).count() == usize::from(level) + 1;
            let passage = plan.passage(operand).expect("it was looked for");
            let comes = if outermost { passage.input.off_chip > 0.0 } else { passage.input.any() };
            let passing = if operand == Operand::Activations && comes {
                input_tile_bits(plan, layer, workload, hardware)
            } else {
                0.0
            };
            let stay_bits = match level {
                0 => passage.staying_bits,
                _ if outermost => passage.behind_bits,
                _ => 0.0,
            };
            passing + whole_bits(stay_bits, plan, workload, hardware)
        }
        Operand::Activations if passes => input_tile_bits(plan, layer, workload, hardware),
        _ if home != Home::OnChip(level) => 0.0,
        Operand::Membranes if plan.placement == Placement::Outermost => {
            residents.membrane_bits * hardware.images_in_flight() as f64
        }
        _ => needed_bits(plan, operand, layer, workload, hardware),
    }
}

/// Room for the inputs of one tile of positions, and for the next one, if there is one, while it is computed.
fn input_tile_bits(plan: &Plan, layer: &Layer, workload: &Workload, hardware: &Hardware) -> f64 {
    match (plan.order, &layer.product) {
        (Order::PositionsOutermost { tiles, .. }, Some(product)) => {
            let frames = if plan.placement == Placement::Innermost { workload.timesteps } else { 1 };
            let frames = product.input_frames(frames);
            let values = product.input_values.div_ceil(tiles) * frames * workload.images_on_chip(hardware);
            (values * tiles.min(2)) as f64 * f64::from(product.input.bits())
        }
        // Inputs stream by.
        _ => 0.0,
    }
}

/// Room for maps of `bits` of one timestep.
fn whole_bits(bits: f64, plan: &Plan, workload: &Workload, hardware: &Hardware) -> f64 {
    bits * stored_frames(workload, plan.placement) * workload.images_on_chip(hardware) as f64
}

/// Bits of `operand` that are stored somewhere while `layer` runs by `plan`: weights once, all else for each image.
fn needed_bits(
    plan: &Plan,
    operand: Operand,
    layer: &Layer,
    workload: &Workload,
    hardware: &Hardware,
) -> f64 {
    let images = workload.images_on_chip(hardware) as f64;
    match operand {
        Operand::Membranes if plan.placement == Placement::Outermost => images * workload.membrane_bits(),
        Operand::Membranes if plan.keeps_membranes(layer, hardware) => 0.0,
        Operand::Membranes => images * layer.membrane_bits(),
        Operand::PartialSums => partial_sum_bits(plan, layer, workload, hardware),
        Operand::Weights => layer.weight_bits() + layer.parameter_bits(),
        Operand::Activations | Operand::Residual => {
            images * live_bits(layer, operand, workload, plan.placement)
        }
    }
}

/// Sums of one tile of channels between its passes over the inputs, and sums that are computed
/// once for all timesteps; as much for each unit that takes another image meanwhile.
pub(super) fn partial_sum_bits(plan: &Plan, layer: &Layer, workload: &Workload, hardware: &Hardware) -> f64 {
    sums_of_unit_bits(plan, layer, workload, hardware) * hardware.products_in_flight() as f64
}

/// Sums of one unit.
fn sums_of_unit_bits(plan: &Plan, layer: &Layer, workload: &Workload, hardware: &Hardware) -> f64 {
    let Some(product) = &layer.product else { return 0.0 };
    if plan.dataflow == Dataflow::Sequential {
        return 0.0;
    }
    let once = plan.runs_once(product);
    let innermost = plan.placement == Placement::Innermost;
    let frames = if innermost && !once { workload.timesteps } else { 1 };
    let passes = plan.dataflow.sums_leave_the_array() && product.fan_in > plan.lanes.summed() as usize;
    let held = once && !plan.keeps_membranes(layer, hardware);
    let passes = passes || plan.parts(product, hardware).count > 1;
    let channels = plan.channels.min(product.group_outputs()) * plan.groups(product);
    if let Some(tile) = plan.tile(hardware, product) {
        let rows = (product.positions * frames).min(tile.rows.value as usize);
        return (rows * channels) as f64 * f64::from(product.accumulator_bits);
    }
    if hardware.unit(plan.unit).sums_in_memory() && !held {
        // Timesteps side by side, and those before them, which neurons read meanwhile.
        let timesteps = frames.min(plan.lanes.extent(SpatialDim::Timesteps) as usize);
        return (2 * product.positions * channels * timesteps) as f64 * f64::from(product.accumulator_bits);
    }
    let sums = match (held, passes, plan.order) {
        (true, _, _) => product.positions * product.outputs,
        (false, false, _) => 0,
        (false, true, Order::ChannelsOutermost) => product.positions * channels,
        (false, true, Order::PositionsOutermost { tiles, .. }) => {
            product.positions.div_ceil(tiles) * channels
        }
    };
    (sums * frames * workload.batch) as f64 * f64::from(product.accumulator_bits)
}

/// The most that any layer needs by the plan that stores the least.
pub(super) fn peak_bits(
    workload: &Workload,
    operand: Operand,
    hardware: &Hardware,
    placement: Placement,
) -> f64 {
    let plan = Plan::least(hardware, placement);
    let layers = workload.layers.iter();
    layers.map(|l| needed_bits(&plan, operand, l, workload, hardware)).fold(0.0, f64::max)
}

/// Activations or residual stream alive while `layer` runs, for the timesteps that are stored.
fn live_bits(layer: &Layer, operand: Operand, workload: &Workload, placement: Placement) -> f64 {
    let frames = stored_frames(workload, placement);
    match operand {
        Operand::Residual => layer.live_residual_bits * frames,
        _ => layer.live_activation_bits * frames,
    }
}

/// Timesteps of a map that are stored.
fn stored_frames(workload: &Workload, placement: Placement) -> f64 {
    if placement == Placement::Innermost { workload.timesteps as f64 } else { 1.0 }
}

pub(super) fn too_small(hardware: &Hardware, operand: Operand, what: &str, needed_bits: f64) -> Error {
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
