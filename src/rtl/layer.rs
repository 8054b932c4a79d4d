//! Which weight layers the sequencer runs, and what becomes of their sums.

use super::machine::{DesignMachine, SUM_BITS};
use crate::hw::{Placement, SpatialDim};
use crate::map::{Dataflow, Input, Layer, Plan, Product};
use crate::model::{ConvGeometry, Kind, NodeId, Op};
use crate::num::{Block, Decoder, LevelTable};
use crate::quant::{QuantizedModel, QuantizedNeuron, QuantizedOp, QuantizedReset, QuantizedWeighted};
use crate::tensor::Shape;

/// Bits of a threshold beside its discard, in a word of 32.
pub const THRESHOLD_BITS: u32 = 27;

/// A weight layer as the design runs it.
#[derive(Debug, Clone)]
pub struct DesignLayer<'a> {
    /// The layer as the cost model sees it.
    pub layer: &'a Layer,
    /// Product of the layer.
    pub product: &'a Product,
    /// How it is mapped.
    pub plan: &'a Plan,
    /// Weights of the layer.
    pub weighted: &'a QuantizedWeighted,
    /// What it reads.
    pub input: NodeId,
    /// One frame of that.
    pub in_shape: Shape,
    /// True if values may be below zero.
    pub signed: bool,
    /// One frame of its sums.
    pub out_shape: Shape,
    /// The neurons that take the sums, where nothing else does; else the sums leave.
    pub neuron: Option<(NodeId, &'a QuantizedNeuron)>,
}

/// What all neurons of the design have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeuronRule {
    /// A membrane keeps 1 / 2^shift of itself.
    pub shift: u32,
    /// A spike takes the threshold off; it clears the membrane otherwise.
    pub soft_reset: bool,
    /// Width of a stored membrane.
    pub membrane_bits: u32,
}

impl<'a> DesignLayer<'a> {
    /// `layer` of `model`, mapped by `plan`.
    ///
    /// # Errors
    /// Why the sequencer does not run it.
    pub fn new(
        model: &'a QuantizedModel,
        layer: &'a Layer,
        plan: &'a Plan,
        machine: &DesignMachine,
    ) -> Result<Self, String> {
        let product = layer.product.as_ref().ok_or("no weights: its vector unit runs neurons alone")?;
        let network = model.network();
        let node = network.node(product.node);
        let QuantizedOp::Weighted(weighted) = model.op(product.node) else {
            unreachable!("products are of weight layers")
        };
        let mut readers = network.readers(product.node);
        let neuron = match (readers.next(), readers.next()) {
            (Some((id, reader)), None) if matches!(reader.op, Op::Neuron(_)) => match model.op(id) {
                QuantizedOp::Neuron(neuron) => Some((id, neuron)),
                _ => None,
            },
            _ => None,
        };
        let from = network.input_of(node, 0);
        let signed = !matches!(from.kind, Kind::Spikes | Kind::Count { .. } | Kind::Levels { .. });
        let this = Self {
            layer,
            product,
            plan,
            weighted,
            input: node.inputs[0],
            in_shape: from.shape,
            signed: signed && product.input != Input::Spikes,
            out_shape: node.shape,
            neuron,
        };
        this.check_plan(machine)?;
        this.check_product(machine)?;
        this.check_values(model)?;
        if let Some((_, neuron)) = neuron {
            rule(neuron)?;
        }
        Ok(this)
    }

    /// What its neurons do, where it has some.
    pub fn rule(&self) -> Option<NeuronRule> {
        self.neuron.map(|(_, neuron)| rule(neuron).expect("checked when it was built"))
    }

    /// Geometry of its convolution.
    pub fn geometry(&self) -> &ConvGeometry {
        &self.weighted.geometry
    }

    /// Tiles of output channels.
    pub fn tiles(&self) -> usize {
        self.product.outputs.div_ceil(self.plan.channels)
    }

    /// Output channels of a tile.
    pub fn channels(&self) -> usize {
        self.plan.channels.min(self.product.outputs)
    }

    /// Number of what decodes its weights, as programs of the design have it: nothing, a shifter, a table, or
    /// a table and the exponents of blocks.
    pub fn decoder(&self) -> usize {
        match self.product.weight.decoder {
            None => 0,
            Some(Decoder::PowerOfTwo) => 1,
            Some(Decoder::Levels(_)) if self.product.weight.block.is_none() => 2,
            Some(Decoder::Levels(_)) => 3,
        }
    }

