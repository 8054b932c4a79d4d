use serde::Deserialize;

use super::{Dim, Matrix};
use crate::hw::Stationary;

/// What stays in the array while the rest streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum Dataflow {
    /// Sums: inputs and weights stream.
    OutputStationary,
    /// Weights: inputs stream, partial sums leave the array.
    WeightStationary,
    /// Inputs: weights stream, partial sums leave the array.
    InputStationary,
    /// A processor's loops over events and output channels.
    Sequential,
}

/// How a product lies on an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axes {
    /// What the rows of the array stand for.
    pub rows: Dim,
    /// What its columns stand for.
    pub columns: Dim,
    /// What passes by, one step per cycle.
    pub stream: Dim,
    /// What its units keep meanwhile.
    pub stationary: Matrix,
}

impl From<Stationary> for Dataflow {
    fn from(keeps: Stationary) -> Self {
        match keeps {
            Stationary::Outputs => Self::OutputStationary,
            Stationary::Weights => Self::WeightStationary,
            Stationary::Inputs => Self::InputStationary,
        }
    }
}

impl Dataflow {
    /// Dataflows of systolic arrays.
    pub const OF_ARRAYS: [Self; 3] = [Self::OutputStationary, Self::WeightStationary, Self::InputStationary];

    /// How a product lies on an array; `None` without one.
    pub fn axes(self) -> Option<Axes> {
        let (rows, columns, stream, stationary) = match self {
            Self::OutputStationary => (Dim::M, Dim::N, Dim::K, Matrix::Outputs),
            Self::WeightStationary => (Dim::K, Dim::N, Dim::M, Matrix::Weights),
            Self::InputStationary => (Dim::K, Dim::M, Dim::N, Matrix::Inputs),
            Self::Sequential => return None,
        };
        Some(Axes { rows, columns, stream, stationary })
    }

    /// True if a product may be computed some positions at a time.
    pub(crate) fn comes_in_positions(self) -> bool {
        matches!(self, Self::OutputStationary | Self::WeightStationary)
    }

    /// True if partial sums go to a memory between the passes over the inputs, and to the neurons.
    pub fn sums_leave_the_array(self) -> bool {
        matches!(self, Self::WeightStationary | Self::InputStationary)
    }

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::OutputStationary => "output stationary",
            Self::WeightStationary => "weight stationary",
            Self::InputStationary => "input stationary",
            Self::Sequential => "sequential",
        }
    }
}
