//! Where a search stands that learns from everything that it runs: what levels lose ([`Losses`]), what they
//! cost, and which candidates follow from that.
//!
//! The loss of a candidate is its divergence beside that of a reference on the same images, which takes the
//! images' difficulty away. A first few candidates change all knobs at once at random, which tells layers apart
//! with far fewer images than one change at a time (Hotelling's weighing designs, 1944); everything that is
//! tested later is one more observation.

use std::collections::HashSet;

use rayon::prelude::*;

use super::costs::Costs;
use super::drops::Drops;
use super::knapsack::knapsack;
use super::losses::{KINDS, Level, Losses, Observation};
use super::uniform::scan;
use crate::search::{Batch, Candidate, Engine, Knob, Part, Space, Stop, Verdict, is_power_of_two};

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
/// Relative errors of losses: of the sum, of [`FEW`] images, and of the sum beyond a loss of e, per power of e,
/// where errors of layers no longer add up.
const ERRORS: [f64; 3] = [0.06, 0.12, 0.15];
const FEW: f64 = 250.0;
/// What loses more is taken to lose this much.
const MOST_LOSS: f64 = 16.0;
/// Bits of powers of two and of membranes that coefficients are of; of uniform weights, those of the reference.
const PIVOTS: [f64; 2] = [3.0, 4.0];

/// What is expected of a candidate.
pub struct Proposal {
    /// The candidate.
    pub candidate: Candidate,
    /// What it costs beside the center, were costs additive.
    pub added_cost: f64,
    /// The chance that it keeps the accuracy.
    pub chance: f64,
}

/// The model, and where the search stands.
pub struct Surrogate {
    /// What is changed.
    pub knobs: Vec<Knob>,
    /// What losses are measured in.
    reference: Candidate,
    /// The cheapest candidate so far that keeps accuracy and budgets, or else the reference.
    pub center: Candidate,
    /// What levels cost.
    pub costs: Costs,
    losses: Losses,
    seen: Vec<Observation>,
    drops: Drops,
    allowed: f64,
    /// Candidates that were tested.
    pub tried: HashSet<Candidate>,
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
        let pivot = f64::from(engine.space.bits(Part::Weights, start.level(0, Part::Weights)));
        let mut model = Self {
            losses: Losses::new(knobs.len(), [pivot, PIVOTS[0], PIVOTS[1]]),
            costs: Costs::around(engine, &knobs, &start)?,
            knobs,
            reference: start.clone(),
            center: start.clone(),
            seen: Vec::new(),
            drops: Drops::new(engine.problem.budgets.accuracy_drop, engine.images()),
            allowed: engine.problem.budgets.accuracy_drop,
            tried: HashSet::new(),
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
        Ok(model)
    }

    /// The center with `part` of the knobs one or two steps narrower, and of the others half one step wider.
    fn scattered(&self, engine: &mut Engine, part: f64) -> Candidate {
        let mut candidate = self.center.clone();
        for (k, knob) in self.knobs.iter().enumerate() {
            let mut level = candidate.narrowest(knob);
            if engine.unit() < part {
                for _ in 0..1 + engine.below(2) {
                    let steps = self.costs.below(engine.space, k, level);
                    level = if steps.is_empty() { level } else { steps[engine.below(steps.len())] };
                }
            } else if engine.below(2) == 0 {
                level = self.costs.above(engine.space, k, level).unwrap_or(level);
            }
            candidate = candidate.with(knob, level);
        }
        candidate
    }

    /// Runs one batch of a candidate, for a later [`Self::fit`]; returns its loss.
    ///
    /// # Errors
    /// [`Stop::Exhausted`] where the evaluations are used up.
    pub fn sample(&mut self, engine: &mut Engine, candidate: &Candidate) -> Result<f64, Stop> {
        let sum = engine.sample(candidate, 1)?;
        Ok(self.learn(engine, candidate, &sum))
    }

    /// Tests a candidate and learns from it; the center moves to it if it is the best so far.
    ///
    /// # Errors
    /// Those of [`Engine::test`].
    pub fn test(&mut self, engine: &mut Engine, candidate: &Candidate) -> Result<Verdict, Stop> {
        let verdict = engine.test(candidate)?;
        self.tried.insert(candidate.clone());
        self.learn(engine, candidate, &verdict.sum);
        self.fit();
        if verdict.meets && engine.best().is_some_and(|(best, _)| best == candidate) {
            engine.anchor(candidate)?;
            self.center = candidate.clone();
            self.costs.recenter(engine, candidate)?;
        }
        Ok(verdict)
    }

