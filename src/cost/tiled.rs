//! Layers on units with memories around them: tiles on a timeline, charged by operations and accesses.

use super::cost_model::Run;
use super::parts::{Cycles, EnergyJ, LayerCost};
use super::timeline::{Times, timeline};
use super::{Demand, Machine, Traffic, encoding, epilogue, events};
use crate::exec::Activity;
use crate::hw::{MemorySpec, Operand, PerOperand, Placement};
use crate::map::{EpilogueKind, Product};

/// A unit that takes a layer tile by tile.
pub trait Tiled {
    /// What `product` asks for in `frames` frames.
    fn product(&self, machine: &Machine, run: Run<'_>, product: &Product, frames: f64) -> Demand;

    /// Adds what follows the product: vector units do it.
    fn epilogue(&self, machine: &Machine, run: Run<'_>, demand: &mut Demand) {
        epilogue::add(demand, machine, run);
    }

    /// True if biases, thresholds and requantizers come from the memory of the weights, beside the product.
    fn fetches_parameters(&self) -> bool {
        true
    }
}

/// Cost of one layer for one image.
pub fn layer_cost(unit: &impl Tiled, machine: &Machine, run: Run<'_>) -> LayerCost {
    let Run { layer, plan, activity, timesteps } = run;
    let mut demand = match &layer.product {
        Some(product) => {
            let mut demand = unit.product(machine, run, product, run.frames(product));
            hold_constant_sums(&mut demand, machine, run, product);
            demand
        }
        None => Demand::default(),
    };
    if unit.fetches_parameters() {
        let fetches = if plan.placement == Placement::Outermost { timesteps } else { 1.0 };
        demand.read(Operand::Weights, layer.parameter_bits() * fetches);
    }
    let product = demand.clone();
    unit.epilogue(machine, run, &mut demand);
    off_chip(&mut demand, &product, machine, run);
    demand.tiles *= plan.load_tiles();
    let cycles = timeline(&times(&demand, &product, machine), demand.tiles, demand.waves);
    let energy_j = match &machine.events {
        Some(table) => events::energy_j(table, layer, activity, timesteps),
        None => energy_j(&demand, machine, &cycles),
    };
    LayerCost { cycles, energy_j, traffic_bits: demand.traffic_bits() }
}

/// Bits of the input relative to a bitmap, where it is one of spikes.
pub(super) fn encoded_input(machine: &Machine, product: &Product, activity: &Activity) -> f64 {
    encoding::of_input(machine.hardware.spike_encoding, product, &activity.nodes[product.node.index()])
}

/// A product computed once for all timesteps is written and read back at each of them, unless the
/// timesteps run inside the array. Sums that leave it are written and read once already.
fn hold_constant_sums(demand: &mut Demand, machine: &Machine, run: Run<'_>, product: &Product) {
    let Run { layer, plan, timesteps, .. } = run;
    let varies = layer.epilogue.iter().any(|e| matches!(e.kind, EpilogueKind::Neuron { .. }));
    let in_array = plan.keeps_membranes(layer, &machine.hardware);
    if plan.runs_once(product) && varies && !in_array {
        let bits = (product.positions * product.outputs) as f64 * f64::from(product.accumulator_bits);
        let stored = if plan.dataflow.sums_leave_the_array() { 1.0 } else { 0.0 };
        demand.write(Operand::PartialSums, bits * (1.0 - stored));
        demand.read(Operand::PartialSums, bits * (timesteps - stored));
    }
}

/// Off-chip traffic: the image, weights that do not stay on the chip, and what spilled. Whatever
/// is loaded is written to its on-chip memory first, whatever is stored is read from there.
fn off_chip(demand: &mut Demand, product_demand: &Demand, machine: &Machine, run: Run<'_>) {
    let mut dram = PerOperand::<Traffic>::default();
    if let Some(product) = &run.layer.product {
        load(&mut dram, machine, run, product);
    }
    for operand in [Operand::Activations, Operand::PartialSums, Operand::Membranes, Operand::Residual] {
        if run.plan.is_off_chip(operand) {
            let traffic = demand.on_chip[operand];
            // What a product reads again and again was loaded once, above.
            let again = match operand {
                Operand::Activations => product_demand.on_chip[operand].read_bits,
                _ => 0.0,
            };
            dram[operand].written_bits += traffic.written_bits;
            dram[operand].read_bits += traffic.read_bits - again;
        }
    }
    for operand in Operand::ALL {
        let traffic = dram[operand];
        demand.dram.read_bits += traffic.read_bits;
        demand.dram.written_bits += traffic.written_bits;
        demand.write(operand, traffic.read_bits);
        demand.read(operand, traffic.written_bits);
    }
}

/// Adds what `product` loads of inputs and weights.
fn load(dram: &mut PerOperand<Traffic>, machine: &Machine, run: Run<'_>, product: &Product) {
    let Run { layer, plan, activity, timesteps } = run;
    let passes = if plan.placement == Placement::Outermost { timesteps } else { 1.0 };
    let input = encoded_input(machine, product, activity);
    let input_bits = product.input_values as f64 * f64::from(product.input.bits()) * input;
    let rows = product.positions as f64 * run.frames(product);
    let fetches = plan
        .tile(&machine.hardware, product)
        .map_or(1.0, |tile| (rows / plan.position_tiles() / f64::from(tile.rows.value)).ceil());
    let inputs = &mut dram[Operand::Activations].read_bits;
    if product.from_outside {
        *inputs += input_bits;
    } else if plan.is_off_chip(Operand::Activations) {
        let frames = product.input_frames(timesteps);
        *inputs += input_bits * frames * plan.input_loads(product);
    }
    if plan.is_off_chip(Operand::Weights) {
        let loads = plan.weight_loads() * passes;
        let all = (layer.weight_bits() * fetches + layer.parameter_bits()) * loads;
        dram[Operand::Weights].read_bits += all * plan.streamed_share(layer);
    }
}

/// The busiest memory port under `traffic`.
fn port_cycles(machine: &Machine, traffic: impl Fn(Operand) -> f64) -> f64 {
    let cycles = |memory: &MemorySpec| {
        let bits: f64 = memory.holds.iter().map(|&operand| traffic(operand)).sum();
        bits / machine.bandwidth_bits_per_cycle(memory)
    };
    machine.hardware.memories.iter().map(cycles).fold(0.0, f64::max)
}

fn times(demand: &Demand, product: &Demand, machine: &Machine) -> Times {
    let all = |operand: Operand| demand.on_chip[operand].bits();
    let array = |operand: Operand| product.on_chip[operand].bits();
    let bus = |bits: f64| machine.dram.map_or(0.0, |dram| bits / dram.bits_per_cycle);
    Times {
        array: demand.array,
        epilogue: demand.epilogue_cycles,
        port: port_cycles(machine, all),
        array_port: port_cycles(machine, array),
        epilogue_port: port_cycles(machine, |operand| all(operand) - array(operand)),
        load: bus(demand.dram.read_bits),
        store: bus(demand.dram.written_bits),
    }
}

fn energy_j(demand: &Demand, machine: &Machine, cycles: &Cycles) -> EnergyJ {
    let on_chip_j = |operand: Operand| machine.on_chip_j(operand, &demand.on_chip[operand]);
    let on_chip = EnergyJ {
        weight_memory: on_chip_j(Operand::Weights),
        activation_memory: on_chip_j(Operand::Activations),
        partial_sum_memory: on_chip_j(Operand::PartialSums),
        membrane_memory: on_chip_j(Operand::Membranes),
        residual_memory: on_chip_j(Operand::Residual),
        ..demand.operations_j
    };
    machine.whole_chip_j(on_chip, &demand.dram, cycles.total())
}
