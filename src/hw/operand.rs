//! Operands, which live in memories, and figures for each kind of them.

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

/// Data that lives in memories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operand {
    /// Weight codes, biases, thresholds.
    Weights,
    /// Spikes, counts, images, activations.
    Activations,
    /// Accumulators that leave the array.
    PartialSums,
    /// Membrane potentials.
    Membranes,
    /// The residual stream.
    Residual,
}

impl Operand {
    /// All operands.
    pub const ALL: [Self; 5] =
        [Self::Weights, Self::Activations, Self::PartialSums, Self::Membranes, Self::Residual];

    /// What fields of files and columns of tables call it.
    pub fn field(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Activations => "activations",
            Self::PartialSums => "partial_sums",
            Self::Membranes => "membranes",
            Self::Residual => "residual",
        }
    }

    /// The operand in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Activations => "activations",
            Self::PartialSums => "partial sums",
            Self::Membranes => "membranes",
            Self::Residual => "residual stream",
        }
    }
}

/// One value for each [`Operand`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PerOperand<T>([T; Operand::ALL.len()]);

impl<T> PerOperand<T> {
    /// What `value` says of each operand.
    pub fn from_fn(value: impl FnMut(Operand) -> T) -> Self {
        Self(Operand::ALL.map(value))
    }

    /// Each value, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut()
    }
}

impl<T> Index<Operand> for PerOperand<T> {
    type Output = T;

    fn index(&self, operand: Operand) -> &T {
        &self.0[operand as usize]
    }
}

impl<T> IndexMut<Operand> for PerOperand<T> {
    fn index_mut(&mut self, operand: Operand) -> &mut T {
        &mut self.0[operand as usize]
    }
}
