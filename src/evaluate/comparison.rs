//! Machines side by side on one network at one setting.

use super::published::AsPublished;
use super::{ActivitySource, Evaluation, HardwareSummary, ModelSummary};
pub use crate::hw::Agreement;

/// Everything that one `compare` found out.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The network.
    pub model: ModelSummary,
    /// The setting.
    pub setting: String,
    /// Images, rates or recorded spikes.
    pub source: ActivitySource,
    /// One per machine, in the order asked for.
    pub machines: Vec<MachineEvaluation>,
    /// Where the published rules are from, if they were asked for.
    pub published: Option<String>,
    /// What to type to run it again; empty where it was not run by a command.
    pub command: String,
}

/// One machine of a [`Comparison`].
#[derive(Debug, Clone)]
pub struct MachineEvaluation {
    /// The machine.
    pub hardware: HardwareSummary,
    /// By the one rule set that all machines share: attention, stalls and neurons counted.
    pub evaluation: Evaluation,
    /// By the rules of a published evaluation.
    pub published: Option<AsPublished>,
    /// How well its description predicts what is published of it, if that was asked for.
    pub agreement: Vec<Agreement>,
}

impl MachineEvaluation {
    /// Bits to and from off-chip memory by our rules.
    pub fn dram_bits(&self) -> f64 {
        self.evaluation.traffic_bits.dram_read + self.evaluation.traffic_bits.dram_written
    }
}
