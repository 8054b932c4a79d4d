//! The spikes that a weight layer multiplies, as a matrix of bits.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::model::ConvGeometry;
use crate::tensor::{Frames, Shape};

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
        Self::gather(&spikes, &ConvGeometry::centred([1, 1], [columns, 1], 1), 0)
    }

    /// What `group` of a layer of `geometry` reads of `input`.
    pub(crate) fn gather<T: Copy + Default + PartialEq>(
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

    /// Spikes of every row.
    pub(crate) fn row_spikes(&self) -> impl Iterator<Item = u32> {
        self.bits.chunks(self.words.max(1)).map(|row| row.iter().map(|word| word.count_ones()).sum())
    }

    /// Spikes of row number `row`.
    pub(crate) fn spikes_of(&self, row: usize) -> u32 {
        self.bits[row * self.words..][..self.words].iter().map(|word| word.count_ones()).sum()
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
    pub(crate) fn union(&self, positions: Range<usize>, timesteps: Range<usize>) -> Vec<u64> {
        let mut union = vec![0u64; self.words];
        for position in positions {
            for t in timesteps.start..timesteps.end.min(self.timesteps) {
                let row = &self.bits[(position * self.timesteps + t) * self.words..][..self.words];
                union.iter_mut().zip(row).for_each(|(any, word)| *any |= word);
            }
        }
        union
    }

    /// Columns of row number `row` that spike.
    pub fn active(&self, row: usize) -> impl Iterator<Item = usize> {
        let words = self.bits[row * self.words..][..self.words].iter().enumerate();
        words.flat_map(|(i, &word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| 64 * i + bit)
        })
    }

    /// `width` columns of a row from `column` on, at most 64.
    pub(super) fn slice(&self, row: usize, column: usize, width: usize) -> u64 {
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
}
