use crate::hw::table::EnergyTable;
use crate::hw::{Compute, Hardware, MultiBit};

/// Area of a machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Adders, multipliers, registers, neuron lanes.
    pub logic_mm2: f64,
    /// On-chip memories.
    pub memory_mm2: f64,
}

impl Area {
    /// All of it; control, wires and pads are not counted.
    pub fn total(&self) -> f64 {
        self.logic_mm2 + self.memory_mm2
    }
}

/// Width of a neuron lane's registers and adder.
const NEURON_BITS: f64 = 16.0;

/// Area of the datapath units that the description names, and of its memories; `None` for a
/// processor, whose core area is not described, or where the energy table has no areas.
pub fn area_mm2(hardware: &Hardware, table: &EnergyTable) -> Option<Area> {
    let unit = |accumulator_bits: u32| {
        let bits = f64::from(accumulator_bits);
        Some(table.add_area_um2(bits)? + table.register_area_um2(bits)?)
    };
    let (array_um2, vector) = match &hardware.compute {
        Compute::Processor(_) | Compute::ManyCore(_) => return None,
        Compute::SpikeLanes(lanes) => {
            let weight = f64::from(lanes.max_weight_bits.value);
            let multiplier = match lanes.multi_bit {
                MultiBit::BitSerial => 0.0,
                MultiBit::Multiplier => table.multiply_area_um2(weight, weight)?,
            };
            let count = f64::from(lanes.positions.value) * f64::from(lanes.channels.value);
            (count * (unit(lanes.accumulator_bits.value)? + multiplier), &lanes.vector)
        }
        Compute::Systolic(array) => {
            let (weight, input) = (f64::from(array.max_weight_bits.value), f64::from(array.input_bits.value));
            let operands = table.register_area_um2(weight)? + table.register_area_um2(input)?;
            let count = f64::from(array.rows.value) * f64::from(array.columns.value);
            let multiplier = table.multiply_area_um2(weight, input)?;
            (count * (unit(array.accumulator_bits.value)? + multiplier + operands), &array.vector)
        }
    };
    // A neuron lane adds, compares (a subtraction) and keeps a potential.
    let neuron_um2 = 2.0 * table.add_area_um2(NEURON_BITS)? + table.register_area_um2(NEURON_BITS)?;
    let vector_um2 = f64::from(vector.values_per_cycle.value) * neuron_um2;
    let memory_mm2 = hardware.memories.iter().map(|m| hardware.memory_macro(m).area_mm2).sum();
    Some(Area { logic_mm2: (array_um2 + vector_um2) * 1e-6, memory_mm2 })
}
