//! Max pooling, in passes along rows and along columns, and sums over windows.

use std::cell::RefCell;
use std::sync::Arc;

use rayon::prelude::*;

use super::gather::Gather;
use super::threads;
use super::value::{Layout, Value, at_least};
use crate::exec::kernels::{self, Cpu};

/// Values that are worth a thread.
const WORK_OF_A_THREAD: usize = 1 << 17;

/// Room of a thread for a row between passes.
#[derive(Debug, Default)]
struct RowRoom<T> {
    surrounded: Vec<T>,
    row: Vec<T>,
}

thread_local! {
    static BYTES: RefCell<RowRoom<u8>> = RefCell::default();
    static WORDS: RefCell<RowRoom<i32>> = RefCell::default();
}

/// An OR over each window.
pub fn pool_spikes(cpu: Cpu, passes: &[Arc<Gather>], input: Value, out: &mut [u8]) {
    each_row(passes, input.bytes(), input.layout.stride, out, |x, out| {
        let or = |gather: &Gather, tap: usize, row: &[u8], out: &mut [u8]| gather.or(cpu, tap, row, out);
        BYTES.with_borrow_mut(|room| room.pool(passes, x, 0, or, out));
    });
}

/// The largest value of each window; padding never wins.
pub fn pool_words(cpu: Cpu, passes: &[Arc<Gather>], input: Value, out: &mut [i32]) {
    each_row(passes, input.words(), input.layout.stride, out, |x, out| {
        let max = |gather: &Gather, tap: usize, row: &[i32], out: &mut [i32]| gather.max(cpu, tap, row, out);
        WORDS.with_borrow_mut(|room| room.pool(passes, x, i32::MIN, max, out));
    });
}

/// The sum of each window, of spikes or of words.
pub fn sum_windows(cpu: Cpu, gather: &Gather, input: Value, out: &mut [i32]) {
    let sum = |(channel, out): (usize, &mut [i32])| {
        WORDS.with_borrow_mut(|room| {
            let row = at_least(&mut room.row, gather.in_stride());
            input.unpacked_row(cpu, channel, &mut row[..input.layout.columns()]);
            let length = gather.surround(std::iter::once(&row[..gather.in_stride()]), &mut room.surrounded);
            out.fill(0);
            for tap in 0..gather.taps() {
                gather.add(cpu, tap, &room.surrounded[..length], out);
            }
        });
    };
    let rows = out.par_chunks_exact_mut(gather.stride).enumerate();
    if threads::are_worth(input.layout.columns() * input.layout.shape.channels, WORK_OF_A_THREAD) {
        rows.for_each(sum);
    } else {
        out.chunks_exact_mut(gather.stride).enumerate().for_each(sum);
    }
}

/// Shows `work` each row that is read with the one that is written.
fn each_row<T: Send + Sync>(
    passes: &[Arc<Gather>],
    input: &[T],
    in_stride: usize,
    out: &mut [T],
    work: impl Fn(&[T], &mut [T]) + Sync,
) {
    let stride = passes[passes.len() - 1].stride;
    if threads::are_worth(input.len(), WORK_OF_A_THREAD) {
        let rows = input.par_chunks_exact(in_stride).zip(out.par_chunks_exact_mut(stride));
        rows.for_each(|(x, out)| work(x, out));
    } else {
        let rows = input.chunks_exact(in_stride).zip(out.chunks_exact_mut(stride));
        rows.for_each(|(x, out)| work(x, out));
    }
}

impl<T: Copy + Default> RowRoom<T> {
    /// A row through all passes, each of which folds what its taps read, from `nothing` on.
    fn pool(
        &mut self,
        passes: &[Arc<Gather>],
        x: &[T],
        nothing: T,
        fold: impl Fn(&Gather, usize, &[T], &mut [T]),
        out: &mut [T],
    ) {
        let row = at_least(&mut self.row, x.len().max(out.len()));
        row[..x.len()].copy_from_slice(x);
        for pass in passes {
            let length = pass.surround(std::iter::once(&row[..pass.in_stride()]), &mut self.surrounded);
            row[..pass.stride].fill(nothing);
            for tap in 0..pass.taps() {
                fold(pass, tap, &self.surrounded[..length], &mut row[..pass.stride]);
            }
        }
        out.copy_from_slice(&row[..out.len()]);
    }
}

/// Room for the spikes of a layer.
#[derive(Debug, Default)]
pub struct PoolScratch {
    bytes: Vec<u8>,
}

/// An OR over 3x3 neighbours in the plane of tokens and channels of a head.
pub fn pool_plane(
    cpu: Cpu,
    input: Value,
    heads: usize,
    layout: &Layout,
    room: &mut PoolScratch,
    out: &mut [u8],
) {
    let (channels, packed) = (layout.shape.channels / heads, cpu.inputs_per_table());
    // First over neighbouring tokens, all channels of a byte at once.
    let tokens = at_least(&mut room.bytes, layout.rows() * layout.stride);
    tokens.copy_from_slice(input.bytes());
    for (x, tokens) in input.bytes().chunks_exact(layout.stride).zip(tokens.chunks_exact_mut(layout.stride)) {
        for t in 0..layout.frames {
            let (x, tokens) = (&x[layout.frame(t)], &mut tokens[layout.frame(t)]);
            let last = x.len() - 1;
            tokens[1..].iter_mut().zip(&x[..last]).for_each(|(token, before)| *token |= before);
            tokens[..last].iter_mut().zip(&x[1..]).for_each(|(token, behind)| *token |= behind);
        }
    }
    for channel in 0..layout.shape.channels {
        let first = channel / channels * channels;
        let row = &mut out[channel / packed * layout.stride..][..layout.stride];
        for near in channel.saturating_sub(1).max(first)..(channel + 2).min(first + channels) {
            let tokens = &tokens[near / packed * layout.stride..][..layout.stride];
            kernels::move_bit(cpu, tokens, (near % packed) as u32, (channel % packed) as u32, row);
        }
    }
}
