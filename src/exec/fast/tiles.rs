//! A few output channels of a weight layer at a time, and what follows them.

use std::cell::RefCell;

use rayon::prelude::*;

use super::gather::Gather;
use super::grouped::GroupedLookup;
use super::lookup::{LookupLayer, PackedSource};
use super::neuron::NeuronScratch;
use super::products::ProductLayer;
use super::threads;
use super::value::at_least;
use super::words::{Source, WordLayer};
use crate::exec::kernels::{Cpu, Pairs};

/// Multiply-accumulates that are worth a thread: some 12 microseconds of look-ups.
const WORK_OF_A_THREAD: usize = 1 << 24;
/// So many that a thread that starts late takes fewer.
const TILES_OF_A_THREAD: usize = 4;
/// Bytes of X that stay in the second-level cache until what follows has read them.
const TILE_BYTES: usize = 1 << 19;

thread_local! {
    static SUMS: RefCell<Vec<i32>> = RefCell::default();
}

/// A weight layer and what it reads: computes any of its output channels, on any thread.
#[derive(Debug)]
pub struct Ready<'r> {
    pub cpu: Cpu,
    pub gather: &'r Gather,
    pub kernel: ReadyKernel<'r>,
}

/// A kernel and what it reads.
#[derive(Debug)]
pub enum ReadyKernel<'r> {
    /// With its index.
    Lookup(&'r LookupLayer, &'r [u8]),
    Grouped(&'r GroupedLookup, PackedSource<'r>),
    Products(&'r ProductLayer, Pairs<'r>),
    Words(&'r WordLayer, Source<'r>),
}

/// What is written behind a layer.
#[derive(Debug)]
pub struct Target<'t, T> {
    /// All rows.
    pub rows: &'t mut [T],
    /// Values of a row.
    pub stride: usize,
    /// Output channels that share a row.
    pub channels: usize,
}

impl Ready<'_> {
    /// X of the channels from `first` on, as many as `out` has rows.
    fn channels(&self, first: usize, out: &mut [i32]) {
        let (cpu, gather) = (self.cpu, self.gather);
        match &self.kernel {
            ReadyKernel::Lookup(layer, index) => {
                let channels = cpu.channels_of_a_tile();
                for (i, out) in out.chunks_mut(channels * gather.stride).enumerate() {
                    layer.channels(cpu, index, gather.stride, first + i * channels, out);
                }
            }
            ReadyKernel::Grouped(layer, source) => layer.channels(cpu, gather, *source, first, out),
            ReadyKernel::Products(layer, pairs) => layer.channels(cpu, *pairs, gather.stride, first, out),
            ReadyKernel::Words(layer, source) => layer.channels(cpu, gather, source, first, out),
        }
    }

    /// Multiply-accumulates of look-ups that take as long as `values` outputs.
    fn work(&self, values: usize) -> usize {
        values
            * match &self.kernel {
                ReadyKernel::Lookup(layer, _) => layer.work_of_an_output(self.cpu),
                ReadyKernel::Grouped(layer, _) => layer.work_of_an_output(self.cpu),
                ReadyKernel::Products(layer, _) => layer.work_of_an_output(),
                ReadyKernel::Words(layer, _) => layer.work_of_an_output(),
            }
    }

    /// X of all output channels: rows of `gather.stride` in `out`.
    pub fn run(&self, out: &mut [i32]) {
        in_tiles(self.work(out.len()), self.gather.stride, out, |first, out| self.channels(first, out));
    }

    /// What `follow` makes of X, of which only a few channels are in memory at a time: it is shown the first
    /// channel, rows of `gather.stride`, and the rows that they are made into; it may count.
    pub fn run_before<T: Send>(
        &self,
        target: Target<T>,
        outs: usize,
        counts: &mut NeuronScratch,
        follow: impl Fn(&mut NeuronScratch, usize, &[i32], &mut [T]) + Sync,
    ) {
        let stride = self.gather.stride;
        // Channels that read the same inputs share what is loaded of them.
        let most = match self.kernel {
            ReadyKernel::Lookup(..) | ReadyKernel::Products(..) => self.cpu.channels_of_a_tile(),
            ReadyKernel::Grouped(..) | ReadyKernel::Words(..) => TILE_BYTES / (size_of::<i32>() * stride),
        };
        let parallel = threads::are_worth(self.work(outs * stride), WORK_OF_A_THREAD);
        let parts = if parallel { TILES_OF_A_THREAD * rayon::current_num_threads() } else { 1 };
        let channels = most.min(outs.div_ceil(parts));
        let rows = (channels / target.channels).max(1);
        let tile = |counts: &mut NeuronScratch, (tile, out): (usize, &mut [T])| {
            let first = tile * rows * target.channels;
            let count = (rows * target.channels).min(outs - first);
            SUMS.with_borrow_mut(|sums| {
                let sums = at_least(sums, count * stride);
                self.channels(first, sums);
                follow(counts, first, sums, out);
            });
        };
        let length = rows * target.stride;
        match parallel {
            true => counts.in_parallel(target.rows.par_chunks_mut(length).enumerate(), tile),
            false => target.rows.chunks_mut(length).enumerate().for_each(|one| tile(counts, one)),
        }
    }
}

/// Runs `work` on tiles of the rows of `out`, in parallel where that is worth it: `work` is told the first
/// row of its tile.
pub fn in_tiles<T: Send>(macs: usize, stride: usize, out: &mut [T], work: impl Fn(usize, &mut [T]) + Sync) {
    if !threads::are_worth(macs, WORK_OF_A_THREAD) {
        return work(0, out);
    }
    let threads = rayon::current_num_threads().min(macs / WORK_OF_A_THREAD);
    let rows = (out.len() / stride).div_ceil(TILES_OF_A_THREAD * threads);
    let tiles = out.par_chunks_mut(rows * stride).enumerate();
    tiles.for_each(|(tile, out)| work(tile * rows, out));
}
