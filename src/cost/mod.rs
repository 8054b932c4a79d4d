//! What an execution costs on a described hardware: pure functions from plan, activity and
//! hardware to cycles, energy, memory and area. Nothing here touches a tensor.
//!
//! ```
//! use spiq::cost::Machine;
//! use spiq::hw::Hardware;
//!
//! let machine = Machine::new(Hardware::load("edge-28")?.0)?;
//! assert_eq!(machine.memories.len(), machine.hardware.memories.len());
//! # Ok::<(), spiq::Error>(())
//! ```

mod accesses;
mod area;
mod bank_conflicts;
mod cost_model;
mod demand;
mod encoding;
mod epilogue;
mod event_cores;
mod events;
mod fixed_residents;
mod footprint;
mod front;
mod gemm;
mod gemm_operands;
mod known_plans;
mod least_costs;
mod less_room;
mod machine;
mod many_core;
mod map_homes;
mod mapped;
mod mapper;
mod nest_memories;
mod overheads;
mod pace;
mod parts;
mod pipeline;
mod plan_costs;
mod prefetch;
mod processor;
mod residency;
mod run;
mod settling;
mod spike_lanes;
mod spike_queues;
mod stalls;
mod systolic;
mod tiled;
mod tiling;
mod timeline;
mod turns;
mod ways;
mod zeros;

pub use accesses::{Accesses, Convention, Counts, accesses, needed_share};
pub use cost_model::{layer_cost, patterns};
pub use demand::Traffic;
pub(crate) use demand::{Behind, Demand};
pub use footprint::footprint_bytes;
pub use gemm::{GemmCost, gemm_cost};
pub use gemm_operands::GemmOperands;
pub use known_plans::KnownPlans;
pub use machine::{Dram, Machine};
pub use mapped::MappedWorkload;
pub use parts::{
    AreaMm2, Cycles, EnergyJ, ExecutedBits, FootprintBytes, LayerCost, OnChipBytes, TrafficBits, WorkCycles,
};
pub use plan_costs::plan_costs;
pub use run::Run;
pub use stalls::{Direction, Place, Stall, StallPart, Stalls};
pub use systolic::ArrayTiming;
pub use tiling::best_nest;
pub(crate) use timeline::ArrayCycles;
