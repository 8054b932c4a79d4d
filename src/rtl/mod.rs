//! A machine as RTL: the design of `rtl/design/` with its sizes, layer by layer what its memories hold and what it has to
//! yield, and the cycles that the cost model expects of it.

mod export;
mod images;
mod layer;
mod machine;
mod predicted;
mod program;
mod run;
mod words;

pub use export::{DesignExport, DesignRequest, check_machine, export_design};
pub use predicted::CauseCycles;
pub use run::{LayerRun, check_runs};
