//! Second-order rounding: the codes of a row are chosen together, so that the error of the sums that the
//! row computes is small, not that of each weight. With the second moments H = E[s s^T] of the inputs s, the
//! mean squared error of a sum is (q - w)^T H (q - w).
//!
//! Inputs in turn: every weight is rounded, and those that are not rounded yet make up for its error (Frantar
//! et al., "GPTQ", ICLR 2023, after "Optimal Brain Surgeon", Hassibi and Stork, 1993). Then sweep by sweep:
//! the scale that fits the codes best, and every code moved to its best level while the others stand still.

use nalgebra::{Cholesky, DMatrix};
use rayon::prelude::*;

use super::scheme::{Sharing, WeightScheme};

/// Added to every diagonal entry, relative to their mean: inputs that never fire are told apart all the same.
const DAMPING: f64 = 0.01;
/// Sweeps over all codes; few rows still change in the last ones.
const SWEEPS: usize = 8;
/// Inputs of an output; H holds the square of it in double precision.
pub const MAX_FAN_IN: usize = 4608;

/// H of the inputs of a group, those with the largest moments first.
struct Metric {
    /// Which input stands where.
    order: Vec<usize>,
    moments: DMatrix<f64>,
    /// L of H^-1 = L L^T: column j says how later inputs make up for the error of input j. `None` where H is
    /// not positive definite in double precision.
    factor: Option<DMatrix<f64>>,
}

impl Metric {
    fn new(moments: &DMatrix<f64>) -> Self {
        let inputs = moments.nrows();
        let mut order: Vec<usize> = (0..inputs).collect();
        order.sort_by(|&a, &b| moments[(b, b)].total_cmp(&moments[(a, a)]).then(a.cmp(&b)));
        let damping = damping(moments);
        let mut moments = DMatrix::from_fn(inputs, inputs, |i, j| moments[(order[i], order[j])]);
        (0..inputs).for_each(|i| moments[(i, i)] += damping);
        let inverse = Cholesky::new(moments.clone()).map(|factors| factors.inverse());
        let factor = inverse.and_then(Cholesky::new).map(Cholesky::unpack);
        Self { order, moments, factor }
    }

    /// H x.
    fn apply(&self, x: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; x.len()];
        for (column, &x) in self.moments.column_iter().zip(x).filter(|(_, x)| **x != 0.0) {
            sum.iter_mut().zip(column.iter()).for_each(|(sum, h)| *sum += h * x);
        }
        sum
    }

    /// `values`, one for each input, in the order of a row.
    fn unordered(&self, values: &[f64]) -> Vec<f64> {
        let mut row = vec![0.0; values.len()];
        self.order.iter().zip(values).for_each(|(&i, &value)| row[i] = value);
        row
    }

    fn product(&self, x: &[f64], y: &[f64]) -> f64 {
        self.apply(x).iter().zip(y).map(|(a, b)| a * b).sum()
    }
}

/// What is added to every diagonal entry; inputs that were never seen are all alike.
fn damping(moments: &DMatrix<f64>) -> f64 {
    let mean = moments.diagonal().iter().sum::<f64>() / moments.nrows() as f64;
    if mean > 0.0 { DAMPING * mean } else { 1.0 }
}

/// How much the error of the weight of each input counts by itself.
pub fn importance(moments: &DMatrix<f64>) -> Vec<f64> {
    let damping = damping(moments);
    moments.diagonal().iter().map(|own| own + damping).collect()
}

/// The weights of one output, in the order of its metric.
#[derive(Clone)]
struct Row<'a> {
    metric: &'a Metric,
    weights: Vec<f64>,
    /// Exponents of the blocks that the weights are in; empty where there are none.
    exponents: Vec<u8>,
}

impl<'a> Row<'a> {
    fn new(metric: &'a Metric, weights: &[f64]) -> Self {
        let weights = metric.order.iter().map(|&i| weights[i]).collect();
        Self { metric, weights, exponents: Vec::new() }
    }

    /// This row with the exponents of its blocks at `lsb`.
    fn in_blocks(&self, scheme: &WeightScheme, lsb: f64) -> Self {
        let weights = self.metric.unordered(&self.weights);
        let exponents = scheme.exponents(&weights, weights.len(), lsb);
        Self { exponents: self.metric.order.iter().map(|&i| exponents[i]).collect(), ..self.clone() }
    }

