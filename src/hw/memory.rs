//! On-chip memories of a hardware description.

use serde::{Deserialize, Serialize};

use super::operand::Operand;
use super::sourced::Sourced;
use super::sram::SramCell;

/// An on-chip memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemorySpec {
    /// What messages call it.
    #[serde(deserialize_with = "crate::name::title")]
    pub name: String,
    /// What lives there.
    pub holds: Vec<Operand>,
    /// Names of the memories that take what it holds from here, tile by tile; the units where it is left out.
    #[serde(default)]
    pub feeds: Vec<String>,
    /// Capacity, of all banks together.
    pub capacity_bytes: Sourced<u64>,
    /// Equal banks that it is made of; one where it is left out.
    #[serde(default)]
    pub banks: Option<Sourced<u32>>,
    /// Width of one access, to one bank.
    pub word_bits: Sourced<u32>,
    /// Bits that can move per cycle, reads and writes together: at most a word of every bank.
    pub bandwidth_bits_per_cycle: Sourced<u32>,
    /// Whether accesses that meet in a bank wait for each other.
    #[serde(default, skip_serializing_if = "BankConflicts::is_absent")]
    pub conflicts: BankConflicts,
    /// Where its energy, leakage and area come from.
    pub macro_model: MemoryMacro,
}

/// What happens where accesses meet in a bank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum BankConflicts {
    /// Accesses are taken never to meet.
    #[default]
    Absent,
    /// Of the rows of weights that positions ask for in one cycle, those are read whose banks do not meet, and the others
    /// later: counted in the spikes of a run.
    Counted {
        /// True if positions that ask for one row read it together.
        shares_rows: bool,
    },
}

impl BankConflicts {
    fn is_absent(&self) -> bool {
        *self == Self::Absent
    }
}

/// Where energy, leakage and area of a memory come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemoryMacro {
    /// Interpolated CACTI points.
    Cacti(SramCell),
    /// Block memories of an FPGA.
    BlockRam,
    /// The processor's energy per cycle covers them.
    IncludedInProcessor,
}

impl MemorySpec {
    /// Capacity in bits.
    pub fn capacity_bits(&self) -> f64 {
        self.capacity_bytes.value as f64 * 8.0
    }

    /// Banks that it is made of.
    pub fn banks(&self) -> u32 {
        self.banks.as_ref().map_or(1, |banks| banks.value)
    }

    /// Rows of weights are what is counted.
    pub(super) fn check_conflicts(&self) -> Result<(), String> {
        if self.conflicts.is_absent() {
            return Ok(());
        }
        if !self.holds.contains(&Operand::Weights) || !self.feeds.is_empty() {
            return Err("rows of weights are counted, and this memory feeds no units with them".to_owned());
        }
        match self.banks() {
            2..=64 => Ok(()),
            banks => Err(format!("of {banks} banks, and those of 2 to 64 are counted")),
        }
    }

    /// A bank yields or takes one word per cycle.
    pub(super) fn check_ports(&self) -> Result<(), String> {
        let (banks, word) = (self.banks(), self.word_bits.value);
        let bits = self.bandwidth_bits_per_cycle.value;
        if u64::from(bits) <= u64::from(banks) * u64::from(word) {
            Ok(())
        } else {
            Err(format!("{bits} are more than a {word}-bit word of each of its banks ({banks})"))
        }
    }
}
