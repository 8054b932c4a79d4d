//! The same integers as the scalar specification, by kernels for the processor at hand.
//!
//! Values lie channel by channel, with all timesteps and positions of a channel in one row: a vector is
//! many positions, constants of a channel are scalars, and spikes of a few channels share a byte, which
//! looks up their weighted sum.

mod attention;
mod checkpoint;
mod counts;
mod follow;
mod gather;
mod grouped;
mod layer;
mod lookup;
mod neuron;
mod padded;
mod plan;
mod pooling;
mod products;
mod threads;
mod tiles;
mod value;
mod wide;
mod words;

use std::time::{Duration, Instant};

pub use self::checkpoint::Checkpoint;
use self::layer::Layer;
use self::plan::Plan;
use self::value::{Buffer, Layout, Value};
use super::kernels::{Cell, Cpu, Isa};
use super::{Activity, Execution, NodeActivity, ScalarExecutor, StepActivity};
use crate::model::{Attention, Kind, Network, Node, NodeId, Op, Sample};
use crate::num::Word;
use crate::quant::{QuantizedModel, QuantizedOp, QuantizedWeighted};
use crate::tensor::Frames;

/// Most memory that the tables of a network take: what stays in the last cache beside all else. A layer that
/// goes beyond it makes its tables whenever it runs, a few output channels at a time, which takes less time
/// than to load them.
const TABLE_BYTES: usize = 1 << 22;

/// Executes a quantized model with the instructions of one instruction set.
#[derive(Debug)]
pub struct FastExecutor<'a> {
    model: &'a QuantizedModel,
    kernels: Kernels<'a>,
}

/// What is prepared once per network.
#[derive(Debug)]
struct Kernels<'a> {
    cpu: Cpu,
    /// For the frames that the network declares.
    plan: Plan,
    /// Per node.
    prepared: Vec<Prepared>,
    /// Per node, whether it is a weight layer that runs together with the node behind it.
    runs_with_next: Vec<bool>,
    /// Per node, whether 32 bits do not hold what it computes.
    wide: Vec<bool>,
    /// Runs wide nodes that have no kernel.
    specification: ScalarExecutor<'a, i64>,
}

#[derive(Debug)]
enum Prepared {
    Nothing,
    Layer(Box<Layer>),
    Cells(Vec<Cell>),
    WideCells(Vec<Cell<i64>>),
    Levels(Vec<Vec<i32>>),
}

/// Memory of a run, used again by the next: it grows to what a network needs and stays.
#[derive(Debug, Default)]
pub struct Workspace {
    slots: Vec<Buffer>,
    scratch: Scratch,
}

#[derive(Debug, Default)]
struct Scratch {
    layer: layer::Scratch,
    counts: counts::CountScratch,
    pool: pooling::PoolScratch,
    neuron: neuron::NeuronScratch,
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
        let nodes = self.model.network.nodes.iter().enumerate();
        let layers = nodes.filter(|(_, node)| matches!(node.op, Op::Weighted(_))).map(|(id, _)| id);
        layers.map(|cut| (cut, checkpoint::most_bytes(self.model, &self.kernels.plan, cut))).collect()
    }

    /// Runs one image and keeps it at `cuts`, ascending places of [`Self::cuts`].
    pub fn run_keeping(
        &self,
        sample: &Sample,
        workspace: &mut Workspace,
        cuts: &[usize],
    ) -> (Execution<i64>, Vec<Checkpoint>) {
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
        start: (&Checkpoint, &[NodeActivity]),
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
        self.kernels.prepared.iter().map(Prepared::weight_bytes).sum()
    }
}

impl Prepared {
    fn weight_bytes(&self) -> usize {
        match self {
            Self::Layer(layer) => layer.weight_bytes(),
            Self::Nothing | Self::Cells(_) | Self::WideCells(_) | Self::Levels(_) => 0,
        }
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
    start: Option<(&'h Checkpoint, &'h [NodeActivity])>,
    /// Places to keep the run at, and where to.
    keep: Option<(&'h [usize], &'h mut Vec<Checkpoint>)>,
}

/// What a node reads.
struct Inputs<'r> {
    network: &'r Network,
    node: &'r Node,
    plan: &'r Plan,
    slots: &'r [Buffer],
}

impl<'r> Inputs<'r> {
    fn at(&self, i: usize) -> Value<'r> {
        self.plan.value(self.slots, self.node.inputs[i].index())
    }
}

