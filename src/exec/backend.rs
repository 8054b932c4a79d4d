use std::iter;
use std::sync::Mutex;

use super::execution::run_counting;
use super::patterns::Pattern;
use super::{Execution, FastExecutor, Isa, NodeActivity, ScalarExecutor, Snapshot, Workspace};
use crate::model::Sample;
use crate::quant::QuantizedModel;

/// What executes a network of integers. The integers do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The specification, one operation at a time.
    Scalar,
    /// Kernels for an instruction set that this processor has.
    Fast(Isa),
}

impl Default for Backend {
    fn default() -> Self {
        Self::Fast(Isa::best())
    }
}

impl Backend {
    /// All of them, slowest first.
    pub fn all() -> impl Iterator<Item = Self> {
        iter::once(Self::Scalar).chain(Isa::all().map(Self::Fast))
    }

    /// The name that a flag gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Fast(isa) => isa.name(),
        }
    }

    /// What it is, in a few words.
    pub fn description(self) -> String {
        match self {
            Self::Scalar => "The specification itself, one operation at a time".to_owned(),
            Self::Fast(isa) => format!("Kernels for {}", isa.processors()),
        }
    }

    /// True if this processor can run it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            Self::Fast(isa) => isa.is_available(),
        }
    }
}

/// An executor of either kind, for any number of threads.
#[derive(Debug)]
pub struct IntegerExecutor<'a> {
    model: &'a QuantizedModel,
    kind: Kind<'a>,
}

#[derive(Debug)]
enum Kind<'a> {
    Narrow(ScalarExecutor<'a, i32>),
    Wide(ScalarExecutor<'a, i64>),
    /// With the workspaces that no thread is using.
    Fast(Box<FastExecutor<'a>>, Mutex<Vec<Workspace>>),
}

impl<'a> IntegerExecutor<'a> {
    /// For `model`.
    ///
    /// # Panics
    /// If this processor lacks the instruction set of `backend`.
    pub fn new(model: &'a QuantizedModel, backend: Backend) -> Self {
        let kind = match backend {
            Backend::Scalar if model.fits_32_bits() => Kind::Narrow(ScalarExecutor::new(model)),
            Backend::Scalar => Kind::Wide(ScalarExecutor::new(model)),
            Backend::Fast(isa) => Kind::Fast(Box::new(FastExecutor::new(model, isa)), Mutex::default()),
        };
        Self { model, kind }
    }

    /// The network.
    pub fn model(&self) -> &'a QuantizedModel {
        self.model
    }

    /// Runs one image.
    pub fn run(&self, sample: &Sample) -> Execution<i64> {
        self.run_from(sample, None)
    }

    /// Runs one image and counts `patterns` of its spikes, which takes longer.
    pub fn run_with(&self, sample: &Sample, patterns: &[Pattern]) -> Execution<i64> {
        if patterns.is_empty() {
            return self.run(sample);
        }
        let network = self.model.network();
        match &self.kind {
            Kind::Narrow(scalar) => run_counting(network, patterns, |o| scalar.run_observed(sample, o)),
            Kind::Wide(scalar) => run_counting(network, patterns, |o| scalar.run_observed(sample, o)),
            Kind::Fast(fast, idle) => run_counting(network, patterns, |observe| {
                borrowed(idle, |workspace| fast.run_observed(sample, workspace, observe))
            }),
        }
    }

    /// Runs one image from where a run of a network that is the same up to there was kept, with the counters
    /// of that run; from the first layer without one. The scalar executor always starts there.
    pub fn run_from(&self, sample: &Sample, start: Option<(&Snapshot, &[NodeActivity])>) -> Execution<i64> {
        match &self.kind {
            Kind::Narrow(scalar) => scalar.run(sample),
            Kind::Wide(scalar) => scalar.run(sample),
            Kind::Fast(fast, idle) => borrowed(idle, |workspace| match start {
                Some(start) => fast.run_from(sample, workspace, start),
                None => fast.run(sample, workspace),
            }),
        }
    }

    /// Runs one image and keeps it at `cuts`, ascending places of [`Self::cuts`].
    pub fn run_keeping(&self, sample: &Sample, cuts: &[usize]) -> (Execution<i64>, Vec<Snapshot>) {
        match &self.kind {
            Kind::Narrow(scalar) => (scalar.run(sample), Vec::new()),
            Kind::Wide(scalar) => (scalar.run(sample), Vec::new()),
            Kind::Fast(fast, idle) => borrowed(idle, |workspace| fast.run_keeping(sample, workspace, cuts)),
        }
    }

    /// Places between layers where a run can be kept, and the most bytes that this takes.
    pub fn cuts(&self) -> Vec<(usize, usize)> {
        match &self.kind {
            Kind::Narrow(_) | Kind::Wide(_) => Vec::new(),
            Kind::Fast(fast, _) => fast.cuts(),
        }
    }
}

/// Runs with a workspace that no other thread is using.
fn borrowed<R>(idle: &Mutex<Vec<Workspace>>, run: impl FnOnce(&mut Workspace) -> R) -> R {
    let taken = idle.lock().ok().and_then(|mut idle| idle.pop());
    let mut workspace = taken.unwrap_or_default();
    let result = run(&mut workspace);
    if let Ok(mut idle) = idle.lock() {
        idle.push(workspace);
    }
    result
}
