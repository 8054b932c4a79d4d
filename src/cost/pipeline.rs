//! Images that overlap: while one unit takes its layers of one image, others take theirs of the images before and behind it.

use super::{LayerCost, Machine};
use crate::hw::{Operand, Work};
use crate::map::{Plan, Workload};

/// Cycles from one image to the next, where the layers of `workload` by `plans` cost `costs`: those of the busiest unit,
/// memory or bus, and no fewer than all layers take, shared out to the images in flight.
///
/// A unit is taken by a whole layer whose product it has, waits for memories included, and a vector unit by a layer without
/// a product, too.
pub fn period_cycles(workload: &Workload, plans: &[Plan], costs: &[LayerCost], machine: &Machine) -> f64 {
    let all: f64 = costs.iter().map(|cost| cost.cycles.total()).sum();
    let in_flight = machine.hardware.images_in_flight();
    if in_flight == 1 {
        return all;
    }
    let bus: f64 = costs.iter().map(|cost| cost.transfer_cycles).sum();
    let busiest = unit_cycles(workload, plans, costs, machine).into_iter().chain(port_cycles(costs, machine));
    // A layer hides what it does side by side, so sums over its parts may be longer than all layers.
    busiest.fold(bus.max(all / in_flight as f64), f64::max).min(all)
}

/// Takes from the energy of off-chip devices what they wait less where images overlap.
pub(super) fn overlap(workload: &Workload, plans: &[Plan], costs: &mut [LayerCost], machine: &Machine) {
    let (None, Some(dram)) = (&machine.events, machine.dram) else { return };
    let all: f64 = costs.iter().map(|cost| cost.cycles.total()).sum();
    let spared = all - period_cycles(workload, plans, costs, machine);
    let idle = |cost: &LayerCost| (cost.cycles.total() - cost.transfer_cycles).max(0.0);
    let waits: f64 = costs.iter().map(idle).sum();
    if spared > 0.0 {
        for cost in costs {
            cost.energy_j.dram -= machine.seconds(idle(cost) * (spared / waits)) * dram.idle_w;
        }
    }
}

/// Cycles that each unit is taken for one image.
fn unit_cycles(workload: &Workload, plans: &[Plan], costs: &[LayerCost], machine: &Machine) -> Vec<f64> {
    let hardware = &machine.hardware;
    let mut units = vec![0.0; hardware.units.len()];
    for ((layer, plan), cost) in workload.layers.iter().zip(plans).zip(costs) {
        let first = layer.epilogue.first().map(|epilogue| hardware.unit_of(plan.unit, epilogue.work()));
        let taken = if layer.product.is_some() { plan.unit } else { first.unwrap_or(plan.unit) };
        units[taken] += cost.cycles.total();
        let mut busy = cost.busy;
        for work in Work::ALL {
            let unit = hardware.unit_of(plan.unit, work);
            units[unit] += if unit == taken { 0.0 } else { *busy.of(work) };
        }
    }
    units
}

/// Cycles that each memory that feeds units moves words for one image, those of memories behind it included.
fn port_cycles(costs: &[LayerCost], machine: &Machine) -> Vec<f64> {
    let mut cycles = vec![0.0; machine.hardware.memories.len()];
    for operand in Operand::ALL {
        let bits: f64 = costs.iter().map(|cost| cost.traffic_bits.on_chip(operand)).sum();
        let memory = machine.inner[operand];
        cycles[memory] += bits / machine.bandwidth_bits_per_cycle(memory);
    }
    cycles
}
