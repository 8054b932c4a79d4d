//! Spiking attention, masks and sums.

use std::cell::RefCell;

use rayon::prelude::*;

use super::threads;
use super::value::{Layout, Value, stride_of};
use crate::exec::kernels::{self, Cpu, LANES, Packs, ProductMatrix};
use crate::exec::room::Room;
use crate::model::Gate;

/// Room of a thread for a head.
#[derive(Debug, Default)]
struct HeadRoom {
    q: Room<i32>,
    k: Head,
    v: Head,
    /// k^T v as `[channel of v][channel of k]`.
    counts: Room<i32>,
    matrix: ProductMatrix,
    pairs: Room<i32>,
    sums: Room<i32>,
}

/// The channels of a head at one timestep, a row of tokens each.
#[derive(Debug, Default)]
struct Head {
    /// Spikes, a bit per token.
    bits: Room<u64>,
    /// Anything else.
    words: Room<i32>,
}

thread_local! {
    static ROOM: RefCell<HeadRoom> = RefCell::default();
}

/// Multiplications that are worth a thread.
const WORK_OF_A_THREAD: usize = 1 << 21;

/// Per channel, the tokens where key and value both fire.
pub fn key_value_count(cpu: Cpu, k: Value, v: Value, layout: &Layout, out: &mut [i32]) {
    let width = cpu.inputs_per_table();
    for (channel, out) in out.chunks_exact_mut(layout.stride).enumerate() {
        let row = channel / width;
        for (t, out) in out[..layout.frames].iter_mut().enumerate() {
            let (k, v) = (&k.byte_row(row)[k.layout.frame(t)], &v.byte_row(row)[v.layout.frame(t)]);
            *out = kernels::count_both(cpu, k, v, 1 << (channel % width)) as i32;
        }
    }
}

/// Per token and head, the channels that fire.
pub fn channel_count(cpu: Cpu, q: Value, heads: usize, layout: &Layout, out: &mut [i32]) {
    let width = cpu.inputs_per_table();
    let channels = q.layout.shape.channels / heads;
    out.fill(0);
    for (head, out) in out.chunks_exact_mut(layout.stride).enumerate() {
        let (first, last) = (head * channels, (head + 1) * channels - 1);
        for row in first / width..=last / width {
            let inside = |bit: &usize| (first..=last).contains(&(row * width + bit));
            let mask = (0..width).filter(inside).fold(0, |mask, bit| mask | 1 << bit);
            kernels::add_bits(cpu, q.byte_row(row), mask, &mut out[..layout.columns()]);
        }
    }
}

/// q (k^T v), head by head.
pub fn product(cpu: Cpu, qkv: [Value; 3], heads: usize, layout: &Layout, out: &mut [i32]) {
    let length = out.len() / heads;
    let head = |(head, out): (usize, &mut [i32])| {
        ROOM.with_borrow_mut(|room| {
            (0..layout.frames).for_each(|t| room.product(cpu, qkv, (head, heads), t, layout, out));
        });
    };
    let multiplications = qkv[0].layout.shape.channels / heads * out.len();
    if threads::are_worth(multiplications, WORK_OF_A_THREAD) {
        out.par_chunks_exact_mut(length).enumerate().for_each(head)
    } else {
        out.chunks_exact_mut(length).enumerate().for_each(head)
    }
}

