//! What other programs read and write: dumps, golden bundles, exports, recorded neurons.

mod bad_input;
mod bundles;
mod commands;
mod exports;
mod neurons;
mod support;
