//! The compiled part of the Python package `spiq`: what is loaded, and what runs without the lock of the interpreter.
//! The package's Python code turns users' values into what is taken here.

mod data;
mod error;
mod hardware;
mod integers;
mod model;
mod prepared;
mod search;
mod setting;
mod simulation;
mod work;

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs the command `words`, the program's name first; yields its exit code.
#[pyfunction]
fn main(py: Python, words: Vec<OsString>) -> u8 {
    py.detach(|| spiq::cli::main(words))
}

#[pymodule]
fn _spiq(module: &Bound<PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<model::Model>()?;
    module.add_class::<data::Data>()?;
    module.add_class::<hardware::Hardware>()?;
    module.add_class::<setting::Setting>()?;
    module.add_class::<prepared::Prepared>()?;
    module.add_class::<simulation::Simulation>()?;
    module.add_class::<search::Search>()?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    module.add_function(wrap_pyfunction!(simulation::simulate, module)?)?;
    module.add_function(wrap_pyfunction!(search::search_defaults, module)?)?;
    module.add_function(wrap_pyfunction!(search::search, module)?)
}
