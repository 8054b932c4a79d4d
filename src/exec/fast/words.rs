//! Weight layers that no other kernel holds: one multiplication by a constant after the other.

use std::cell::RefCell;

use super::codes::{dense, words};
use super::gather::Gather;
use super::kernel::{LayerKernel, Scratch, Wanted};
use super::padded::Padded;
use super::source::{LayerInput, WordSource};
use crate::exec::kernels::{self, Cpu};
use crate::exec::room::Room;

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
    /// What the padding holds, per input channel; empty for zeros.
    padding: Vec<i32>,
}

/// Room of a thread for one channel.
#[derive(Debug, Default)]
struct PaddedRoom {
    map: Room<i32>,
    /// Distances and weights.
    taps: Vec<(usize, i32)>,
    sums: Room<i32>,
}

thread_local! {
    static PADDED: RefCell<PaddedRoom> = RefCell::default();
}

impl WordLayer {
    /// Lays out the weights; `None` where sums take more than 32 bits.
    pub fn new(wanted: &Wanted) -> Option<Self> {
        let op = wanted.op;
        let g = &op.geometry;
        wanted.fits().then(|| Self {
            weights: dense(op, 0..g.out_channels),
            shift: op.fraction_bits,
            bias: words(&op.bias),
            groups: g.groups,
            per_group: g.in_channels / g.groups,
            padding: wanted.padding.to_vec(),
        })
    }

    /// Where it reads one channel per output in a map that keeps its size.
    fn padded<'g>(&self, gather: &'g Gather) -> Option<&'g Padded> {
        gather.padded.as_ref().filter(|_| self.per_group == 1 && !gather.is_identity())
    }

    /// X of `channel` from a map with its padding.
    fn windows(
        &self,
        cpu: Cpu,
        padded: &Padded,
        source: &WordSource,
        channel: usize,
        PaddedRoom { map, taps, sums }: &mut PaddedRoom,
        out: &mut [i32],
    ) {
        let (values, padding) = source.row(channel / (self.bias.len() / self.groups));
        let map = padded.surround(values, padding, map);
        let weights = self.weights.chunks_exact(padded.distances.len());
        taps.clear();
        taps.extend(padded.distances.iter().copied().zip(weights.skip(channel).take(1).flatten().copied()));
        let sums = sums.at_least(padded.places());
        kernels::windows(cpu, taps, self.shift, self.bias[channel], map, sums);
        padded.compact(sums, out);
    }

    /// X of `channel`, one input after the other.
    fn products(&self, cpu: Cpu, gather: &Gather, source: &WordSource, channel: usize, out: &mut [i32]) {
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

impl LayerKernel for WordLayer {
    fn memory_bytes(&self) -> usize {
        size_of_val(&*self.weights)
    }

    fn prepare(&self, input: LayerInput, scratch: &mut Scratch) {
        match self.padded(input.gather) {
            Some(_) => scratch.words.read_plain(input),
            None => scratch.words.read(input),
        }
    }

    fn channels(&self, input: LayerInput, scratch: &Scratch, first: usize, out: &mut [i32]) {
        let LayerInput { cpu, gather, .. } = input;
        let rows = (first..).zip(out.chunks_exact_mut(gather.stride));
        match self.padded(gather) {
            Some(padded) => PADDED.with_borrow_mut(|room| {
                let source = WordSource::plain(input, &self.padding, &scratch.words);
                rows.for_each(|(channel, out)| self.windows(cpu, padded, &source, channel, room, out));
            }),
            None => {
                let source = WordSource::new(input, &self.padding, &scratch.words);
                rows.for_each(|(channel, out)| self.products(cpu, gather, &source, channel, out));
            }
        }
    }

    fn work_of_an_output(&self, _cpu: Cpu) -> usize {
        self.weights.len() / self.bias.len() * SLOWER_THAN_LOOKUPS
    }
}
