//! What a fused layer does in one frame: a weighted sum, and operations without weights behind it.

use crate::hw::{ProductShape, SpatialDim, Unrolling, Work};
use crate::model::{Node, NodeId};
use crate::quant::WeightForm;

/// A weighted sum over one frame: M positions, K inputs each, N outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// The node.
    pub node: NodeId,
    /// M: output positions.
    pub positions: usize,
    /// Columns of the map that they lie on.
    pub columns: usize,
    /// K: inputs of one output, of one group.
    pub fan_in: usize,
    /// Positions of the kernel; each has as many inputs as a group has input channels.
    pub taps: usize,
    /// Rows of inputs that one row of outputs needs beyond the first.
    pub halo_rows: usize,
    /// N: output channels, all groups.
    pub outputs: usize,
    /// Groups that do not mix.
    pub groups: usize,
    /// What it reads over the timesteps.
    pub frames: InputFrames,
    /// What it sums.
    pub input: Input,
    /// Values of one input frame.
    pub input_values: usize,
    /// True if the input is an integer that counts spikes, such as an integer residual stream.
    pub sums_of_spikes: bool,
    /// True if the input comes from outside the chip.
    pub from_outside: bool,
    /// What the datapath does with a weight.
    pub weight: WeightForm,
    /// Proven width of the sum.
    pub accumulator_bits: u32,
}

/// What a weighted sum reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// One bit that gates a weight.
    Spikes,
    /// Integers that multiply a weight.
    Integers {
        /// Width.
        bits: u32,
    },
}

/// What a product reads over the timesteps of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputFrames {
    /// Another frame at each of them.
    PerTimestep,
    /// One frame, which a repeated image leads to.
    Repeated,
    /// One frame, computed from a mean over timesteps.
    BehindMean,
}

impl InputFrames {
    /// What the product `node` reads.
    pub(super) fn of(node: &Node, behind_mean: bool) -> Self {
        match (node.constant, behind_mean) {
            (false, _) => Self::PerTimestep,
            (true, false) => Self::Repeated,
            (true, true) => Self::BehindMean,
        }
    }
}

impl Product {
    /// True if the input is one frame for all timesteps.
    pub fn is_constant(&self) -> bool {
        self.frames != InputFrames::PerTimestep
    }

    /// What units tell apart beside its widths.
    pub fn shape(&self) -> ProductShape {
        let Self { positions, taps, groups, .. } = *self;
        ProductShape { positions, taps, groups, reads_spikes: self.input == Input::Spikes }
    }

    /// Output channels of one group.
    pub(crate) fn group_outputs(&self) -> usize {
        self.outputs / self.groups
    }

    /// Steps of `lanes` along the output positions of one frame.
    pub(crate) fn position_steps(&self, lanes: &Unrolling) -> usize {
        let extent = |dim| lanes.extent(dim) as usize;
        let (rows, columns) = (extent(SpatialDim::Rows), extent(SpatialDim::Columns));
        match rows * columns {
            1 => self.positions.div_ceil(extent(SpatialDim::Positions)),
            _ => (self.positions / self.columns).div_ceil(rows) * self.columns.div_ceil(columns),
        }
    }

    /// Steps of `lanes` along the inputs of one sum, zeros included.
    pub(crate) fn input_steps(&self, lanes: &Unrolling) -> usize {
        let extent = |dim| lanes.extent(dim) as usize;
        let (channels, taps) = (extent(SpatialDim::InputChannels), extent(SpatialDim::KernelTaps));
        match channels * taps {
            1 => self.fan_in.div_ceil(extent(SpatialDim::Inputs)),
            _ => (self.fan_in / self.taps).div_ceil(channels) * self.taps.div_ceil(taps),
        }
    }

    /// Steps of `lanes` along the groups.
    pub(crate) fn group_steps(&self, lanes: &Unrolling) -> usize {
        self.groups.div_ceil(lanes.extent(SpatialDim::Groups) as usize)
    }

    /// Frames that it reads in `timesteps`: one where they are all the same.
    pub fn input_frames<T: From<u8>>(&self, timesteps: T) -> T {
        frames(self.is_constant(), timesteps)
    }
}