impl HeadRoom {
    /// q (k^T v) of a head at timestep `t`, into its rows.
    fn product(
        &mut self,
        cpu: Cpu,
        [q, k, v]: [Value; 3],
        (head, heads): (usize, usize),
        t: usize,
        layout: &Layout,
        out: &mut [i32],
    ) {
        let tokens = layout.shape.positions();
        let (width, v_width) = (q.layout.shape.channels / heads, layout.shape.channels / heads);
        let bits = k.layout.packed.is_some() && v.layout.packed.is_some();
        self.k.read(cpu, k, t, head * width, width, bits);
        self.v.read(cpu, v, t, head * v_width, v_width, bits);
        let counts = self.counts.at_least(width * v_width);
        if bits {
            let words = tokens.div_ceil(64);
            let (k, v) = (&self.k.bits[..width * words], &self.v.bits[..v_width * words]);
            kernels::count_common(cpu, k, v, words, counts);
        } else {
            let (k, v) = (&self.k.words[..width * tokens], &self.v.words[..v_width * tokens]);
            for (v, counts) in v.chunks_exact(tokens).zip(counts.chunks_exact_mut(width)) {
                let each = counts.iter_mut().zip(k.chunks_exact(tokens));
                each.for_each(|(count, k)| *count = kernels::dot(cpu, k, v));
            }
        }
        let q_words = self.q.at_least(width * tokens);
        unpack(cpu, q, t, head * width, q_words);
        let small = q.layout.packed.is_some() && self.matrix.assign(counts, width);
        let rows = out.chunks_exact_mut(layout.stride).map(|row| &mut row[layout.frame(t)]);
        if small {
            let stride = stride_of(tokens);
            pair_up(cpu, q_words, tokens, self.pairs.at_least(width.div_ceil(2) * stride));
            let pairs = Packs { values: &self.pairs, rows: width.div_ceil(2), start: 0 };
            let sums = self.sums.at_least(v_width * stride);
            kernels::products(cpu, &self.matrix, 0, pairs, stride, sums);
            rows.zip(sums.chunks_exact(stride)).for_each(|(out, sums)| out.copy_from_slice(&sums[..tokens]));
        } else {
            for (out, counts) in rows.zip(counts.chunks_exact(width)) {
                out.fill(0);
                let terms = counts.iter().zip(q_words.chunks_exact(tokens));
                terms.for_each(|(&count, q)| kernels::add_scaled(cpu, count, q, out));
            }
        }
    }
}

/// Rows of `tokens` values, two by two in blocks of columns.
fn pair_up(cpu: Cpu, rows: &[i32], tokens: usize, pairs: &mut [i32]) {
    let count = rows.len() / tokens;
    for (i, block) in pairs.chunks_exact_mut(count.div_ceil(2) * LANES).enumerate() {
        let columns = i * LANES..tokens.min((i + 1) * LANES);
        for (pair, out) in block.chunks_exact_mut(LANES).enumerate() {
            let row = |row: usize| &rows[row * tokens..][columns.clone()];
            // The second of an odd last pair is met by a weight of 0.
            kernels::pack_words(cpu, [row(2 * pair), row((2 * pair + 1).min(count - 1))], out);
        }
    }
}

impl Head {
    /// Reads `count` channels from `first` on at timestep `t`, as bits or as words.
    fn read(&mut self, cpu: Cpu, value: Value, t: usize, first: usize, count: usize, bits: bool) {
        let frame = value.layout.frame(t);
        match value.layout.packed {
            Some(width) if bits => {
                let length = frame.len().div_ceil(64);
                for (i, out) in self.bits.at_least(count * length).chunks_exact_mut(length).enumerate() {
                    let row = &value.byte_row((first + i) / width)[frame.clone()];
                    kernels::pack_columns(cpu, row, ((first + i) % width) as u32, out);
                }
            }
            _ => unpack(cpu, value, t, first, self.words.at_least(count * frame.len())),
        }
    }
}

/// Channels from `first` on at timestep `t`, as many as `out` has room for.
fn unpack(cpu: Cpu, value: Value, t: usize, first: usize, out: &mut [i32]) {
    let frame = value.layout.frame(t);
    for (i, out) in out.chunks_exact_mut(frame.len()).enumerate() {
        let channel = first + i;
        match value.layout.packed {
            Some(width) => {
                let row = &value.byte_row(channel / width)[frame.clone()];
                kernels::unpack(cpu, row, (channel % width) as u32, out);
            }
            None => out.copy_from_slice(&value.word_row(channel)[frame.clone()]),
        }
    }
}

