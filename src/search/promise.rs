//! What is promised of images that nobody has seen: on held-out images, which nothing was chosen on, an exact paired
//! test says whether a setting may lose more than allowed.
//!
//! Of n images the float network alone is right on some (lost), the setting alone on others (gained). Of all
//! distributions whose drop is the allowed one or more, the test takes the chance of a difference as small as the one
//! seen: a sum over binomials. It depends on how often exactly one of both is right, which is unknown: the largest chance
//! over an exact interval of that (Clopper and Pearson, Biometrika, 1934) is taken, and the chance that the interval is
//! wrong is added (Berger and Boos, Journal of the American Statistical Association, 1994).
//!
//! Several settings are tested from the safest to the cheapest, and the first that fails ends it: in such a fixed
//! sequence no look costs anything (Maurer, Hothorn and Lehmacher, 1995).

use serde::Serialize;

use super::Batch;

/// Chance with which the allowed drop is kept where nothing is asked for.
pub const DEFAULT_CONFIDENCE: f64 = 0.95;

/// Part of the allowed error that the interval of disagreements may be wrong with.
const INTERVAL_PART: f64 = 0.02;
/// Disagreements between the ends of the interval that are looked at.
const LOOKS: usize = 9;
/// Part of the images on which exactly one network is right that a search counts on, in allowed drops. The promise does
/// not depend on it, only how near to it the search comes.
const DISAGREEMENTS: f64 = 4.0;
/// Held-out images are enough where the search may use this part of the allowed drop.
const LEAST_PART: f64 = 1.0 / 3.0;
/// Most held-out images that are looked for.
const MOST_IMAGES: u32 = 1 << 16;
/// Steps of a bisection.
const BISECTIONS: usize = 40;
/// What is farther from the mean of a binomial, in standard deviations, has no chance that would count.
const FARTHEST: f64 = 10.0;

/// What is to be promised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Promise {
    /// Allowed drop of accuracy.
    pub allowed: f64,
    /// Chance that it is kept, 0..1.
    pub confidence: f64,
    /// Held-out images.
    pub images: u32,
}

/// A promise that was made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Promised {
    /// Chance that it is kept.
    pub confidence: f64,
    /// Held-out images.
    pub images: u32,
    /// Held-out images that the float network alone classifies correctly.
    pub lost: u32,
    /// Held-out images that the setting alone classifies correctly.
    pub gained: u32,
    /// Drop of accuracy that is not exceeded on images of the same distribution, at that confidence.
    pub most_drop: f64,
    /// Settings that held-out images were asked about.
    pub looks: usize,
}

impl Promise {
    /// The promise of one of `runs` runs: all of them together keep their promises with `confidence`, whichever is
    /// chosen in the end (Bonferroni).
    pub(crate) fn of_one(runs: usize, allowed: f64, confidence: f64, images: u32) -> Self {
        Self { allowed, confidence: 1.0 - (1.0 - confidence) / runs as f64, images }
    }

    /// Drop of accuracy on its own images that a search aims at, so that held-out images can tell; nothing where there
    /// are too few of these.
    pub fn target(&self) -> Option<f64> {
        let n = f64::from(self.images);
        let disagreements = (DISAGREEMENTS * self.allowed * n).round();
        let passes = |difference: f64| {
            let lost = ((disagreements + difference) / 2.0).round().clamp(0.0, n);
            let gained = (disagreements - lost).clamp(0.0, n - lost);
            self.is_kept(&Batch {
                images: self.images,
                lost: lost as u32,
                gained: gained as u32,
                divergence: 0.0,
            })
        };
        let (mut low, mut high) = (0.0, (self.allowed * n).floor());
        if !passes(low) {
            return None;
        }
        while high - low >= 1.0 {
            let middle = ((low + high) / 2.0).ceil();
            if passes(middle) { low = middle } else { high = middle - 1.0 }
        }
        let target = low / n;
        (target >= LEAST_PART * self.allowed).then_some(target)
    }

    /// Held-out images that such a promise needs; nothing where no number is enough.
    pub(crate) fn least_images(&self) -> Option<u32> {
        let (mut low, mut high) = (0, 1);
        let suffice = |images: u32| Self { images, ..*self }.target().is_some();
        while !suffice(high) {
            (low, high) = (high, high * 2);
            if high > MOST_IMAGES {
                return None;
            }
        }
        while high - low > 1 {
            let middle = low.midpoint(high);
            if suffice(middle) { high = middle } else { low = middle }
        }
        Some(high)
    }

