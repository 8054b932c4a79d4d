//! Operations that are the same in every number system.

use super::prepared::{Inputs, Kernels, Scratch};
use super::value::{Buffer, Layout, Value};
use super::{attention, counts, pooling, tokens};
use crate::exec::activity::{NodeActivity, StepActivity};
use crate::model::{Attention, NodeId, Op, Sample};
use crate::num::Word;
use crate::quant::QuantizedOp;

impl Kernels<'_> {
    /// Computes and counts node `id`, whose operation is `op`.
    pub(super) fn exact(
        &self,
        op: &Op,
        timesteps: usize,
        id: NodeId,
        inputs: &Inputs,
        scratch: &mut Scratch,
        out: &mut Buffer,
    ) -> NodeActivity {
        let (cpu, layout) = (self.cpu, &inputs.plan.layouts[id.index()]);
        if *op == Op::FirstToken {
            tokens::first(inputs.at(0), layout, out);
            return quiet(layout);
        }
        let length = layout.rows() * layout.stride;
        let from = |i| inputs.at(i);
        let (bytes, words): (&mut [u8], &mut [i32]) = match layout.packed {
            Some(_) => (&mut out.bytes[..length], &mut []),
            None => (&mut [], &mut out.words[..length]),
        };
        match op {
            Op::Add(_) => attention::add_counts(cpu, [from(0), from(1)], layout, words),
            Op::MeanTokens => attention::sum_tokens(cpu, from(0), layout, words),
            Op::MeanTimesteps => attention::sum_timesteps(cpu, from(0), timesteps, layout, words),
            Op::MaxPool(window) => match layout.packed {
                Some(_) => pooling::pool_spikes(cpu, window, from(0), layout, bytes),
                None => pooling::pool_words(cpu, window, from(0), layout, words),
            },
            Op::AvgPool(_) => pooling::sum_windows(cpu, inputs.plan.gather(id.index()), from(0), words),
            Op::Attention(Attention::KeyValueCount) => {
                let last = inputs.node.inputs.len() - 1;
                attention::key_value_count(cpu, from(0), from(last), layout, words)
            }
            Op::Attention(Attention::ChannelCount { heads }) => {
                attention::channel_count(cpu, from(0), *heads, layout, words)
            }
            Op::Attention(Attention::Product { heads, .. }) => {
                let qkv = [from(0), from(1), from(2)];
                attention::product(cpu, qkv, *heads, layout, words)
            }
            Op::PlanePool { heads } => {
                pooling::pool_plane(cpu, from(0), *heads, layout, &mut scratch.pool, bytes)
            }
            Op::Mask => attention::mask(cpu, from(0), from(1), layout, bytes),
            Op::Gate(gate) => attention::gate(*gate, from(0), from(1), layout, bytes),
            op => unreachable!("{op:?} is quantized to an operation of its own"),
        }
        if op.passes_events() {
            counts::count_outputs(cpu, Value { layout, buffer: out })
        } else {
            quiet(layout)
        }
    }
}

/// The integer of every pixel or count.
pub fn image(sample: &Sample, op: &QuantizedOp, layout: &Layout, out: &mut [i32]) -> NodeActivity {
    let integer = |pixel: u16, channel: usize| match op {
        QuantizedOp::Input { zero_points, .. } => i64::from(pixel) - zero_points[channel],
        QuantizedOp::InputCodes { codes } => codes[channel][usize::from(pixel)],
        op => unreachable!("{op:?} is no input"),
    };
    let channels = layout.shape.channels;
    for (channel, out) in out.chunks_exact_mut(layout.stride).enumerate() {
        let pixels = sample.data[channel..].iter().step_by(channels);
        out.iter_mut().zip(pixels).for_each(|(out, &pixel)| *out = i32::narrow(integer(pixel, channel)));
    }
    quiet(layout)
}

/// Nothing to count.
fn quiet(layout: &Layout) -> NodeActivity {
    NodeActivity { steps: vec![StepActivity::default(); layout.frames] }
}
