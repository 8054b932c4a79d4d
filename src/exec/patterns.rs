//! What spikes have in common with each other: counters of machines that batch timesteps, or that reuse the
//! sums of equal spikes. Counted only where a machine asks, from the spikes themselves.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::model::{ConvGeometry, Kind, Network, NodeId, Op};
use crate::tensor::{Frames, Shape};

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
}

/// What was counted of one weight layer, all timesteps and groups of one image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PatternCount {
    /// Inputs that a lane walks through: those of windows, or the spikes that are left to add.
    pub steps: u64,
    /// Products: rows that equal an earlier row and only copy its sum.
    pub copies: u64,
    /// Products: rows that start from the sum of another row, copies included.
    pub reuses: u64,
    /// Products: rows of two spikes or more, for which a subset is looked for.
    pub searches: u64,
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
    pub fn observe<T: Copy + Default + PartialEq>(
        &mut self,
        network: &Network,
        id: NodeId,
        value: &Frames<T>,
    ) {
        if network.node(id).kind != Kind::Spikes {
            return;
        }
        for (reader, node) in network.readers(id) {
            let Op::Weighted(weighted) = &node.op else { continue };
            let count = &mut self.nodes[reader.index()];
            *count = PatternCount::default();
            for group in 0..weighted.geometry.groups {
                count.add(SpikeMatrix::gather(value, &weighted.geometry, group).count(self.pattern));
            }
        }
    }

    /// What random spikes of these rates lead to: `rates` holds, per node, the fraction of a weight layer's
    /// inputs that spike. The draw is the same for the same network and rates.
    pub fn drawn(pattern: Pattern, network: &Network, rates: &[Option<f64>]) -> Self {
        let mut patterns = Self::new(pattern, network);
        for (id, node, weighted) in network.weighted() {
            let input = network.input_of(node, 0);
            if input.kind != Kind::Spikes {
                continue;
            }
            let rate = rates[id.index()].unwrap_or(0.0);
            let frames = node.frames(network.timesteps);
            let spikes = draw(input.shape, frames, rate, id.index() as u64);
            patterns.nodes[id.index()] = (0..weighted.geometry.groups)
                .map(|group| SpikeMatrix::gather(&spikes, &weighted.geometry, group).count(pattern))
                .fold(PatternCount::default(), |mut sum, count| {
                    sum.add(count);
                    sum
                });
        }
        patterns
    }
}

/// Independent spikes of `rate`.
pub fn draw(shape: Shape, frames: usize, rate: f64, seed: u64) -> Frames<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let below = (rate * 2f64.powi(32)) as u64;
    let data = (0..frames * shape.values()).map(|_| u8::from(u64::from(random.next_u32()) < below));
    Frames { frames, shape, data: data.collect() }
}

/// The spikes that a weight layer (one group of it) multiplies: one row per output position and timestep, the
/// timesteps of a position next to each other; one column per input, the channels of a kernel tap next to
/// each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpikeMatrix {
    /// Timesteps of each position.
    pub timesteps: usize,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Words of a row.
    words: usize,
    bits: Vec<u64>,
}

impl SpikeMatrix {
    /// Independent spikes of `rate`, padding and all: the same for the same arguments.
    pub fn drawn(positions: usize, timesteps: usize, columns: usize, rate: f64, seed: u64) -> Self {
        let spikes = draw(Shape::new(columns, positions, 1), timesteps, rate, seed);
        let geometry = ConvGeometry {
            in_channels: columns,
            out_channels: 1,
            kernel: [1, 1],
            stride: [1, 1],
            pad: [0, 0],
            groups: 1,
        };
        Self::gather(&spikes, &geometry, 0)
    }

    /// What `group` of a layer of `geometry` reads of `input`.
    pub fn gather<T: Copy + Default + PartialEq>(
        input: &Frames<T>,
        geometry: &ConvGeometry,
        group: usize,
    ) -> Self {
        let out = geometry.output(input.shape).expect("checked when the network was built");
        let (timesteps, per_group) = (input.frames, geometry.in_channels / geometry.groups);
        let columns = geometry.fan_in();
        let words = columns.div_ceil(64);
        let rows = out.positions() * timesteps;
        let mut bits = vec![0; rows * words];
        for position in 0..out.positions() {
            for (tap, at) in geometry.taps_of(input.shape, position / out.width, position % out.width) {
                let Some(at) = at else { continue };
                for t in 0..timesteps {
                    let row = &mut bits[(position * timesteps + t) * words..][..words];
                    let channels = &input.at(t)[at * input.shape.channels + group * per_group..][..per_group];
                    for (channel, value) in channels.iter().enumerate() {
                        let column = tap * per_group + channel;
                        row[column / 64] |= u64::from(*value != T::default()) << (column % 64);
                    }
                }
            }
        }
        Self { timesteps, rows, columns, words, bits }
    }

