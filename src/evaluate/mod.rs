//! One (model, setting, hardware, data) -> one [`Evaluation`].
//!
//! ```
//! use std::sync::Arc;
//! use spiq::{cost::Machine, evaluate::Evaluator, exec::Rates, hw::Hardware, load, quant::Setting};
//!
//! let model = Arc::new(load::model("sdtv1_2-64_fashion")?);
//! let rates = Arc::new(Rates::uniform(&model.network, 0.1)?);
//! let machine = Machine::new(Hardware::load("systolic-28")?.0)?;
//! let evaluations = Evaluator::expecting(model, rates).evaluate(&Setting::load("w4")?, &[machine], &|| ())?;
//! assert!(evaluations[0].accuracy.is_none() && evaluations[0].cycles.total() > 0.0);
//! # Ok::<(), spiq::Error>(())
//! ```

mod bottlenecks;
mod calibrated;
mod calibration_images;
mod charge;
mod comparison;
mod evaluation;
mod evaluator;
mod fit;
mod images;
mod notes;
mod observed;
mod origin;
mod prepared;
mod published;
mod rate_matching;
mod simulation;
mod statistics;
mod summary;
mod tables;
mod time;
mod timeline;
mod totals;
mod track;

pub use bottlenecks::{Bottleneck, Cause, Effect, Remedy};
pub use calibrated::Calibrated;
pub use calibration_images::{CALIBRATION_IMAGES, CalibrationImages, calibrate};
pub use comparison::{Agreement, Comparison, MachineEvaluation};
pub use evaluation::{
    ActivitySource, DataSummary, Evaluation, HardwareSummary, LayerEvaluation, LayerRate, MemoryEvaluation,
    MemorySummary, ModelSummary, RatesSummary, SpikesSummary, UnitSummary,
};
pub use evaluator::Evaluator;
pub use fit::fits;
pub use observed::Observed;
pub use origin::Origin;
pub use prepared::Prepared;
pub use published::{AsPublished, PublishedWork};
pub use rate_matching::{RateMatching, quantize_on};
pub use simulation::{Presentation, Simulation, SimulationRequest, charged_machines};
pub use statistics::{add_statistics, collect_statistics};
pub use tables::{TableCost, TableEvaluation};
pub use time::{StallEvaluation, UnitEvaluation};
pub use timeline::TILES_SHOWN;
pub use track::{Slice, Track};