    /// True if `seen` of the held-out images allows the promise.
    pub(crate) fn is_kept(&self, seen: &Batch) -> bool {
        seen.drop() < self.allowed && self.chance(seen, self.allowed) <= 1.0 - self.confidence
    }

    /// The promise that `seen` allows for, after so many `looks`.
    pub fn made(&self, seen: &Batch, looks: usize) -> Promised {
        let Self { confidence, images, .. } = *self;
        let (mut low, mut high) = (seen.drop().max(0.0), 1.0);
        for _ in 0..BISECTIONS {
            let middle = f64::midpoint(low, high);
            if self.chance(seen, middle) <= 1.0 - confidence { high = middle } else { low = middle }
        }
        Promised { confidence, images, lost: seen.lost, gained: seen.gained, most_drop: high, looks }
    }

    /// At most the chance of a drop as small as `seen` where the drop of the distribution is `drop`.
    fn chance(&self, seen: &Batch, drop: f64) -> f64 {
        let (n, disagreed) = (seen.images as usize, (seen.lost + seen.gained) as usize);
        let binomials = Binomials::new(n);
        let error = INTERVAL_PART * (1.0 - self.confidence);
        let [low, high] = binomials.interval(n, disagreed, error).map(|share| share.clamp(drop, 1.0));
        let difference = i64::from(seen.lost) - i64::from(seen.gained);
        let at = |i: usize| {
            let share = low + (high - low) * i as f64 / (LOOKS - 1) as f64;
            binomials.of_difference(n, difference, share, drop)
        };
        ((0..LOOKS).map(at).fold(0.0, f64::max) + error).min(1.0)
    }
}

/// Logarithms of factorials.
struct Binomials(Vec<f64>);

impl Binomials {
    fn new(most: usize) -> Self {
        let mut sum = 0.0;
        let next = |i: usize| {
            sum += (i.max(1) as f64).ln();
            sum
        };
        Self((0..=most).map(next).collect())
    }

    /// The chance of `k` of `n` with the chance `p` of each.
    fn exactly(&self, n: usize, k: usize, p: f64) -> f64 {
        let of = |count: usize, p: f64| if count == 0 { 0.0 } else { count as f64 * p.ln() };
        (self.0[n] - self.0[k] - self.0[n - k] + of(k, p) + of(n - k, 1.0 - p)).exp()
    }

    /// The chance of `k` of `n` or fewer.
    fn at_most(&self, n: usize, k: usize, p: f64) -> f64 {
        let [least, _] = likely(n, p);
        (least..=k.min(n)).map(|i| self.exactly(n, i, p)).sum::<f64>().min(1.0)
    }

    /// Chances between which `k` of `n` are no surprise, which are both wrong with a chance of at most `error`.
    fn interval(&self, n: usize, k: usize, error: f64) -> [f64; 2] {
        let bisect = |is_above: &dyn Fn(f64) -> bool| {
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..BISECTIONS {
                let middle = f64::midpoint(low, high);
                if is_above(middle) { high = middle } else { low = middle }
            }
            [low, high]
        };
        let low = if k == 0 { 0.0 } else { bisect(&|p| 1.0 - self.at_most(n, k - 1, p) > error / 2.0)[0] };
        let high = if k == n { 1.0 } else { bisect(&|p| self.at_most(n, k, p) < error / 2.0)[1] };
        [low, high]
    }

    /// The chance that of `n` images as many are lost as gained, and up to `difference` more, where exactly one network is
    /// right on a `share` of the distribution and the drop there is `drop`.
    fn of_difference(&self, n: usize, difference: i64, share: f64, drop: f64) -> f64 {
        let lost = f64::midpoint(1.0, if share > 0.0 { drop / share } else { 0.0 }).min(1.0);
        let of = |disagreed: usize| {
            let most = (disagreed as i64 + difference).div_euclid(2);
            let least = usize::try_from(most).map_or(0.0, |most| self.at_most(disagreed, most, lost));
            self.exactly(n, disagreed, share) * least
        };
        let [least, most] = likely(n, share);
        (least..=most).map(of).sum()
    }
}

