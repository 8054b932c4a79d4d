//! What levels lose, learnt from candidates that ran.
//!
//! The loss of a candidate is taken for a sum: a base, and of every knob exp(c + g n), where n says by how many
//! bits its level is narrower than the pivot of its kind: weights, or membranes. Bits of weights are those of their
//! precision, so that all schemes of a layer have its c and g. Layers differ by factors, so it is the logarithms c and g
//! that scatter normally, around a mean of their kind, which is unknown itself. Losses are seen with relative errors. The
//! likeliest values are found by the steps of Gauss and Newton, and their covariance from the curvature there, Laplace's
//! approximation (MacKay, Information Theory, Inference, and Learning Algorithms, 2003, chapter 27).

use nalgebra::{Cholesky, DMatrix, DVector};

/// Mean and standard deviation of the logarithm of the base, in losses of the reference.
const BASE: [f64; 2] = [-1.2, 0.5];
/// What all knobs together add to the loss of the reference, before anything is known.
const ADDED: f64 = 0.7;
/// Steps to the likeliest values, and the least part of a step that is tried.
const STEPS: usize = 30;
const LEAST_STRIDE: f64 = 0.01;
/// A step that explains less is the last.
const CLOSE: f64 = 0.01;

/// What is known of a kind of knobs before anything ran.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kind {
    /// The bits that c is of.
    pub pivot: f64,
    /// Mean c beside that of a knob's share of [`ADDED`], and its standard deviation.
    mean: [f64; 2],
    /// Mean g and its standard deviation.
    growth: [f64; 2],
    /// Standard deviations of the c and of the g of a knob.
    own: [f64; 2],
}

impl Kind {
    /// Weights: their squared error grows by ln 4 = 1.39 per bit of precision less, and losses by a little less.
    pub fn weights(pivot: f64) -> Self {
        Self { pivot, mean: [-0.5, 0.7], growth: [1.1, 0.3], own: [1.3, 0.2] }
    }

    /// Membranes.
    pub fn membranes(pivot: f64) -> Self {
        Self { pivot, mean: [-1.0, 1.5], growth: [0.9, 0.4], own: [1.06, 0.4] }
    }
}

/// A candidate that ran.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Bits, one per knob.
    pub bits: Vec<f64>,
    /// Logarithm of its loss, in losses of the reference.
    pub log_loss: f64,
    /// Standard deviation of that.
    pub error: f64,
}

/// What is known of all levels.
#[derive(Debug, Clone)]
pub struct Losses {
    kinds: Vec<Kind>,
    /// Per knob, the index of its kind.
    kind_of: Vec<usize>,
    prior_mean: DVector<f64>,
    prior_variance: DVector<f64>,
    values: DVector<f64>,
    covariance: DMatrix<f64>,
}

/// Losses around some values.
struct Linear {
    /// D J' (J D J' + S)^-1, for prior variances D and squared errors S.
    gain: DMatrix<f64>,
    /// J: slopes of the logarithms of losses, a row per observation.
    jacobian: DMatrix<f64>,
    /// What is seen beyond the prior mean.
    rest: DVector<f64>,
}

impl Losses {
    /// Nothing is known of knobs, each of one of the `kinds`, as `kind_of` says.
    pub fn new(kinds: Vec<Kind>, kind_of: Vec<usize>) -> Self {
        let share = (ADDED / kind_of.len().max(1) as f64).ln();
        let mut prior = vec![BASE];
        prior.extend(kinds.iter().map(|Kind { mean: [mean, deviation], .. }| [share + mean, *deviation]));
        prior.extend(kinds.iter().map(|kind| kind.growth));
        prior.extend(kind_of.iter().flat_map(|&kind| kinds[kind].own.map(|deviation| [0.0, deviation])));
        let prior_mean = DVector::from_iterator(prior.len(), prior.iter().map(|[mean, _]| *mean));
        let prior_variance =
            DVector::from_iterator(prior.len(), prior.iter().map(|[_, deviation]| deviation * deviation));
        let (values, covariance) = (prior_mean.clone(), DMatrix::from_diagonal(&prior_variance));
        Self { kinds, kind_of, prior_mean, prior_variance, values, covariance }
    }

