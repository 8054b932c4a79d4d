//! What all schemes share: scales, codes, and the search for a scale.

use serde::{Deserialize, Serialize};

/// Allowed scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scale {
    /// Powers of two: requantization is a shift, and float32 oracles are exact.
    Pow2,
    /// Any positive real; it ends up in thresholds and 16-bit requantizers.
    Free,
}

/// How a uniform scale is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Clip {
    /// The largest magnitude is representable.
    Max,
    /// Smallest squared error, large weights clipped where that helps.
    Mse,
}

/// Integer codes of weights that share one scale: weight = code x lsb.
#[derive(Debug, Clone, PartialEq)]
pub struct Codes {
    /// The scale.
    pub lsb: f64,
    /// The integers.
    pub codes: Vec<i32>,
}

/// What a datapath does with a weight code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightForm {
    /// An integer: added for a spike, multiplied by a multi-bit input.
    Integer {
        /// Code width.
        bits: u32,
    },
    /// A signed power of two: a spike adds a shifted one, a multi-bit input is shifted.
    PowerOfTwo {
        /// Largest exponent; the operand is this many bits wide, sign apart.
        max_exponent: u32,
    },
}

impl WeightForm {
    /// Width, sign included, of the operand that reaches the adder for a spike.
    pub(crate) fn operand_bits(self) -> u32 {
        match self {
            Self::Integer { bits } => bits,
            Self::PowerOfTwo { max_exponent } => max_exponent + 2,
        }
    }
}

/// Largest magnitude.
pub fn largest(weights: &[f64]) -> f64 {
    weights.iter().fold(0.0, |m, w| m.max(w.abs()))
}

/// The candidate scale with the smallest squared error, each counting as `importance` says; the first of
/// equals.
pub fn best_lsb(
    weights: &[f64],
    importance: Option<&[f64]>,
    candidates: impl Iterator<Item = f64>,
    value: impl Fn(f64, f64) -> f64,
) -> f64 {
    let error = |lsb: f64| {
        let squares = weights.iter().map(|&w| (value(w, lsb) - w).powi(2));
        match importance {
            Some(importance) => squares.zip(importance).map(|(e, factor)| e * factor).sum::<f64>(),
            None => squares.sum(),
        }
    };
    let mut best = (f64::INFINITY, 1.0);
    for lsb in candidates {
        let error = error(lsb);
        if error < best.0 {
            best = (error, lsb);
        }
    }
    best.1
}
