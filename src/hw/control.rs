use serde::{Deserialize, Serialize};

use super::sourced::{Sourced, number};
use crate::error::Fault;

/// What clocks, steers and connects units and memories, as shares of the chip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Share of the dynamic energy on chip.
    pub energy_share: Sourced<f64>,
    /// Share of the area of logic.
    pub area_share: Sourced<f64>,
}

impl Control {
    pub(super) fn check(&self) -> Result<(), Fault> {
        number("control.energy_share", &self.energy_share, 0.0, 0.9)?;
        number("control.area_share", &self.area_share, 0.0, 0.9)
    }
}
