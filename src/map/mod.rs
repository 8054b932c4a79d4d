//! How a quantized network is laid onto a machine: workloads (loops, bits per operand), fused
//! layers, plans, and loop nests.

mod bits;
mod dataflow;
mod fixed;
mod nest;
mod order;
mod plan;
mod plan_nest;
pub mod tiles;
mod workload;

pub use bits::ExecutedBits;
pub use dataflow::{Axes, Dataflow};
pub use fixed::FixedMapping;
pub use nest::{Dim, Gemm, Level, Loop, Matrix, Nest};
pub use order::Order;
pub use plan::{Plan, candidates, prefetched};
pub use workload::{Epilogue, EpilogueKind, Input, Layer, Product, Workload};
