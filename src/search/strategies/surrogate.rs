//! What candidates lose, learnt from every one that ran.
//!
//! The loss of a candidate is its divergence beside that of a reference on the same images. It is taken for
//! a sum over knobs: every knob adds an unknown coefficient times the noise of its level, four times as much
//! per bit less. Coefficients are a Gaussian process (Rasmussen and Williams, 2006, chapter 2): those of a
//! kind scatter around an unknown mean. A first few candidates change all knobs at once at random, which
//! tells coefficients apart with far fewer images than one change at a time (Hotelling's weighing designs,
//! 1944), and everything that is tested later is one more observation.

use std::collections::HashSet;

use nalgebra::{Cholesky, DMatrix, DVector};

use super::knapsack::knapsack;
use super::uniform::scan;
use crate::search::{Candidate, Engine, Knob, Part, Space, Stop, Verdict, is_power_of_two};

/// Random candidates that are run first, one batch each.
const DESIGN: usize = 40;
/// Part of the knobs that they narrow: fewer after a candidate that loses more than the goal, more after one that
/// does not, as a staircase finds a threshold.
const NARROWED: f64 = 0.5;
const FEWER: f64 = 0.8;
/// Losses from which most is learnt, in those of the reference.
const GOAL: f64 = 1.5;
/// Losses that proposals aim at, and the range of these beside what is allowed.
const AIMS: usize = 17;
const AIM_RANGE: [f64; 2] = [0.6, 1.6];
/// Steps of a knapsack's capacity.
const STEPS: usize = 1000;
/// Standard deviation of the loss of an unchanged network, and of the mean of coefficients, in units of what
/// the reference loses.
const PRIOR: [f64; 2] = [0.5, 2.0];
/// Growths of noise per bit that are tried: squared errors of rounding grow by four, what they do by less.
const GROWTHS: [f64; 3] = [1.6, 2.5, 4.0];
/// Standard deviations that are tried: of coefficients around their mean, beside it, and of observations.
const SCATTERS: [f64; 3] = [0.4, 0.8, 1.6];
const ERRORS: [f64; 4] = [0.03, 0.06, 0.12, 0.24];
/// These are found anew when this many times as much was seen.
const AGAIN: f64 = 1.25;
/// What loses more is taken to lose this much: sums no longer hold.
const MOST_LOSS: f64 = 16.0;
/// A coefficient is at least this part of the mean one: none is free.
const FLOOR: f64 = 0.1;
/// Least standard deviation of the accuracy drop around what its loss foretells.
const LEAST_SPREAD: f64 = 0.003;
/// Least accuracy drop per loss.
const LEAST_SLOPE: f64 = 1e-4;
/// Images from which on a drop says something.
const IMAGES: u32 = 500;
/// Kinds of levels: uniform weights, powers of two, membranes.
const KINDS: usize = 3;

/// A candidate that ran.
struct Seen {
    /// Per knob, kind of its level, and by how many bits it is narrower than the reference.
    levels: Vec<(usize, f64)>,
    /// Divergence beside that of the reference.
    loss: f64,
    images: u32,
    drop: f64,
}

/// How losses behave.
#[derive(Clone, Copy)]
struct Shape {
    /// Per kind, how many times the noise of a level is that of the next wider one.
    growth: [f64; KINDS],
    /// Standard deviation of coefficients around the mean of their kind, beside it.
    scatter: f64,
    /// Standard deviation of what is seen, relative.
    error: f64,
}

impl Shape {
    fn covariance(&self, [shared, own]: [DMatrix<f64>; 2], errors: DVector<f64>) -> DMatrix<f64> {
        let mut sum = shared + own * (self.scatter * self.scatter);
        errors.iter().enumerate().for_each(|(i, error)| sum[(i, i)] += error);
        sum
    }
}

/// The accuracy drop that a loss foretells, and its standard deviation.
#[derive(Clone, Copy)]
struct Line {
    offset: f64,
    slope: f64,
    spread: f64,
}

