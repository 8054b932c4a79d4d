//! Second-order rounding: the codes of a row are chosen together, so that the error of the sums that the
//! row computes is small, not that of each weight. With the second moments H = E[s s^T] of the inputs s, the
//! mean squared error of a sum is (q - w)^T H (q - w).
//!
//! Inputs in turn: every weight is rounded, and those that are not rounded yet make up for its error (Frantar
//! et al., "GPTQ", ICLR 2023, after "Optimal Brain Surgeon", Hassibi and Stork, 1993). Then sweep by sweep:
//! the scale that fits the codes best, and every code moved to its best level while the others stand still.

use nalgebra::{Cholesky, DMatrix};
use rayon::prelude::*;

use super::scheme::{Granularity, WeightScheme};

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
        let mean = moments.diagonal().iter().sum::<f64>() / inputs as f64;
        // Inputs that were never seen are all alike.
        let damping = if mean > 0.0 { DAMPING * mean } else { 1.0 };
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

    fn product(&self, x: &[f64], y: &[f64]) -> f64 {
        self.apply(x).iter().zip(y).map(|(a, b)| a * b).sum()
    }
}

/// The weights of one output, in the order of its metric.
struct Row<'a> {
    metric: &'a Metric,
    weights: Vec<f64>,
}

impl<'a> Row<'a> {
    fn new(metric: &'a Metric, weights: &[f64]) -> Self {
        Self { metric, weights: metric.order.iter().map(|&i| weights[i]).collect() }
    }

    fn nearest(&self, scheme: &WeightScheme, lsb: f64) -> Vec<i32> {
        self.weights.iter().map(|&w| scheme.code(w, lsb)).collect()
    }

    /// One weight after the other, the later ones making up for the errors before.
    fn in_turn(&self, scheme: &WeightScheme, lsb: f64) -> Vec<i32> {
        let Some(factor) = &self.metric.factor else { return self.nearest(scheme, lsb) };
        let mut left = self.weights.clone();
        let mut codes = Vec::with_capacity(left.len());
        for j in 0..left.len() {
            let code = scheme.code(left[j], lsb);
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
            let code = scheme.code(best, lsb);
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
        let weights: Vec<f64> = rows.iter().flat_map(|row| row.weights.iter().copied()).collect();
        let diagonals =
            rows.iter().flat_map(|row| row.metric.moments.diagonal().iter().copied().collect::<Vec<_>>());
        let lsb = scheme.lsb(&weights, Some(&diagonals.collect::<Vec<_>>()));
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
        Granularity::Layer => rows.len(),
        Granularity::Channel => 1,
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
