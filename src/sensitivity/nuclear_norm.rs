use nalgebra::DMatrix;

use super::weight_error::errors;
use super::{Candidate, Measure, Subject};
use crate::error::Result;
use crate::model::Op;
use crate::quant::{InputMoments, InputStatistics, real_layer};

/// Nuclear norm of what a layer yields, times the squared error of its weights: layers that yield much, in
/// many directions, mind more. The norm is that of the matrix of outputs by patches, divided by the square root
/// of the patches; bias apart.
pub struct NuclearNorm;

impl Measure for NuclearNorm {
    fn name(&self) -> &str {
        "nuclear norm x weight error"
    }

    fn figures(&self, subject: &Subject) -> Result<Vec<f64>> {
        let known = subject.statistics(InputMoments::Products)?;
        let mut norms: Vec<Option<f64>> = vec![None; subject.model().network.nodes.len()];
        let mut figure = |candidate: &Candidate| {
            let seen = known.inputs[candidate.node.index()].as_ref().expect("statistics of every layer");
            let norm = *norms[candidate.node.index()].get_or_insert_with(|| norm(subject, candidate, seen));
            Ok(norm * errors(subject, candidate)?.iter().map(|e| e * e).sum::<f64>())
        };
        subject.candidates().iter().map(&mut figure).collect()
    }

    fn is_of_membranes(&self) -> bool {
        false
    }
}

/// The nuclear norm of the outputs of the layer of `candidate`.
fn norm(subject: &Subject, candidate: &Candidate, seen: &InputStatistics) -> f64 {
    let node = subject.model().network.node(candidate.node);
    let Op::Weighted(weighted) = &node.op else { return 0.0 };
    let real = real_layer(subject.model(), candidate.setting.input, node, weighted);
    let groups = seen.products.len();
    let per_group = real.weight.len() / groups;
    let rows = real.weight.chunks_exact(per_group).enumerate();
    rows.map(|(group, rows)| nuclear_norm(rows, &seen.moments(group, false))).sum()
}

/// Singular values of Y, summed, for Y Y^T = W M W^T with `rows` W and `moments` M of the inputs.
fn nuclear_norm(rows: &[f64], moments: &DMatrix<f64>) -> f64 {
    let fan_in = moments.nrows();
    let weights = DMatrix::from_row_slice(rows.len() / fan_in, fan_in, rows);
    let outputs = &weights * moments * weights.transpose();
    outputs.singular_values().iter().map(|value| value.max(0.0).sqrt()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_by_hand() {
        // Outputs 3 s1 and 2 s2 of inputs that never fire together, of rates 1/4 and 1/16: 3/2 + 2/4.
        let moments = DMatrix::from_row_slice(2, 2, &[0.25, 0.0, 0.0, 0.0625]);
        assert!((nuclear_norm(&[3.0, 0.0, 0.0, 2.0], &moments) - 2.0).abs() < 1e-12);
        // An output that is there twice is one direction: sqrt(2) x 3/2.
        let twice = nuclear_norm(&[3.0, 0.0, 3.0, 0.0], &moments);
        assert!((twice - 1.5 * 2f64.sqrt()).abs() < 1e-9, "{twice}");
    }
}
