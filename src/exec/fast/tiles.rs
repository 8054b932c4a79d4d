//! A few output channels of a weight layer at a time, and what follows them.

use std::cell::RefCell;

use rayon::prelude::*;

use super::kernel::{LayerKernel, Scratch};
use super::neuron::NeuronScratch;
use super::source::LayerInput;
use super::threads::{self, MACS_OF_A_THREAD, TILES_OF_A_THREAD};
use crate::exec::room::Room;

thread_local! {
    static SUMS: RefCell<Room<i32>> = RefCell::default();
}

/// A weight layer and what it reads: computes any of its output channels, on any thread.
#[derive(Debug, Clone, Copy)]
pub struct Ready<'r> {
    /// Weights.
    pub kernel: &'r dyn LayerKernel,
    /// What is read.
    pub input: LayerInput<'r>,
    /// Where the kernel prepared it.
    pub scratch: &'r Scratch,
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
    /// X of all output channels: rows of `gather.stride` in `out`.
    pub fn run(&self, out: &mut [i32]) {
        self.kernel.run(self.input, self.scratch, out);
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
        let LayerInput { cpu, gather, .. } = self.input;
        let stride = gather.stride;
        let most = self.kernel.channels_of_a_tile(cpu, stride);
        let macs = self.kernel.work_of_an_output(cpu) * outs * stride;
        let parallel = threads::are_worth(macs, MACS_OF_A_THREAD);
        let parts = if parallel { TILES_OF_A_THREAD * rayon::current_num_threads() } else { 1 };
        let channels = most.min(outs.div_ceil(parts));
        let rows = (channels / target.channels).max(1);
        let tile = |counts: &mut NeuronScratch, (tile, out): (usize, &mut [T])| {
            let first = tile * rows * target.channels;
            let count = (rows * target.channels).min(outs - first);
            SUMS.with_borrow_mut(|sums| {
                let sums = sums.at_least(count * stride);
                self.kernel.channels(self.input, self.scratch, first, sums);
                follow(counts, first, sums, out);
            });
        };
        let length = rows * target.stride;
        if parallel {
            counts.in_parallel(target.rows.par_chunks_mut(length).enumerate(), tile)
        } else {
            target.rows.chunks_mut(length).enumerate().for_each(|one| tile(counts, one))
        }
    }
}
