//! Loops of the float reference: neurons, and products whose sums have one order on every processor. A sum starts
//! at its bias and takes taps and then channels upwards; products and sums are rounded apart.

use std::ops::Range;

use super::float_matrix::{FloatMatrix, Panel, WIDEST};
use crate::exec::room::Room;
use crate::model::FloatLeak;

/// Inputs of one word of bits.
const WORD: usize = 64;
/// Columns whose sums stay in the second-level cache while panels pass by.
const COLUMNS: usize = 96;
/// Weights of a panel that stay in the cache while columns pass by.
const WEIGHTS: usize = 64 * 128;
/// Columns whose sums a dense product holds in registers.
pub const TALL: usize = 6;

/// What some columns of a product read.
#[derive(Debug, Clone, Copy)]
pub struct FloatInputs<'a> {
    /// `[position][channel]`, rows of `stride`.
    pub values: &'a [f32],
    /// Values from one position to the next.
    pub stride: usize,
    /// Channels that are read of a position.
    pub channels: usize,
    /// Where values are not zero, `[position][word]`; those of the padding are last.
    pub bits: &'a [u64],
    /// What is read outside, per channel.
    pub padding: &'a [f32],
    /// Positions, `[column][tap]`; outside is the number of positions.
    pub sources: &'a [u32],
    /// Taps of a column.
    pub taps: usize,
    /// How they are read.
    pub form: FloatForm,
}

/// How a product reads its inputs, which changes no sum but the sign of one that is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloatForm {
    /// Only inputs that are not zero, which are 1.
    Spikes,
    /// Only inputs that are not zero.
    Sparse,
    /// All inputs.
    Dense,
}

impl<'a> FloatInputs<'a> {
    #[inline(always)]
    fn pixel(&self, source: u32) -> &'a [f32] {
        let first = source as usize * self.stride;
        self.values.get(first..first + self.channels).unwrap_or(self.padding)
    }

    /// The sources of `count` columns from `first` on.
    #[inline(always)]
    fn columns(self, first: usize, count: usize) -> Self {
        Self { sources: &self.sources[first * self.taps..][..count * self.taps], ..self }
    }
}

/// Rows of outputs: `stride` values from one column to the next.
pub struct FloatRows<'a> {
    /// From the first output of the first column on.
    pub data: &'a mut [f32],
    /// Values from one column to the next.
    pub stride: usize,
}

/// Sums of every column; where all inputs are read, `W` outputs of some of them at once by `dense_block`: two
/// vectors, the last of which may reach beyond the panel.
#[inline(always)]
pub fn products<const W: usize>(
    matrix: &FloatMatrix,
    inputs: FloatInputs,
    out: FloatRows,
    dense_block: impl Fn(&[[f32; TALL]], &[[f32; W]], &mut [[f32; W]; TALL]) + Copy,
) {
    let columns = inputs.sources.len() / inputs.taps;
    for first in (0..columns).step_by(COLUMNS) {
        let inputs = inputs.columns(first, COLUMNS.min(columns - first));
        let mut out = FloatRows { data: &mut out.data[first * out.stride..], stride: out.stride };
        if inputs.form == FloatForm::Dense {
            dense::<W>(matrix, inputs, &mut out, dense_block);
            continue;
        }
        for panel in matrix.panels() {
            let mut out = FloatRows { data: &mut out.data[panel.first..], stride: out.stride };
            match panel.width {
                16 => sparse_panel::<16>(panel, inputs, &mut out),
                32 => sparse_panel::<32>(panel, inputs, &mut out),
                48 => sparse_panel::<48>(panel, inputs, &mut out),
                64 => sparse_panel::<64>(panel, inputs, &mut out),
                80 => sparse_panel::<80>(panel, inputs, &mut out),
                96 => sparse_panel::<96>(panel, inputs, &mut out),
                112 => sparse_panel::<112>(panel, inputs, &mut out),
                _ => sparse_panel::<WIDEST>(panel, inputs, &mut out),
            }
        }
    }
}

