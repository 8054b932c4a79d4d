//! When work is worth a thread, and what a thread keeps from one piece of it to the next.

use std::cell::RefCell;

use super::neuron::NeuronScratch;

thread_local! {
    static COUNTS: RefCell<NeuronScratch> = RefCell::default();
    static WIDE: RefCell<[Vec<i64>; 2]> = RefCell::default();
}

/// True if more than one thread has `of_a_thread` of `work` to do.
pub fn are_worth(work: usize, of_a_thread: usize) -> bool {
    work / of_a_thread > 1 && rayon::current_num_threads() > 1
}

/// Runs `work` with counters of this thread.
pub fn with_counts<R>(work: impl FnOnce(&mut NeuronScratch) -> R) -> R {
    COUNTS.with_borrow_mut(work)
}

/// Runs `work` with room of this thread for two rows of 64-bit values.
pub fn with_wide_rows<R>(work: impl FnOnce(&mut [Vec<i64>; 2]) -> R) -> R {
    WIDE.with_borrow_mut(work)
}
