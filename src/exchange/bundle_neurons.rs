//! Neurons of a golden bundle: their integers, and the nodes of a network that they belong to.

use super::bundle::Loader;
use super::manifest::{self, NodeRecord, Operation, Tensor};
use crate::error::Result;
use crate::model::{
    Fire, IntegerNeuron, Leak, Learned, NetworkBuilder, Neuron, NodeId, Readout, ReadoutOver, Reset,
};
use crate::num::Keep;
use crate::quant::{
    MembraneWord, QuantizedLoihi, QuantizedNeuron, QuantizedOp, QuantizedReadout, QuantizedReset,
};

impl Loader {
    pub(super) fn neuron(
        &self,
        node: &NodeRecord,
        net: &mut NetworkBuilder,
        x: NodeId,
    ) -> Result<(NodeId, QuantizedOp)> {
        let Operation::Neuron {
            thresholds,
            multiplier,
            multipliers,
            shift,
            reset,
            amounts,
            strict,
            membrane,
        } = &node.operation
        else {
            unreachable!("called for neurons")
        };
        let (leak, keeps) = self.leak(node, *multiplier, multipliers.as_ref(), *shift)?;
        let (reset, quantized_reset) = self.reset(node, *reset, amounts.as_ref())?;
        let membrane = match membrane {
            Some(word) => Some(MembraneWord {
                bits: word.bits,
                discards: self.unsigned(node, "discards", &word.discards)?,
            }),
            None => None,
        };
        let thresholds = self.list(node, "thresholds", thresholds)?;
        let neuron = Neuron {
            leak,
            reset,
            fire: if *strict { Fire::AboveThreshold } else { Fire::AtThreshold },
            ..Neuron::lif(1.0)
        };
        let op = QuantizedNeuron {
            thresholds,
            keeps,
            gains: vec![1.0],
            reset: quantized_reset,
            strict: *strict,
            membrane,
        };
        Ok((self.built(node, net.neuron(&node.name, x, neuron))?, QuantizedOp::Neuron(op)))
    }

    /// What a membrane keeps: of the network, and in integers.
    fn leak(
        &self,
        node: &NodeRecord,
        multiplier: u32,
        multipliers: Option<&Tensor>,
        shift: u32,
    ) -> Result<(Leak, Vec<Keep>)> {
        let (leak, keeps) = match multipliers {
            Some(multipliers) => {
                let multipliers = self.unsigned(node, "multipliers", multipliers)?;
                let keeps = multipliers.into_iter().map(|m| Keep::lowest_terms(m, shift)).collect();
                (Leak::Parametric { decay_input: false, of: Learned::Beta, per_channel: true }, keeps)
            }
            None if multiplier == 1 => return Ok((Leak::Shift(shift), vec![Keep::half_to_the(shift)])),
            None => {
                let keep = Keep { multiplier, shift };
                (Leak::Beta(keep.factor()), vec![keep])
            }
        };
        if multipliers.is_some() && multiplier != 1 || !keeps.iter().all(|keep: &Keep| keep.is_valid()) {
            let message =
                format!("multiplier: {multiplier} / 2^{shift} is no factor of 16 bits in lowest terms");
            return Err(self.wrong(node, message));
        }
        Ok((leak, keeps))
    }

    /// What a spike leaves: of the network, and in integers.
    fn reset(
        &self,
        node: &NodeRecord,
        reset: manifest::Reset,
        amounts: Option<&Tensor>,
    ) -> Result<(Reset, QuantizedReset)> {
        match (reset, amounts) {
            (manifest::Reset::Zero, None) => Ok((Reset::Zero, QuantizedReset::Zero)),
            (manifest::Reset::Subtract, None) => Ok((Reset::Subtract, QuantizedReset::Subtract)),
            (manifest::Reset::SubtractDelayed, None) => {
                Ok((Reset::SubtractDelayed, QuantizedReset::SubtractDelayed))
            }
            (manifest::Reset::Subtract, Some(amounts)) => {
                let amounts = self.list(node, "amounts", amounts)?;
                let nothing = amounts.iter().all(|&amount| amount == 0);
                let reset = if nothing { Reset::None } else { Reset::SubtractAmount(1.0) };
                Ok((reset, QuantizedReset::SubtractAmount { amounts }))
            }
            _ => Err(self.wrong(node, "amounts: only a reset of \"subtract\" has any")),
        }
    }

    pub(super) fn other_neuron(
        &self,
        node: &NodeRecord,
        net: &mut NetworkBuilder,
        x: NodeId,
    ) -> Result<(NodeId, QuantizedOp)> {
        let name = node.name.as_str();
        match &node.operation {
            Operation::Loihi { thresholds, voltage_decay, current_decay } => {
                let (voltage_decay, current_decay) = (*voltage_decay, *current_decay);
                let leak = Leak::Loihi { voltage_decay, current_decay };
                let neuron = Neuron { leak, fire: Fire::AboveThreshold, ..Neuron::lif(1.0) };
                let thresholds = self.list(node, "thresholds", thresholds)?;
                let op = QuantizedLoihi { thresholds, voltage_decay, current_decay };
                Ok((self.built(node, net.neuron(name, x, neuron))?, QuantizedOp::Loihi(op)))
            }
            Operation::Levels { thresholds } => {
                let (values, shape) = self.parameter(node, "thresholds", thresholds)?;
                let [_, levels @ 1..=255] = shape[..] else {
                    return Err(
                        self.wrong(node, format!("thresholds: shape {shape:?}, expected [channels, levels]"))
                    );
                };
                let neuron = IntegerNeuron { max: levels as u32, norm: 1 };
                let thresholds = values.chunks_exact(levels).map(<[i64]>::to_vec).collect();
                let id = self.built(node, net.integer_neuron(name, x, neuron))?;
                Ok((id, QuantizedOp::Levels { thresholds }))
            }
            _ => unreachable!("called for Loihi and levels"),
        }
    }

    pub(super) fn readout(
        &self,
        node: &NodeRecord,
        net: &mut NetworkBuilder,
        x: NodeId,
    ) -> Result<(NodeId, QuantizedOp)> {
        let Operation::Readout { multiplier, multipliers, shift, over } = &node.operation else {
            unreachable!("called for readouts")
        };
        let (leak, keeps) = self.leak(node, *multiplier, multipliers.as_ref(), *shift)?;
        let over = match over {
            manifest::ReadoutOver::Last => ReadoutOver::Last,
            manifest::ReadoutOver::Sum => ReadoutOver::Mean,
            manifest::ReadoutOver::Max => ReadoutOver::Max,
        };
        let id = self.built(node, net.readout(&node.name, x, Readout { leak, over }))?;
        Ok((id, QuantizedOp::Readout(QuantizedReadout { keeps })))
    }
}
