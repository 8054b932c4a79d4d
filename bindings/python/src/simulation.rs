use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use spiq::check::repeated;
use spiq::cost::Machine;
use spiq::evaluate::{Origin, Presentation, SimulationRequest, charged_machines};
use spiq::exec::{Backend, Rates};
use spiq::{Error, Result, report};

use crate::data::Data;
use crate::error::{plain, raised};
use crate::hardware::Hardware;
use crate::model::Model;
use crate::setting::Setting;
use crate::work::{self, Manner};

/// What a simulation found out.
#[pyclass(frozen, module = "spiq._spiq")]
pub struct Simulation(spiq::evaluate::Simulation);

#[pymethods]
impl Simulation {
    /// `report.json`.
    fn json(&self, py: Python) -> PyResult<String> {
        report::to_json(&self.0).map_err(|e| plain(py, &e))
    }

    /// The table of the terminal.
    fn table(&self) -> String {
        report::table(&self.0)
    }

    /// Paths and bytes of all files of the report.
    fn files<'py>(&self, py: Python<'py>) -> PyResult<Vec<(String, Bound<'py, PyBytes>)>> {
        let files = py.detach(|| report::files(&self.0)).map_err(|e| plain(py, &e))?;
        Ok(files.into_iter().map(|file| (file.path, PyBytes::new(py, &file.bytes))).collect())
    }

    /// Writes them into the folder `dir`.
    fn write(&self, py: Python, dir: PathBuf) -> PyResult<()> {
        py.detach(|| report::write(&self.0, &dir)).map_err(|e| plain(py, &e))
    }
}

/// Runs `model` at `settings` on `hardware`, on the images of `data` or at the rates of a file.
#[pyfunction]
#[pyo3(signature = (model, data, rates, settings, hardware, tables, threads, listener))]
#[expect(clippy::too_many_arguments, reason = "keywords of a Python function")]
pub fn simulate(
    py: Python,
    model: &Model,
    data: Option<&Data>,
    rates: Option<&str>,
    settings: Vec<PyRef<Setting>>,
    hardware: &Hardware,
    tables: Vec<String>,
    threads: Option<usize>,
    listener: Option<Py<PyAny>>,
) -> PyResult<Simulation> {
    let network = &model.0.network;
    let settings: Vec<_> = settings.iter().map(|setting| setting.0.clone()).collect();
    let request = (|| -> Result<SimulationRequest> {
        if let Some(name) = repeated(settings.iter().map(|setting| &*setting.name)) {
            return Err(Error::mismatch(format!("settings: two are named {name}")));
        }
        if let Some(table) = repeated(tables.iter().map(String::as_str)) {
            return Err(Error::mismatch(format!("tables: {table} is given twice")));
        }
        let machines = charged_machines(Machine::new(hardware.hardware.clone())?, &tables)?;
        let origin = match (data, rates) {
            (Some(data), None) => Origin::Executed(Box::new(data.0.clone())),
            (None, Some(rates)) => Origin::Expected(Arc::new(Rates::load(rates, network)?)),
            _ => return Err(Error::mismatch("data, rates: one of both says what is charged")),
        };
        Ok(SimulationRequest {
            model: Arc::clone(&model.0),
            machines,
            hardware_sha256: hardware.sha256.clone(),
            origin,
            settings,
            engine: Backend::default(),
            mapping: None,
            batch: 1,
            presentation: Presentation::default(),
        })
    })()
    .map_err(|e| raised(py, &e, Some(network)))?;
    let manner = Manner { threads, listener, network };
    let simulated = work::run(py, &manner, move |progress, interrupt| {
        let origin = match request.origin {
            Origin::Executed(data) => Origin::Executed(Box::new(data.until(interrupt))),
            origin => origin,
        };
        SimulationRequest { origin, ..request }.run(progress)
    })?;
    Ok(Simulation(simulated))
}
