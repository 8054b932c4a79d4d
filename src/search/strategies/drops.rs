//! The drop of accuracy that a loss foretells, and the chance that it is allowed.
//!
//! Near the limit drops are taken for a line over losses and, around it, a Gaussian process (Rasmussen and
//! Williams, Gaussian Processes for Machine Learning, 2006, sections 2.2 and 2.7). How far a candidate is from
//! the line on the whole validation set follows from the images on which exactly one of it and the float network
//! is right; candidates that lose through the same levels are wrong on the same images, so their correlation is
//! the part of the loss that they share.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn, Vector2};

use super::losses::Losses;
use crate::search::Batch;

/// Standard deviations, before anything is known, of the drop without loss and of the drop per loss, in drops
/// that are allowed; the reference loses about that much.
const PRIOR: [f64; 2] = [0.5, 1.0];
/// What loses more says nothing of the line, on which drops do not stay.
const MOST_LOSS: f64 = 3.0;
/// Least standard deviation of a drop that was seen.
const LEAST_ERROR: f64 = 3e-4;

/// Places and weights of the quadrature of Gauss and Hermite for a normal distribution (Abramowitz and Stegun, Handbook of
/// Mathematical Functions, 1964, table 25.10, of seven places).
const NODES: [[f64; 2]; 7] = [
    [-3.750_439_7, 0.000_548_27],
    [-2.366_759_4, 0.030_757_12],
    [-1.154_405_4, 0.240_123_18],
    [0.0, 0.457_142_86],
    [1.154_405_4, 0.240_123_18],
    [2.366_759_4, 0.030_757_12],
    [3.750_439_7, 0.000_548_27],
];

/// What was seen of one candidate.
struct Seen {
    /// One per knob.
    bits: Vec<f64>,
    loss: f64,
    drop: f64,
    /// Part of the images on which exactly one network is right.
    disagreement: f64,
    images: f64,
}

/// What is known of drops.
pub struct Drops {
    /// Images of the validation set.
    images: f64,
    /// Mean and variance of the line's drop without loss and drop per loss.
    prior: [Vector2<f64>; 2],
    seen: Vec<Seen>,
    fitted: Option<Fitted>,
}

/// Where the loss of a candidate comes from.
struct Shares {
    bits: Vec<f64>,
    /// What each knob adds to the loss.
    added: Vec<f64>,
    loss: f64,
}

/// The process, given what was seen.
struct Fitted {
    /// One per candidate seen.
    shares: Vec<Shares>,
    factor: Cholesky<f64, Dyn>,
    weights: DVector<f64>,
    line: Vector2<f64>,
    /// Variance around the line.
    scatter: f64,
}

impl Drops {
    /// Nothing is known but the `allowed` drop and how many `images` decide about it.
    pub fn new(allowed: f64, images: usize) -> Self {
        let deviations = Vector2::from(PRIOR) * allowed.max(LEAST_ERROR);
        let prior = [Vector2::new(0.0, allowed), deviations.component_mul(&deviations)];
        Self { images: images as f64, prior, seen: Vec::new(), fitted: None }
    }

    /// Remembers what `sum` says of a candidate of this loss.
    pub fn learn(&mut self, bits: Vec<f64>, loss: f64, sum: &Batch) {
        let images = f64::from(sum.images);
        if loss < MOST_LOSS && images > 0.0 {
            // One more than seen: none at all does not prove that there is none.
            let disagreement = (f64::from(sum.lost + sum.gained) + 1.0) / (images + 1.0);
            self.seen.push(Seen { bits, loss, drop: sum.drop(), disagreement, images });
        }
    }

    /// Finds line and process for all that was seen.
    pub fn fit(&mut self, losses: &Losses) {
        let images: f64 = self.seen.iter().map(|seen| seen.images).sum();
        let disagreed: f64 = self.seen.iter().map(|seen| seen.images * seen.disagreement).sum();
        let scatter = disagreed / images.max(1.0) / self.images;
        let shares: Vec<_> = self.seen.iter().map(|seen| Shares::new(losses, &seen.bits)).collect();
        let [mean, _] = self.prior;
        let at = |i: usize| Vector2::new(1.0, self.seen[i].loss);
        let covariance = DMatrix::from_fn(self.seen.len(), self.seen.len(), |i, j| {
            let own = scatter * shares[i].shared_with(&shares[j], losses);
            let error = if i == j { self.error(&self.seen[i]) } else { 0.0 };
            self.of_line(at(i), at(j)) + own + error
        });
        let rest = DVector::from_fn(self.seen.len(), |i, _| self.seen[i].drop - mean.dot(&at(i)));
        self.fitted = Cholesky::new(covariance).map(|factor| {
            let weights = factor.solve(&rest);
            let slopes = (0..self.seen.len()).map(|i| weights[i] * at(i));
            let line = mean + self.prior[1].component_mul(&slopes.sum());
            Fitted { shares, factor, weights, line, scatter }
        });
    }

