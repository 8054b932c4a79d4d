//! Neurons, requantization and joins, channel by channel.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::threads;
use super::value::{Layout, Value};
use crate::exec::activity::{NodeActivity, StepActivity};
use crate::exec::kernels::{self, Cpu, Rescale};
use crate::exec::neuron::{Cell, LoihiNeurons, NeuronLayer};
use crate::model::NodeId;
use crate::num::{Format, Requantizer, Word};
use crate::quant::{QuantizedLoihi, QuantizedModel, QuantizedNeuron, per_channel};

/// Updates, or other operations on single values, that are worth a thread.
const WORK_OF_A_THREAD: usize = 1 << 17;

/// Room for counting.
#[derive(Debug, Default, Clone)]
pub struct NeuronScratch {
    fired: Vec<u32>,
    clamped: Vec<u32>,
}

thread_local! {
    static COUNTS: RefCell<NeuronScratch> = RefCell::default();
}

/// The constants of every channel of neuron layer `id`.
pub fn cells<W: Word>(model: &QuantizedModel, id: NodeId, op: &QuantizedNeuron) -> Vec<Cell<W>> {
    let reach = model.potential_bound(id);
    let channels = model.network().node(id).shape.channels;
    (0..channels).map(|channel| Cell::new(op, channel).within(reach)).collect()
}

/// Spikes of all timesteps, into rows of zeros.
pub fn neuron(
    cpu: Cpu,
    cells: &[Cell],
    input: Value,
    layout: &Layout,
    room: &mut NeuronScratch,
    spikes: &mut [u8],
) {
    let width = cpu.inputs_per_table();
    let row = |room: &mut NeuronScratch, (row, spikes): (usize, &mut [u8])| {
        for bit in 0..width.min(cells.len() - row * width) {
            let channel = row * width + bit;
            room.neuron(cpu, &cells[channel], input.word_row(channel), layout, bit, spikes);
        }
    };
    if threads::are_worth(layout.columns() * cells.len(), WORK_OF_A_THREAD) {
        room.in_parallel(spikes.par_chunks_exact_mut(layout.stride).enumerate(), row)
    } else {
        spikes.chunks_exact_mut(layout.stride).enumerate().for_each(|one| row(room, one))
    }
}

impl NeuronScratch {
    /// Starts to count `frames` timesteps.
    pub fn clear(&mut self, frames: usize) {
        for counts in [&mut self.fired, &mut self.clamped] {
            counts.clear();
            counts.resize(frames, 0);
        }
    }

    /// One channel of neurons, whose spikes are bit `bit` of the bytes of `spikes`.
    pub fn neuron(
        &mut self,
        cpu: Cpu,
        cell: &Cell,
        x: &[i32],
        layout: &Layout,
        bit: usize,
        spikes: &mut [u8],
    ) {
        let positions = layout.shape.positions();
        kernels::neuron(cpu, cell, x, positions, 1 << bit, spikes, &mut self.fired, &mut self.clamped);
    }

    /// One channel onto a grid, timestep by timestep: `work` says how many values it clamped.
    pub fn grid_row(&mut self, layout: &Layout, out: &mut [i32], work: impl Fn(usize, &mut [i32]) -> u32) {
        for (t, clamped) in self.clamped.iter_mut().enumerate() {
            *clamped += work(t, &mut out[layout.frame(t)]);
        }
    }

    /// What was counted since it was cleared, of values on a grid.
    pub fn grid_activity(&self) -> NodeActivity {
        let step = |&saturations| StepActivity { saturations, ..StepActivity::default() };
        NodeActivity { steps: self.clamped.iter().map(step).collect() }
    }

    /// One channel of neurons in 64 bits, whose spikes are bit `bit` of the bytes of `spikes`.
    pub fn neuron_wide(
        &mut self,
        cpu: Cpu,
        cell: &Cell<i64>,
        x: &[i64],
        layout: &Layout,
        bit: usize,
        spikes: &mut [u8],
    ) {
        let positions = layout.shape.positions();
        kernels::neuron_wide(cpu, cell, x, positions, 1 << bit, spikes, &mut self.fired, &mut self.clamped);
    }

    /// Runs `work` on all `parts`, and adds up what they count.
    pub fn in_parallel<T: Send>(
        &mut self,
        parts: impl ParallelIterator<Item = T>,
        work: impl Fn(&mut Self, T) + Sync,
    ) {
        let frames = self.fired.len();
        let all = Mutex::new(self);
        parts.for_each(|part| {
            COUNTS.with_borrow_mut(|counts| {
                counts.clear(frames);
                work(counts, part);
                all.lock().unwrap_or_else(PoisonError::into_inner).add(counts);
            });
        });
    }

    /// What was counted since it was cleared, of neurons that lie as `layout` says.
    pub fn activity(&self, layout: &Layout) -> NodeActivity {
        let neuron_updates = layout.shape.values() as u32;
        let step = |(&output_events, &saturations)| StepActivity {
            output_events,
            saturations,
            neuron_updates,
            ..StepActivity::default()
        };
        NodeActivity { steps: self.fired.iter().zip(&self.clamped).map(step).collect() }
    }

