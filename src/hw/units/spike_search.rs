//! How cores find the spikes that they take one after the other.

use serde::{Deserialize, Serialize};

use crate::error::Fault;
use crate::hw::sourced::{Sourced, has_source, integer, positive};

/// Most cycles that a field may state.
const MAX_CYCLES: u64 = 1 << 24;

/// How spikes come to the adders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum SpikeSearch {
    /// A list for each input map: the adders take one while the next one is made.
    Lists(Lists),
    /// One spike after the other through a queue, position by position.
    Queue(Queue),
    /// The spikes of all timesteps are found once, before any of them is added.
    Once(Once),
}

/// Priority encoders, which go through spikes in chunks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoder {
    /// Cycles to fetch an input map; a vector is one.
    pub map_cycles: Sourced<u32>,
    /// What the encoder looks at together.
    pub chunks: Chunks,
    /// Cycles of a chunk.
    pub chunk_cycles: Sourced<u32>,
    /// Cycles of a spike.
    pub spike_cycles: Sourced<u32>,
}

/// Priority encoders that go through an input map, and hand over a list of its spikes. A map without spikes
/// is not handed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lists {
    /// The encoder that goes through a map.
    pub encoder: Encoder,
    /// Cycles to hand a list over to adders that are idle.
    pub hand_over_cycles: Sourced<u32>,
    /// Cycles after which the search sees that a list was taken by adders that were busy.
    pub notice_cycles: Sourced<u32>,
    /// Cycles to go on to the next map.
    pub next_cycles: Sourced<u32>,
    /// Cycles that adders are idle between two lists.
    pub idle_cycles: Sourced<u32>,
    /// What becomes of a list that is ready during a sweep of neurons that began with idle adders.
    pub during_sweep: Sourced<DuringSweep>,
    /// When a layer is done, for the next one.
    pub done: Sourced<Done>,
    /// Cycles to say so behind the last list.
    pub done_cycles: Sourced<u32>,
}

/// What a priority encoder looks at together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Chunks {
    /// Equal parts of a map, by their number.
    PerMap(Sourced<u32>),
    /// Parts of a map, by their bits.
    OfBits(Sourced<u32>),
}

/// What becomes of a list that is ready during a sweep of neurons that began with idle adders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DuringSweep {
    /// The list waits for the adders.
    Waits,
    /// The list is lost, and takes no time of the adders.
    IsLost,
}

/// When a layer is done, for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Done {
    /// When the last list was handed over: the next layer runs while this one adds and sweeps.
    HandedOver,
    /// When neurons have seen the last sum.
    Drained,
}

/// A search that goes through positions in raster order, with the spikes of all input channels in one word; adders that
/// take them from a queue; and sums of a position that are written to membranes one position after the other.
///
/// Positions come in groups: the spikes that all of a group have are added once, and then those that each of them has
/// beside. A group has as many parts, those of a single position only one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Positions of a group.
    pub group: Sourced<u32>,
    /// Cycles to read a position.
    pub read_cycles: Sourced<u32>,
    /// Cycles from the last position of a group to its first part.
    pub group_cycles: Sourced<u32>,
    /// Cycles to go on to the next group.
    pub next_cycles: Sourced<u32>,
    /// Cycles to see whether a part has spikes.
    pub part_cycles: Sourced<u32>,
    /// Cycles before the first spike of a part comes to the queue.
    pub first_cycles: Sourced<u32>,
    /// Cycles behind the last one.
    pub last_cycles: Sourced<u32>,
    /// Spikes that the queue holds.
    pub spikes: Sourced<u32>,
    /// Cycles of a spike in an empty queue.
    pub queue_cycles: Sourced<u32>,
    /// Cycles from the last spike of a part to its sums.
    pub settle_cycles: Sourced<u32>,
    /// Least cycles from the first spike of a part that is written to its sums.
    pub least_cycles: Sourced<u32>,
    /// Cycles from the sums of a part to the first spike of the next.
    pub resume_cycles: Sourced<u32>,
    /// Positions whose sums wait to be written.
    pub waiting: Sourced<u32>,
    /// Cycles to write the sums of a position.
    pub write_cycles: Sourced<u32>,
}

/// Weights that come through a buffer of two halves, row by row in the order in which passes over output channels take
/// them: a row has the weights of one input channel to the channels in step. A half is fetched in bursts, one after the
/// other, as soon as adders have left the one before the last. A layer of more rows than both halves hold starts anew at
/// every timestep but the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightStream {
    /// Rows of a half.
    pub half_rows: Sourced<u32>,
    /// Bursts of a half.
    pub bursts: Sourced<u32>,
    /// Cycles of a burst.
    pub burst_cycles: Sourced<u32>,
    /// Cycles that a burst waits for off-chip memory beside that.
    pub latency_cycles: Sourced<u32>,
    /// Cycles of a half beside those of its bursts.
    pub half_cycles: Sourced<u32>,
    /// Cycles before the first burst of a stream that starts anew.
    pub restart_cycles: Sourced<u32>,
    /// Input channels of layers whose stream starts anew at the first timestep, too.
    #[serde(default)]
    pub restarts_at_inputs: Option<Sourced<u32>>,
}

