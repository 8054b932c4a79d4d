//! Loops over rows of values, written once and compiled for each instruction set.

use super::float::{self, FloatInputs, FloatNeuron};
use super::pooling::Pooling;
use crate::exec::neuron::Cell;
use crate::num::Word;

/// (x M + 2^(S-1)) >> S, saturated.
#[derive(Debug, Clone, Copy)]
pub struct Rescale {
    /// M.
    pub multiplier: u16,
    /// S.
    pub shift: u32,
    /// Range of the result.
    pub low: i64,
    /// Range of the result.
    pub high: i64,
}

impl Rescale {
    #[inline(always)]
    fn apply(self, x: i64) -> i64 {
        let half = (1i64 << self.shift) >> 1;
        (x.wrapping_mul(self.multiplier.into()).wrapping_add(half)) >> self.shift
    }

    /// stream + branch, the branch brought onto the grid first; returns how many sums were clamped.
    #[inline(always)]
    fn join<W: Word>(self, sides: impl Iterator<Item = (W, W)>, out: &mut [i32]) -> u32 {
        let mut clamped = 0;
        for (out, (stream, branch)) in out.iter_mut().zip(sides) {
            let wide = stream.into().wrapping_add(self.apply(branch.into()));
            let value = wide.max(self.low).min(self.high);
            clamped += u32::from(value != wide);
            *out = value as i32;
        }
        clamped
    }
}

/// Positions whose membranes, or outputs whose sums, are held at once.
const BLOCK: usize = 64;

/// All timesteps of one channel of neurons; see [`super::neuron()`].
#[inline(always)]
pub fn neurons<W: Word>(
    cell: &Cell<W>,
    x: &[W],
    positions: usize,
    bit: u8,
    spikes: &mut [u8],
    counters: (&mut [u32], &mut [u32]),
) {
    if cell.delayed.is_some() {
        neurons_as::<W, true>(cell, x, positions, bit, spikes, counters);
    } else {
        neurons_as::<W, false>(cell, x, positions, bit, spikes, counters);
    }
}

#[inline(always)]
fn neurons_as<W: Word, const DELAYED: bool>(
    cell: &Cell<W>,
    x: &[W],
    positions: usize,
    bit: u8,
    spikes: &mut [u8],
    (fired, clamped): (&mut [u32], &mut [u32]),
) {
    let frames = x.len() / positions;
    for start in (0..positions).step_by(BLOCK) {
        let count = BLOCK.min(positions - start);
        let mut membrane = [W::default(); BLOCK];
        for (t, (fired, clamped)) in fired.iter_mut().zip(clamped.iter_mut()).enumerate() {
            let x = &x[(t % frames) * positions + start..][..count];
            let spikes = &mut spikes[t * positions + start..][..count];
            let (mut fires_now, mut clamps_now) = (0, 0);
            for ((v, &x), spikes) in membrane.iter_mut().zip(x).zip(spikes) {
                let (fires, clamps);
                (fires, *v, clamps) = cell.update_as::<DELAYED>(*v, x);
                *spikes |= if fires { bit } else { 0 };
                fires_now += u32::from(fires);
                clamps_now += u32::from(clamps);
            }
            *fired += fires_now;
            *clamped += clamps_now;
        }
    }
}

