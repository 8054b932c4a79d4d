//! Flags that fix how a network is mapped: `--mapping` and `--batch`.

use clap::Args;

use super::flags::check_flag;
use crate::error::Result;
use crate::map::FixedMapping;

/// Most images of a batch.
const MAX_BATCH: usize = 65_536;

/// Flags that say how a network is laid onto a machine.
#[derive(Debug, Args)]
pub struct MappingArguments {
    /// Fix the mapping of layers as this file says (docs/cost.md); the rest is chosen.
    #[arg(long, value_name = "FILE")]
    mapping: Option<String>,
    /// Images that go through each layer together: weights from off chip come once for all of them, and all else has
    /// to have room for each.
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: usize,
}

impl MappingArguments {
    /// What the file fixes.
    ///
    /// # Errors
    /// If there is no such file, or it is wrong.
    pub fn fixed(&self) -> Result<Option<FixedMapping>> {
        self.mapping.as_deref().map(FixedMapping::load).transpose()
    }

    /// Images that go through each layer together.
    ///
    /// # Errors
    /// If there are none, or too many.
    pub fn batch(&self) -> Result<usize> {
        check_flag("--batch", self.batch, 1..=MAX_BATCH)?;
        Ok(self.batch)
    }
}
