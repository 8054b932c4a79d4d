//! The executor that computes the integers of the scalar specification by kernels for the processor at hand.
//!
//! Values lie channel by channel, with all timesteps and positions of a channel in one row: a vector is
//! many positions, constants of a channel are scalars, and spikes of a few channels share a byte, which
//! looks up their weighted sum.

mod attention;
mod codes;
mod counts;
mod exact;
mod executor;
mod follow;
mod gather;
mod grouped;
mod kernel;
mod layer;
mod lookup;
mod neuron;
mod padded;
mod plan;
mod pooling;
mod prepared;
mod products;
mod snapshot;
mod source;
mod threads;
mod tiles;
mod tokens;
mod value;
mod wide;
mod words;

pub use executor::{FastExecutor, Workspace};
pub use snapshot::Snapshot;
pub(super) use threads::{MACS_OF_A_THREAD, are_worth, in_tiles};
