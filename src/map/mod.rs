//! How a quantized network is laid onto a machine: workloads (loops, bits per operand), fused
//! layers, plans.

mod bits;
mod plan;
mod workload;

pub use bits::BitCounts;
pub use plan::{Dataflow, Plan, candidates};
pub use workload::{Epilogue, EpilogueKind, Input, Layer, Product, Workload};
