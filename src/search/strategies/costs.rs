//! What each level of each knob costs around a candidate, at the activity that it leads to.
//!
//! What a candidate costs at the activity of the float network takes no execution. How activity changes costs
//! is measured once for each level by itself, on a few images, and taken for a factor: coarse weights and
//! narrow membranes may fire less. How far such factors add up is learnt from candidates that ran.

use nalgebra::{Matrix3, Vector3};

use crate::search::{Candidate, Engine, Knob, Part, Space, Stop};

/// Savings below this part of the widest setting's cost are none.
pub const WORTHWHILE: f64 = 1e-4;
/// Part of the images that are left which measuring activity may take knob by knob.
const ACTIVITY_PART: f64 = 0.25;
/// Mean and standard deviation of the part of the effects of single levels that adds up, before anything is known.
const ADDS_UP: [f64; 2] = [1.0, 0.5];
/// Relative error of a cost that follows from it.
const ERROR: f64 = 0.03;

/// Costs around a center.
pub struct Costs {
    knobs: Vec<Knob>,
    center: Candidate,
    /// Cost of the center, at its own activity.
    own: f64,
    /// Cost of the center, at the activity of the float network.
    estimate: f64,
    /// Per knob and level, the logarithm of the factor by which its activity changes the cost.
    activity: Vec<Vec<f64>>,
    /// How far these add up.
    adds_up: AddsUp,
    /// Of the center's machine, and behind it of the others in view.
    tables: Vec<Table>,
}

/// What changes of the center cost on a machine.
pub struct Table {
    /// Number of the machine.
    pub machine: usize,
    /// What the setting of the center costs more there than on its own machine.
    pub moved: f64,
    /// Per knob and level, the cost that it adds to the center on this machine; infinite for what the machine refuses, and
    /// for what saves nothing beside a wider level.
    pub added: Vec<Vec<f64>>,
}

impl Costs {
    /// Measures activity around `center`, and costs.
    ///
    /// # Errors
    /// [`Stop::Exhausted`] where the evaluations do not suffice.
    pub fn around(engine: &mut Engine, knobs: &[Knob], center: &Candidate) -> Result<Self, Stop> {
        let mut costs = Self {
            knobs: knobs.to_vec(),
            center: center.clone(),
            own: 0.0,
            estimate: 0.0,
            activity: knobs.iter().map(|knob| vec![0.0; engine.space.levels(knob.part)]).collect(),
            adds_up: AddsUp::default(),
            tables: Vec::new(),
        };
        costs.recenter(engine, center)?;
        if engine.problem.depends_on_activity() {
            costs.measure_activity(engine)?;
            costs.recenter(engine, center)?;
        }
        Ok(costs)
    }

    /// Measures how activity changes costs, knob by knob, or where the evaluations are too few for that, all knobs of a
    /// part together, each of which is then taken to change as much as the others.
    fn measure_activity(&mut self, engine: &mut Engine) -> Result<(), Stop> {
        let levels: usize = self.activity.iter().map(Vec::len).sum();
        let affordable = ACTIVITY_PART * engine.images_left() / engine.charged_images() as f64;
        if levels as f64 <= affordable {
            for k in 0..self.knobs.len() {
                self.activity[k] = self.activity_of(engine, &self.knobs[k])?;
            }
            return Ok(());
        }
        for part in [Part::Weights, Part::Membranes] {
            let of_part: Vec<usize> = (0..self.knobs.len()).filter(|&k| self.knobs[k].part == part).collect();
            let units = of_part.iter().flat_map(|&k| self.knobs[k].units.clone()).collect();
            let together = self.activity_of(engine, &Knob { units, part })?;
            for &k in &of_part {
                self.activity[k] = together.iter().map(|all| all / of_part.len() as f64).collect();
            }
        }
        Ok(())
    }

    /// Per level of `knob`, the logarithm of the factor by which its activity changes the cost of the center.
    fn activity_of(&self, engine: &mut Engine, knob: &Knob) -> Result<Vec<f64>, Stop> {
        let (at_center, levels) = ((self.own / self.estimate).ln(), engine.space.levels(knob.part));
        let factor = |level: usize| {
            let candidate = self.center.with(knob, level);
            let estimate = engine.cost(&candidate)?;
            // What the machine refuses has no activity.
            if !estimate.is_finite() {
                return Ok(0.0);
            }
            Ok((engine.own_cost(&candidate)? / estimate).ln() - at_center)
        };
        (0..levels).map(factor).collect()
    }