    /// Finds the likeliest values for all that was `seen`.
    pub fn fit(&mut self, seen: &[Observation]) {
        if seen.is_empty() {
            return;
        }
        let mut misfit = self.misfit(seen);
        for _ in 0..STEPS {
            let Some(Linear { gain, rest, .. }) = self.linear(seen) else { return };
            let from = self.values.clone();
            let step = &self.prior_mean + gain * rest - &from;
            // Sums of powers are far from straight: a whole step may lead too far.
            let strides = std::iter::successors(Some(1.0), |stride| Some(0.5 * stride));
            let better = strides.take_while(|&stride| stride >= LEAST_STRIDE).find_map(|stride| {
                self.values = &from + stride * &step;
                Some(self.misfit(seen)).filter(|&now| now < misfit)
            });
            let Some(now) = better else {
                self.values = from;
                break;
            };
            if misfit - now < CLOSE {
                break;
            }
            misfit = now;
        }
        if let Some(Linear { gain, jacobian, .. }) = self.linear(seen) {
            let prior = DMatrix::from_diagonal(&self.prior_variance);
            self.covariance = &prior - gain * jacobian * &prior;
        }
    }

    /// Squared errors of what was seen, and of the values beside what is known of them at first: twice the
    /// logarithm of the likelihood that is lost.
    fn misfit(&self, seen: &[Observation]) -> f64 {
        let error = |o: &Observation| ((o.log_loss - self.loss(&o.bits).ln()) / o.error).powi(2);
        let values = self.values.iter().zip(&self.prior_mean).zip(&self.prior_variance);
        let prior = values.map(|((value, mean), variance)| (value - mean).powi(2) / variance);
        seen.iter().map(error).sum::<f64>() + prior.sum::<f64>()
    }

    /// The loss of levels of these bits, in those of the reference.
    pub fn loss(&self, bits: &[f64]) -> f64 {
        let added = |(knob, bits): (usize, &f64)| self.added(knob, *bits);
        self.base() + bits.iter().enumerate().map(added).sum::<f64>()
    }

    /// What is seen, as if losses were straight around the present values.
    fn linear(&self, seen: &[Observation]) -> Option<Linear> {
        let mut jacobian = DMatrix::zeros(seen.len(), self.values.len());
        let mut rest = DVector::zeros(seen.len());
        for (i, observation) in seen.iter().enumerate() {
            let (log_loss, gradient) = self.gradient(&observation.bits);
            rest[i] = observation.log_loss - log_loss;
            for (parameter, slope) in gradient {
                jacobian[(i, parameter)] += slope;
                rest[i] += slope * (self.values[parameter] - self.prior_mean[parameter]);
            }
        }
        let mut spread = jacobian.transpose();
        for (mut row, variance) in spread.row_iter_mut().zip(self.prior_variance.iter()) {
            row *= *variance;
        }
        let mut covariance = &jacobian * &spread;
        seen.iter().enumerate().for_each(|(i, o)| covariance[(i, i)] += o.error * o.error);
        let gain = Cholesky::new(covariance)?.solve(&spread.transpose()).transpose();
        Some(Linear { gain, jacobian, rest })
    }

    /// Logarithm of the loss, and its slopes; a parameter may come up several times.
    fn gradient(&self, bits: &[f64]) -> (f64, Vec<(usize, f64)>) {
        let base = self.base();
        let added: Vec<f64> = bits.iter().enumerate().map(|(knob, &bits)| self.added(knob, bits)).collect();
        let loss = base + added.iter().sum::<f64>();
        let mut gradient = vec![(0, base / loss)];
        let mut of_kinds = vec![[0.0; 2]; self.kinds.len()];
        for (knob, (&bits, added)) in bits.iter().zip(added).enumerate() {
            let part = added / loss;
            let slopes = [part, part * self.narrower(knob, bits)];
            let [mean, growth] = &mut of_kinds[self.kind_of[knob]];
            *mean += slopes[0];
            *growth += slopes[1];
            gradient.extend([(self.own(knob), slopes[0]), (self.own(knob) + 1, slopes[1])]);
        }
        for (kind, [mean, growth]) in of_kinds.into_iter().enumerate() {
            gradient.extend([(1 + kind, mean), (1 + self.kinds.len() + kind, growth)]);
        }
        (loss.ln(), gradient)
    }

    /// What `knob` adds to the loss at a level of `bits`.
    pub fn added(&self, knob: usize, bits: f64) -> f64 {
        let (kind, own, v) = (self.kind_of[knob], self.own(knob), &self.values);
        let coefficient = v[1 + kind] + v[own];
        let growth = v[1 + self.kinds.len() + kind] + v[own + 1];
        (coefficient + growth * self.narrower(knob, bits)).exp()
    }

