//! Operations that run together with the weight layer before them: neurons, requantization and joins.

use super::neuron::{NeuronScratch, rescale};
use super::prepared::{Inputs, Kernels, Prepared, Scratch};
use super::tiles::{Ready, Target};
use super::value::{Buffer, Layout};
use crate::exec::activity::NodeActivity;
use crate::exec::kernels;
use crate::model::NodeId;
use crate::quant::{QuantizedModel, QuantizedOp, per_channel};

impl Kernels<'_> {
    /// Computes weight layer `id` and the node behind it, and counts the latter, which reads `inputs`.
    pub(super) fn layer_with_next(
        &self,
        model: &QuantizedModel,
        id: NodeId,
        layer_inputs: &Inputs,
        inputs: &Inputs,
        scratch: &mut Scratch,
        out: &mut Buffer,
    ) -> NodeActivity {
        let (cpu, plan, next) = (self.cpu, inputs.plan, NodeId(id.0 + 1));
        let Prepared::Layer(layer) = &self.prepared[id.index()] else {
            unreachable!("{} is a weight layer", layer_inputs.node.name)
        };
        let gather = plan.gather(id.index());
        let ready = layer.ready(cpu, gather, layer_inputs.at(0), &mut scratch.layer);
        let x_layout = &plan.layouts[id.index()];
        let (layout, counts) = (&plan.layouts[next.index()], &mut scratch.neuron);
        let length = layout.rows() * layout.stride;
        counts.clear(layout.frames);
        match (model.op(next), &self.prepared[next.index()]) {
            (QuantizedOp::Neuron(_), Prepared::Cells(cells)) => {
                let width = cpu.inputs_per_table();
                let target =
                    Target { rows: &mut out.bytes[..length], stride: layout.stride, channels: width };
                ready.run_before(target, x_layout.shape.channels, counts, |counts, first, sums, spikes| {
                    for (i, x) in sums.chunks_exact(gather.stride).enumerate() {
                        let spikes = &mut spikes[i / width * layout.stride..][..layout.stride];
                        let x = &x[..gather.columns()];
                        counts.neuron(cpu, &cells[first + i], x, layout, i % width, spikes);
                    }
                });
                counts.activity(layout)
            }
            (QuantizedOp::Requantize { requantizers, format }, _) => {
                onto_grid(&ready, layout, counts, &mut out.words[..length], |channel, t, x, out| {
                    let by = rescale(Some(per_channel(requantizers, channel)), *format);
                    kernels::requantize(cpu, by, &x[x_layout.frame(t)], out)
                })
            }
            (QuantizedOp::AddMembrane(op), _) => {
                let stream = inputs.at(0);
                onto_grid(&ready, layout, counts, &mut out.words[..length], |channel, t, x, out| {
                    let by = rescale(op.branch.as_deref().map(|by| per_channel(by, channel)), op.format);
                    let stream = &stream.word_row(channel)[stream.layout.frame(t)];
                    kernels::join(cpu, by, stream, &x[x_layout.frame(t)], out)
                })
            }
            (op, _) => unreachable!("{op:?} takes whole maps"),
        }
    }
}

/// Fills `out` channel by channel and timestep by timestep with what `work` makes of X, which says how many
/// values it clamped.
fn onto_grid(
    ready: &Ready,
    layout: &Layout,
    counts: &mut NeuronScratch,
    out: &mut [i32],
    work: impl Fn(usize, usize, &[i32], &mut [i32]) -> u32 + Sync,
) -> NodeActivity {
    let target = Target { rows: out, stride: layout.stride, channels: 1 };
    ready.run_before(target, layout.shape.channels, counts, |counts, first, sums, out| {
        let rows = sums.chunks_exact(ready.input.gather.stride).zip(out.chunks_exact_mut(layout.stride));
        for (channel, (x, out)) in (first..).zip(rows) {
            counts.grid_row(layout, out, |t, out| work(channel, t, x, out));
        }
    });
    counts.grid_activity()
}
