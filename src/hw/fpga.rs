//! Field-programmable gate arrays: what a part has, and what units and memories take of it.
//!
//! What is counted are adders, comparators, multipliers, registers and block memories of the description. Decoders,
//! queues between units and interfaces come on top in a design that was routed, so these figures are lower bounds, and a
//! machine that exceeds its part by them cannot be built.

use serde::{Deserialize, Serialize};

use super::memory::MemorySpec;
use super::sourced::{Sourced, number, positive};
use super::sram::Sram;
use super::units::{EventCores, MultiBit, NEURON_BITS, SpikeLanes, Systolic, Unit, Unrolling, Vector};
use crate::error::Fault;
use crate::num::Decoder;

/// A part, as far as a machine may use it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fpga {
    /// Name of the part.
    #[serde(deserialize_with = "crate::name::title")]
    pub part: String,
    /// Look-up tables of six inputs.
    pub luts: Sourced<u32>,
    /// Flip-flops.
    pub flip_flops: Sourced<u32>,
    /// Multipliers of 18 x 25 bits or more.
    pub dsps: Sourced<u32>,
    /// Memories of 36 Kbit.
    pub block_rams: Sourced<u32>,
    /// What it draws when nothing switches.
    pub static_w: Sourced<f64>,
}

/// What a machine takes of a part, at least.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Resources {
    /// Look-up tables.
    pub luts: f64,
    /// Flip-flops.
    pub flip_flops: f64,
    /// Multipliers.
    pub dsps: f64,
    /// Memories of 36 Kbit.
    pub block_rams: f64,
}

/// Most of any resource.
const MOST: u32 = 1 << 26;

/// Widest product of two n-bit values in look-up tables; wider ones take a multiplier. Designers do so, too: AMD's
/// multiplier of 9 x 9 bits takes 115 of them (DS255, Virtex-7).
const LUT_PRODUCT_BITS: f64 = 9.0;

/// Look-up tables of a product, per pair of bits: 115 of 9 x 9 (AMD DS255).
const LUTS_PER_BIT_PAIR: f64 = 115.0 / 81.0;

/// Widest product of one multiplier along its shorter side (AMD UG479: 25 x 18).
const DSP_BITS: f64 = 18.0;

/// Depths of a block memory with words of so many bits (AMD UG473, simple dual port).
const BLOCK_SHAPES: [(u32, u64); 7] =
    [(72, 512), (36, 1024), (18, 2048), (9, 4096), (4, 8192), (2, 16_384), (1, 32_768)];

impl Fpga {
    /// What a machine may use.
    pub fn has(&self) -> Resources {
        let [luts, flip_flops, dsps, block_rams] =
            [&self.luts, &self.flip_flops, &self.dsps, &self.block_rams].map(|has| f64::from(has.value));
        Resources { luts, flip_flops, dsps, block_rams }
    }

    /// Refuses figures out of range, and `units` with `memories` that take more than there is.
    pub(super) fn check(&self, units: &[Unit], memories: &[MemorySpec]) -> Result<(), Fault> {
        positive("fpga.luts", &self.luts, MOST)?;
        positive("fpga.flip_flops", &self.flip_flops, MOST)?;
        positive("fpga.dsps", &self.dsps, MOST)?;
        positive("fpga.block_rams", &self.block_rams, MOST)?;
        number("fpga.static_w", &self.static_w, 0.0, 1e3)?;
        let (used, has) = (resources(units, memories).parts(), self.has().parts());
        match used.into_iter().zip(has).find(|((_, used), (_, has))| used > has) {
            Some(((label, used), (_, has))) => {
                let part = &self.part;
                let message =
                    format!("the machine takes at least {used:.0} {label}, and {part} has {has:.0}");
                Err(Fault::new("fpga", message))
            }
            None => Ok(()),
        }
    }
}

