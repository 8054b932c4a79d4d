//! The oracle of a search: figures of a setting, by fidelities from cheap to expensive.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::drift::LayerDrift;
use crate::error::Result;
use crate::evaluate::Evaluation;
use crate::quant::{Setting, WeightScheme};

/// What a setting costs per inference.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Weights, biases, thresholds and requantizers.
    pub model_bytes: f64,
    /// The model, all membranes, and the largest stream and spike maps.
    pub footprint_bytes: f64,
    /// By the name of an on-chip memory, the most that it holds.
    pub peak_bytes: BTreeMap<String, f64>,
    /// Dynamic energy and leakage.
    pub energy_j: f64,
    /// Time.
    pub latency_s: f64,
    /// Energy divided by time.
    pub power_w: f64,
    /// Area of the machine, where its description gives it.
    pub area_mm2: Option<f64>,
    /// Bits per weight, averaged over all weights.
    pub average_weight_bits: f64,
}

impl From<&Evaluation> for Figures {
    fn from(evaluation: &Evaluation) -> Self {
        Self {
            model_bytes: evaluation.footprint_bytes.model(),
            footprint_bytes: evaluation.footprint_bytes.total(),
            peak_bytes: evaluation.memories.iter().map(|m| (m.name.clone(), m.peak_bytes.total())).collect(),
            energy_j: evaluation.total_energy_j(),
            latency_s: evaluation.latency_s,
            power_w: evaluation.power_w,
            area_mm2: evaluation.area_mm2.map(|area| area.total()),
            average_weight_bits: evaluation.average_weight_bits,
        }
    }
}

/// What one batch of validation images says of a setting, beside the float network on the same images.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Images.
    pub images: u32,
    /// Images that the float network classifies correctly and the setting does not.
    pub lost: u32,
    /// Images that the setting classifies correctly and the float network does not.
    pub gained: u32,
    /// Kullback-Leibler divergence of the classes' probabilities from those of the float network, summed
    /// over images, in nats.
    pub divergence: f64,
}

impl Batch {
    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.images += other.images;
        self.lost += other.lost;
        self.gained += other.gained;
        self.divergence += other.divergence;
    }

    /// Divergence per image, nats.
    pub fn mean_divergence(&self) -> f64 {
        self.divergence / f64::from(self.images.max(1))
    }

    /// Accuracy of the float network minus that of the setting on these images.
    pub fn drop(&self) -> f64 {
        (f64::from(self.lost) - f64::from(self.gained)) / f64::from(self.images.max(1))
    }
}

/// What the whole validation set says of a setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Fraction classified correctly.
    pub accuracy: f64,
    /// Costs of the activity of these images.
    pub figures: Figures,
}

/// Answers about settings, and what they cost machines that go by their numbers; the same question always gets the same
/// answer.
pub trait Oracle: Sync {
    /// Images of the validation set.
    fn images(&self) -> usize;

    /// Accuracy of the float network on them.
    ///
    /// # Errors
    /// If an image is no longer there.
    fn reference_accuracy(&self) -> Result<f64>;

    /// Batches that the validation set is run in.
    fn batches(&self) -> usize;

    /// Images of batch `number`, which is one of [`Self::batches`].
    fn batch_images(&self, number: usize) -> usize;

    /// Costs at the activity of the float network; executes nothing.
    ///
    /// # Errors
    /// If the machine cannot run the setting.
    fn charge(&self, setting: &Setting, machine: usize) -> Result<Figures>;

    /// Per weight layer, in order of execution, the squared error that rounding to `scheme` makes of its weights, beside
    /// their squares; executes nothing.
    ///
    /// # Errors
    /// If a layer's weights do not take the scheme.
    fn rounding_noise(&self, scheme: WeightScheme) -> Result<Vec<f64>>;

    /// Marks a setting that the next ones resemble, which may save time and changes no answer.
    ///
    /// # Errors
    /// If the setting does not fit the network.
    fn anchor(&self, _setting: &Setting) -> Result<()> {
        Ok(())
    }

    /// Images that [`Self::charge_own`] executes, once for all machines.
    fn charged_images(&self) -> usize;

    /// Costs at the setting's own activity on the first images.
    ///
    /// # Errors
    /// If the machine cannot run the setting.
    fn charge_own(&self, setting: &Setting, machine: usize) -> Result<Figures>;

    /// Runs batches from number `first` on, the next one whenever `more` answers true.
    ///
    /// # Errors
    /// If the setting does not fit the network.
    fn run(&self, setting: &Setting, first: usize, more: &mut dyn FnMut(Batch) -> bool) -> Result<()>;

    /// Drift of every layer of neurons on a few images, and how many these are.
    ///
    /// # Errors
    /// If the setting does not fit the network.
    fn drift(&self, setting: &Setting) -> Result<(Vec<LayerDrift>, usize)>;

    /// Runs the whole validation set and charges all of its activity.
    ///
    /// # Errors
    /// If the machine cannot run the setting.
    fn measure(&self, setting: &Setting, machine: usize) -> Result<Measured>;
}