    /// Counts `pattern`.
    pub fn count(&self, pattern: Pattern) -> PatternCount {
        match pattern {
            Pattern::Windows { positions, timesteps } => {
                let steps = self.windows(positions, timesteps).iter().map(|&active| active as u64).sum();
                PatternCount { steps, ..PatternCount::default() }
            }
            Pattern::Products { rows, columns } => self.products(rows, columns),
        }
    }

    /// Spikes of every row.
    pub fn row_spikes(&self) -> impl Iterator<Item = u32> {
        self.bits.chunks(self.words.max(1)).map(|row| row.iter().map(|word| word.count_ones()).sum())
    }

    /// Per window of `positions` consecutive positions and `timesteps` consecutive timesteps, the inputs that
    /// spike anywhere in it.
    pub fn windows(&self, positions: usize, timesteps: usize) -> Vec<usize> {
        let mut counts = Vec::new();
        for first in (0..self.positions()).step_by(positions) {
            for start in (0..self.timesteps).step_by(timesteps) {
                let inside = first..(first + positions).min(self.positions());
                let union = self.union(inside, start..start + timesteps);
                counts.push(union.iter().map(|word| word.count_ones() as usize).sum());
            }
        }
        counts
    }

    /// Output positions.
    pub fn positions(&self) -> usize {
        self.rows / self.timesteps.max(1)
    }

    /// One bit per column, 64 to a word: whether it spikes at any of `positions` in any of `timesteps`.
    pub fn union(&self, positions: Range<usize>, timesteps: Range<usize>) -> Vec<u64> {
        let mut union = vec![0u64; self.words];
        for position in positions {
            for t in timesteps.start..timesteps.end.min(self.timesteps) {
                let row = &self.bits[(position * self.timesteps + t) * self.words..][..self.words];
                union.iter_mut().zip(row).for_each(|(any, word)| *any |= word);
            }
        }
        union
    }

    /// `width` columns of a row from `column` on, at most 64.
    fn slice(&self, row: usize, column: usize, width: usize) -> u64 {
        let words = &self.bits[row * self.words..][..self.words];
        let (word, shift) = (column / 64, column % 64);
        let low = words[word] >> shift;
        let high = match (shift, words.get(word + 1)) {
            (1.., Some(next)) => next << (64 - shift),
            _ => 0,
        };
        let mask = if width == 64 { u64::MAX } else { (1 << width) - 1 };
        (low | high) & mask
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

    fn conv(kernel: [usize; 2], channels: usize, groups: usize) -> ConvGeometry {
        let pad = [kernel[0] / 2, kernel[1] / 2];
        ConvGeometry { in_channels: channels, out_channels: 4, kernel, stride: [1, 1], pad, groups }
    }

    /// Five rows of four inputs: 0110, 1110, 0110, 1000, 1111.
    #[test]
    fn a_tile_by_hand() {
        let mut tile = vec![0b0110, 0b1110, 0b0110, 0b1000, 0b1111];
        // 0110 adds 2, its copy nothing; 1000 adds 1; 1110 starts from 0110 and adds 1; 1111 from 1110, 1.
        let wanted = PatternCount { steps: 5, copies: 1, reuses: 3, searches: 4 };
        assert_eq!(reuse(&mut tile), wanted);
        // Single spikes are added each time; rows without spikes take nothing.
        assert_eq!(reuse(&mut vec![0b10, 0b10, 0]), PatternCount { steps: 2, ..PatternCount::default() });
    }

    /// Two channels at three positions in a row, two timesteps; a kernel of three with padding.
    #[test]
    fn windows_by_hand() {
        let data = vec![1, 1, 0, 0, 0, 1, /* t = 1 */ 1, 0, 0, 0, 1, 0];
        let input = Frames { frames: 2, shape: Shape::new(2, 1, 3), data };
        let matrix = SpikeMatrix::gather(&input, &conv([1, 3], 2, 1), 0);
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
        let groups = conv([1, 3], 2, 2);
        let of = |group| SpikeMatrix::gather(&input, &groups, group).row_spikes().sum::<u32>();
        assert_eq!((of(0), of(1)), (2 + 2 + 2, 2 + 2));
    }

    /// As the definition reads, row by row.
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
            let matrix = SpikeMatrix::gather(&input, &conv([3, 3], 7, 1), 0);
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
