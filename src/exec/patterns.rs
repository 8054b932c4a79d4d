//! Counters of spikes that coincide. Machines that batch timesteps, or that reuse the sums of equal spikes, are
//! charged by them. They are counted from the spikes themselves, and only where a machine asks.

use std::sync::Arc;

use rayon::prelude::*;

use super::rows::{RowReads, RowShape};
use super::spike_matrix::{SpikeMatrix, draw};
use super::waves::{WaveShape, Waves};
use crate::model::{ConvGeometry, Kind, Network, Node, NodeId, Op, Weighted};
use crate::tensor::Frames;

/// What a machine wants to know of the spikes that a weight layer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// How many inputs spike anywhere in a window of consecutive positions and timesteps.
    Windows {
        /// Output positions of a window.
        positions: usize,
        /// Timesteps of a window.
        timesteps: usize,
    },
    /// What is left to add where a row of spikes starts from the sum of another row, whose spikes are a
    /// subset of its own, in tiles of the spike matrix.
    Products {
        /// Rows (positions and timesteps) of a tile.
        rows: usize,
        /// Columns (inputs) of a tile, at most 64.
        columns: usize,
    },
    /// Steps through chunks of inputs, a few spikes of a chunk at a time; a chunk without any takes a step, too.
    Chunks {
        /// Inputs of a chunk, at most 64.
        inputs: usize,
        /// Spikes that a step finds.
        at_once: usize,
    },
    /// How long lanes wait for each other that step over zeros side by side.
    Waves(WaveShape),
    /// Which rows of weights are read together, and which wait for each other's banks.
    Rows(RowShape),
    /// Inputs that are not zero, by timestep and input channel.
    Maps,
    /// Inputs that are not zero, by timestep and input position in raster order.
    Positions {
        /// Consecutive positions that are looked at together: first what all of them have in common, then, position by
        /// position, what each has beside. Of 1, each has what it has.
        group: usize,
    },
    /// Spikes that neurons yield by timestep, where a level of an integer spike counts as many.
    Outputs,
}

/// What a network computes with.
pub trait Value: Copy + Default + PartialEq {
    /// Spikes that stand for it where neurons yield it.
    fn spikes(self) -> u32;
}

macro_rules! values {
    ($($number:ty),*) => {
        $(impl Value for $number {
            fn spikes(self) -> u32 {
                self as u32
            }
        })*
    };
}

values!(u8, i32, i64, f32);

impl Pattern {
    /// True if it is counted of some weight layer of `network`.
    pub(crate) fn is_counted_in(&self, network: &Network) -> bool {
        if let Self::Outputs = self {
            return network.nodes.iter().any(|node| node.op.is_neuron());
        }
        network.weighted().any(|(_, node, weighted)| {
            let spikes = network.input_of(node, 0).kind == Kind::Spikes;
            self.is_counted(weighted.geometry.groups, spikes)
        })
    }

    /// True if it is counted of a weight layer with so many groups, whose input is of spikes or not.
    fn is_counted(&self, groups: usize, spikes: bool) -> bool {
        match self {
            Self::Waves(shape) => shape.suits(groups),
            Self::Windows { .. } | Self::Products { .. } | Self::Chunks { .. } => spikes,
            Self::Rows(_) => groups == 1 && spikes,
            // Events of a camera are spikes, too.
            Self::Maps | Self::Positions { .. } => groups == 1,
            Self::Outputs => false,
        }
    }
}

/// What was counted of one weight layer, all timesteps and groups of one image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PatternCount {
    /// Inputs that a lane walks through: those of windows, the spikes that are left to add, or steps through chunks.
    pub steps: u64,
    /// Products: rows that equal an earlier row and only copy its sum.
    pub copies: u64,
    /// Products: rows that start from the sum of another row, copies included.
    pub reuses: u64,
    /// Products: rows of two spikes or more, for which a subset is looked for.
    pub searches: u64,
    /// Maps and positions: inputs that are not zero, timestep by timestep; outputs: spikes.
    pub inputs: Arc<[u32]>,
    /// Rows: what they take where they are of 1, 2, 3 ... words.
    pub rows: Arc<[RowReads]>,
}