    /// Remembers what `sum` says of a candidate; returns its loss.
    fn learn(&mut self, engine: &Engine, candidate: &Candidate, sum: &Batch) -> f64 {
        let same = engine.divergence_of_first(&self.reference, sum.images);
        let loss = (sum.mean_divergence() / same.max(f64::MIN_POSITIVE)).clamp(1.0 / MOST_LOSS, MOST_LOSS);
        let [of_sum, of_few, beyond] = ERRORS;
        let few = of_few * (FEW / f64::from(sum.images.max(1))).sqrt();
        let large = beyond * (loss.ln() - 1.0).max(0.0);
        let error = (of_sum * of_sum + few * few + large * large).sqrt();
        let levels = self.levels(candidate, engine.space);
        self.drops.learn(levels.clone(), loss, sum);
        self.seen.push(Observation { levels, log_loss: loss.ln(), error });
        loss
    }

    fn levels(&self, candidate: &Candidate, space: &Space) -> Vec<Level> {
        self.knobs.iter().map(|knob| level(space, knob.part, candidate.narrowest(knob))).collect()
    }

    /// Fits losses and drops to all that was seen.
    pub fn fit(&mut self) {
        self.losses.fit(&self.seen);
        self.drops.fit(&self.losses);
    }

    /// What `knob` adds to the loss at `to`.
    pub fn added(&self, knob: usize, to: usize, space: &Space) -> f64 {
        self.losses.added(knob, level(space, self.knobs[knob].part, to))
    }

    /// The loss of a candidate.
    pub fn loss(&self, candidate: &Candidate, space: &Space) -> f64 {
        self.losses.loss(&self.levels(candidate, space))
    }

    /// The chance that a candidate keeps the accuracy.
    pub fn chance(&self, candidate: &Candidate, space: &Space) -> f64 {
        self.drops.chance(&self.losses, &self.levels(candidate, space), self.allowed)
    }

    /// The cheapest candidates around the center for losses around the allowed one, by knapsacks.
    pub fn front(&self, space: &Space) -> Vec<Candidate> {
        // The center keeps the accuracy, whatever is expected of it.
        let allowed = self.drops.loss_of(self.allowed).max(self.loss(&self.center, space));
        let class = |k: usize| -> Vec<(f64, f64)> {
            let costs = self.costs.added(k).iter().enumerate();
            costs.map(|(level, &cost)| (cost, self.added(k, level, space))).collect()
        };
        let classes: Vec<_> = (0..self.knobs.len()).map(class).collect();
        let base = self.losses.base();
        let mut front: Vec<Candidate> = Vec::new();
        for i in 0..AIMS {
            let [low, high] = AIM_RANGE;
            let aim = allowed * (low + (high - low) * i as f64 / (AIMS - 1) as f64);
            let Some(levels) = (aim > base).then(|| knapsack(&classes, aim - base, STEPS)).flatten() else {
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

    /// What was not tested of the front, and of what differs from it in one knob.
    pub fn proposals(&self, space: &Space) -> Vec<Proposal> {
        let mut known = self.tried.clone();
        let mut candidates = Vec::new();
        for member in self.front(space) {
            let levels: Vec<usize> = self.knobs.iter().map(|knob| member.narrowest(knob)).collect();
            let cost: f64 = levels.iter().enumerate().map(|(k, &level)| self.costs.added(k)[level]).sum();
            for (k, knob) in self.knobs.iter().enumerate() {
                let costs = self.costs.added(k);
                for to in (0..costs.len()).filter(|&to| costs[to].is_finite()) {
                    let candidate = member.with(knob, to);
                    if known.insert(candidate.clone()) {
                        candidates.push((candidate, cost + costs[to] - costs[levels[k]]));
                    }
                }
            }
        }
        let propose = |(candidate, added_cost): (Candidate, f64)| {
            let chance = self.chance(&candidate, space);
            Proposal { candidate, added_cost, chance }
        };
        candidates.into_par_iter().map(propose).collect()
    }
}

/// A level as losses see it.
fn level(space: &Space, part: Part, level: usize) -> Level {
    let kind = match part {
        Part::Membranes => KINDS - 1,
        Part::Weights => usize::from(is_power_of_two(&space.weights[level])),
    };
    Level { kind, bits: f64::from(space.bits(part, level)) }
}
