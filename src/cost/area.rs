use super::parts::AreaMm2;
use crate::hw::table::EnergyTable;
use crate::hw::{
    Datapath, Hardware, MemorySpec, MultiBit, NEURON_BITS, Operand, SpikeLanes, Systolic, Unit, Unrolling,
    Vector, Work,
};

/// Width of a requantizer's multiplier.
const MULTIPLIER_BITS: f64 = 16.0;
/// Area of a gate equivalent (a NAND2) at 28 nm, in um2: 0.9576 at 40 nm (TSMC 40G, 12 tracks) at twice the density,
/// as TSMC states it for 28 nm. Other libraries have 0.30 to 0.65. At other nodes it goes with the square of the node.
const GATE_UM2_AT_28_NM: f64 = 0.49;
/// Gate equivalents of an AND of two inputs.
const AND_GATES: f64 = 1.33;
/// Gate equivalents of a selection of one of two bits.
const SELECT_GATES: f64 = 2.33;
/// Bits that adders of a large tree have above those of its leaves, on average: half of them one, a quarter two.
const MEAN_CARRY_BITS: f64 = 2.0;

/// Area of the units of `hardware` and of its memories; `None` for processors and cores, whose area is not described, or
/// where the energy table has no areas.
pub fn area_mm2(hardware: &Hardware, table: &EnergyTable) -> Option<AreaMm2> {
    let gate_um2 = GATE_UM2_AT_28_NM * (hardware.technology_nm.value / 28.0).powi(2);
    let mut area = AreaMm2::default();
    for unit in &hardware.units {
        area.add_scaled(&unit_mm2(unit, table, gate_um2)?, 1.0);
    }
    for memory in &hardware.memories {
        let part = if memory.holds.contains(&Operand::Weights) {
            &mut area.weight_memory
        } else {
            &mut area.other_memories
        };
        *part += hardware.memory_macro(memory).area_mm2;
        area.crossbars += crossbar_um2(memory, gate_um2) * 1e-6;
    }
    let share = hardware.control.as_ref().map_or(0.0, |control| control.area_share.value);
    area.control = area.logic() * share / (1.0 - share);
    Some(area)
}

/// Every bit that a memory moves in a cycle may be of any of its banks.
fn crossbar_um2(memory: &MemorySpec, gate_um2: f64) -> f64 {
    let bits = f64::from(memory.bandwidth_bits_per_cycle.value);
    bits * f64::from(memory.banks() - 1) * SELECT_GATES * gate_um2
}

/// Area of the logic of `unit`; `None` where it is not known.
fn unit_mm2(unit: &Unit, table: &EnergyTable, gate_um2: f64) -> Option<AreaMm2> {
    match unit {
        Unit::SpikeLanes(unit) => lanes(unit, table, gate_um2),
        Unit::Systolic(unit) => systolic(unit, table, gate_um2),
        Unit::Vector(unit) => vector(unit, table, gate_um2),
        Unit::EventCores(_) | Unit::Processor(_) | Unit::ManyCore(_) => None,
    }
}

/// The largest of the layouts, membranes that wait in the array, and tables that layers write.
fn lanes(unit: &SpikeLanes, table: &EnergyTable, gate_um2: f64) -> Option<AreaMm2> {
    let layouts = unit.layouts.iter().map(|layout| lanes_as(unit, &layout.lanes, table, gate_um2));
    let mut largest = layouts.collect::<Option<Vec<_>>>()?.into_iter().max_by(|a, b| {
        let [a, b] = [a, b].map(AreaMm2::total);
        a.total_cmp(&b)
    })?;
    largest.registers += unit.kept_membranes() * table.register_area_um2(NEURON_BITS)? * 1e-6;
    largest.registers += written_um2(unit.written_bits(), table)? * 1e-6;
    Some(largest)
}