    /// Bits of a weight in a row: of its code, and of the exponent of its block, which rows repeat as spikes read them in
    /// any order.
    pub fn row_bits(&self) -> u32 {
        self.product.weight.code_bits + self.exponent_bits()
    }

    /// Bits of the exponents of its blocks.
    pub fn exponent_bits(&self) -> u32 {
        self.product.weight.block.map_or(0, Block::exponent_bits)
    }

    /// Magnitudes that its weights are looked up in.
    pub fn table(&self) -> Option<&'static [i32]> {
        self.weighted.scheme.table().map(LevelTable::magnitudes)
    }

    fn check_plan(&self, machine: &DesignMachine) -> Result<(), String> {
        let Self { plan, product, .. } = self;
        if product.groups > 1 {
            return Err(
                "groups: the sequencer runs the layout of positions and output channels alone".to_owned()
            );
        }
        if plan.dataflow != Dataflow::OutputStationary || plan.lanes != machine.lanes {
            let what = plan.dataflow.name();
            return Err(format!(
                "{what}: the sequencer keeps outputs, on lanes of positions and output channels"
            ));
        }
        if plan.placement != Placement::Innermost {
            return Err("timesteps outermost: the sequencer runs them innermost".to_owned());
        }
        let channels = self.channels();
        if self.tiles() > 1 && !channels.is_power_of_two() {
            return Err(format!("tiles of {channels} channels: several of them are of 1, 2, 4 ... channels"));
        }
        if self.neuron.is_some() && product.outputs > machine.channels && channels < machine.channels {
            let lanes = machine.channels;
            return Err(format!(
                "tiles of {channels} of {} channels: more than {lanes} go {lanes} at a time",
                product.outputs
            ));
        }
        debug_assert!(channels <= plan.lanes.extent(SpatialDim::OutputChannels) as usize);
        Ok(())
    }

    fn check_product(&self, machine: &DesignMachine) -> Result<(), String> {
        let product = self.product;
        if self.row_bits() > machine.max_weight_bits {
            return Err(format!("weights of {} bits", self.row_bits()));
        }
        if product.weight.pack.is_some() {
            return Err("weights that share bytes".to_owned());
        }
        if let Input::Integers { bits } = product.input {
            if !machine.serial {
                return Err("it reads integers, and the lanes take spikes alone".to_owned());
            }
            if bits > 16 || bits as usize > machine.channels {
                return Err(format!("integers of {bits} bits: a word has room for up to 16"));
            }
        }
        if self.weighted.accumulator.is_some() {
            return Err("a declared accumulator: those of the design hold every sum".to_owned());
        }
        let padded = |padding: &Vec<i64>| padding.iter().any(|&value| value != 0);
        if self.weighted.padding.as_ref().is_some_and(padded) {
            return Err("padding that is not 0".to_owned());
        }
        Ok(())
    }

    fn check_values(&self, model: &QuantizedModel) -> Result<(), String> {
        let bits = self.product.weight.code_bits;
        if !self.weighted.codes.iter().all(|&code| self.weighted.scheme.holds(code)) {
            return Err(format!("weights that {bits} bits do not hold"));
        }
        if model.bounds()[self.product.node.index()] >= 1 << (SUM_BITS - 1) {
            return Err(format!("sums of more than {SUM_BITS} bits"));
        }
        let potential = self.neuron.map_or(0, |(id, _)| model.potential_bound(id));
        if potential >= 1 << (THRESHOLD_BITS - 1) {
            return Err(format!("potentials of more than {THRESHOLD_BITS} bits"));
        }
        Ok(())
    }
}

/// What `neuron` does, if the design can.
pub fn rule(neuron: &QuantizedNeuron) -> Result<NeuronRule, String> {
    let Some(word) = &neuron.membrane else { return Err("neurons without membranes".to_owned()) };
    let first = neuron.keeps[0];
    if first.multiplier != 1 || neuron.keeps.iter().any(|&keep| keep != first) {
        return Err("leaks that are no common shift".to_owned());
    }
    let soft_reset = match neuron.reset {
        QuantizedReset::Zero => false,
        QuantizedReset::Subtract if !neuron.strict => true,
        _ => return Err("a reset by something else than 0 or the threshold".to_owned()),
    };
    if word.discards.iter().any(|&discard| discard > 31) || word.bits > SUM_BITS {
        return Err("membranes that drop more than 31 bits".to_owned());
    }
    Ok(NeuronRule { shift: first.shift, soft_reset, membrane_bits: word.bits })
}