impl Resources {
    /// Each of them, with what it is called.
    pub fn parts(&self) -> [(&'static str, f64); 4] {
        let Self { luts, flip_flops, dsps, block_rams } = *self;
        [
            ("look-up tables", luts),
            ("flip-flops", flip_flops),
            ("multipliers", dsps),
            ("block memories", block_rams),
        ]
    }

    fn add(&mut self, other: Self) {
        self.luts += other.luts;
        self.flip_flops += other.flip_flops;
        self.dsps += other.dsps;
        self.block_rams += other.block_rams;
    }

    /// Resources of `count` such circuits.
    fn times(self, count: f64) -> Self {
        Self {
            luts: self.luts * count,
            flip_flops: self.flip_flops * count,
            dsps: self.dsps * count,
            block_rams: self.block_rams * count,
        }
    }
}

/// What `units` and `memories` take of a part, at least: one look-up table for every bit of a sum or a comparison (AMD UG474: a bit
/// of a carry chain), a flip-flop for every bit that is kept.
pub fn resources(units: &[Unit], memories: &[MemorySpec]) -> Resources {
    let mut all = Resources::default();
    for unit in units {
        all.add(match unit {
            Unit::SpikeLanes(unit) => lanes(unit),
            Unit::Systolic(unit) => systolic(unit),
            Unit::Vector(unit) => vector(unit),
            Unit::EventCores(unit) => event_cores(unit),
            Unit::Processor(_) | Unit::ManyCore(_) => Resources::default(),
        });
    }
    all.block_rams = memories.iter().map(block_rams).sum::<u64>() as f64;
    all
}

/// Resources of the layout that takes most, and of membranes that wait in the array.
fn lanes(unit: &SpikeLanes) -> Resources {
    let layouts = unit.layouts.iter().map(|layout| lanes_as(unit, &layout.lanes));
    let mut all = layouts.max_by(|a, b| a.luts.total_cmp(&b.luts)).unwrap_or_default();
    all.flip_flops += unit.kept_membranes() * NEURON_BITS;
    all
}

/// Weights and sums that are kept, an addition for each sum, gated by a spike in its look-up tables, and the tree of
/// those lanes that share one.
fn lanes_as(unit: &SpikeLanes, lanes: &Unrolling) -> Resources {
    let (code, sum) = (f64::from(unit.max_weight_bits.value), f64::from(unit.accumulator_bits.value));
    let weight = f64::from(unit.tables()[1]);
    let (count, summed) = (lanes.lanes(), f64::from(unit.lanes_of_a_sum(lanes)));
    let tree = if summed > 1.0 { count * (weight + summed.log2()) } else { 0.0 };
    let sums = count / summed * sum;
    let mut all = Resources {
        luts: tree + sums + count * table_luts(&unit.decoders, unit.max_weight_bits.value),
        flip_flops: unit.held_weights(lanes) * code + sums,
        ..Resources::default()
    };
    if unit.multi_bit == MultiBit::Multiplier {
        let [weight, input] = unit.multiplier_bits();
        all.add(product(weight, input).times(count));
    }
    all
}

/// Look-up tables of all decoders.
fn table_luts(decoders: &[Decoder], most_bits: u32) -> f64 {
    f64::from(decoders.iter().map(|decoder| decoder.lookup_tables(most_bits)).sum::<u32>())
}

/// Sums that are added to at once, those registers, and tables of weight codes.
fn event_cores(unit: &EventCores) -> Resources {
    let adders = unit.adders.as_ref().map_or(unit.channels.value, |adders| adders.value);
    let bits = f64::from(adders) * f64::from(unit.accumulator_bits.value);
    let tables = f64::from(adders) * table_luts(&unit.decoders, unit.max_weight_bits.value);
    Resources { luts: bits + tables, flip_flops: bits, ..Resources::default() }
}

fn systolic(unit: &Systolic) -> Resources {
    let bits = [&unit.max_weight_bits, &unit.input_bits, &unit.accumulator_bits];
    let [code, input, sum] = bits.map(|bits| f64::from(bits.value));
    let mut cell = product(f64::from(unit.tables()[1]), input);
    let luts = sum + table_luts(&unit.decoders, unit.max_weight_bits.value);
    cell.add(Resources { luts, flip_flops: sum + code + input, ..Resources::default() });
    cell.times(f64::from(unit.rows.value) * f64::from(unit.columns.value))
}

/// Neurons that add, compare and keep a potential, and a look-up table for every spike of attention, which meets
/// another in it and is counted. What rescales behind neurons may shift, and is not counted.
fn vector(unit: &Vector) -> Resources {
    let lane = Resources { luts: 2.0 * NEURON_BITS, flip_flops: NEURON_BITS, ..Resources::default() };
    let mut all = lane.times(f64::from(unit.values_per_cycle.value));
    all.luts += f64::from(unit.spike_bits_per_cycle.value);
    all
}

/// A product of `a` x `b` bits: gates in the adder behind it where one of them is a bit, look-up tables, or multipliers.
fn product(a: f64, b: f64) -> Resources {
    let (shorter, longer) = (a.min(b), a.max(b));
    if shorter <= 1.0 {
        Resources::default()
    } else if longer <= LUT_PRODUCT_BITS {
        Resources { luts: LUTS_PER_BIT_PAIR * a * b, ..Resources::default() }
    } else {
        Resources { dsps: (shorter / DSP_BITS).ceil() * (longer / DSP_BITS).ceil(), ..Resources::default() }
    }
}

/// Block memories of a bank of a memory.
struct Blocks {
    all: u64,
    /// Block memories that an access wakes.
    side_by_side: u32,
}

/// The shape of block memories of which a bank takes fewest; of several, the one whose accesses wake fewest.
fn blocks(memory: &MemorySpec) -> Blocks {
    let (banks, word) = (u64::from(memory.banks()), memory.word_bits.value);
    let depth = (memory.capacity_bytes.value * 8).div_ceil(banks * u64::from(word));
    let of = |(bits, words): (u32, u64)| {
        let side_by_side = word.div_ceil(bits);
        Blocks { all: u64::from(side_by_side) * depth.div_ceil(words), side_by_side }
    };
    let shapes = BLOCK_SHAPES.map(of).into_iter();
    shapes.min_by_key(|blocks| (blocks.all, blocks.side_by_side)).expect("there are shapes")
}

/// Block memories of `memory`.
fn block_rams(memory: &MemorySpec) -> u64 {
    u64::from(memory.banks()) * blocks(memory).all
}

/// Energy of a block memory that is enabled for a cycle, in pJ, and its shortest cycle, in ns.
///
/// 28 nm: 0.844 W of 312.5 blocks at 200 MHz, reported by Vivado for a synthesized design (ExSpike, arXiv 2606.20414):
/// the energy of an access if all of them are enabled in every cycle, and more if they are not. 16 nm: 0.5 to 0.6 times
/// that is assumed. Cycles are those of the slowest grades (AMD DS183: 458 MHz, DS923: 645 MHz).
fn block_figures(technology_nm: f64) -> Option<[f64; 2]> {
    match technology_nm {
        28.0 => Some([13.5, 2.18]),
        16.0 => Some([7.4, 1.55]),
        _ => None,
    }
}

/// `memory` in block memories at `technology_nm`: their leakage is the part's.
///
/// # Errors
/// If there are no figures for the node.
pub(super) fn block_memory(memory: &MemorySpec, technology_nm: f64) -> Result<Sram, String> {
    let Some([access_pj, cycle_ns]) = block_figures(technology_nm) else {
        return Err(format!("block memories are known at 28 and at 16 nm, and not at {technology_nm} nm"));
    };
    let per_bit = f64::from(blocks(memory).side_by_side) * access_pj / f64::from(memory.word_bits.value);
    Ok(Sram { read_pj_per_bit: per_bit, write_pj_per_bit: per_bit, leakage_w: 0.0, area_mm2: 0.0, cycle_ns })
}
