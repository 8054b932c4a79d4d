//! What an execution costs on a described hardware: pure functions from plan, activity and
//! hardware to cycles, energy, memory and area. Nothing here touches a tensor.

mod accesses;
mod area;
mod demand;
mod encoding;
mod epilogue;
mod events;
mod footprint;
mod gemm;
mod known_plans;
mod layer;
mod machine;
mod many_core;
mod parts;
mod prefetch;
mod processor;
mod spike_lanes;
mod systolic;
mod tiling;
mod timeline;

pub use accesses::{Accesses, Convention, Counts, accesses, needed_share};
pub use demand::{Demand, Traffic};
pub use footprint::footprint_bytes;
pub use gemm::{GemmCost, GemmOperands, gemm_cost};
pub use known_plans::KnownPlans;
pub use layer::{MappedWorkload, layer_cost};
pub use machine::Machine;
pub use parts::{
    AreaMm2, Cycles, EnergyJ, ExecutedBits, FootprintBytes, LayerCost, OnChipBytes, TrafficBits,
};
pub use systolic::ArrayTiming;
pub use tiling::best_nest;
pub use timeline::{ArrayCycles, Times, timeline};
