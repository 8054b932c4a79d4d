use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use spiq::model::DataSet;
use spiq::model::data::{ArrayData, LabelledArray, Layout};
use spiq::npy::{Array, Kind};
use spiq::{Error, Result};

use crate::error::plain;
use crate::model::Model;

/// Labelled samples.
#[pyclass(frozen, module = "spiq._spiq")]
pub struct Data(pub DataSet);

/// An array as Python hands it over: type as NumPy spells it (`u1`, `i8`, `f4`), extents, bytes in C order.
type Held<'py> = (String, Vec<usize>, PyReadonlyArray1<'py, u8>);

#[pymethods]
impl Data {
    /// A built-in data set, a described one, or `noise` that `model` looks at.
    #[staticmethod]
    fn load(py: Python, spec: &str, model: &Model) -> PyResult<Self> {
        let loaded = py.detach(|| DataSet::load_for(spec, &model.0.description));
        loaded.map(Self).map_err(|e| plain(py, &e))
    }

    /// Data of images and labels that a program holds.
    #[staticmethod]
    #[pyo3(signature = (name, test, validation, layout, scale, classes))]
    fn of_arrays(
        py: Python,
        name: String,
        test: (Held, Held),
        validation: Option<(Held, Held)>,
        layout: &str,
        scale: Option<f64>,
        classes: Option<usize>,
    ) -> PyResult<Self> {
        let data = (|| {
            let layout = layout_of(layout)?;
            let validation = validation.map(labelled).transpose()?;
            Ok(ArrayData { name, classes, layout, scale, test: labelled(test)?, validation })
        })()
        .map_err(|e| plain(py, &e))?;
        py.detach(|| DataSet::of_arrays(data)).map(Self).map_err(|e| plain(py, &e))
    }

    /// With the first `limit` test images.
    fn limited(&self, py: Python, limit: usize) -> PyResult<Self> {
        let mut data = self.0.clone();
        spiq::check::in_range("limit", limit, &(1..=data.test.len()))
            .map_err(|fault| plain(py, &Error::field(&self.0.path, fault.field, fault.message)))?;
        data.test.truncate(limit);
        Ok(Self(data))
    }

    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    #[getter]
    fn classes(&self) -> usize {
        self.0.classes
    }

    #[getter]
    fn notes(&self) -> Vec<String> {
        self.0.test.notes.clone()
    }

    /// Test and validation images.
    #[getter]
    fn counts(&self) -> (usize, usize) {
        (self.0.test.len(), self.0.validation.len())
    }

    /// Frames of a sample; channels, height and width of each.
    #[getter]
    fn shape(&self) -> (usize, usize, usize, usize) {
        let shape = self.0.test.shape;
        (self.0.test.frames, shape.channels, shape.height, shape.width)
    }

    /// SHA-256 of the test part.
    fn sha256(&self, py: Python) -> PyResult<String> {
        py.detach(|| self.0.test.sha256()).map_err(|e| plain(py, &e))
    }
}

fn layout_of(name: &str) -> Result<Layout> {
    match name {
        "NHW" => Ok(Layout::Nhw),
        "NHWC" => Ok(Layout::Nhwc),
        "NCHW" => Ok(Layout::Nchw),
        "NTCHW" => Ok(Layout::Ntchw),
        _ => Err(Error::mismatch(format!("layout: {name:?} is none of NHW, NHWC, NCHW and NTCHW"))),
    }
}

fn labelled((images, labels): (Held, Held)) -> Result<LabelledArray> {
    Ok(LabelledArray { images: array(images, "images")?, labels: array(labels, "labels")? })
}

fn array((code, shape, bytes): Held, what: &str) -> Result<Array> {
    let kind = match code.as_str() {
        "u1" | "b1" => Kind::Unsigned(1),
        "u2" => Kind::Unsigned(2),
        "u4" => Kind::Unsigned(4),
        "u8" => Kind::Unsigned(8),
        "i1" => Kind::Signed(1),
        "i2" => Kind::Signed(2),
        "i4" => Kind::Signed(4),
        "i8" => Kind::Signed(8),
        "f4" => Kind::Float,
        "f8" => Kind::Double,
        _ => return Err(Error::field(what, "dtype", format!("{code} is not of integers or floats"))),
    };
    let data = bytes.as_slice().map_err(|e| Error::field(what, "bytes", e.to_string()))?;
    Ok(Array { shape, kind, data: data.to_vec() })
}