/// Defines loops: their trait, and the macros that compile them for an instruction set and call them.
macro_rules! define_loops {
    (($d:tt) $($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {
        /// The loops themselves, safe code that is compiled into whoever calls it.
        pub mod generic {
            use super::*;
            $(
                #[allow(clippy::too_many_arguments)]
                #[inline(always)]
                pub fn $name($($arg: $type),*) $(-> $result)? $body
            )*
        }

        /// Loops over rows of values: as any processor runs them, unless an instruction set compiles its own.
        #[allow(clippy::too_many_arguments)]
        pub trait Loops: Sync {
            $(
                $(#[$doc])*
                ///
                /// # Safety
                /// The processor has the instructions that it was compiled for.
                unsafe fn $name(&self, $($arg: $type),*) $(-> $result)? {
                    generic::$name($($arg),*)
                }
            )*
        }

        /// The items of an `impl Loops`: all loops, vectorised with the named features.
        macro_rules! loops_compiled_for {
            ($d features:literal) => { $(
                /// # Safety
                /// As the trait says.
                #[target_feature(enable = $d features)]
                unsafe fn $name(&self, $($arg: $type),*) $(-> $result)? {
                    generic::$name($($arg),*)
                }
            )* };
        }
        pub(super) use loops_compiled_for;

        /// All loops as functions of a `Cpu`, which says how they are compiled.
        macro_rules! loops_of_a_cpu {
            () => { $(
                $(#[$doc])*
                #[allow(clippy::too_many_arguments)]
                pub fn $name(cpu: Cpu, $($arg: $type),*) $(-> $result)? {
                    // SAFETY: a `Cpu` exists only for instructions that the processor has.
                    unsafe { cpu.instructions().$name($($arg),*) }
                }
            )* };
        }
        pub(super) use loops_of_a_cpu;
    };
}

define_loops! { ($)
    /// Neurons as in [`super::neuron()`], in 64 bits.
    fn neuron_wide(
        cell: &Cell<i64>,
        x: &[i64],
        positions: usize,
        bit: u8,
        spikes: &mut [u8],
        fired: &mut [u32],
        clamped: &mut [u32],
    ) {
        neurons(cell, x, positions, bit, spikes, (fired, clamped));
    }

    /// How many of `thresholds` each value reaches.
    fn levels(thresholds: &[i32], x: &[i32], out: &mut [i32]) {
        out.fill(0);
        for &threshold in thresholds {
            for (level, &x) in out.iter_mut().zip(x) {
                *level += i32::from(x >= threshold);
            }
        }
    }

    /// Onto a grid; returns how many values were clamped.
    fn requantize(by: Rescale, x: &[i32], out: &mut [i32]) -> u32 {
        by.join(x.iter().map(|&x| (0, x)), out)
    }

    /// Onto a grid, from 64 bits; returns how many values were clamped.
    fn requantize_wide(by: Rescale, x: &[i64], out: &mut [i32]) -> u32 {
        by.join(x.iter().map(|&x| (0, x)), out)
    }

    /// stream + branch, the branch brought onto the grid first; returns how many sums were clamped.
    fn join(by: Rescale, stream: &[i32], branch: &[i32], out: &mut [i32]) -> u32 {
        by.join(stream.iter().copied().zip(branch.iter().copied()), out)
    }

    /// stream + branch in 64 bits, the branch brought onto the grid first; returns how many sums were clamped.
    fn join_wide(by: Rescale, stream: &[i64], branch: &[i64], out: &mut [i32]) -> u32 {
        by.join(stream.iter().copied().zip(branch.iter().copied()), out)
    }

    /// out += x.
    fn add_wide(x: &[i32], out: &mut [i64]) {
        out.iter_mut().zip(x).for_each(|(out, &x)| *out += i64::from(x));
    }

    /// out = (out << shift) + bias.
    fn shift_and_bias_wide(shift: u32, bias: i64, out: &mut [i64]) {
        out.iter_mut().for_each(|x| *x = (*x << shift) + bias);
    }

    /// out += x.
    fn add(x: &[i32], out: &mut [i32]) {
        out.iter_mut().zip(x).for_each(|(out, &x)| *out = out.wrapping_add(x));
    }

    /// out += factor x.
    fn add_scaled(factor: i32, x: &[i32], out: &mut [i32]) {
        out.iter_mut().zip(x).for_each(|(out, &x)| *out = out.wrapping_add(x.wrapping_mul(factor)));
    }

    /// out = (out << shift) + bias.
    fn shift_and_bias(shift: u32, bias: i32, out: &mut [i32]) {
        out.iter_mut().for_each(|x| *x = (*x << shift).wrapping_add(bias));
    }

    /// out = (sum << shift) + bias, where taps add what lies at their distance from each value of x, times
    /// their weight; `out` is made in blocks, the last of which is full.
    fn windows(taps: &[(usize, i32)], shift: u32, bias: i32, x: &[i32], out: &mut [i32]) {
        for (i, out) in out.chunks_exact_mut(BLOCK).enumerate() {
            // Sums that stay in registers.
            let mut sums = [0i32; BLOCK];
            for &(distance, weight) in taps {
                let x = &x[i * BLOCK + distance..][..BLOCK];
                sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum = sum.wrapping_add(x.wrapping_mul(weight)));
            }
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = (sum << shift).wrapping_add(bias));
        }
    }

    /// Sum of a b.
    fn dot(a: &[i32], b: &[i32]) -> i32 {
        a.iter().zip(b).fold(0, |sum: i32, (&a, &b)| sum.wrapping_add(a.wrapping_mul(b)))
    }

    /// Sum of x.
    fn sum(x: &[i32]) -> i32 {
        x.iter().fold(0, |sum: i32, &x| sum.wrapping_add(x))
    }

    /// The largest value of each window, whose padding never wins; `room` is that of the windows.
    fn largest_of_windows(windows: Pooling, x: &[i32], room: &mut [i32], out: &mut [i32]) {
        windows.fold(x, room, out, i32::MIN, Ord::max);
    }

    /// An OR over each window; `room` is that of the windows.
    fn any_of_windows(windows: Pooling, x: &[u8], room: &mut [u8], out: &mut [u8]) {
        windows.fold(x, room, out, 0, |a, b| a | b);
    }

    /// out = out + x, where `inside`.
    fn add_inside(x: &[i32], inside: &[u8], out: &mut [i32]) {
        for ((out, &x), &inside) in out.iter_mut().zip(x).zip(inside) {
            *out += if inside != 0 { x } else { 0 };
        }
    }

    /// out += factor x where `inside`, else factor padding.
    fn add_scaled_inside(factor: i32, x: &[i32], inside: &[u8], padding: i32, out: &mut [i32]) {
        for ((out, &x), &inside) in out.iter_mut().zip(x).zip(inside) {
            *out = out.wrapping_add(factor.wrapping_mul(if inside != 0 { x } else { padding }));
        }
    }

    /// The larger of each pair of x.
    fn larger_of_pairs(x: &[i32], out: &mut [i32]) {
        out.iter_mut().zip(x.chunks_exact(2)).for_each(|(out, pair)| *out = pair[0].max(pair[1]));
    }

    /// out = x AND mask.
    fn and_all(x: &[u8], mask: u8, out: &mut [u8]) {
        out.iter_mut().zip(x).for_each(|(out, &x)| *out = x & mask);
    }

    /// Values that are not zero.
    fn count_nonzero(x: &[i32]) -> u32 {
        x.iter().fold(0, |count, &x| count + u32::from(x != 0))
    }

    /// Bits that are set.
    fn count_bits(x: &[u8]) -> u32 {
        let chunk = |chunk: &[u8]| u32::from(chunk.iter().fold(0u8, |count, x| count + x.count_ones() as u8));
        // 31 bytes of 8 bits fit a byte.
        x.chunks(31).map(chunk).sum()
    }

    /// Bytes in which a bit of `mask` is set in both.
    fn count_both(a: &[u8], b: &[u8], mask: u8) -> u32 {
        a.iter().zip(b).fold(0, |count, (&a, &b)| count + u32::from(a & b & mask != 0))
    }

    /// Adds the number of bits of `mask` that are set in x.
    fn add_bits(x: &[u8], mask: u8, out: &mut [i32]) {
        out.iter_mut().zip(x).for_each(|(out, &x)| *out += (x & mask).count_ones() as i32);
    }

    /// Adds 1 where x is not zero.
    fn add_nonzero(x: &[i32], out: &mut [i32]) {
        out.iter_mut().zip(x).for_each(|(out, &x)| *out += i32::from(x != 0));
    }

    /// Bit `bit` of each byte, as 0 or 1.
    fn unpack(x: &[u8], bit: u32, out: &mut [i32]) {
        out.iter_mut().zip(x).for_each(|(out, &x)| *out = i32::from((x >> bit) & 1));
    }

    /// Sets bit `to` of `out` where bit `from` of x is set.
    fn move_bit(x: &[u8], from: u32, to: u32, out: &mut [u8]) {
        out.iter_mut().zip(x).for_each(|(out, &x)| *out |= ((x >> from) & 1) << to);
    }

    /// Sets bit `to` of `out` where bit `from` of x is set.
    fn pack_bit(x: &[i32], from: u32, to: u32, out: &mut [u8]) {
        out.iter_mut().zip(x).for_each(|(out, &x)| *out |= (((x >> from) & 1) as u8) << to);
    }

    /// Bit `bit` of 64 bytes at a time, side by side in a word; bytes that are missing count as 0.
    fn pack_columns(x: &[u8], bit: u32, out: &mut [u64]) {
        const LOW_BITS: u64 = 0x0101_0101_0101_0101;
        // The product with low bits of 8 bytes has those bits side by side in its highest byte.
        const SIDE_BY_SIDE: u64 = 0x0102_0408_1020_4080;
        for (out, x) in out.iter_mut().zip(x.chunks(64)) {
            *out = 0;
            for (i, eight) in x.chunks(8).enumerate() {
                let mut bytes = [0; 8];
                bytes[..eight.len()].copy_from_slice(eight);
                let bits = (u64::from_le_bytes(bytes) >> bit) & LOW_BITS;
                *out |= (bits.wrapping_mul(SIDE_BY_SIDE) >> 56) << (8 * i);
            }
        }
    }

    /// Per row of `a` and of `b`, which have `words` words, the bits that are set in both: `[b][a]`.
    fn count_common(a: &[u64], b: &[u64], words: usize, out: &mut [i32]) {
        let count = |a: &[u64], b: &[u64]| a.iter().zip(b).map(|(a, b)| (a & b).count_ones()).sum::<u32>();
        let pairs = b.chunks_exact(words).flat_map(|b| a.chunks_exact(words).map(move |a| (a, b)));
        out.iter_mut().zip(pairs).for_each(|(out, (a, b))| *out = count(a, b) as i32);
    }

    /// Rows of 16-bit values side by side, the first in the low half.
    fn pack_words(rows: [&[i32]; 2], out: &mut [i32]) {
        let [a, b] = rows;
        out.iter_mut().zip(a).zip(b).for_each(|((pack, &a), &b)| *pack = (a & 0xffff) | b << 16);
    }

    /// Rows of 0..=255 side by side, the first in the lowest byte.
    fn pack_bytes(rows: [&[i32]; 4], out: &mut [i32]) {
        let [a, b, c, d] = rows;
        for ((((pack, &a), &b), &c), &d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *pack = a | b << 8 | c << 16 | d << 24;
        }
    }

    /// x where `inside`, else `padding`.
    fn select_bytes(x: &[u8], inside: &[u8], out: &mut [u8]) {
        out.iter_mut().zip(x).zip(inside).for_each(|((out, &x), &inside)| *out = x & inside);
    }

    /// x where `inside`, else `padding`.
    fn select_words(x: &[i32], inside: &[u8], padding: i32, out: &mut [i32]) {
        for ((out, &x), &inside) in out.iter_mut().zip(x).zip(inside) {
            *out = if inside != 0 { x } else { padding };
        }
    }

    /// Channel by channel: `rows` of `[tap][channel]`, all columns of `out`.
    fn float_depthwise(rows: &[f32], bias: &[f32], inputs: FloatInputs, out: &mut [f32]) {
        float::depthwise(rows, bias, inputs, out);
    }

    /// One timestep of neurons, pixel by pixel; `thresholds` and the `amounts` that a spike subtracts are those of the
    /// channels of a pixel.
    fn float_neurons(
        neuron: FloatNeuron,
        thresholds: &[f32],
        amounts: &[f32],
        input: &[f32],
        membranes: &mut [f32],
        spikes: &mut [f32],
    ) {
        float::neurons(neuron, (thresholds, amounts), input, (membranes, spikes));
    }
}
