//! Rows of weights whose banks meet, and rows that positions read together, on lanes that step over zeros.

use super::stalls::{Direction, Place, Stall, StallPart};
use super::zeros::Waves;
use super::{Demand, Machine};
use crate::exec::{Pattern, RowShape};
use crate::hw::{BankConflicts, Operand, SpatialDim, SpikeLanes, Unrolling, Zeros};
use crate::map::Plan;

/// What the positions of all waves take, for one pass over the output channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Met {
    /// Cycles until the last position of each wave has its rows.
    pub cycles: f64,
    /// Rows that are read.
    pub reads: f64,
}

/// What has to be counted where `lanes` of `unit` read rows of weights: those of positions alone, with lanes for output
/// channels side by side.
pub fn pattern(unit: &SpikeLanes, machine: &Machine, lanes: &Unrolling) -> Option<Pattern> {
    let memory = &machine.hardware.memories[machine.inner[Operand::Weights]];
    let BankConflicts::Counted { shares_rows: shares } = memory.conflicts else { return None };
    let channels = lanes.extent(SpatialDim::OutputChannels);
    let alone = lanes.along(&[SpatialDim::OutputChannels, SpatialDim::Positions]) == lanes.lanes();
    if !alone || !matches!(unit.zeros, Zeros::Skip) {
        return None;
    }
    let bits = channels * unit.max_weight_bits.value;
    let most_words = bits.div_ceil(memory.word_bits.value).min(memory.banks()) as usize;
    let positions = lanes.extent(SpatialDim::Positions) as usize;
    Some(Pattern::Rows(RowShape { positions, banks: memory.banks() as usize, most_words, shares }))
}

/// What was counted, of rows as wide as the tiles of `plan` make them.
pub fn counted(unit: &SpikeLanes, machine: &Machine, plan: &Plan, waves: &Waves<'_>) -> Option<Met> {
    let counted = waves.pattern(pattern(unit, machine, waves.lanes)?)?;
    let bits = plan.channels.min(waves.product.group_outputs()) as f64 * waves.product.code_bits();
    let word_bits = f64::from(machine.hardware.memories[machine.inner[Operand::Weights]].word_bits.value);
    let words = (bits / word_bits).ceil().max(1.0) as usize;
    let rows = counted.rows.get(words - 1).or(counted.rows.last())?;
    let repeat = waves.repeat();
    Some(Met { cycles: rows.cycles as f64 * repeat, reads: rows.reads as f64 * repeat })
}

/// Lets the lanes wait `cycles` for rows whose banks others read.
pub fn wait(demand: &mut Demand, machine: &Machine, cycles: f64) {
    let memory = Place::OnChip(machine.inner[Operand::Weights]);
    demand.array.access += cycles;
    demand.accesses.add(Stall { part: StallPart::Port, memory, direction: Direction::Read, cycles });
}
