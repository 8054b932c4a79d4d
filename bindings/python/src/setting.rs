use pyo3::prelude::*;

use crate::error::plain;

/// How a network is quantized.
#[pyclass(frozen, module = "spiq._spiq")]
pub struct Setting(pub spiq::quant::Setting);

#[pymethods]
impl Setting {
    /// A shorthand, a built-in setting, or that of a file.
    #[staticmethod]
    fn load(py: Python, spec: &str) -> PyResult<Self> {
        spiq::quant::Setting::load(spec).map(Self).map_err(|e| plain(py, &e))
    }

    /// What `text` says.
    #[staticmethod]
    fn parse(py: Python, text: &str, path: &str) -> PyResult<Self> {
        spiq::quant::Setting::parse(text, path).map(Self).map_err(|e| plain(py, &e))
    }

    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The text of its file; nothing for the float network.
    fn to_ron(&self) -> Option<String> {
        self.0.to_ron()
    }
}
