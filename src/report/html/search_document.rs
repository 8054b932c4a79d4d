//! What a page reads of `search.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A search.
#[derive(Debug, Deserialize)]
pub(super) struct SearchDocument {
    pub spiq_version: String,
    pub request: Value,
    pub model: String,
    pub hardware: String,
    pub data: String,
    pub validation_images: u64,
    pub test_images: u64,
    pub validation_accuracy: f64,
    pub test_accuracy: f64,
    pub float: Figures,
    pub runs: Vec<Run>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Figures {
    pub average_weight_bits: f64,
    pub model_bytes: f64,
    pub footprint_bytes: f64,
    pub energy_j: f64,
    pub latency_s: f64,
    pub power_w: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Run {
    pub strategy: String,
    pub seed: u64,
    pub evaluations: f64,
    pub candidates: u64,
    pub seconds: f64,
    pub layers: Vec<Choice>,
    pub best: Option<Best>,
    /// Absent from searches of earlier versions, which promised nothing.
    #[serde(default)]
    pub promised: Option<Promised>,
    pub trace: Vec<TraceStep>,
    pub r#final: Option<Final>,
    /// What each layer has in settings on fronts; absent from searches of earlier versions.
    #[serde(default)]
    pub fronts: BTreeMap<String, Vec<Choice>>,
    pub steps: Vec<Step>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Choice {
    pub layer: String,
    pub weight_bits: u32,
    pub membrane_bits: Option<u32>,
    #[serde(default)]
    pub power_of_two: bool,
    /// Absent from searches of earlier versions.
    #[serde(default)]
    pub scheme: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Promised {
    pub confidence: f64,
    pub most_drop: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Best {
    pub id: String,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct TraceStep {
    pub evaluations: f64,
    pub objective: f64,
}

/// What was found, on test images.
#[derive(Debug, Deserialize)]
pub(super) struct Final {
    pub accuracy: f64,
    pub accuracy_drop: f64,
    pub model_bytes: f64,
    pub footprint_bytes: f64,
    pub energy_j: f64,
    pub latency_s: f64,
    pub power_w: f64,
    pub average_weight_bits: f64,
}

/// A look at a setting.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Step {
    pub setting: String,
    pub images: u64,
    pub accuracy_drop: Option<f64>,
    #[serde(flatten)]
    pub figures: Figures,
    pub accepted: Option<bool>,
}