impl Epilogue {
    /// What kind of work it is.
    pub fn work(&self) -> Work {
        match self.kind {
            EpilogueKind::Neuron { .. } | EpilogueKind::IntegerNeuron { .. } => Work::Neurons,
            EpilogueKind::Requantize { .. } => Work::Requantization,
            EpilogueKind::Join { .. }
            | EpilogueKind::CountJoin { .. }
            | EpilogueKind::Gate
            | EpilogueKind::ClassToken { .. } => Work::Joins,
            EpilogueKind::Pool { .. } => Work::Pooling,
            EpilogueKind::Sum { .. } => Work::Means,
            EpilogueKind::SpikeProducts { .. } => Work::Attention,
        }
    }

    /// How often it runs in `timesteps`.
    pub fn frames<T: From<u8>>(&self, timesteps: T) -> T {
        frames(self.constant, timesteps)
    }
}

/// One frame of what is constant in time, else one per timestep.
fn frames<T: From<u8>>(constant: bool, timesteps: T) -> T {
    if constant { T::from(1) } else { timesteps }
}

impl Input {
    /// Width of one value.
    pub fn bits(self) -> u32 {
        match self {
            Self::Spikes => 1,
            Self::Integers { bits } => bits,
        }
    }
}

/// An operation without weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Epilogue {
    /// The node.
    pub node: NodeId,
    /// What it does.
    pub kind: EpilogueKind,
    /// Values of one frame of its output.
    pub values: usize,
    /// True if it runs once and not at every timestep.
    pub constant: bool,
    /// Bits of one stored output value; 0 where the next operation consumes it on the fly.
    pub stored_bits: u32,
}

/// Operations without weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpilogueKind {
    /// Membrane update, comparison, reset.
    Neuron {
        /// Stored width; `None` for a neuron that keeps nothing.
        membrane_bits: Option<u32>,
        /// Width of the potential.
        potential_bits: u32,
        /// Bits that the leak multiplies a potential by; 0 for a shift.
        multiplier_bits: u32,
        /// True where a spike subtracts what the comparison did not: an amount of its own, or behind the leak.
        subtracts: bool,
    },
    /// Comparisons of an integer spike.
    IntegerNeuron {
        /// Thresholds.
        levels: u32,
        /// Width of the input.
        potential_bits: u32,
    },
    /// Onto the residual stream or an activation grid.
    Requantize {
        /// Width of what is requantized.
        from_bits: u32,
        /// Width of a value that is read from a memory; 0 for sums, which arrive on the fly.
        read_bits: u32,
        /// True for a pure shift.
        shift: bool,
        /// True for the residual stream.
        residual: bool,
    },
    /// stream + requantized branch.
    Join {
        /// Width of the branch.
        from_bits: u32,
        /// Width of the stream.
        bits: u32,
        /// True for a pure shift.
        shift: bool,
    },
    /// Spike addition.
    CountJoin {
        /// Width of the sum.
        bits: u32,
        /// Width of what is read from a memory.
        read_bits: u32,
    },
    /// A learned token in front of a stream that is copied, with something learned added to it.
    ClassToken {
        /// Learned values that are stored.
        learned: usize,
        /// Values that something is added to.
        additions: usize,
        /// Values of the stream that is read.
        inputs: usize,
        /// Width of the stream.
        bits: u32,
    },
    /// A gate of two spikes.
    Gate,
    /// Comparisons of a max pooling.
    Pool {
        /// Comparisons per output.
        comparisons: usize,
        /// Width of what is compared; 1 for spikes.
        bits: u32,
        /// Values of one input frame.
        inputs: usize,
    },
    /// Additions of a sum over positions or timesteps.
    Sum {
        /// Additions per output.
        additions: usize,
        /// Width of the sum.
        bits: u32,
    },
    /// Spike-by-spike products, and sums of the counts that they leave; integer spikes multiply bit plane by bit
    /// plane.
    SpikeProducts {
        /// AND (and count) operations of one frame.
        operations: usize,
        /// Additions of a count, gated by a spike, of one frame: the second product of an attention.
        sums: usize,
        /// Width of such a count.
        sum_bits: u32,
        /// Spike bits read in one frame.
        reads: usize,
    },
}