    /// What is lost whatever the levels are.
    pub fn base(&self) -> f64 {
        self.values[0].exp()
    }

    /// Variance of the logarithm of the loss of levels of these bits.
    pub fn variance(&self, bits: &[f64]) -> f64 {
        let (_, gradient) = self.gradient(bits);
        let row = |(i, slope): &(usize, f64)| {
            slope * gradient.iter().map(|(j, other)| other * self.covariance[(*i, *j)]).sum::<f64>()
        };
        gradient.iter().map(row).sum::<f64>().max(0.0)
    }

    fn narrower(&self, knob: usize, bits: f64) -> f64 {
        self.kinds[self.kind_of[knob]].pivot - bits
    }

    /// Where c and, behind it, g of `knob` are.
    fn own(&self, knob: usize) -> usize {
        1 + 2 * self.kinds.len() + 2 * knob
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};

    use super::*;

    /// Knobs of weights.
    fn of_weights(knobs: usize) -> Losses {
        Losses::new(vec![Kind::weights(4.0), Kind::membranes(4.0)], vec![0; knobs])
    }

    /// What six knobs lose at the pivot; the first is a hundred times as fragile as the last.
    const TRUE: [f64; 6] = [1.0, 0.2, 0.1, 0.08, 0.05, 0.01];

    /// A sum that grows by four per bit.
    fn loss(bits: &[f64]) -> f64 {
        let added = |(true_loss, bits): (&f64, &f64)| true_loss * 4f64.powf(4.0 - bits);
        0.3 + TRUE.iter().zip(bits).map(added).sum::<f64>()
    }

    fn learnt(count: usize) -> Losses {
        let mut losses = of_weights(TRUE.len());
        let mut dice = ChaCha8Rng::seed_from_u64(3);
        let mut seen = Vec::new();
        for _ in 0..count {
            let bits: Vec<f64> = (0..6).map(|_| f64::from(3 + dice.next_u32() % 4)).collect();
            seen.push(Observation { log_loss: loss(&bits).ln(), error: 0.02, bits });
        }
        losses.fit(&seen);
        losses
    }

    #[test]
    fn coefficients_of_a_sum_are_learnt() {
        let losses = learnt(40);
        for (knob, expected) in TRUE.into_iter().enumerate() {
            let found = losses.added(knob, 4.0);
            assert!((found / expected).ln().abs() < 0.4, "{knob}: {found} is not {expected}");
        }
        let narrow = [3.0, 5.0, 2.0, 3.0, 4.0, 2.0];
        let found = losses.loss(&narrow);
        assert!((found / loss(&narrow)).ln().abs() < 0.2, "{found} is not {}", loss(&narrow));
    }

    #[test]
    fn what_was_seen_is_less_uncertain_than_what_was_not() {
        let (few, many) = (learnt(4), learnt(40));
        let seen = [4.0; 6];
        assert!(many.variance(&seen) < 0.3 * few.variance(&seen));
        let unseen = [-6.0, 4.0, 4.0, 4.0, 4.0, 4.0];
        assert!(many.variance(&unseen) > 10.0 * many.variance(&seen));
    }

    /// By hand: with no observation a loss is base + one share of each knob, and its variance is the prior's,
    /// here of a single knob that makes up all of the loss.
    #[test]
    fn the_prior_is_what_is_known_at_first() {
        let losses = of_weights(1);
        assert!((losses.base() - (-1.2f64).exp()).abs() < 1e-12);
        assert!((losses.added(0, 4.0) - 0.7 * (-0.5f64).exp()).abs() < 1e-12);
        assert!((losses.added(0, 3.0) - 0.7 * 0.6f64.exp()).abs() < 1e-12);
        let growth = 40.0 * 40.0 * (0.3f64.powi(2) + 0.2f64.powi(2));
        let expected = 0.7f64.powi(2) + 1.3f64.powi(2) + growth;
        assert!((losses.variance(&[-36.0]) / expected - 1.0).abs() < 1e-9);
    }

    #[test]
    fn fits_without_observations_change_nothing() {
        let mut losses = of_weights(2);
        let before = losses.values.clone();
        losses.fit(&[]);
        assert_eq!(losses.values, before);
    }
}
