use std::fmt;

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::work::Work;
use crate::error::{Fault, Result};
use crate::hw::EventTable;
use crate::hw::sourced::{Sourced, positive};
use crate::num::Decoder;

/// Widths of a product that a unit takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takes {
    /// Widest weight code.
    pub weight_bits: u32,
    /// Widest input; 1 for spikes only.
    pub input_bits: u32,
    /// The field that says so.
    pub inputs: &'static str,
    /// Widest sum; `None` where sums are whole words.
    pub sum_bits: Option<u32>,
    /// True if inputs whose sums are wider may come in parts of their bits, which are added up behind the unit.
    pub in_parts: bool,
}

/// Widths of weights, inputs and sums of a unit that states each of them.
pub(super) struct Widths<'a> {
    pub max_weight_bits: &'a Sourced<u32>,
    pub input_bits: &'a Sourced<u32>,
    pub accumulator_bits: &'a Sourced<u32>,
}

impl Widths<'_> {
    pub fn check(&self) -> Result<(), Fault> {
        positive("max_weight_bits", self.max_weight_bits, 32)?;
        positive("input_bits", self.input_bits, 32)?;
        positive("accumulator_bits", self.accumulator_bits, 64)
    }

    pub fn takes(&self) -> Takes {
        Takes {
            weight_bits: self.max_weight_bits.value,
            input_bits: self.input_bits.value,
            inputs: "input_bits",
            sum_bits: Some(self.accumulator_bits.value),
            in_parts: false,
        }
    }
}

/// Products by the shape of their sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProductKind {
    /// Over channels at one position: linear layers and 1x1 convolutions.
    Pointwise,
    /// Over channels and a kernel.
    Convolution,
    /// Over the channels of a group, depthwise ones included.
    Grouped,
}

/// Refuses a decoder that decodes nothing up to `most_bits`, or that stands there twice.
pub(super) fn check_decoders(decoders: &[Decoder], most_bits: u32) -> Result<(), Fault> {
    for (i, decoder) in decoders.iter().enumerate() {
        let field = || format!("decoders[{i}]");
        if *decoder != Decoder::PowerOfTwo && decoder.table(most_bits).is_none() {
            let message = format!("{decoder} has no codes of up to {most_bits} bits (max_weight_bits)");
            return Err(Fault::new(field(), message));
        }
        if decoders[..i].contains(decoder) {
            return Err(Fault::new(field(), format!("{decoder} twice")));
        }
    }
    Ok(())
}

/// Gates of all tables of `decoders` for codes of up to `most_bits` bits, and the widest operand, those codes among them.
pub(super) fn tables(decoders: &[Decoder], most_bits: u32) -> [u32; 2] {
    let tables = decoders.iter().filter_map(|decoder| decoder.table(most_bits));
    tables.fold([0, most_bits], |[gates, operand], [more, wide]| [gates + more, operand.max(wide)])
}

/// Bits of the tables that layers write, of all `decoders` for codes of up to `most_bits` bits.
pub(super) fn written_bits(decoders: &[Decoder], most_bits: u32) -> f64 {
    f64::from(decoders.iter().map(|decoder| decoder.written_bits(most_bits)).sum::<u32>())
}

/// Refuses a unit that takes nothing.
pub(super) fn check_kinds(kinds: Option<&[ProductKind]>) -> Result<(), Fault> {
    if kinds.is_some_and(<[_]>::is_empty) {
        return Err(Fault::new("kinds", "empty: it would never work"));
    }
    Ok(())
}

/// What a unit of `kinds` takes instead of a product of `shape`, if it does not take it.
pub(super) fn refuses_kind(kinds: Option<&[ProductKind]>, shape: ProductShape) -> Option<String> {
    let kinds = kinds.filter(|kinds| !kinds.contains(&shape.kind()))?;
    Some(format!("products of kinds {kinds:?} (kinds)"))
}

/// What of a product units tell apart beside its widths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProductShape {
    /// Output positions.
    pub positions: usize,
    /// Positions of the kernel.
    pub taps: usize,
    /// Groups that do not mix.
    pub groups: usize,
    /// True if it reads spikes.
    pub reads_spikes: bool,
}

impl ProductShape {
    /// What kind of sums it has.
    pub fn kind(&self) -> ProductKind {
        if self.groups > 1 {
            ProductKind::Grouped
        } else if self.taps > 1 {
            ProductKind::Convolution
        } else {
            ProductKind::Pointwise
        }
    }
}

impl fmt::Display for ProductShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reads = if self.reads_spikes { "spikes" } else { "integers" };
        write!(f, "{:?} sums of {reads} at {} positions", self.kind(), self.positions)
    }
}

/// How a unit is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charged {
    /// By operations and accesses.
    Operations,
    /// By its cycles, which cover memories, clock and control.
    Cycles,
    /// By whole events, which cover memories, clock and control.
    Events,
}

/// Sums of a few rows wait on chip while the weights of their inputs pass, some at a time; the next rows fetch
/// the weights again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneTile {
    /// Rows of the spike matrix: positions times timesteps.
    pub rows: Sourced<u32>,
    /// Inputs whose weights are in the buffer.
    pub inputs: Sourced<u32>,
}

/// What a mapper must know of a unit.
pub trait Datapath {
    /// What messages call it.
    fn name(&self) -> &str;

    /// Refuses figures out of range.
    ///
    /// # Errors
    /// The field, of the unit.
    fn check(&self) -> Result<(), Fault>;

    /// Products that it takes; `None` if it takes none.
    fn takes(&self) -> Option<Takes> {
        None
    }

    /// Decoders of weight codes beside two's complement and powers of two; `None` if it takes any, by a program.
    fn decoders(&self) -> Option<&[Decoder]> {
        Some(&[])
    }

    /// True if it takes codes that `decoder` decodes.
    fn decodes(&self, decoder: Decoder) -> bool {
        decoder == Decoder::PowerOfTwo || self.decoders().is_none_or(|all| all.contains(&decoder))
    }

    /// What it takes instead, if it takes no product of `shape`.
    fn refuses_shape(&self, _shape: ProductShape) -> Option<String> {
        None
    }

    /// True if it does `work` beside the products: of any layer, or of those whose products it takes.
    fn does(&self, _work: Work) -> bool {
        false
    }

    /// True if sums of inputs that are the same at every timestep may be held for all of them.
    fn holds_constant_sums(&self) -> bool {
        true
    }

    /// What its lanes may stand for; empty for a unit that goes through a product value by value.
    fn layouts(&self) -> Vec<Layout> {
        Vec::new()
    }

    /// What of a product is on chip at a time.
    fn tile(&self) -> Option<&LaneTile> {
        None
    }

    /// True if the accumulator of an output keeps its membrane from one timestep to the next.
    fn keeps_state(&self) -> bool {
        false
    }

    /// True if sums that stay do so in the memory of partial sums, those of a whole map, and not in lanes.
    fn sums_in_memory(&self) -> bool {
        false
    }

    /// True if the timesteps of a position, where they are innermost, are further positions.
    fn timesteps_are_positions(&self) -> bool {
        false
    }

    /// True if it has no use for one timestep alone.
    fn needs_all_timesteps(&self) -> bool {
        false
    }

    /// How it is charged.
    fn charged(&self) -> Charged {
        Charged::Operations
    }

    /// Energies of whole events, where it is charged by them.
    ///
    /// # Errors
    /// If they cannot be read.
    fn events(&self) -> Result<Option<EventTable>> {
        Ok(None)
    }
}
