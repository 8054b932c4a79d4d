//! What a search found out, for reports to show.

use serde::{Deserialize, Serialize};

use super::machines::FoundMachine;
use super::{Candidate, Figures, LayerChoice, Measured, Objective, Promise, Promised, Space, Violation};

/// How a candidate was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fidelity {
    /// Membrane drift, which a gate rejected.
    Drift,
    /// A fixed number of batches.
    Sample,
    /// The paired test.
    Test,
    /// The whole validation set with its activity.
    Full,
    /// Validation images that no strategy looks at.
    HeldOut,
}

/// One look at one candidate, in the order of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Names the setting.
    pub setting: String,
    /// Choices of the candidate.
    #[serde(skip)]
    pub candidate: Candidate,
    /// How it was looked at.
    pub fidelity: Fidelity,
    /// Images that the answer rests on.
    pub images: u32,
    /// Accuracy of the float network minus that of the setting on them.
    pub accuracy_drop: Option<f64>,
    /// Mean divergence per image, nats.
    pub divergence: Option<f64>,
    /// Costs; of a rejection by a gate, at the activity of the float network.
    #[serde(flatten)]
    pub figures: Figures,
    /// Validation sets executed for this run up to here.
    pub evaluations: f64,
    /// Seconds of executing up to here, cached answers at the time they took.
    pub seconds: f64,
    /// Whether it met everything asked of it; absent where nothing was asked.
    pub accepted: Option<bool>,
    /// Why not.
    pub reason: Option<String>,
}

/// A better accepted setting.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TraceStep {
    /// Validation sets executed before.
    pub evaluations: f64,
    /// The objective, base units.
    pub objective: f64,
}

/// A candidate on the whole validation set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verified {
    /// The candidate.
    #[serde(skip)]
    pub candidate: Candidate,
    /// Names its setting.
    pub id: String,
    /// Names it with its machine.
    #[serde(skip)]
    pub design_id: String,
    /// Accuracy of the float network minus its own.
    pub drop: f64,
    /// Accuracy and costs.
    pub measured: Measured,
    /// Budgets that it exceeds.
    pub violations: Vec<Violation>,
}

/// What comes closest where nothing meets all budgets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Closest(pub Verified);

impl Closest {
    /// The sum of what is beyond the budgets.
    pub fn excess(&self) -> f64 {
        self.0.violations.iter().map(Violation::excess).sum()
    }

    /// The closer of both.
    pub(crate) fn nearer(old: Option<Self>, new: Verified) -> Option<Self> {
        let new = Self(new);
        match old {
            Some(old) if old.excess() <= new.excess() => Some(old),
            _ => Some(new),
        }
    }
}

/// What a gate on drift did.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct GateSummary {
    /// Candidates that it saw.
    pub seen: usize,
    /// Candidates that it rejected without an accuracy run.
    pub rejected: usize,
    /// Threshold in the end.
    pub threshold: f64,
    /// Rejected candidates that an audit ran.
    pub audited: usize,
    /// Audited candidates that would have been accepted.
    pub falsely_rejected: usize,
}

/// What the verification of a run came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conclusion {
    /// The best setting that meets everything on the validation set.
    pub best: Option<Verified>,
    /// What is promised of it.
    pub promised: Option<Promised>,
    /// Without one, what comes closest.
    pub closest: Option<Closest>,
}

/// What the widths of a layer lose, and what others would bring.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerOutlook {
    /// Name of the layer.
    pub layer: String,
    /// Outlook of its weights; absent where there is nothing to choose.
    pub weights: Option<PartOutlook>,
    /// Outlook of the membranes of its neurons.
    pub membranes: Option<PartOutlook>,
}

/// Half of a [`LayerOutlook`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartOutlook {
    /// `w4`, `pot3`; of membranes `u8`.
    pub level: String,
    /// Part of all that is expected to be lost, 0..=1.
    pub loss_share: f64,
    /// One step narrower.
    pub narrower: Option<StepOutlook>,
    /// One step wider.
    pub wider: Option<StepOutlook>,
}

