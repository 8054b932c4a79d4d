//! Values of a run: channel by channel, all timesteps of a channel in one row.

use super::gather::stride_of;
use crate::tensor::{Frames, Shape};

/// How the values of a node lie in memory.
///
/// A row holds `[timestep][position]` of one channel, or of the few channels that share a byte of packed
/// spikes, and ends in columns that mean nothing, up to a multiple of the vector length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Timesteps, or 1 where all are the same.
    pub frames: usize,
    /// Shape of a frame.
    pub shape: Shape,
    /// Columns of a row.
    pub stride: usize,
    /// Channels per byte of spikes; `None` for words.
    pub packed: Option<usize>,
}

impl Layout {
    /// Of words, or of spikes with `packed` channels per byte.
    pub fn new(frames: usize, shape: Shape, packed: Option<usize>) -> Self {
        Self { frames, shape, stride: stride_of(frames * shape.positions()), packed }
    }

    /// Columns that mean something.
    pub fn columns(&self) -> usize {
        self.frames * self.shape.positions()
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.shape.channels.div_ceil(self.packed.unwrap_or(1))
    }

    /// The columns of timestep `t`.
    pub fn frame(&self, t: usize) -> std::ops::Range<usize> {
        let first = if self.frames == 1 { 0 } else { t } * self.shape.positions();
        first..first + self.shape.positions()
    }
}

/// Room for the values of a node: bytes of packed spikes, or words.
#[derive(Debug, Default)]
pub struct Buffer {
    /// Packed spikes.
    pub bytes: Vec<u8>,
    /// Anything else.
    pub words: Vec<i32>,
}

impl Buffer {
    /// Makes room for `layout`. Spikes start at 0; words keep what they were.
    pub fn fit(&mut self, layout: &Layout) {
        let length = layout.rows() * layout.stride;
        match layout.packed {
            Some(_) => at_least(&mut self.bytes, length).fill(0),
            None => {
                at_least(&mut self.words, length);
            }
        }
    }
}

/// The first `length` values of `room`, which never shrinks.
pub fn at_least<T: Copy + Default>(room: &mut Vec<T>, length: usize) -> &mut [T] {
    if room.len() < length {
        room.resize(length, T::default());
    }
    &mut room[..length]
}

/// The values of a node.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    /// How they lie.
    pub layout: &'a Layout,
    /// Where they lie.
    pub buffer: &'a Buffer,
}

impl<'a> Value<'a> {
    /// Rows of packed spikes.
    pub fn bytes(self) -> &'a [u8] {
        &self.buffer.bytes[..self.layout.rows() * self.layout.stride]
    }

    /// Rows of words.
    pub fn words(self) -> &'a [i32] {
        &self.buffer.words[..self.layout.rows() * self.layout.stride]
    }

    /// The meaningful columns of row `row` of packed spikes.
    pub fn byte_row(self, row: usize) -> &'a [u8] {
        &self.buffer.bytes[row * self.layout.stride..][..self.layout.columns()]
    }

    /// The meaningful columns of channel `channel` of words.
    pub fn word_row(self, channel: usize) -> &'a [i32] {
        &self.buffer.words[channel * self.layout.stride..][..self.layout.columns()]
    }

    /// The value of a channel in a column.
    pub fn at(self, channel: usize, column: usize) -> i32 {
        match self.layout.packed {
            Some(width) => i32::from(self.byte_row(channel / width)[column] >> (channel % width) & 1),
            None => self.word_row(channel)[column],
        }
    }

    /// As the scalar executor holds them.
    pub fn to_frames(self) -> Frames<i64> {
        let shape = self.layout.shape;
        let columns =
            (0..self.layout.columns()).flat_map(|column| (0..shape.channels).map(move |c| (c, column)));
        let data = columns.map(|(channel, column)| i64::from(self.at(channel, column))).collect();
        Frames { frames: self.layout.frames, shape, data }
    }
}
