//! What candidates lose, learnt from every one that ran.
//!
//! The loss of a candidate is its divergence beside that of a reference on the same images. It is taken for
//! a sum over knobs: every knob adds an unknown coefficient times the noise of its level, four times as much
//! per bit less. Coefficients are a Gaussian process (Rasmussen and Williams, 2006, chapter 2): those of a
//! kind scatter around an unknown mean. A first few candidates change all knobs at once at random, which
//! tells coefficients apart with far fewer images than one change at a time (Hotelling's weighing designs,
//! 1944), and everything that is tested later is one more observation.

use nalgebra::{Cholesky, DMatrix, DVector};

use super::knapsack::knapsack;
use super::uniform::scan;
use crate::search::{Candidate, Engine, Knob, Part, Space, Stop, Verdict, is_power_of_two};

/// Random candidates that are run first.
const DESIGN: usize = 24;
/// Batches of each.
const DESIGN_BATCHES: usize = 1;
/// Levels this many bits from where the search stands are looked at.
const REACH_BITS: u32 = 2;
/// Losses that proposals aim at, and the range of these beside what is allowed.
const AIMS: usize = 25;
const AIM_RANGE: [f64; 2] = [0.6, 1.6];
/// Steps of a knapsack's capacity.
const STEPS: usize = 2000;
/// Standard deviation of the loss of an unchanged network, and of the mean of coefficients, in units of what
/// the reference loses.
const PRIOR: [f64; 2] = [0.5, 2.0];
/// Standard deviations that are tried: of coefficients around their mean, beside it, and of observations.
const SCATTERS: [f64; 4] = [0.3, 0.6, 1.2, 2.4];
const NOISES: [f64; 5] = [0.02, 0.04, 0.08, 0.16, 0.32];
/// A coefficient is at least this part of the mean one: none is free.
const FLOOR: f64 = 0.1;
/// Least standard deviation of the accuracy drop around what its loss foretells.
const LEAST_SPREAD: f64 = 0.003;
/// Images from which on a drop says something.
const IMAGES: u32 = 500;
/// Kinds of levels: uniform weights, powers of two, membranes.
const KINDS: usize = 3;

