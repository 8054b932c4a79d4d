//! How a quantized network is laid onto a machine: workloads (loops, bits per operand), fused
//! layers, plans, and loop nests.
//!
//! ```
//! use spiq::map::{Gemm, Workload};
//! use spiq::model::ModelDescription;
//!
//! assert_eq!(Gemm::new(64, 384, 384).operations(), 64 * 384 * 384);
//! let (_, network, _) = ModelDescription::load("sdtv1_2-64_fashion")?;
//! assert!(Workload::float32(&network).weight_bits() > 32.0 * 160e3);
//! # Ok::<(), spiq::Error>(())
//! ```

mod bits;
mod candidates;
mod dataflow;
mod fixed;
mod gemm;
mod home;
mod loads;
mod maps;
mod nest;
mod occupancy;
mod operations;
mod order;
mod parts;
mod passage;
mod plan;
mod plan_nest;
mod refusal;
mod residency;
mod residents;
mod room;
mod space;
mod takes;
pub(crate) mod tiles;
mod turns;
mod widths;
mod wishes;
mod workload;
mod written;

pub use bits::ExecutedBits;
pub use candidates::{SettledCandidates, SettledLayer, candidates, placed, resident_candidates};
pub(crate) use candidates::{candidates_at, settled_plan, streaming_candidates, unhindered, ways};
pub use dataflow::{Axes, Dataflow};
pub use fixed::FixedMapping;
pub use gemm::{Dim, Gemm, Matrix};
pub use home::Home;
pub use maps::Map;
pub use nest::{Held, Level, Loop, Nest};
pub use occupancy::{MemoryPeak, OnChipBytes, occupancy, peaks};
pub use operations::{Epilogue, EpilogueKind, Input, InputFrames, Product};
pub use order::Order;
pub use parts::Parts;
pub use passage::{Farther, Passage};
pub use plan::{Group, Plan};
pub use residency::prefetched;
pub(crate) use residency::{free_weight_bits, stream_buffer_bits, weights_home};
pub use residents::Residents;
pub use space::Settled;
pub(crate) use space::Shortage;
pub use turns::Turns;
pub(crate) use widths::bits_of_count;
pub use wishes::Wishes;
pub(crate) use wishes::{layers_take_turns, maps_have_homes};
pub use workload::{Layer, Workload};
