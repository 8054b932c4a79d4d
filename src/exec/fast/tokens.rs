//! A class token in front of all others, and the first token alone.

use super::neuron::{NeuronScratch, onto_grid, rescale};
use super::value::{Buffer, Layout, Value};
use crate::exec::activity::NodeActivity;
use crate::exec::kernels::{self, Cpu};
use crate::num::{Format, Word};
use crate::quant::QuantizedTokens;

/// A class token, channel by channel.
#[derive(Debug)]
pub struct Tokens {
    /// `[channel]`.
    token: Vec<i32>,
    /// `[channel][token]`: what is added to the others.
    positions: Option<Vec<i32>>,
    format: Format,
}

impl Tokens {
    /// Lays out what is learned.
    pub fn new(op: &QuantizedTokens) -> Self {
        let channels = op.token.len();
        let row = |positions: &Vec<i64>, c: usize| -> Vec<i32> {
            positions[c..].iter().step_by(channels).map(|&x| i32::narrow(x)).collect()
        };
        let rows = |positions: &Vec<i64>| (0..channels).flat_map(|c| row(positions, c)).collect();
        let positions = op.positions.as_ref().map(rows);
        Self { token: op.token.iter().map(|&x| i32::narrow(x)).collect(), positions, format: op.format }
    }

    /// The token, then what is read with what is added to it.
    pub fn in_front(
        &self,
        cpu: Cpu,
        input: Value,
        layout: &Layout,
        counts: &mut NeuronScratch,
        out: &mut [i32],
    ) -> NodeActivity {
        let by = rescale(None, self.format);
        onto_grid(layout, counts, out, |channel, t, out| {
            let x = &input.word_row(channel)[input.layout.frame(t)];
            out[0] = self.token[channel];
            match &self.positions {
                Some(positions) => {
                    kernels::join(cpu, by, x, &positions[channel * x.len()..][..x.len()], &mut out[1..])
                }
                None => {
                    out[1..].copy_from_slice(x);
                    0
                }
            }
        })
    }
}

/// The first position of every frame, of spikes or of words.
pub fn first(input: Value, layout: &Layout, out: &mut Buffer) {
    let starts = || (0..layout.frames).map(|t| input.layout.frame(t).start);
    for row in 0..layout.rows() {
        let at = row * layout.stride..row * layout.stride + layout.frames;
        if layout.packed.is_some() {
            let from = input.byte_row(row);
            out.bytes[at].iter_mut().zip(starts()).for_each(|(out, start)| *out = from[start]);
        } else {
            let from = input.word_row(row);
            out.words[at].iter_mut().zip(starts()).for_each(|(out, start)| *out = from[start]);
        }
    }
}
