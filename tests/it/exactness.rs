//! The scalar executor and the quantizer against computations that share no code with them:
//! matrix products, neurons of infinite precision, the float network with dequantized weights,
//! a naive re-computation of every node, and numbers worked out by hand.

mod by_hand;
mod convolutions;
mod dequantized;
mod fast;
mod kernels;
mod naive;
mod precision;
mod support;
mod words;
mod zoo;
