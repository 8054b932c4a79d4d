//! Hardware descriptions (`hw_configs/*.ron`), energy tables and memory technologies.

mod control;
pub mod dram;
mod energies;
mod event_table;
mod law;
mod machine;
mod memory;
pub mod published;
mod scaling;
pub mod sourced;
pub mod sram;
pub mod table;

pub use control::Control;
pub use dram::{DramIdle, DramSpec};
pub use energies::{Energies, names as table_names};
pub use event_table::{Counting, EventTable, Integers};
pub use machine::{
    Compute, Edges, Hardware, LaneTile, ManyCore, MultiBit, Objective, Placement, Processor, Skipping,
    SpikeEncoding, SpikeLanes, Stationary, Systolic, VectorUnit,
};
pub use memory::{MemoryMacro, MemorySpec, Operand};
pub use sourced::Sourced;
