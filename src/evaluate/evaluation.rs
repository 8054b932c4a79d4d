use serde::Serialize;

use super::{Bottleneck, StallEvaluation, Track, UnitEvaluation};
use crate::cost::{
    AreaMm2, Cycles, EnergyJ, ExecutedBits, FootprintBytes, Machine, MappedWorkload, TrafficBits, WorkCycles,
};
use crate::hw::{Constant, Hardware, MemorySpec, Operand, Unit};
use crate::map::{MemoryPeak, OnChipBytes, peaks};
use crate::model::Model;

/// The model of a [`Simulation`](super::Simulation).
#[derive(Debug, Clone, Serialize)]
pub struct ModelSummary {
    /// Name of the model description.
    pub name: String,
    /// Family, as the description spells it.
    pub family: String,
    /// Parameters of the checkpoint that the family knows, unused ones included.
    pub parameters: u64,
    /// What a reader must know of the weights, for instance that they were converted from BF16.
    pub notes: Vec<String>,
    /// SHA-256 of the weights file.
    pub sha256: String,
}

impl ModelSummary {
    /// The summary of `model`.
    pub fn new(model: &Model) -> Self {
        let description = &model.description;
        Self {
            name: description.name.clone(),
            family: description.family.name().to_owned(),
            parameters: model.network.parameter_count(),
            notes: model.weights.notes.clone(),
            sha256: model.sha256.clone(),
        }
    }
}

/// The hardware of a [`Simulation`](super::Simulation).
#[derive(Debug, Clone, Serialize)]
pub struct HardwareSummary {
    /// Name of the hardware description.
    pub name: String,
    /// SHA-256 of the description.
    pub sha256: String,
    /// What its energies come from.
    pub energies: String,
    /// Clock.
    pub clock_hz: f64,
    /// Units, with the operations that they do in a cycle at the most.
    pub units: Vec<UnitSummary>,
    /// On-chip memories, from units outward in the order of the description, and off-chip memory behind them.
    pub memories: Vec<MemorySummary>,
    /// Every constant of the description, and energies of its table, with their sources.
    pub constants: Vec<Constant>,
}

/// A unit of a machine.
#[derive(Debug, Clone, Serialize)]
pub struct UnitSummary {
    /// Name of the unit.
    pub name: String,
    /// Synaptic operations or values per cycle at the most; absent of cores and processors, which have no lanes.
    pub lanes: Option<f64>,
    /// True if it takes products.
    pub takes_products: bool,
}

/// A memory of a machine.
#[derive(Debug, Clone, Serialize)]
pub struct MemorySummary {
    /// Name of the memory; `DRAM` of the one off chip.
    pub name: String,
    /// What units take from it and leave there, as traffic calls it; empty where other memories are between.
    pub feeds_units: Vec<&'static str>,
    /// Bits that it moves in a cycle at the most.
    pub bits_per_cycle: f64,
}

impl HardwareSummary {
    /// The summary of `machine`, whose description has the SHA-256 `sha256`.
    pub fn new(machine: &Machine, sha256: String) -> Self {
        let hardware = &machine.hardware;
        let unit = |unit: &Unit| UnitSummary {
            name: unit.datapath().name().to_owned(),
            lanes: lanes(unit),
            takes_products: unit.datapath().takes().is_some(),
        };
        let memory = |(number, memory): (usize, &MemorySpec)| MemorySummary {
            name: memory.name.clone(),
            feeds_units: Operand::ALL
                .into_iter()
                .filter(|&operand| machine.inner[operand] == number)
                .map(Operand::field)
                .collect(),
            bits_per_cycle: machine.bandwidth_bits_per_cycle(number),
        };
        let dram = machine.dram.map(|dram| MemorySummary {
            name: "DRAM".to_owned(),
            feeds_units: vec!["dram"],
            bits_per_cycle: dram.bits_per_cycle,
        });
        Self {
            name: hardware.name.clone(),
            sha256,
            energies: machine.table_name().to_owned(),
            clock_hz: hardware.clock_hz.value,
            units: hardware.units.iter().map(unit).collect(),
            memories: hardware.memories.iter().enumerate().map(memory).chain(dram).collect(),
            constants: hardware.constants(&machine.table),
        }
    }
}

/// Lanes of `unit` in its widest layout.
fn lanes(unit: &Unit) -> Option<f64> {
    match unit {
        Unit::Vector(unit) => Some(f64::from(unit.values_per_cycle.value)),
        _ => unit.datapath().layouts().iter().map(|layout| layout.lanes.lanes()).reduce(f64::max),
    }
}