/// Least and most of `n` that come up with the chance `p` of each.
fn likely(n: usize, p: f64) -> [usize; 2] {
    let mean = n as f64 * p;
    let far = FARTHEST * (mean * (1.0 - p)).sqrt() + FARTHEST;
    [(mean - far).floor().max(0.0) as usize, ((mean + far).ceil() as usize).min(n)]
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};

    use super::*;

    fn promise(images: u32) -> Promise {
        Promise { allowed: 0.015, confidence: 0.95, images }
    }

    fn batch(images: u32, lost: u32, gained: u32) -> Batch {
        Batch { images, lost, gained, divergence: 0.0 }
    }

    /// 2 of 4 with a chance of 0.5 are 6/16, up to 1 of 4 are 5/16. With two images, exactly one network right on half
    /// of them and a drop of 0.25, three quarters of disagreements are lost: a difference of at most 0 has a chance of
    /// 0.25 + 2 0.25 0.25 + 0.25 (1 - 0.5625) = 0.484375.
    #[test]
    fn binomials_by_hand() {
        let binomials = Binomials::new(4);
        assert!((binomials.exactly(4, 2, 0.5) - 0.375).abs() < 1e-12);
        assert!((binomials.at_most(4, 1, 0.5) - 0.3125).abs() < 1e-12);
        assert!((binomials.of_difference(2, 0, 0.5, 0.25) - 0.484375).abs() < 1e-12);
    }

    /// Clopper and Pearson: 0 of 10 at 5 % in all reach up to 1 - 0.025^(1/10) = 0.3085.
    #[test]
    fn an_interval_by_hand() {
        let [low, high] = Binomials::new(10).interval(10, 0, 0.05);
        assert!(low == 0.0 && (high - 0.3085).abs() < 1e-4, "{low} {high}");
    }

    /// Where nothing disagrees the chance is that of no lost image, up to the interval: 0.985^n.
    #[test]
    fn nothing_lost_of_few_images_promises_nothing() {
        assert!(!promise(150).is_kept(&batch(150, 0, 0)));
        assert!(promise(600).is_kept(&batch(600, 0, 0)));
    }

    /// A normal interval, 1.645 sqrt(0.06 / 2500) = 0.0081, leaves 0.0069; the exact one takes disagreements that are a
    /// quarter more often, and leaves 0.0060.
    #[test]
    fn a_target_leaves_room_for_chance() {
        let target = promise(2500).target().unwrap();
        assert!((target - 0.0058).abs() < 5e-4, "{target}");
        assert_eq!(promise(500).target(), None);
        let least = promise(1).least_images().unwrap();
        assert!(promise(least).target().is_some() && (2300..2600).contains(&least), "{least}");
    }

    /// Five runs share an error of 5 %: each promises with 99 %, and aims lower for it.
    #[test]
    fn runs_share_the_error() {
        let alone = Promise::of_one(1, 0.015, 0.95, 5000);
        let shared = Promise::of_one(5, 0.015, 0.95, 5000);
        assert_eq!(alone, promise(5000));
        assert!((shared.confidence - 0.99).abs() < 1e-12);
        assert!(shared.target().unwrap() < alone.target().unwrap());
    }

    #[test]
    fn the_most_that_is_lost_is_where_the_test_fails() {
        let seen = batch(2500, 70, 55);
        let made = promise(2500).made(&seen, 2);
        let tests = |allowed| Promise { allowed, ..promise(2500) }.is_kept(&seen);
        assert!(tests(made.most_drop + 1e-6) && !tests(made.most_drop - 1e-4), "{made:?}");
        assert_eq!((made.lost, made.gained, made.looks), (70, 55, 2));
    }

    /// A setting whose drop is just the allowed one passes in at most 5 % of all draws of held-out images, whatever the
    /// share of disagreements; 400 draws leave 3 standard errors of 1.1 %.
    #[test]
    fn promises_are_kept() {
        let mut dice = ChaCha8Rng::seed_from_u64(11);
        for share in [0.015, 0.04, 0.1] {
            let lost_share = f64::midpoint(share, 0.015);
            let mut passed = 0;
            for _ in 0..400 {
                let (mut lost, mut gained) = (0, 0);
                for _ in 0..800 {
                    let x = (dice.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
                    lost += u32::from(x < lost_share);
                    gained += u32::from((lost_share..share).contains(&x));
                }
                passed += u32::from(promise(800).is_kept(&batch(800, lost, gained)));
            }
            assert!(passed <= 33, "{passed} of 400 at {share} (seed 11)");
        }
    }
}
