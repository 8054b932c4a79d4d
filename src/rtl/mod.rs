//! A machine as RTL: the design of `rtl/design/` with its sizes, layer by layer what its memories hold and what it has to
//! yield, and the cycles that the cost model expects of it.
//!
//! ```
//! use spiq::{hw::Hardware, rtl::check_machine};
//!
//! assert!(check_machine(&Hardware::load("edge-28")?.0).is_ok());
//! assert!(check_machine(&Hardware::load("systolic-28")?.0).is_err());
//! # Ok::<(), spiq::Error>(())
//! ```

mod export;
mod images;
mod layer;
mod machine;
mod manifest;
mod operation;
mod operation_images;
mod operations;
mod predicted;
mod program;
mod run;
mod table;
mod words;

pub use export::{check_machine, export_design};
pub use manifest::{DesignExport, DesignRequest, ExportedLayer};
pub use predicted::CauseCycles;
pub use run::{Counted, LayerRun, OperationCounts, SimulatedCounts, check_runs};
