//! `--set`, which changes fields of machines.

use clap::Args;

use crate::error::{Error, Result};
use crate::hw::Change;

/// Flags that change the machine.
#[derive(Debug, Args)]
pub struct SetArguments {
    /// Change a field of the machine, by its path in the description, as in clock_hz=500e6, `memories.weight
    /// SRAM.capacity_bytes=64KiB` or `units.lanes.layouts.*.lanes.OutputChannels=32`; may be repeated
    /// (docs/explore.md).
    #[arg(long, value_name = "PATH=VALUE", allow_hyphen_values = true)]
    set: Vec<String>,
}

impl SetArguments {
    /// The machine `hw` with the changes, as [`crate::hw::Hardware::load`] reads it.
    ///
    /// # Errors
    /// If a flag is no path and value.
    pub fn of(&self, hw: &str) -> Result<String> {
        let mut spec = hw.to_owned();
        for text in &self.set {
            let change = Change::parse(text).map_err(|e| Error::mismatch(format!("--set: {e}")))?;
            spec += &format!("+{change}");
        }
        Ok(spec)
    }

    /// [`Self::of`] the machine of a command that may have none.
    ///
    /// # Errors
    /// Those of [`Self::of`]; if there is nothing to change.
    pub fn of_optional(&self, hw: Option<&str>) -> Result<Option<String>> {
        match hw {
            Some(hw) => self.of(hw).map(Some),
            None if self.set.is_empty() => Ok(None),
            None => Err(Error::mismatch("--set: there is no machine to change: --hw names one")),
        }
    }
}
