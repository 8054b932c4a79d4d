//! Max pooling, in passes along rows and along columns.

use std::sync::Arc;

use super::gather::Gather;
use super::value::{Layout, Value, at_least};
use crate::exec::kernels::{self, Cpu};

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
