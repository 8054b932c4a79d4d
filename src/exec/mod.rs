//! Runs networks: the float reference, the scalar integer specification, and the fast executor that agrees
//! with it on every integer. All count what they execute.
//!
//! ```
//! use spiq::exec::Rates;
//! use spiq::model::ModelDescription;
//!
//! let (_, network, _) = ModelDescription::load("sdtv1_2-64_fashion")?;
//! let rates = Rates::load("sdtv1_2-64_fashion", &network)?;
//! assert!(rates.known(&network).all(|(_, rate)| (0.0..=1.0).contains(&rate)));
//! # Ok::<(), spiq::Error>(())
//! ```

mod activity;
mod backend;
mod events;
mod execution;
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
mod readout;
mod recording;
mod scalar;
mod seeded;
mod spike_matrix;
mod waves;
mod windows;

pub use activity::{
    Activity, NodeActivity, StepActivity, WAVE_SIZES, count_products, wave_size, wave_size_number,
};
pub use backend::{Backend, IntegerExecutor};
pub use execution::{Execution, class_of};
pub use fast::{FastExecutor, Snapshot, Workspace};
pub use float::FloatExecutor;
pub use kernels::Isa;
pub use layerwise::{ChannelInputs, LayerwiseExecutor, LayerwiseState, NeuronTrace};
pub use neuron::{LeakyNeurons, LoihiNeurons, NeuronLayer};
pub use patterns::{Pattern, PatternCount, Patterns, Value};
pub use prefix::{PrefixCache, SharedPrefix};
pub use rates::Rates;
pub use recording::SpikeRecording;
pub use scalar::{Observed, ScalarExecutor};
pub use seeded::seeded_weights;
pub use spike_matrix::{SpikeMatrix, draw};
pub use waves::WaveShape;
