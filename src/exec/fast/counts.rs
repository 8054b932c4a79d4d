//! Activity counters from the values of the fast executor.

use super::gather::Gather;
use super::value::Value;
use crate::exec::activity::{NodeActivity, StepActivity, WAVE_SIZES};
use crate::exec::kernels::{self, Cpu};
use crate::exec::room::Room;
use crate::model::ConvGeometry;

/// Room for counting.
#[derive(Debug, Default)]
pub struct CountScratch {
    events: Room<i32>,
    surrounded: Vec<i32>,
    larger: Room<i32>,
    gathered: Room<i32>,
}

/// Counts the work of a weight layer on `input`, as `activity::count_products` does.
pub fn count_products(
    cpu: Cpu,
    input: Value,
    gather: &Gather,
    geometry: &ConvGeometry,
    multi_bit: bool,
    room: &mut CountScratch,
) -> NodeActivity {
    let layout = input.layout;
    let events = room.events.at_least(layout.stride);
    events.fill(0);
    match layout.packed {
        Some(_) => {
            input.bytes().chunks_exact(layout.stride).for_each(|x| kernels::add_bits(cpu, x, 255, events))
        }
        None => (0..layout.shape.channels)
            .for_each(|c| kernels::add_nonzero(cpu, input.word_row(c), &mut events[..layout.columns()])),
    }
    let length = gather.surround(std::iter::once(&*events), &mut room.surrounded);
    let gathered = room.gathered.at_least(gather.stride);
    gathered.fill(0);
    for tap in 0..gather.taps() {
        gather.add(cpu, tap, &room.surrounded[..length], gathered);
    }
    let outputs = gather.outputs();
    let larger = room.larger.at_least(outputs);
    let steps = gathered.chunks_exact_mut(outputs).take(layout.frames).enumerate().map(|(t, gathered)| {
        let all: u64 = gathered.iter().map(|&events| events as u64).sum();
        let operations = all * (geometry.out_channels / geometry.groups) as u64;
        StepActivity {
            input_events: kernels::sum(cpu, &events[layout.frame(t)]) as u32,
            gathered_events: all,
            accumulations: if multi_bit { 0 } else { operations },
            multiplications: if multi_bit { operations } else { 0 },
            wave_peaks: wave_peaks(cpu, gathered, larger),
            ..StepActivity::default()
        }
    });
    NodeActivity { steps: steps.collect() }
}

/// The counters of a layer that reads as another does, for its own number of outputs.
pub fn with_outputs(twin: &NodeActivity, geometry: &ConvGeometry, multi_bit: bool) -> NodeActivity {
    let operations =
        |step: &StepActivity| step.gathered_events * (geometry.out_channels / geometry.groups) as u64;
    let step = |step: &StepActivity| StepActivity {
        accumulations: if multi_bit { 0 } else { operations(step) },
        multiplications: if multi_bit { operations(step) } else { 0 },
        // What its accumulators changed is its own.
        saturations: 0,
        ..*step
    };
    NodeActivity { steps: twin.steps.iter().map(step).collect() }
}

/// Peaks as `activity::wave_peaks` counts them, between two rows.
fn wave_peaks<'a>(cpu: Cpu, mut events: &'a mut [i32], mut larger: &'a mut [i32]) -> [u32; WAVE_SIZES] {
    let mut count = events.len();
    std::array::from_fn(|_| {
        let sum = kernels::sum(cpu, &events[..count]) as u32;
        kernels::larger_of_pairs(cpu, &events[..count], &mut larger[..count / 2]);
        if count % 2 == 1 {
            larger[count / 2] = events[count - 1];
        }
        count = count.div_ceil(2);
        std::mem::swap(&mut events, &mut larger);
        sum
    })
}

/// Counts what a node yields that is not zero.
pub fn count_outputs(cpu: Cpu, output: Value) -> NodeActivity {
    let layout = output.layout;
    let count = |t: usize| match layout.packed {
        Some(_) => {
            (0..layout.rows()).map(|r| kernels::count_bits(cpu, &output.byte_row(r)[layout.frame(t)])).sum()
        }
        None => (0..layout.rows())
            .map(|r| kernels::count_nonzero(cpu, &output.word_row(r)[layout.frame(t)]))
            .sum(),
    };
    let steps =
        (0..layout.frames).map(|t| StepActivity { output_events: count(t), ..StepActivity::default() });
    NodeActivity { steps: steps.collect() }
}
