//! Finds the setting of each layer that meets budgets on a described machine.
//!
//! A [`Strategy`] proposes candidates of a [`Space`], the [`Engine`] answers through the fidelities of an
//! [`Oracle`], from cheap to expensive: cost at known activity, membrane drift, a few batches, the paired
//! test, the whole validation set with its own activity. `docs/search.md` says how and why.

mod budget;
mod drift;
mod engine;
mod entry;
mod fault;
mod identity;
mod keyword;
pub mod log;
mod network;
mod oracle;
mod outcome;
mod paired;
mod pareto;
mod request;
mod space;
mod store;
pub mod strategies;

use std::time::Instant;

use serde::{Deserialize, Serialize};

pub use budget::{
    BYTES, Budgets, DEFAULT_ACCURACY_DROP, JOULES, Objective, SECONDS, SQUARE_MILLIMETRES, Units, Violation,
    WATTS, check_drop, quantity,
};
pub use drift::{DriftMetric, DriftReference, LayerDrift};
pub use engine::{Engine, Stop, Verdict};
pub use identity::Identity;
pub use keyword::Keyword;
pub use network::NetworkOracle;
pub use oracle::{Batch, Figures, Measured, Oracle};
pub use outcome::{Closest, Fidelity, Final, GateSummary, Run, Search, Step, TraceStep, Verified};
pub use paired::{Decision, decide};
pub use pareto::{Front, FrontPoint};
pub use request::{Request, Terms, runs};
pub use space::{Candidate, Choice, Granularity, Knob, LayerChoice, Part, Space, Unit, is_power_of_two};
pub use store::Store;

use crate::error::{Error, Result};
use crate::model::Network;
use crate::quant::WeightScheme;
use crate::quant::scheme::{Clip, Scale, Sharing};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// Limits.
    pub budgets: Budgets,
    /// What is minimised within them.
    pub objective: Objective,
    /// Images that a strategy may execute, in validation sets.
    pub max_evaluations: f64,
    /// What is chosen together, where a strategy does not say so itself.
    pub granularity: Granularity,
    /// What a gate looks at.
    pub metric: DriftMetric,
    /// How many times as far as the farthest that kept its accuracy a candidate may drift, 1 or more.
    pub slack: f64,
    /// True to run what a gate rejects, too, and count how often it was wrong.
    pub audit: bool,
}

impl Problem {
    /// True where what the network does, and not only its widths, decides what a candidate costs.
    pub fn depends_on_activity(&self) -> bool {
        let Budgets { energy_j, power_w, latency_s, .. } = self.budgets;
        self.objective != Objective::Memory || energy_j.or(power_w).or(latency_s).is_some()
    }
}

/// Widths that are tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Widths {
    /// Of uniform weights.
    pub uniform: Vec<u32>,
    /// Of power-of-two weights.
    pub power_of_two: Vec<u32>,
    /// Of membranes.
    pub membranes: Vec<u32>,
    /// True to round the weights of an output together and to match firing rates.
    #[serde(default)]
    pub calibrated: bool,
}

/// How a strategy quantizes and measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantizer {
    /// floor(w 2^(b-1)), weights only: QSViT.
    UnitFloor,
    /// Uniform with one power-of-two scale per layer, weights only: plain fixed point.
    FixedPoint,
    /// Uniform or power of two with one scale per layer, weights only: SpikeHQ.
    Hybrid,
    /// Uniform or power of two with a scale per channel, and membranes.
    PerChannel,
}

/// A way to look for settings.
pub trait Strategy {
    /// Its name.
    fn name(&self) -> &'static str;

    /// What it quantizes with.
    fn quantizer(&self) -> Quantizer;

    /// True where accuracy tests stop as soon as they are decided.
    fn is_sequential(&self) -> bool {
        self.quantizer() == Quantizer::PerChannel
    }

    /// True where the result depends on the seed.
    fn is_random(&self) -> bool {
        false
    }

