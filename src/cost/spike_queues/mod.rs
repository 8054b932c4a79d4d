//! How long cores take that add one spike after the other, cycle by cycle: when the search for spikes waits for adders, and
//! adders for spikes, for neurons, for weights, or for what writes their sums.

mod lists;
mod queue;
mod rounds;
#[cfg(test)]
mod tests;
mod weights;

pub use rounds::{Rounds, Span};
pub use weights::Streamed;
