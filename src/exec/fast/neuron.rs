//! Neurons, requantization and joins, channel by channel.

use rayon::prelude::*;

use super::value::{Layout, Value};
use crate::exec::activity::{NodeActivity, StepActivity};
use crate::exec::kernels::{self, Cell, Cpu, Rescale};
use crate::num::{Format, Requantizer, Word};
use crate::quant::{QuantizedNeuron, per_channel};

/// Updates that are worth a thread.
const WORK_OF_A_THREAD: usize = 1 << 18;

/// The constants of every channel.
pub fn cells(op: &QuantizedNeuron, channels: usize) -> Vec<Cell> {
    let cell = |channel: usize| {
        let threshold = i32::saturate(per_channel(&op.thresholds, channel));
        let (discard, high) = match &op.membrane {
            Some(word) => (per_channel(&word.discards, channel), i32::narrow((1i64 << (word.bits - 1)) - 1)),
            None => (0, 0),
        };
        Cell {
            threshold,
            subtract: op.subtract.then(|| threshold - i32::from(op.strict)),
            // A shift by more than 31 is one by 31: what is left is the sign.
            shift: (op.shift + discard).min(31),
            discard,
            low: if op.membrane.is_some() { -1 - high } else { 0 },
            high,
        }
    };
    (0..channels).map(cell).collect()
}

/// Spikes of all timesteps, into rows of zeros.
pub fn neuron(cpu: Cpu, cells: &[Cell], input: Value, layout: &Layout, spikes: &mut [u8]) -> NodeActivity {
    let width = cpu.inputs_per_table();
    let positions = layout.shape.positions();
    let row = |(row, spikes): (usize, &mut [u8])| {
        let (mut fired, mut clamped) = (vec![0; layout.frames], vec![0; layout.frames]);
        for bit in 0..width.min(cells.len() - row * width) {
            let channel = row * width + bit;
            let x = input.word_row(channel);
            kernels::neuron(cpu, &cells[channel], x, positions, 1 << bit, spikes, &mut fired, &mut clamped);
        }
        let step = |(output_events, saturations)| StepActivity {
            output_events,
            saturations,
            ..StepActivity::default()
        };
        fired.into_iter().zip(clamped).map(step).collect::<Vec<_>>()
    };
    let merge = |mut all: Vec<StepActivity>, row: Vec<StepActivity>| {
        all.iter_mut().zip(&row).for_each(|(all, row)| all.add(row));
        all
    };
    let updates = layout.shape.values() as u32;
    let nothing = || vec![StepActivity::default(); layout.frames];
    let rows = spikes[..layout.rows() * layout.stride].chunks_exact_mut(layout.stride);
    let mut steps = match layout.columns() * cells.len() / WORK_OF_A_THREAD {
        0 | 1 => rows.enumerate().map(row).fold(nothing(), merge),
        _ => {
            let rows: Vec<_> = rows.enumerate().collect();
            rows.into_par_iter().map(row).reduce(nothing, merge)
        }
    };
    steps.iter_mut().for_each(|step| step.neuron_updates = updates);
    NodeActivity { steps }
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
