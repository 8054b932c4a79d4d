//! Neurons, joins, pooling, sums and spike products: nothing here is free.

use super::run::Run;
use super::{Demand, Machine, encoding};
use crate::hw::{Operand, Vector};
use crate::map::{Epilogue, EpilogueKind};

/// Adds to `demand` what follows the product of a layer: vector units work side by side, and each of them on one
/// operation after the other.
pub fn add(demand: &mut Demand, machine: &Machine, run: Run<'_>) {
    let busiest = machine.hardware.vectors().map(|unit| work(demand, unit, machine, run)).fold(0.0, f64::max);
    demand.epilogue_cycles += busiest;
    for epilogue in &run.layer.epilogue {
        let frames = epilogue.frames(run.timesteps);
        *energy_of(demand, epilogue) +=
            epilogue.values as f64 * frames * operation_pj(machine, epilogue) * 1e-12;
        add_traffic(demand, machine, run, epilogue, frames);
    }
}

/// Adds what `unit` does of a layer, and returns the cycles of it: of the vector units that do a kind of work, the first
/// one does it, unless the unit of the product does.
fn work(demand: &mut Demand, unit: &Vector, machine: &Machine, run: Run<'_>) -> f64 {
    let of_product = machine.hardware.unit(run.plan.unit);
    let does = |work| {
        let first = machine.hardware.vector_of(work);
        !of_product.does(work) && first.is_some_and(|first| first.name == unit.name)
    };
    let mut cycles = 0.0;
    for epilogue in run.layer.epilogue.iter().filter(|epilogue| does(epilogue.work())) {
        let Time { ideal, busy } = time(unit, epilogue, epilogue.frames(run.timesteps));
        *demand.ideal.of(epilogue.work()) += ideal;
        *demand.busy.of(epilogue.work()) += busy;
        cycles += busy;
    }
    cycles
}

pub(super) fn energy_of<'a>(demand: &'a mut Demand, epilogue: &Epilogue) -> &'a mut f64 {
    match epilogue.kind {
        EpilogueKind::Neuron { .. } | EpilogueKind::IntegerNeuron { .. } => &mut demand.operations_j.neuron,
        EpilogueKind::SpikeProducts { .. } => &mut demand.operations_j.attention,
        _ => &mut demand.operations_j.elementwise,
    }
}

/// Cycles of an operation.
struct Time {
    /// Operations divided by lanes.
    ideal: f64,
    /// With what lanes wait for.
    busy: f64,
}

/// Time of `frames` executions of `epilogue` on `unit`.
fn time(unit: &Vector, epilogue: &Epilogue, frames: f64) -> Time {
    let values = epilogue.values as f64 * frames;
    let per_cycle = f64::from(unit.values_per_cycle.value);
    let spike_bits = f64::from(unit.spike_bits_per_cycle.value);
    let ideal = match epilogue.kind {
        EpilogueKind::SpikeProducts { operations, sums, sum_bits, reads } => {
            let bits = operations + sums * sum_bits as usize;
            let cycles = |bits: usize| bits as f64 * frames / spike_bits;
            return Time { ideal: cycles(bits), busy: cycles(bits.max(reads)) };
        }
        // Gates of spikes go through the spike path, comparisons of integers through the lanes.
        EpilogueKind::Pool { comparisons, bits: 1, .. } => values * comparisons as f64 / spike_bits,
        EpilogueKind::Pool { comparisons, .. } => values * comparisons as f64 / per_cycle,
        EpilogueKind::Gate => values / spike_bits,
        EpilogueKind::Sum { additions, .. } => values * additions as f64 / per_cycle,
        _ => values / per_cycle,
    };
    Time { ideal, busy: ideal }
}

/// Energy of one output value.
fn operation_pj(machine: &Machine, epilogue: &Epilogue) -> f64 {
    let table = &machine.table;
    let rescale_pj = |bits: u32, shift: bool| {
        if shift { table.shift_pj(f64::from(bits)) } else { table.multiply_pj(f64::from(bits), 16.0) }
    };
    match epilogue.kind {
        EpilogueKind::Neuron { potential_bits, multiplier_bits, subtracts, .. } => {
            let bits = f64::from(potential_bits);
            let additions = if subtracts { 2.0 } else { 1.0 };
            let leak_pj = match multiplier_bits {
                0 => 0.0,
                multiplier_bits => table.multiply_pj(bits, f64::from(multiplier_bits)),
            };
            additions * table.add_pj(bits) + table.compare_pj(bits) + table.register_pj(bits) + leak_pj
        }
        EpilogueKind::IntegerNeuron { levels, potential_bits } => {
            f64::from(levels) * table.compare_pj(f64::from(potential_bits))
        }
        EpilogueKind::Requantize { from_bits, shift, .. } => rescale_pj(from_bits, shift),
        EpilogueKind::Join { from_bits, bits, shift } => {
            rescale_pj(from_bits, shift) + table.add_pj(f64::from(bits)) + table.register_pj(f64::from(bits))
        }
        EpilogueKind::CountJoin { bits, .. } => table.add_pj(f64::from(bits)),
        EpilogueKind::ClassToken { additions, bits, .. } => {
            let bits = f64::from(bits);
            additions as f64 * table.add_pj(bits) / epilogue.values.max(1) as f64 + table.register_pj(bits)
        }
        // An OR and an AND NOT are charged as the AND of the table.
        EpilogueKind::Gate => table.and_pj(1.0),
        EpilogueKind::Pool { comparisons, bits: 1, .. } => comparisons as f64 * table.and_pj(1.0),
        EpilogueKind::Pool { comparisons, bits, .. } => {
            comparisons as f64 * table.compare_pj(f64::from(bits))
        }
        EpilogueKind::Sum { additions, bits } => additions as f64 * table.add_pj(f64::from(bits)),
        // An AND and one bit of the count (or of the OR) behind it; counts are gated and added.
        EpilogueKind::SpikeProducts { operations, sums, sum_bits, .. } => {
            let bits = f64::from(sum_bits);
            let all = 2.0 * operations as f64 * table.and_pj(1.0)
                + sums as f64 * (table.and_pj(bits) + table.add_pj(bits));
            all / epilogue.values.max(1) as f64
        }
    }
}

fn add_traffic(demand: &mut Demand, machine: &Machine, run: Run<'_>, epilogue: &Epilogue, frames: f64) {
    let bits = epilogue.bits_per_frame();
    let written = encoding::of_output(machine.hardware.spike_encoding, epilogue, run.activity, frames);
    demand.read(Operand::Activations, bits.activations_read * frames);
    demand.write(Operand::Activations, bits.activations_written * frames * written);
    demand.read(Operand::Residual, bits.residual_read * frames);
    demand.write(Operand::Residual, bits.residual_written * frames);
    if !run.plan.keeps_membranes(run.layer, &machine.hardware) {
        demand.read(Operand::Membranes, bits.membranes_read * frames);
        demand.write(Operand::Membranes, bits.membranes_written * frames);
    }
    // Integers wait in a buffer for the rest of their window.
    if let EpilogueKind::Pool { bits: width @ 2.., inputs, .. } = epilogue.kind {
        let buffered = inputs as f64 * frames * f64::from(width);
        demand.write(Operand::PartialSums, buffered);
        demand.read(Operand::PartialSums, buffered);
    }
}
