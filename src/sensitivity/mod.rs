//! The sensitivity of layers to fewer bits: the accuracy that it costs to quantize one layer alone, and cheap
//! measures that are meant to foretell it, one file each.
//!
//! ```
//! use spiq::sensitivity::spearman;
//!
//! // A measure that ranks three layers as their drops of accuracy do.
//! assert_eq!(spearman(&[0.1, 0.4, 0.9], &[1.0, 2.0, 30.0]), Some(1.0));
//! ```

mod accuracy;
mod correlation;
mod cost_table;
mod divergence;
mod drift;
mod imported;
mod isolated;
mod measure;
mod nuclear_norm;
mod subject;
mod weight_error;

use std::time::Instant;

pub use accuracy::{IsolatedAccuracy, isolated_accuracy};
pub use correlation::spearman;
pub use cost_table::{ChoiceCost, CostTable, cost_table};
pub use divergence::OutputDivergence;
pub use drift::{Drift, MembraneDrift, SpikeFlips, next_neurons};
pub use imported::Imported;
pub(crate) use isolated::run_isolated;
pub use measure::Measure;
pub use nuclear_norm::NuclearNorm;
pub use subject::{Candidate, Choice, Subject};
pub use weight_error::WeightError;

use crate::error::Result;

/// Every measure that needs nothing from outside.
pub fn measures() -> Vec<Box<dyn Measure>> {
    vec![
        Box::new(WeightError),
        Box::new(MembraneDrift),
        Box::new(SpikeFlips),
        Box::new(OutputDivergence),
        Box::new(NuclearNorm),
    ]
}

/// What every measure says of every layer, and how well it foretells what happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensitivities {
    /// Name of the model.
    pub model: String,
    /// Name of the data.
    pub data: String,
    /// Name of the setting of all layers but one.
    pub base: String,
    /// Images that accuracy was measured on.
    pub images: usize,
    /// Accuracy of the base setting on them.
    pub base_accuracy: f64,
    /// Seconds that measuring accuracy took.
    pub accuracy_seconds: f64,
    /// What each layer may become.
    pub choices: Vec<String>,
    /// One per layer and choice, layer by layer.
    pub candidates: Vec<MeasuredCandidate>,
    /// One per measure.
    pub measures: Vec<MeasureSummary>,
}

/// One layer at one choice.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredCandidate {
    /// The layer.
    pub layer: String,
    /// Index of its choice.
    pub choice: usize,
    /// By how much the network is less accurate than at its base setting.
    pub accuracy_drop: f64,
    /// What each measure says.
    pub figures: Vec<f64>,
}

/// How well a measure foretells accuracy, and what it costs.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasureSummary {
    /// Name of the measure.
    pub name: String,
    /// Spearman's rank correlation with the accuracy drop over all candidates; `None` where one of them does
    /// not vary.
    pub correlation: Option<f64>,
    /// The rank correlation over the candidates of each choice alone.
    pub correlation_by_choice: Vec<Option<f64>>,
    /// Seconds that its figures took.
    pub seconds: f64,
}

/// Measures the accuracy of every candidate of `subject`, and asks every one of `measures`. All but the seconds
/// is the same for any number of threads.
///
/// # Errors
/// Those of the measures.
pub fn sensitivities(
    subject: &Subject,
    measures: &[Box<dyn Measure>],
    names: (&str, &str, &str),
    progress: &dyn Fn(&str),
) -> Result<Sensitivities> {
    progress("accuracy");
    let start = Instant::now();
    let accuracy = isolated_accuracy(subject)?;
    let accuracy_seconds = start.elapsed().as_secs_f64();
    let (mut figures, mut summaries) = (Vec::new(), Vec::new());
    for measure in measures {
        progress(measure.name());
        let start = Instant::now();
        let found = measure.figures(subject)?;
        let seconds = start.elapsed().as_secs_f64();
        summaries.push(summary(subject, measure.as_ref(), &found, &accuracy.drops, seconds));
        figures.push(found);
    }
    let candidates = subject.candidates().iter().enumerate().map(|(i, candidate)| MeasuredCandidate {
        layer: candidate.layer.clone(),
        choice: candidate.choice,
        accuracy_drop: accuracy.drops[i],
        figures: figures.iter().map(|figures| figures[i]).collect(),
    });
    let (model, data, base) = names;
    Ok(Sensitivities {
        model: model.to_owned(),
        data: data.to_owned(),
        base: base.to_owned(),
        images: subject.images().len(),
        base_accuracy: accuracy.base,
        accuracy_seconds,
        choices: subject.choices().iter().map(|choice| choice.name.clone()).collect(),
        candidates: candidates.collect(),
        measures: summaries,
    })
}

fn summary(
    subject: &Subject,
    measure: &dyn Measure,
    figures: &[f64],
    drops: &[f64],
    seconds: f64,
) -> MeasureSummary {
    let choices = subject.choices();
    let correlation = |wanted: &dyn Fn(usize) -> bool| {
        let counts = |choice: usize| measure.is_of_membranes() || !choices[choice].is_of_membranes();
        let at = |list: &[f64]| -> Vec<f64> {
            let candidates = subject.candidates().iter().zip(list);
            candidates.filter(|(c, _)| wanted(c.choice) && counts(c.choice)).map(|(_, &x)| x).collect()
        };
        spearman(&at(figures), &at(drops))
    };
    MeasureSummary {
        name: measure.name().to_owned(),
        correlation: correlation(&|_| true),
        correlation_by_choice: (0..choices.len()).map(|one| correlation(&|choice| choice == one)).collect(),
        seconds,
    }
}