    /// The code nearest to `weight` in the place of input j.
    fn code(&self, scheme: &WeightScheme, j: usize, weight: f64, lsb: f64) -> i32 {
        scheme.code_at(weight, lsb, self.exponents.get(j).copied().unwrap_or(0))
    }

    fn nearest(&self, scheme: &WeightScheme, lsb: f64) -> Vec<i32> {
        self.weights.iter().enumerate().map(|(j, &w)| self.code(scheme, j, w, lsb)).collect()
    }

    /// One weight after the other, the later ones making up for the errors before.
    fn in_turn(&self, scheme: &WeightScheme, lsb: f64) -> Vec<i32> {
        let Some(factor) = &self.metric.factor else { return self.nearest(scheme, lsb) };
        let mut left = self.weights.clone();
        let mut codes = Vec::with_capacity(left.len());
        for j in 0..left.len() {
            let code = self.code(scheme, j, left[j], lsb);
            codes.push(code);
            let error = (left[j] - f64::from(code) * lsb) / factor[(j, j)];
            let column = factor.column(j);
            left[j..].iter_mut().zip(&column.as_slice()[j..]).for_each(|(w, l)| *w -= error * l);
        }
        codes
    }

    fn error(&self, codes: &[i32], lsb: f64) -> Vec<f64> {
        self.weights.iter().zip(codes).map(|(w, &code)| f64::from(code) * lsb - w).collect()
    }

    /// Moves every code to the level that is best while the others stand still; whether one moved.
    fn sweep(&self, scheme: &WeightScheme, lsb: f64, codes: &mut [i32]) -> bool {
        let mut slope = self.metric.apply(&self.error(codes, lsb));
        let mut moved = false;
        for j in 0..codes.len() {
            let best = f64::from(codes[j]) * lsb - slope[j] / self.metric.moments[(j, j)];
            let code = self.code(scheme, j, best, lsb);
            if code != codes[j] {
                let step = f64::from(code - codes[j]) * lsb;
                let column = self.metric.moments.column(j);
                slope.iter_mut().zip(column.iter()).for_each(|(slope, h)| *slope += h * step);
                codes[j] = code;
                moved = true;
            }
        }
        moved
    }
}

/// Codes of rows that share a scale.
struct Solution {
    lsb: f64,
    codes: Vec<Vec<i32>>,
    error: f64,
}

impl Solution {
    /// Better codes from `codes` on.
    fn refine(rows: &[Row], scheme: &WeightScheme, mut lsb: f64, mut codes: Vec<Vec<i32>>) -> Self {
        for _ in 0..SWEEPS {
            if scheme.searches_free_scale() {
                lsb = fitted_lsb(rows, &codes).unwrap_or(lsb);
            }
            let sweep = |(row, codes): (&Row, &mut Vec<i32>)| row.sweep(scheme, lsb, codes);
            let moved: Vec<bool> = rows.par_iter().zip(&mut codes).map(sweep).collect();
            if !moved.contains(&true) {
                break;
            }
        }
        let error = |(row, codes): (&Row, &Vec<i32>)| {
            let error = row.error(codes, lsb);
            row.metric.product(&error, &error)
        };
        let error = rows.iter().zip(&codes).map(error).sum();
        Self { lsb, codes, error }
    }

    /// The better of what follows from rounding in turn and from rounding to nearest.
    fn best(rows: &[Row], scheme: &WeightScheme) -> Self {
        let in_order = |row: &Row, values: &[f64]| match scheme.reads_rows_in_order() {
            true => row.metric.unordered(values),
            false => values.to_vec(),
        };
        let weights: Vec<f64> = rows.iter().flat_map(|row| in_order(row, &row.weights)).collect();
        if weights.iter().all(|&w| w == 0.0) {
            let codes = rows.iter().map(|row| vec![0; row.weights.len()]).collect();
            return Self { lsb: 1.0, codes, error: 0.0 };
        }
        let diagonals = rows.iter().flat_map(|row| in_order(row, row.metric.moments.diagonal().as_slice()));
        let fan_in = rows[0].weights.len();
        let lsb = scheme.lsb(&weights, fan_in, Some(&diagonals.collect::<Vec<_>>()));
        let blocks: Vec<Row>;
        let rows = if scheme.has_blocks() {
            blocks = rows.iter().map(|row| row.in_blocks(scheme, lsb)).collect();
            &blocks
        } else {
            rows
        };
        let in_turn = rows.par_iter().map(|row| row.in_turn(scheme, lsb)).collect();
        let nearest = rows.iter().map(|row| row.nearest(scheme, lsb)).collect();
        let [first, second] = [in_turn, nearest].map(|codes| Self::refine(rows, scheme, lsb, codes));
        if second.error < first.error { second } else { first }
    }
}