/// The images of a [`Simulation`](super::Simulation).
#[derive(Debug, Clone, Serialize)]
pub struct DataSummary {
    /// Name of the data set.
    pub name: String,
    /// Images executed.
    pub images: usize,
    /// SHA-256 of images and labels of the test part.
    pub sha256: String,
}

/// The file of rates of a [`Simulation`](super::Simulation) without images.
#[derive(Debug, Clone, Serialize)]
pub struct RatesSummary {
    /// The file.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// The recorded spikes of a [`Simulation`](super::Simulation) without images.
#[derive(Debug, Clone, Serialize)]
pub struct SpikesSummary {
    /// The file.
    pub file: String,
    /// Images recorded.
    pub images: usize,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// What the activity of a [`Simulation`](super::Simulation) comes from.
#[derive(Debug, Clone, Serialize)]
pub enum ActivitySource {
    /// Images were executed.
    Data(DataSummary),
    /// Rates of layers lead one to expect the activity; nothing was executed.
    Rates(RatesSummary),
    /// Spikes were recorded elsewhere; nothing was executed.
    Spikes(SpikesSummary),
}

impl ActivitySource {
    /// In words, for what a figure is of.
    pub fn describe(&self) -> String {
        match self {
            Self::Data(data) => format!("mean of {} images of {}", data.images, data.name),
            Self::Rates(rates) => format!("activity expected from {}", rates.file),
            Self::Spikes(spikes) => format!("mean of {} images recorded in {}", spikes.images, spikes.file),
        }
    }
}

/// How many of the values of a layer are not zero.
#[derive(Debug, Clone, Serialize)]
pub struct LayerRate {
    /// Name of a weight layer or of a layer of neurons.
    pub layer: String,
    /// Fraction of the inputs of a weight layer, of the outputs of neurons, over all timesteps.
    pub rate: f64,
}

/// Cost of one layer per inference, averaged over the images.
#[derive(Debug, Clone, Serialize)]
pub struct LayerEvaluation {
    /// Name of the weight layer (with the neurons and joins that follow it) or of the attention.
    pub name: String,
    /// What it is: `conv 3x3`, `linear`, `attention`.
    pub kind: String,
    /// Block of the network that it belongs to.
    pub block: String,
    /// Bits of a weight code; 0 where there are no weights.
    pub weight_bits: u32,
    /// Bits of a membrane potential; 0 where there are none.
    pub membrane_bits: u32,
    /// How the array runs it, in words: dataflow and tiling.
    pub mapping: String,
    /// Loop nest of the layer, line by line, with the level that keeps each matrix; empty without an array.
    pub loops: Vec<String>,
    /// Weights gated by a non-zero input, all timesteps.
    pub synaptic_operations: f64,
    /// Synaptic operations whose input is one bit: the weight is only added.
    pub accumulations: f64,
    /// Synaptic operations whose input is an integer: the weight is multiplied.
    pub multiplications: f64,
    /// Multiply-accumulates of the same layer if nothing were skipped, all timesteps.
    pub dense_operations: f64,
    /// Membrane updates, all timesteps.
    pub neuron_updates: f64,
    /// Fraction of non-zero inputs.
    pub input_rate: f64,
    /// Fraction of neurons that fire.
    pub spike_rate: f64,
    /// Fraction of neurons that fire at each timestep; empty where the layer has none.
    pub step_spike_rates: Vec<f64>,
    /// Spikes emitted, all timesteps.
    pub spikes: f64,
    /// Values clamped or wrapped, all timesteps.
    pub saturations: f64,
    /// Cycles of the layers before it.
    pub start_cycles: f64,
    /// Equal tiles that it comes in; layers that take turns do so tile by tile.
    pub tiles: f64,
    /// Cycles by cause.
    pub cycles: Cycles,
    /// What units wait for in them, the longest first.
    pub stalls: Vec<StallEvaluation>,
    /// How long units are busy, by work.
    pub busy_cycles: WorkCycles,
    /// Dynamic energy by component.
    pub energy_j: EnergyJ,
    /// Bits that the network's operations read and wrote, all timesteps.
    pub executed_bits: ExecutedBits,
    /// Bits that moved in the machine, by what they are and which way.
    pub traffic_bits: TrafficBits,
    /// Leakage energy while this layer runs.
    pub leakage_j: f64,
    /// Weight codes of this layer.
    pub weight_bytes: f64,
    /// What on-chip memories hold while it runs.
    pub on_chip_bytes: OnChipBytes,
}

/// What one on-chip memory holds at the most while the network runs by its mapping.
#[derive(Debug, Clone, Serialize)]
pub struct MemoryEvaluation {
    /// Name of the memory.
    pub name: String,
    /// What it could hold.
    pub capacity_bytes: f64,
    /// What it holds at its peak.
    pub peak_bytes: OnChipBytes,
    /// The first layer that runs then; empty where there is no layer.
    pub layer: String,
    /// What it holds while each layer runs.
    pub held_bytes: Vec<f64>,
}

impl MemoryEvaluation {
    /// Every memory of `hardware` while `mapped` runs there, whose layers have `on_chip` there.
    pub fn all(mapped: &MappedWorkload, hardware: &Hardware, on_chip: &[Vec<OnChipBytes>]) -> Vec<Self> {
        let layers = &mapped.workload.layers;
        let held = |memory: usize| on_chip.iter().map(|layer| layer[memory].total()).collect();
        let evaluation = |(memory, peak): (usize, MemoryPeak)| Self {
            held_bytes: held(memory),
            name: peak.memory,
            capacity_bytes: peak.capacity_bytes,
            peak_bytes: peak.bytes,
            layer: layers.get(peak.layer).map_or_else(String::new, |layer| layer.name.clone()),
        };
        peaks(hardware, on_chip).into_iter().enumerate().map(evaluation).collect()
    }

