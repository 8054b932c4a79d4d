//! The largest values, and sums, of windows.

use std::cell::RefCell;

use rayon::prelude::*;

use super::gather::Gather;
use super::threads;
use super::value::{Layout, Value};
use crate::exec::kernels::{self, Cpu, Pooling};
use crate::exec::room::Room;
use crate::model::{ConvGeometry, Window};

/// Values that are worth a thread.
const WORK_OF_A_THREAD: usize = 1 << 17;

thread_local! {
    static BYTES: RefCell<Room<u8>> = RefCell::default();
    static WORDS: RefCell<SumRoom> = RefCell::default();
}

/// Room of a thread for a row of words, and for what lies around it.
#[derive(Debug, Default)]
struct SumRoom {
    row: Room<i32>,
    surrounded: Vec<i32>,
}

/// An OR over each window.
pub fn pool_spikes(cpu: Cpu, window: &Window, input: Value, layout: &Layout, out: &mut [u8]) {
    let windows = windows(window, input.layout, layout);
    each_row(input.bytes(), input.layout, layout, out, |x, out| {
        BYTES.with_borrow_mut(|room| {
            kernels::any_of_windows(cpu, windows, x, room.at_least(windows.room()), out);
        });
    });
}

/// The largest value of each window; padding never wins.
pub fn pool_words(cpu: Cpu, window: &Window, input: Value, layout: &Layout, out: &mut [i32]) {
    let windows = windows(window, input.layout, layout);
    each_row(input.words(), input.layout, layout, out, |x, out| {
        WORDS.with_borrow_mut(|room| {
            kernels::largest_of_windows(cpu, windows, x, room.row.at_least(windows.room()), out);
        });
    });
}

/// `window` on maps that lie as `input`, which become those of `output`.
fn windows(window: &Window, input: &Layout, output: &Layout) -> Pooling {
    let ConvGeometry { kernel, stride, pad, .. } = window.geometry(1);
    let size = |layout: &Layout| [layout.shape.height, layout.shape.width];
    Pooling { kernel, stride, pad, input: size(input), output: size(output) }
}

/// The sum of each window, of spikes or of words.
pub fn sum_windows(cpu: Cpu, gather: &Gather, input: Value, out: &mut [i32]) {
    let sum = |(channel, out): (usize, &mut [i32])| {
        WORDS.with_borrow_mut(|room| {
            let row = room.row.at_least(gather.in_stride());
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

/// Shows `work` the meaningful columns of each row that is read, with those of the one that is written.
fn each_row<T: Send + Sync>(
    input: &[T],
    from: &Layout,
    to: &Layout,
    out: &mut [T],
    work: impl Fn(&[T], &mut [T]) + Sync,
) {
    let one = |(x, out): (&[T], &mut [T])| work(&x[..from.columns()], &mut out[..to.columns()]);
    if threads::are_worth(input.len(), WORK_OF_A_THREAD) {
        input.par_chunks_exact(from.stride).zip(out.par_chunks_exact_mut(to.stride)).for_each(one);
    } else {
        input.chunks_exact(from.stride).zip(out.chunks_exact_mut(to.stride)).for_each(one);
    }
}

/// Room for the spikes of a layer.
#[derive(Debug, Default)]
pub struct PoolScratch {
    bytes: Room<u8>,
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
    let tokens = room.bytes.at_least(layout.rows() * layout.stride);
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
