//! The input of a weight layer, row by row, with what lies around a map where a window reads it.

use super::gather::Gather;
use super::value::Value;
use crate::exec::kernels::{self, Cpu};
use crate::exec::room::Room;

/// The value that a weight layer reads.
#[derive(Debug, Clone, Copy)]
pub struct LayerInput<'r> {
    /// The processor.
    pub cpu: Cpu,
    /// What the taps of the layer read.
    pub gather: &'r Gather,
    /// All channels.
    pub value: Value<'r>,
}

/// Rows of packed spikes, with what lies around them where something reads it.
#[derive(Debug, Clone, Copy)]
pub struct PackedSource<'a> {
    bytes: &'a [u8],
    length: usize,
}

/// Room for rows of packed spikes.
#[derive(Debug, Default)]
pub struct PackedRoom {
    packed: Room<u8>,
    surrounded: Vec<u8>,
}

impl PackedRoom {
    /// Prepares all rows of `input`, or of the lowest `planes` bits of its counts, plane after plane.
    pub fn read(&mut self, input: LayerInput, planes: u32) {
        let LayerInput { cpu, gather, value } = input;
        let packed = match value.layout.packed {
            Some(_) => value.bytes(),
            None => pack(cpu, value, planes, &mut self.packed),
        };
        if !gather.is_identity() {
            gather.surround(packed.chunks_exact(value.layout.stride), &mut self.surrounded);
        }
    }
}

impl<'a> PackedSource<'a> {
    /// What `room` holds of `input`, for which it was prepared.
    pub fn new(input: LayerInput<'a>, room: &'a PackedRoom) -> Self {
        let LayerInput { gather, value, .. } = input;
        match (gather.is_identity(), value.layout.packed) {
            (false, _) => Self { bytes: &room.surrounded, length: gather.surrounded_length() },
            (true, Some(_)) => Self { bytes: value.bytes(), length: value.layout.stride },
            (true, None) => Self { bytes: &room.packed, length: value.layout.stride },
        }
    }

    /// A row.
    pub fn row(&self, row: usize) -> &'a [u8] {
        &self.bytes[row * self.length..][..self.length]
    }
}

/// Bit planes of counts: `[plane][row of packed channels]`.
fn pack<'r>(cpu: Cpu, input: Value, planes: u32, room: &'r mut Room<u8>) -> &'r [u8] {
    let (width, stride) = (cpu.inputs_per_table(), input.layout.stride);
    let channels = input.layout.shape.channels;
    let rows = channels.div_ceil(width);
    let packed = room.at_least(planes as usize * rows * stride);
    packed.fill(0);
    for (plane, packed) in packed.chunks_exact_mut(rows * stride).enumerate() {
        for (channel, x) in input.words().chunks_exact(stride).enumerate() {
            let row = &mut packed[channel / width * stride..][..stride];
            kernels::pack_bit(cpu, x, plane as u32, (channel % width) as u32, row);
        }
    }
    packed
}

/// Rows of words, with what lies around them where something reads it.
#[derive(Debug, Clone, Copy)]
pub struct WordSource<'a> {
    rows: &'a [i32],
    length: usize,
    /// What the padding holds, per input channel; empty for zeros.
    padding: &'a [i32],
    /// True if there is nothing around them.
    identity: bool,
}

/// Room for rows of words.
#[derive(Debug, Default)]
pub struct WordRoom {
    /// Packed spikes as words.
    unpacked: Room<i32>,
    surrounded: Vec<i32>,
}

impl WordRoom {
    /// Prepares all rows of `input`.
    pub fn read(&mut self, input: LayerInput) {
        self.read_plain(input);
        if !input.gather.is_identity() {
            let rows = plain_rows(input.value, &self.unpacked);
            input.gather.surround(rows.chunks_exact(input.value.layout.stride), &mut self.surrounded);
        }
    }

    /// Prepares all rows of `input` with nothing around them.
    pub fn read_plain(&mut self, LayerInput { cpu, value, .. }: LayerInput) {
        let Some(width) = value.layout.packed else { return };
        let stride = value.layout.stride;
        let words = self.unpacked.at_least(value.layout.shape.channels * stride);
        for (channel, out) in words.chunks_exact_mut(stride).enumerate() {
            let row = &value.bytes()[channel / width * stride..][..stride];
            kernels::unpack(cpu, row, (channel % width) as u32, out);
        }
    }
}

/// Rows of words, or of spikes that were unpacked.
fn plain_rows<'a>(value: Value<'a>, unpacked: &'a [i32]) -> &'a [i32] {
    match value.layout.packed {
        None => value.words(),
        Some(_) => &unpacked[..value.layout.shape.channels * value.layout.stride],
    }
}

impl<'a> WordSource<'a> {
    /// What `room` holds of `input`, for which it was prepared.
    pub fn new(input: LayerInput<'a>, padding: &'a [i32], room: &'a WordRoom) -> Self {
        if input.gather.is_identity() {
            return Self::plain(input, padding, room);
        }
        let length = input.gather.surrounded_length();
        Self { rows: &room.surrounded, length, padding, identity: false }
    }

    /// What `room` holds of `input` with nothing around it.
    pub fn plain(input: LayerInput<'a>, padding: &'a [i32], room: &'a WordRoom) -> Self {
        let (rows, length) = (plain_rows(input.value, &room.unpacked), input.value.layout.stride);
        Self { rows, length, padding, identity: true }
    }

    /// A row, and what its padding holds.
    pub fn row(&self, channel: usize) -> (&'a [i32], i32) {
        let padding = self.padding.get(channel).copied().unwrap_or(0);
        (&self.rows[channel * self.length..][..self.length], padding)
    }

    /// What `tap` reads of a channel, from column `from` on.
    pub fn read(&self, cpu: Cpu, gather: &Gather, tap: usize, channel: usize, from: usize, out: &mut [i32]) {
        if self.identity {
            out.copy_from_slice(&self.row(channel).0[from..][..out.len()])
        } else {
            gather.words(cpu, tap, self.row(channel), from, out)
        }
    }

    /// Adds what `tap` reads of a channel times `factor`, from column `from` on.
    pub fn add_scaled(
        &self,
        cpu: Cpu,
        gather: &Gather,
        (tap, factor): (usize, i32),
        channel: usize,
        from: usize,
        out: &mut [i32],
    ) {
        if self.identity {
            kernels::add_scaled(cpu, factor, &self.row(channel).0[from..][..out.len()], out)
        } else {
            gather.add_scaled(cpu, (tap, factor), self.row(channel), from, out)
        }
    }
}
