//! Weight layers of the float reference.

use std::ops::Range;
use std::sync::OnceLock;

use super::super::fast::in_tiles;
use super::super::kernels::{self, Cpu, FloatForm, FloatInputs, FloatMatrix, FloatRows};
use super::inputs::{LOOKUPS_OF_AN_OPERATION, ProductInputs};
use crate::model::{ConvGeometry, Weighted};
use crate::tensor::{Frames, Shape};

/// A weight layer as it is executed.
pub struct FloatLayer {
    weights: FloatWeights,
    /// Per output channel.
    pub bias: Vec<f32>,
    /// What the padding holds, per input channel; empty for zeros.
    pub padding: Vec<f32>,
    /// The positions of one frame that outputs read, `[output][tap]`; [`OUTSIDE`] of the map. Made when the first frame
    /// comes, for its shape.
    reads: OnceLock<Vec<u32>>,
}

/// A tap on the padding.
const OUTSIDE: u32 = u32::MAX;

enum FloatWeights {
    /// Every input reaches every output.
    Full(FloatMatrix),
    /// `[tap][in][out / groups]`: one input gates a row.
    Grouped(Vec<f32>),
}

impl FloatLayer {
    /// Zeros around its input; `weight` yields the stored weight of an index.
    pub fn new(geometry: &ConvGeometry, weight: impl Fn(usize) -> f32 + Sync, bias: Vec<f32>) -> Self {
        let (taps, channels) = (geometry.taps(), geometry.in_channels);
        let weights = if geometry.groups == 1 {
            let weight = &weight;
            FloatWeights::Full(FloatMatrix::new(Cpu::best().float_panel(), taps * channels, &bias, |row| {
                let (tap, channel) = (row / channels, row % channels);
                move |out| weight((out * channels + channel) * taps + tap)
            }))
        } else {
            FloatWeights::Grouped(geometry.rows(weight))
        };
        Self { weights, bias, padding: Vec::new(), reads: OnceLock::new() }
    }

    /// The positions that some columns of `input` read, timestep after timestep: `[column][tap]`; outside, the number of
    /// positions.
    fn sources(
        &self,
        g: &ConvGeometry,
        input: &Frames<f32>,
        shape: Shape,
        columns: Range<usize>,
    ) -> Vec<u32> {
        let reads = self.reads.get_or_init(|| reads(g, input.shape, shape));
        let (taps, positions) = (g.taps(), input.shape.positions());
        let outside = (input.frames * positions) as u32;
        let mut sources = Vec::with_capacity(columns.len() * taps);
        let mut next = columns.start;
        while next < columns.end {
            // The columns that remain of timestep `t`.
            let (t, first) = (next / shape.positions(), next % shape.positions());
            let count = (columns.end - next).min(shape.positions() - first);
            let before = (t * positions) as u32;
            let of_frame = &reads[first * taps..][..count * taps];
            sources.extend(of_frame.iter().map(|&at| if at == OUTSIDE { outside } else { before + at }));
            next += count;
        }
        sources
    }
}

/// The positions of a frame of the shape `input` that each output of `shape` reads, `[output][tap]`.
fn reads(g: &ConvGeometry, input: Shape, shape: Shape) -> Vec<u32> {
    let taps = |position: usize| g.taps_of(input, position / shape.width, position % shape.width);
    let at = |(_, at): (usize, Option<usize>)| at.map_or(OUTSIDE, |at| at as u32);
    (0..shape.positions()).flat_map(|position| taps(position).map(at)).collect()
}

/// Weighted sums and bias, in `output`, whatever it holds.
pub fn weighted(
    op: &Weighted,
    layer: &FloatLayer,
    input: &Frames<f32>,
    mut output: Frames<f32>,
) -> Frames<f32> {
    let (cpu, g, shape) = (Cpu::best(), &op.geometry, output.shape);
    let zeros = vec![0.0; g.in_channels];
    let padding = if layer.padding.is_empty() { &zeros } else { &layer.padding };
    let work = g.fan_in() * output.data.len() * LOOKUPS_OF_AN_OPERATION;
    match &layer.weights {
        FloatWeights::Full(matrix) => {
            let inputs = ProductInputs::new(&input.data, g.in_channels, padding);
            in_tiles(work, g.out_channels, &mut output.data, |first, out| {
                let sources = layer.sources(g, input, shape, first..first + out.len() / g.out_channels);
                let rows = FloatRows { data: out, stride: g.out_channels };
                let inputs = inputs.at(&sources, g.taps());
                kernels::float_products(cpu, matrix, inputs, rows);
            });
        }
        FloatWeights::Grouped(rows) => in_tiles(work, g.out_channels, &mut output.data, |first, out| {
            let sources = layer.sources(g, input, shape, first..first + out.len() / g.out_channels);
            if g.groups == g.in_channels && g.groups == g.out_channels {
                let inputs = FloatInputs {
                    values: &input.data,
                    stride: g.in_channels,
                    channels: g.in_channels,
                    bits: &[],
                    padding,
                    sources: &sources,
                    taps: g.taps(),
                    form: FloatForm::Dense,
                };
                return kernels::float_depthwise(cpu, rows, &layer.bias, inputs, out);
            }
            let columns = sources.chunks_exact(g.taps()).zip(out.chunks_exact_mut(g.out_channels));
            for (sources, out) in columns {
                out.copy_from_slice(&layer.bias);
                grouped(g, rows, (&input.data, padding), sources, out);
            }
        }),
    }
    output
}

/// Adds to one column what its taps read, group by group.
fn grouped(
    g: &ConvGeometry,
    rows: &[f32],
    (values, padding): (&[f32], &[f32]),
    sources: &[u32],
    out: &mut [f32],
) {
    let outs = g.out_channels / g.groups;
    let taps = sources.iter().zip(rows.chunks_exact(g.in_channels * outs));
    for (&source, rows) in taps {
        let first = source as usize * g.in_channels;
        let pixel = values.get(first..first + g.in_channels).unwrap_or(padding);
        for (channel, (&x, row)) in pixel.iter().zip(rows.chunks_exact(outs)).enumerate() {
            if x != 0.0 {
                let sums = &mut out[g.group_of(channel) * outs..][..outs];
                sums.iter_mut().zip(row).for_each(|(sum, &w)| *sum += w * x);
            }
        }
    }
}