/// Block after block of rows, each for all columns, whose sums lie together.
#[inline(always)]
fn sparse_panel<const W: usize>(panel: Panel, inputs: FloatInputs, out: &mut FloatRows) {
    let words = inputs.channels.div_ceil(WORD);
    let rows = WEIGHTS / W;
    let (taps_at_once, words_at_once) = ((rows / inputs.channels).max(1), rows / WORD);
    let mut bias = [0.0; W];
    bias.copy_from_slice(panel.bias);
    let mut room = Room::default();
    let sums = room.at_least(inputs.sources.len() / inputs.taps * W).as_chunks_mut::<W>().0;
    sums.fill(bias);
    for tap in (0..inputs.taps).step_by(taps_at_once) {
        let taps = tap..(tap + taps_at_once).min(inputs.taps);
        for word in (0..words).step_by(words_at_once) {
            let block = (taps.clone(), word..(word + words_at_once).min(words));
            match inputs.form {
                FloatForm::Spikes => sparse::<W, true>(panel, inputs, block, sums),
                _ => sparse::<W, false>(panel, inputs, block, sums),
            }
        }
    }
    for (column, sums) in sums.iter().enumerate() {
        out.data[column * out.stride..][..panel.outs].copy_from_slice(&sums[..panel.outs]);
    }
}

/// Adds the rows of one block where inputs are not zero; `SPIKES` are 1.
#[inline(always)]
fn sparse<const W: usize, const SPIKES: bool>(
    panel: Panel,
    inputs: FloatInputs,
    (taps, words): (Range<usize>, Range<usize>),
    sums: &mut [[f32; W]],
) {
    let rows = panel.weights.as_chunks::<W>().0;
    let words_of_a_position = inputs.channels.div_ceil(WORD);
    for (sums, sources) in sums.iter_mut().zip(inputs.sources.chunks_exact(inputs.taps)) {
        // Sums that stay in registers.
        let mut acc = *sums;
        for tap in taps.clone() {
            let pixel = if SPIKES { &[] } else { inputs.pixel(sources[tap]) };
            for word in words.clone() {
                let mut bits = inputs.bits[sources[tap] as usize * words_of_a_position + word];
                while bits != 0 {
                    let channel = word * WORD + bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    let row = &rows[tap * inputs.channels + channel];
                    if SPIKES {
                        acc.iter_mut().zip(row).for_each(|(sum, w)| *sum += w);
                    } else {
                        let x = pixel[channel];
                        acc.iter_mut().zip(row).for_each(|(sum, w)| *sum += w * x);
                    }
                }
            }
        }
        *sums = acc;
    }
}

/// All products of some columns, whose inputs are packed first: `[block of columns][row][column]`.
#[inline(always)]
fn dense<const W: usize>(
    matrix: &FloatMatrix,
    inputs: FloatInputs,
    out: &mut FloatRows,
    dense_block: impl Fn(&[[f32; TALL]], &[[f32; W]], &mut [[f32; W]; TALL]) + Copy,
) {
    let columns = inputs.sources.len() / inputs.taps;
    let mut packed = vec![[0.0; TALL]; columns.div_ceil(TALL) * matrix.rows()];
    for (column, sources) in inputs.sources.chunks_exact(inputs.taps).enumerate() {
        let block = &mut packed[column / TALL * matrix.rows()..][..matrix.rows()];
        for (rows, &source) in block.chunks_exact_mut(inputs.channels).zip(sources) {
            rows.iter_mut().zip(inputs.pixel(source)).for_each(|(row, &x)| row[column % TALL] = x);
        }
    }
    let mut strip = Vec::new();
    for panel in matrix.panels() {
        for first in (0..panel.outs).step_by(W) {
            let mut out = FloatRows { data: &mut out.data[panel.first..], stride: out.stride };
            bring_together(panel, first, &mut strip);
            dense_strip::<W>(panel, first, (&packed, columns), &strip, &mut out, dense_block);
        }
    }
}

