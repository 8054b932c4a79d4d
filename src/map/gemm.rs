//! A matrix product: its dimensions, matrices and sizes.

use serde::{Deserialize, Serialize};

/// A loop of `O[t][m][n] += I[t][m][k] W[k][n]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dim {
    /// Rows of inputs and outputs: positions.
    M,
    /// Columns of weights and outputs: output channels.
    N,
    /// What is summed over: inputs of one output.
    K,
    /// Timesteps, which share the weights.
    T,
}

impl Dim {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::M, Self::N, Self::K, Self::T];
}

/// A matrix of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Matrix {
    /// M x K, per timestep.
    Inputs,
    /// K x N.
    Weights,
    /// M x N, per timestep: partial sums until the last of K is added.
    Outputs,
}

impl Matrix {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Inputs, Self::Weights, Self::Outputs];

    /// True if a step of `dim` leads to other elements; otherwise they are used again.
    pub fn depends_on(self, dim: Dim) -> bool {
        match self {
            Self::Inputs => dim != Dim::N,
            Self::Weights => matches!(dim, Dim::N | Dim::K),
            Self::Outputs => dim != Dim::K,
        }
    }
}

/// Sizes of a matrix product M x K by K x N, for T timesteps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gemm {
    /// Rows of inputs and outputs.
    pub m: u64,
    /// Columns of weights and outputs.
    pub n: u64,
    /// Products of one sum.
    pub k: u64,
    /// Products with the same weights.
    #[serde(default = "once")]
    pub t: u64,
}

fn once() -> u64 {
    1
}

impl Gemm {
    /// M x K by K x N, once.
    pub fn new(m: u64, n: u64, k: u64) -> Self {
        Self { m, n, k, t: 1 }
    }

    /// Extent of `dim`.
    pub fn size(&self, dim: Dim) -> u64 {
        match dim {
            Dim::M => self.m,
            Dim::N => self.n,
            Dim::K => self.k,
            Dim::T => self.t,
        }
    }

    /// Elements of `matrix`.
    pub fn elements(&self, matrix: Matrix) -> u64 {
        Dim::ALL.into_iter().filter(|&d| matrix.depends_on(d)).map(|d| self.size(d)).product()
    }

    /// Multiplications.
    pub fn operations(&self) -> u64 {
        self.m * self.n * self.k * self.t
    }
}
