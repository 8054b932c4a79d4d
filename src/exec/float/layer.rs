//! Weight layers of the float reference.

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
}

enum FloatWeights {
    /// Every input reaches every output.
    Full(FloatMatrix),
    /// `[tap][in][out / groups]`: one input gates a row.
    Grouped(Vec<f32>),
}

impl FloatLayer {
    /// Zeros around its input; `weight` yields the stored weight of an index.
    pub fn new(geometry: &ConvGeometry, weight: impl Fn(usize) -> f32, bias: Vec<f32>) -> Self {
        let (taps, channels) = (geometry.taps(), geometry.in_channels);
        let weights = if geometry.groups == 1 {
            let stored = |row: usize, out: usize| (out * channels + row % channels) * taps + row / channels;
            FloatWeights::Full(FloatMatrix::new(taps * channels, &bias, |row, out| weight(stored(row, out))))
        } else {
            FloatWeights::Grouped(geometry.rows(weight))
        };
        Self { weights, bias, padding: Vec::new() }
    }
}

/// Weighted sums and bias.
pub fn weighted(op: &Weighted, layer: &FloatLayer, input: &Frames<f32>, shape: Shape) -> Frames<f32> {
    let (cpu, g) = (Cpu::best(), &op.geometry);
    let mut output = Frames::zeros(input.frames, shape);
    let zeros = vec![0.0; g.in_channels];
    let padding = if layer.padding.is_empty() { &zeros } else { &layer.padding };
    let work = g.fan_in() * output.data.len() * LOOKUPS_OF_AN_OPERATION;
    match &layer.weights {
        FloatWeights::Full(matrix) => {
            let inputs = ProductInputs::new(&input.data, g.in_channels, padding);
            in_tiles(work, g.out_channels, &mut output.data, |first, out| {
                let sources = sources(g, (input, shape), first..first + out.len() / g.out_channels);
                let rows = FloatRows { data: out, stride: g.out_channels };
                let inputs = inputs.at(&sources, g.taps());
                kernels::float_products(cpu, matrix, inputs, rows);
            });
        }
        FloatWeights::Grouped(rows) => in_tiles(work, g.out_channels, &mut output.data, |first, out| {
            let sources = sources(g, (input, shape), first..first + out.len() / g.out_channels);
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

/// The positions that some columns read, timestep after timestep: `[column][tap]`; outside, the number of positions.
fn sources(
    g: &ConvGeometry,
    (input, shape): (&Frames<f32>, Shape),
    columns: std::ops::Range<usize>,
) -> Vec<u32> {
    let (positions, outside) = (input.shape.positions(), input.frames * input.shape.positions());
    let mut sources = Vec::with_capacity(columns.len() * g.taps());
    for column in columns {
        let (t, position) = (column / shape.positions(), column % shape.positions());
        let taps = g.taps_of(input.shape, position / shape.width, position % shape.width);
        sources.extend(taps.map(|(_, at)| at.map_or(outside, |at| t * positions + at) as u32));
    }
    sources
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