/// The model, and where the search stands.
pub struct Surrogate {
    /// What is changed.
    pub knobs: Vec<Knob>,
    /// What losses are measured in.
    reference: Candidate,
    /// The cheapest candidate so far that keeps accuracy and budgets, or else the reference.
    pub center: Candidate,
    seen: Vec<Seen>,
    /// Candidates that were tested.
    pub tried: Vec<Candidate>,
    /// Loss of an unchanged network.
    base: f64,
    shape: Shape,
    /// Candidates that were seen when the shape was found.
    explained: usize,
    /// Per knob and kind.
    coefficients: Vec<[f64; KINDS]>,
    drop: Line,
    allowed: f64,
    /// Per knob and level, the cost that it adds to the center; infinite for levels more than a step away.
    pub costs: Vec<Vec<f64>>,
}

impl Surrogate {
    /// Starts from the cheapest uniform candidate that keeps the accuracy, and runs random ones around it.
    ///
    /// # Errors
    /// [`Stop::Exhausted`] where the evaluations do not suffice.
    pub fn start(engine: &mut Engine) -> Result<Self, Stop> {
        let start = scan(engine)?.unwrap_or_else(|| engine.space.widest());
        engine.anchor(&start)?;
        let knobs = engine.knobs();
        let mut model = Self {
            coefficients: vec![[0.0; KINDS]; knobs.len()],
            knobs,
            shape: Shape { growth: [1.0; KINDS], scatter: SCATTERS[0], error: ERRORS[0] },
            explained: 0,
            reference: start.clone(),
            center: start.clone(),
            seen: Vec::new(),
            tried: Vec::new(),
            base: 0.0,
            drop: Line { offset: 0.0, slope: LEAST_SLOPE, spread: LEAST_SPREAD },
            allowed: engine.problem.budgets.accuracy_drop,
            costs: Vec::new(),
        };
        model.test(engine, &start)?;
        let mut part = NARROWED;
        for _ in 0..DESIGN {
            let candidate = model.scattered(engine, part);
            if engine.cost(&candidate)?.is_finite() {
                let loss = model.sample(engine, &candidate)?;
                part = if loss > GOAL { part * FEWER } else { (part / FEWER).min(NARROWED) };
            }
        }
        model.fit();
        model.recenter(engine, start)?;
        Ok(model)
    }

    /// The center with `part` of the knobs one step narrower, and of the others half one step wider.
    fn scattered(&self, engine: &mut Engine, part: f64) -> Candidate {
        let mut candidate = self.center.clone();
        for knob in &self.knobs {
            let level = candidate.narrowest(knob);
            let steps = if engine.unit() < part {
                engine.space.below(knob.part, level)
            } else if engine.below(2) == 0 {
                engine.space.above(knob.part, level).into_iter().collect()
            } else {
                Vec::new()
            };
            if !steps.is_empty() {
                candidate = candidate.with(knob, steps[engine.below(steps.len())]);
            }
        }
        candidate
    }

    /// Runs one batch of a candidate, for a later [`Self::fit`]; returns its loss.
    ///
    /// # Errors
    /// [`Stop::Exhausted`] where the evaluations are used up.
    pub fn sample(&mut self, engine: &mut Engine, candidate: &Candidate) -> Result<f64, Stop> {
        let sum = engine.sample(candidate, 1)?;
        let divergence = sum.divergence / f64::from(sum.images.max(1));
        Ok(self.learn(engine, candidate, sum.images, divergence, sum.drop()))
    }