    /// Variance of a drop that was seen beside that of the whole validation set.
    fn error(&self, seen: &Seen) -> f64 {
        let rest = (1.0 / seen.images - 1.0 / self.images).max(0.0);
        seen.disagreement * rest + LEAST_ERROR * LEAST_ERROR
    }

    /// Covariance of the line at two losses.
    fn of_line(&self, a: Vector2<f64>, b: Vector2<f64>) -> f64 {
        self.prior[1].component_mul(&a).dot(&b)
    }

    fn line(&self) -> Vector2<f64> {
        self.fitted.as_ref().map_or(self.prior[0], |fitted| fitted.line)
    }

    /// Drop for each loss, near the limit.
    pub fn per_loss(&self) -> f64 {
        self.line()[1].max(0.0)
    }

    /// The loss at which `drop` is expected, as far as the line reaches.
    pub fn loss_of(&self, drop: f64) -> f64 {
        let line = self.line();
        let loss = if line[1] > 0.0 { (drop - line[0]) / line[1] } else { MOST_LOSS };
        loss.min(MOST_LOSS)
    }

    /// The chance that a candidate loses no more than `allowed` of the validation set: its loss is uncertain by factors,
    /// so the chance is the mean of those of the losses that it may have.
    pub fn chance(&self, losses: &Losses, bits: &[f64], allowed: f64) -> f64 {
        let own = Shares::new(losses, bits);
        let at = Vector2::new(1.0, own.loss);
        let (drop, variance) = match &self.fitted {
            None => (self.prior[0].dot(&at), self.of_line(at, at)),
            Some(fitted) => {
                let covariance = |(seen, shares): (&Seen, &Shares)| {
                    let own = own.shared_with(shares, losses);
                    self.of_line(at, Vector2::new(1.0, seen.loss)) + fitted.scatter * own
                };
                let covariances = self.seen.iter().zip(&fitted.shares).map(covariance);
                let covariances = DVector::from_iterator(fitted.shares.len(), covariances);
                let explained = fitted.factor.solve(&covariances).dot(&covariances);
                let drop = self.prior[0].dot(&at) + fitted.weights.dot(&covariances);
                (drop, (self.of_line(at, at) + fitted.scatter - explained).max(0.0))
            }
        };
        let (slope, of_loss) = (self.per_loss() * own.loss, losses.variance(bits).sqrt());
        let deviation = (variance + LEAST_ERROR * LEAST_ERROR).sqrt();
        let at = |x: f64| normal((allowed - drop - slope * ((x * of_loss).exp() - 1.0)) / deviation);
        NODES.iter().map(|[x, weight]| weight * at(*x)).sum()
    }
}

impl Shares {
    fn new(losses: &Losses, bits: &[f64]) -> Self {
        let added = bits.iter().enumerate().map(|(knob, &bits)| losses.added(knob, bits)).collect();
        Self { bits: bits.to_vec(), added, loss: losses.loss(bits) }
    }

    /// The part of the losses of both that comes from equal levels.
    fn shared_with(&self, other: &Self, losses: &Losses) -> f64 {
        let knobs = self.bits.iter().zip(&other.bits).zip(&self.added);
        let same = knobs.filter(|((own, others), _)| own == others).map(|(_, added)| added);
        (losses.base() + same.sum::<f64>()) / (self.loss * other.loss).sqrt()
    }
}

/// The distribution function of the normal distribution, within 0.00014 (Bowling et al., Journal of Industrial
/// Engineering and Management, 2009).
fn normal(x: f64) -> f64 {
    1.0 / (1.0 + (-0.07056 * x.powi(3) - 1.5976 * x).exp())
}

#[cfg(test)]
mod tests {
    use super::super::losses::{Kind, Observation};
    use super::*;

    const ALLOWED: f64 = 0.015;
    const IMAGES: usize = 4000;

    fn batch(images: u32, lost: u32, gained: u32) -> Batch {
        Batch { images, lost, gained, divergence: 0.0 }
    }

    fn losses() -> Losses {
        Losses::new(vec![Kind::weights(4.0), Kind::membranes(4.0)], vec![0; 2])
    }