    fn add(&mut self, other: &Self) {
        self.fired.iter_mut().zip(&other.fired).for_each(|(mine, theirs)| *mine += theirs);
        self.clamped.iter_mut().zip(&other.clamped).for_each(|(mine, theirs)| *mine += theirs);
    }
}

/// Neurons of Loihi: those of the specification, channel by channel.
pub fn loihi(
    cpu: Cpu,
    op: &QuantizedLoihi,
    input: Value,
    layout: &Layout,
    spikes: &mut [u8],
) -> NodeActivity {
    let (width, positions) = (cpu.inputs_per_table(), layout.shape.positions());
    let mut steps = vec![StepActivity::default(); layout.frames];
    let mut fired = vec![0; positions];
    for channel in 0..layout.shape.channels {
        let thresholds = vec![per_channel(&op.thresholds, channel)];
        let mut layer = LoihiNeurons::<i32>::new(&QuantizedLoihi { thresholds, ..op.clone() }, 1, positions);
        let row = &mut spikes[channel / width * layout.stride..][..layout.stride];
        for (t, step) in steps.iter_mut().enumerate() {
            step.add(&layer.step(&input.word_row(channel)[input.layout.frame(t)], &mut fired));
            kernels::pack_bit(cpu, &fired, 0, (channel % width) as u32, &mut row[layout.frame(t)]);
        }
    }
    NodeActivity { steps }
}

/// The thresholds of every channel, or of all.
pub fn levels_of(thresholds: &[Vec<i64>]) -> Vec<Vec<i32>> {
    let list = |list: &Vec<i64>| list.iter().map(|&threshold| i32::saturate(threshold)).collect();
    thresholds.iter().map(list).collect()
}

/// Integer spikes: how many of the thresholds of its channel a value reaches.
pub fn levels(cpu: Cpu, thresholds: &[Vec<i32>], input: Value, out: &mut [i32]) {
    for (channel, out) in out.chunks_exact_mut(input.layout.stride).enumerate() {
        let list = if thresholds.len() == 1 { &thresholds[0] } else { &thresholds[channel] };
        kernels::levels(cpu, list, input.word_row(channel), &mut out[..input.layout.columns()]);
    }
}

pub fn rescale(by: Option<Requantizer>, format: Format) -> Rescale {
    let by = by.unwrap_or(Requantizer { multiplier: 1, shift: 0 });
    let multiplier = u16::try_from(by.multiplier).expect("multipliers have 16 bits");
    Rescale { multiplier, shift: by.shift, low: format.min(), high: format.max() }
}

/// Fills `out` channel by channel and timestep by timestep with `work`, which says how many values it clamped.
pub fn onto_grid(
    layout: &Layout,
    counts: &mut NeuronScratch,
    out: &mut [i32],
    work: impl Fn(usize, usize, &mut [i32]) -> u32 + Sync,
) -> NodeActivity {
    counts.clear(layout.frames);
    let row = |counts: &mut NeuronScratch, (channel, out): (usize, &mut [i32])| {
        counts.grid_row(layout, out, |t, out| work(channel, t, out));
    };
    if threads::are_worth(out.len(), WORK_OF_A_THREAD) {
        counts.in_parallel(out.par_chunks_exact_mut(layout.stride).enumerate(), row)
    } else {
        out.chunks_exact_mut(layout.stride).enumerate().for_each(|one| row(counts, one))
    }
    counts.grid_activity()
}

/// Onto a grid, one requantizer per channel.
pub fn requantize(
    cpu: Cpu,
    by: &[Requantizer],
    format: Format,
    input: Value,
    layout: &Layout,
    counts: &mut NeuronScratch,
    out: &mut [i32],
) -> NodeActivity {
    onto_grid(layout, counts, out, |channel, t, out| {
        let (by, frame) = (per_channel(by, channel), input.layout.frame(t));
        let Some(width) = input.layout.packed else {
            return kernels::requantize(cpu, rescale(Some(by), format), &input.word_row(channel)[frame], out);
        };
        // All spikes become one value, and 0 stays 0.
        let (spike, clamped) = format.saturate(by.apply(1));
        let row = &input.byte_row(channel / width)[frame];
        kernels::unpack(cpu, row, (channel % width) as u32, out);
        let fired = kernels::sum(cpu, out);
        out.iter_mut().for_each(|x| *x *= spike as i32);
        if clamped { fired as u32 } else { 0 }
    })
}

/// stream + branch, one requantizer per channel of the branch where it is not on the grid.
pub fn join(
    cpu: Cpu,
    by: Option<&[Requantizer]>,
    format: Format,
    [stream, branch]: [Value; 2],
    layout: &Layout,
    counts: &mut NeuronScratch,
    out: &mut [i32],
) -> NodeActivity {
    onto_grid(layout, counts, out, |channel, t, out| {
        let by = rescale(by.map(|by| per_channel(by, channel)), format);
        let a = &stream.word_row(channel)[stream.layout.frame(t)];
        let b = &branch.word_row(channel)[branch.layout.frame(t)];
        kernels::join(cpu, by, a, b, out)
    })
}
