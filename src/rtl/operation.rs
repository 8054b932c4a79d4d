//! What stands between weight layers, as `rtl/design/elementwise.sv` runs it.

use super::layer::{NeuronRule, rule};
use super::machine::{DesignMachine, SUM_BITS};
use crate::map::{Epilogue, bits_of_count};
use crate::model::{Attention, Join, Kind, Node, NodeId, Op, Sides, Window};
use crate::num::{Format, Requantizer};
use crate::quant::{QuantizedModel, QuantizedNeuron, QuantizedOp};
use crate::tensor::Shape;

/// A map that is read or written: `[timestep][block of channels][position][channel]`, rows of a block side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Map {
    /// The node that yields it.
    pub node: NodeId,
    /// One frame.
    pub shape: Shape,
    /// Frames.
    pub frames: usize,
    /// Bits that a value takes: a power of two, and words of a row as well.
    pub room: usize,
    /// True if values may be below zero.
    pub signed: bool,
}

impl Map {
    /// What `id` yields at `timesteps`.
    fn new(model: &QuantizedModel, id: NodeId, timesteps: usize) -> Self {
        let node = model.network().node(id);
        let bits = match (node.kind, model.op(id)) {
            (Kind::Spikes, _) => 1,
            (Kind::Levels { max, .. }, _) => bits_of_count(max),
            (_, QuantizedOp::Requantize { format, .. }) => format.bits,
            (_, QuantizedOp::AddMembrane(add)) => add.format.bits,
            _ => SUM_BITS,
        };
        let signed = !matches!(node.kind, Kind::Spikes | Kind::Levels { .. });
        let frames = if node.op.is_over_timesteps() { 1 } else { node.frames(timesteps) };
        Self { node: id, shape: node.shape, frames, room: bits.next_power_of_two() as usize, signed }
    }

    /// Rows and columns.
    pub fn sides(&self) -> [usize; 2] {
        [self.shape.height, self.shape.width]
    }

    /// Blocks of `channels` channels.
    pub fn blocks(&self, channels: usize) -> usize {
        self.shape.channels.div_ceil(channels)
    }

    /// Words from one timestep to the next.
    pub fn frame_words(&self, channels: usize) -> usize {
        self.blocks(channels) * self.block_words()
    }

    /// Words from one block of channels to the next.
    pub fn block_words(&self) -> usize {
        self.shape.positions() * self.room
    }

    /// Words of all frames.
    pub fn words(&self, channels: usize) -> usize {
        self.frames * self.frame_words(channels)
    }

    /// Bit of a value, in words of a bit for each of `channels` channels.
    pub fn at(&self, channels: usize, t: usize, position: usize, channel: usize) -> usize {
        let (block, lane) = (channel / channels, channel % channels);
        let word = t * self.frame_words(channels) + block * self.block_words() + position * self.room;
        word * channels + lane * self.room
    }
}

