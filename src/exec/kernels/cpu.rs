//! The instruction sets that there are, and those that this processor has.

use std::fmt;

#[cfg(target_arch = "x86_64")]
use super::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use super::avx512::Avx512;
use super::instructions::{InstructionSet, Portable};
use super::tables::TableLayout;

/// All of them, slowest first.
static ALL: &[&dyn InstructionSet] = &[
    &Portable,
    #[cfg(target_arch = "x86_64")]
    &Avx2,
    #[cfg(target_arch = "x86_64")]
    &Avx512,
];

/// An instruction set that kernels are written for. The integers do not depend on it.
#[derive(Clone, Copy)]
pub struct Isa(&'static dyn InstructionSet);

impl Isa {
    /// Instruction sets for this target, slowest first.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        ALL.iter().map(|&instructions| Self(instructions))
    }

    /// The one that a flag gives this name, if there is one for this target.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|isa| isa.name() == name)
    }

    /// The name that a flag gives it.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The processors that have it, in a few words.
    pub fn processors(self) -> &'static str {
        self.0.processors()
    }

    /// True if this processor has it.
    pub fn is_available(self) -> bool {
        self.0.is_available()
    }

    /// The fastest that this processor has.
    pub fn best() -> Self {
        Self::all().rev().find(|isa| isa.is_available()).unwrap_or(Self(&Portable))
    }
}

impl PartialEq for Isa {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Isa {}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An instruction set that this processor was seen to have: what makes calling its kernels sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu(Isa);

impl Cpu {
    /// `None` if the processor lacks `isa`.
    pub fn new(isa: Isa) -> Option<Self> {
        isa.is_available().then_some(Self(isa))
    }

    /// The fastest that this processor has.
    pub fn best() -> Self {
        Self(Isa::best())
    }

    /// The instruction set.
    pub fn isa(self) -> Isa {
        self.0
    }

    /// How tables lie.
    pub fn table_layout(self) -> TableLayout {
        self.instructions().table_layout()
    }

    /// Channels that share a byte of packed spikes, and inputs of one table: a table has an entry for
    /// every value of such a byte, and one look-up of 64 or 16 entries is one instruction.
    pub fn inputs_per_table(self) -> usize {
        self.table_layout().inputs
    }

    /// True if it multiplies bytes faster than words.
    pub fn multiplies_bytes(self) -> bool {
        self.instructions().multiplies_bytes()
    }

    /// Channels of a layer of look-ups or products that are worth computing at a time: what they load is shared, and
    /// their tables stay in the second-level cache.
    pub fn channels_of_a_tile(self) -> usize {
        self.instructions().channels_of_a_tile()
    }

    /// Output channels whose sums a sparse product of real numbers holds in registers.
    pub fn float_panel(self) -> usize {
        self.instructions().float_panel()
    }

    /// Kernels of the processor, for which it has the instructions.
    pub(super) fn instructions(self) -> &'static dyn InstructionSet {
        self.0.0
    }
}
