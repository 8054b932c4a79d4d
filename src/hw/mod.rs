//! Hardware descriptions (`hw_configs/*.ron`), energy tables and memory technologies.
//!
//! ```
//! use spiq::hw::Hardware;
//!
//! let (hardware, _text) = Hardware::load("edge-28")?;
//! assert_eq!((hardware.clock_hz.value, hardware.memories.len()), (400e6, 3));
//! # Ok::<(), spiq::Error>(())
//! ```

mod changes;
mod constants;
mod control;
pub mod dram;
mod energies;
mod event_table;
mod fpga;
mod law;
mod levels;
mod machine;
mod memory;
mod operand;
pub mod published;
mod scaling;
pub mod sourced;
pub mod sram;
pub mod table;
mod units;
mod validation;

pub use changes::{Change, bytes};
pub use constants::Constant;
pub use control::Control;
pub use dram::{DramIdle, DramPort, DramSpec};
pub use energies::{Energies, names as table_names};
pub use event_table::{Counting, EventTable, Integers};
pub use fpga::{Fpga, Resources, resources};
pub use machine::{Description, Hardware, Objective, Placement, SpikeEncoding};
pub use memory::{MemoryMacro, MemorySpec};
pub use operand::{Operand, PerOperand};
pub use sourced::Sourced;
pub use units::{
    Channels, Charged, Chunks, Datapath, Done, DuringSweep, Edges, Encoder, EventCores, EventOverheads,
    EventTime, InputChunks, LaneTile, LayerKind, Layout, LayoutSpec, Lists, LoopOrder, ManyCore, MultiBit,
    NEURON_BITS, Once, Overhead, Processor, ProductKind, ProductShape, Products, Queue, Search, SpatialDim,
    SpikeLanes, Stationary, Step, Sweep, Systolic, Takes, Unit, Unrolling, Vector, WeightStream, Windows,
    Work, WriteBack, Zeros,
};
pub use validation::{Agreement, Figure, Quantity};
