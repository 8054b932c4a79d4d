//! The drop of accuracy that a loss foretells, and the chance that it is allowed.
//!
//! Near the limit drops are taken for a line over losses and, around it, a Gaussian process (Rasmussen and
//! Williams, Gaussian Processes for Machine Learning, 2006, sections 2.2 and 2.7). How far a candidate is from
//! the line on the whole validation set follows from the images on which exactly one of it and the float network
//! is right; candidates that lose through the same levels are wrong on the same images, so their correlation is
//! the part of the loss that they share.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn, Vector2};

use super::losses::{Level, Losses};
use crate::search::Batch;

/// Standard deviations, before anything is known, of the drop without loss and of the drop per loss, in drops
/// that are allowed; the reference loses about that much.
const PRIOR: [f64; 2] = [0.5, 1.0];
/// What loses more says nothing of the line, on which drops do not stay.
const MOST_LOSS: f64 = 3.0;
/// Least standard deviation of a drop that was seen.
const LEAST_ERROR: f64 = 3e-4;

/// What was seen of one candidate.
struct Seen {
    levels: Vec<Level>,
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
    levels: Vec<Level>,
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
    pub fn learn(&mut self, levels: Vec<Level>, loss: f64, sum: &Batch) {
        let images = f64::from(sum.images);
        if loss < MOST_LOSS && images > 0.0 {
            // One more than seen: none at all does not prove that there is none.
            let disagreement = (f64::from(sum.lost + sum.gained) + 1.0) / (images + 1.0);
            self.seen.push(Seen { levels, loss, drop: sum.drop(), disagreement, images });
        }
    }

    /// Finds line and process for all that was seen.
    pub fn fit(&mut self, losses: &Losses) {
        let images: f64 = self.seen.iter().map(|seen| seen.images).sum();
        let disagreed: f64 = self.seen.iter().map(|seen| seen.images * seen.disagreement).sum();
        let scatter = disagreed / images.max(1.0) / self.images;
        let shares: Vec<_> = self.seen.iter().map(|seen| Shares::new(losses, &seen.levels)).collect();
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

    /// The chance that a candidate loses no more than `allowed` of the validation set.
    pub fn chance(&self, losses: &Losses, levels: &[Level], allowed: f64) -> f64 {
        let own = Shares::new(losses, levels);
        let loss = own.loss;
        let at = Vector2::new(1.0, loss);
        let of_loss = (self.line()[1] * loss).powi(2) * losses.variance(levels);
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
        normal((allowed - drop) / (variance + of_loss + LEAST_ERROR * LEAST_ERROR).sqrt())
    }
}

impl Shares {
    fn new(losses: &Losses, levels: &[Level]) -> Self {
        let added = levels.iter().enumerate().map(|(knob, &level)| losses.added(knob, level)).collect();
        Self { levels: levels.to_vec(), added, loss: losses.loss(levels) }
    }

    /// The part of the losses of both that comes from equal levels.
    fn shared_with(&self, other: &Self, losses: &Losses) -> f64 {
        let knobs = self.levels.iter().zip(&other.levels).zip(&self.added);
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
    use super::super::losses::Kind;
    use super::*;

    const ALLOWED: f64 = 0.015;
    const IMAGES: usize = 4000;

    fn levels(bits: [f64; 2]) -> Vec<Level> {
        bits.map(|bits| Level { kind: 0, bits }).to_vec()
    }

    fn batch(images: u32, lost: u32, gained: u32) -> Batch {
        Batch { images, lost, gained, divergence: 0.0 }
    }

    fn losses() -> Losses {
        Losses::new(2, vec![Kind::refined(4.0), Kind::coarse(3.0), Kind::membranes(4.0)])
    }

    /// base 0.3012; a knob adds 0.35 e^-0.5 = 0.2123 at the pivot and e^1.1 times that below: 0.6377. Of (4, 4)
    /// and (4, 3), losses 0.7258 and 1.1512, base and first knob are common: 0.5135 / 0.9141.
    #[test]
    fn what_is_shared_by_hand() {
        let losses = losses();
        let [a, b] = [[4.0, 4.0], [4.0, 3.0]].map(|bits| Shares::new(&losses, &levels(bits)));
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

    #[test]
    fn what_ran_on_all_images_is_decided() {
        let (losses, seen) = (losses(), levels([4.0, 3.0]));
        let mut drops = Drops::new(ALLOWED, IMAGES);
        drops.learn(seen.clone(), 1.15, &batch(4000, 120, 80));
        drops.fit(&losses);
        // What is expected of its own loss is still open; its drop is 0.01.
        let chance = |allowed| drops.chance(&losses, &seen, allowed);
        assert!(chance(0.03) > 0.95 && chance(-0.01) < 0.05, "{} {}", chance(0.03), chance(-0.01));
        assert!((chance(0.01) - 0.5).abs() < 0.05, "{}", chance(0.01));
    }

    #[test]
    fn a_line_is_learnt_and_what_was_seen_counts_for_what_is_like_it() {
        let losses = losses();
        let mut drops = Drops::new(ALLOWED, IMAGES);
        for (first, second) in [(8.0, 8.0), (6.0, 5.0), (5.0, 4.0), (4.0, 4.0), (4.0, 3.0), (3.0, 3.0)] {
            let levels = levels([first, second]);
            let loss = losses.loss(&levels);
            let lost = (4000.0 * 0.02 * loss).round() as u32;
            drops.learn(levels, loss, &batch(4000, 60 + lost, 60));
        }
        drops.fit(&losses);
        // 0.02 per loss: 0.015 at 0.75.
        assert!((drops.loss_of(ALLOWED) - 0.75).abs() < 0.1, "{}", drops.loss_of(ALLOWED));
        // Half as much again as foretold, on the same images as (3, 4) would lose.
        let before = drops.chance(&losses, &levels([3.0, 4.0]), 0.025);
        drops.learn(levels([3.0, 5.0]), losses.loss(&levels([3.0, 5.0])), &batch(4000, 190, 60));
        drops.fit(&losses);
        assert!(drops.chance(&losses, &levels([3.0, 4.0]), 0.025) < before);
    }

    #[test]
    fn what_loses_much_is_left_out() {
        let mut drops = Drops::new(ALLOWED, IMAGES);
        drops.learn(levels([2.0, 2.0]), 9.0, &batch(250, 200, 0));
        drops.fit(&losses());
        assert_eq!(drops.loss_of(ALLOWED), 1.0);
    }
}