/// A candidate that ran.
struct Seen {
    /// Per knob, kind and noise of its level.
    noise: Vec<(usize, f64)>,
    /// Divergence beside that of the reference.
    loss: f64,
    images: u32,
    drop: f64,
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
    /// Per knob and kind.
    coefficients: Vec<[f64; KINDS]>,
    /// Accuracy drop per loss, and its standard deviation.
    drop: [f64; 2],
    allowed: f64,
    /// Per knob and level, the cost that it adds to the center; infinite for levels that are out of reach.
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
            reference: start.clone(),
            center: start.clone(),
            seen: Vec::new(),
            tried: Vec::new(),
            base: 0.0,
            drop: [0.0; 2],
            allowed: engine.problem.budgets.accuracy_drop,
            costs: Vec::new(),
        };
        model.test(engine, &start)?;
        for _ in 0..DESIGN {
            let candidate = model.scattered(engine);
            if engine.cost(&candidate)?.is_finite() {
                let sum = engine.sample(&candidate, DESIGN_BATCHES)?;
                model.learn(engine, &candidate, sum.images, sum.divergence / f64::from(sum.images.max(1)), sum.drop());
            }
        }
        model.fit();
        model.recenter(engine, start)?;
        Ok(model)
    }

    /// The center with every knob one step up or down.
    fn scattered(&self, engine: &mut Engine) -> Candidate {
        let mut candidate = self.center.clone();
        for knob in &self.knobs {
            let level = candidate.narrowest(knob);
            let steps = match engine.below(2) {
                0 => engine.space.below(knob.part, level),
                _ => engine.space.above(knob.part, level).into_iter().collect(),
            };
            if !steps.is_empty() {
                candidate = candidate.with(knob, steps[engine.below(steps.len())]);
            }
        }
        candidate
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
        if std::env::var("SPIQ_DEBUG").is_ok() {
            eprintln!(
                "{:6.2} cost {:.5} ({:.5}) images {} loss {:.3} predicted {:.3} drop {:.4} ({:.4} +- {:.4}) {}",
                engine.evaluations(), engine.cost(candidate)?, engine.best().map_or(0.0, |b| b.1), verdict.images,
                self.seen[self.seen.len() - 1].loss, self.loss(candidate, engine.space), verdict.drop, self.drop[0], self.drop[1], verdict.meets
            );
        }
        if verdict.meets && engine.best().is_some_and(|(best, _)| best == candidate) {
            engine.anchor(candidate)?;
            self.recenter(engine, candidate.clone())?;
        }
        Ok(verdict)
    }

    fn learn(&mut self, engine: &Engine, candidate: &Candidate, images: u32, divergence: f64, drop: f64) {
        let same = engine.divergence_of_first(&self.reference, images);
        let loss = divergence / same.max(f64::MIN_POSITIVE);
        let noise = self.knobs.iter().map(|knob| self.noise(engine.space, knob, candidate.narrowest(knob)));
        let noise = noise.collect();
        self.seen.push(Seen { noise, loss, images, drop });
    }

    /// Kind of a level, and its noise beside that of the reference.
    fn noise(&self, space: &Space, knob: &Knob, level: usize) -> (usize, f64) {
        let bits = |level: usize| f64::from(space.bits(knob.part, level));
        let more = bits(self.reference.narrowest(knob)) - bits(level);
        match knob.part {
            Part::Membranes => (2, 4f64.powf(more)),
            // The large ones stay as far apart with another bit.
            Part::Weights if is_power_of_two(&space.weights[level]) => (1, 2f64.powf(more)),
            Part::Weights => (0, 4f64.powf(more)),
        }
    }

    /// Costs are those of changes to `center`.
    fn recenter(&mut self, engine: &mut Engine, center: Candidate) -> Result<(), Stop> {
        let base = engine.cost(&center)?;
        self.costs.clear();
        for knob in &self.knobs {
            let bits = engine.space.bits(knob.part, center.narrowest(knob));
            let levels = 0..engine.space.levels(knob.part);
            let near = |&l: &usize| engine.space.bits(knob.part, l).abs_diff(bits) <= REACH_BITS;
            let near: Vec<usize> = levels.clone().filter(near).collect();
            let candidates: Vec<Candidate> = near.iter().map(|&level| center.with(knob, level)).collect();
            let mut costs = vec![f64::INFINITY; levels.len()];
            near.iter().zip(engine.costs(&candidates)?).for_each(|(&l, cost)| costs[l] = cost - base);
            self.costs.push(costs);
        }
        self.center = center;
        Ok(())
    }

    /// Fits coefficients and drop to all that was seen, with the scatter and noise that explain it best.
    fn fit(&mut self) {
        let mean = 1.0 / self.knobs.len() as f64;
        let expected = |seen: &Seen| seen.noise.iter().map(|(_, x)| mean * x).sum::<f64>();
        let rest = DVector::from_iterator(self.seen.len(), self.seen.iter().map(|s| s.loss - expected(s)));
        let tried = SCATTERS.iter().flat_map(|s| NOISES.iter().map(move |n| (*s, *n)));
        let mut best: Option<(f64, f64, DVector<f64>)> = None;
        for (scatter, noise) in tried {
            let Some(factor) = Cholesky::new(self.covariance(mean, scatter, noise)) else { continue };
            let weights = factor.solve(&rest);
            let evidence = -0.5 * rest.dot(&weights) - factor.l().diagonal().map(f64::ln).sum();
            if best.as_ref().is_none_or(|(most, ..)| evidence > *most) {
                best = Some((evidence, scatter, weights));
            }
        }
        let Some((_, scatter, weights)) = best else { return };
        self.base = PRIOR[0].powi(2) * weights.sum();
        let pairs = || self.seen.iter().zip(weights.iter());
        let shared: [f64; KINDS] = std::array::from_fn(|kind| {
            mean + (mean * PRIOR[1]).powi(2) * pairs().map(|(seen, w)| w * seen.of_kind(kind)).sum::<f64>()
        });
        self.coefficients = (0..self.knobs.len())
            .map(|knob| {
                std::array::from_fn(|kind| {
                    let own = |seen: &Seen| if seen.noise[knob].0 == kind { seen.noise[knob].1 } else { 0.0 };
                    let own = pairs().map(|(seen, w)| w * own(seen)).sum::<f64>();
                    let least = FLOOR * shared[kind].max(mean * FLOOR);
                    (shared[kind] + (mean * scatter).powi(2) * own).max(least)
                })
            })
            .collect();
        self.fit_drop();
    }

    /// Covariance of the losses that were seen.
    fn covariance(&self, mean: f64, scatter: f64, noise: f64) -> DMatrix<f64> {
        let (shared, own) = ((mean * PRIOR[1]).powi(2), (mean * scatter).powi(2));
        let kinds: Vec<[f64; KINDS]> =
            self.seen.iter().map(|seen| std::array::from_fn(|kind| seen.of_kind(kind))).collect();
        let most = self.seen.iter().map(|seen| seen.images).max().unwrap_or(1);
        DMatrix::from_fn(self.seen.len(), self.seen.len(), |i, j| {
            let (a, b) = (&self.seen[i], &self.seen[j]);
            let kinds: f64 = kinds[i].iter().zip(&kinds[j]).map(|(a, b)| a * b).sum();
            let knobs = a.noise.iter().zip(&b.noise).filter(|(a, b)| a.0 == b.0).map(|(a, b)| a.1 * b.1);
            let smooth = PRIOR[0].powi(2) + shared * kinds + own * knobs.sum::<f64>();
            // Half of it is the setting's own, half that of few images.
            let few = 0.5 + 0.5 * f64::from(most) / f64::from(a.images.max(1)).min(f64::from(most));
            if i == j { smooth + noise * noise * few } else { smooth }
        })
    }

    /// Drop per loss, by least squares, and how far drops are from it.
    fn fit_drop(&mut self) {
        let known = || self.seen.iter().filter(|seen| seen.images >= IMAGES);
        let weight = |seen: &Seen| f64::from(seen.images);
        let products: f64 = known().map(|seen| weight(seen) * seen.loss * seen.drop).sum();
        let squares: f64 = known().map(|seen| weight(seen) * seen.loss * seen.loss).sum();
        let slope = (products / squares.max(f64::MIN_POSITIVE)).max(1e-4);
        let weights: f64 = known().map(weight).sum();
        let errors: f64 = known().map(|seen| weight(seen) * (seen.drop - slope * seen.loss).powi(2)).sum();
        self.drop = [slope, (errors / weights.max(1.0)).sqrt().max(LEAST_SPREAD)];
    }

    /// What `knob` adds to the loss at `level`.
    pub fn added(&self, knob: usize, level: usize, space: &Space) -> f64 {
        let (kind, noise) = self.noise(space, &self.knobs[knob], level);
        self.coefficients[knob][kind] * noise
    }

    /// The loss of a candidate.
    pub fn loss(&self, candidate: &Candidate, space: &Space) -> f64 {
        let added = |(i, knob): (usize, &Knob)| self.added(i, candidate.narrowest(knob), space);
        self.base + self.knobs.iter().enumerate().map(added).sum::<f64>()
    }

    /// The chance that a candidate of this loss keeps the accuracy: the normal distribution by a logistic one.
    pub fn chance(&self, loss: f64) -> f64 {
        let [slope, spread] = self.drop;
        1.0 / (1.0 + (-1.702 * (self.allowed - slope * loss) / spread).exp())
    }

    /// The cheapest candidates around the center for losses around the allowed one, by knapsacks.
    pub fn front(&self, space: &Space) -> Vec<Candidate> {
        let allowed = self.allowed / self.drop[0];
        let classes: Vec<Vec<(f64, f64)>> = self
            .costs
            .iter()
            .enumerate()
            .map(|(k, costs)| (0..costs.len()).map(|l| (costs[l], self.added(k, l, space))).collect())
            .collect();
        let mut front: Vec<Candidate> = Vec::new();
        for i in 0..AIMS {
            let [low, high] = AIM_RANGE;
            let aim = allowed * (low + (high - low) * i as f64 / (AIMS - 1) as f64);
            let Some(levels) = knapsack(&classes, aim - self.base, STEPS) else { continue };
            let pairs = self.knobs.iter().zip(levels);
            let candidate = pairs.fold(self.center.clone(), |c, (knob, level)| c.with(knob, level));
            if !front.contains(&candidate) {
                front.push(candidate);
            }
        }
        front
    }
}

impl Seen {
    /// Noise of all knobs at levels of `kind`.
    fn of_kind(&self, kind: usize) -> f64 {
        self.noise.iter().filter(|(k, _)| *k == kind).map(|(_, noise)| noise).sum()
    }
}
