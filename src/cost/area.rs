use super::parts::AreaMm2;
use crate::hw::table::EnergyTable;
use crate::hw::{Compute, Hardware, MultiBit, Operand, VectorUnit};

/// Width of a neuron lane's registers and adder.
const NEURON_BITS: f64 = 16.0;
/// Width of a requantizer's multiplier.
const MULTIPLIER_BITS: f64 = 16.0;

/// Area of the datapath units that the description names, and of its memories; `None` for a
/// processor, whose core area is not described, or where the energy table has no areas.
pub fn area_mm2(hardware: &Hardware, table: &EnergyTable) -> Option<AreaMm2> {
    let mut area = match &hardware.compute {
        Compute::Processor(_) | Compute::ManyCore(_) => return None,
        Compute::SpikeLanes(lanes) => {
            let weight = f64::from(lanes.max_weight_bits.value);
            let sum = f64::from(lanes.accumulator_bits.value);
            let multiplier_um2 = match lanes.multi_bit {
                MultiBit::BitSerial | MultiBit::Absent => 0.0,
                MultiBit::Multiplier => table.multiply_area_um2(weight, weight)?,
            };
            let count = f64::from(lanes.positions.value) * f64::from(lanes.channels.value);
            let arithmetic = count * (table.add_area_um2(sum)? + multiplier_um2);
            array(arithmetic, count * table.register_area_um2(sum)?, &lanes.vector, table)?
        }
        Compute::Systolic(systolic) => {
            let weight = f64::from(systolic.max_weight_bits.value);
            let input = f64::from(systolic.input_bits.value);
            let sum = f64::from(systolic.accumulator_bits.value);
            let register = |bits: f64| table.register_area_um2(bits);
            let registers_um2 = register(sum)? + register(weight)? + register(input)?;
            let count = f64::from(systolic.rows.value) * f64::from(systolic.columns.value);
            let arithmetic = count * (table.add_area_um2(sum)? + table.multiply_area_um2(weight, input)?);
            array(arithmetic, count * registers_um2, &systolic.vector, table)?
        }
    };
    for memory in &hardware.memories {
        let part = if memory.holds.contains(&Operand::Weights) {
            &mut area.weight_memory
        } else {
            &mut area.other_memories
        };
        *part += hardware.memory_macro(memory).area_mm2;
    }
    Some(area)
}

/// An array of so many um2 with the unit beside it.
fn array(
    arithmetic_um2: f64,
    registers_um2: f64,
    vector: &VectorUnit,
    table: &EnergyTable,
) -> Option<AreaMm2> {
    let lanes = f64::from(vector.values_per_cycle.value);
    // A neuron lane adds, compares (a subtraction) and keeps a potential; behind it, a multiplication
    // rescales what goes to the residual stream.
    let neuron_um2 = 2.0 * table.add_area_um2(NEURON_BITS)? + table.register_area_um2(NEURON_BITS)?;
    let requantizer_um2 = table.multiply_area_um2(NEURON_BITS, MULTIPLIER_BITS)?;
    Some(AreaMm2 {
        arithmetic: arithmetic_um2 * 1e-6,
        registers: registers_um2 * 1e-6,
        neurons: lanes * neuron_um2 * 1e-6,
        requantizers: lanes * requantizer_um2 * 1e-6,
        ..AreaMm2::default()
    })
}
