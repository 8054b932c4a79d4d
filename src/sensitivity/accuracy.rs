use super::{Subject, run_isolated};
use crate::error::Result;
use crate::exec::class_of;

/// What quantizing one layer alone costs.
#[derive(Debug, Clone, PartialEq)]
pub struct IsolatedAccuracy {
    /// Accuracy of the base network.
    pub base: f64,
    /// Per candidate, by how much it is less accurate.
    pub drops: Vec<f64>,
}

/// Measures every candidate on the images of `subject`.
///
/// # Errors
/// If a candidate does not fit the model.
pub fn isolated_accuracy(subject: &Subject) -> Result<IsolatedAccuracy> {
    let labels = subject.labels();
    let accuracy = |logits: &[Vec<f64>]| {
        let right = logits.iter().zip(labels).filter(|(logits, label)| class_of(logits) == **label as usize);
        right.count() as f64 / labels.len() as f64
    };
    let mut isolated = IsolatedAccuracy { base: 0.0, drops: Vec::new() };
    run_isolated(subject, subject.images(), |expected, found| {
        isolated.base = accuracy(expected);
        isolated.drops.push(isolated.base - accuracy(found));
    })?;
    Ok(isolated)
}
