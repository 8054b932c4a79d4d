use serde::Serialize;

use super::{ActivitySource, Evaluation, HardwareSummary, ModelSummary, TableEvaluation};

/// Everything that one `simulate` found out.
#[derive(Debug, Clone, Serialize)]
pub struct Simulation {
    /// The network.
    pub model: ModelSummary,
    /// The accelerator.
    pub hardware: HardwareSummary,
    /// Images, rates or recorded spikes.
    pub source: ActivitySource,
    /// One per setting, in the order asked for, charged by the first of the tables.
    pub settings: Vec<Evaluation>,
    /// The same settings by every table of energies asked for; one table if none was.
    pub tables: Vec<TableEvaluation>,
}
