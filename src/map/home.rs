//! Where operands live.

/// Where an operand of a layer lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Home {
    /// In on-chip memory: 0 feeds units, 1 feeds that one, and so on.
    OnChip(u8),
    /// In off-chip memory.
    OffChip,
}

impl Default for Home {
    fn default() -> Self {
        Self::OnChip(0)
    }
}