impl PatternCount {
    fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.copies += other.copies;
        self.reuses += other.reuses;
        self.searches += other.searches;
    }
}

/// Counts of one pattern, one per node of the network; of weight layers that read spikes, and default
/// elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Patterns {
    /// What was counted.
    pub pattern: Pattern,
    /// Per node.
    pub nodes: Vec<PatternCount>,
}

impl Patterns {
    /// Nothing counted yet of `network`.
    pub fn new(pattern: Pattern, network: &Network) -> Self {
        Self { pattern, nodes: vec![PatternCount::default(); network.nodes.len()] }
    }

    /// Counts for every weight layer that reads the spikes which node `id` yields.
    pub(crate) fn observe<T: Value>(&mut self, network: &Network, id: NodeId, value: &Frames<T>) {
        if self.pattern == Pattern::Outputs && network.node(id).op.is_neuron() {
            let spikes = |t| value.at(t).iter().map(|x| x.spikes()).sum();
            self.nodes[id.index()].inputs = (0..value.frames).map(spikes).collect();
        }
        let spikes = network.node(id).kind == Kind::Spikes;
        for (reader, node) in network.readers(id) {
            let Op::Weighted(weighted) = &node.op else { continue };
            if self.pattern.is_counted(weighted.geometry.groups, spikes) {
                self.nodes[reader.index()] = count(self.pattern, value, &weighted.geometry);
            }
        }
    }

    /// What random spikes of these rates lead to, pattern by pattern: `rates` holds, per node, the fraction of a weight
    /// layer's inputs that spike. The draw is the same for the same network and rates.
    pub fn drawn(patterns: &[Pattern], network: &Network, rates: &[Option<f64>]) -> Vec<Self> {
        let layer = |&(id, node, weighted): &(NodeId, &Node, &Weighted)| {
            let input = network.input_of(node, 0);
            let spikes = input.kind == Kind::Spikes;
            let is_counted = |pattern: &Pattern| pattern.is_counted(weighted.geometry.groups, spikes);
            if !patterns.iter().any(is_counted) {
                return Vec::new();
            }
            let rate = rates[id.index()].unwrap_or(0.0);
            let spikes = draw(input.shape, node.frames(network.timesteps), rate, id.index() as u64);
            let of = |pattern: &Pattern| match is_counted(pattern) {
                true => count(*pattern, &spikes, &weighted.geometry),
                false => PatternCount::default(),
            };
            patterns.iter().map(of).collect()
        };
        let layers: Vec<_> = network.weighted().collect();
        let counted: Vec<Vec<PatternCount>> = layers.par_iter().map(layer).collect();
        let mut drawn: Vec<Self> = patterns.iter().map(|&pattern| Self::new(pattern, network)).collect();
        for ((id, ..), counts) in layers.iter().zip(counted) {
            drawn.iter_mut().zip(counts).for_each(|(patterns, count)| patterns.nodes[id.index()] = count);
        }
        drawn
    }
}

/// Counts `pattern` in what a weight layer of `geometry` reads, all groups.
fn count<T: Copy + Default + PartialEq>(
    pattern: Pattern,
    input: &Frames<T>,
    geometry: &ConvGeometry,
) -> PatternCount {
    if let Some(counted) = inputs(pattern, input) {
        return PatternCount { inputs: counted, ..PatternCount::default() };
    }
    let group = |group| SpikeMatrix::gather(input, geometry, group);
    if let Pattern::Waves(shape) = pattern {
        let out = geometry.output(input.shape).expect("checked when the network was built");
        let extents = [input.frames, geometry.groups];
        let mut waves = Waves::new(shape, [out.height, out.width], extents, geometry.taps());
        if geometry.groups == geometry.in_channels && shape.channels * shape.taps == 1 {
            waves.add_depthwise(input, geometry);
        } else {
            (0..geometry.groups).for_each(|number| waves.add(number, &group(number)));
        }
        return PatternCount { steps: waves.steps(), ..PatternCount::default() };
    }
    if let Pattern::Rows(_) = pattern {
        return group(0).count(pattern);
    }
    (0..geometry.groups).fold(PatternCount::default(), |mut sum, number| {
        sum.add(group(number).count(pattern));
        sum
    })
}

