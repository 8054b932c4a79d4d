//! Integer counters of what was executed, per node and timestep.

use super::patterns::{Pattern, PatternCount, Patterns};
use crate::model::{ConvGeometry, NodeId};
use crate::tensor::{Frames, Shape};

/// Waves are counted for 2^0 .. 2^10 positions at once.
pub const WAVE_SIZES: usize = 11;

/// Positions of wave size number `i`.
pub fn wave_size(i: usize) -> usize {
    1 << i
}

/// The number of the wave size that counts so many positions at once; `None` where none does.
pub fn wave_size_number(positions: usize) -> Option<usize> {
    (0..WAVE_SIZES).find(|&i| wave_size(i) == positions)
}

/// What one image did, per node of the network.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Activity {
    /// One per node.
    pub nodes: Vec<NodeActivity>,
    /// What spikes have in common, where it was asked for.
    pub patterns: Vec<Patterns>,
}

impl Activity {
    /// What was counted of `pattern` at weight layer `node`, if it was asked for.
    pub fn pattern(&self, pattern: Pattern, node: NodeId) -> Option<PatternCount> {
        self.patterns
            .iter()
            .find(|counted| counted.pattern == pattern)
            .map(|counted| counted.nodes[node.index()].clone())
    }
}

/// What a node did, per timestep; one entry where its value is constant in time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeActivity {
    /// Per timestep.
    pub steps: Vec<StepActivity>,
}

/// Counters of one node at one timestep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepActivity {
    /// Weight layers: inputs that are not zero.
    pub input_events: u32,
    /// Weight layers: (input, output position) pairs with a non-zero input; what a machine that
    /// skips zeros walks through for each output channel.
    pub gathered_events: u64,
    /// Weight layers: weights that met a non-zero spike.
    pub accumulations: u64,
    /// Weight layers: weights that met a non-zero multi-bit input.
    pub multiplications: u64,
    /// Weight layers: for 2^i positions processed at once, in raster order, the events of the
    /// busiest position, summed over waves.
    pub wave_peaks: [u32; WAVE_SIZES],
    /// Outputs that are not zero, of neurons, masks and attention.
    pub output_events: u32,
    /// Membrane updates.
    pub neuron_updates: u32,
    /// Values clamped: residual stream, membranes, requantized activations.
    pub saturations: u32,
}

impl StepActivity {
    /// Weights that met a non-zero input: accumulations and multiplications.
    pub fn synaptic_operations(&self) -> u64 {
        self.accumulations + self.multiplications
    }

    /// Adds `other`, counter by counter.
    pub fn add(&mut self, other: &Self) {
        self.input_events += other.input_events;
        self.gathered_events += other.gathered_events;
        self.accumulations += other.accumulations;
        self.multiplications += other.multiplications;
        self.output_events += other.output_events;
        self.neuron_updates += other.neuron_updates;
        self.saturations += other.saturations;
        for (mine, theirs) in self.wave_peaks.iter_mut().zip(other.wave_peaks) {
            *mine += theirs;
        }
    }
}

impl NodeActivity {
    /// The sum over timesteps; a value constant in time counts once.
    pub fn total(&self) -> StepActivity {
        self.steps.iter().fold(StepActivity::default(), |mut sum, step| {
            sum.add(step);
            sum
        })
    }
}

/// Counts the work of a weight layer on `input`; `multi_bit` inputs are multiplied, spikes only
/// gate an accumulation.
pub fn count_products<T: Copy + Default + PartialEq>(
    input: &Frames<T>,
    geometry: &ConvGeometry,
    multi_bit: bool,
) -> NodeActivity {
    let steps = (0..input.frames).map(|t| count_step(input, t, geometry, multi_bit));
    NodeActivity { steps: steps.collect() }
}

fn count_step<T: Copy + Default + PartialEq>(
    input: &Frames<T>,
    t: usize,
    geometry: &ConvGeometry,
    multi_bit: bool,
) -> StepActivity {
    let events = |pixel: &[T]| pixel.iter().map(|&x| u32::from(x != T::default())).sum();
    let per_input: Vec<u32> = input.at(t).chunks_exact(input.shape.channels).map(events).collect();
    let gathered = gathered(&per_input, input.shape, geometry);
    let mut step = StepActivity {
        input_events: per_input.iter().sum(),
        gathered_events: gathered.iter().map(|&events| u64::from(events)).sum(),
        wave_peaks: wave_peaks(gathered),
        ..StepActivity::default()
    };
    let operations = step.gathered_events * (geometry.out_channels / geometry.groups) as u64;
    if multi_bit {
        step.multiplications = operations
    } else {
        step.accumulations = operations
    }
    step
}

/// The events of what each output position reads: sums along rows of the kernel, then along its columns.
fn gathered(per_input: &[u32], input: Shape, geometry: &ConvGeometry) -> Vec<u32> {
    let out = geometry.output(input).expect("checked when the network was built");
    let read = |axis: usize, at: usize, tap: usize| {
        (at * geometry.stride[axis] + tap * geometry.dilation[axis]).wrapping_sub(geometry.pad[axis])
    };
    let mut of_rows = Vec::with_capacity(input.height * out.width);
    for row in per_input.chunks_exact(input.width) {
        let inside = |x: usize, tap: usize| row.get(read(1, x, tap)).copied().unwrap_or(0);
        let taps = 0..geometry.kernel[1];
        of_rows.extend((0..out.width).map(|x| taps.clone().map(|tap| inside(x, tap)).sum::<u32>()));
    }
    let mut sums = vec![0; out.positions()];
    for (y, sums) in sums.chunks_exact_mut(out.width).enumerate() {
        let rows = (0..geometry.kernel[0]).map(|tap| read(0, y, tap)).filter(|&row| row < input.height);
        for row in rows {
            sums.iter_mut().zip(&of_rows[row * out.width..]).for_each(|(sum, events)| *sum += events);
        }
    }
    sums
}

/// The busiest of 2^i consecutive positions, summed over waves: each level is the pairwise maximum
/// of the one before.
fn wave_peaks(mut events: Vec<u32>) -> [u32; WAVE_SIZES] {
    std::array::from_fn(|_| {
        let sum = events.iter().sum();
        events = events.chunks(2).map(|pair| pair.iter().copied().fold(0, u32::max)).collect();
        sum
    })
}

/// Counts what a node yields that is not zero.
pub fn count_outputs<T: Copy + Default + PartialEq>(output: &Frames<T>) -> NodeActivity {
    let count = |t| output.at(t).iter().map(|&x| u32::from(x != T::default())).sum();
    let steps =
        (0..output.frames).map(|t| StepActivity { output_events: count(t), ..StepActivity::default() });
    NodeActivity { steps: steps.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_three_by_one_image_by_hand() {
        // Two channels, positions with 2, 0 and 1 events; a 1x3 kernel with padding 1 sees
        // 2, 3 and 1 of them.
        let input = Frames { frames: 1, shape: Shape::new(2, 1, 3), data: vec![1, 1, 0, 0, 0, 1] };
        let geometry = ConvGeometry::centred([1, 3], [2, 4], 1);
        let step = count_products(&input, &geometry, false).steps[0];
        assert_eq!((step.input_events, step.gathered_events), (3, 6));
        assert_eq!((step.accumulations, step.multiplications), (24, 0));
        // One position at a time 2 + 3 + 1; two at a time max(2, 3) + 1; all at once 3.
        assert_eq!(step.wave_peaks[..3], [6, 4, 3]);
        assert_eq!(count_products(&input, &geometry, true).steps[0].multiplications, 24);
    }
}
