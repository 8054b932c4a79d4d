//! Max pooling, in passes along rows and along columns.

use std::sync::Arc;

use super::gather::Gather;
use super::value::{Value, at_least};
use crate::exec::kernels::Cpu;

/// Room for rows between passes.
#[derive(Debug, Default)]
pub struct PoolScratch {
    surrounded_bytes: Vec<u8>,
    bytes: Vec<u8>,
    surrounded_words: Vec<i32>,
    words: Vec<i32>,
}

/// An OR over each window.
pub fn pool_spikes(cpu: Cpu, passes: &[Arc<Gather>], input: Value, room: &mut PoolScratch, out: &mut [u8]) {
    let stride = passes[passes.len() - 1].stride;
    for (x, out) in input.bytes().chunks_exact(input.layout.stride).zip(out.chunks_exact_mut(stride)) {
        let bytes = at_least(&mut room.bytes, input.layout.stride.max(stride));
        bytes[..x.len()].copy_from_slice(x);
        for pass in passes {
            let row = &bytes[..pass.in_stride()];
            let length = pass.surround(std::iter::once(row), &mut room.surrounded_bytes);
            let row = &mut bytes[..pass.stride];
            row.fill(0);
            for tap in 0..pass.taps() {
                pass.or(cpu, tap, &room.surrounded_bytes[..length], row);
            }
        }
        out.copy_from_slice(&bytes[..stride]);
    }
}

/// The largest value of each window; padding never wins.
pub fn pool_words(cpu: Cpu, passes: &[Arc<Gather>], input: Value, room: &mut PoolScratch, out: &mut [i32]) {
    let stride = passes[passes.len() - 1].stride;
    for (x, out) in input.words().chunks_exact(input.layout.stride).zip(out.chunks_exact_mut(stride)) {
        let words = at_least(&mut room.words, input.layout.stride.max(stride));
        words[..x.len()].copy_from_slice(x);
        for pass in passes {
            let row = &words[..pass.in_stride()];
            let length = pass.surround(std::iter::once(row), &mut room.surrounded_words);
            let row = &mut words[..pass.stride];
            row.fill(i32::MIN);
            for tap in 0..pass.taps() {
                pass.max(cpu, tap, &room.surrounded_words[..length], row);
            }
        }
        out.copy_from_slice(&words[..stride]);
    }
}
