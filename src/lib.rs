//! `spiq` executes quantized spiking vision transformers bit for bit in fixed point and
//! charges a described accelerator for exactly what was executed.
//!
//! A built-in network at the rates that were measured of it, on a built-in machine:
//!
//! ```
//! use std::sync::Arc;
//! use spiq::{cost::Machine, evaluate::Evaluator, exec::Rates, hw::Hardware, load, quant::Setting};
//!
//! let model = Arc::new(load::model("sdtv1_2-64_fashion")?);
//! let rates = Arc::new(Rates::load("sdtv1_2-64_fashion", &model.network)?);
//! let machine = Machine::new(Hardware::load("edge-28")?.0)?;
//! let evaluations = Evaluator::expecting(model, rates).evaluate(&Setting::load("w4")?, &[machine], &|| ())?;
//! let (latency_us, energy_uj) = (evaluations[0].latency_s * 1e6, evaluations[0].total_energy_j() * 1e6);
//! println!("{latency_us:.1} us and {energy_uj:.2} uJ per image");
//! # assert!(latency_us > 10.0 && energy_uj > 1.0);
//! # Ok::<(), spiq::Error>(())
//! ```
//!
//! Data flows one way, and the modules show it; a module imports only from those above it:
//!
//! 1. [`num`], [`tensor`], [`files`], [`ron_file`], [`ron_tree`], [`npy`], [`npz`], [`output`], [`name`], [`check`], [`watch`],
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
//! 11. [`explore`]: machines and settings together: fields that vary, fronts, and what decides them.
//! 12. [`report`]: tables, files and pictures of evaluations; [`exchange`]: dumps, golden bundles, exports;
//!     [`rtl`]: a machine in SystemVerilog.
//! 13. `cli`: the command line.
//!
//! Features, all of them default: `bundled` makes models, machines, settings, rates and data part of the binary, to be
//! asked for by name; `cli` is the program `spiq` and the module of its commands; `plots` draws the pictures of reports.
//! A library that reads its own files needs none of them.

#![warn(missing_docs)]

// Tests use what is bundled, and look at pictures.
#[cfg(all(test, not(all(feature = "bundled", feature = "cli", feature = "plots"))))]
compile_error!("the tests need the features of the default build: bundled, cli, plots");

pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod cost;
pub mod error;
pub mod evaluate;
pub mod exchange;
pub mod exec;
pub mod explore;
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
pub mod ron_tree;
pub mod rtl;
pub mod search;
pub mod sensitivity;
pub mod tensor;
pub mod watch;

pub use error::{Error, Result};