    /// Tests a candidate and learns from it; the center moves to it if it is the best so far.
    ///
    /// # Errors
    /// Those of [`Engine::test`].
    pub fn test(&mut self, engine: &mut Engine, candidate: &Candidate) -> Result<Verdict, Stop> {
        let verdict = engine.test(candidate)?;
        self.tried.push(candidate.clone());
        self.learn(engine, candidate, verdict.images, verdict.divergence, verdict.drop);
        self.fit();
        if verdict.meets && engine.best().is_some_and(|(best, _)| best == candidate) {
            engine.anchor(candidate)?;
            self.recenter(engine, candidate.clone())?;
        }
        Ok(verdict)
    }

    fn learn(
        &mut self,
        engine: &Engine,
        candidate: &Candidate,
        images: u32,
        divergence: f64,
        drop: f64,
    ) -> f64 {
        let same = engine.divergence_of_first(&self.reference, images);
        let loss = (divergence / same.max(f64::MIN_POSITIVE)).min(MOST_LOSS);
        let levels = self.knobs.iter().map(|knob| self.level(engine.space, knob, candidate.narrowest(knob)));
        let levels = levels.collect();
        self.seen.push(Seen { levels, loss, images, drop });
        loss
    }

    /// Kind of a level, and by how many bits it is narrower than the reference.
    fn level(&self, space: &Space, knob: &Knob, level: usize) -> (usize, f64) {
        let bits = |level: usize| f64::from(space.bits(knob.part, level));
        let kind = match knob.part {
            Part::Membranes => 2,
            Part::Weights => usize::from(is_power_of_two(&space.weights[level])),
        };
        (kind, bits(self.reference.narrowest(knob)) - bits(level))
    }

    /// Costs are those of changes to `center`.
    fn recenter(&mut self, engine: &mut Engine, center: Candidate) -> Result<(), Stop> {
        let base = engine.cost(&center)?;
        self.costs.clear();
        for knob in &self.knobs {
            let (levels, level) = (engine.space.levels(knob.part), center.narrowest(knob));
            let mut near = engine.space.below(knob.part, level);
            near.push(level);
            near.extend(engine.space.above(knob.part, level));
            let candidates: Vec<Candidate> = near.iter().map(|&level| center.with(knob, level)).collect();
            let mut costs = vec![f64::INFINITY; levels];
            near.iter().zip(engine.costs(&candidates)?).for_each(|(&l, cost)| costs[l] = cost - base);
            self.costs.push(costs);
        }
        self.center = center;
        Ok(())
    }

    /// Fits coefficients and drop to all that was seen; now and then also how losses grow, scatter and err.
    pub fn fit(&mut self) {
        if self.seen.len() as f64 >= AGAIN * self.explained as f64 {
            self.explain();
            self.explained = self.seen.len();
        }
        let noise = self.noise(self.shape.growth);
        let rest = self.rest(&noise);
        let covariance = self.shape.covariance(self.covariances(&noise), self.errors(self.shape.error));
        if let Some(factor) = Cholesky::new(covariance) {
            self.adopt(&noise, &factor.solve(&rest));
        }
        self.fit_drop();
    }

    /// The shape with the largest evidence.
    fn explain(&mut self) {
        let mut most = f64::NEG_INFINITY;
        for (weights, membranes) in GROWTHS.iter().flat_map(|w| GROWTHS.iter().map(move |m| (*w, *m))) {
            // Of powers of two the large ones stay as far apart with another bit.
            let growth = [weights, 0.5 * (1.0 + weights), membranes];
            let noise = self.noise(growth);
            let (rest, covariances) = (self.rest(&noise), self.covariances(&noise));
            for (scatter, error) in SCATTERS.iter().flat_map(|s| ERRORS.iter().map(move |e| (*s, *e))) {
                let shape = Shape { growth, scatter, error };
                let covariance = shape.covariance(covariances.clone(), self.errors(error));
                let Some(factor) = Cholesky::new(covariance) else { continue };
                let evidence =
                    -0.5 * rest.dot(&factor.solve(&rest)) - factor.l_dirty().diagonal().map(f64::ln).sum();
                if evidence > most {
                    (most, self.shape) = (evidence, shape);
                }
            }
        }
    }