    /// Remembers what a candidate that ran costs at its own activity, for the next [`Self::recenter`], where that is
    /// minimised: under a budget of energy, searches for footprint found less that way, in four times the time.
    ///
    /// # Errors
    /// [`Stop::Exhausted`] where the evaluations are used up.
    pub fn learn(&mut self, engine: &mut Engine, candidate: &Candidate) -> Result<(), Stop> {
        if engine.problem.minimizes_activity() {
            let factor = engine.own_cost(candidate)? / engine.cost(candidate)?;
            self.adds_up.learn(self.alone(candidate), factor.ln());
        }
        Ok(())
    }

    /// The effects of a candidate's levels on its activity, each by itself, summed over weights and over membranes.
    fn alone(&self, candidate: &Candidate) -> [f64; 2] {
        let mut sums = [0.0; 2];
        for (knob, activity) in self.knobs.iter().zip(&self.activity) {
            sums[knob.part as usize] += activity[candidate.narrowest(knob)];
        }
        sums
    }

    /// Costs of changes to `center`.
    ///
    /// # Errors
    /// If the input is wrong.
    pub fn recenter(&mut self, engine: &mut Engine, center: &Candidate) -> Result<(), Stop> {
        self.adds_up.fit();
        self.center = center.clone();
        self.estimate = engine.cost(center)?;
        self.own = self.measured(engine, center)?;
        self.tables.clear();
        let others = engine.in_view().iter().copied().filter(|&machine| machine != center.machine);
        let machines: Vec<usize> = std::iter::once(center.machine).chain(others).collect();
        for machine in machines {
            self.tables.extend(self.table(engine, &center.on(machine))?);
        }
        Ok(())
    }

    /// Costs of changes to `center`, on its machine; nothing where that cannot run it.
    fn table(&self, engine: &mut Engine, center: &Candidate) -> Result<Option<Table>, Stop> {
        let estimate = engine.cost(center)?;
        let is_own = center.machine == self.center.machine;
        if !estimate.is_finite() && !is_own {
            return Ok(None);
        }
        let own = if is_own { self.own } else { self.own * estimate / self.estimate };
        let mut all = Vec::new();
        for knob in &self.knobs {
            let levels = engine.space.levels(knob.part);
            let candidates: Vec<Candidate> = (0..levels).map(|level| center.with(knob, level)).collect();
            let expected = self.expected(engine, &candidates)?;
            let mut added: Vec<f64> = expected.iter().map(|cost| cost - own).collect();
            drop_useless(engine.space, knob.part, center.narrowest(knob), &mut added);
            all.push(added);
        }
        Ok(Some(Table { machine: center.machine, moved: own - self.own, added: all }))
    }

    /// Expected costs of candidates at their own activity; infinite for what the machine refuses.
    ///
    /// # Errors
    /// If the input is wrong.
    pub fn expected(&self, engine: &mut Engine, candidates: &[Candidate]) -> Result<Vec<f64>, Stop> {
        let estimates = engine.costs(candidates)?;
        let together = |candidate: &Candidate| self.adds_up.together(self.alone(candidate));
        let at_center = together(&self.center);
        let factor = |candidate: &Candidate| (together(candidate) - at_center).exp();
        let pairs = estimates.iter().zip(candidates);
        Ok(pairs.map(|(estimate, c)| estimate * factor(c) * self.own / self.estimate).collect())
    }

    /// Cost of the center at its own activity.
    pub fn own(&self) -> f64 {
        self.own
    }

    /// Cost of a candidate at its own activity, where that matters; infinite for what the machine refuses.
    ///
    /// # Errors
    /// [`Stop::Exhausted`] where the evaluations are used up.
    pub fn measured(&self, engine: &mut Engine, candidate: &Candidate) -> Result<f64, Stop> {
        let estimate = engine.cost(candidate)?;
        if estimate.is_finite() && engine.problem.depends_on_activity() {
            engine.own_cost(candidate)
        } else {
            Ok(estimate)
        }
    }

    /// Per level of the knob `knob`, the cost that it adds to the center on its machine.
    pub fn added(&self, knob: usize) -> &[f64] {
        &self.tables[0].added[knob]
    }