/// The weights of `W` outputs of a panel, from `first` on.
#[inline(always)]
fn bring_together<const W: usize>(panel: Panel, first: usize, strip: &mut Vec<[f32; W]>) {
    strip.clear();
    strip.extend(panel.weights.chunks_exact(panel.width).map(|row| {
        let row = &row[first..];
        row.first_chunk().copied().unwrap_or_else(|| {
            let mut weights = [0.0; W];
            weights[..row.len()].copy_from_slice(row);
            weights
        })
    }));
}

/// `W` outputs of a panel from `first` on, two vectors, whose weights are `rows`.
#[inline(always)]
fn dense_strip<const W: usize>(
    panel: Panel,
    first: usize,
    (packed, columns): (&[[f32; TALL]], usize),
    rows: &[[f32; W]],
    out: &mut FloatRows,
    dense_block: impl Fn(&[[f32; TALL]], &[[f32; W]], &mut [[f32; W]; TALL]),
) {
    let (outs, sums_of) = (W.min(panel.outs - first), W.min(panel.width - first));
    let mut bias = [0.0; W];
    bias[..sums_of].copy_from_slice(&panel.bias[first..][..sums_of]);
    for (block, packed) in packed.chunks_exact(rows.len()).enumerate() {
        let mut sums = [bias; TALL];
        dense_block(packed, rows, &mut sums);
        let count = TALL.min(columns - block * TALL);
        for (c, sums) in sums.iter().enumerate().take(count) {
            out.data[(block * TALL + c) * out.stride + first..][..outs].copy_from_slice(&sums[..outs]);
        }
    }
}

/// Adds the products of packed inputs and rows of weights; what is loaded serves all columns.
#[inline(always)]
pub fn dense_block<const W: usize>(packed: &[[f32; TALL]], rows: &[[f32; W]], sums: &mut [[f32; W]; TALL]) {
    let mut acc = *sums;
    for (x, row) in packed.iter().zip(rows) {
        for (acc, x) in acc.iter_mut().zip(x) {
            acc.iter_mut().zip(row).for_each(|(sum, w)| *sum += w * x);
        }
    }
    *sums = acc;
}

/// Channels whose sums a depthwise product holds at once.
const STRIP: usize = 32;

/// Channel by channel: `rows` of `[tap][channel]`, all columns of `out`.
#[inline(always)]
pub fn depthwise(rows: &[f32], bias: &[f32], inputs: FloatInputs, out: &mut [f32]) {
    let channels = bias.len();
    for (sources, out) in inputs.sources.chunks_exact(inputs.taps).zip(out.chunks_exact_mut(channels)) {
        let mut strips = out.chunks_exact_mut(STRIP);
        let mut first = 0;
        for out in &mut strips {
            let mut sums = [0.0; STRIP];
            sums.copy_from_slice(&bias[first..][..STRIP]);
            for (&source, row) in sources.iter().zip(rows.chunks_exact(channels)) {
                let (x, row) = (&inputs.pixel(source)[first..][..STRIP], &row[first..][..STRIP]);
                sums.iter_mut().zip(row).zip(x).for_each(|((sum, w), x)| *sum += w * x);
            }
            out.copy_from_slice(&sums);
            first += STRIP;
        }
        let out = strips.into_remainder();
        out.copy_from_slice(&bias[first..]);
        for (&source, row) in sources.iter().zip(rows.chunks_exact(channels)) {
            let x = &inputs.pixel(source)[first..];
            out.iter_mut().zip(&row[first..]).zip(x).for_each(|((sum, w), x)| *sum += w * x);
        }
    }
}

/// Which of the `channels` of each position are not zero, `[position][word]`, by `flags`: those of up to 64 values, and
/// of those the ones that are not 1; true if there are none of these.
#[inline(always)]
pub fn nonzero_bits(
    values: &[f32],
    stride: usize,
    channels: usize,
    bits: &mut [u64],
    flags: impl Fn(&[f32]) -> (u64, u64),
) -> bool {
    let mut any_other = 0;
    for (pixel, words) in values.chunks(stride).zip(bits.chunks_exact_mut(channels.div_ceil(WORD))) {
        for (values, word) in pixel[..channels].chunks(WORD).zip(words) {
            let others;
            (*word, others) = flags(values);
            any_other |= others;
        }
    }
    any_other == 0
}