/// Inputs that are not zero by map or position, if `pattern` asks for them.
fn inputs<T: Copy + Default + PartialEq>(pattern: Pattern, input: &Frames<T>) -> Option<Arc<[u32]>> {
    let frames = (0..input.frames).map(|t| input.at(t));
    let channels = input.shape.channels;
    let is_active = |value: &T| *value != T::default();
    match pattern {
        Pattern::Maps => {
            let map =
                |frame: &[T], c| frame.iter().skip(c).step_by(channels).filter(|x| is_active(x)).count();
            let maps = frames.flat_map(|frame| (0..channels).map(move |c| map(frame, c) as u32));
            Some(maps.collect())
        }
        Pattern::Positions { group } => {
            let parts = frames.flat_map(|frame| {
                let pixels: Vec<&[T]> = frame.chunks_exact(channels).collect();
                pixels.chunks(group).flat_map(|group| parts(group, is_active)).collect::<Vec<u32>>()
            });
            Some(parts.collect())
        }
        Pattern::Windows { .. }
        | Pattern::Products { .. }
        | Pattern::Chunks { .. }
        | Pattern::Waves(_)
        | Pattern::Rows(_)
        | Pattern::Outputs => None,
    }
}

/// What all of a group of `pixels` have in common, and what each of them has beside; of one that is alone what it has.
fn parts<T>(pixels: &[&[T]], is_active: impl Fn(&T) -> bool) -> Vec<u32> {
    let active = |pixel: &[T]| pixel.iter().filter(|x| is_active(x)).count() as u32;
    if let [alone] = pixels {
        return vec![active(alone)];
    }
    let channels = pixels.first().map_or(0, |pixel| pixel.len());
    let common = (0..channels).filter(|&c| pixels.iter().all(|pixel| is_active(&pixel[c]))).count() as u32;
    let own = pixels.iter().map(|pixel| active(pixel) - common);
    std::iter::once(common).chain(own).collect()
}

impl SpikeMatrix {
    /// Counts `pattern` of one group, whose positions lie on a line and whose kernel has one of its own.
    pub fn count(&self, pattern: Pattern) -> PatternCount {
        match pattern {
            Pattern::Windows { positions, timesteps } => {
                let steps = self.windows(positions, timesteps).iter().map(|&active| active as u64).sum();
                PatternCount { steps, ..PatternCount::default() }
            }
            Pattern::Products { rows, columns } => self.products(rows, columns),
            Pattern::Chunks { inputs, at_once } => {
                PatternCount { steps: self.chunks(inputs, at_once), ..PatternCount::default() }
            }
            Pattern::Waves(shape) => {
                let mut waves = Waves::new(shape, [1, self.positions()], [self.timesteps, 1], 1);
                waves.add(0, self);
                PatternCount { steps: waves.steps(), ..PatternCount::default() }
            }
            Pattern::Rows(shape) => {
                PatternCount { rows: shape.count(self).into(), ..PatternCount::default() }
            }
            Pattern::Maps | Pattern::Positions { .. } | Pattern::Outputs => PatternCount::default(),
        }
    }

    fn chunks(&self, inputs: usize, at_once: usize) -> u64 {
        let steps = |row: usize, column: usize| {
            let spikes = self.slice(row, column, inputs.min(self.columns - column)).count_ones();
            spikes.div_ceil(at_once as u32).max(1)
        };
        let of_row = |row: usize| (0..self.columns).step_by(inputs).map(move |c| u64::from(steps(row, c)));
        (0..self.rows).flat_map(of_row).sum()
    }

    fn products(&self, rows: usize, columns: usize) -> PatternCount {
        let mut count = PatternCount::default();
        let mut tile = Vec::with_capacity(rows);
        for first in (0..self.rows).step_by(rows) {
            for column in (0..self.columns).step_by(columns) {
                let width = columns.min(self.columns - column);
                tile.clear();
                let inside = first..(first + rows).min(self.rows);
                tile.extend(inside.map(|row| self.slice(row, column, width)));
                count.add(reuse(&mut tile));
            }
        }
        count
    }
}

