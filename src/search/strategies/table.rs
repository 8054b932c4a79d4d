//! What each change does by itself: the table that knapsacks, relaxations and ratios work on.

use crate::search::{Candidate, Engine, Knob, Part, Space, Stop, is_power_of_two};

/// Divergence, nats per image, below which single changes are noise: any change of a spike changes others
/// behind it.
const NEGLIGIBLE: f64 = 0.002;

/// Loss and cost of every level of every knob, all else at its widest.
pub struct Table {
    /// The knobs.
    pub knobs: Vec<Knob>,
    /// Per knob and level, the divergence per image that it adds, nats; never negative.
    pub losses: Vec<Vec<f64>>,
    /// Per knob and level, the cost that it adds (negative for what it saves); infinite where the machine
    /// refuses it.
    pub costs: Vec<Vec<f64>>,
    widest: Candidate,
}

impl Table {
    /// Measures `knobs` on `batches` batches each, from the narrowest level up until a level loses next to
    /// nothing; what is wider loses less.
    ///
    /// # Errors
    /// [`Stop::Exhausted`] where the evaluations do not suffice.
    pub fn measure(engine: &mut Engine, knobs: Vec<Knob>, batches: usize) -> Result<Self, Stop> {
        let widest = engine.space.widest();
        engine.anchor(&widest)?;
        let base_loss = divergence(engine, &widest, batches)?;
        let base_cost = engine.cost(&widest)?;
        let (mut losses, mut costs) = (Vec::new(), Vec::new());
        for knob in &knobs {
            let levels = engine.space.levels(knob.part);
            let candidates: Vec<Candidate> = (0..levels).map(|level| widest.with(knob, level)).collect();
            let knob_costs = engine.costs(&candidates)?;
            let mut knob_losses = vec![f64::INFINITY; levels];
            for kind in kinds(engine.space, knob.part) {
                let mut narrower = f64::INFINITY;
                for level in kind.into_iter().rev().filter(|&level| knob_costs[level].is_finite()) {
                    narrower = match narrower > NEGLIGIBLE {
                        true => (divergence(engine, &candidates[level], batches)? - base_loss)
                            .clamp(0.0, narrower),
                        // One bit more, a quarter of the squared error.
                        false => narrower / 4.0,
                    };
                    knob_losses[level] = narrower;
                }
            }
            knob_losses[0] = 0.0;
            losses.push(knob_losses);
            costs.push(knob_costs.iter().map(|cost| cost - base_cost).collect());
        }
        Ok(Self { knobs, losses, costs, widest })
    }

    /// The candidate with these levels, one per knob.
    pub fn candidate(&self, levels: &[usize]) -> Candidate {
        let pairs = self.knobs.iter().zip(levels);
        pairs.fold(self.widest.clone(), |candidate, (knob, &level)| candidate.with(knob, level))
    }

    /// Sum of the losses of these levels.
    pub fn loss(&self, levels: &[usize]) -> f64 {
        self.losses.iter().zip(levels).map(|(losses, &level)| losses[level]).sum()
    }

    /// The largest loss that any levels have, where that is finite.
    pub fn largest_loss(&self) -> f64 {
        let largest =
            |losses: &Vec<f64>| losses.iter().copied().filter(|l| l.is_finite()).fold(0.0, f64::max);
        self.losses.iter().map(largest).sum()
    }
}

/// Mean divergence of a candidate on the first batches.
fn divergence(engine: &mut Engine, candidate: &Candidate, batches: usize) -> Result<f64, Stop> {
    let sum = engine.sample(candidate, batches)?;
    Ok(sum.divergence / f64::from(sum.images.max(1)))
}

/// The levels of `part` by kind of scheme, each from wide to narrow.
fn kinds(space: &Space, part: Part) -> Vec<Vec<usize>> {
    let all = 0..space.levels(part);
    match part {
        Part::Membranes => vec![all.collect()],
        Part::Weights => {
            let (power, uniform) = all.partition(|&level| is_power_of_two(&space.weights[level]));
            vec![uniform, power]
        }
    }
}

/// The levels of `part` that a strategy steps through which knows one kind of scheme: uniform weights, or
/// all where there are no others.
pub fn ladder(space: &Space, part: Part) -> Vec<usize> {
    let first_is_power = is_power_of_two(&space.weights[0]);
    let on_ladder =
        |&level: &usize| part == Part::Membranes || is_power_of_two(&space.weights[level]) == first_is_power;
    (0..space.levels(part)).filter(on_ladder).collect()
}
