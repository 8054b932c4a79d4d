//! Inner loops of the fast executor, for each instruction set. The only place with unsafe code: every
//! function outside is safe, and no kernel runs without a [`Cpu`] that was seen to have its instructions.

mod isa;
mod lookup;
mod loops;
mod portable;
mod products;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

pub use isa::{Cpu, Isa};
pub use lookup::{BLOCK, Entry, LookupMatrix, TableRoom, Tables, lookup};
pub use loops::*;
pub use products::{Pairs, ProductMatrix, products};

/// Values of a row are padded to a multiple of this many columns.
pub const LANES: usize = 64;