    /// A coefficient before anything is known: all knobs together make up the loss of the reference.
    fn mean(&self) -> f64 {
        1.0 / self.knobs.len() as f64
    }

    /// Per candidate that was seen and knob, kind and noise of its level beside that of the reference.
    fn noise(&self, growth: [f64; KINDS]) -> Vec<Vec<(usize, f64)>> {
        let noise = |&(kind, narrower): &(usize, f64)| (kind, growth[kind].powf(narrower));
        self.seen.iter().map(|seen| seen.levels.iter().map(noise).collect()).collect()
    }

    /// Losses without what coefficients are before anything is known.
    fn rest(&self, noise: &[Vec<(usize, f64)>]) -> DVector<f64> {
        let expected = |x: &[(usize, f64)]| self.mean() * x.iter().map(|(_, x)| x).sum::<f64>();
        let rest = self.seen.iter().zip(noise).map(|(seen, x)| seen.loss - expected(x));
        DVector::from_iterator(self.seen.len(), rest)
    }

    /// Means of base and coefficients after all that was seen; `weights` are the covariances' inverse times
    /// what is left to explain.
    fn adopt(&mut self, noise: &[Vec<(usize, f64)>], weights: &DVector<f64>) {
        let mean = self.mean();
        let pairs = || noise.iter().zip(weights.iter());
        self.base = PRIOR[0].powi(2) * weights.sum();
        let shared: [f64; KINDS] = std::array::from_fn(|kind| {
            mean + (mean * PRIOR[1]).powi(2) * pairs().map(|(x, w)| w * of_kind(x, kind)).sum::<f64>()
        });
        let coefficient = |knob: usize, kind: usize| {
            let own = |x: &[(usize, f64)]| if x[knob].0 == kind { x[knob].1 } else { 0.0 };
            let own = pairs().map(|(x, w)| w * own(x)).sum::<f64>();
            let least = FLOOR * shared[kind].max(mean * FLOOR);
            (shared[kind] + (mean * self.shape.scatter).powi(2) * own).max(least)
        };
        self.coefficients =
            (0..self.knobs.len()).map(|knob| std::array::from_fn(|kind| coefficient(knob, kind))).collect();
    }

    /// Covariances of the losses that were seen, errors apart: by the base and the means of kinds, and by
    /// coefficients that scatter around them by one mean.
    fn covariances(&self, noise: &[Vec<(usize, f64)>]) -> [DMatrix<f64>; 2] {
        let (count, mean) = (noise.len(), self.mean());
        let kinds: Vec<[f64; KINDS]> =
            noise.iter().map(|x| std::array::from_fn(|kind| of_kind(x, kind))).collect();
        let shared = |i: usize, j: usize| -> f64 { kinds[i].iter().zip(&kinds[j]).map(|(a, b)| a * b).sum() };
        let own = |i: usize, j: usize| -> f64 {
            let pairs = noise[i].iter().zip(&noise[j]);
            pairs.filter(|(a, b)| a.0 == b.0).map(|(a, b)| a.1 * b.1).sum()
        };
        let [base, means] = [PRIOR[0].powi(2), (mean * PRIOR[1]).powi(2)];
        [
            DMatrix::from_fn(count, count, |i, j| base + means * shared(i, j)),
            DMatrix::from_fn(count, count, |i, j| mean * mean * own(i, j)),
        ]
    }

    /// Variances of the errors of what was seen, relative to losses: half is the setting's own, half that of few
    /// images.
    fn errors(&self, error: f64) -> DVector<f64> {
        let most = self.seen.iter().map(|seen| seen.images).max().unwrap_or(1);
        let variance = |seen: &Seen| {
            let few = 0.5 + 0.5 * f64::from(most) / f64::from(seen.images.max(1));
            few * (error * seen.loss.max(1.0)).powi(2)
        };
        DVector::from_iterator(self.seen.len(), self.seen.iter().map(variance))
    }

