//! Errors of the library as the exception of the package.

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use spiq::Error;
use spiq::model::Network;

static EXCEPTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// What an error says beside its message.
#[derive(Default)]
struct Place {
    file: Option<String>,
    field: Option<String>,
    layer: Option<String>,
}

/// The exception for `error`; of a layer of `network` it says which.
pub fn raised(py: Python, error: &Error, network: Option<&Network>) -> PyErr {
    let message = error.to_string();
    let mut place = match error {
        Error::Interrupted => return PyKeyboardInterrupt::new_err(()),
        Error::Io { path, .. } | Error::Syntax { path, .. } | Error::Gone { path } => {
            Place { file: Some(path.clone()), ..Place::default() }
        }
        Error::Field { path, field, .. } => {
            Place { file: Some(path.clone()), field: Some(field.clone()), layer: None }
        }
        Error::Mismatch(_) => Place::default(),
    };
    place.layer = network.and_then(|network| layer(network, place.field.as_deref(), &message));
    exception(py, &message, place).unwrap_or_else(|error| error)
}

fn exception(py: Python, message: &str, Place { file, field, layer }: Place) -> PyResult<PyErr> {
    let class = EXCEPTION
        .get_or_try_init(py, || Ok::<_, PyErr>(py.import("spiq._error")?.getattr("Error")?.unbind()))?;
    Ok(PyErr::from_value(class.bind(py).call1((message, file, field, layer))?))
}

/// The layer that an error is of: a field is the layer or one of its tensors, a message names it after that word.
fn layer(network: &Network, field: Option<&str>, message: &str) -> Option<String> {
    let is_layer = |name: &str| network.nodes.iter().any(|node| node.name == name);
    let of_field = field.into_iter().flat_map(|field| {
        [Some(field), field.rsplit_once('.').map(|(layer, _)| layer)].into_iter().flatten()
    });
    let mut words = message.split_whitespace().map(|word| word.trim_end_matches([':', ',', ';', '.']));
    let mut named = Vec::new();
    while let Some(word) = words.next() {
        if word == "layer" {
            named.extend(words.next());
        }
    }
    of_field.chain(named).find(|name| is_layer(name)).map(str::to_owned)
}

/// [`raised`] without a network.
pub fn plain(py: Python, error: &Error) -> PyErr {
    raised(py, error, None)
}
