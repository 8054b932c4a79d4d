//! Neurons, joins, pooling, sums and spike products: nothing here is free.

use super::{Demand, Machine, encoding, processor};
use crate::exec::Activity;
use crate::hw::{Compute, Operand, VectorUnit};
use crate::map::{Epilogue, EpilogueKind, Layer, Plan};

/// Adds to `demand` what follows the product of `layer` in `timesteps` timesteps.
pub fn add(
    demand: &mut Demand,
    machine: &Machine,
    layer: &Layer,
    plan: &Plan,
    activity: &Activity,
    timesteps: f64,
) {
    for epilogue in &layer.epilogue {
        let frames = epilogue.frames(timesteps);
        match &machine.hardware.compute {
            Compute::SpikeLanes(lanes) => on_vector_unit(demand, machine, &lanes.vector, epilogue, frames),
            Compute::Systolic(array) => on_vector_unit(demand, machine, &array.vector, epilogue, frames),
            Compute::Processor(p) => {
                let cycles = processor::epilogue_cycles(p, epilogue) * frames;
                demand.epilogue_cycles += cycles;
                *energy_of(demand, epilogue) += cycles * p.energy_pj_per_cycle.value * 1e-12;
                continue;
            }
            Compute::ManyCore(_) => unreachable!("charged by whole events"),
        }
        add_traffic(demand, machine, (layer, plan), epilogue, activity, frames);
    }
}

fn energy_of<'a>(demand: &'a mut Demand, epilogue: &Epilogue) -> &'a mut f64 {
    match epilogue.kind {
        EpilogueKind::Neuron { .. } | EpilogueKind::IntegerNeuron { .. } => &mut demand.operations_j.neuron,
        EpilogueKind::SpikeProducts { .. } => &mut demand.operations_j.attention,
        _ => &mut demand.operations_j.elementwise,
    }
}

fn on_vector_unit(
    demand: &mut Demand,
    machine: &Machine,
    unit: &VectorUnit,
    epilogue: &Epilogue,
    frames: f64,
) {
    let values = epilogue.values as f64 * frames;
    let per_cycle = f64::from(unit.values_per_cycle.value);
    demand.epilogue_cycles += match epilogue.kind {
        EpilogueKind::SpikeProducts { operations, sums, sum_bits, reads } => {
            let bits = (operations + sums * sum_bits as usize).max(reads);
            bits as f64 * frames / f64::from(unit.spike_bits_per_cycle.value)
        }
        // An OR of spikes goes through the spike path, comparisons of integers through the lanes.
        EpilogueKind::Pool { comparisons, bits: 1, .. } => {
            values * comparisons as f64 / f64::from(unit.spike_bits_per_cycle.value)
        }
        EpilogueKind::Pool { comparisons, .. } => values * comparisons as f64 / per_cycle,
        EpilogueKind::Sum { additions, .. } => values * additions as f64 / per_cycle,
        _ => values / per_cycle,
    };
    *energy_of(demand, epilogue) += values * operation_pj(machine, epilogue) * 1e-12;
}

/// Energy of one output value.
fn operation_pj(machine: &Machine, epilogue: &Epilogue) -> f64 {
    let table = &machine.table;
    let rescale_pj = |bits: u32, shift: bool| {
        if shift { table.shift_pj(f64::from(bits)) } else { table.multiply_pj(f64::from(bits), 16.0) }
    };
    match epilogue.kind {
        EpilogueKind::Neuron { potential_bits, .. } => {
            let bits = f64::from(potential_bits);
            table.add_pj(bits) + table.compare_pj(bits) + table.register_pj(bits)
        }
        EpilogueKind::IntegerNeuron { levels, potential_bits } => {
            f64::from(levels) * table.compare_pj(f64::from(potential_bits))
        }
        EpilogueKind::Requantize { from_bits, shift, .. } => rescale_pj(from_bits, shift),
        EpilogueKind::Join { from_bits, bits, shift } => {
            rescale_pj(from_bits, shift) + table.add_pj(f64::from(bits)) + table.register_pj(f64::from(bits))
        }
        EpilogueKind::CountJoin { bits } => table.add_pj(f64::from(bits)),
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

fn add_traffic(
    demand: &mut Demand,
    machine: &Machine,
    (layer, plan): (&Layer, &Plan),
    epilogue: &Epilogue,
    activity: &Activity,
    frames: f64,
) {
    let bits = epilogue.bits_per_frame();
    let written = encoding::of_output(machine.hardware.spike_encoding, epilogue, activity, frames);
    demand.read(Operand::Activations, bits.activations_read * frames);
    demand.write(Operand::Activations, bits.activations_written * frames * written);
    demand.read(Operand::Residual, bits.residual_read * frames);
    demand.write(Operand::Residual, bits.residual_written * frames);
    if !plan.keeps_membranes(layer, &machine.hardware.compute) {
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
