use std::fmt;

use serde::{Deserialize, Serialize};

use super::levels::LevelSet;

/// What turns codes into operands, where that is hardware of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Decoder {
    /// A shifter: codes are a sign and an exponent.
    PowerOfTwo,
    /// A table: codes are a sign and an index.
    Levels(LevelSet),
}

impl Decoder {
    /// Gates, and the width of the operands, of a table for codes of up to `most_bits` bits; a shifter of powers of two is
    /// part of what it stands beside.
    pub(crate) fn table(self, most_bits: u32) -> Option<[u32; 2]> {
        let (set, bits) = self.widest(most_bits)?;
        Some([set.decoder_gates(bits), set.operand_bits(bits)])
    }

    /// Bits of the registers that layers write their magnitudes into: once for all that is beside each other.
    pub(crate) fn written_bits(self, most_bits: u32) -> u32 {
        self.widest(most_bits).map_or(0, |(set, bits)| set.table_bits(bits))
    }

    /// Look-up tables of six inputs that it takes in an FPGA: one for each bit of an operand, and four where that depends
    /// on all of a word that codes share.
    pub(crate) fn lookup_tables(self, most_bits: u32) -> u32 {
        self.widest(most_bits).map_or(0, |(set, bits)| {
            let of_bit = set.pack().map_or(1, |pack| 1 << pack.bits.saturating_sub(6));
            of_bit * set.operand_bits(bits)
        })
    }

    /// The set at the widest codes of up to `most_bits` bits.
    fn widest(self, most_bits: u32) -> Option<(LevelSet, u32)> {
        let Self::Levels(set) = self else { return None };
        Some((set, set.widths().rfind(|&bits| bits <= most_bits)?))
    }
}

impl fmt::Display for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PowerOfTwo => f.write_str("PowerOfTwo"),
            Self::Levels(set) => write!(f, "Levels({})", set.kind()),
        }
    }
}
