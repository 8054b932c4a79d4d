//! Hardware descriptions (`hw_configs/*.ron`), energy tables and memory technologies.

pub mod dram;
mod machine;
pub mod sourced;
pub mod sram;
pub mod table;

pub use machine::{
    Compute, DramIdle, DramSpec, Edges, Hardware, MemoryMacro, MemorySpec, MultiBit, Objective, Operand,
    Placement, Processor, Skipping, SpikeLanes, Systolic, VectorUnit,
};
pub use sourced::Sourced;
