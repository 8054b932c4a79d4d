//! Cycles that lanes take beside their work.

use serde::{Deserialize, Serialize};

use crate::error::Fault;
use crate::hw::sourced::{Sourced, positive};

/// Cycles at every step of a loop in which no lane works: decoders, turns of buffers, fills and drains that nothing
/// hides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overhead {
    /// The loop.
    pub per: Step,
    /// Cycles of a step.
    pub cycles: Sourced<u32>,
}

/// Steps of the loops of a product on lanes, from the outermost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// A layer; at every timestep where they are outermost.
    Layer,
    /// Output channels and groups that lanes take side by side, for each stretch of a stream.
    OutputChannels,
    /// Inputs that lanes take side by side, for each step of output channels.
    Inputs,
    /// Rows of the output map that lanes take side by side, for each step of inputs.
    Rows,
    /// A sum that leaves the lanes for the last time; those of timesteps side by side leave together.
    Sums,
}

/// Longest pause.
const MAX_CYCLES: u32 = 1 << 20;

impl Overhead {
    pub(super) fn check(&self, field: &str) -> Result<(), Fault> {
        positive(&format!("{field}.cycles"), &self.cycles, MAX_CYCLES)
    }
}
