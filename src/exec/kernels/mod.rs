//! Inner loops of the fast executor, for each instruction set. The only place with unsafe code: every
//! function outside is safe, and no kernel runs without a [`Cpu`] that was seen to have its instructions.
//!
//! From the ground up: what kernels read (`tables`, `products`, `pooling`), `loops` that a compiler vectorises, `portable`
//! kernels, the trait of an instruction set (`instructions`), one file for each of them, the `cpu` that has some
//! of them, and `dispatch`, which calls the kernels that it has.

mod cpu;
mod dispatch;
mod float;
mod float_matrix;
mod instructions;
mod loops;
mod pooling;
mod portable;
mod products;
mod tables;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

pub use cpu::{Cpu, Isa};
pub(crate) use dispatch::*;
pub use dispatch::{lookup, products};
pub(crate) use float::{FloatForm, FloatInputs, FloatNeuron, FloatReset, FloatRows};
pub(crate) use float_matrix::FloatMatrix;
pub(crate) use loops::Rescale;
pub(crate) use pooling::Pooling;
pub use products::{Operand, Packs, ProductMatrix};
pub use tables::{BLOCK, Entry, LANES, LookupMatrix, TableLayout, TableRoom, Tables};
