use serde::Deserialize;

use super::datapath::Datapath;
use crate::error::Fault;
use crate::hw::sourced::{Sourced, positive};

/// Work beside the products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Work {
    /// Membrane updates, comparisons, resets.
    Neurons,
    /// Additions to a residual stream, or of spikes.
    Joins,
    /// Rescaling onto a grid.
    Requantization,
    /// Comparisons of a max pooling.
    Pooling,
    /// Sums over positions or timesteps.
    Means,
    /// Products of spikes with spikes, and masks.
    Attention,
}

impl Work {
    /// All of it.
    pub const ALL: [Self; 6] =
        [Self::Neurons, Self::Joins, Self::Requantization, Self::Pooling, Self::Means, Self::Attention];
}

/// Lanes for work beside the products. Several of them run side by side.
#[derive(Debug, Clone, PartialEq, Deserialize)]
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

impl Vector {
    /// True if it does `work`.
    pub fn does(&self, work: Work) -> bool {
        self.does.as_ref().is_none_or(|does| does.contains(&work))
    }
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
}
