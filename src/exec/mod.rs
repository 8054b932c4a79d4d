//! Runs networks: the float reference, the scalar integer specification, and the fast executor that agrees
//! with it on every integer. All count what they execute.

mod activity;
mod engine;
mod events;
mod expected;
mod fast;
mod float;
pub mod kernels;
mod layerwise;
mod live;
mod neuron;
mod patterns;
mod prefix;
mod rates;
mod scalar;
mod seeded;

pub use activity::{Activity, NodeActivity, StepActivity, WAVE_SIZES, wave_size};
pub use engine::{Engine, IntegerExecutor};
pub use fast::{Checkpoint, FastExecutor, Workspace};
pub use float::FloatExecutor;
pub use kernels::Isa;
pub use layerwise::{ChannelInputs, LayerwiseExecutor, LayerwiseState, NeuronTrace};
pub use neuron::{LoihiNeurons, NeuronLayer, ShiftNeurons};
pub use patterns::{Pattern, PatternCount, Patterns, SpikeMatrix, draw};
pub use prefix::{PrefixCache, SharedPrefix};
pub use rates::Rates;
pub use scalar::{Observed, ScalarExecutor};
pub use seeded::seeded_weights;

/// What one image did.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution<L> {
    /// One per class; integers carry no scale, which argmax does not need.
    pub logits: Vec<L>,
    /// What was executed.
    pub activity: Activity,
}

impl<L: PartialOrd> Execution<L> {
    /// The class with the largest logit, the first of equals.
    pub fn prediction(&self) -> usize {
        let mut best = 0;
        for (class, logit) in self.logits.iter().enumerate() {
            if *logit > self.logits[best] {
                best = class;
            }
        }
        best
    }
}
