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
        let Self::Levels(set) = self else { return None };
        let bits = set.widths().rfind(|&bits| bits <= most_bits)?;
        Some([set.decoder_gates(bits), set.operand_bits(bits)])
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
