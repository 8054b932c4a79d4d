//! What candidates are expected to lose, learnt from all that ran: a loss ([`Losses`]), and the chance that the drop
//! of accuracy which follows from it is allowed ([`Drops`]).
//!
//! The loss of a candidate is its divergence beside that of a reference on the same images, which takes the
//! images' difficulty away.

use super::drops::Drops;
use super::losses::{Kind, Losses, Observation};
use crate::error::Result;
use crate::search::{Batch, Candidate, Engine, Knob, Part};

/// Relative errors of losses: of the sum, of [`FEW`] images, and per power of e beyond a loss of e^[`STRAIGHT`], where
/// errors of layers no longer add up.
const ERRORS: [f64; 3] = [0.12, 0.12, 0.5];
const FEW: f64 = 250.0;
const STRAIGHT: f64 = 0.5;
/// What loses more is taken to lose this much.
const MOST_LOSS: f64 = 64.0;
/// Bits of membranes that coefficients are of; of weights, those of the reference.
const MEMBRANE_BITS: f64 = 4.0;
/// What rounding leaves of weights that it does not change, beside their squares.
const LEAST_NOISE: f64 = 1e-9;

/// What is known of losses.
pub struct Forecast {
    /// What is changed.
    knobs: Vec<Knob>,
    /// Per knob and level, how precise it is.
    bits: Vec<Vec<f64>>,
    /// What losses are measured in.
    reference: Candidate,
    losses: Losses,
    seen: Vec<Observation>,
    drops: Drops,
    allowed: f64,
}

impl Forecast {
    /// Nothing is known but that `reference` is what losses are measured in, and how precise every level is.
    ///
    /// # Errors
    /// If a layer's weights do not take a scheme.
    pub fn new(engine: &mut Engine, knobs: Vec<Knob>, reference: Candidate) -> Result<Self> {
        let bits = precision_bits(engine, &knobs)?;
        let of_weights = |(k, knob): (usize, &Knob)| {
            (knob.part == Part::Weights).then(|| bits[k][reference.narrowest(knob)])
        };
        let of_reference: Vec<f64> = knobs.iter().enumerate().filter_map(of_weights).collect();
        let pivot = of_reference.iter().sum::<f64>() / of_reference.len().max(1) as f64;
        let kinds = vec![Kind::weights(pivot), Kind::membranes(MEMBRANE_BITS)];
        let kind_of = knobs.iter().map(|knob| usize::from(knob.part == Part::Membranes)).collect();
        let allowed = engine.problem.budgets.accuracy_drop;
        Ok(Self {
            losses: Losses::new(kinds, kind_of),
            knobs,
            bits,
            reference,
            seen: Vec::new(),
            drops: Drops::new(allowed, engine.images()),
            allowed,
        })
    }

    /// Remembers what `sum` says of a candidate, for a later [`Self::fit`]; returns its loss.
    pub fn learn(&mut self, engine: &Engine, candidate: &Candidate, sum: &Batch) -> f64 {
        let same = engine.divergence_of_first(&self.reference, sum.images);
        let loss = (sum.mean_divergence() / same.max(f64::MIN_POSITIVE)).clamp(1.0 / MOST_LOSS, MOST_LOSS);
        let [of_sum, of_few, beyond] = ERRORS;
        let few = of_few * (FEW / f64::from(sum.images.max(1))).sqrt();
        let large = beyond * (loss.ln() - STRAIGHT).max(0.0);
        let error = (of_sum * of_sum + few * few + large * large).sqrt();
        let bits = self.bits_of(candidate);
        self.drops.learn(bits.clone(), loss, sum);
        self.seen.push(Observation { bits, log_loss: loss.ln(), error });
        loss
    }

    /// How precise a candidate is, knob by knob.
    fn bits_of(&self, candidate: &Candidate) -> Vec<f64> {
        self.knobs.iter().zip(&self.bits).map(|(knob, bits)| bits[candidate.narrowest(knob)]).collect()
    }

    /// Fits losses and drops to all that was seen.
    pub fn fit(&mut self) {
        self.losses.fit(&self.seen);
        self.drops.fit(&self.losses);
    }

    /// What `knob` adds to the loss at `level`.
    pub fn added(&self, knob: usize, level: usize) -> f64 {
        self.losses.added(knob, self.bits[knob][level])
    }

    /// What is lost whatever the levels are.
    pub fn base(&self) -> f64 {
        self.losses.base()
    }

    /// The loss of a candidate.
    pub fn loss(&self, candidate: &Candidate) -> f64 {
        self.losses.loss(&self.bits_of(candidate))
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
    pub fn chance(&self, candidate: &Candidate) -> f64 {
        self.drops.chance(&self.losses, &self.bits_of(candidate), self.allowed)
    }
}

/// Per knob and level, in bits, how precise it leaves its values: a membrane its width, weights half the binary logarithm of
/// their squares beside the squared errors of rounding (the mean over layers), which halving all steps raises by one.
fn precision_bits(engine: &mut Engine, knobs: &[Knob]) -> Result<Vec<Vec<f64>>> {
    let space = engine.space;
    let noise = engine.rounding_noise()?;
    let of_unit = |level: usize, unit: usize| -0.5 * noise[level][unit].max(LEAST_NOISE).log2();
    let of_units = |level: usize, units: &[usize]| {
        units.iter().map(|&unit| of_unit(level, unit)).sum::<f64>() / units.len() as f64
    };
    let bits = |knob: &Knob| match knob.part {
        Part::Weights => (0..noise.len()).map(|level| of_units(level, &knob.units)).collect(),
        Part::Membranes => space.membranes.iter().map(|&bits| f64::from(bits)).collect(),
    };
    Ok(knobs.iter().map(bits).collect())
}
