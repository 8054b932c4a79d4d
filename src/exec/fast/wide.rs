//! Nodes whose inputs or outputs 32 bits do not hold.

use rayon::prelude::*;

use super::neuron::{NeuronScratch, onto_grid, rescale};
use super::prepared::{Inputs, Kernels, Prepared, Scratch};
use super::threads;
use super::value::{Buffer, Layout, Value};
use crate::exec::activity::NodeActivity;
use crate::exec::kernels::{self, Cpu};
use crate::exec::neuron::Cell;
use crate::model::NodeId;
use crate::quant::{QuantizedModel, QuantizedOp, per_channel};

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
                let gather = inputs.plan.gather(id.index());
                layer.run_wide(cpu, gather, inputs.at(0), &mut scratch.layer, &mut out.wide[..length]);
                self.count_layer(model, id, inputs, counted, scratch)
            }
            (QuantizedOp::Neuron(_), Prepared::WideCells(cells)) => {
                neurons(cpu, cells, inputs.at(0), layout, &mut scratch.neuron, &mut out.bytes[..length])
            }
            (QuantizedOp::Requantize { requantizers, format }, _) if !layout.wide => {
                let (input, out) = (inputs.at(0), &mut out.words[..length]);
                onto_grid(layout, &mut scratch.neuron, out, |channel, t, out| {
                    let by = rescale(Some(per_channel(requantizers, channel)), *format);
                    threads::with_wide_rows(|[room, _]| {
                        let x = &input.wide_row(channel, room)[input.layout.frame(t)];
                        kernels::requantize_wide(cpu, by, x, out)
                    })
                })
            }
            (QuantizedOp::AddMembrane(op), _) if !layout.wide => {
                let (sides, out) = ([inputs.at(0), inputs.at(1)], &mut out.words[..length]);
                onto_grid(layout, &mut scratch.neuron, out, |channel, t, out| {
                    let by = rescale(op.branch.as_deref().map(|by| per_channel(by, channel)), op.format);
                    threads::with_wide_rows(|[a, b]| {
                        let a = &sides[0].wide_row(channel, a)[sides[0].layout.frame(t)];
                        let b = &sides[1].wide_row(channel, b)[sides[1].layout.frame(t)];
                        kernels::join_wide(cpu, by, a, b, out)
                    })
                })
            }
            _ => self.by_specification(id, inputs, out),
        }
    }

    /// Computes and counts node `id` as the specification does.
    pub(super) fn by_specification(&self, id: NodeId, inputs: &Inputs, out: &mut Buffer) -> NodeActivity {
        let frames: Vec<_> = (0..inputs.node.inputs.len()).map(|i| inputs.at(i).to_frames()).collect();
        let (value, counted) =
            self.specification.node(id, &frames.iter().collect::<Vec<_>>(), &mut |_, _| ());
        out.write(&value, &inputs.plan.layouts[id.index()]);
        counted
    }
}

/// Spikes of neurons in 64 bits, into rows of zeros.
fn neurons(
    cpu: Cpu,
    cells: &[Cell<i64>],
    input: Value,
    layout: &Layout,
    counts: &mut NeuronScratch,
    spikes: &mut [u8],
) -> NodeActivity {
    let width = cpu.inputs_per_table();
    counts.clear(layout.frames);
    let rows = spikes.par_chunks_exact_mut(layout.stride).enumerate();
    counts.in_parallel(rows, |counts, (row, spikes)| {
        threads::with_wide_rows(|[room, _]| {
            for (bit, cell) in cells[row * width..].iter().take(width).enumerate() {
                let x = input.wide_row(row * width + bit, room);
                counts.neuron_wide(cpu, cell, x, layout, bit, spikes);
            }
        });
    });
    counts.activity(layout)
}
