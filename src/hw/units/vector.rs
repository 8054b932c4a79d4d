use serde::{Deserialize, Serialize};

use super::datapath::Datapath;
use super::work::Work;
use crate::error::Fault;
use crate::hw::sourced::{Sourced, positive};

/// Width of a neuron lane's registers and adder.
pub const NEURON_BITS: f64 = 16.0;

/// Lanes for work beside the products. Several of them run side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// What messages call it.
    #[serde(deserialize_with = "crate::name::title")]
    pub name: String,
    /// What it does; everything where it is left out.
    #[serde(default)]
    pub does: Option<Vec<Work>>,
    /// Neuron updates, joins or comparisons per cycle.
    pub values_per_cycle: Sourced<u32>,
    /// Spike bits per cycle of attention, masks and pooled spikes.
    pub spike_bits_per_cycle: Sourced<u32>,
}

impl Datapath for Vector {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), Fault> {
        if self.does.as_ref().is_some_and(Vec::is_empty) {
            return Err(Fault::new("does", "empty: it would never work"));
        }
        positive("values_per_cycle", &self.values_per_cycle, 65_536)?;
        positive("spike_bits_per_cycle", &self.spike_bits_per_cycle, 1 << 24)
    }

    fn does(&self, work: Work) -> bool {
        self.does.as_ref().is_none_or(|does| does.contains(&work))
    }
}
