//! The model of a search that learns from everything that it runs: what levels lose ([`Forecast`]), what they
//! cost, and which candidates follow from that.
//!
//! A first few candidates change all knobs at once at random, which tells layers apart with far fewer images than
//! one change at a time (Hotelling's weighing designs, 1944); everything that is tested later is one more observation.

use std::collections::HashSet;

use rayon::prelude::*;

use super::costs::{Costs, Table};
use super::forecast::Forecast;
use super::knapsack::knapsack;
use super::uniform;
use crate::search::{Candidate, Choice, Engine, Granularity, Knob, Space, Stop, Verdict};

/// Most random candidates that are run first, one batch each.
const DESIGN: usize = 40;
/// Part of the images that are left which these take at the most.
const DESIGN_PART: f64 = 0.25;
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
/// Groups of knobs that proposals narrow together.
const GROUPS: [Granularity; 3] = [Granularity::Block, Granularity::Stage, Granularity::Network];

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
    /// The cheapest candidate so far that keeps accuracy and budgets, or else one that keeps the accuracy and comes closest
    /// to the budgets, or else the reference of the forecast.
    pub center: Candidate,
    /// True if the center keeps the accuracy.
    pub keeps: bool,
    /// What levels cost.
    pub costs: Costs,
    /// What they lose.
    pub forecast: Forecast,
    /// Settings that were tested.
    pub tried: HashSet<Vec<Choice>>,
}

