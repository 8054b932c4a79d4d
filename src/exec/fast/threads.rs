//! When work is worth a thread, and what a thread keeps from one piece of it to the next.

use std::cell::RefCell;

use rayon::prelude::*;

/// Multiply-accumulates that are worth a thread: some 12 microseconds of look-ups.
pub const MACS_OF_A_THREAD: usize = 1 << 24;
/// Tiles per thread: enough that a thread that starts late takes fewer.
pub const TILES_OF_A_THREAD: usize = 4;

thread_local! {
    static WIDE: RefCell<[Vec<i64>; 2]> = RefCell::default();
}

/// True if more than one thread has `of_a_thread` of `work` to do.
pub fn are_worth(work: usize, of_a_thread: usize) -> bool {
    work / of_a_thread > 1 && rayon::current_num_threads() > 1
}

/// Runs `work` on tiles of the rows of `out`, in parallel where that is worth it: `work` is told the first
/// row of its tile.
pub fn in_tiles<T: Send>(macs: usize, stride: usize, out: &mut [T], work: impl Fn(usize, &mut [T]) + Sync) {
    if !are_worth(macs, MACS_OF_A_THREAD) {
        return work(0, out);
    }
    let threads = rayon::current_num_threads().min(macs / MACS_OF_A_THREAD);
    let rows = (out.len() / stride).div_ceil(TILES_OF_A_THREAD * threads);
    let tiles = out.par_chunks_mut(rows * stride).enumerate();
    tiles.for_each(|(tile, out)| work(tile * rows, out));
}

/// Runs `work` with room of this thread for two rows of 64-bit values.
pub fn with_wide_rows<R>(work: impl FnOnce(&mut [Vec<i64>; 2]) -> R) -> R {
    WIDE.with_borrow_mut(work)
}
