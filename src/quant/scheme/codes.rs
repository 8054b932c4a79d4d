//! What all schemes share: scales, codes, and the search for a scale.

use serde::{Deserialize, Serialize};

/// Scales tried per octave, for a free scale of levels that are far apart.
const STEPS_PER_OCTAVE: i32 = 16;

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
    best_of(candidates, |lsb| {
        let squares = weights.iter().map(|&w| (value(w, lsb) - w).powi(2));
        sum_of(squares, importance)
    })
}

/// The sum of `squares`, each counting as `importance` says.
pub fn sum_of(squares: impl Iterator<Item = f64>, importance: Option<&[f64]>) -> f64 {
    match importance {
        Some(importance) => squares.zip(importance).map(|(e, factor)| e * factor).sum::<f64>(),
        None => squares.sum(),
    }
}

/// The candidate with the smallest error, the first of equals.
pub fn best_of(candidates: impl Iterator<Item = f64>, error: impl Fn(f64) -> f64) -> f64 {
    let mut best = (f64::INFINITY, 1.0);
    for lsb in candidates {
        let error = error(lsb);
        if error < best.0 {
            best = (error, lsb);
        }
    }
    best.1
}

/// From half an octave above `full` to three below it.
pub fn octaves(full: f64) -> impl Iterator<Item = f64> {
    let steps = -STEPS_PER_OCTAVE / 2..=3 * STEPS_PER_OCTAVE;
    steps.map(move |i| full * (-f64::from(i) / f64::from(STEPS_PER_OCTAVE)).exp2())
}

/// The power of two not below `full`, divided by 1, 2, 4, 8, 16.
pub fn powers(full: f64) -> impl Iterator<Item = f64> {
    (0..5).map(move |i| (full.log2().ceil() - f64::from(i)).exp2())
}