/// Spikes AND a mask with one position, or with one channel per head.
pub fn mask(cpu: Cpu, spikes: Value, by: Value, layout: &Layout, out: &mut [u8]) {
    let width = cpu.inputs_per_table();
    let shape = layout.shape;
    let once = by.layout.shape.positions() == 1;
    for (row, out) in out.chunks_exact_mut(layout.stride).enumerate() {
        for t in 0..layout.frames {
            let (x, out) = (&spikes.byte_row(row)[spikes.layout.frame(t)], &mut out[layout.frame(t)]);
            if once && by.layout.shape.channels == shape.channels {
                kernels::and_all(cpu, x, by.byte_row(row)[by.layout.frame(t).start], out);
                continue;
            }
            for channel in row * width..((row + 1) * width).min(shape.channels) {
                let head = channel * by.layout.shape.channels / shape.channels;
                let gate = &by.byte_row(head / width)[by.layout.frame(t)];
                let (from, to) = ((head % width) as u32, (channel % width) as u32);
                if once {
                    out.iter_mut().for_each(|out| *out |= ((gate[0] >> from) & 1) << to)
                } else {
                    kernels::move_bit(cpu, gate, from, to, out)
                }
            }
            out.iter_mut().zip(x).for_each(|(out, x)| *out &= x);
        }
    }
}

/// Spikes of a stream OR those of a branch, or AND NOT.
pub fn gate(gate: Gate, stream: Value, branch: Value, layout: &Layout, out: &mut [u8]) {
    let gate = |stream: u8, branch: u8| match gate {
        Gate::Or => stream | branch,
        Gate::AndNot => stream & !branch,
    };
    for (row, out) in out.chunks_exact_mut(layout.stride).enumerate() {
        for t in 0..layout.frames {
            let stream = &stream.byte_row(row)[stream.layout.frame(t)];
            let branch = &branch.byte_row(row)[branch.layout.frame(t)];
            let values = stream.iter().zip(branch);
            out[layout.frame(t)].iter_mut().zip(values).for_each(|(out, (&a, &b))| *out = gate(a, b));
        }
    }
}

/// Sums of spikes.
pub fn add_counts(cpu: Cpu, inputs: [Value; 2], layout: &Layout, out: &mut [i32]) {
    let width = cpu.inputs_per_table();
    for (channel, out) in out.chunks_exact_mut(layout.stride).enumerate() {
        out.fill(0);
        for input in inputs {
            for t in 0..layout.frames {
                let (from, out) = (input.layout.frame(t), &mut out[layout.frame(t)]);
                match input.layout.packed {
                    Some(_) => {
                        let row = &input.byte_row(channel / width)[from];
                        kernels::add_bits(cpu, row, 1 << (channel % width), out);
                    }
                    None => kernels::add(cpu, &input.word_row(channel)[from], out),
                }
            }
        }
    }
}

/// The sum over positions.
pub fn sum_tokens(cpu: Cpu, input: Value, layout: &Layout, out: &mut [i32]) {
    let width = cpu.inputs_per_table();
    for (channel, out) in out.chunks_exact_mut(layout.stride).enumerate() {
        for (t, out) in out[..layout.frames].iter_mut().enumerate() {
            let frame = input.layout.frame(t);
            *out = match input.layout.packed {
                Some(_) => {
                    let row = &input.byte_row(channel / width)[frame];
                    kernels::count_both(cpu, row, row, 1 << (channel % width)) as i32
                }
                None => kernels::sum(cpu, &input.word_row(channel)[frame]),
            };
        }
    }
}

/// The sum over timesteps.
pub fn sum_timesteps(cpu: Cpu, input: Value, timesteps: usize, layout: &Layout, out: &mut [i32]) {
    for (channel, out) in out.chunks_exact_mut(layout.stride).enumerate() {
        out.fill(0);
        for t in 0..timesteps {
            kernels::add(cpu, &input.word_row(channel)[input.layout.frame(t)], &mut out[layout.frame(0)]);
        }
    }
}
