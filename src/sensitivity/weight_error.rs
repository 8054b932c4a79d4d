use super::{Candidate, Measure, Subject};
use crate::error::Result;
use crate::quant::{InputMoments, QuantizedOp, real_layer};

/// Sum over the weights of (rate of the input) x (error of the weight)^2: the mean square of what the layer
/// yields wrongly if its inputs fired independently. Of inputs that are no spikes, the mean square stands for
/// the rate.
pub struct WeightError;

impl Measure for WeightError {
    fn name(&self) -> &str {
        "rate-weighted weight error"
    }

    fn figures(&self, subject: &Subject) -> Result<Vec<f64>> {
        let known = subject.statistics(InputMoments::Means)?;
        let figure = |candidate: &Candidate| {
            let seen = known.inputs[candidate.node.index()].as_ref().expect("statistics of every layer");
            let groups = seen.squares.len();
            let rates: Vec<Vec<f64>> = (0..groups).map(|group| seen.mean_squares(group)).collect();
            Ok(weighted_error(&errors(subject, candidate)?, &rates))
        };
        subject.candidates().iter().map(figure).collect()
    }

    fn is_of_membranes(&self) -> bool {
        false
    }
}

/// Quantized weight minus weight, in the order of a checkpoint; the inputs of the layer are in units of what
/// its weights multiply.
///
/// # Errors
/// If the candidate does not fit the model.
pub fn errors(subject: &Subject, candidate: &Candidate) -> Result<Vec<f64>> {
    let network = &subject.model().network;
    let node = network.node(candidate.node);
    let quantized = subject.quantize(&candidate.setting)?;
    let (crate::model::Op::Weighted(weighted), QuantizedOp::Weighted(op)) =
        (&node.op, quantized.op(candidate.node))
    else {
        return Ok(Vec::new());
    };
    let real = real_layer(subject.model(), candidate.setting.input, node, weighted);
    let input_lsb = quantized.lsbs()[node.inputs[0].index()][0];
    Ok(op.weights(input_lsb).iter().zip(&real.weight).map(|(q, w)| q - w).collect())
}

/// sum_j rate_j dw_j^2 over all rows of `errors`, those of a group sharing its `rates`.
fn weighted_error(errors: &[f64], rates: &[Vec<f64>]) -> f64 {
    let fan_in = rates[0].len();
    let rows_per_group = errors.len() / fan_in / rates.len();
    let row = |(i, row): (usize, &[f64])| {
        let rates = &rates[i / rows_per_group];
        row.iter().zip(rates).map(|(error, rate)| rate * error * error).sum::<f64>()
    };
    errors.chunks_exact(fan_in).enumerate().map(row).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_count_as_often_as_their_inputs_fire() {
        // Two groups of two inputs, one row each: 0.5 x 4 + 0.25 x 1 + 1 x 9 + 0 x 16.
        let rates = [vec![0.5, 0.25], vec![1.0, 0.0]];
        assert_eq!(weighted_error(&[2.0, -1.0, 3.0, 4.0], &rates), 11.25);
        assert_eq!(weighted_error(&[0.0; 4], &rates), 0.0);
    }
}
