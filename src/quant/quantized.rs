use super::WeightScheme;
use super::neuron::{LOIHI_BITS, QuantizedLoihi, QuantizedNeuron, QuantizedReadout};
use crate::model::{ConvGeometry, Network, NodeId};
use crate::num::{Accumulator, Format, Requantizer};

/// A network of integers: everything that the scalar specification executes. Its operations are what runs;
/// they were held to the nodes of the network, and every bound was proven from them.
#[derive(Debug, Clone)]
pub struct QuantizedModel {
    pub(super) network: Network,
    /// One per node.
    pub(super) ops: Vec<QuantizedOp>,
    /// One per node.
    pub(super) bounds: Vec<i64>,
    /// One per node.
    pub(super) lsbs: Vec<Vec<f64>>,
    pub(super) residual: Format,
}

/// What a node does with integers. Nodes not listed are the same in every number system.
#[derive(Debug, Clone, PartialEq)]
pub enum QuantizedOp {
    /// x = pixel or count - zero point, one per channel.
    Input {
        /// z_c = round((2^bits - 1) mean_c) of images, 0 of counts.
        zero_points: Vec<i64>,
        /// Largest pixel or count.
        max: i64,
    },
    /// x = the code of the pixel.
    InputCodes {
        /// Per channel, the code of every pixel.
        codes: Vec<Vec<i64>>,
    },
    /// Convolution or linear layer.
    Weighted(QuantizedWeighted),
    /// Spiking neuron.
    Neuron(QuantizedNeuron),
    /// Spiking neuron of Loihi.
    Loihi(QuantizedLoihi),
    /// Leaky integrators.
    Readout(QuantizedReadout),
    /// Integer spikes: how many of the thresholds the input reaches.
    Levels {
        /// Per channel, or one list for all: ascending, one per level.
        thresholds: Vec<Vec<i64>>,
    },
    /// Onto a grid, one requantizer per channel (or one for all).
    Requantize {
        /// Per channel.
        requantizers: Vec<Requantizer>,
        /// The grid.
        format: Format,
    },
    /// Residual join of the membrane kind.
    AddMembrane(QuantizedAdd),
    /// A learned token in front of all others.
    ClassToken(QuantizedTokens),
    /// Integers that are what they are at any setting.
    Exact,
}

/// acc = sum of codes times inputs; X = (acc << fraction_bits) + bias.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedWeighted {
    /// Channels, kernel, stride, padding, groups.
    pub geometry: ConvGeometry,
    /// `[out][in / groups][tap]`.
    pub codes: Vec<i32>,
    /// `[out]`, at `fraction_bits`.
    pub bias: Vec<i64>,
    /// f.
    pub fraction_bits: u32,
    /// `[out]`: the value of one step of X.
    pub lsb: Vec<f64>,
    /// The scheme of the codes.
    pub scheme: WeightScheme,
    /// What the padding holds, per input channel; `None` for zeros.
    pub padding: Option<Vec<i64>>,
    /// Width of acc, sign included: proven, or declared where that is less.
    pub accumulator_bits: u32,
    /// The declared accumulator, where the setting has one.
    pub accumulator: Option<Accumulator>,
}

impl QuantizedWeighted {
    /// What the weights are worth, for an input whose integers are worth `input_lsb`; in the order of `codes`.
    pub fn weights(&self, input_lsb: f64) -> Vec<f64> {
        let scale = f64::from(self.fraction_bits).exp2() / input_lsb;
        let rows = self.codes.chunks_exact(self.geometry.fan_in()).zip(&self.lsb);
        rows.flat_map(|(row, lsb)| row.iter().map(move |&c| f64::from(c) * lsb * scale)).collect()
    }
}

/// stream + requantized branch, saturated.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedAdd {
    /// Requantizers of the branch, per channel or one for all; `None` where it is on the grid already.
    pub branch: Option<Vec<Requantizer>>,
    /// The grid.
    pub format: Format,
}

/// A token in front of all others, and what is added to those, saturated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantizedTokens {
    /// `[channel]`, within the format.
    pub token: Vec<i64>,
    /// `[token][channel]`, within the format.
    pub positions: Option<Vec<i64>>,
    /// The grid.
    pub format: Format,
}

impl QuantizedModel {
    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What each node does.
    pub fn ops(&self) -> &[QuantizedOp] {
        &self.ops
    }

    /// Per node, the proven bound of the magnitude of what it yields.
    pub fn bounds(&self) -> &[i64] {
        &self.bounds
    }

    /// Per node, what one step of its integers is worth: per channel, or one for all.
    pub fn lsbs(&self) -> &[Vec<f64>] {
        &self.lsbs
    }

    /// The format of the residual stream.
    pub fn residual(&self) -> Format {
        self.residual
    }

    /// What node `id` does.
    pub fn op(&self, id: NodeId) -> &QuantizedOp {
        &self.ops[id.index()]
    }

    /// The weight layers.
    pub fn weighted(&self) -> impl Iterator<Item = (NodeId, &QuantizedWeighted)> {
        self.network.iter().filter_map(|(id, _)| match self.op(id) {
            QuantizedOp::Weighted(weighted) => Some((id, weighted)),
            _ => None,
        })
    }

    /// True if every intermediate value is proven to fit 32 bits.
    pub fn fits_32_bits(&self) -> bool {
        let largest =
            self.network.iter().map(|(id, _)| self.bounds[id.index()].max(self.potential_bound(id)));
        largest.max().unwrap_or(0) < 1 << 30
    }

    /// No potential V + X of the neuron layer `id` exceeds this, nor does a membrane; 0 for other nodes.
    pub fn potential_bound(&self, id: NodeId) -> i64 {
        let node = self.network.node(id);
        match self.op(id) {
            QuantizedOp::Neuron(op) => {
                op.potential_bound(self.bounds[node.inputs[0].index()], self.network.timesteps)
            }
            QuantizedOp::Loihi(_) => 2 << LOIHI_BITS,
            _ => 0,
        }
    }
}
