//! `spiq` executes quantized spiking vision transformers bit for bit in fixed point and
//! charges a described accelerator for exactly what was executed.
//!
//! Data flows one way, and the modules show it; a module imports only from those above it:
//!
//! 1. [`num`], [`tensor`], [`files`], [`ron_file`], [`npy`], [`npz`], [`output`], [`name`], [`check`], [`watch`],
//!    [`error`]: fixed-point numbers, arrays, files, folders of results, names, who watches and ends what takes long,
//!    and the error that a user sees.
//! 2. [`model`]: layer IR, families, weights, data sets.
//! 3. [`quant`]: settings, weight schemes, calibration, the quantized model.
//! 4. [`exec`]: the float reference, the scalar specification, the fast executor, activity counters; [`load`]: models
//!    with their weights.
//! 5. [`hw`]: hardware descriptions, energy tables, memory technologies.
//! 6. [`map`]: workloads and how they are tiled onto the hardware.
//! 7. [`cost`]: cycles, energy, memory and area, as pure functions.
//! 8. [`evaluate`]: one (model, setting, hardware, data) -> one evaluation.
//! 9. [`sensitivity`]: what it costs to quantize one layer, and what foretells it.
//! 10. [`search`]: the setting of each layer that meets budgets.
//! 11. [`report`]: tables, files and pictures of evaluations; [`exchange`]: dumps, golden bundles, exports.
//! 12. [`cli`]: the command line.

pub mod check;
pub mod cli;
pub mod cost;
pub mod error;
pub mod evaluate;
pub mod exchange;
pub mod exec;
pub mod files;
pub mod hw;
pub mod load;
pub mod map;
pub mod model;
pub mod name;
pub mod npy;
pub mod npz;
pub mod num;
pub mod output;
pub mod quant;
pub mod report;
pub mod ron_file;
pub mod search;
pub mod sensitivity;
pub mod tensor;
pub mod watch;

pub use error::{Error, Result};
