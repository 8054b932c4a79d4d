//! Machines and settings evaluated together: a [`Space`] says which, a [`Study`] holds all that does not depend on the
//! machine, and an [`Exploration`] what came of it. `docs/explore.md` says how and why.
//!
//! ```
//! use spiq::explore::{Space, front};
//!
//! let (space, _text) = Space::load("edge-lanes")?;
//! assert!(!space.objectives.is_empty());
//! // Energy and latency of three points: the last one loses to the first in both.
//! assert_eq!(front(&[vec![1.0, 3.0], vec![2.0, 1.0], vec![2.0, 4.0]]), [0, 1]);
//! # Ok::<(), spiq::Error>(())
//! ```

mod constraint;
mod counter;
mod effects;
mod exploration;
mod figure;
mod front;
mod function;
mod machines;
mod plan;
mod prepared;
mod provenance;
mod record;
mod run;
mod sample;
mod shown;
mod space;
mod study;

pub use crate::hw::Axis;
pub use constraint::Constraint;
pub use effects::{Effect, LevelEffect};
pub use exploration::{Exploration, FrontOf, Names, Nearest, Outcome, Place};
pub use figure::{Figure, Figures};
pub use front::front;
pub use function::{Answer, Function};
pub use provenance::{Input, Provenance};
pub use run::{MissingEvaluations, Part, Run, WorkerSummary};
pub use sample::Sample;
pub use shown::Refusal;
pub(crate) use shown::evenly;
pub use space::{ActivitySpec, NetworkSpec, Space};
pub use study::Study;
