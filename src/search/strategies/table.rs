//! A table of what each single change loses and costs, which relaxations work on.

use crate::search::{Candidate, Engine, Knob, Part, Space, Stop};

/// Divergence, nats per image, below which single changes are noise: any change of a spike changes others
/// behind it.
const NEGLIGIBLE: f64 = 0.004;

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
            for ladder in engine.space.ladders(knob.part) {
                let mut narrower: Option<(usize, f64)> = None;
                for level in ladder.into_iter().rev().filter(|&level| knob_costs[level].is_finite()) {
                    let loss = match narrower {
                        Some((below, loss)) if loss <= NEGLIGIBLE => {
                            loss * shrinkage(engine.space, knob.part, below, level)
                        }
                        _ => divergence(engine, &candidates[level], batches)? - base_loss,
                    };
                    let loss = loss.clamp(0.0, narrower.map_or(f64::INFINITY, |(_, loss)| loss));
                    narrower = Some((level, loss));
                    knob_losses[level] = loss;
                }
            }
            losses.push(knob_losses);
            costs.push(knob_costs.iter().map(|cost| cost - base_cost).collect());
        }
        raise_to_floor(engine.space, &knobs, &mut losses);
        Ok(Self { knobs, losses, costs, widest })
    }

    /// The candidate with these levels, one per knob.
    pub fn candidate(&self, levels: &[usize]) -> Candidate {
        let pairs = self.knobs.iter().zip(levels);
        pairs.fold(self.widest.clone(), |candidate, (knob, &level)| candidate.with(knob, level))
    }
}

/// Mean divergence of a candidate on the first batches.
fn divergence(engine: &mut Engine, candidate: &Candidate, batches: usize) -> Result<f64, Stop> {
    Ok(engine.sample(candidate, batches)?.mean_divergence())
}

/// What remains of a loss from level `narrow` to level `wide`: the squared error of uniform steps falls by
/// four per bit; that of a family whose large weights stay as far apart hardly.
fn shrinkage(space: &Space, part: Part, narrow: usize, wide: usize) -> f64 {
    if part == Part::Weights && !space.weights[wide].family().refines() {
        1.0
    } else {
        0.25f64.powi(space.bits(part, wide) as i32 - space.bits(part, narrow) as i32)
    }
}

/// No level is free: a measured loss below half the median of its family, at the narrowest level, is noise,
/// and many of them together are none. The widest level of all loses nothing.
fn raise_to_floor(space: &Space, knobs: &[Knob], losses: &mut [Vec<f64>]) {
    for part in [Part::Weights, Part::Membranes] {
        for ladder in space.ladders(part) {
            let of_part = || (0..knobs.len()).filter(|&k| knobs[k].part == part);
            let Some(&narrowest) = ladder.last() else { continue };
            let mut seen: Vec<f64> =
                of_part().map(|k| losses[k][narrowest]).filter(|l| l.is_finite()).collect();
            seen.sort_by(f64::total_cmp);
            let floor = seen.get(seen.len() / 2).map_or(0.0, |median| 0.5 * median);
            for k in of_part() {
                for &level in ladder.iter().filter(|&&level| level > 0) {
                    let least = floor * shrinkage(space, part, narrowest, level);
                    losses[k][level] = losses[k][level].max(least);
                }
            }
        }
    }
    losses.iter_mut().for_each(|losses| losses[0] = 0.0);
}

/// The levels of `part` that a strategy steps through which knows one family: that of the widest weights.
pub fn ladder(space: &Space, part: Part) -> Vec<usize> {
    space.ladders(part).into_iter().find(|ladder| ladder.first() == Some(&0)).unwrap_or_default()
}