/// What one step alone would bring.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepOutlook {
    /// What it leads to.
    pub level: String,
    /// Change of the objective at the activity of the float network, base units.
    pub objective: f64,
    /// Expected change of the drop of accuracy.
    pub accuracy_drop: f64,
}

/// One run of one strategy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Name of the strategy.
    pub strategy: String,
    /// Seed of its random choices.
    pub seed: u64,
    /// Images executed, in validation sets.
    pub evaluations: f64,
    /// Settings looked at by executing images.
    pub candidates: usize,
    /// Time; answers that another run had asked for count as long as they took then.
    pub seconds: f64,
    /// What its candidates choose among.
    #[serde(skip)]
    pub space: Space,
    /// The setting file of what was found.
    #[serde(skip)]
    pub setting: Option<String>,
    /// The machine of it, where machines were chosen, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<FoundMachine>,
    /// Layers of the setting that was found.
    pub layers: Vec<LayerChoice>,
    /// What they lose, and what a step would bring.
    pub outlook: Vec<LayerOutlook>,
    /// The best setting that meets everything on the validation set.
    pub best: Option<Verified>,
    /// What is promised of it.
    pub promised: Option<Promised>,
    /// Without one, what comes closest.
    pub closest: Option<Closest>,
    /// True where it ended as its evaluations did, and not for want of candidates.
    pub exhausted: bool,
    /// What the gate did, of strategies that have one.
    pub gate: Option<GateSummary>,
    /// Objective of the best accepted setting so far.
    pub trace: Vec<TraceStep>,
    /// Every look at a candidate.
    #[serde(skip)]
    pub steps: Vec<Step>,
}

impl Run {
    /// What its setting is called, and the file of it: no other run of a search has the same.
    pub fn label(strategy: &str, seed: u64) -> String {
        format!("{}-{seed}", strategy.replace(' ', "-"))
    }
}

/// What was found, on the test set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Final {
    /// The file of the setting, inside the folder of the search.
    pub setting: String,
    /// Fraction of test images classified correctly.
    pub accuracy: f64,
    /// Accuracy of the float network on them minus `accuracy`.
    pub accuracy_drop: f64,
    /// Weights, biases, thresholds and requantizers.
    pub model_bytes: f64,
    /// The model and all state.
    pub footprint_bytes: f64,
    /// On-chip memories of the machine.
    pub memories: Vec<FinalMemory>,
    /// Energy of an inference.
    pub energy_j: f64,
    /// Time of an inference.
    pub latency_s: f64,
    /// Energy divided by time.
    pub power_w: f64,
    /// Bits per weight.
    pub average_weight_bits: f64,
}

/// What an on-chip memory holds at the most at a setting that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinalMemory {
    /// Name of the memory.
    pub name: String,
    /// What it could hold.
    pub capacity_bytes: f64,
    /// The most that it holds.
    pub peak_bytes: f64,
    /// The peak as a fraction of the capacity.
    pub share: f64,
}

/// A finished search.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// Name of the model.
    pub model: String,
    /// Name of the machine, or how many there are to choose among.
    pub hardware: String,
    /// Name of the data.
    pub data: String,
    /// Validation and test images.
    pub images: [usize; 2],
    /// What was minimised.
    pub objective: Objective,
    /// Allowed accuracy drop.
    pub accuracy_drop: f64,
    /// What is promised of unseen images; nothing where it was not asked for.
    pub promise: Option<Promise>,
    /// Why nothing is, where it was not declined.
    pub unpromised: Option<String>,
    /// Accuracy of the float network on validation and test images.
    pub reference_accuracy: [f64; 2],
    /// The float network charged as 32-bit integers.
    pub float: Figures,
    /// One per strategy and seed.
    pub runs: Vec<Run>,
    /// Per run, what it found on the test set.
    pub finals: Vec<Option<Final>>,
    /// Index of the best run.
    pub best: Option<usize>,
}
