//! Finds the setting of each layer that meets budgets on a described machine, or on one of several, which is chosen with it.
//!
//! A [`Strategy`] proposes candidates of a [`Space`], settings on one of its [`Machines`], the [`Engine`] answers through the fidelities of an
//! [`Oracle`], from cheap to expensive: cost at known activity, membrane drift, a few batches, the paired
//! test, the whole validation set with its own activity. `docs/search.md` says how and why.
//!
//! ```
//! use spiq::search::Budgets;
//!
//! let budget = Budgets::parse("Budget(max_accuracy_drop: 0.015, max_energy: \"7uJ\")", "budget.ron")?;
//! assert_eq!((budget.accuracy_drop, budget.energy_j), (0.015, Some(7e-6)));
//! # Ok::<(), spiq::Error>(())
//! ```

mod budget;
mod drift;
mod engine;
mod entry;
mod identity;
mod keyword;
mod loaded;
pub mod log;
mod machines;
mod network;
mod oracle;
mod outcome;
mod outlook;
mod paired;
mod pareto;
mod problem;
mod promise;
mod request;
mod run;
mod session;
mod space;
mod store;
pub mod strategies;
mod strategy;
mod strategy_name;

pub use budget::{
    BYTES, Budgets, DEFAULT_ACCURACY_DROP, JOULES, MEMORY_FIGURES, Objective, SECONDS, SQUARE_MILLIMETRES,
    Units, Violation, WATTS, check_accuracy_drop, quantity,
};
pub use drift::{DriftMetric, DriftReference, LayerDrift};
pub use engine::{Engine, Stop, Verdict};
pub use identity::Identity;
pub use keyword::Keyword;
pub use loaded::{Loaded, SearchWatcher};
pub use machines::{FoundMachine, Machines};
pub use network::{NetworkOracle, measure};
pub use oracle::{Batch, Figures, Measured, Oracle};
pub use outcome::{
    Closest, Fidelity, Final, FinalMemory, GateSummary, LayerOutlook, PartOutlook, Run, Search, Step,
    StepOutlook, TraceStep, Verified,
};
pub use pareto::{Front, FrontPoint};
pub use problem::{Problem, Widths};
pub use promise::{DEFAULT_CONFIDENCE, Promise, Promised};
pub use request::{Request, Terms, short_name};
pub use run::{legal_space, run_strategy};
pub use session::Session;
pub use space::{Candidate, Choice, Granularity, Knob, LayerChoice, Part, Space, Unit};
pub use store::{HeldOut, Store};
pub use strategies::runs;
pub use strategy::{Quantizer, Strategy};
pub use strategy_name::{StrategyForm, StrategyName};
