//! Weight layers that no other kernel holds: one multiplication by a constant after the other.

use std::cell::RefCell;

use super::gather::Gather;
use super::layer::{dense, words};
use super::padded::Padded;
use super::value::{Value, at_least};
use crate::exec::kernels::{self, Cpu};
use crate::quant::QuantizedWeighted;

/// A multiplication of a row by a constant takes as long as so many that are looked up.
const SLOWER_THAN_LOOKUPS: usize = 64;
/// Columns whose sums are made at once, and stay in the first-level cache.
const COLUMNS: usize = 1024;

/// Inputs and weights of any width whose sums fit 32 bits.
#[derive(Debug)]
pub struct WordLayer {
    /// `[out][tap][in]`.
    weights: Vec<i32>,
    shift: u32,
    bias: Vec<i32>,
    groups: usize,
    /// Input channels of a group.
    per_group: usize,
}

/// Rows of words that a layer reads, with what lies around them.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    rows: &'a [i32],
    length: usize,
    /// What the padding holds, per input channel; empty for zeros.
    padding: &'a [i32],
    /// True if there is nothing around them.
    identity: bool,
}

/// Room of a thread for one channel.
#[derive(Debug, Default)]
struct PaddedRoom {
    map: Vec<i32>,
    /// Distances and weights.
    taps: Vec<(usize, i32)>,
    sums: Vec<i32>,
}

thread_local! {
    static PADDED: RefCell<PaddedRoom> = RefCell::default();
}

/// Room for the rows of a source.
#[derive(Debug, Default)]
pub struct SourceRoom {
    /// Packed spikes as words.
    pub unpacked: Vec<i32>,
    surrounded: Vec<i32>,
}

impl<'a> Source<'a> {
    /// All rows of `input`, with what lies around them where something reads it.
    pub fn new(
        cpu: Cpu,
        gather: &Gather,
        input: Value<'a>,
        padding: &'a [i32],
        room: &'a mut SourceRoom,
    ) -> Self {
        let SourceRoom { unpacked, surrounded } = room;
        let plain = Self::plain(cpu, input, padding, unpacked);
        if gather.is_identity() {
            return plain;
        }
        let length = gather.surround(plain.rows.chunks_exact(plain.length), surrounded);
        Self { rows: surrounded, length, padding, identity: false }
    }

    /// All rows of `input` with nothing around them.
    pub fn plain(cpu: Cpu, input: Value<'a>, padding: &'a [i32], unpacked: &'a mut Vec<i32>) -> Self {
        let stride = input.layout.stride;
        let rows = match input.layout.packed {
            None => input.words(),
            Some(width) => {
                let words = at_least(unpacked, input.layout.shape.channels * stride);
                for (channel, out) in words.chunks_exact_mut(stride).enumerate() {
                    let row = &input.bytes()[channel / width * stride..][..stride];
                    kernels::unpack(cpu, row, (channel % width) as u32, out);
                }
                words
            }
        };
        Self { rows, length: stride, padding, identity: true }
    }

    fn row(&self, channel: usize) -> (&'a [i32], i32) {
        let padding = self.padding.get(channel).copied().unwrap_or(0);
        (&self.rows[channel * self.length..][..self.length], padding)
    }

    /// What `tap` reads of a channel, from column `from` on.
    pub fn read(&self, cpu: Cpu, gather: &Gather, tap: usize, channel: usize, from: usize, out: &mut [i32]) {
        match self.identity {
            true => out.copy_from_slice(&self.row(channel).0[from..][..out.len()]),
            false => gather.words(cpu, tap, self.row(channel), from, out),
        }
    }

    /// Adds what `tap` reads of a channel times `factor`, from column `from` on.
    fn add_scaled(
        &self,
        cpu: Cpu,
        gather: &Gather,
        (tap, factor): (usize, i32),
        channel: usize,
        from: usize,
        out: &mut [i32],
    ) {
        match self.identity {
            true => kernels::add_scaled(cpu, factor, &self.row(channel).0[from..][..out.len()], out),
            false => gather.add_scaled(cpu, (tap, factor), self.row(channel), from, out),
        }
    }
}

impl WordLayer {
    /// Lays out the weights.
    pub fn new(op: &QuantizedWeighted) -> Self {
        let g = &op.geometry;
        let (weights, bias) = (dense(op, 0..g.out_channels), words(&op.bias));
        Self { weights, shift: op.fraction_bits, bias, groups: g.groups, per_group: g.in_channels / g.groups }
    }

    /// Bytes of its weights.
    pub fn weight_bytes(&self) -> usize {
        size_of_val(&*self.weights)
    }

    /// Where it reads one channel per output in a map that keeps its size.
    pub fn padded<'g>(&self, gather: &'g Gather) -> Option<&'g Padded> {
        gather.padded.as_ref().filter(|_| self.per_group == 1 && !gather.is_identity())
    }

    /// Multiply-accumulates of look-ups that take as long as an output.
    pub fn work_of_an_output(&self) -> usize {
        self.weights.len() / self.bias.len() * SLOWER_THAN_LOOKUPS
    }

    /// X of the channels from `first` on, as many as `out` has rows of `gather.stride`.
    pub fn channels(&self, cpu: Cpu, gather: &Gather, source: &Source, first: usize, out: &mut [i32]) {
        let rows = (first..).zip(out.chunks_exact_mut(gather.stride));
        match self.padded(gather) {
            Some(padded) => PADDED.with_borrow_mut(|room| {
                rows.for_each(|(channel, out)| self.windows(cpu, padded, source, channel, room, out));
            }),
            None => rows.for_each(|(channel, out)| self.products(cpu, gather, source, channel, out)),
        }
    }

    /// X of `channel` from a map with its padding.
    fn windows(
        &self,
        cpu: Cpu,
        padded: &Padded,
        source: &Source,
        channel: usize,
        PaddedRoom { map, taps, sums }: &mut PaddedRoom,
        out: &mut [i32],
    ) {
        let (values, padding) = source.row(channel / (self.bias.len() / self.groups));
        let map = padded.surround(values, padding, map);
        let weights = self.weights.chunks_exact(padded.distances.len());
        taps.clear();
        taps.extend(padded.distances.iter().copied().zip(weights.skip(channel).take(1).flatten().copied()));
        let sums = at_least(sums, padded.places());
        kernels::windows(cpu, taps, self.shift, self.bias[channel], map, sums);
        padded.compact(sums, out);
    }

    /// X of `channel`, one input after the other.
    fn products(&self, cpu: Cpu, gather: &Gather, source: &Source, channel: usize, out: &mut [i32]) {
        let fan_in = self.per_group * gather.taps();
        let group = channel / (self.bias.len() / self.groups);
        let weights = &self.weights[channel * fan_in..][..fan_in];
        for (i, out) in out.chunks_mut(COLUMNS).enumerate() {
            out.fill(0);
            for (input, &weight) in weights.iter().enumerate() {
                let (tap, from) = (input / self.per_group, group * self.per_group + input % self.per_group);
                source.add_scaled(cpu, gather, (tap, weight), from, i * COLUMNS, out);
            }
            kernels::shift_and_bias(cpu, self.shift, self.bias[channel], out);
        }
    }
}