/// The scale with the smallest error for `codes`: sum c^T H w / sum c^T H c. `None` where no positive one
/// is better than 0.
fn fitted_lsb(rows: &[Row], codes: &[Vec<i32>]) -> Option<f64> {
    let (mut with_weights, mut with_codes) = (0.0, 0.0);
    for (row, codes) in rows.iter().zip(codes) {
        let codes: Vec<f64> = codes.iter().map(|&c| f64::from(c)).collect();
        let image = row.metric.apply(&codes);
        with_weights += image.iter().zip(&row.weights).map(|(a, b)| a * b).sum::<f64>();
        with_codes += image.iter().zip(&codes).map(|(a, b)| a * b).sum::<f64>();
    }
    (with_weights > 0.0 && with_codes > 0.0).then(|| with_weights / with_codes)
}

/// Codes of all rows of `weight`, and the scale of each; `moments` are those of the inputs of every group, in
/// the order of a row.
pub fn quantize_rows(
    weight: &[f64],
    scheme: &WeightScheme,
    moments: &[DMatrix<f64>],
) -> (Vec<i32>, Vec<f64>) {
    let fan_in = moments[0].nrows();
    let metrics: Vec<Metric> = moments.par_iter().map(Metric::new).collect();
    let rows_per_group = weight.len() / fan_in / metrics.len();
    let rows = weight.chunks_exact(fan_in).enumerate();
    let rows: Vec<Row> = rows.map(|(i, row)| Row::new(&metrics[i / rows_per_group], row)).collect();
    let together = match scheme.granularity() {
        Sharing::Layer => rows.len(),
        Sharing::Channel => 1,
    };
    let solutions: Vec<Solution> =
        rows.par_chunks(together).map(|rows| Solution::best(rows, scheme)).collect();
    let lsbs = solutions.iter().flat_map(|solution| vec![solution.lsb; solution.codes.len()]).collect();
    let mut codes = vec![0; weight.len()];
    let found = solutions.iter().flat_map(|solution| &solution.codes);
    for ((row, found), codes) in rows.iter().zip(found).zip(codes.chunks_exact_mut(fan_in)) {
        row.metric.order.iter().zip(found).for_each(|(&i, &code)| codes[i] = code);
    }
    (codes, lsbs)
}

#[cfg(test)]
mod tests {
    use super::super::scheme::{Clip, Scale};
    use super::*;
    use crate::num::LevelSet;
    use proptest::prelude::*;

    fn uniform(bits: u32, granularity: Sharing, clip: Clip) -> WeightScheme {
        WeightScheme::Uniform { bits, scale: Scale::Free, granularity, clip }
    }

    fn error(weights: &[f64], codes: &[i32], lsb: f64, moments: &DMatrix<f64>) -> f64 {
        let lost = weights.iter().zip(codes).map(|(w, &c)| f64::from(c) * lsb - w);
        let lost = DMatrix::from_iterator(weights.len(), 1, lost);
        (lost.transpose() * moments * lost)[(0, 0)]
    }

    /// Inputs 1 and 2 always fire together: 1.4 + 1.4 is nearer to 1 + 2 than to 1 + 1, and by which of them
    /// does not matter. The third weight keeps the scale at 1.
    #[test]
    fn inputs_that_fire_together_share_their_error() {
        let moments = DMatrix::from_row_slice(3, 3, &[0.5, 0.5, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.5]);
        let weights = [1.4, 1.4, 3.0];
        let scheme = uniform(3, Sharing::Channel, Clip::Max);
        let (codes, lsbs) = quantize_rows(&weights, &scheme, &[moments]);
        assert_eq!((codes[0] + codes[1], codes[2], lsbs), (3, 3, vec![1.0]));
        assert_eq!(weights.map(|w| scheme.code(w, 1.0)), [1, 1, 3]);
    }

