//! The executor: one node after the other, or two at once where they run together.

use std::time::{Duration, Instant};

use super::exact::image;
use super::plan::Plan;
use super::prepared::{Inputs, Kernels, Prepared, Scratch};
use super::snapshot::{self, Snapshot};
use super::value::{Buffer, Value};
use super::{counts, layer, neuron};
use crate::exec::activity::{Activity, NodeActivity};
use crate::exec::execution::Execution;
use crate::exec::kernels::{Cpu, Isa};
use crate::model::{NodeId, Op, Sample};
use crate::quant::{QuantizedModel, QuantizedOp};
use crate::tensor::Frames;

/// Executes a quantized model with the instructions of one instruction set.
#[derive(Debug)]
pub struct FastExecutor<'a> {
    model: &'a QuantizedModel,
    kernels: Kernels<'a>,
}

/// Memory of a run, used again by the next: it grows to what a network needs and stays.
#[derive(Debug, Default)]
pub struct Workspace {
    slots: Vec<Buffer>,
    scratch: Scratch,
}

impl<'a> FastExecutor<'a> {
    /// Lays out the weights as tables.
    ///
    /// # Panics
    /// If this processor lacks `isa`, which [`Isa::is_available`] tells.
    pub fn new(model: &'a QuantizedModel, isa: Isa) -> Self {
        let cpu = Cpu::new(isa).unwrap_or_else(|| panic!("this processor lacks {}", isa.name()));
        Self { model, kernels: Kernels::new(model, cpu) }
    }

    /// Runs one image.
    pub fn run(&self, sample: &Sample, workspace: &mut Workspace) -> Execution<i64> {
        self.kernels.run(self.model, sample, workspace, Hooks::default())
    }

    /// Places between layers where a run can be kept, and the most bytes that this takes.
    pub fn cuts(&self) -> Vec<(usize, usize)> {
        let nodes = self.model.network().nodes.iter().enumerate();
        let layers = nodes.filter(|(_, node)| matches!(node.op, Op::Weighted(_))).map(|(id, _)| id);
        layers.map(|cut| (cut, snapshot::most_bytes(self.model, &self.kernels.plan, cut))).collect()
    }

    /// Runs one image and keeps it at `cuts`, ascending places of [`Self::cuts`].
    pub fn run_keeping(
        &self,
        sample: &Sample,
        workspace: &mut Workspace,
        cuts: &[usize],
    ) -> (Execution<i64>, Vec<Snapshot>) {
        let mut kept = Vec::with_capacity(cuts.len());
        let hooks = Hooks { keep: Some((cuts, &mut kept)), ..Hooks::default() };
        let execution = self.kernels.run(self.model, sample, workspace, hooks);
        (execution, kept)
    }

    /// Runs one image from where an earlier run was kept, with the counters of that run, on a network that
    /// is the same up to there.
    pub fn run_from(
        &self,
        sample: &Sample,
        workspace: &mut Workspace,
        start: (&Snapshot, &[NodeActivity]),
    ) -> Execution<i64> {
        let hooks = Hooks { start: Some(start), ..Hooks::default() };
        self.kernels.run(self.model, sample, workspace, hooks)
    }

    /// Runs one image and shows what every node yields, as the scalar executor holds it.
    pub fn run_observed(
        &self,
        sample: &Sample,
        workspace: &mut Workspace,
        mut observe: impl FnMut(NodeId, &Frames<i64>),
    ) -> Execution<i64> {
        let hooks = Hooks { observe: Some(&mut observe), ..Hooks::default() };
        self.kernels.run(self.model, sample, workspace, hooks)
    }

    /// Runs one image and tells what every node took; what runs together with the layer before it is
    /// part of its time.
    pub fn run_timed(
        &self,
        sample: &Sample,
        workspace: &mut Workspace,
        mut time: impl FnMut(NodeId, Duration),
    ) -> Execution<i64> {
        let hooks = Hooks { time: Some(&mut time), ..Hooks::default() };
        self.kernels.run(self.model, sample, workspace, hooks)
    }

    /// Bytes that weights take as the kernels hold them.
    pub fn weight_bytes(&self) -> usize {
        self.kernels.weight_bytes()
    }
}

/// Is shown what every node yields.
type Observer<'h> = &'h mut dyn FnMut(NodeId, &Frames<i64>);

/// Where a run starts, and what it leaves beside its results.
#[derive(Default)]
struct Hooks<'h> {
    observe: Option<Observer<'h>>,
    time: Option<&'h mut dyn FnMut(NodeId, Duration)>,
    /// Where an earlier run was kept, and what it had counted.
    start: Option<(&'h Snapshot, &'h [NodeActivity])>,
    /// Places to keep the run at, and where to.
    keep: Option<(&'h [usize], &'h mut Vec<Snapshot>)>,
}

