use std::sync::Mutex;

use super::patterns::{Pattern, run_counting};
use super::{Execution, FastExecutor, Isa, ScalarExecutor, Workspace};
use crate::model::{Network, Sample};
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
pub struct IntegerExecutor<'a> {
    network: &'a Network,
    kind: Kind<'a>,
}

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
        let kind = match engine {
            Engine::Scalar if model.fits_32_bits() => Kind::Narrow(ScalarExecutor::new(model)),
            Engine::Scalar => Kind::Wide(ScalarExecutor::new(model)),
            Engine::Fast(isa) => Kind::Fast(FastExecutor::new(model, isa), Mutex::default()),
        };
        Self { network: &model.network, kind }
    }

    /// Runs one image.
    pub fn run(&self, sample: &Sample) -> Execution<i64> {
        match &self.kind {
            Kind::Narrow(scalar) => scalar.run(sample),
            Kind::Wide(scalar) => scalar.run(sample),
            Kind::Fast(fast, idle) => borrowed(idle, |workspace| fast.run(sample, workspace)),
        }
    }

    /// Runs one image and counts `patterns` of its spikes, which takes longer.
    pub fn run_with(&self, sample: &Sample, patterns: &[Pattern]) -> Execution<i64> {
        if patterns.is_empty() {
            return self.run(sample);
        }
        match &self.kind {
            Kind::Narrow(scalar) => run_counting(self.network, patterns, |o| scalar.run_observed(sample, o)),
            Kind::Wide(scalar) => run_counting(self.network, patterns, |o| scalar.run_observed(sample, o)),
            Kind::Fast(fast, idle) => run_counting(self.network, patterns, |observe| {
                borrowed(idle, |workspace| fast.run_observed(sample, workspace, observe))
            }),
        }
    }
}

/// Runs with a workspace that no other thread is using.
fn borrowed(
    idle: &Mutex<Vec<Workspace>>,
    run: impl FnOnce(&mut Workspace) -> Execution<i64>,
) -> Execution<i64> {
    let taken = idle.lock().ok().and_then(|mut idle| idle.pop());
    let mut workspace = taken.unwrap_or_default();
    let execution = run(&mut workspace);
    if let Ok(mut idle) = idle.lock() {
        idle.push(workspace);
    }
    execution
}
