//! Neurons, requantization and joins, channel by channel.

use rayon::prelude::*;

use super::value::{Layout, Value};
use crate::exec::activity::{NodeActivity, StepActivity};
use crate::exec::kernels::{self, Cell, Cpu, Rescale};
use crate::model::Node;
use crate::num::{Format, Requantizer, Word};
use crate::quant::{QuantizedModel, QuantizedNeuron, per_channel};

/// Updates that are worth a thread.
const WORK_OF_A_THREAD: usize = 1 << 18;

/// Room for counting.
#[derive(Debug, Default, Clone)]
pub struct NeuronScratch {
    fired: Vec<u32>,
    clamped: Vec<u32>,
}

/// The constants of every channel of `node`.
pub fn cells(model: &QuantizedModel, node: &Node, op: &QuantizedNeuron) -> Vec<Cell> {
    let bound = model.bounds[node.inputs[0].index()];
    let reach = bound * if op.shift == 0 { model.network.timesteps.max(2) as i64 } else { 2 };
    let cell = |channel: usize| {
        let threshold = i32::saturate(per_channel(&op.thresholds, channel));
        let (discard, high) = match &op.membrane {
            Some(word) => (per_channel(&word.discards, channel), i32::narrow((1i64 << (word.bits - 1)) - 1)),
            None => (0, 0),
        };
        // A shift by more than 31 is one by 31: what is left is the sign.
        let shift = (op.shift + discard).min(31);
        let subtract = op.subtract.then(|| threshold - i32::from(op.strict));
        let low = if op.membrane.is_some() { -1 - high } else { 0 };
        let highest = subtract.map_or(0, |amount| reach - i64::from(amount)).max(i64::from(threshold) - 1);
        let clamps = highest >> shift > i64::from(high) || -reach >> shift < i64::from(low);
        Cell { threshold, subtract, shift, discard, low, high, clamps }
    };
    (0..node.shape.channels).map(cell).collect()
}

/// Spikes of all timesteps, into rows of zeros.
pub fn neuron(
    cpu: Cpu,
    cells: &[Cell],
    input: Value,
    layout: &Layout,
    room: &mut NeuronScratch,
    spikes: &mut [u8],
) -> NodeActivity {
    let width = cpu.inputs_per_table();
    let positions = layout.shape.positions();
    let row = |room: &mut NeuronScratch, (row, spikes): (usize, &mut [u8])| {
        for bit in 0..width.min(cells.len() - row * width) {
            let (channel, x) = (row * width + bit, input.word_row(row * width + bit));
            let NeuronScratch { fired, clamped } = &mut *room;
            kernels::neuron(cpu, &cells[channel], x, positions, 1 << bit, spikes, fired, clamped);
        }
    };
    let rows = spikes.chunks_exact_mut(layout.stride).enumerate();
    room.clear(layout.frames);
    match layout.columns() * cells.len() / WORK_OF_A_THREAD {
        0 | 1 => rows.for_each(|one| row(room, one)),
        _ => {
            let rows: Vec<_> = rows.collect();
            let nothing = || NeuronScratch::default().clear(layout.frames).clone();
            let count = |mut room: NeuronScratch, one| {
                row(&mut room, one);
                room
            };
            let counted = rows.into_par_iter().fold(nothing, count).reduce(nothing, NeuronScratch::add);
            *room = counted;
        }
    }
    let neuron_updates = layout.shape.values() as u32;
    let step = |(&output_events, &saturations)| StepActivity {
        output_events,
        saturations,
        neuron_updates,
        ..StepActivity::default()
    };
    NodeActivity { steps: room.fired.iter().zip(&room.clamped).map(step).collect() }
}

impl NeuronScratch {
    /// Nothing counted in `frames` timesteps.
    fn clear(&mut self, frames: usize) -> &mut Self {
        for counts in [&mut self.fired, &mut self.clamped] {
            counts.clear();
            counts.resize(frames, 0);
        }
        self
    }

    fn add(mut self, other: Self) -> Self {
        self.fired.iter_mut().zip(other.fired).for_each(|(mine, theirs)| *mine += theirs);
        self.clamped.iter_mut().zip(other.clamped).for_each(|(mine, theirs)| *mine += theirs);
        self
    }
}

/// Integer spikes: how many of the thresholds of its channel a value reaches.
pub fn levels(cpu: Cpu, thresholds: &[Vec<i64>], input: Value, out: &mut [i32]) {
    let lists: Vec<Vec<i32>> = thresholds
        .iter()
        .map(|list| list.iter().map(|&threshold| i32::saturate(threshold)).collect())
        .collect();
    for (channel, out) in out.chunks_exact_mut(input.layout.stride).enumerate() {
        let list = if lists.len() == 1 { &lists[0] } else { &lists[channel] };
        kernels::levels(cpu, list, input.word_row(channel), &mut out[..input.layout.columns()]);
    }
}

fn rescale(by: Option<Requantizer>, format: Format) -> Rescale {
    let by = by.unwrap_or(Requantizer { multiplier: 1, shift: 0 });
    let multiplier = i64::from(by.multiplier);
    Rescale { multiplier, shift: by.shift, low: format.min(), high: format.max() }
}

/// Onto a grid, one requantizer per channel.
pub fn requantize(
    cpu: Cpu,
    by: &[Requantizer],
    format: Format,
    input: Value,
    layout: &Layout,
    out: &mut [i32],
) -> NodeActivity {
    let mut steps = vec![StepActivity::default(); layout.frames];
    for (channel, out) in out.chunks_exact_mut(layout.stride).enumerate() {
        let by = rescale(Some(per_channel(by, channel)), format);
        for (t, step) in steps.iter_mut().enumerate() {
            let x = &input.word_row(channel)[input.layout.frame(t)];
            step.saturations += kernels::requantize(cpu, by, x, &mut out[layout.frame(t)]);
        }
    }
    NodeActivity { steps }
}

/// stream + branch, one requantizer per channel of the branch where it is not on the grid.
pub fn join(
    cpu: Cpu,
    by: Option<&[Requantizer]>,
    format: Format,
    [stream, branch]: [Value; 2],
    layout: &Layout,
    out: &mut [i32],
) -> NodeActivity {
    let mut steps = vec![StepActivity::default(); layout.frames];
    for (channel, out) in out.chunks_exact_mut(layout.stride).enumerate() {
        let by = rescale(by.map(|by| per_channel(by, channel)), format);
        for (t, step) in steps.iter_mut().enumerate() {
            let a = &stream.word_row(channel)[stream.layout.frame(t)];
            let b = &branch.word_row(channel)[branch.layout.frame(t)];
            step.saturations += kernels::join(cpu, by, a, b, &mut out[layout.frame(t)]);
        }
    }
    NodeActivity { steps }
}