    /// The line of drops over losses, by least squares, and how far drops are from it.
    fn fit_drop(&mut self) {
        let known = || self.seen.iter().filter(|seen| seen.images >= IMAGES);
        let weights: f64 = known().map(|seen| f64::from(seen.images)).sum::<f64>().max(1.0);
        let mean = |of: &dyn Fn(&Seen) -> f64| -> f64 {
            known().map(|seen| f64::from(seen.images) * of(seen)).sum::<f64>() / weights
        };
        let (loss, drop) = (mean(&|seen| seen.loss), mean(&|seen| seen.drop));
        // One image more, without loss and drop: a single candidate gives the line through both.
        let products = mean(&|seen| (seen.loss - loss) * (seen.drop - drop)) + loss * drop / weights;
        let squares = mean(&|seen| (seen.loss - loss).powi(2)) + loss * loss / weights;
        let slope = (products / squares.max(f64::MIN_POSITIVE)).max(LEAST_SLOPE);
        let offset = drop - slope * loss;
        let errors = mean(&|seen| (seen.drop - offset - slope * seen.loss).powi(2));
        self.drop = Line { offset, slope, spread: errors.sqrt().max(LEAST_SPREAD) };
    }

    /// What `knob` adds to the loss at `level`.
    pub fn added(&self, knob: usize, level: usize, space: &Space) -> f64 {
        let (kind, narrower) = self.level(space, &self.knobs[knob], level);
        self.coefficients[knob][kind] * self.shape.growth[kind].powf(narrower)
    }

    /// The loss of a candidate.
    pub fn loss(&self, candidate: &Candidate, space: &Space) -> f64 {
        let added = |(i, knob): (usize, &Knob)| self.added(i, candidate.narrowest(knob), space);
        self.base + self.knobs.iter().enumerate().map(added).sum::<f64>()
    }

    /// The chance that a candidate of this loss keeps the accuracy: the normal distribution by a logistic one.
    pub fn chance(&self, loss: f64) -> f64 {
        let Line { offset, slope, spread } = self.drop;
        1.0 / (1.0 + (-1.702 * (self.allowed - offset - slope * loss) / spread).exp())
    }

    /// The cheapest candidates around the center for losses around the allowed one, by knapsacks.
    pub fn front(&self, space: &Space) -> Vec<Candidate> {
        // The center keeps the accuracy, whatever is expected of it.
        let allowed =
            ((self.allowed - self.drop.offset) / self.drop.slope).max(self.loss(&self.center, space));
        let class = |(knob, costs): (usize, &Vec<f64>)| -> Vec<(f64, f64)> {
            costs.iter().enumerate().map(|(level, &cost)| (cost, self.added(knob, level, space))).collect()
        };
        let classes: Vec<_> = self.costs.iter().enumerate().map(class).collect();
        let mut front: Vec<Candidate> = Vec::new();
        for i in 0..AIMS {
            let [low, high] = AIM_RANGE;
            let aim = allowed * (low + (high - low) * i as f64 / (AIMS - 1) as f64);
            let Some(levels) =
                (aim > self.base).then(|| knapsack(&classes, aim - self.base, STEPS)).flatten()
            else {
                continue;
            };
            let pairs = self.knobs.iter().zip(levels);
            let candidate = pairs.fold(self.center.clone(), |c, (knob, level)| c.with(knob, level));
            if !front.contains(&candidate) {
                front.push(candidate);
            }
        }
        front
    }

