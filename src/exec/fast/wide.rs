//! Nodes that read or yield what 32 bits do not hold.

use rayon::prelude::*;

use super::neuron::rescale;
use super::value::{Buffer, Layout, Value, WIDE};
use super::{Inputs, Kernels, Prepared, Scratch};
use crate::exec::activity::{NodeActivity, StepActivity};
use crate::exec::kernels::{self, Cpu, Rescale};
use crate::model::{Node, NodeId};
use crate::quant::{QuantizedModel, QuantizedOp, per_channel};

/// True if node `id` reads, keeps or yields what 32 bits do not hold.
pub fn is_wide(model: &QuantizedModel, id: NodeId, node: &Node) -> bool {
    let yields = |id: NodeId| model.bounds[id.index()] >= WIDE;
    yields(id) || model.potential_bound(id) >= WIDE || node.inputs.iter().any(|&input| yields(input))
}

impl Kernels<'_> {
    /// Computes and counts wide node `id`: by kernels of 64 bits where there are some, else by the
    /// specification.
    pub(super) fn wide_node(
        &self,
        model: &QuantizedModel,
        id: NodeId,
        inputs: &Inputs,
        counted: &[NodeActivity],
        scratch: &mut Scratch,
        out: &mut Buffer,
    ) -> NodeActivity {
        let (cpu, layout) = (self.cpu, &inputs.plan.layouts[id.index()]);
        let length = layout.rows() * layout.stride;
        match (model.op(id), &self.prepared[id.index()]) {
            (QuantizedOp::Weighted(_), Prepared::Layer(layer)) => {
                let gather = &inputs.plan.gathers[id.index()][0];
                layer.run_wide(cpu, gather, inputs.at(0), &mut scratch.layer, &mut out.wide[..length]);
                self.count_layer(model, id, inputs, counted, scratch)
            }
            (QuantizedOp::Neuron(_), Prepared::WideCells(cells)) => {
                let (width, counts) = (cpu.inputs_per_table(), &mut scratch.neuron);
                counts.clear(layout.frames);
                let rows = out.bytes[..length].par_chunks_exact_mut(layout.stride).enumerate();
                counts.in_parallel(rows, |counts, (row, spikes)| {
                    let mut room = Vec::new();
                    for (bit, cell) in cells[row * width..].iter().take(width).enumerate() {
                        let x = inputs.at(0).wide_row(row * width + bit, &mut room);
                        counts.neuron_wide(cpu, cell, x, layout, bit, spikes);
                    }
                });
                counts.activity(layout)
            }
            (QuantizedOp::Requantize { requantizers, format }, _) if !layout.wide => {
                let by = |channel| rescale(Some(per_channel(requantizers, channel)), *format);
                onto_grid(cpu, by, None, inputs.at(0), layout, &mut out.words[..length])
            }
            (QuantizedOp::AddMembrane(op), _) if !layout.wide => {
                let by =
                    |channel| rescale(op.branch.as_deref().map(|by| per_channel(by, channel)), op.format);
                onto_grid(cpu, by, Some(inputs.at(0)), inputs.at(1), layout, &mut out.words[..length])
            }
            _ => {
                let frames: Vec<_> =
                    (0..inputs.node.inputs.len()).map(|i| inputs.at(i).to_frames()).collect();
                let (value, counted) =
                    self.specification.node(id, &frames.iter().collect::<Vec<_>>(), &mut |_, _| ());
                out.write(&value, layout);
                counted
            }
        }
    }
}

/// stream + branch, the branch brought onto the grid by one requantizer per channel.
fn onto_grid(
    cpu: Cpu,
    by: impl Fn(usize) -> Rescale + Sync,
    stream: Option<Value>,
    branch: Value,
    layout: &Layout,
    out: &mut [i32],
) -> NodeActivity {
    let channel = |(channel, out): (usize, &mut [i32])| {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let branch_row = branch.wide_row(channel, &mut right);
        let stream_row = stream.map(|stream| stream.wide_row(channel, &mut left));
        let clamped = |t: usize| {
            let (x, out) = (&branch_row[branch.layout.frame(t)], &mut out[layout.frame(t)]);
            match (stream, stream_row) {
                (Some(stream), Some(row)) => {
                    kernels::join_wide(cpu, by(channel), &row[stream.layout.frame(t)], x, out)
                }
                _ => kernels::requantize_wide(cpu, by(channel), x, out),
            }
        };
        (0..layout.frames).map(clamped).collect::<Vec<u32>>()
    };
    let rows: Vec<Vec<u32>> = out.par_chunks_exact_mut(layout.stride).enumerate().map(channel).collect();
    let saturations = |t: usize| rows.iter().map(|clamped| clamped[t]).sum();
    let step = |t| StepActivity { saturations: saturations(t), ..StepActivity::default() };
    NodeActivity { steps: (0..layout.frames).map(step).collect() }
}