impl WeightStream {
    /// Cycles to fetch a half.
    pub(crate) fn fetch_cycles(&self) -> u64 {
        let burst = u64::from(self.burst_cycles.value) + u64::from(self.latency_cycles.value);
        u64::from(self.bursts.value) * burst + u64::from(self.half_cycles.value)
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        positive("weight_stream.half_rows", &self.half_rows, 1 << 24)?;
        if let Some(inputs) = &self.restarts_at_inputs {
            positive("weight_stream.restarts_at_inputs", inputs, 1 << 24)?;
        }
        [
            ("weight_stream.bursts", &self.bursts),
            ("weight_stream.burst_cycles", &self.burst_cycles),
            ("weight_stream.latency_cycles", &self.latency_cycles),
            ("weight_stream.half_cycles", &self.half_cycles),
            ("weight_stream.restart_cycles", &self.restart_cycles),
        ]
        .into_iter()
        .try_for_each(|(field, sourced)| cycles(field, sourced))
    }
}

/// A search that comes first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Once {
    /// The encoder that goes through all inputs of a timestep.
    pub encoder: Encoder,
    /// Cycles of a timestep.
    pub timestep_cycles: Sourced<u32>,
    /// Events that a timestep without any takes the time of.
    pub least_events: Sourced<u32>,
    /// Passes through the spikes beside those that the outputs need.
    pub more_passes: Sourced<u32>,
}

/// Refuses cycles out of range; none are allowed.
pub(super) fn cycles(field: &str, sourced: &Sourced<u32>) -> Result<(), Fault> {
    integer(field, u64::from(sourced.value), &sourced.source, 0, MAX_CYCLES)
}

impl Chunks {
    /// Chunks of so many `bits`.
    pub fn count(&self, bits: usize) -> u32 {
        match self {
            Self::PerMap(parts) => parts.value,
            Self::OfBits(chunk) => bits.div_ceil(chunk.value as usize) as u32,
        }
    }

    fn check(&self) -> Result<(), Fault> {
        let (Self::PerMap(count) | Self::OfBits(count)) = self;
        positive("search.encoder.chunks", count, 1 << 24)
    }
}

impl Encoder {
    /// Cycles of `maps` of so many `bits` together, without those of spikes.
    pub(crate) fn silent_cycles(&self, maps: u64, bits: usize) -> u64 {
        let chunks = u64::from(self.chunks.count(bits));
        u64::from(self.map_cycles.value) * maps + u64::from(self.chunk_cycles.value) * chunks
    }

    fn check(&self) -> Result<(), Fault> {
        self.chunks.check()?;
        cycles("search.encoder.map_cycles", &self.map_cycles)?;
        cycles("search.encoder.chunk_cycles", &self.chunk_cycles)?;
        cycles("search.encoder.spike_cycles", &self.spike_cycles)
    }
}

impl SpikeSearch {
    pub(super) fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Lists(lists) => lists.check(),
            Self::Queue(queue) => queue.check(),
            Self::Once(once) => once.check(),
        }
    }
}

impl Lists {
    fn check(&self) -> Result<(), Fault> {
        self.encoder.check()?;
        has_source("search.during_sweep", &self.during_sweep.source)?;
        has_source("search.done", &self.done.source)?;
        [
            ("search.hand_over_cycles", &self.hand_over_cycles),
            ("search.notice_cycles", &self.notice_cycles),
            ("search.next_cycles", &self.next_cycles),
            ("search.idle_cycles", &self.idle_cycles),
            ("search.done_cycles", &self.done_cycles),
        ]
        .into_iter()
        .try_for_each(|(field, sourced)| cycles(field, sourced))
    }
}

impl Queue {
    /// Parts of a group: what its positions have in common, and what each has beside.
    pub fn parts(&self) -> usize {
        match self.group.value {
            1 => 1,
            positions => positions as usize + 1,
        }
    }

    fn check(&self) -> Result<(), Fault> {
        positive("search.group", &self.group, 64)?;
        positive("search.spikes", &self.spikes, 1 << 20)?;
        positive("search.waiting", &self.waiting, 1 << 20)?;
        [
            ("search.read_cycles", &self.read_cycles),
            ("search.group_cycles", &self.group_cycles),
            ("search.next_cycles", &self.next_cycles),
            ("search.part_cycles", &self.part_cycles),
            ("search.first_cycles", &self.first_cycles),
            ("search.last_cycles", &self.last_cycles),
            ("search.queue_cycles", &self.queue_cycles),
            ("search.settle_cycles", &self.settle_cycles),
            ("search.least_cycles", &self.least_cycles),
            ("search.resume_cycles", &self.resume_cycles),
            ("search.write_cycles", &self.write_cycles),
        ]
        .into_iter()
        .try_for_each(|(field, sourced)| cycles(field, sourced))
    }
}

impl Once {
    fn check(&self) -> Result<(), Fault> {
        self.encoder.check()?;
        [
            ("search.timestep_cycles", &self.timestep_cycles),
            ("search.least_events", &self.least_events),
            ("search.more_passes", &self.more_passes),
        ]
        .into_iter()
        .try_for_each(|(field, sourced)| cycles(field, sourced))
    }
}
