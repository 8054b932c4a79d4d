//! Networks in which one layer alone is changed.

use rayon::prelude::*;

use super::Subject;
use crate::error::Result;
use crate::exec::{Execution, IntegerExecutor, PrefixCache};
use crate::model::Sample;

/// Most memory that runs of the base network are kept in, for the others to start where they differ.
const PREFIX_BYTES: usize = 256 << 20;

/// Runs the base network on `samples`, then every candidate from the layer on that it changes, and shows what
/// each of them yields: real logits per image, those of the base at the side.
///
/// # Errors
/// If a candidate does not fit the model.
pub fn run_isolated(
    subject: &Subject,
    samples: &[Sample],
    mut show: impl FnMut(&[Vec<f64>], &[Vec<f64>]),
) -> Result<()> {
    let base = subject.quantize(subject.base())?;
    let executor = IntegerExecutor::new(&base, subject.engine());
    let (prefixes, executions) = PrefixCache::record(&executor, samples, PREFIX_BYTES);
    let lsb = base.lsbs().last().map_or(1.0, |lsbs| lsbs[0]);
    let expected: Vec<_> = executions.iter().map(|execution| logits(execution, lsb)).collect();
    for candidate in subject.candidates() {
        let quantized = subject.quantize(&candidate.setting)?;
        let executor = IntegerExecutor::new(&quantized, subject.engine());
        let shared = prefixes.shared_with(&executor);
        let lsb = quantized.lsbs().last().map_or(1.0, |lsbs| lsbs[0]);
        let run = |(i, sample): (usize, &Sample)| logits(&shared.run(i, sample), lsb);
        let found: Vec<_> = samples.par_iter().enumerate().map(run).collect();
        show(&expected, &found);
    }
    Ok(())
}

fn logits(execution: &Execution<i64>, lsb: f64) -> Vec<f64> {
    execution.logits.iter().map(|&logit| logit as f64 * lsb).collect()
}
