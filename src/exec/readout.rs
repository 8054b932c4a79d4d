//! Section 7 of `docs/semantics.md`: membranes without spikes, whose potentials are read out.

use super::activity::{NodeActivity, StepActivity};
use crate::model::{FloatLeak, ReadoutOver};
use crate::num::Word;
use crate::quant::{QuantizedReadout, per_channel};
use crate::tensor::Frames;

/// g = V + X; V' = keep(g). The last, the sum or the largest of the g of all timesteps.
pub fn readout<W: Word>(
    op: &QuantizedReadout,
    over: ReadoutOver,
    input: &Frames<W>,
    timesteps: usize,
) -> (Frames<W>, NodeActivity) {
    let (channels, values) = (input.shape.channels, input.shape.values());
    let mut membranes = vec![W::default(); values];
    let mut output = Frames::zeros(1, input.shape);
    for t in 0..timesteps {
        let state = membranes.iter_mut().zip(&mut output.data).zip(input.at(t)).enumerate();
        for (i, ((v, out), &x)) in state {
            let g = *v + x;
            *v = W::narrow(per_channel(&op.keeps, i % channels).of(g.into()));
            *out = match over {
                ReadoutOver::Last => g,
                ReadoutOver::Mean => *out + g,
                ReadoutOver::Max if t > 0 => g.max(*out),
                ReadoutOver::Max => g,
            };
        }
    }
    (output, updates(values, timesteps))
}

/// The outputs of a readout in single precision; `leaks` are per channel, or one for all.
pub fn float_readout(
    leaks: &[FloatLeak],
    over: ReadoutOver,
    input: &Frames<f32>,
    timesteps: usize,
) -> Frames<f32> {
    let channels = input.shape.channels;
    let mut membranes = vec![0.0f32; input.shape.values()];
    let mut output = Frames::zeros(1, input.shape);
    for t in 0..timesteps {
        let state = membranes.iter_mut().zip(&mut output.data).zip(input.at(t)).enumerate();
        for (i, ((v, out), &x)) in state {
            *v = per_channel(leaks, i % channels).potential(*v, x);
            *out = match over {
                ReadoutOver::Last => *v,
                ReadoutOver::Mean => *out + *v / timesteps as f32,
                ReadoutOver::Max if t > 0 => v.max(*out),
                ReadoutOver::Max => *v,
            };
        }
    }
    output
}

/// One update of every membrane per timestep.
pub fn updates(values: usize, timesteps: usize) -> NodeActivity {
    let step = StepActivity { neuron_updates: values as u32, ..StepActivity::default() };
    NodeActivity { steps: vec![step; timesteps] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::Keep;
    use crate::tensor::Shape;

    /// Keeps 1/2: 5, 2 - 7 = -5, -3 + 4 = 1; keeps 3/4: 5, 4 - 7 = -3, -2 + 4 = 2 ((2 x -3 + 1) 3 / 8 = -1.9).
    #[test]
    fn potentials_by_hand() {
        let op = QuantizedReadout { keeps: vec![Keep::half_to_the(1), Keep::nearest(0.75)] };
        let input = Frames { frames: 3, shape: Shape::new(2, 1, 1), data: vec![5, 5, -7, -7, 4, 4] };
        let of = |over| readout::<i32>(&op, over, &input, 3).0.data;
        assert_eq!(of(ReadoutOver::Last), [1, 2]);
        assert_eq!(of(ReadoutOver::Mean), [1, 4]);
        assert_eq!(of(ReadoutOver::Max), [5, 5]);
        let (_, counted) = readout::<i64>(&op, ReadoutOver::Last, &input.map(|x, _| i64::from(x)), 3);
        assert_eq!(counted.steps.iter().map(|step| step.neuron_updates).collect::<Vec<_>>(), [2; 3]);
    }

    /// What never rises above 0 is not taken for 0.
    #[test]
    fn the_largest_may_be_negative() {
        let op = QuantizedReadout { keeps: vec![Keep::ALL] };
        let input = Frames { frames: 2, shape: Shape::new(1, 1, 1), data: vec![-5, -2] };
        assert_eq!(readout::<i32>(&op, ReadoutOver::Max, &input, 2).0.data, [-5]);
        let float = float_readout(&[FloatLeak::Kept(1.0)], ReadoutOver::Max, &input.map(|x, _| x as f32), 2);
        assert_eq!(float.data, [-5.0]);
    }
}