    /// Looks; whatever `engine` accepts on the way is remembered.
    ///
    /// # Errors
    /// [`Stop::Exhausted`] when the evaluations are used up, which ends it as well as its own end.
    fn run(&self, engine: &mut Engine) -> Result<(), Stop>;
}

impl Quantizer {
    /// All settings of these widths.
    pub fn space(self, network: &Network, widths: &Widths) -> Space {
        let (scale, granularity, clip) = (Scale::Free, Sharing::Channel, Clip::Max);
        let uniform = |&bits: &u32| match self {
            Self::UnitFloor => WeightScheme::UnitFloor { bits },
            Self::FixedPoint => {
                WeightScheme::Uniform { bits, scale: Scale::Pow2, granularity: Sharing::Layer, clip }
            }
            Self::Hybrid => WeightScheme::Uniform { bits, scale, granularity: Sharing::Layer, clip },
            Self::PerChannel => WeightScheme::Uniform { bits, scale, granularity, clip },
        };
        let power_of_two = |&bits: &u32| match self {
            Self::UnitFloor | Self::FixedPoint => None,
            Self::Hybrid => Some(WeightScheme::PowerOfTwo { bits, scale, granularity: Sharing::Layer }),
            Self::PerChannel => Some(WeightScheme::PowerOfTwo { bits, scale, granularity }),
        };
        let weights: Vec<WeightScheme> = widths
            .uniform
            .iter()
            .map(uniform)
            .chain(widths.power_of_two.iter().filter_map(power_of_two))
            .collect();
        let membranes = match self {
            Self::PerChannel => widths.membranes.clone(),
            // The widest: the papers leave membranes as they are.
            _ => widths.membranes.iter().copied().max().into_iter().collect(),
        };
        let calibrated = widths.calibrated && self == Self::PerChannel;
        Space { calibrated, ..Space::new(network, weights, membranes) }
    }
}

/// The part of `space` that the machine can run: levels that it refuses everywhere are left out, and the
/// widest levels as long as it refuses them together.
///
/// # Errors
/// With the machine's own words if nothing is left, or one point.
pub fn legal(space: Space, oracle: &dyn Oracle) -> Result<Space> {
    space.check()?;
    let refusal = |space: &Space, weights: usize, membranes: usize| -> Result<Option<Error>> {
        match oracle.charge(&space.setting(&space.uniform(weights, membranes), "level")?) {
            Ok(_) => Ok(None),
            Err(error @ Error::Mismatch(_)) => Ok(Some(error)),
            Err(error) => Err(error),
        }
    };
    let (last_weights, last_membranes) = (space.weights.len() - 1, space.membranes.len() - 1);
    if let Some(error) = refusal(&space, last_weights, last_membranes)? {
        return Err(error);
    }
    let (mut weights, mut membranes) = (Vec::new(), Vec::new());
    for level in 0..=last_weights {
        if refusal(&space, level, last_membranes)?.is_none() {
            weights.push(space.weights[level]);
        }
    }
    for level in 0..=last_membranes {
        if refusal(&space, last_weights, level)?.is_none() {
            membranes.push(space.membranes[level]);
        }
    }
    let mut left = Space { weights, membranes, ..space };
    while refusal(&left, 0, 0)?.is_some() {
        // The narrowest levels run together, so this ends before either list is empty.
        if left.membranes.len() > 1 {
            left.membranes.remove(0);
        } else {
            left.weights.remove(0);
        }
    }
    left.check().map(|()| left)
}

/// Runs `strategy` on `space`.
///
/// # Errors
/// If the input is wrong, or the log cannot be written.
pub fn run_strategy<'s>(
    strategy: &dyn Strategy,
    space: &Space,
    problem: &Problem,
    seed: u64,
    store: &mut Store<'s>,
) -> Result<Run> {
    let (started, asked) = (Instant::now(), store.asked_seconds);
    let mut engine = Engine::new(space, problem, strategy.is_sequential(), seed, store)?;
    match strategy.run(&mut engine) {
        Ok(()) | Err(Stop::Exhausted) => engine.finish(strategy.name(), seed, started, asked),
        Err(Stop::Failed(error)) => Err(error),
    }
}
