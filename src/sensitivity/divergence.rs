use super::{Measure, Subject, run_isolated};
use crate::error::Result;

/// Kullback-Leibler divergence of the classes' probabilities from those of the base network, mean over
/// calibration images, in nats.
pub struct OutputDivergence;

impl Measure for OutputDivergence {
    fn name(&self) -> &str {
        "output KL divergence"
    }

    fn figures(&self, subject: &Subject) -> Result<Vec<f64>> {
        let mut figures = Vec::new();
        run_isolated(subject, subject.batch(), |expected, found| {
            let pairs = expected.iter().zip(found);
            let sum: f64 = pairs.map(|(expected, found)| divergence(expected, found)).sum();
            figures.push(sum / expected.len().max(1) as f64);
        })?;
        Ok(figures)
    }
}

/// sum p ln(p / q) of the probabilities that `expected` and `found` logits stand for.
fn divergence(expected: &[f64], found: &[f64]) -> f64 {
    let (p, q) = (log_softmax(expected), log_softmax(found));
    // The divergence of equal probabilities is 0, and not what roundings leave.
    p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>().max(0.0)
}

fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|x| (x - largest).exp()).sum();
    logits.iter().map(|x| x - largest - sum.ln()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_by_hand() {
        // Probabilities 1/2, 1/2 against 1/4, 3/4: (ln 2 + ln 2/3)/2 = ln(4/3)/2.
        let found = divergence(&[0.0, 0.0], &[1.0, 1.0 + 3f64.ln()]);
        assert!((found - (4f64 / 3.0).ln() / 2.0).abs() < 1e-12, "{found}");
        assert_eq!(divergence(&[1.0, -2.0, 900.0], &[1.0, -2.0, 900.0]), 0.0);
    }
}
