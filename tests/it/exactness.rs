//! The scalar executor and the quantizer against computations that share no code with them:
//! matrix products, neurons of infinite precision, the float network with dequantized weights,
//! a naive re-computation of every node, and numbers worked out by hand.

pub mod by_hand;
mod convolutions;
mod declared;
pub mod dequantized;
mod fast;
mod fixed_crate;
mod kernels;
mod naive;
mod precision;
mod prefix;
mod recorded;
mod schemes;
pub mod support;
mod theorem;
mod words;
pub mod zoo;
