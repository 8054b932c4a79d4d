//! State of a network that is prepared once, and what its nodes share in a run.

use super::layer::{self, Layer};
use super::plan::{self, Plan};
use super::tokens::Tokens;
use super::value::{Buffer, Value, WIDE};
use super::{counts, neuron, pooling};
use crate::exec::activity::NodeActivity;
use crate::exec::kernels::Cpu;
use crate::exec::neuron::Cell;
use crate::exec::scalar::ScalarExecutor;
use crate::model::{Kind, Network, Node, NodeId};
use crate::quant::{QuantizedModel, QuantizedOp, QuantizedWeighted};

/// Most memory that the tables of a network take: what stays in the last cache beside all else. A layer that
/// goes beyond it makes its tables whenever it runs, a few output channels at a time, which takes less time
/// than to load them.
const TABLE_BYTES: usize = 1 << 22;

/// What is prepared once per network.
#[derive(Debug)]
pub struct Kernels<'a> {
    pub cpu: Cpu,
    /// For the frames that the network declares.
    pub plan: Plan,
    /// Per node.
    pub prepared: Vec<Prepared>,
    /// Per node, whether it is a weight layer that runs together with the node behind it.
    pub runs_with_next: Vec<bool>,
    /// Per node, whether 32 bits do not hold what it computes.
    pub wide: Vec<bool>,
    /// Runs wide nodes that have no kernel.
    pub specification: ScalarExecutor<'a, i64>,
}

/// What is prepared of a node.
#[derive(Debug)]
pub enum Prepared {
    Nothing,
    Layer(Layer),
    Cells(Vec<Cell>),
    WideCells(Vec<Cell<i64>>),
    Levels(Vec<Vec<i32>>),
    Tokens(Tokens),
}

/// Room for what nodes compute on the way.
#[derive(Debug, Default)]
pub struct Scratch {
    pub layer: layer::Scratch,
    pub counts: counts::CountScratch,
    pub pool: pooling::PoolScratch,
    pub neuron: neuron::NeuronScratch,
}

/// What a node reads.
#[derive(Clone, Copy)]
pub struct Inputs<'r> {
    pub network: &'r Network,
    pub node: &'r Node,
    pub plan: &'r Plan,
    pub slots: &'r [Buffer],
}

impl<'r> Inputs<'r> {
    /// Input `i`.
    pub fn at(&self, i: usize) -> Value<'r> {
        self.plan.value(self.slots, self.node.inputs[i].index())
    }
}

impl<'a> Kernels<'a> {
    /// Lays out the weights.
    pub fn new(model: &'a QuantizedModel, cpu: Cpu) -> Self {
        let frames = model.network().nodes[0].frames(model.network().timesteps);
        let wide: Vec<bool> = model.network().iter().map(|(id, node)| is_wide(model, id, node)).collect();
        let prepare = |(id, node): (NodeId, &Node)| match (model.op(id), wide[id.index()]) {
            (QuantizedOp::Weighted(op), wide) => {
                Layer::new(cpu, model, node, op, wide).map_or(Prepared::Nothing, Prepared::Layer)
            }
            (QuantizedOp::Neuron(op), false) => Prepared::Cells(neuron::cells(model, id, op)),
            (QuantizedOp::Levels { thresholds }, false) => Prepared::Levels(neuron::levels_of(thresholds)),
            (QuantizedOp::Neuron(op), true) => Prepared::WideCells(neuron::cells(model, id, op)),
            (QuantizedOp::ClassToken(op), false) => Prepared::Tokens(Tokens::new(op)),
            _ => Prepared::Nothing,
        };
        let mut prepared: Vec<_> = model.network().iter().map(prepare).collect();
        let mut budget_bytes = TABLE_BYTES;
        for one in &mut prepared {
            if let Prepared::Layer(layer) = one {
                budget_bytes = layer.store_tables(cpu, budget_bytes);
            }
        }
        let with_next = |id: usize| runs_with_next(model, &prepared, &wide, id);
        let runs_with_next = (0..prepared.len()).map(with_next).collect();
        let unprepared = |id: NodeId| matches!(prepared[id.index()], Prepared::Nothing);
        let specification = ScalarExecutor::of_nodes(model, unprepared);
        Self { cpu, plan: Plan::new(model, cpu, frames), prepared, runs_with_next, wide, specification }
    }

    /// The counters of weight layer `id`.
    pub fn count_layer(
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
                let gather = inputs.plan.gather(id.index());
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

    /// Bytes that weights take as the kernels hold them.
    pub fn weight_bytes(&self) -> usize {
        self.prepared.iter().map(Prepared::weight_bytes).sum()
    }
}

impl Prepared {
    fn weight_bytes(&self) -> usize {
        match self {
            Self::Layer(layer) => layer.weight_bytes(),
            Self::Nothing | Self::Cells(_) | Self::WideCells(_) | Self::Levels(_) | Self::Tokens(_) => 0,
        }
    }
}

/// True if node `id` reads, keeps or yields what 32 bits do not hold.
fn is_wide(model: &QuantizedModel, id: NodeId, node: &Node) -> bool {
    let yields = |id: NodeId| model.bounds()[id.index()] >= WIDE;
    yields(id) || model.potential_bound(id) >= WIDE || node.inputs.iter().any(|&input| yields(input))
}

/// True if the node behind weight layer `id` can take its X a few channels at a time.
fn runs_with_next(model: &QuantizedModel, prepared: &[Prepared], wide: &[bool], id: usize) -> bool {
    let tiled = matches!(&prepared[id], Prepared::Layer(layer) if layer.is_tiled());
    tiled
        && plan::feeds_next(model.network(), id)
        && !wide[id]
        && !wide[id + 1]
        && !matches!(model.op(NodeId(id as u32 + 1)), QuantizedOp::Loihi(_) | QuantizedOp::Levels { .. })
}