impl Kernels<'_> {
    fn run(
        &self,
        model: &QuantizedModel,
        sample: &Sample,
        workspace: &mut Workspace,
        hooks: Hooks,
    ) -> Execution<i64> {
        let Hooks { mut observe, mut time, start, mut keep } = hooks;
        let other;
        let plan = if self.plan.layouts[0].frames == sample.frames {
            &self.plan
        } else {
            other = Plan::new(model, self.cpu, sample.frames);
            &other
        };
        if workspace.slots.len() < plan.slot_count {
            workspace.slots.resize_with(plan.slot_count, Buffer::default);
        }
        let mut nodes = Vec::with_capacity(plan.slots.len());
        if let Some((snapshot, counted)) = start {
            snapshot.restore(plan, &mut workspace.slots);
            nodes.extend_from_slice(&counted[..snapshot.cut]);
        }
        while nodes.len() < plan.slots.len() {
            let id = NodeId(nodes.len() as u32);
            if let Some((cuts, kept)) = &mut keep
                && cuts.get(kept.len()) == Some(&id.index())
            {
                kept.push(Snapshot::take(model.network(), plan, &workspace.slots, id.index()));
            }
            let began = time.is_some().then(Instant::now);
            self.step(model, id, plan, (sample, observe.is_none()), workspace, &mut nodes);
            if let (Some(time), Some(began)) = (&mut time, began) {
                time(id, began.elapsed());
            }
            if let Some(observe) = &mut observe {
                observe(id, &plan.value(&workspace.slots, id.index()).to_frames());
            }
        }
        let logits = plan.value(&workspace.slots, plan.slots.len() - 1).to_frames().data;
        let activity = Activity { nodes, ..Activity::default() };
        Execution { logits, activity }
    }

    /// Computes and counts node `id` into its place, and the one behind it where they `fuse`; `counted` holds
    /// the counters of the nodes before it.
    fn step(
        &self,
        model: &QuantizedModel,
        id: NodeId,
        plan: &Plan,
        (sample, fuse): (&Sample, bool),
        Workspace { slots, scratch }: &mut Workspace,
        counted: &mut Vec<NodeActivity>,
    ) {
        let fuse = fuse && self.runs_with_next[id.index()];
        let last = id.index() + usize::from(fuse);
        let mut out = std::mem::take(&mut slots[plan.slots[last]]);
        out.fit(&plan.layouts[last]);
        let nodes = &model.network().nodes;
        let inputs = Inputs { network: model.network(), node: &nodes[id.index()], plan, slots };
        let activity = if fuse {
            counted.push(self.count_layer(model, id, &inputs, counted, scratch));
            let next = Inputs { node: &nodes[last], ..inputs };
            self.layer_with_next(model, id, &inputs, &next, scratch, &mut out)
        } else {
            self.node(model, id, &inputs, counted, sample, scratch, &mut out)
        };
        counted.push(activity);
        slots[plan.slots[last]] = out;
    }

    /// Computes and counts node `id`; `counted` holds the counters of the nodes before it.
    #[allow(clippy::too_many_arguments)]
    fn node(
        &self,
        model: &QuantizedModel,
        id: NodeId,
        inputs: &Inputs,
        counted: &[NodeActivity],
        sample: &Sample,
        scratch: &mut Scratch,
        out: &mut Buffer,
    ) -> NodeActivity {
        if self.wide[id.index()] && !matches!(inputs.node.op, Op::Input) {
            return self.wide_node(model, id, inputs, counted, scratch, out);
        }
        let (cpu, node) = (self.cpu, inputs.node);
        let layout = &inputs.plan.layouts[id.index()];
        let length = layout.rows() * layout.stride;
        let words = if layout.packed.is_none() { &mut out.words[..length] } else { &mut [] };
        match (&node.op, model.op(id), &self.prepared[id.index()]) {
            (Op::Input, op, _) => image(sample, op, layout, words),
            (_, QuantizedOp::Weighted(op), Prepared::Layer(layer)) => {
                let gather = inputs.plan.gather(id.index());
                layer.ready(cpu, gather, inputs.at(0), &mut scratch.layer).run(words);
                let mut counts = self.count_layer(model, id, inputs, counted, scratch);
                if let Some(accumulator) = op.accumulator {
                    layer::write_back(cpu, accumulator, op, layout, words, &mut counts);
                }
                counts
            }
            (_, QuantizedOp::Neuron(_), Prepared::Cells(cells)) => {
                let counts = &mut scratch.neuron;
                counts.clear(layout.frames);
                neuron::neuron(cpu, cells, inputs.at(0), layout, counts, &mut out.bytes[..length]);
                counts.activity(layout)
            }
            (_, QuantizedOp::Loihi(op), _) => {
                neuron::loihi(cpu, op, inputs.at(0), layout, &mut out.bytes[..length])
            }
            (_, _, Prepared::Levels(thresholds)) => {
                neuron::levels(cpu, thresholds, inputs.at(0), words);
                let mut counted = counts::count_outputs(cpu, Value { layout, buffer: out });
                counted.steps.iter_mut().for_each(|step| step.neuron_updates = layout.shape.values() as u32);
                counted
            }
            (_, QuantizedOp::Requantize { requantizers, format }, _) => {
                let input = inputs.at(0);
                neuron::requantize(cpu, requantizers, *format, input, layout, &mut scratch.neuron, words)
            }
            (_, QuantizedOp::AddMembrane(op), _) => {
                let sides = [inputs.at(0), inputs.at(1)];
                neuron::join(cpu, op.branch.as_deref(), op.format, sides, layout, &mut scratch.neuron, words)
            }
            (_, _, Prepared::Tokens(tokens)) => {
                tokens.in_front(cpu, inputs.at(0), layout, &mut scratch.neuron, words)
            }
            (op, _, _) if is_logits(op, inputs) => self.by_specification(id, inputs, out),
            (op, _, _) => self.exact(op, model.network().timesteps, id, inputs, scratch, out),
        }
    }
}

/// True for potentials that are read out and spikes that are counted: logits, which are few.
fn is_logits(op: &Op, inputs: &Inputs) -> bool {
    match op {
        Op::Readout(_) => true,
        Op::MeanTimesteps => inputs.at(0).layout.packed.is_some(),
        _ => false,
    }
}
