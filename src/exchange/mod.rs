//! What `spiq` exchanges with other programs, as `docs/formats.md` describes it: dumps of runs, golden
//! bundles, weights for PyTorch, settings with their integers, stimuli for RTL, recorded neurons.
//!
//! ```
//! use spiq::exchange::{channels_first, channels_last};
//! use spiq::tensor::Shape;
//!
//! // Two channels at two positions, as an executor holds them and as NumPy's files do.
//! let shape = Shape::new(2, 1, 2);
//! let file = channels_first(&[1, 10, 2, 20], shape, i64::from);
//! assert_eq!(file, [1, 2, 10, 20]);
//! assert_eq!(channels_last(&file, shape, |value| value), [1, 10, 2, 20]);
//! ```

mod bundle;
mod bundle_neurons;
mod dump;
mod golden;
mod manifest;
mod npy;
mod record;
mod replay;
mod rtl;
mod setting;
mod torch;
mod validate;

pub use bundle::{Activations, Bundle, Recorded};
pub use dump::{DumpRequest, RunSummary, dump, dump_float, run, run_float};
pub use golden::export_golden;
pub use npy::{INT32, INT64, NpyReader, NpyWriter, UINT8};
pub(crate) use record::{Frame, Part, record};
pub use record::{channels_first, channels_last};
pub use replay::{NeuronConfig, Recording, ReplayMismatch, ReplayReport, replay};
pub use rtl::export_rtl;
pub use setting::export_setting;
pub use torch::{FloatType, TorchTensor, Units, export_torch, export_torch_float, torch_tensors};
pub use validate::{Coordinates, Mismatch, NodeReport, ValidationReport, validate};