    /// What was not tested of the front and of what is one step from it: cost beside that of the center, were
    /// costs additive, and loss.
    pub fn proposals(&self, space: &Space) -> Vec<(f64, f64, Candidate)> {
        let mut known: HashSet<Candidate> = self.tried.iter().cloned().collect();
        let mut proposals = Vec::new();
        for member in self.front(space) {
            let (cost, loss) = (self.cost(&member), self.loss(&member, space));
            for (k, knob) in self.knobs.iter().enumerate() {
                let level = member.narrowest(knob);
                let steps = space.below(knob.part, level).into_iter().chain(space.above(knob.part, level));
                for to in steps.filter(|&to| self.costs[k][to].is_finite()) {
                    let more = self.added(k, to, space) - self.added(k, level, space);
                    let candidate = member.with(knob, to);
                    if known.insert(candidate.clone()) {
                        proposals.push((
                            cost + self.costs[k][to] - self.costs[k][level],
                            loss + more,
                            candidate,
                        ));
                    }
                }
            }
            if known.insert(member.clone()) {
                proposals.push((cost, loss, member));
            }
        }
        proposals
    }

    /// What a candidate near the center costs beside it, were costs additive.
    fn cost(&self, candidate: &Candidate) -> f64 {
        let pairs = self.knobs.iter().zip(&self.costs);
        pairs.map(|(knob, costs)| costs[candidate.narrowest(knob)]).sum()
    }
}

/// Noise of all knobs at levels of `kind`.
fn of_kind(noise: &[(usize, f64)], kind: usize) -> f64 {
    noise.iter().filter(|(k, _)| *k == kind).map(|(_, noise)| noise).sum()
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};

    use super::*;

    /// Six knobs of weights, the first of which loses most: losses of levels at random, of a sum that grows by
    /// four per bit, tell all coefficients and the growth.
    fn learnt(count: usize) -> Surrogate {
        let candidate = Candidate(Vec::new());
        let mut model = Surrogate {
            knobs: (0..6).map(|unit| Knob { units: vec![unit], part: Part::Weights }).collect(),
            reference: candidate.clone(),
            center: candidate,
            seen: Vec::new(),
            tried: Vec::new(),
            base: 0.0,
            shape: Shape { growth: [1.0; KINDS], scatter: SCATTERS[0], error: ERRORS[0] },
            explained: 0,
            coefficients: Vec::new(),
            drop: Line { offset: 0.0, slope: LEAST_SLOPE, spread: LEAST_SPREAD },
            allowed: 0.015,
            costs: Vec::new(),
        };
        let mut dice = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..count {
            let mut level = |_| (0, f64::from(dice.next_u32() % 4) - 2.0);
            let levels: Vec<(usize, f64)> = (0..6).map(&mut level).collect();
            let added =
                |(coefficient, (_, narrower)): (&f64, &(usize, f64))| coefficient * 4f64.powf(*narrower);
            let loss = 0.1 + TRUE.iter().zip(&levels).map(added).sum::<f64>();
            model.seen.push(Seen { levels, loss, images: 1000, drop: 0.02 * loss });
        }
        model.fit();
        model
    }

    const TRUE: [f64; 6] = [0.3, 0.1, 0.1, 0.08, 0.05, 0.02];

    #[test]
    fn coefficients_of_a_sum_are_learnt() {
        let model = learnt(24);
        assert_eq!(model.shape.growth[0], 4.0);
        for (found, expected) in model.coefficients.iter().zip(TRUE) {
            assert!((found[0] - expected).abs() < 0.015, "{found:?} is not {expected}");
        }
        assert!((model.base - 0.1).abs() < 0.05, "{}", model.base);
        // 0.02 of a loss of 0.75 is what is allowed.
        assert!((model.drop.slope - 0.02).abs() < 1e-4);
        assert!((model.chance(0.75) - 0.5).abs() < 0.01);
        assert!(model.chance(0.5) > 0.9 && model.chance(1.0) < 0.1);
    }

    #[test]
    fn more_candidates_tell_more() {
        let error = |model: &Surrogate| -> f64 {
            model.coefficients.iter().zip(TRUE).map(|(found, expected)| (found[0] - expected).abs()).sum()
        };
        assert!(error(&learnt(24)) < 0.5 * error(&learnt(3)));
    }
}