impl<'a> Kernels<'a> {
    fn new(model: &'a QuantizedModel, cpu: Cpu) -> Self {
        let frames = if model.network.nodes[0].constant { 1 } else { model.network.timesteps };
        let wide: Vec<bool> = model.network.iter().map(|(id, node)| wide::is_wide(model, id, node)).collect();
        let prepare = |(id, node): (NodeId, &Node)| match (model.op(id), wide[id.index()]) {
            (QuantizedOp::Weighted(op), wide) => Layer::new(cpu, model, node, op, wide)
                .map_or(Prepared::Nothing, |layer| Prepared::Layer(Box::new(layer))),
            (QuantizedOp::Neuron(op), false) => Prepared::Cells(neuron::cells(model, id, op)),
            (QuantizedOp::Levels { thresholds }, false) => Prepared::Levels(neuron::levels_of(thresholds)),
            (QuantizedOp::Neuron(op), true) => Prepared::WideCells(neuron::cells(model, id, op)),
            _ => Prepared::Nothing,
        };
        let mut prepared: Vec<_> = model.network.iter().map(prepare).collect();
        let mut budget_bytes = TABLE_BYTES;
        for one in &mut prepared {
            if let Prepared::Layer(layer) = one {
                budget_bytes = layer.store_tables(cpu, budget_bytes);
            }
        }
        let with_next = |id: usize| follow::runs_with_next(model, &prepared, &wide, id);
        let runs_with_next = (0..prepared.len()).map(with_next).collect();
        let unprepared = |id: NodeId| matches!(prepared[id.index()], Prepared::Nothing);
        let specification = ScalarExecutor::of_nodes(model, unprepared);
        Self { cpu, plan: Plan::new(model, cpu, frames), prepared, runs_with_next, wide, specification }
    }

    fn run(
        &self,
        model: &QuantizedModel,
        sample: &Sample,
        workspace: &mut Workspace,
        hooks: Hooks,
    ) -> Execution<i64> {
        let Hooks { mut observe, mut time, start, mut keep } = hooks;
        let other;
        let plan = match self.plan.layouts[0].frames == sample.frames {
            true => &self.plan,
            false => {
                other = Plan::new(model, self.cpu, sample.frames);
                &other
            }
        };
        if workspace.slots.len() < plan.slot_count {
            workspace.slots.resize_with(plan.slot_count, Buffer::default);
        }
        let mut nodes = Vec::with_capacity(plan.slots.len());
        if let Some((checkpoint, counted)) = start {
            checkpoint.restore(plan, &mut workspace.slots);
            nodes.extend_from_slice(&counted[..checkpoint.cut]);
        }
        while nodes.len() < plan.slots.len() {
            let id = NodeId(nodes.len() as u32);
            if let Some((cuts, kept)) = &mut keep
                && cuts.get(kept.len()) == Some(&id.index())
            {
                kept.push(Checkpoint::take(&model.network, plan, &workspace.slots, id.index()));
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
        let nodes = &model.network.nodes;
        let inputs = Inputs { network: &model.network, node: &nodes[id.index()], plan, slots };
        let activity = match fuse {
            true => {
                counted.push(self.count_layer(model, id, &inputs, counted, scratch));
                let next = Inputs { node: &nodes[last], ..inputs };
                self.layer_with_next(model, id, &inputs, &next, scratch, &mut out)
            }
            false => self.node(model, id, &inputs, counted, sample, scratch, &mut out),
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
                let gather = &inputs.plan.gathers[id.index()][0];
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
            (op, _, _) => self.exact(op, model.network.timesteps, id, inputs, scratch, out),
        }
    }

    /// The counters of weight layer `id`.
    fn count_layer(
        &self,
        model: &QuantizedModel,
        id: NodeId,
        inputs: &Inputs,
        counted: &[NodeActivity],
        scratch: &mut Scratch,
    ) -> NodeActivity {
        let QuantizedOp::Weighted(QuantizedWeighted { geometry, .. }) = model.op(id) else {
            unreachable!("{} is a weight layer", inputs.node.name)
        };
        let multi_bit = inputs.network.input_of(inputs.node, 0).kind != Kind::Spikes;
        match inputs.plan.twins[id.index()] {
            Some(twin) => counts::with_outputs(&counted[twin], geometry, multi_bit),
            None => {
                let gather = &inputs.plan.gathers[id.index()][0];
                counts::count_products(
                    self.cpu,
                    inputs.at(0),
                    gather,
                    geometry,
                    multi_bit,
                    &mut scratch.counts,
                )
            }
        }
    }

    /// Operations that are the same in every number system.
    fn exact(
        &self,
        op: &Op,
        timesteps: usize,
        id: NodeId,
        inputs: &Inputs,
        scratch: &mut Scratch,
        out: &mut Buffer,
    ) -> NodeActivity {
        let (cpu, layout) = (self.cpu, &inputs.plan.layouts[id.index()]);
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
            Op::MaxPool(_) => {
                let passes = &inputs.plan.gathers[id.index()];
                match layout.packed {
                    Some(_) => pooling::pool_spikes(cpu, passes, from(0), bytes),
                    None => pooling::pool_words(cpu, passes, from(0), words),
                }
            }
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
            Op::Input | Op::Weighted(_) | Op::Neuron(_) | Op::IntegerNeuron(_) | Op::Requantize(_) => {
                unreachable!("{op:?} is quantized to an operation of its own")
            }
        }
        match op {
            Op::MaxPool(_) | Op::PlanePool { .. } | Op::Attention(_) | Op::Mask => {
                counts::count_outputs(cpu, Value { layout, buffer: out })
            }
            _ => quiet(layout),
        }
    }
}

/// The integer of every pixel or count.
fn image(sample: &Sample, op: &QuantizedOp, layout: &Layout, out: &mut [i32]) -> NodeActivity {
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
