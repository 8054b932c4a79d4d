//! Spiking attention, masks and sums.

use super::value::{Layout, Value, at_least};
use crate::exec::kernels::{self, Cpu};

/// Room for a head.
#[derive(Debug, Default)]
pub struct HeadScratch {
    q: Vec<i32>,
    k: Head,
    v: Head,
}

/// The channels of a head at one timestep, a row of tokens each.
#[derive(Debug, Default)]
struct Head {
    /// Spikes, a bit per token.
    bits: Vec<u64>,
    /// Anything else.
    words: Vec<i32>,
}

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
pub fn product(
    cpu: Cpu,
    [q, k, v]: [Value; 3],
    heads: usize,
    layout: &Layout,
    room: &mut HeadScratch,
    out: &mut [i32],
) {
    let tokens = layout.shape.positions();
    let (width, v_width) = (q.layout.shape.channels / heads, layout.shape.channels / heads);
    let both_packed = k.layout.packed.is_some() && v.layout.packed.is_some();
    for (t, head) in (0..layout.frames).flat_map(|t| (0..heads).map(move |head| (t, head))) {
        unpack(cpu, q, t, head * width, at_least(&mut room.q, width * tokens));
        room.k.read(cpu, k, t, head * width, width, both_packed);
        room.v.read(cpu, v, t, head * v_width, v_width, both_packed);
        for j in 0..v_width {
            let out = &mut out[(head * v_width + j) * layout.stride..][layout.frame(t)];
            out.fill(0);
            for (i, q) in room.q.chunks_exact(tokens).take(width).enumerate() {
                let pairs = match both_packed {
                    true => kernels::count_common(cpu, room.k.bits(i, tokens), room.v.bits(j, tokens)) as i32,
                    false => kernels::dot(cpu, room.k.words(i, tokens), room.v.words(j, tokens)),
                };
                if pairs != 0 {
                    kernels::add_scaled(cpu, pairs, q, out);
                }
            }
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
                for (i, out) in at_least(&mut self.bits, count * length).chunks_exact_mut(length).enumerate()
                {
                    let row = &value.byte_row((first + i) / width)[frame.clone()];
                    kernels::pack_columns(cpu, row, ((first + i) % width) as u32, out);
                }
            }
            _ => unpack(cpu, value, t, first, at_least(&mut self.words, count * frame.len())),
        }
    }

    fn bits(&self, channel: usize, tokens: usize) -> &[u64] {
        &self.bits[channel * tokens.div_ceil(64)..][..tokens.div_ceil(64)]
    }

    fn words(&self, channel: usize, tokens: usize) -> &[i32] {
        &self.words[channel * tokens..][..tokens]
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
                match once {
                    true => out.iter_mut().for_each(|out| *out |= ((gate[0] >> from) & 1) << to),
                    false => kernels::move_bit(cpu, gate, from, to, out),
                }
            }
            out.iter_mut().zip(x).for_each(|(out, x)| *out &= x);
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
