use serde::{Deserialize, Serialize};

use super::budget::{Budgets, Objective};
use super::drift::DriftMetric;
use super::space::Granularity;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// Limits.
    pub budgets: Budgets,
    /// What is minimised within them.
    pub objective: Objective,
    /// Images that a strategy may execute, in validation sets.
    pub max_evaluations: f64,
    /// Time that a strategy may take before it verifies what it found; what it finds then depends on how fast the
    /// processor is.
    #[serde(default)]
    pub max_seconds: Option<f64>,
    /// What is chosen together, where a strategy does not say so itself.
    pub granularity: Granularity,
    /// What a gate looks at.
    pub metric: DriftMetric,
    /// How many times as far as the farthest that kept its accuracy a candidate may drift, 1 or more.
    pub slack: f64,
    /// True to run what a gate rejects, too, and count how often it was wrong.
    pub audit: bool,
}

impl Problem {
    /// True where what is minimised depends on what the network does, and not only on its widths.
    pub(crate) fn minimizes_activity(&self) -> bool {
        !matches!(self.objective, Objective::Model | Objective::Footprint)
    }

    /// True where what the network does, and not only its widths, decides what a candidate costs.
    pub(crate) fn depends_on_activity(&self) -> bool {
        let Budgets { energy_j, power_w, latency_s, peak_bytes, .. } = &self.budgets;
        // What lies where is chosen for the activity.
        self.minimizes_activity() || energy_j.or(*power_w).or(*latency_s).is_some() || !peak_bytes.is_empty()
    }
}

/// Widths that are tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Widths {
    /// Widths of uniform weights.
    pub uniform: Vec<u32>,
    /// Widths of power-of-two weights.
    pub power_of_two: Vec<u32>,
    /// Further schemes, by their shorthands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemes: Vec<String>,
    /// Widths of membranes.
    pub membranes: Vec<u32>,
    /// True to round the weights of an output together and to match firing rates.
    #[serde(default)]
    pub calibrated: bool,
}
