//! Neurons of the float reference.

use rayon::prelude::*;

use super::super::fast::{MACS_OF_A_THREAD, are_worth};
use super::super::kernels::{self, Cpu, FloatNeuron, FloatReset};
use super::inputs::LOOKUPS_OF_AN_OPERATION;
use crate::model::{Fire, FloatLeak, Leak, Neuron, Reset};
use crate::quant::per_channel;
use crate::tensor::Frames;

/// Values whose membranes stay in the first-level cache for all timesteps.
const VALUES_OF_A_TILE: usize = 2048;

/// Spikes of all timesteps in `output`, whatever it holds; `scales` multiply the threshold. They and `leaks` are per
/// channel, or one for all.
pub fn neuron(
    op: &Neuron,
    (scales, leaks): (&[f32], &[FloatLeak]),
    input: &Frames<f32>,
    mut output: Frames<f32>,
) -> Frames<f32> {
    let channels = input.shape.channels;
    let heights: Vec<f64> = (0..channels).map(|c| op.height(per_channel(scales, c))).collect();
    let thresholds: Vec<f32> = heights.iter().map(|&height| height as f32).collect();
    let amounts: Vec<f32> = heights.iter().map(|&h| op.reset.amount(h).unwrap_or(0.0) as f32).collect();
    let reset = match op.reset {
        Reset::Zero | Reset::To(_) => FloatReset::Zero,
        Reset::Subtract | Reset::SubtractAmount(_) | Reset::None => FloatReset::Subtract,
        Reset::SubtractDelayed => FloatReset::SubtractDelayed,
    };
    let fires = FloatNeuron { leaks, above: op.fire == Fire::AboveThreshold, reset };
    let current_kept = match op.leak {
        Leak::Loihi { current_decay, .. } => Some((4095 - current_decay) as f32 / 4096.0),
        _ => None,
    };
    let work = output.data.len() * LOOKUPS_OF_AN_OPERATION;
    let length = VALUES_OF_A_TILE.next_multiple_of(channels);
    let tiles = tiles(&mut output, length);
    let tile = |(i, spikes): (usize, Vec<&mut [f32]>)| {
        let mut state = [vec![0.0; spikes[0].len()], vec![0.0; spikes[0].len()]];
        for (t, spikes) in spikes.into_iter().enumerate() {
            let input = &input.at(t)[i * length..][..spikes.len()];
            step(fires, [&thresholds, &amounts], current_kept, input, &mut state, spikes);
        }
    };
    if are_worth(work, MACS_OF_A_THREAD) {
        tiles.into_par_iter().enumerate().for_each(tile);
    } else {
        tiles.into_iter().enumerate().for_each(tile);
    }
    output
}

/// The values of every tile at every timestep.
fn tiles(frames: &mut Frames<f32>, length: usize) -> Vec<Vec<&mut [f32]>> {
    let values = frames.shape.values();
    let mut tiles: Vec<Vec<&mut [f32]>> = (0..values.div_ceil(length)).map(|_| Vec::new()).collect();
    for frame in frames.data.chunks_exact_mut(values) {
        tiles.iter_mut().zip(frame.chunks_mut(length)).for_each(|(tile, values)| tile.push(values));
    }
    tiles
}

/// One timestep of some pixels; thresholds and what a spike subtracts are per channel.
fn step(
    fires: FloatNeuron,
    [thresholds, amounts]: [&[f32]; 2],
    current_kept: Option<f32>,
    input: &[f32],
    [membranes, currents]: &mut [Vec<f32>; 2],
    spikes: &mut [f32],
) {
    let input = match current_kept {
        Some(kept) => {
            currents.iter_mut().zip(input).for_each(|(i, &x)| *i = *i * kept + x);
            currents
        }
        None => input,
    };
    kernels::float_neurons(Cpu::best(), fires, thresholds, amounts, input, membranes, spikes);
}