/// Bits of the values that are not zero, and of those that are neither 0 nor 1.
#[inline(always)]
pub fn flags_of(values: &[f32]) -> (u64, u64) {
    let bit = |flag: bool, i: usize| u64::from(flag) << i;
    values.iter().enumerate().fold((0, 0), |(nonzero, others), (i, &x)| {
        (nonzero | bit(x != 0.0, i), others | bit(x != 0.0 && x != 1.0, i))
    })
}

/// Neurons of the float reference.
#[derive(Debug, Clone, Copy)]
pub struct FloatNeuron<'a> {
    /// What V becomes before it fires: per channel, or one for all.
    pub leaks: &'a [FloatLeak],
    /// Fires only above its threshold, not at it.
    pub above: bool,
    /// What a spike leaves.
    pub reset: FloatReset,
}

/// What a spike leaves of the potential of the float reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloatReset {
    /// 0.
    Zero,
    /// The potential without the amount of the channel.
    Subtract,
    /// All of it, of which the amount is missing behind the next leak.
    SubtractDelayed,
}

impl FloatNeuron<'_> {
    #[inline(always)]
    fn fires(self, potential: f32, threshold: f32) -> bool {
        if self.above { potential > threshold } else { potential >= threshold }
    }

    /// One timestep of a neuron: 1 where it fires, and its membrane `v`; `DELAYED` where a spike subtracts behind
    /// the next leak.
    #[inline(always)]
    fn update<const DELAYED: bool>(
        self,
        leak: FloatLeak,
        [threshold, amount]: [f32; 2],
        v: &mut f32,
        x: f32,
    ) -> f32 {
        let mut g = leak.potential(*v, x);
        if DELAYED && self.fires(*v, threshold) {
            g -= amount;
        }
        let fires = self.fires(g, threshold);
        let left = match self.reset {
            FloatReset::Zero => 0.0,
            FloatReset::Subtract => g - amount,
            FloatReset::SubtractDelayed => g,
        };
        *v = if fires { left } else { g };
        if fires { 1.0 } else { 0.0 }
    }
}

/// One timestep of neurons, pixel by pixel; thresholds and what a spike subtracts are those of the channels of a
/// pixel.
#[inline(always)]
pub fn neurons(
    neuron: FloatNeuron,
    (thresholds, amounts): (&[f32], &[f32]),
    input: &[f32],
    (membranes, spikes): (&mut [f32], &mut [f32]),
) {
    let channels = thresholds.len();
    let pixels = membranes.chunks_exact_mut(channels).zip(input.chunks_exact(channels));
    for ((v, x), spikes) in pixels.zip(spikes.chunks_exact_mut(channels)) {
        let values = v.iter_mut().zip(x).zip(spikes).zip(thresholds.iter().zip(amounts));
        let delayed = neuron.reset == FloatReset::SubtractDelayed;
        match neuron.leaks {
            &[leak] if delayed => {
                for (((v, &x), spike), (&threshold, &amount)) in values {
                    *spike = neuron.update::<true>(leak, [threshold, amount], v, x);
                }
            }
            &[leak] => {
                for (((v, &x), spike), (&threshold, &amount)) in values {
                    *spike = neuron.update::<false>(leak, [threshold, amount], v, x);
                }
            }
            leaks => {
                for ((((v, &x), spike), (&threshold, &amount)), &leak) in values.zip(leaks) {
                    *spike = if delayed {
                        neuron.update::<true>(leak, [threshold, amount], v, x)
                    } else {
                        neuron.update::<false>(leak, [threshold, amount], v, x)
                    };
                }
            }
        }
    }
}
