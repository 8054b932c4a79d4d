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
mod room;
mod rows;
mod scalar;
mod seeded;
mod spare;
mod spike_matrix;
mod waves;
mod windows;

pub(crate) use activity::wave_size_number;
pub use activity::{Activity, NodeActivity, StepActivity, wave_size};
pub use backend::{Backend, IntegerExecutor};
pub use execution::{Execution, class_of};
pub use fast::{FastExecutor, Snapshot, Workspace};
pub use float::FloatExecutor;
pub use kernels::Isa;
pub(crate) use layerwise::{ChannelInputs, LayerwiseExecutor, LayerwiseState, NeuronTrace};
pub(crate) use neuron::LoihiNeurons;
pub use neuron::{LeakyNeurons, NeuronLayer};
pub use patterns::{Pattern, PatternCount, Patterns, Value};
pub use prefix::{PrefixCache, SharedPrefix};
pub use rates::Rates;
pub use recording::SpikeRecording;
pub use rows::{RowReads, RowShape};
pub use scalar::{Observed, ScalarExecutor};
pub use seeded::seeded_weights;
pub(crate) use spike_matrix::SpikeMatrix;
pub use waves::WaveShape;
