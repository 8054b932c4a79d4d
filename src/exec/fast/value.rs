//! Values of a run: channel by channel, all timesteps of a channel in one row.

use crate::exec::kernels::LANES;
use crate::exec::kernels::{self, Cpu};
use crate::exec::room::Room;
use crate::num::Word;
use crate::tensor::{Frames, Shape};

/// Values whose magnitude is proven to be less than this are computed in 32 bits.
pub const WIDE: i64 = 1 << 30;

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
    /// True for words of 64 bits.
    pub wide: bool,
}

impl Layout {
    /// Layout of words of 32 bits, or of spikes with `packed` channels per byte.
    pub fn new(frames: usize, shape: Shape, packed: Option<usize>) -> Self {
        Self { frames, shape, stride: stride_of(frames * shape.positions()), packed, wide: false }
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
    pub bytes: Room<u8>,
    /// Anything else that fits 32 bits.
    pub words: Room<i32>,
    /// What does not.
    pub wide: Room<i64>,
}

impl Buffer {
    /// Makes room for `layout`. Spikes start at 0; words keep what they were.
    pub fn fit(&mut self, layout: &Layout) {
        let length = layout.rows() * layout.stride;
        match (layout.packed, layout.wide) {
            (Some(_), _) => self.bytes.at_least(length).fill(0),
            (None, false) => _ = self.words.at_least(length),
            (None, true) => _ = self.wide.at_least(length),
        }
    }
}

/// Columns of a row that holds `values`.
pub fn stride_of(values: usize) -> usize {
    values.next_multiple_of(LANES)
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

    /// Writes the meaningful columns of a channel of words, or of packed spikes, to `out`.
    pub fn unpacked_row(self, cpu: Cpu, channel: usize, out: &mut [i32]) {
        match self.layout.packed {
            Some(width) => {
                kernels::unpack(cpu, self.byte_row(channel / width), (channel % width) as u32, out);
            }
            None => out.copy_from_slice(self.word_row(channel)),
        }
    }

    /// The meaningful columns of a channel, in 64 bits.
    pub fn wide_row<'r>(self, channel: usize, room: &'r mut Vec<i64>) -> &'r [i64]
    where
        'a: 'r,
    {
        if self.layout.wide {
            return &self.buffer.wide[channel * self.layout.stride..][..self.layout.columns()];
        }
        room.clear();
        match self.layout.packed {
            Some(width) => {
                let bit = |&byte: &u8| i64::from(byte >> (channel % width) & 1);
                room.extend(self.byte_row(channel / width).iter().map(bit));
            }
            None => room.extend(self.word_row(channel).iter().map(|&x| i64::from(x))),
        }
        room
    }

    /// The value in frames, as the scalar executor holds them.
    pub fn to_frames(self) -> Frames<i64> {
        let shape = self.layout.shape;
        let mut data = vec![0; self.layout.columns() * shape.channels];
        let mut room = Vec::new();
        for channel in 0..shape.channels {
            let out = data[channel..].iter_mut().step_by(shape.channels);
            out.zip(self.wide_row(channel, &mut room)).for_each(|(out, &x)| *out = x);
        }
        Frames { frames: self.layout.frames, shape, data }
    }
}

impl Buffer {
    /// The values of `frames`, as [`Value::to_frames`] yields them.
    pub fn write(&mut self, frames: &Frames<i64>, layout: &Layout) {
        let channels = layout.shape.channels;
        for channel in 0..channels {
            let values = frames.data[channel..].iter().step_by(channels);
            match (layout.packed, layout.wide) {
                (Some(width), _) => {
                    let row = &mut self.bytes[channel / width * layout.stride..];
                    row.iter_mut().zip(values).for_each(|(byte, &x)| *byte |= (x as u8) << (channel % width));
                }
                (None, false) => {
                    let row = &mut self.words[channel * layout.stride..];
                    row.iter_mut().zip(values).for_each(|(word, &x)| *word = i32::narrow(x));
                }
                (None, true) => {
                    let row = &mut self.wide[channel * layout.stride..];
                    row.iter_mut().zip(values).for_each(|(word, &x)| *word = x);
                }
            }
        }
    }
}
