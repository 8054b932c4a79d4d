//! How a quantized network is laid onto a machine: workloads (loops, bits per operand), fused
//! layers, plans, and loop nests.

mod bits;
mod dataflow;
mod nest;
mod plan;
mod workload;

pub use bits::BitCounts;
pub use dataflow::{Axes, Dataflow};
pub use nest::{Dim, Gemm, Level, Loop, Matrix, Nest};
pub use plan::{Plan, candidates};
pub use workload::{Epilogue, EpilogueKind, Input, Layer, Product, Workload};
