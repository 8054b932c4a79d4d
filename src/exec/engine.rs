use std::sync::Mutex;

use super::{Execution, FastExecutor, Isa, ScalarExecutor, Workspace};
use crate::model::Sample;
use crate::quant::QuantizedModel;

/// What executes a network of integers. The integers do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The specification, one operation at a time.
    Scalar,
    /// Kernels for an instruction set that this processor has.
    Fast(Isa),
}

impl Default for Engine {
    fn default() -> Self {
        Self::Fast(Isa::best())
    }
}

/// An executor of either kind, for any number of threads.
#[derive(Debug)]
pub struct IntegerExecutor<'a>(Kind<'a>);

#[derive(Debug)]
enum Kind<'a> {
    Narrow(ScalarExecutor<'a, i32>),
    Wide(ScalarExecutor<'a, i64>),
    /// With the workspaces that no thread is using.
    Fast(FastExecutor<'a>, Mutex<Vec<Workspace>>),
}

impl<'a> IntegerExecutor<'a> {
    /// For `model`.
    ///
    /// # Panics
    /// If this processor lacks the instruction set of `engine`.
    pub fn new(model: &'a QuantizedModel, engine: Engine) -> Self {
        Self(match engine {
            Engine::Scalar if model.fits_32_bits() => Kind::Narrow(ScalarExecutor::new(model)),
            Engine::Scalar => Kind::Wide(ScalarExecutor::new(model)),
            Engine::Fast(isa) => Kind::Fast(FastExecutor::new(model, isa), Mutex::default()),
        })
    }

    /// Runs one image.
    pub fn run(&self, sample: &Sample) -> Execution<i64> {
        match &self.0 {
            Kind::Narrow(scalar) => scalar.run(sample),
            Kind::Wide(scalar) => scalar.run(sample),
            Kind::Fast(fast, idle) => {
                let taken = idle.lock().ok().and_then(|mut idle| idle.pop());
                let mut workspace = taken.unwrap_or_default();
                let execution = fast.run(sample, &mut workspace);
                if let Ok(mut idle) = idle.lock() {
                    idle.push(workspace);
                }
                execution
            }
        }
    }
}