    /// The peak as a fraction of the capacity.
    pub fn share(&self) -> f64 {
        self.peak_bytes.total() / self.capacity_bytes
    }
}

/// Cost and accuracy of one setting, per image, averaged over the images; latencies are those of a batch.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluation {
    /// Name of the setting.
    pub name: String,
    /// What a reader must know of this row, for instance that `fp32` is charged as 32-bit integers.
    pub notes: Vec<String>,
    /// Fraction of images classified correctly; absent where none was executed.
    pub accuracy: Option<f64>,
    /// Accuracy of the float network on the same images minus `accuracy`.
    pub accuracy_drop: Option<f64>,
    /// Bits per weight, averaged over all weights.
    pub average_weight_bits: f64,
    /// The model, and what else the network takes wherever it lives.
    pub footprint_bytes: FootprintBytes,
    /// On-chip memories of the machine.
    pub memories: Vec<MemoryEvaluation>,
    /// Cycles by cause.
    pub cycles: Cycles,
    /// What units wait for in them, all layers together, the longest first.
    pub stalls: Vec<StallEvaluation>,
    /// What units do in them.
    pub units: Vec<UnitEvaluation>,
    /// Images that go through each layer together.
    pub batch: u32,
    /// Mean latency of a batch.
    pub latency_s: f64,
    /// Mean time from one batch to the next: that of a batch, or less where images overlap.
    pub period_s: f64,
    /// Latency of a batch of images like the slowest one.
    pub worst_latency_s: f64,
    /// Dynamic energy by component.
    pub energy_j: EnergyJ,
    /// Bits that moved, by what they are and which way.
    pub traffic_bits: TrafficBits,
    /// Leakage energy.
    pub leakage_j: f64,
    /// Dynamic and leakage energy of the most expensive image.
    pub worst_energy_j: f64,
    /// Energy divided by the time from image to image.
    pub power_w: f64,
    /// Weights gated by a non-zero input, all layers and timesteps.
    pub synaptic_operations: f64,
    /// Spikes emitted by all neurons.
    pub spikes: f64,
    /// Values clamped or wrapped.
    pub saturations: f64,
    /// Area of the hardware; absent where its description does not give enough to know it.
    pub area_mm2: Option<AreaMm2>,
    /// Per weight layer and layer of neurons, in order of execution.
    pub rates: Vec<LayerRate>,
    /// Per layer, in order of execution.
    pub layers: Vec<LayerEvaluation>,
    /// The layers that cost most, the heaviest first; empty where nobody asked for them.
    pub bottlenecks: Vec<Bottleneck>,
    /// When layers, units and memories are at work; empty where nobody asked for it.
    #[serde(skip)]
    pub timeline: Vec<Track>,
}

impl Evaluation {
    /// Dynamic and leakage energy, J.
    pub fn total_energy_j(&self) -> f64 {
        self.energy_j.total() + self.leakage_j
    }

    /// Images per second.
    pub fn images_per_s(&self) -> f64 {
        if self.period_s > 0.0 { f64::from(self.batch) / self.period_s } else { 0.0 }
    }

    /// Energy per synaptic operation, J.
    pub fn energy_per_synaptic_operation_j(&self) -> f64 {
        self.total_energy_j() / self.synaptic_operations.max(1.0)
    }
}
