//! The sizes of the design in `rtl/design/`, read from a hardware description; a description that it cannot be
//! generated from is refused.

use crate::error::{Error, Result};
use crate::hw::{
    Hardware, MemorySpec, MultiBit, Operand, SpatialDim, SpikeLanes, Stationary, Unit, Unrolling, Zeros,
};

/// Width of sums and of what neurons read in the design.
pub const SUM_BITS: u32 = 32;

/// Sizes of the design.
#[derive(Debug, Clone, PartialEq)]
pub struct DesignMachine {
    /// What its lanes stand for: positions and output channels.
    pub lanes: Unrolling,
    /// Output positions of a wave.
    pub positions: usize,
    /// Output channels of a wave, and bits of a word of either memory.
    pub channels: usize,
    /// The memory of weights and parameters.
    pub weights: Banks,
    /// The memory of spikes.
    pub activations: Banks,
    /// The memory of sums.
    pub sums: Banks,
    /// Widest weight.
    pub max_weight_bits: u32,
    /// True if lanes take integers bit by bit.
    pub serial: bool,
}

/// A memory of equal banks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Banks {
    /// How many: a power of two.
    pub banks: usize,
    /// Words of each.
    pub bank_words: usize,
}

impl Banks {
    /// Words of all.
    pub fn words(&self) -> usize {
        self.banks * self.bank_words
    }

    fn new(hardware: &Hardware, operand: Operand, channels: usize) -> Result<Self> {
        let memory = &hardware.memories[hardware.innermost(operand)];
        let MemorySpec { capacity_bytes, word_bits, bandwidth_bits_per_cycle, .. } = memory;
        let (banks, word_bits) = (memory.banks() as usize, word_bits.value as usize);
        if word_bits != channels {
            let message =
                format!("words of {word_bits} bits, and the design has one of {channels}: a bit per lane");
            return Err(refusal(hardware, &format!("{}: {message}", memory.name)));
        }
        if !banks.is_power_of_two() || !(2..=64).contains(&banks) {
            return Err(refusal(hardware, &format!("{}: {banks} banks, not 2, 4, 8 ... 64", memory.name)));
        }
        if bandwidth_bits_per_cycle.value as usize != banks * word_bits {
            let message = "the design moves a word of every bank in a cycle, the description fewer";
            return Err(refusal(hardware, &format!("{}: {message}", memory.name)));
        }
        let bank_words = capacity_bytes.value as usize * 8 / (banks * word_bits);
        Ok(Self { banks, bank_words })
    }
}

impl DesignMachine {
    /// The design for `hardware`.
    ///
    /// # Errors
    /// If it is no machine of lanes that step over zeros with memories as the design has them; says which part is not.
    pub fn new(hardware: &Hardware) -> Result<Self> {
        let unit = lanes_of(hardware)?;
        let keeps_sums = |lanes: &Unrolling| {
            lanes.along(&[SpatialDim::Positions, SpatialDim::OutputChannels]) == lanes.lanes()
        };
        let mut layouts = unit.layouts.iter().filter(|layout| layout.keeps == Stationary::Outputs);
        let lanes =
            layouts.find(|layout| keeps_sums(&layout.lanes)).map(|layout| layout.lanes).ok_or_else(|| {
                let message = "no layout of Positions and OutputChannels alone that keeps Outputs";
                refusal(hardware, &format!("{}: {message}", unit.name))
            })?;
        let [positions, channels] =
            [SpatialDim::Positions, SpatialDim::OutputChannels].map(|dim| lanes.extent(dim) as usize);
        if !channels.is_power_of_two() || !(4..=64).contains(&channels) || positions > 16 {
            let message =
                format!("{positions} positions x {channels} channels, not up to 16 x 4, 8, 16, 32 or 64");
            return Err(refusal(hardware, &format!("{}: {message}", unit.name)));
        }
        let machine = Self {
            lanes,
            positions,
            channels,
            weights: Banks::new(hardware, Operand::Weights, channels)?,
            activations: Banks::new(hardware, Operand::Activations, channels)?,
            sums: Banks::new(hardware, Operand::PartialSums, channels)?,
            max_weight_bits: unit.max_weight_bits.value,
            serial: unit.multi_bit == MultiBit::BitSerial,
        };
        machine.check_widths(hardware, unit)?;
        Ok(machine)
    }

    fn check_widths(&self, hardware: &Hardware, unit: &SpikeLanes) -> Result<()> {
        let wrong = if self.max_weight_bits > 8 || self.max_weight_bits as usize > self.weights.banks {
            format!(
                "weights of {} bits: the design reads a row as up to 8 bit planes at once",
                self.max_weight_bits
            )
        } else if unit.accumulator_bits.value > SUM_BITS {
            format!(
                "accumulators of {} bits, and those of the design have {SUM_BITS}",
                unit.accumulator_bits.value
            )
        } else if unit.multi_bit == MultiBit::Multiplier {
            "multipliers, and the design takes integers bit by bit".to_owned()
        } else {
            return Ok(());
        };
        Err(refusal(hardware, &format!("{}: {wrong}", unit.name)))
    }
}

fn refusal(hardware: &Hardware, why: &str) -> Error {
    Error::mismatch(format!("{}: no RTL: {why}", hardware.name))
}

/// The lanes that are all of a machine's units for products.
fn lanes_of(hardware: &Hardware) -> Result<&SpikeLanes> {
    let mut vectors = hardware.vectors();
    let (vector, second) = (vectors.next(), vectors.next());
    let units: Vec<&Unit> = hardware.units.iter().filter(|unit| !matches!(unit, Unit::Vector(_))).collect();
    let [Unit::SpikeLanes(unit)] = units[..] else {
        return Err(refusal(hardware, "the design is one unit of SpikeLanes with one Vector behind it"));
    };
    if !matches!(unit.zeros, Zeros::Skip) {
        return Err(refusal(hardware, &format!("{}: the lanes of the design Skip zeros", unit.name)));
    }
    if unit.tile.is_some() {
        return Err(refusal(hardware, &format!("{}: tiles of inputs", unit.name)));
    }
    let channels = unit.layouts.iter().map(|layout| layout.lanes.extent(SpatialDim::OutputChannels)).max();
    match (vector, second) {
        (Some(vector), None) if Some(vector.values_per_cycle.value) == channels => Ok(unit),
        _ => Err(refusal(
            hardware,
            "the design has one vector unit, with a neuron for each channel of the lanes",
        )),
    }
}
