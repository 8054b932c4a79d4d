//! The lines of a log below its header, and what each of them may say.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::drift::LayerDrift;
use super::request::Terms;
use super::space::ID_DIGITS;
use super::{Batch, Figures, Measured, Oracle};
use crate::check::refuse_if;
use crate::error::Fault;

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "fidelity", rename_all = "lowercase")]
pub enum Entry {
    /// The float network on all images of a part of the data.
    Float {
        /// Which images.
        part: DataPart,
        /// Fraction classified correctly.
        accuracy: f64,
    },
    /// Batches from number `first` on.
    Batches {
        /// Which setting.
        id: String,
        /// Number of the first batch.
        first: usize,
        /// What they say.
        batches: Vec<Batch>,
        /// Time it took.
        seconds: f64,
    },
    /// Costs at the setting's own activity on a few images.
    Charge {
        /// Which setting.
        id: String,
        /// The costs.
        figures: Figures,
        /// Time it took.
        seconds: f64,
    },
    /// Membrane drift.
    Drift {
        /// Which setting.
        id: String,
        /// Per layer of neurons.
        layers: Vec<LayerDrift>,
        /// Images it was measured on.
        images: usize,
        /// Time it took.
        seconds: f64,
    },
    /// The whole validation set with all of its activity.
    Full {
        /// Which setting.
        id: String,
        /// Accuracy and costs.
        measured: Measured,
        /// Time it took.
        seconds: f64,
    },
    /// All held-out validation images.
    HeldOut {
        /// Which setting.
        id: String,
        /// What they say.
        batch: Batch,
        /// Time it took.
        seconds: f64,
    },
    /// All test images, of a setting that was found.
    Final {
        /// Which setting.
        id: String,
        /// Accuracy and costs.
        measured: Measured,
    },
    /// From here on the search looks further.
    Extended {
        /// What it is extended to.
        terms: Terms,
    },
}

/// Images that an accuracy is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataPart {
    /// Everything is chosen on these.
    Validation,
    /// Only what was found runs on these.
    Test,
}

/// An answer with its line, from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// Line of the log.
    pub line: usize,
    /// What it says.
    pub entry: Entry,
}

/// What the lines so far say: a question is answered once, and batches follow each other.
#[derive(Debug, Default)]
pub struct Answered {
    /// Per setting, batches so far.
    batches: HashMap<String, usize>,
    /// Kinds with the setting or part that they were answered of.
    once: HashSet<(&'static str, String)>,
}

impl Answered {
    /// Checks `entry` by itself and against those before it, and counts it to them.
    ///
    /// # Errors
    /// Names the field that makes no sense.
    pub fn admit(&mut self, entry: &Entry) -> Result<(), Fault> {
        match entry {
            Entry::Float { part, accuracy } => {
                check_accuracy("accuracy", *accuracy)?;
                self.once("float", &format!("{part:?}"))
            }
            Entry::Batches { id, first, batches, seconds } => {
                check_id(id)?;
                check_seconds(*seconds)?;
                refuse_if(batches.is_empty(), "batches", || "there is none".to_owned())?;
                batches.iter().try_for_each(check_batch)?;
                let known = self.batches.entry(id.clone()).or_default();
                refuse_if(first != known, "first", || format!("{first} does not follow {known} batches"))?;
                *known += batches.len();
                Ok(())
            }
            Entry::Charge { id, figures, seconds } => {
                check_id(id)?;
                check_seconds(*seconds)?;
                check_figures(figures)?;
                self.once("charge", id)
            }
            Entry::Drift { id, layers, images, seconds } => {
                check_id(id)?;
                check_seconds(*seconds)?;
                refuse_if(*images == 0, "images", || "0 is not above 0".to_owned())?;
                layers.iter().try_for_each(check_drift)?;
                self.once("drift", id)
            }
            Entry::Full { id, measured, seconds } => {
                check_seconds(*seconds)?;
                check_measured(id, measured)?;
                self.once("full", id)
            }
            Entry::HeldOut { id, batch, seconds } => {
                check_id(id)?;
                check_seconds(*seconds)?;
                check_batch(batch)?;
                self.once("heldout", id)
            }
            Entry::Final { id, measured } => {
                check_measured(id, measured)?;
                self.once("final", id)
            }
            Entry::Extended { terms } => terms.check(),
        }
    }

