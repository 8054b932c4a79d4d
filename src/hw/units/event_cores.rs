use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::datapath::{Datapath, ProductShape, Takes, Widths, check_decoders};
use super::spike_search::{SpikeSearch, WeightStream, cycles};
use super::work::Work;
use crate::check::in_range;
use crate::error::Fault;
use crate::hw::sourced::{Sourced, has_source, integer, positive};
use crate::num::Decoder;

/// Cores that take one input spike after the other, and add its weights to the sums of all that it reaches, some output
/// channels in step. What is more than the channels in step goes through the spikes again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventCores {
    /// What messages call it.
    #[serde(deserialize_with = "crate::name::title")]
    pub name: String,
    /// Layers that it takes; all of them where it is left out.
    #[serde(default)]
    pub takes: Option<LayerKind>,
    /// Output channels in step.
    pub channels: Channels,
    /// Output positions whose sums it holds; as many as a layer has where it is left out.
    #[serde(default)]
    pub positions: Option<Sourced<u32>>,
    /// Additions at once, of all channels in step; one of each where it is left out.
    #[serde(default)]
    pub adders: Option<Sourced<u32>>,
    /// Which loop stands outside.
    pub order: Sourced<LoopOrder>,
    /// Time of an event.
    pub event: EventTime,
    /// How spikes are found; they are given as a list where it is left out.
    #[serde(default)]
    pub search: Option<SpikeSearch>,
    /// How weights come from off chip while spikes are added; they are on chip where it is left out.
    #[serde(default)]
    pub weight_stream: Option<WeightStream>,
    /// When neurons are updated beside additions; with every addition where it is left out.
    #[serde(default)]
    pub sweep: Option<Sweep>,
    /// Time beside events and neurons.
    #[serde(default)]
    pub overheads: EventOverheads,
    /// Work beside products and neurons that is done where outputs are written.
    #[serde(default)]
    pub writes_back: Vec<WriteBack>,
    /// Widest weight code.
    pub max_weight_bits: Sourced<u32>,
    /// Decoders of weight codes beside two's complement and powers of two.
    #[serde(default)]
    pub decoders: Vec<Decoder>,
    /// Widest input; 1 for spikes only.
    pub input_bits: Sourced<u32>,
    /// Width of a sum: wider ones are refused.
    pub accumulator_bits: Sourced<u32>,
}

/// Layers that have cores of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LayerKind {
    /// Layers that read spikes, with several output positions.
    Maps,
    /// Layers that read spikes, with a single output position: linear layers of a whole map.
    Vectors,
    /// Layers that read integers, such as an image.
    Integers,
}

/// Output channels in step, which a core may have its own number of for each layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channels {
    /// Channels of any layer that is not named.
    pub value: u32,
    /// By the name of a layer.
    #[serde(default)]
    pub of: BTreeMap<String, u32>,
    /// Where the numbers come from.
    pub source: String,
}

/// Which loop of a layer stands outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoopOrder {
    /// All timesteps of some output channels, before those of the next ones.
    ChannelsOutermost,
    /// All output channels of a timestep, before those of the next one.
    TimestepsOutermost,
}

/// Cycles of an event: the sum of what is stated.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventTime {
    /// Cycles of any event.
    pub fixed_cycles: Option<Sourced<u32>>,
    /// Cycles of every position of the kernel, also where it falls outside the map.
    pub tap_cycles: Option<Sourced<u32>>,
    /// Positions that a smaller kernel takes the time of.
    pub least_taps: Option<Sourced<u32>>,
    /// Cycles of every sum that the event reaches, in every channel in step.
    pub sum_cycles: Option<Sourced<u32>>,
    /// Cycles of every neuron of a core, whether it is reached or not.
    pub neuron_cycles: Option<Sourced<u32>>,
    /// Neurons of a core.
    pub neurons: Option<Sourced<u32>>,
}

/// A pass over all neurons of the channels in step at the end of a timestep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Cycles of an output position.
    pub position_cycles: Sourced<u32>,
    /// Cycles beside those of the positions; may be negative.
    #[serde(default)]
    pub more_cycles: Option<Sourced<i32>>,
    /// True if a timestep without a spike has none.
    #[serde(default)]
    pub skips_silence: bool,
    /// True if spikes of the next timestep, or for the next channels, are added meanwhile.
    #[serde(default)]
    pub overlaps: bool,
}

/// Cycles beside those of events and neurons.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventOverheads {
    /// Cycles of a layer.
    pub layer_cycles: Option<Sourced<u32>>,
    /// Cycles of a pass over output channels.
    pub pass_cycles: Option<Sourced<u32>>,
    /// Cycles of a timestep that is gone through: of each pass where channels are outermost.
    pub timestep_cycles: Option<Sourced<u32>>,
    /// Cycles of a timestep that has spikes.
    pub active_timestep_cycles: Option<Sourced<u32>>,
    /// Cycles of a spike that leaves.
    pub output_spike_cycles: Option<Sourced<u32>>,
}

/// Work that is done where outputs are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteBack {
    /// The work.
    pub work: Work,
    /// Cycles of a position that it yields, beside those that write it.
    #[serde(default)]
    pub position_cycles: Option<Sourced<u32>>,
    /// Cycles of a timestep.
    #[serde(default)]
    pub timestep_cycles: Option<Sourced<u32>>,
    /// Where this comes from.
    pub source: String,
}

impl Channels {
    /// Channels in step in the layer called `layer`.
    pub fn of(&self, layer: &str) -> u32 {
        self.of.get(layer).copied().unwrap_or(self.value)
    }

