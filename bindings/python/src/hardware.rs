use pyo3::prelude::*;
use spiq::files::{Folder, sha256};

use crate::error::plain;

/// A described accelerator.
#[pyclass(frozen, module = "spiq._spiq")]
pub struct Hardware {
    pub hardware: spiq::hw::Hardware,
    /// SHA-256 of the description.
    pub sha256: String,
    /// Text of the description.
    text: String,
}

#[pymethods]
impl Hardware {
    /// A built-in accelerator, or that of a file.
    #[staticmethod]
    fn load(py: Python, spec: &str) -> PyResult<Self> {
        let read = || {
            let (folder, name) = Folder::locate("hw_configs", spec)?;
            Ok((folder.read_text(&name)?, folder.path(&name)))
        };
        let (text, path) = read().map_err(|e| plain(py, &e))?;
        Self::parse(py, &text, &path)
    }

    /// What `text` describes.
    #[staticmethod]
    fn parse(py: Python, text: &str, path: &str) -> PyResult<Self> {
        let hardware = spiq::hw::Hardware::parse(text, path).map_err(|e| plain(py, &e))?;
        Ok(Self { hardware, sha256: sha256([text]), text: text.to_owned() })
    }

    /// The text of its description.
    fn to_ron(&self) -> &str {
        &self.text
    }

    #[getter]
    fn name(&self) -> &str {
        &self.hardware.name
    }

    #[getter]
    fn description(&self) -> &str {
        &self.hardware.description
    }

    #[getter]
    fn sha256(&self) -> &str {
        &self.sha256
    }
}
