//! What candidates are expected to lose, learnt from all that ran: a loss ([`Losses`]), and the chance that the drop
//! of accuracy which follows from it is allowed ([`Drops`]).
//!
//! The loss of a candidate is its divergence beside that of a reference on the same images, which takes the
//! images' difficulty away.

use super::drops::Drops;
use super::losses::{Kind, Level, Losses, Observation};
use crate::quant::scheme::Family;
use crate::search::{Batch, Candidate, Engine, Knob, Part, Space};

/// Relative errors of losses: of the sum, of [`FEW`] images, and of the sum beyond a loss of e, per power of e,
/// where errors of layers no longer add up.
const ERRORS: [f64; 3] = [0.06, 0.12, 0.15];
const FEW: f64 = 250.0;
/// What loses more is taken to lose this much.
const MOST_LOSS: f64 = 16.0;
/// Bits that coefficients are of, of weights whose steps do not halve with each bit; of others, those of the reference.
const COARSE_BITS: f64 = 3.0;
/// Bits of membranes that coefficients are of.
const MEMBRANE_BITS: f64 = 4.0;

/// What is known of losses.
pub struct Forecast {
    /// What is changed.
    knobs: Vec<Knob>,
    /// What losses are measured in.
    reference: Candidate,
    /// Kinds of weights; membranes are one more.
    families: Vec<Family>,
    losses: Losses,
    seen: Vec<Observation>,
    drops: Drops,
    allowed: f64,
}

impl Forecast {
    /// Nothing is known but that `reference` is what losses are measured in, and its weights are uniform.
    pub fn new(engine: &Engine, knobs: Vec<Knob>, reference: Candidate) -> Self {
        let pivot = f64::from(engine.space.bits(Part::Weights, reference.level(0, Part::Weights)));
        let of_family = |family: Family| match family.refines() {
            true => Kind::refined(pivot),
            false => Kind::coarse(COARSE_BITS),
        };
        let families = engine.space.families();
        let mut kinds: Vec<Kind> = families.iter().copied().map(of_family).collect();
        kinds.push(Kind::membranes(MEMBRANE_BITS));
        let allowed = engine.problem.budgets.accuracy_drop;
        Self {
            losses: Losses::new(knobs.len(), kinds),
            knobs,
            reference,
            families,
            seen: Vec::new(),
            drops: Drops::new(allowed, engine.images()),
            allowed,
        }
    }

    /// Remembers what `sum` says of a candidate, for a later [`Self::fit`]; returns its loss.
    pub fn learn(&mut self, engine: &Engine, candidate: &Candidate, sum: &Batch) -> f64 {
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
        self.knobs.iter().map(|knob| self.level(space, knob.part, candidate.narrowest(knob))).collect()
    }

    /// Fits losses and drops to all that was seen.
    pub fn fit(&mut self) {
        self.losses.fit(&self.seen);
        self.drops.fit(&self.losses);
    }

    /// What `knob` adds to the loss at `to`.
    pub fn added(&self, knob: usize, to: usize, space: &Space) -> f64 {
        self.losses.added(knob, self.level(space, self.knobs[knob].part, to))
    }

    /// What is lost whatever the levels are.
    pub fn base(&self) -> f64 {
        self.losses.base()
    }

    /// The loss of a candidate.
    pub fn loss(&self, candidate: &Candidate, space: &Space) -> f64 {
        self.losses.loss(&self.levels(candidate, space))
    }

    /// The loss at which the allowed drop is expected.
    pub fn allowed_loss(&self) -> f64 {
        self.drops.loss_of(self.allowed)
    }

    /// Drop of accuracy for each loss.
    pub fn drop_per_loss(&self) -> f64 {
        self.drops.per_loss()
    }

    /// The chance that a candidate keeps the accuracy.
    pub fn chance(&self, candidate: &Candidate, space: &Space) -> f64 {
        self.drops.chance(&self.losses, &self.levels(candidate, space), self.allowed)
    }

    /// A level as losses see it.
    fn level(&self, space: &Space, part: Part, level: usize) -> Level {
        let kind = match part {
            Part::Membranes => self.families.len(),
            Part::Weights => {
                let family = space.weights[level].family();
                self.families.iter().position(|&other| other == family).expect("a family of the space")
            }
        };
        Level { kind, bits: f64::from(space.bits(part, level)) }
    }
}