    #[test]
    fn inputs_without_correlation_are_rounded_to_nearest() {
        let moments = DMatrix::from_diagonal(&nalgebra::DVector::from_row_slice(&[0.5, 0.1, 0.0, 0.3]));
        let weights = [0.9, -0.35, 0.2, 0.05, 0.1, 0.2, 0.3, -0.7];
        let scheme = uniform(3, Sharing::Channel, Clip::Max);
        let (codes, lsbs) = quantize_rows(&weights, &scheme, &[moments]);
        let nearest: Vec<i32> =
            weights.iter().enumerate().map(|(i, &w)| scheme.code(w, lsbs[i / 4])).collect();
        assert_eq!(codes, nearest);
    }

    /// Every group of a convolution has inputs of its own.
    #[test]
    fn groups_have_their_own_moments() {
        let together = DMatrix::from_element(2, 2, 0.5);
        let apart = DMatrix::from_diagonal_element(2, 2, 0.5);
        let scheme = uniform(3, Sharing::Layer, Clip::Max);
        let (codes, _) = quantize_rows(&[1.4, 1.4, 3.0, 1.4], &scheme, &[together, apart]);
        assert_eq!((codes[0] + codes[1], &codes[2..]), (3, &[3, 1][..]));
    }

    #[test]
    fn inputs_that_never_fire_are_rounded_to_nearest() {
        let scheme = uniform(4, Sharing::Channel, Clip::Mse);
        let weights = [0.3, -0.7, 0.69];
        let (codes, lsbs) = quantize_rows(&weights, &scheme, &[DMatrix::zeros(3, 3)]);
        assert_eq!(codes, weights.map(|w| scheme.code(w, lsbs[0])));
    }

    proptest! {
        /// At the same scale the error, with what damping adds, is never larger than that of rounding to
        /// nearest; a scale that is searched makes it no larger either, and every code is a level.
        #[test]
        fn never_worse_than_nearest(
            weights in prop::collection::vec(-1.0f64..1.0, 12),
            spikes in prop::collection::vec(prop::bool::weighted(0.3), 6 * 20),
            bits in 2u32..=4, kind in 0usize..2 + LevelSet::ALL.len(), per_layer: bool, searched: bool,
        ) {
            let spikes = DMatrix::from_iterator(20, 6, spikes.into_iter().map(|s| f64::from(u8::from(s))));
            let moments = spikes.transpose() * spikes / 20.0;
            let mean = moments.diagonal().sum() / 6.0;
            let damped = &moments + DMatrix::from_diagonal_element(6, 6, if mean > 0.0 { DAMPING * mean } else { 1.0 });
            let granularity = if per_layer { Sharing::Layer } else { Sharing::Channel };
            let clip = if searched { Clip::Mse } else { Clip::Max };
            let scheme = match kind {
                0 => uniform(bits, granularity, clip),
                1 => WeightScheme::PowerOfTwo { bits, scale: Scale::Free, granularity },
                _ => {
                    let set = LevelSet::ALL[kind - 2];
                    WeightScheme::Levels { set, bits: *set.widths().end(), scale: Scale::Free, granularity, clip, base: set.bases().last().copied() }
                }
            };
            let (codes, lsbs) = quantize_rows(&weights, &scheme, std::slice::from_ref(&moments));
            let importance: Vec<f64> = damped.diagonal().iter().copied().collect();
            let lsb = |rows: std::ops::Range<usize>| {
                let rows = &weights[rows.start * 6..rows.end * 6];
                scheme.lsb(rows, 6, Some(&importance.repeat(rows.len() / 6)))
            };
            let (mut before, mut after) = (0.0, 0.0);
            for row in 0..2 {
                let (w, c) = (&weights[row * 6..][..6], &codes[row * 6..][..6]);
                let lsb = if per_layer { lsb(0..2) } else { lsb(row..row + 1) };
                let exponents = scheme.exponents(w, 6, lsb).into_iter().chain(std::iter::repeat(0));
                let nearest: Vec<i32> = w.iter().zip(exponents).map(|(&w, e)| scheme.code_at(w, lsb, e)).collect();
                before += error(w, &nearest, lsb, &damped);
                after += error(w, c, lsbs[row], &damped);
                prop_assert!(c.iter().all(|&c| scheme.has_level(c)), "{c:?}");
                prop_assert!(scheme.searches_free_scale() || lsbs[row] == lsb);
            }
            prop_assert!(after <= before + 1e-12, "{after} > {before}");
        }
    }
}
