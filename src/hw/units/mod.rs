//! The units of a machine that compute: one file per kind.

mod datapath;
mod event_cores;
mod layout;
mod many_core;
mod overhead;
mod processor;
mod spike_lanes;
mod spike_search;
mod systolic;
mod vector;
mod work;
mod zeros;

pub use datapath::{Charged, Datapath, LaneTile, ProductKind, ProductShape, Takes};
pub use event_cores::{
    Channels, EventCores, EventOverheads, EventTime, LayerKind, LoopOrder, Sweep, WriteBack,
};
pub use layout::{Layout, LayoutSpec, SpatialDim, Stationary, Unrolling};
pub use many_core::ManyCore;
pub use overhead::{Overhead, Step};
pub use processor::Processor;
pub use spike_lanes::{MultiBit, SpikeLanes};
pub use spike_search::{Chunks, Done, DuringSweep, Encoder, Lists, Once, Queue, SpikeSearch, WeightStream};
pub use systolic::{Edges, Systolic};
pub use vector::{NEURON_BITS, Vector};
pub use work::Work;
pub use zeros::{InputChunks, Products, Windows, Zeros};

use serde::{Deserialize, Serialize};

/// A unit of a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Unit {
    /// Lanes that accumulate weights where there are spikes.
    SpikeLanes(SpikeLanes),
    /// A dense systolic array of multiply-accumulate units.
    Systolic(Systolic),
    /// Lanes for neurons, joins, pooling and attention.
    Vector(Vector),
    /// A scalar processor.
    Processor(Processor),
    /// Cores that take one input spike after the other.
    EventCores(Box<EventCores>),
    /// Many small cores that hold their neurons and weights, and exchange spikes.
    ManyCore(ManyCore),
}

impl Unit {
    /// What a mapper must know of it.
    pub fn datapath(&self) -> &dyn Datapath {
        match self {
            Self::SpikeLanes(unit) => unit,
            Self::Systolic(unit) => unit,
            Self::Vector(unit) => unit,
            Self::Processor(unit) => unit,
            Self::EventCores(unit) => unit.as_ref(),
            Self::ManyCore(unit) => unit,
        }
    }
}