/// An adder and a register for each sum, with a tree of adders where lanes share one; weights, the
/// tables of their codes, and what integers need.
fn lanes_as(unit: &SpikeLanes, lanes: &Unrolling, table: &EnergyTable, gate_um2: f64) -> Option<AreaMm2> {
    let code = f64::from(unit.max_weight_bits.value);
    let [gates, weight] = unit.tables().map(f64::from);
    let sum = f64::from(unit.accumulator_bits.value);
    let table_um2 = gates * AND_GATES * gate_um2;
    let multiplier_um2 = match unit.multi_bit {
        MultiBit::Absent => 0.0,
        // A gate for each bit of the weight.
        MultiBit::BitSerial => weight * AND_GATES * gate_um2,
        MultiBit::Multiplier => {
            let [weight, input] = unit.multiplier_bits();
            table.multiply_area_um2(weight, input)?
        }
    };
    let (count, sums) = (lanes.lanes(), lanes.lanes() / f64::from(unit.lanes_of_a_sum(lanes)));
    let adders_um2 =
        sums * table.add_area_um2(sum)? + (count - sums) * table.add_area_um2(weight + MEAN_CARRY_BITS)?;
    let registers_um2 =
        sums * table.register_area_um2(sum)? + unit.held_weights(lanes) * table.register_area_um2(code)?;
    Some(array(adders_um2 + count * (multiplier_um2 + table_um2), registers_um2))
}

/// A multiplier, an adder, tables of weight codes and the registers of sum, weight and input for each unit, and once those
/// of tables that layers write.
fn systolic(unit: &Systolic, table: &EnergyTable, gate_um2: f64) -> Option<AreaMm2> {
    let code = f64::from(unit.max_weight_bits.value);
    let [gates, weight] = unit.tables().map(f64::from);
    let input = f64::from(unit.input_bits.value);
    let sum = f64::from(unit.accumulator_bits.value);
    let register = |bits: f64| table.register_area_um2(bits);
    let registers_um2 = register(sum)? + register(code)? + register(input)?;
    let count = f64::from(unit.rows.value) * f64::from(unit.columns.value);
    let multiplier_um2 = table.multiply_area_um2(weight, input)?;
    let arithmetic_um2 = count * (table.add_area_um2(sum)? + multiplier_um2 + gates * AND_GATES * gate_um2);
    Some(array(arithmetic_um2, count * registers_um2 + written_um2(unit.written_bits(), table)?))
}

/// Registers of so many bits of tables that layers write.
fn written_um2(bits: f64, table: &EnergyTable) -> Option<f64> {
    if bits == 0.0 { Some(0.0) } else { table.register_area_um2(bits) }
}

/// An array of so many um2.
fn array(arithmetic_um2: f64, registers_um2: f64) -> AreaMm2 {
    AreaMm2 { arithmetic: arithmetic_um2 * 1e-6, registers: registers_um2 * 1e-6, ..AreaMm2::default() }
}

fn vector(unit: &Vector, table: &EnergyTable, gate_um2: f64) -> Option<AreaMm2> {
    let lanes = f64::from(unit.values_per_cycle.value);
    // A neuron lane adds, compares (a subtraction) and keeps a potential; behind it, a multiplication
    // rescales what goes to the residual stream.
    let neuron_um2 = 2.0 * table.add_area_um2(NEURON_BITS)? + table.register_area_um2(NEURON_BITS)?;
    let requantizer_um2 = if unit.does(Work::Requantization) {
        table.multiply_area_um2(NEURON_BITS, MULTIPLIER_BITS)?
    } else {
        0.0
    };
    // Spikes of attention meet in a gate each, and n of them are counted by about n full adders.
    let spike_um2 = AND_GATES * gate_um2 + table.add_area_um2(1.0)?;
    Some(AreaMm2 {
        attention: f64::from(unit.spike_bits_per_cycle.value) * spike_um2 * 1e-6,
        neurons: lanes * neuron_um2 * 1e-6,
        requantizers: lanes * requantizer_um2 * 1e-6,
        ..AreaMm2::default()
    })
}
