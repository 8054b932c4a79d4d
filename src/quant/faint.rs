//! Channels whose weights are faint beside their bias: weight decay leaves normalizations of 1e-12 behind a
//! channel that the network no longer uses.

use super::scheme::{Sharing, WeightScheme};
use crate::model::FoldedLayer;
use crate::num::{ceil_log2, power_of_two};

/// A channel is dead if its largest weight is at most this part of what the channel is compared with, its bias
/// or the threshold behind it: 8,192 inputs of 255 stay below 2^-13 of either, and so does their sum.
const DEAD: f64 = 1.0 / (1u64 << 34) as f64;

/// Steps of a bias that no 64-bit arithmetic of the datapath holds; see the bounds.
const TOO_MANY_STEPS: f64 = (1u64 << 46) as f64;
/// Steps of a bias that leave room for the sums.
const MANY_STEPS: f64 = (1u64 << 45) as f64;

/// Sets the weights of dead channels to 0: such a channel is its bias, whatever its weights once were.
/// `threshold` is what the readers of the layer compare with.
pub fn clear_dead_channels(layer: &mut FoldedLayer, fan_in: usize, threshold: f64) {
    for (row, bias) in layer.weight.chunks_exact_mut(fan_in).zip(&layer.bias) {
        let largest = row.iter().fold(0.0f64, |largest, w| largest.max(w.abs()));
        if largest <= DEAD * bias.abs().max(threshold) {
            row.fill(0.0);
        }
    }
}

/// Doubles the step of every channel with a scale of its own until its bias has no more steps than 46 bits hold,
/// and rounds its weights anew; `gain` is the number of steps per step of the weights.
pub fn widen_steps(
    layer: &FoldedLayer,
    scheme: &WeightScheme,
    gain: f64,
    codes: &mut [i32],
    lsbs: &mut [f64],
) {
    if !scheme.rounds_to_nearest() || scheme.granularity() == Sharing::Layer {
        return;
    }
    let fan_in = codes.len() / lsbs.len();
    let rows = layer.weight.chunks_exact(fan_in).zip(codes.chunks_exact_mut(fan_in));
    for (((weights, codes), bias), lsb) in rows.zip(&layer.bias).zip(lsbs) {
        let steps = bias.abs() / *lsb * gain;
        if steps >= TOO_MANY_STEPS {
            *lsb *= power_of_two(ceil_log2(steps / MANY_STEPS));
            let exponents = scheme.exponents(weights, fan_in, *lsb).into_iter().chain(std::iter::repeat(0));
            for ((code, &w), exponent) in codes.iter_mut().zip(weights).zip(exponents) {
                *code = scheme.code_at(w, *lsb, exponent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scheme::{Clip, Scale};
    use super::*;

    #[test]
    fn dead_channels_are_those_below_a_part_of_their_bias_or_threshold() {
        let limit = 2f64.powi(-34);
        let weight = vec![limit, -limit, limit * 1.01, 0.0, 2.5 * limit, -3.0 * limit, 1e-12, 3.1 * limit];
        let mut layer = FoldedLayer { weight, bias: vec![0.0, -0.5, 3.0, -3.0], steps: None };
        clear_dead_channels(&mut layer, 2, 1.0);
        assert_eq!(layer.weight[..6], [0.0, 0.0, limit * 1.01, 0.0, 0.0, 0.0]);
        assert_eq!(layer.weight[6..], [1e-12, 3.1 * limit]);
    }

    /// At a step of 2^-40 a bias of 128 has 2^47 steps: four times as many as 2^45.
    #[test]
    fn a_step_is_doubled_until_the_bias_fits() {
        let step = 2f64.powi(-40);
        let scheme =
            |granularity| WeightScheme::Uniform { bits: 4, scale: Scale::Free, granularity, clip: Clip::Max };
        let weight = vec![7.0 * step, -3.0 * step, 7.0 * step, step];
        let layer = FoldedLayer { weight, bias: vec![128.0, 63.0], steps: None };
        let widened = |granularity, gain| {
            let (mut codes, mut lsbs) = (vec![7, -3, 7, 1], vec![step; 2]);
            widen_steps(&layer, &scheme(granularity), gain, &mut codes, &mut lsbs);
            (codes, lsbs)
        };
        // 7/4 and -3/4 round to 2 and -1; a bias of 63 has less than 2^46 steps.
        assert_eq!(widened(Sharing::Channel, 1.0), (vec![2, -1, 7, 1], vec![4.0 * step, step]));
        assert_eq!(widened(Sharing::Channel, 0.25), (vec![7, -3, 7, 1], vec![step; 2]));
        assert_eq!(widened(Sharing::Layer, 1.0), (vec![7, -3, 7, 1], vec![step; 2]));
    }
}