    fn once(&mut self, kind: &'static str, of: &str) -> Result<(), Fault> {
        let is_new = self.once.insert((kind, of.to_owned()));
        refuse_if(!is_new, "fidelity", || format!("{kind} of {of} was answered before"))
    }
}

impl Entry {
    /// Refuses an answer that `oracle` cannot have given.
    ///
    /// # Errors
    /// Names the field that does not fit.
    pub(crate) fn check_against(&self, oracle: &dyn Oracle) -> Result<(), Fault> {
        match self {
            Self::Batches { first, batches, .. } => {
                let all = oracle.batches();
                let last = first.saturating_add(batches.len());
                refuse_if(last > all, "batches", || format!("{last} of the {all} that there are"))?;
                for (number, batch) in (*first..).zip(batches) {
                    let (images, expected) = (batch.images as usize, oracle.batch_images(number));
                    refuse_if(images != expected, "batches.images", || {
                        format!("{images} in batch {number}, which has {expected}")
                    })?;
                }
                Ok(())
            }
            Self::Drift { images, .. } => {
                let all = oracle.images();
                refuse_if(*images > all, "images", || format!("{images} of the {all} that there are"))
            }
            _ => Ok(()),
        }
    }
}

fn check_id(id: &str) -> Result<(), Fault> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_id = id.len() == ID_DIGITS && id.bytes().all(is_digit);
    refuse_if(!is_id, "id", || format!("{ID_DIGITS} hexadecimal digits name a setting"))
}

fn check_accuracy(field: &'static str, accuracy: f64) -> Result<(), Fault> {
    refuse_if(!(0.0..=1.0).contains(&accuracy), field, || format!("{accuracy} is not in 0..=1"))
}

/// Physical quantities, and what is summed over images, are finite and not negative.
fn check_quantity(field: &'static str, value: f64) -> Result<(), Fault> {
    /// Beyond any quantity in base units, and far enough from the end of the range to be added up.
    const LARGEST: f64 = 1e30;
    refuse_if(!(0.0..=LARGEST).contains(&value), field, || format!("{value} is not in 0..={LARGEST:e}"))
}

fn check_seconds(seconds: f64) -> Result<(), Fault> {
    check_quantity("seconds", seconds)
}

fn check_batch(batch: &Batch) -> Result<(), Fault> {
    let Batch { images, lost, gained, divergence } = *batch;
    refuse_if(images == 0, "batches.images", || "0 is not above 0".to_owned())?;
    refuse_if(lost > images, "batches.lost", || format!("{lost} of {images} images"))?;
    refuse_if(gained > images - lost, "batches.gained", || {
        format!("{gained} of {images} images, {lost} of them lost")
    })?;
    check_quantity("batches.divergence", divergence)
}

fn check_drift(layer: &LayerDrift) -> Result<(), Fault> {
    let LayerDrift { layer: _, relative, threshold, flips, rates } = *layer;
    check_quantity("layers.relative", relative)?;
    check_quantity("layers.threshold", threshold)?;
    check_quantity("layers.flips", flips)?;
    check_quantity("layers.rates", rates)
}

fn check_measured(id: &str, measured: &Measured) -> Result<(), Fault> {
    check_id(id)?;
    check_accuracy("measured.accuracy", measured.accuracy)?;
    check_figures(&measured.figures)
}

fn check_figures(figures: &Figures) -> Result<(), Fault> {
    let Figures {
        model_bytes,
        footprint_bytes,
        peak_bytes,
        energy_j,
        latency_s,
        power_w,
        area_mm2,
        average_weight_bits,
    } = figures;
    check_quantity("figures.model_bytes", *model_bytes)?;
    check_quantity("figures.footprint_bytes", *footprint_bytes)?;
    peak_bytes.values().try_for_each(|&bytes| check_quantity("figures.peak_bytes", bytes))?;
    check_quantity("figures.energy_j", *energy_j)?;
    check_quantity("figures.latency_s", *latency_s)?;
    check_quantity("figures.power_w", *power_w)?;
    check_quantity("figures.area_mm2", area_mm2.unwrap_or(0.0))?;
    check_quantity("figures.average_weight_bits", *average_weight_bits)
}