/// What the rows of one tile leave to add; they are sorted on the way. A row of at least two spikes starts
/// from the sum of an equal row before it, or else of the largest proper subset of its spikes.
fn reuse(tile: &mut Vec<u64>) -> PatternCount {
    let mut count = PatternCount::default();
    tile.retain(|row| *row != 0);
    tile.sort_unstable_by_key(|row| (row.count_ones(), *row));
    let searched = tile.iter().filter(|row| row.count_ones() > 1);
    count.searches = searched.count() as u64;
    let mut distinct: Vec<u64> = Vec::with_capacity(tile.len());
    for &row in tile.iter() {
        let spikes = row.count_ones();
        if spikes > 1 && distinct.last() == Some(&row) {
            (count.copies, count.reuses) = (count.copies + 1, count.reuses + 1);
            continue;
        }
        // Subsets stand before, the largest last.
        let subset = distinct.iter().rev().find(|&&other| other & row == other && other != row);
        match subset.filter(|_| spikes > 1) {
            Some(subset) => {
                count.reuses += 1;
                count.steps += u64::from(spikes - subset.count_ones());
            }
            None => count.steps += u64::from(spikes),
        }
        if distinct.last() != Some(&row) {
            distinct.push(row);
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tensor::Shape;

    /// Five rows of four inputs: 0110, 1110, 0110, 1000, 1111.
    #[test]
    fn a_tile_by_hand() {
        let mut tile = vec![0b0110, 0b1110, 0b0110, 0b1000, 0b1111];
        // 0110 adds 2, its copy nothing; 1000 adds 1; 1110 starts from 0110 and adds 1; 1111 from 1110, 1.
        let wanted = PatternCount { steps: 5, copies: 1, reuses: 3, searches: 4, ..PatternCount::default() };
        assert_eq!(reuse(&mut tile), wanted);
        // Single spikes are added each time; rows without spikes take nothing.
        assert_eq!(reuse(&mut vec![0b10, 0b10, 0]), PatternCount { steps: 2, ..PatternCount::default() });
    }

    /// Two channels at three positions in a row, two timesteps; a kernel of three with padding.
    #[test]
    fn windows_by_hand() {
        let data = vec![1, 1, 0, 0, 0, 1, /* t = 1 */ 1, 0, 0, 0, 1, 0];
        let input = Frames { frames: 2, shape: Shape::new(2, 1, 3), data };
        let matrix = SpikeMatrix::gather(&input, &ConvGeometry::centred([1, 3], [2, 4], 1), 0);
        assert_eq!((matrix.rows, matrix.columns, matrix.timesteps), (6, 6, 2));
        // At t = 0 the positions see 2, 3 and 1 spikes, at t = 1 they see 1, 2 and 1.
        assert_eq!(matrix.row_spikes().collect::<Vec<_>>(), [2, 1, 3, 2, 1, 1]);
        // Together 2, 4 (both channels left and right) and 2 inputs.
        assert_eq!(matrix.windows(1, 2), [2, 4, 2]);
        assert_eq!(matrix.windows(1, 1), [2, 1, 3, 2, 1, 1]);
        // Positions side by side see the same input through different taps: 2 + 4 different ones.
        assert_eq!(matrix.windows(2, 2), [6, 2]);
        let windows = Pattern::Windows { positions: 2, timesteps: 2 };
        assert_eq!(matrix.count(windows), PatternCount { steps: 8, ..PatternCount::default() });
        // Groups see one channel each.
        let groups = ConvGeometry::centred([1, 3], [2, 4], 2);
        let of = |group| SpikeMatrix::gather(&input, &groups, group).row_spikes().sum::<u32>();
        assert_eq!((of(0), of(1)), (2 + 2 + 2, 2 + 2));
    }

    /// Two channels at three positions in a row; a kernel of one.
    #[test]
    fn chunks_by_hand() {
        let data = vec![1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0];
        let input = Frames { frames: 1, shape: Shape::new(5, 1, 3), data };
        let matrix = SpikeMatrix::gather(&input, &ConvGeometry::centred([1, 1], [5, 4], 1), 0);
        let steps = |inputs, at_once| matrix.count(Pattern::Chunks { inputs, at_once }).steps;
        // Rows 11001, 11100 and 00010, the last input a chunk of its own: 1 + 1, 1 + 1 and 1 + 1 steps of four spikes,
        // 1 + 1, 2 + 1 and 1 + 1 of two, 2 + 1, 3 + 1 and 1 + 1 of one.
        assert_eq!([steps(4, 4), steps(4, 2), steps(4, 1)], [6, 7, 9]);
        assert_eq!([steps(64, 64), steps(64, 2)], [3, 2 + 2 + 1]);
    }

    /// The spikes of two channels at three positions, and those that pairs of positions have in common.
    #[test]
    fn inputs_by_hand() {
        let data = vec![1, 1, 1, 0, 0, 1, /* t = 1 */ 1, 0, 0, 1, 1, 0];
        let input = Frames { frames: 2, shape: Shape::new(2, 1, 3), data };
        let counted =
            |pattern| count(pattern, &input, &ConvGeometry::centred([1, 3], [2, 4], 1)).inputs.to_vec();
        assert_eq!(counted(Pattern::Maps), [2, 2, /* t = 1 */ 2, 1]);
        assert_eq!(counted(Pattern::Positions { group: 1 }), [2, 1, 1, /* t = 1 */ 1, 1, 1]);
        // The last position has nobody to share with.
        assert_eq!(counted(Pattern::Positions { group: 2 }), [1, 1, 0, 1, /* t = 1 */ 0, 1, 1, 1]);
        assert_eq!(counted(Pattern::Positions { group: 3 }), [0, 2, 1, 1, /* t = 1 */ 0, 1, 1, 1]);
    }

    /// Counts patterns as the definition reads, row by row.
    fn naive(tile: &[u64]) -> PatternCount {
        let mut count = PatternCount::default();
        for (i, &row) in tile.iter().enumerate() {
            let spikes = row.count_ones();
            count.searches += u64::from(spikes > 1);
            let other = |(j, &other): (usize, &u64)| {
                let subset = other & row == other && (other != row || j < i) && other != 0 && spikes > 1;
                subset.then_some(other.count_ones())
            };
            let best = tile.iter().enumerate().filter_map(other).max().unwrap_or(0);
            count.steps += u64::from(spikes - best);
            count.reuses += u64::from(best > 0);
            count.copies += u64::from(best == spikes && spikes > 0);
        }
        count
    }

    proptest! {
        #[test]
        fn reuse_is_what_its_definition_says(tile in prop::collection::vec(0u64..256, 0..40)) {
            prop_assert_eq!(reuse(&mut tile.clone()), naive(&tile));
        }

        #[test]
        fn larger_windows_and_tiles_never_do_more(
            seed: u64, rate in 0.0..1.0f64, positions in 1usize..9, timesteps in 1usize..5, rows in 1usize..20,
            columns in 1usize..65,
        ) {
            let input = draw(Shape::new(7, 4, 5), 4, rate, seed);
            let matrix = SpikeMatrix::gather(&input, &ConvGeometry::centred([3, 3], [7, 4], 1), 0);
            let spikes: u64 = matrix.row_spikes().map(u64::from).sum();
            let windows = |positions, timesteps| matrix.count(Pattern::Windows { positions, timesteps }).steps;
            prop_assert_eq!(windows(1, 1), spikes);
            prop_assert!(windows(positions, timesteps) <= spikes);
            prop_assert!(windows(2 * positions, timesteps) <= windows(positions, timesteps));
            let products = |rows| matrix.count(Pattern::Products { rows, columns });
            let found = products(rows);
            prop_assert!(found.steps <= spikes && found.copies <= found.reuses);
            prop_assert!(found.reuses <= found.searches && products(2 * rows).steps <= found.steps);
            prop_assert_eq!(products(1).steps, spikes);
        }

        #[test]
        fn draws_have_their_rate(rate in 0.0..1.0f64) {
            let spikes = draw(Shape::new(50, 10, 10), 4, rate, 1).data;
            let fired = spikes.iter().map(|&s| f64::from(s)).sum::<f64>() / spikes.len() as f64;
            prop_assert!((fired - rate).abs() < 0.02);
        }
    }
}
