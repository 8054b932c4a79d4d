//! Machines and settings evaluated together: a [`Space`] says which, a [`Study`] holds all that does not depend on the
//! machine, and an [`Exploration`] what came of it. `docs/explore.md` says how and why.

mod axes;
mod axis;
mod constraint;
mod effects;
mod exploration;
mod figure;
mod front;
mod function;
mod parameter;
mod plan;
mod prepared;
mod record;
mod run;
mod space;
mod study;

pub use axes::{Axes, Sample};
pub use axis::Axis;
pub use constraint::Constraint;
pub use effects::{Effect, LevelEffect};
pub use exploration::{Exploration, FrontOf, Names, Nearest, Outcome, Place};
pub use figure::{Figure, Figures};
pub use front::front;
pub use function::{Answer, Function};
pub use parameter::{Parameter, Value, Values};
pub use run::{Missing, Part, Run, Worked};
pub use space::{ActivitySpec, NetworkSpec, Space};
pub use study::Study;
