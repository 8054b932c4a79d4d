use serde::{Deserialize, Serialize};

/// Work beside the products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