    /// base 0.3012; a knob adds 0.35 e^-0.5 = 0.2123 at the pivot and e^1.1 times that below: 0.6377. Of (4, 4)
    /// and (4, 3), losses 0.7258 and 1.1512, base and first knob are common: 0.5135 / 0.9141.
    #[test]
    fn what_is_shared_by_hand() {
        let losses = losses();
        let [a, b] = [[4.0, 4.0], [4.0, 3.0]].map(|bits| Shares::new(&losses, &bits));
        assert!((a.loss - 0.7258).abs() < 1e-4 && (b.loss - 1.1512).abs() < 1e-4);
        assert!((a.shared_with(&b, &losses) - 0.5618).abs() < 1e-4);
        assert!((a.shared_with(&a, &losses) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_normal_distribution() {
        for (x, expected) in [(0.0, 0.5), (1.0, 0.84134), (-2.0, 0.02275), (3.0, 0.99865)] {
            assert!((normal(x) - expected).abs() < 1.4e-4, "{x}");
        }
    }

    /// Moments of a normal distribution: 1, 0, 1, 0, 3.
    #[test]
    fn the_quadrature() {
        for (power, expected) in [(0, 1.0), (1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)] {
            let moment: f64 = NODES.iter().map(|[x, weight]| weight * x.powi(power)).sum();
            assert!((moment - expected).abs() < 1e-6, "{power}: {moment}");
        }
    }

    /// Nothing ran, so losses scatter by factors of e and more, and drops per loss by themselves: what is expected to
    /// lose as much as is allowed may or may not keep it, what loses 4 or 11 times as much hardly, and less and less.
    #[test]
    fn a_loss_that_is_uncertain_by_factors() {
        let (losses, drops) = (losses(), Drops::new(ALLOWED, IMAGES));
        let chance = |bits| drops.chance(&losses, &[bits; 2], ALLOWED);
        assert!((0.3..0.7).contains(&chance(4.0)), "{}", chance(4.0));
        assert!(chance(2.0) < 0.3 && chance(1.0) < chance(2.0), "{} {}", chance(2.0), chance(1.0));
    }

    #[test]
    fn what_ran_on_all_images_is_decided() {
        let (mut losses, seen) = (losses(), vec![4.0, 3.0]);
        let loss = 1.15f64;
        losses.fit(&[Observation { bits: seen.clone(), log_loss: loss.ln(), error: 0.05 }]);
        let mut drops = Drops::new(ALLOWED, IMAGES);
        drops.learn(seen.clone(), loss, &batch(4000, 120, 80));
        drops.fit(&losses);
        // What is expected of its own loss is still open by a twentieth; its drop is 0.01.
        let chance = |allowed| drops.chance(&losses, &seen, allowed);
        assert!(chance(0.03) > 0.95 && chance(-0.01) < 0.05, "{} {}", chance(0.03), chance(-0.01));
        assert!((chance(0.01) - 0.5).abs() < 0.05, "{}", chance(0.01));
    }

    #[test]
    fn a_line_is_learnt_and_what_was_seen_counts_for_what_is_like_it() {
        let losses = losses();
        let mut drops = Drops::new(ALLOWED, IMAGES);
        for (first, second) in [(8.0, 8.0), (6.0, 5.0), (5.0, 4.0), (4.0, 4.0), (4.0, 3.0), (3.0, 3.0)] {
            let bits = vec![first, second];
            let loss = losses.loss(&bits);
            let lost = (4000.0 * 0.02 * loss).round() as u32;
            drops.learn(bits, loss, &batch(4000, 60 + lost, 60));
        }
        drops.fit(&losses);
        // 0.02 per loss: 0.015 at 0.75.
        assert!((drops.loss_of(ALLOWED) - 0.75).abs() < 0.1, "{}", drops.loss_of(ALLOWED));
        // Half as much again as foretold, on the same images as (3, 4) would lose.
        let before = drops.chance(&losses, &[3.0, 4.0], 0.025);
        drops.learn(vec![3.0, 5.0], losses.loss(&[3.0, 5.0]), &batch(4000, 190, 60));
        drops.fit(&losses);
        assert!(drops.chance(&losses, &[3.0, 4.0], 0.025) < before);
    }

    #[test]
    fn what_loses_much_is_left_out() {
        let mut drops = Drops::new(ALLOWED, IMAGES);
        drops.learn(vec![2.0, 2.0], 9.0, &batch(250, 200, 0));
        drops.fit(&losses());
        assert_eq!(drops.loss_of(ALLOWED), 1.0);
    }
}
