//! Products and epilogues on a scalar processor: instructions counted from what was executed.

use super::cost_model::CostModel;
use super::epilogue::energy_of;
use super::run::Run;
use super::tiled::{self, OnChip, Tiled};
use super::{ArrayCycles, Demand, Direction, LayerCost, Machine, Place, Stall, StallPart};
use crate::exec::NodeActivity;
use crate::hw::{Operand, Processor};
use crate::map::{Epilogue, EpilogueKind, Input, Product};

/// Narrowest accumulators that are packed into a word.
const PACKED_ACCUMULATOR_BITS: u32 = 16;

impl CostModel for Processor {
    fn layer_cost(&self, machine: &Machine, run: Run<'_>) -> LayerCost {
        tiled::layer_cost(self, machine, run)
    }

    fn on_chip(&self, machine: &Machine, run: Run<'_>, known: Option<&OnChip>) -> Option<OnChip> {
        Some(tiled::on_chip(self, machine, run, known))
    }
}

impl Tiled for Processor {
    fn product(&self, machine: &Machine, run: Run<'_>, product: &Product, frames: f64) -> Demand {
        demand(self, machine, product, &run.activity.nodes[product.node.index()], frames)
    }

    fn epilogue(&self, _: &Machine, run: Run<'_>, demand: &mut Demand) {
        for epilogue in &run.layer.epilogue {
            let cycles = epilogue_cycles(self, epilogue) * epilogue.frames(run.timesteps);
            demand.epilogue_cycles += cycles;
            *demand.ideal.of(epilogue.work()) += cycles;
            *demand.busy.of(epilogue.work()) += cycles;
            *energy_of(demand, epilogue) += cycles * self.energy_pj_per_cycle.value * 1e-12;
        }
    }

    fn fetches_parameters(&self) -> bool {
        false
    }
}

/// What `product` asks for: for every input that is not zero, a row of packed weights is loaded,
/// unpacked and added to the partial sums of one position.
fn demand(
    processor: &Processor,
    machine: &Machine,
    product: &Product,
    activity: &NodeActivity,
    frames: f64,
) -> Demand {
    let total = activity.total();
    let repeat = frames / activity.steps.len().max(1) as f64;
    let operations = total.synaptic_operations() as f64 * repeat;
    let events = total.gathered_events as f64 * repeat;
    let word = f64::from(processor.word_bits.value);
    // Partial sums of up to 16 bits are added two at a time, as SADD16 does.
    let lanes = if product.accumulator_bits <= PACKED_ACCUMULATOR_BITS { 2.0 } else { 1.0 };
    let weight_words = product.weight_bits() / word;
    let sum_words = 1.0 / lanes;
    let arithmetic = match (product.input, product.weight.shifts) {
        (Input::Spikes, _) => processor.alu_cycles.value / lanes,
        (_, Some(1)) => 2.0 * processor.alu_cycles.value,
        (_, _) => processor.multiply_cycles.value + processor.alu_cycles.value,
    };
    // Full words need no unpacking; bytes and halves one extension per pair, other widths a shift more.
    let unpack = match product.weight.code_bits {
        32 => 0.0,
        8 | 16 => processor.alu_cycles.value / lanes,
        _ => 2.0 * processor.alu_cycles.value / lanes,
    };
    let looked_up = if product.weight.is_looked_up() { processor.load_cycles.value } else { 0.0 };
    let inputs = (product.positions * product.fan_in * product.groups) as f64 * frames;
    let looks = inputs
        * (processor.alu_cycles.value + processor.load_cycles.value * f64::from(product.input.bits()) / word);
    let array = ArrayCycles {
        ideal: operations * arithmetic,
        under_utilisation: operations * (unpack + looked_up)
            + events * (processor.branch_cycles.value + processor.alu_cycles.value)
            + looks,
        access: operations * processor.load_cycles.value * (weight_words + 2.0 * sum_words),
        ..ArrayCycles::default()
    };
    let mut demand = Demand { array, ..Demand::default() };
    let mut access = |operand, direction, words: f64| {
        let cycles = operations * processor.load_cycles.value * words;
        let memory = Place::OnChip(machine.inner[operand]);
        demand.accesses.add(Stall { part: StallPart::Port, memory, direction, cycles });
    };
    access(Operand::Weights, Direction::Read, weight_words);
    access(Operand::PartialSums, Direction::Read, sum_words);
    access(Operand::PartialSums, Direction::Write, sum_words);
    demand.operations_j.synapse = array.total() * processor.energy_pj_per_cycle.value * 1e-12;
    demand
}

/// Cycles of one execution of `epilogue`.
fn epilogue_cycles(processor: &Processor, epilogue: &Epilogue) -> f64 {
    let (load, alu) = (processor.load_cycles.value, processor.alu_cycles.value);
    let (branch, multiply) = (processor.branch_cycles.value, processor.multiply_cycles.value);
    let word = f64::from(processor.word_bits.value);
    let values = epilogue.values as f64;
    match epilogue.kind {
        // Load the sum; add, compare, shift; load and store the membrane; set the spike bit. A leak by no power of two
        // multiplies, and a reset by an amount of its own or behind the leak subtracts.
        EpilogueKind::Neuron { membrane_bits, multiplier_bits, subtracts, .. } => {
            let own = if subtracts { alu } else { 0.0 };
            let state = if membrane_bits.is_some() { 2.0 * load } else { 0.0 };
            let leak = if multiplier_bits > 0 { multiply } else { 0.0 };
            values * (load + state + 4.0 * alu + branch + leak + own)
        }
        // Load the sum; compare and count; store the level.
        EpilogueKind::IntegerNeuron { levels, .. } => values * (2.0 * load + 2.0 * f64::from(levels) * alu),
        EpilogueKind::Requantize { shift, .. } => {
            values * (2.0 * load + if shift { 2.0 * alu } else { multiply + 2.0 * alu })
        }
        EpilogueKind::Join { shift, .. } => {
            values * (3.0 * load + if shift { 4.0 * alu } else { multiply + 4.0 * alu })
        }
        EpilogueKind::CountJoin { .. } => values * (3.0 * load + alu),
        EpilogueKind::ClassToken { additions, .. } => {
            values * 2.0 * load + additions as f64 * (load + 3.0 * alu)
        }
        // A word of spikes at a time.
        EpilogueKind::Gate => values * (3.0 * load + alu) / word,
        EpilogueKind::Pool { comparisons, bits, .. } => {
            let per_word = if bits == 1 { word } else { 1.0 };
            values * comparisons as f64 * (load + alu) / per_word
        }
        EpilogueKind::Sum { additions, .. } => values * additions as f64 * (load + alu),
        // A word of spikes at a time; counts one by one.
        EpilogueKind::SpikeProducts { operations, sums, reads, .. } => {
            (reads as f64 * load + 2.0 * operations as f64 * alu) / word + 2.0 * sums as f64 * alu
        }
    }
}
