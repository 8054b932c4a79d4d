//! Attention of the float reference.

use super::super::fast::in_tiles;
use super::super::kernels::{self, Cpu, FloatMatrix, FloatRows};
use super::inputs::{LOOKUPS_OF_AN_OPERATION, ProductInputs};
use crate::tensor::{Frames, Shape};

/// (q k^T) v, head by head.
pub fn product(q: &Frames<f32>, k: &Frames<f32>, v: &Frames<f32>, heads: usize) -> Frames<f32> {
    let tokens = q.shape.positions();
    let frames = q.frames.max(k.frames).max(v.frames);
    let mut output = Frames::zeros(frames, v.shape);
    let [channels, width] = [v.shape.channels, v.shape.channels / heads];
    let work = tokens * tokens * (q.shape.channels + channels) * LOOKUPS_OF_AN_OPERATION;
    for t in 0..frames {
        let of_heads: Vec<Head> = (0..heads).map(|head| Head::new([k, v], t, head, heads)).collect();
        in_tiles(work, channels, output.frame_mut(t), |first, out| {
            let queries = &q.at(t)[first * q.shape.channels..][..out.len() / channels * q.shape.channels];
            for (i, head) in of_heads.iter().enumerate() {
                let queries = &queries[i * q.shape.channels / heads..];
                let rows = FloatRows { data: &mut out[i * width..], stride: channels };
                head.attend(queries, q.shape.channels, rows);
            }
        });
    }
    output
}

/// What the queries of one head meet.
struct Head {
    /// A score for each token.
    keys: FloatMatrix,
    /// What scores weigh.
    values: FloatMatrix,
}

impl Head {
    fn new([k, v]: [&Frames<f32>; 2], t: usize, head: usize, heads: usize) -> Self {
        let (cpu, tokens, width) = (Cpu::best(), k.shape.positions(), k.shape.channels / heads);
        let key = |channel: usize| move |token: usize| head_of(k, t, token, head, heads)[channel];
        let value = |token: usize| {
            let values = head_of(v, t, token, head, heads);
            move |channel: usize| values[channel]
        };
        Self {
            keys: FloatMatrix::new(cpu.float_panel(), width, &vec![0.0; tokens], key),
            values: FloatMatrix::new(cpu.float_panel(), tokens, &vec![0.0; v.shape.channels / heads], value),
        }
    }

    /// What each of `queries`, rows of `stride`, makes of the values.
    fn attend(&self, queries: &[f32], stride: usize, out: FloatRows) {
        let (cpu, tokens) = (Cpu::best(), self.keys.outs());
        let count = queries.len().div_ceil(stride);
        let each: Vec<u32> = (0..count as u32).collect();
        let mut scores = vec![0.0; count * tokens];
        let zeros = vec![0.0; self.keys.rows()];
        let inputs = ProductInputs::new(queries, stride, &zeros);
        let rows = FloatRows { data: &mut scores, stride: tokens };
        kernels::float_products(cpu, &self.keys, inputs.at(&each, 1), rows);
        let zeros = vec![0.0; tokens];
        let inputs = ProductInputs::new(&scores, tokens, &zeros);
        kernels::float_products(cpu, &self.values, inputs.at(&each, 1), out);
    }
}

/// The channels of one head of one token.
pub fn head_of(frames: &Frames<f32>, t: usize, token: usize, head: usize, heads: usize) -> &[f32] {
    let (channels, width) = (frames.shape.channels, frames.shape.channels / heads);
    &frames.at(t)[token * channels + head * width..][..width]
}

/// The spikes of every head, channel by channel.
pub fn channel_sum(q: &Frames<f32>, heads: usize) -> Frames<f32> {
    let data = q.data.chunks_exact(q.shape.channels / heads).map(|head| head.iter().sum()).collect();
    Frames { frames: q.frames, shape: Shape { channels: heads, ..q.shape }, data }
}

/// Spikes where the gate of their head, of their token or of all, lets them through.
pub fn mask(spikes: &Frames<f32>, by: &Frames<f32>) -> Frames<f32> {
    let (channels, by_channels) = (spikes.shape.channels, by.shape.channels);
    let mut output = spikes.clone();
    for t in 0..spikes.frames {
        let gate = by.at(t);
        for (token, values) in output.frame_mut(t).chunks_exact_mut(channels).enumerate() {
            let row =
                if by.shape.positions() == 1 { gate } else { &gate[token * by_channels..][..by_channels] };
            for (head, group) in values.chunks_exact_mut(channels / by_channels).enumerate() {
                group.iter_mut().for_each(|x| *x *= row[head]);
            }
        }
    }
    output
}
