//! Widths of what a network computes, in one number system or another.

use crate::model::{Grid, Kind, Leak, Network, Node, NodeId};
use crate::num::{Keep, signed_bits};
use crate::quant::{LOIHI_BITS, QuantizedModel, QuantizedOp, WeightForm};

/// The widths that a number system gives to a network.
pub(super) trait Widths {
    fn weight(&self, id: NodeId) -> WeightForm;
    fn image_bits(&self) -> u32;
    /// True if what comes from outside is 0 or 1 at every timestep: spikes.
    fn has_spiking_input(&self) -> bool;
    /// Signed width of what node `id` yields.
    fn value_bits(&self, id: NodeId) -> u32;
    fn accumulator_bits(&self, id: NodeId) -> u32;
    fn membrane_bits(&self, id: NodeId) -> Option<u32>;
    /// Bits that the leak of node `id` multiplies a potential by; 0 for a shift that all its channels share.
    fn multiplier_bits(&self, id: NodeId, leak: Leak) -> u32;
    fn residual_bits(&self) -> u32;
    fn requantizes_by_shift(&self, id: NodeId) -> bool;
}

impl Widths for QuantizedModel {
    fn weight(&self, id: NodeId) -> WeightForm {
        match self.op(id) {
            QuantizedOp::Weighted(w) => w.scheme.form(),
            op => unreachable!("{op:?} has no weights"),
        }
    }

    fn image_bits(&self) -> u32 {
        signed_bits(-self.bounds()[0], self.bounds()[0])
    }

    fn has_spiking_input(&self) -> bool {
        !self.network().nodes[0].constant && self.bounds()[0] == 1
    }

    fn value_bits(&self, id: NodeId) -> u32 {
        let bound = self.bounds()[id.index()];
        signed_bits(-bound, bound)
    }

    fn accumulator_bits(&self, id: NodeId) -> u32 {
        match self.op(id) {
            QuantizedOp::Weighted(w) => w.accumulator_bits,
            op => unreachable!("{op:?} has no accumulator"),
        }
    }

    fn membrane_bits(&self, id: NodeId) -> Option<u32> {
        match self.op(id) {
            QuantizedOp::Neuron(neuron) => neuron.membrane.as_ref().map(|word| word.bits),
            // The voltage, and the current beside it.
            QuantizedOp::Loihi(_) => Some(2 * LOIHI_BITS),
            op => unreachable!("{op:?} has no membrane"),
        }
    }

    fn multiplier_bits(&self, id: NodeId, leak: Leak) -> u32 {
        let keeps = match self.op(id) {
            QuantizedOp::Neuron(neuron) => &neuron.keeps,
            QuantizedOp::Readout(readout) => &readout.keeps,
            _ => return leak.initial().keep.multiplier_bits(),
        };
        match Keep::common_shift(keeps).0[..] {
            [multiplier] => Keep { multiplier, shift: 0 }.multiplier_bits(),
            ref several => signed_bits(0, several.iter().copied().max().unwrap_or(0).into()) - 1,
        }
    }

    fn residual_bits(&self) -> u32 {
        self.residual().bits
    }

    fn requantizes_by_shift(&self, id: NodeId) -> bool {
        match self.op(id) {
            QuantizedOp::Requantize { requantizers, .. } => requantizers.iter().all(|r| r.is_shift()),
            QuantizedOp::AddMembrane(add) => add.branch.iter().flatten().all(|r| r.is_shift()),
            _ => true,
        }
    }
}

/// Every operand 32 bits wide.
pub(super) struct Float32<'a>(pub &'a Network);

impl Widths for Float32<'_> {
    fn weight(&self, _: NodeId) -> WeightForm {
        WeightForm::integer(32)
    }

    fn image_bits(&self) -> u32 {
        32
    }

    fn has_spiking_input(&self) -> bool {
        false
    }

    fn value_bits(&self, _: NodeId) -> u32 {
        32
    }

    fn accumulator_bits(&self, _: NodeId) -> u32 {
        32
    }

    fn membrane_bits(&self, id: NodeId) -> Option<u32> {
        let counts = matches!(self.0.input_of(self.0.node(id), 0).kind, Kind::Count { .. });
        (!counts).then_some(32)
    }

    fn multiplier_bits(&self, _: NodeId, leak: Leak) -> u32 {
        leak.initial().keep.multiplier_bits()
    }

    fn residual_bits(&self) -> u32 {
        32
    }

    fn requantizes_by_shift(&self, _: NodeId) -> bool {
        true
    }
}

/// Width of one value of `node` in memory.
pub(super) fn stored_bits(widths: &dyn Widths, id: NodeId, node: &Node) -> u32 {
    match node.kind {
        Kind::Spikes => 1,
        Kind::Image if widths.has_spiking_input() => 1,
        Kind::Image => widths.image_bits(),
        Kind::Count { max } | Kind::Levels { max, .. } => bits_of_count(max),
        Kind::Grid(Grid::Residual) => widths.residual_bits(),
        Kind::PreActivation | Kind::Grid(Grid::Activation) | Kind::Mean => widths.value_bits(id),
    }
}

/// Width of an unsigned count.
pub(crate) fn bits_of_count(max: u32) -> u32 {
    u32::BITS - max.leading_zeros()
}