/// What becomes of the value of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Finish<'a> {
    /// The value is the output.
    Nothing,
    /// Requantized, added to the second operand where there is one, clamped.
    Rescales(&'a [Requantizer], Format),
    /// Through neurons.
    Fires(&'a QuantizedNeuron),
    /// The number of thresholds that it reaches, of each channel or of all.
    Counts(&'a [Vec<i64>]),
}

/// One operation without weights.
#[derive(Debug, Clone)]
pub struct DesignOperation<'a> {
    /// Name of the node.
    pub name: &'a str,
    /// What the cost model charges for it.
    pub epilogue: &'a Epilogue,
    /// The operand whose windows are read.
    pub a: Map,
    /// The second one.
    pub b: Option<Map>,
    /// True if A and B are what is summed; else B is added at the end.
    pub conjunction: bool,
    /// True for the largest value of a window, false for the sum.
    pub maximum: bool,
    /// Windows of A. Of a sum over timesteps they have a row for each of them.
    pub window: Window,
    /// True if windows reach over timesteps in the place of rows.
    pub over_timesteps: bool,
    /// The end of it.
    pub finish: Finish<'a>,
    /// What it yields.
    pub out: Map,
}

const POINT: Window = Window::square(1, 1, 0);
/// What leaves a value as it is, on the way to a clamp.
const IDENTITY: [Requantizer; 1] = [Requantizer { multiplier: 1, shift: 0 }];

impl<'a> DesignOperation<'a> {
    /// The operation of `epilogue` in `model`.
    ///
    /// # Errors
    /// Why the design does not run it.
    pub fn new(
        model: &'a QuantizedModel,
        epilogue: &'a Epilogue,
        machine: &DesignMachine,
    ) -> Result<Self, String> {
        let (network, id) = (model.network(), epilogue.node);
        let node = network.node(id);
        let map = |id| Map::new(model, id, network.timesteps);
        let first = *node.inputs.first().ok_or("an input")?;
        let blank = Self {
            name: &node.name,
            epilogue,
            a: map(first),
            b: None,
            conjunction: false,
            maximum: false,
            window: POINT,
            over_timesteps: false,
            finish: Finish::Nothing,
            out: map(id),
        };
        let second = || node.inputs.get(1).map(|&id| map(id));
        let this = blank.of_node(node, model.op(id), second)?;
        this.check(model, machine)?;
        Ok(this)
    }

    fn of_node(
        self,
        node: &Node,
        op: &'a QuantizedOp,
        second: impl Fn() -> Option<Map>,
    ) -> Result<Self, String> {
        let shape = self.a.shape;
        let whole = Window { size: Sides([shape.height, shape.width]), ..POINT };
        Ok(match (&node.op, op) {
            (Op::MaxPool(window), _) => Self { maximum: true, window: *window, ..self },
            (Op::AvgPool(window), _) => Self { window: *window, ..self },
            (Op::MeanTokens, _) => Self { window: whole, ..self },
            (Op::MeanTimesteps, _) => {
                let window = Window { size: Sides([self.a.frames, 1]), ..POINT };
                Self { window, over_timesteps: true, ..self }
            }
            (Op::Requantize(_), QuantizedOp::Requantize { requantizers, format }) => {
                Self { finish: Finish::Rescales(requantizers, *format), ..self }
            }
            (Op::Add(Join::Membrane), QuantizedOp::AddMembrane(add)) => {
                let requantizers = add.branch.as_deref().unwrap_or(&IDENTITY);
                let (stream, branch) = (self.a, second().ok_or("a join of one stream")?);
                let finish = Finish::Rescales(requantizers, add.format);
                Self { a: branch, b: Some(stream), finish, ..self }
            }
            (Op::Add(Join::Spikes), _) => {
                let format = Format { bits: SUM_BITS, fraction_bits: 0 };
                Self { b: second(), finish: Finish::Rescales(&IDENTITY, format), ..self }
            }
            (Op::Neuron(_), QuantizedOp::Neuron(neuron)) => Self { finish: Finish::Fires(neuron), ..self },
            (Op::IntegerNeuron(_), QuantizedOp::Levels { thresholds }) => {
                Self { finish: Finish::Counts(thresholds), ..self }
            }
            (Op::Attention(Attention::KeyValueCount), _) => {
                let b = second();
                Self { conjunction: b.is_some(), b, window: whole, ..self }
            }
            (Op::Mask, _) => Self { b: second(), conjunction: true, ..self },
            _ => return Err("the unit between weight layers has no such operation".to_owned()),
        })
    }

    fn check(&self, model: &QuantizedModel, machine: &DesignMachine) -> Result<(), String> {
        let maps = [Some(self.a), self.b, Some(self.out)].into_iter().flatten();
        if maps.clone().any(|map| map.words(machine.channels) >= 1 << 22) {
            return Err("maps of more words than addresses reach".to_owned());
        }
        if let Some(b) = self.b
            && b.shape.channels != self.a.shape.channels
        {
            return Err("a mask for several channels".to_owned());
        }
        if self.over_timesteps && self.a.shape.positions() > 1 {
            return Err("sums over the timesteps of a map".to_owned());
        }
        let bound = |map: Map| model.bounds()[map.node.index()];
        if maps.map(bound).any(|bound| bound >= 1 << (SUM_BITS - 1)) {
            return Err(format!("values of more than {SUM_BITS} bits"));
        }
        if let Finish::Fires(neuron) = self.finish {
            if neuron.membrane.is_some() {
                rule(neuron)?;
            } else if neuron.thresholds.iter().any(|&threshold| threshold != 1) {
                return Err("neurons without membranes that fire at something else than 1".to_owned());
            }
            if model.potential_bound(self.out.node) >= 1 << (SUM_BITS - 1) {
                return Err(format!("potentials of more than {SUM_BITS} bits"));
            }
        }
        Ok(())
    }

    /// What its neurons do, where they have membranes.
    pub fn rule(&self) -> Option<NeuronRule> {
        match self.finish {
            Finish::Fires(neuron) if neuron.membrane.is_some() => rule(neuron).ok(),
            _ => None,
        }
    }

    /// Blocks of channels that have parameters of their own.
    pub fn parameter_blocks(&self, channels: usize) -> usize {
        if matches!(self.finish, Finish::Nothing) { 1 } else { self.out.blocks(channels) }
    }

    /// Thresholds of an integer spike; 1 where there is none.
    pub fn levels(&self) -> usize {
        match self.finish {
            Finish::Counts(thresholds) => thresholds.iter().map(Vec::len).max().unwrap_or(0).max(1),
            _ => 1,
        }
    }

    /// Values that it yields.
    pub fn values(&self) -> usize {
        self.out.shape.values() * self.out.frames
    }
}