    fn check(&self) -> Result<(), Fault> {
        integer("channels", u64::from(self.value), &self.source, 1, 65_536)?;
        let named = |(layer, &channels): (&String, &u32)| {
            in_range(format!("channels.of: {layer}"), channels, &(1..=65_536))
        };
        self.of.iter().try_for_each(named)
    }
}

impl EventCores {
    /// How the work `work` is done where outputs are written, if it is.
    pub(crate) fn write_back(&self, work: Work) -> Option<&WriteBack> {
        self.writes_back.iter().find(|done| done.work == work)
    }

    fn widths(&self) -> Widths<'_> {
        let Self { max_weight_bits, input_bits, accumulator_bits, .. } = self;
        Widths { max_weight_bits, input_bits, accumulator_bits }
    }

    fn check_event(&self) -> Result<(), Fault> {
        let EventTime { fixed_cycles, tap_cycles, least_taps, sum_cycles, neuron_cycles, neurons } =
            &self.event;
        for (field, sourced) in [
            ("event.fixed_cycles", fixed_cycles),
            ("event.tap_cycles", tap_cycles),
            ("event.sum_cycles", sum_cycles),
            ("event.neuron_cycles", neuron_cycles),
        ] {
            sourced.as_ref().map_or(Ok(()), |sourced| cycles(field, sourced))?;
        }
        for (field, sourced) in [("event.least_taps", least_taps), ("event.neurons", neurons)] {
            sourced.as_ref().map_or(Ok(()), |sourced| positive(field, sourced, 1 << 24))?;
        }
        match (neuron_cycles, neurons, sum_cycles) {
            (Some(_), None, _) => {
                Err(Fault::new("event.neurons", "missing: neuron_cycles are of each of them"))
            }
            (_, _, Some(_)) if self.search.is_some() => Err(Fault::new(
                "event.sum_cycles",
                "with a search, every event takes the same time: tap_cycles",
            )),
            _ => Ok(()),
        }
    }

    fn check_overheads(&self) -> Result<(), Fault> {
        let all = &self.overheads;
        let overheads = [
            ("overheads.layer_cycles", &all.layer_cycles),
            ("overheads.pass_cycles", &all.pass_cycles),
            ("overheads.timestep_cycles", &all.timestep_cycles),
            ("overheads.active_timestep_cycles", &all.active_timestep_cycles),
            ("overheads.output_spike_cycles", &all.output_spike_cycles),
        ];
        let written = self.writes_back.iter().flat_map(|done| {
            [
                ("writes_back.position_cycles", &done.position_cycles),
                ("writes_back.timestep_cycles", &done.timestep_cycles),
            ]
        });
        let stated = overheads.into_iter().chain(written);
        stated
            .filter_map(|(field, sourced)| Some((field, sourced.as_ref()?)))
            .try_for_each(|(f, s)| cycles(f, s))?;
        self.writes_back.iter().try_for_each(|done| has_source("writes_back", &done.source))
    }

    fn check_sweep(&self) -> Result<(), Fault> {
        let Some(sweep) = &self.sweep else { return Ok(()) };
        cycles("sweep.position_cycles", &sweep.position_cycles)?;
        if let Some(more) = &sweep.more_cycles {
            in_range("sweep.more_cycles", more.value, &(-1024..=1 << 24))?;
            has_source("sweep.more_cycles", &more.source)?;
        }
        match (&self.search, sweep.overlaps) {
            (Some(_), true) => {
                Err(Fault::new("sweep.overlaps", "only where spikes are given, without a search"))
            }
            _ => Ok(()),
        }
    }
}

impl Datapath for EventCores {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), Fault> {
        self.channels.check()?;
        for (field, sourced) in [("positions", &self.positions), ("adders", &self.adders)] {
            sourced.as_ref().map_or(Ok(()), |sourced| positive(field, sourced, 1 << 24))?;
        }
        has_source("order", &self.order.source)?;
        self.check_event()?;
        self.search.as_ref().map_or(Ok(()), SpikeSearch::check)?;
        if let Some(stream) = &self.weight_stream {
            stream.check()?;
            if !matches!(self.search, Some(SpikeSearch::Queue(_))) {
                return Err(Fault::new("weight_stream", "only beside a Queue (search)"));
            }
        }
        self.check_sweep()?;
        self.check_overheads()?;
        check_decoders(&self.decoders, self.max_weight_bits.value)?;
        self.widths().check()
    }

    fn decoders(&self) -> Option<&[Decoder]> {
        Some(&self.decoders)
    }

    fn takes(&self) -> Option<Takes> {
        Some(self.widths().takes())
    }

    fn refuses_shape(&self, shape: ProductShape) -> Option<String> {
        if shape.groups > 1 {
            return Some("layers of one group".to_owned());
        }
        let kind = match (shape.reads_spikes, shape.positions) {
            (false, _) => LayerKind::Integers,
            (true, 1) => LayerKind::Vectors,
            (true, _) => LayerKind::Maps,
        };
        let takes = self.takes.filter(|&takes| takes != kind)?;
        let takes_in_words = match takes {
            LayerKind::Maps => "spikes to outputs at several positions",
            LayerKind::Vectors => "spikes to outputs at a single position",
            LayerKind::Integers => "integers",
        };
        Some(format!("{takes_in_words} (takes: {takes:?})"))
    }

    fn does(&self, work: Work) -> bool {
        work == Work::Neurons || self.write_back(work).is_some()
    }

    fn holds_constant_sums(&self) -> bool {
        false
    }
}