    /// Costs on the center's machine, and behind it on the others in view.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The next narrower level of each family that saves something.
    pub fn below(&self, space: &Space, knob: usize, level: usize) -> Vec<usize> {
        let useful = |&l: &usize| self.added(knob)[l].is_finite();
        let next = |ladder: Vec<usize>| ladder.into_iter().filter(useful).find(|&l| l > level);
        space.ladders(self.knobs[knob].part).into_iter().filter_map(next).collect()
    }

    /// The next wider level of its family that costs more, or else of any.
    pub fn above(&self, space: &Space, knob: usize, level: usize) -> Option<usize> {
        let useful = |&l: &usize| self.added(knob)[l].is_finite() && l < level;
        let own = space.ladders(self.knobs[knob].part).into_iter().find(|ladder| ladder.contains(&level));
        own.and_then(|ladder| ladder.into_iter().rfind(useful)).or_else(|| (0..level).rfind(useful))
    }
}

/// How far the effects of single levels on activity add up: less than wholly, where one layer's fewer spikes leave the
/// next one less to lose, and where measuring on a few images makes some look larger than they are.
struct AddsUp {
    /// Sums over weights and over membranes, and the logarithm of the factor that was seen.
    seen: Vec<([f64; 2], f64)>,
    /// Parts of these sums.
    parts: [f64; 2],
}

impl Default for AddsUp {
    fn default() -> Self {
        Self { seen: Vec::new(), parts: [ADDS_UP[0]; 2] }
    }
}

impl AddsUp {
    fn learn(&mut self, alone: [f64; 2], together: f64) {
        self.seen.push((alone, together));
    }

    /// Bayesian linear regression, with a constant of which nothing is known.
    fn fit(&mut self) {
        let [mean, deviation] = ADDS_UP;
        let precision = (ERROR / deviation).powi(2);
        let mut squares = Matrix3::from_diagonal(&Vector3::new(0.0, precision, precision));
        let mut products = Vector3::new(0.0, precision * mean, precision * mean);
        for &([weights, membranes], together) in &self.seen {
            let alone = Vector3::new(1.0, weights, membranes);
            squares += alone * alone.transpose();
            products += together * alone;
        }
        // Without anything seen the constant is open.
        if let Some(factor) = squares.cholesky() {
            let found = factor.solve(&products);
            self.parts = [found[1], found[2]];
        }
    }

    /// The logarithm of the factor of both sums, up to a constant.
    fn together(&self, alone: [f64; 2]) -> f64 {
        self.parts.iter().zip(alone).map(|(part, sum)| part * sum).sum()
    }
}

/// A level that saves nothing beside a wider one of its family only loses.
fn drop_useless(space: &Space, part: Part, center: usize, added: &mut [f64]) {
    for ladder in space.ladders(part) {
        let mut least = f64::INFINITY;
        for level in ladder {
            let cost = added[level];
            if cost > least - WORTHWHILE && level != center {
                added[level] = f64::INFINITY;
            }
            least = least.min(cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_seen_leaves_all_of_it() {
        let mut adds_up = AddsUp::default();
        adds_up.fit();
        assert_eq!(adds_up.parts, [1.0, 1.0]);
    }

    /// By hand: of weights alone, with sums -a and a and logarithms c - a p and c + a p, the normal equation of the part
    /// is (2 a^2 + q) x = 2 a^2 p + q with q = 0.06^2: for a = 0.1 and p = 0.25, x = 0.0086 / 0.0236 = 0.3644. Of
    /// membranes nothing was seen.
    #[test]
    fn parts_by_hand() {
        let mut adds_up = AddsUp::default();
        adds_up.learn([-0.1, 0.0], 0.5 - 0.025);
        adds_up.learn([0.1, 0.0], 0.5 + 0.025);
        adds_up.fit();
        assert!((adds_up.parts[0] - 0.0086 / 0.0236).abs() < 1e-9, "{:?}", adds_up.parts);
        assert!((adds_up.parts[1] - 1.0).abs() < 1e-9);
        assert!((adds_up.together([0.1, 0.2]) - 0.23644).abs() < 1e-5);
    }

    #[test]
    fn many_candidates_tell_both_parts() {
        let mut adds_up = AddsUp::default();
        for i in 0..40 {
            let alone = [0.05 * f64::from(i % 7) - 0.1, 0.04 * f64::from(i % 5) - 0.2];
            adds_up.learn(alone, 0.1 + 0.3 * alone[0] + 0.8 * alone[1]);
        }
        adds_up.fit();
        assert!((adds_up.parts[0] - 0.3).abs() < 0.02 && (adds_up.parts[1] - 0.8).abs() < 0.02);
    }
}
