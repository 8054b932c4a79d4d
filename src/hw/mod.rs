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
mod dram;
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
mod sourced;
mod space;
mod sram;
pub mod table;
mod units;
mod validation;

pub use changes::{Change, parse_bytes};
pub use constants::Constant;
pub use control::Control;
pub use dram::{DramIdle, DramPart, DramPort, DramSpec, dram_part, dram_parts};
pub use energies::{Energies, names as table_names};
pub use event_table::{Counting, EventTable, Integers};
pub use fpga::{Fpga, Resources, resources};
pub use machine::{Description, Hardware, Objective, Placement, SpikeEncoding};
pub use memory::{BankConflicts, MemoryMacro, MemorySpec};
pub use operand::{Operand, PerOperand};
pub use sourced::Sourced;
pub use space::{Axes, Axis, MachineSpace, Parameter, Value, Values};
pub use sram::{Sram, SramCell};
pub use units::{
    Channels, Chunks, Done, DuringSweep, Edges, Encoder, EventCores, EventOverheads, EventTime, InputChunks,
    LaneTile, LayerKind, Layout, LayoutSpec, Lists, LoopOrder, ManyCore, MultiBit, Once, Overhead, Processor,
    ProductKind, ProductShape, Products, Queue, SpatialDim, SpikeLanes, SpikeSearch, Stationary, Step, Sweep,
    Systolic, Unit, Unrolling, Vector, WeightStream, Windows, Work, WriteBack, Zeros,
};
pub(crate) use units::{Charged, Datapath, NEURON_BITS, Takes};
pub use validation::{Agreement, Figure, Quantity};
