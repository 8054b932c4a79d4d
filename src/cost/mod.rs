//! What an execution costs on a described hardware: pure functions from plan, activity and
//! hardware to cycles, energy, memory and area. Nothing here touches a tensor.

mod area;
mod demand;
mod encoding;
mod epilogue;
mod events;
mod layer;
mod machine;
mod many_core;
mod memory;
mod parts;
mod processor;
mod spike_lanes;
mod systolic;
mod timeline;

pub use demand::{Demand, Traffic};
pub use layer::{LayerCost, MappedWorkload, layer_cost};
pub use machine::Machine;
pub use memory::memory_bytes;
pub use parts::{Cycles, EnergyJ, ExecutedBits, MemoryBytes, TrafficBits};
pub use timeline::{ArrayCycles, Times, timeline};
