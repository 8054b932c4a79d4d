//! What all schemes share: scales, codes, and the search for a scale.

use serde::{Deserialize, Serialize};

use crate::num::{ceil_log2, power_of_sixteenths, power_of_two};

/// Scales tried per octave, for a free scale of levels that are far apart.
const STEPS_PER_OCTAVE: i32 = 16;
/// Scales whose errors are summed side by side.
const SIDE_BY_SIDE: usize = 8;

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
/// equals. `level(weight / lsb)` is the level that a weight becomes, in steps.
pub fn best_lsb(
    weights: &[f64],
    importance: Option<&[f64]>,
    candidates: impl Iterator<Item = f64>,
    level: impl Fn(f64) -> f64,
) -> f64 {
    let candidates: Vec<f64> = candidates.collect();
    first_least(candidates.chunks(SIDE_BY_SIDE).flat_map(|some| {
        let mut lsbs = [1.0; SIDE_BY_SIDE];
        lsbs[..some.len()].copy_from_slice(some);
        some.iter().copied().zip(squared_errors(weights, importance, lsbs, &level))
    }))
}

/// The sum of squared errors at each of `lsbs`: the order of weights is that of one sum, so that vectors change none.
fn squared_errors(
    weights: &[f64],
    importance: Option<&[f64]>,
    lsbs: [f64; SIDE_BY_SIDE],
    level: impl Fn(f64) -> f64,
) -> [f64; SIDE_BY_SIDE] {
    let mut sums = [0.0; SIDE_BY_SIDE];
    let mut add = |w: f64, factor: f64| {
        for (sum, lsb) in sums.iter_mut().zip(lsbs) {
            let error = level(w / lsb) * lsb - w;
            *sum += error * error * factor;
        }
    };
    match importance {
        Some(importance) => weights.iter().zip(importance).for_each(|(&w, &factor)| add(w, factor)),
        None => weights.iter().for_each(|&w| add(w, 1.0)),
    }
    sums
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
    first_least(candidates.map(|lsb| (lsb, error(lsb))))
}

/// Of candidates with their errors, the first of those with the smallest.
fn first_least(candidates: impl Iterator<Item = (f64, f64)>) -> f64 {
    let mut best = (1.0, f64::INFINITY);
    for candidate in candidates {
        if candidate.1 < best.1 {
            best = candidate;
        }
    }
    best.0
}

/// From half an octave above `full` to three below it.
pub fn octaves(full: f64) -> impl Iterator<Item = f64> {
    let steps = -STEPS_PER_OCTAVE / 2..=3 * STEPS_PER_OCTAVE;
    steps.map(move |i| full * power_of_sixteenths(-i))
}

/// The power of two not below `full`, divided by 1, 2, 4, 8, 16.
pub fn powers(full: f64) -> impl Iterator<Item = f64> {
    (0..5).map(move |i| power_of_two(ceil_log2(full) - i))
}