impl Surrogate {
    /// Starts from the cheapest uniform candidate that keeps the accuracy, and runs random ones around it.
    ///
    /// # Errors
    /// [`Stop::Exhausted`] where the evaluations do not suffice.
    pub fn start(engine: &mut Engine) -> Result<Self, Stop> {
        let start = uniform::start(engine)?.unwrap_or_else(|| engine.space.widest());
        engine.look_around(&start)?;
        engine.anchor(&start)?;
        let knobs = engine.knobs();
        let mut model = Self {
            costs: Costs::around(engine, &knobs, &start)?,
            forecast: Forecast::new(engine, knobs.clone(), start.clone())?,
            knobs,
            center: start.clone(),
            keeps: false,
            tried: HashSet::new(),
        };
        model.keeps = model.test(engine, &start)?.within;
        let affordable = DESIGN_PART * engine.images_left() / engine.batch_images() as f64;
        let mut part = NARROWED;
        for _ in 0..DESIGN.min(affordable as usize) {
            let candidate = model.scattered(engine, part);
            if engine.cost(&candidate)?.is_finite() {
                let loss = model.sample(engine, &candidate)?;
                part = if loss > GOAL { part * FEWER } else { (part / FEWER).min(NARROWED) };
            }
        }
        model.forecast.fit();
        model.costs.recenter(engine, &start)?;
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

    /// Runs one batch of a candidate, for a later fit of the forecast; returns its loss.
    ///
    /// # Errors
    /// [`Stop::Exhausted`] where the evaluations are used up.
    pub fn sample(&mut self, engine: &mut Engine, candidate: &Candidate) -> Result<f64, Stop> {
        let sum = engine.sample(candidate, 1)?;
        self.costs.learn(engine, candidate)?;
        Ok(self.forecast.learn(engine, candidate, &sum))
    }

    /// Tests a candidate and learns from it; the center moves to it if it is the best so far.
    ///
    /// # Errors
    /// Those of [`Engine::test`].
    pub fn test(&mut self, engine: &mut Engine, candidate: &Candidate) -> Result<Verdict, Stop> {
        let verdict = engine.test(candidate)?;
        self.costs.learn(engine, candidate)?;
        self.tried.insert(candidate.choices.clone());
        self.forecast.learn(engine, candidate, &verdict.sum);
        self.forecast.fit();
        let is_best = match engine.best() {
            Some((best, _)) => verdict.meets && *best == verdict.candidate,
            None => verdict.within && (!self.keeps || verdict.cost < self.costs.own()),
        };
        if is_best {
            self.keeps = true;
            engine.anchor(candidate)?;
            self.center = verdict.candidate.clone();
            engine.look_around(&self.center)?;
            self.costs.recenter(engine, &verdict.candidate)?;
        }
        Ok(verdict)
    }

    /// The cheapest candidates around the center for losses around the allowed one, by knapsacks.
    pub fn front(&self) -> Vec<Candidate> {
        // The center keeps the accuracy, whatever is expected of it.
        let allowed = self.forecast.allowed_loss().max(self.forecast.loss(&self.center));
        let mut front = Vec::new();
        self.costs.tables().iter().for_each(|table| self.add_front(&mut front, table, allowed));
        front
    }

    /// Adds the cheapest candidates around the center on the machine of `table`.
    fn add_front(&self, front: &mut Vec<Candidate>, table: &Table, allowed: f64) {
        let class = |k: usize| -> Vec<(f64, f64)> {
            let costs = table.added[k].iter().enumerate();
            costs.map(|(level, &cost)| (cost, self.forecast.added(k, level))).collect()
        };
        let classes: Vec<_> = (0..self.knobs.len()).map(class).collect();
        let base = self.forecast.base();
        for i in 0..AIMS {
            let [low, high] = AIM_RANGE;
            let aim = allowed * (low + (high - low) * i as f64 / (AIMS - 1) as f64);
            let Some(levels) = (aim > base).then(|| knapsack(&classes, aim - base, STEPS)).flatten() else {
                continue;
            };
            let pairs = self.knobs.iter().zip(levels);
            let center = self.center.on(table.machine);
            let candidate = pairs.fold(center, |c, (knob, level)| c.with(knob, level));
            if !front.contains(&candidate) {
                front.push(candidate);
            }
        }
    }

    /// What was not tested of the front and the center, of what differs from these in one knob, and of the center with a
    /// group of knobs one step narrower.
    pub fn proposals(&self, space: &Space) -> Vec<Proposal> {
        let mut known = self.tried.clone();
        let mut candidates: Vec<(Candidate, f64)> = Vec::new();
        let mut add = |candidate: Candidate| {
            let (cost, machine) = self.added_cost(&candidate);
            if cost.is_finite() && known.insert(candidate.choices.clone()) {
                candidates.push((candidate.on(machine), cost));
            }
        };
        for member in self.front().iter().chain([&self.center]) {
            for (k, knob) in self.knobs.iter().enumerate() {
                (0..self.costs.added(k).len()).for_each(|to| add(member.with(knob, to)));
            }
        }
        GROUPS.into_iter().flat_map(|groups| self.narrowed(space, groups)).for_each(add);
        let propose = |(candidate, added_cost): (Candidate, f64)| {
            let chance = self.forecast.chance(&candidate);
            Proposal { candidate, added_cost, chance }
        };
        candidates.into_par_iter().map(propose).collect()
    }

    /// The center with the weights or the membranes of each of `groups` one step narrower.
    fn narrowed(&self, space: &Space, groups: Granularity) -> Vec<Candidate> {
        let narrowed = |group: &Knob| {
            let within = |(_, knob): &(usize, &Knob)| {
                knob.part == group.part && knob.units.iter().all(|unit| group.units.contains(unit))
            };
            let step = |candidate: Candidate, (k, knob): (usize, &Knob)| {
                let below = self.costs.below(space, k, candidate.narrowest(knob));
                below.first().map_or(candidate.clone(), |&level| candidate.with(knob, level))
            };
            self.knobs.iter().enumerate().filter(within).fold(self.center.clone(), step)
        };
        space.knobs(groups).iter().map(narrowed).collect()
    }

    /// What a setting costs beside the center, were costs additive, and the machine in view on which that is least.
    fn added_cost(&self, candidate: &Candidate) -> (f64, usize) {
        let on = |table: &Table| {
            let added = |(k, knob): (usize, &Knob)| table.added[k][candidate.narrowest(knob)];
            (table.moved + self.knobs.iter().enumerate().map(added).sum::<f64>(), table.machine)
        };
        let tables = self.costs.tables().iter().map(on);
        tables.min_by(|a, b| a.0.total_cmp(&b.0)).expect("that of the center is one")
    }
}
