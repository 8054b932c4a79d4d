use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::Energies;
use super::control::Control;
use super::dram::DramSpec;
use super::memory::{MemoryMacro, MemorySpec, Operand};
use super::sourced::{Sourced, integer, number, positive};
use super::sram::{Sram, SramCell, sram};
use super::table::{self, EnergyTable};
use crate::error::{Fault, Result};
use crate::files::{Folder, sha256};
use crate::ron_file::parse_ron;

/// A described machine. Every constant names its source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    /// What reports call it.
    #[serde(deserialize_with = "crate::name::title")]
    pub name: String,
    /// One or two sentences for `spiq list hw`.
    pub description: String,
    /// Process node of memories and logic.
    pub technology_nm: Sourced<f64>,
    /// Clock of everything on the chip.
    pub clock_hz: Sourced<f64>,
    /// Name of a default energy table.
    pub energy_table: String,
    /// What computes.
    pub compute: Compute,
    /// On-chip memories; every operand has exactly one.
    pub memories: Vec<MemorySpec>,
    /// Off-chip memory, if there is one.
    #[serde(default)]
    pub dram: Option<DramSpec>,
    /// Leakage of the logic per area; absent where `compute` accounts for it.
    #[serde(default)]
    pub logic_leakage_w_per_mm2: Option<Sourced<f64>>,
    /// Clock tree, control and network on chip; absent where `compute` accounts for them.
    #[serde(default)]
    pub control: Option<Control>,
    /// Where the loop over timesteps may stand; the cheaper one is taken.
    pub placements: Vec<Placement>,
    /// What the mapper minimises.
    pub objective: Objective,
    /// What may stay in the array while the rest streams; anything where it is left out.
    #[serde(default)]
    pub stationary: Vec<Stationary>,
    /// How spikes lie in memory; as a bitmap where it is left out.
    #[serde(default)]
    pub spike_encoding: SpikeEncoding,
}

/// What stays in an array while the rest streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Stationary {
    /// Sums.
    Outputs,
    /// Weights.
    Weights,
    /// Inputs.
    Inputs,
}

/// How the spikes of a tensor lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum SpikeEncoding {
    /// One bit per value.
    #[default]
    Bitmap,
    /// The address of every spike: ceil(log2 N) bits each where a frame has N values, so that the list is the
    /// shorter one below a density of 1 / ceil(log2 N).
    Addresses,
    /// For each tensor the shorter one.
    Shorter,
}

/// What computes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Compute {
    /// Lanes that accumulate weights where there are spikes.
    SpikeLanes(SpikeLanes),
    /// A dense systolic array of multiply-accumulate units.
    Systolic(Systolic),
    /// A scalar processor.
    Processor(Processor),
    /// Many small cores that hold their neurons and weights, and exchange spikes.
    ManyCore(ManyCore),
}

/// `positions` x `channels` accumulators.
///
/// Output stationary, each accumulator belongs to one (output position, output channel) and the
/// lanes of one position walk through the non-zero inputs of that position. Weight stationary,
/// each holds the weight of one (input, output channel) and `positions` inputs are summed by a
/// tree.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpikeLanes {
    /// Output positions at once (output stationary), or inputs at once (weight stationary); a
    /// power of two up to 1,024.
    pub positions: Sourced<u32>,
    /// Output channels at once.
    pub channels: Sourced<u32>,
    /// What zeros save.
    pub skipping: Skipping,
    /// How a multi-bit input meets a weight.
    pub multi_bit: MultiBit,
    /// Widest weight code that the lanes take.
    pub max_weight_bits: Sourced<u32>,
    /// Width of an accumulator: wider sums are refused, and area is counted for it.
    pub accumulator_bits: Sourced<u32>,
    /// What of a product is on chip at a time; output stationary, all inputs of a tile of channels where it is
    /// left out.
    #[serde(default)]
    pub tile: Option<LaneTile>,
    /// Neurons, joins, pooling and attention.
    pub vector: VectorUnit,
}

/// Sums of a few rows wait on chip while the weights of their inputs pass, some at a time; the next rows fetch
/// the weights again.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneTile {
    /// Rows of the spike matrix: positions times timesteps.
    pub rows: Sourced<u32>,
    /// Inputs whose weights are in the buffer.
    pub inputs: Sourced<u32>,
}

/// What zeros save.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Skipping {
    /// Nothing.
    Dense,
    /// Energy: the adder does not switch.
    Gated,
    /// Energy and time: zeros are stepped over; the lanes of a wave wait for the slowest.
    Skip,
    /// The lanes of a wave walk in step through the inputs that spike at any of their positions, in any
    /// timestep of a window, and stay as many cycles at each as the window has timesteps; its weights are
    /// read once.
    Windows {
        /// Timesteps of a window.
        timesteps: Sourced<u32>,
    },
    /// In tiles of the spike matrix, a row (one position and timestep) starts from the sums of the row with
    /// the largest subset of its spikes, and only the remaining ones are added; one that equals an earlier row
    /// copies its sums in one cycle. A row is searched for in one cycle, while another tile is added up.
    Products {
        /// Rows of a tile.
        rows: Sourced<u32>,
        /// Inputs of a tile, at most 64.
        columns: Sourced<u32>,
    },
}

/// How a multi-bit input meets a weight in spike lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum MultiBit {
    /// One accumulation per input bit.
    BitSerial,
    /// A multiplier beside each adder.
    Multiplier,
    /// It does not: layers that read anything but spikes are refused.
    Absent,
}

/// `rows` x `columns` multiply-accumulate units, dense.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Systolic {
    /// Rows.
    pub rows: Sourced<u32>,
    /// Columns.
    pub columns: Sourced<u32>,
    /// What a ragged tile fills and drains.
    #[serde(default)]
    pub edges: Edges,
    /// Cycles of each tile beside what it streams, fills and drains; -2 where it is left out, as in
    /// SCALE-Sim's formulas.
    #[serde(default)]
    pub overhead_cycles: Option<Sourced<i32>>,
    /// True if a zero input stops a unit from switching.
    pub gated: bool,
    /// Widest weight code that the units take.
    pub max_weight_bits: Sourced<u32>,
    /// Width of the other operand.
    pub input_bits: Sourced<u32>,
    /// Width of an accumulator: wider sums are refused, and area is counted for it.
    pub accumulator_bits: Sourced<u32>,
    /// Neurons, joins, pooling and attention.
    pub vector: VectorUnit,
}

/// What a ragged tile fills and drains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Edges {
    /// The whole array, as in SCALE-Sim.
    #[default]
    Full,
    /// The rows and columns that it has, as in STONNE.
    Actual,
}

/// The unit beside the array.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorUnit {
    /// Neuron updates, joins or comparisons per cycle.
    pub values_per_cycle: Sourced<u32>,
    /// Spike bits per cycle of attention and masks.
    pub spike_bits_per_cycle: Sourced<u32>,
}

/// Cores that each hold neurons, their weights and their state. A layer takes as many cores as its neurons or
/// its weights need, works on them evenly, and ends a timestep before the next one starts. What cores have no
/// unit for is done as synaptic operations: integers bit by bit, products of spikes and joins one by one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManyCore {
    /// Name of a table of energies of whole events.
    pub events: String,
    /// Neurons of a core.
    pub neurons_per_core: Sourced<u32>,
    /// Bits of weights of a core.
    pub weight_bits_per_core: Sourced<u64>,
    /// Widest weight code.
    pub max_weight_bits: Sourced<u32>,
    /// Time of a synaptic operation.
    pub synapse_s: Sourced<f64>,
    /// Time of a membrane update.
    pub neuron_s: Sourced<f64>,
    /// Time of a spike that leaves its neuron.
    pub spike_s: Sourced<f64>,
    /// Time in which all cores agree that a timestep is over.
    pub barrier_s: Sourced<f64>,
}

/// A scalar processor; its energy per cycle covers its memories.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Processor {
    /// Register width.
    pub word_bits: Sourced<u32>,
    /// A load or a store of one word.
    pub load_cycles: Sourced<f64>,
    /// An addition, comparison, shift or logical operation.
    pub alu_cycles: Sourced<f64>,
    /// A multiplication.
    pub multiply_cycles: Sourced<f64>,
    /// A taken branch.
    pub branch_cycles: Sourced<f64>,
    /// Whole-chip energy while running.
    pub energy_pj_per_cycle: Sourced<f64>,
}

/// Where the loop over timesteps stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Placement {
    /// Inside each layer: weights are fetched once, all timesteps of a layer's spikes are stored.
    Innermost,
    /// Around the network: weights are fetched at every timestep, membranes are stored.
    Outermost,
}

/// What the mapper minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Objective {
    /// Energy.
    Energy,
    /// Latency.
    Latency,
    /// Energy times latency.
    EnergyDelay,
}

impl Compute {
    /// Width of the accumulators; `None` where sums are whole words of a processor, or of a core's own.
    pub fn accumulator_bits(&self) -> Option<u32> {
        match self {
            Self::SpikeLanes(lanes) => Some(lanes.accumulator_bits.value),
            Self::Systolic(array) => Some(array.accumulator_bits.value),
            Self::Processor(_) | Self::ManyCore(_) => None,
        }
    }
}

impl Hardware {
    /// Loads `spec`, the name of a default or a path to a `.ron` file, with the SHA-256 of its text.
    pub fn load(spec: &str) -> Result<(Self, String)> {
        let (folder, name) = Folder::locate("hw_configs", spec)?;
        let text = folder.read_text(&name)?;
        let hardware = Self::parse(&text, &folder.path(&name))?;
        Ok((hardware, sha256([text.as_bytes()])))
    }

    /// Parses and checks a description; `path` is for messages.
    pub fn parse(text: &str, path: &str) -> Result<Self> {
        let hardware: Self = parse_ron(text, path)?;
        hardware.check().map_err(|fault| fault.at(path))?;
        Ok(hardware)
    }

    /// The table of operation energies.
    pub fn table(&self) -> EnergyTable {
        table::bundled(&self.energy_table).expect("checked when parsed")
    }

    /// The memory that holds `operand`.
    pub fn memory(&self, operand: Operand) -> &MemorySpec {
        self.memories.iter().find(|m| m.holds.contains(&operand)).expect("checked when parsed")
    }

    /// Energy, leakage and area of a memory; zeros where the processor covers them.
    pub fn memory_macro(&self, memory: &MemorySpec) -> Sram {
        match memory.macro_model {
            MemoryMacro::Cacti(cell) => self.cacti(memory, cell).expect("checked when parsed"),
            MemoryMacro::IncludedInProcessor => Sram {
                read_pj_per_bit: 0.0,
                write_pj_per_bit: 0.0,
                leakage_w: 0.0,
                area_mm2: 0.0,
                cycle_ns: 0.0,
            },
        }
    }

    fn cacti(&self, memory: &MemorySpec, cell: SramCell) -> Result<Sram, String> {
        let (bytes, word_bits) = (memory.capacity_bytes.value, memory.word_bits.value);
        sram(bytes, memory.banks(), word_bits, self.technology_nm.value, cell)
    }

    fn check(&self) -> Result<(), Fault> {
        number("technology_nm", &self.technology_nm, 1.0, 1000.0)?;
        number("clock_hz", &self.clock_hz, 1e3, 1e11)?;
        if table::bundled(&self.energy_table).is_none() {
            let known: Vec<_> =
                table::BUNDLED.iter().map(|(name, _)| name.trim_end_matches(".ron")).collect();
            let message = format!("{} is not one of {}", self.energy_table, known.join(", "));
            return Err(Fault::new("energy_table", message));
        }
        if let Some(leakage) = &self.logic_leakage_w_per_mm2 {
            number("logic_leakage_w_per_mm2", leakage, 0.0, 10.0)?;
        }
        self.check_control()?;
        if self.placements.is_empty() {
            return Err(Fault::new("placements", "empty"));
        }
        self.compute.check()?;
        self.check_windows()?;
        self.memories.iter().try_for_each(|memory| self.check_memory(memory))?;
        let mut names = HashSet::new();
        if let Some(memory) = self.memories.iter().find(|memory| !names.insert(&memory.name)) {
            return Err(Fault::new("memories", format!("{} twice: budgets name memories", memory.name)));
        }
        for operand in Operand::ALL {
            let homes = self.memories.iter().flat_map(|m| &m.holds).filter(|&&held| held == operand).count();
            if homes != 1 {
                return Err(Fault::new(
                    "memories",
                    format!("{operand:?} is held {homes} times, expected once"),
                ));
            }
        }
        self.dram.as_ref().map_or(Ok(()), DramSpec::check)
    }

    /// Arrays have a clock tree, and processors and cores are charged with theirs.
    fn check_control(&self) -> Result<(), Fault> {
        let array = matches!(self.compute, Compute::SpikeLanes(_) | Compute::Systolic(_));
        let wrong = |message: &'static str| Err(Fault::new("control", message));
        match &self.control {
            Some(control) if array => control.check(),
            Some(_) => wrong("the energies of compute cover it"),
            None if array => wrong(
                "missing: what share clock, control and network have, as (energy_share: (value: 0.3, source: \
                 ..), area_share: (value: 0.1, source: ..))",
            ),
            None => Ok(()),
        }
    }

    /// Timesteps that run one after the other around the network share no window.
    fn check_windows(&self) -> Result<(), Fault> {
        let Compute::SpikeLanes(lanes) = &self.compute else { return Ok(()) };
        let together = matches!(lanes.skipping, Skipping::Windows { .. } | Skipping::Products { .. });
        if together && self.placements.contains(&Placement::Outermost) {
            Err(Fault::new("placements", "Windows and Products need all timesteps: Innermost"))
        } else {
            Ok(())
        }
    }

    fn check_memory(&self, memory: &MemorySpec) -> Result<(), Fault> {
        let field = |name: &str| format!("memories: {}: {name}", memory.name);
        if memory.holds.is_empty() {
            return Err(Fault::new(field("holds"), "empty: nothing is ever written there"));
        }
        integer(
            &field("capacity_bytes"),
            memory.capacity_bytes.value,
            &memory.capacity_bytes.source,
            1,
            1 << 40,
        )?;
        if let Some(banks) = &memory.banks {
            positive(&field("banks"), banks, 1 << 16)?;
        }
        positive(&field("word_bits"), &memory.word_bits, 65_536)?;
        positive(&field("bandwidth_bits_per_cycle"), &memory.bandwidth_bits_per_cycle, 1 << 24)?;
        match (memory.macro_model, &self.compute) {
            (MemoryMacro::Cacti(cell), _) => {
                memory.check_ports().map_err(|m| Fault::new(field("bandwidth_bits_per_cycle"), m))?;
                self.cacti(memory, cell).map(|_| ()).map_err(|m| Fault::new(field("macro_model"), m))
            }
            (MemoryMacro::IncludedInProcessor, Compute::Processor(_) | Compute::ManyCore(_)) => Ok(()),
            (MemoryMacro::IncludedInProcessor, _) => {
                Err(Fault::new(field("macro_model"), "there is no processor"))
            }
        }
    }
}

impl Compute {
    fn check(&self) -> Result<(), Fault> {
        match self {
            Self::SpikeLanes(lanes) => {
                positive("compute.positions", &lanes.positions, 1024)?;
                if !lanes.positions.value.is_power_of_two() {
                    let message = format!("{} is not a power of two", lanes.positions.value);
                    return Err(Fault::new("compute.positions", message));
                }
                positive("compute.channels", &lanes.channels, 65_536)?;
                positive("compute.max_weight_bits", &lanes.max_weight_bits, 32)?;
                positive("compute.accumulator_bits", &lanes.accumulator_bits, 64)?;
                lanes.skipping.check(lanes)?;
                if let Some(tile) = &lanes.tile {
                    positive("compute.tile.rows", &tile.rows, 1 << 24)?;
                    positive("compute.tile.inputs", &tile.inputs, 1 << 24)?;
                }
                lanes.vector.check()
            }
            Self::Systolic(array) => {
                positive("compute.rows", &array.rows, 65_536)?;
                positive("compute.columns", &array.columns, 65_536)?;
                if let Some(overhead) = &array.overhead_cycles {
                    let value = f64::from(overhead.value);
                    number("compute.overhead_cycles", &Sourced::new(value, &overhead.source), -2.0, 1e6)?;
                }
                positive("compute.max_weight_bits", &array.max_weight_bits, 32)?;
                positive("compute.input_bits", &array.input_bits, 32)?;
                positive("compute.accumulator_bits", &array.accumulator_bits, 64)?;
                array.vector.check()
            }
            Self::Processor(processor) => {
                positive("compute.word_bits", &processor.word_bits, 1024)?;
                for (field, value) in [
                    ("compute.load_cycles", &processor.load_cycles),
                    ("compute.alu_cycles", &processor.alu_cycles),
                    ("compute.multiply_cycles", &processor.multiply_cycles),
                    ("compute.branch_cycles", &processor.branch_cycles),
                ] {
                    number(field, value, 0.01, 1000.0)?;
                }
                number("compute.energy_pj_per_cycle", &processor.energy_pj_per_cycle, 0.0, 1e6)
            }
            Self::ManyCore(cores) => cores.check(),
        }
    }
}

impl Skipping {
    fn check(&self, lanes: &SpikeLanes) -> Result<(), Fault> {
        match self {
            Self::Dense | Self::Gated | Self::Skip => Ok(()),
            Self::Windows { timesteps } => positive("compute.skipping.timesteps", timesteps, 64),
            Self::Products { rows, columns } => {
                positive("compute.skipping.rows", rows, 4096)?;
                positive("compute.skipping.columns", columns, 64)?;
                match lanes.positions.value {
                    1 => Ok(()),
                    _ => Err(Fault::new("compute.positions", "Products walk through one row at a time: 1")),
                }
            }
        }
    }
}

impl ManyCore {
    fn check(&self) -> Result<(), Fault> {
        match Energies::load(&self.events) {
            Ok(Energies::Events(_)) => {}
            Ok(Energies::Units(_)) => {
                let message = format!("{} holds no energies of whole events", self.events);
                return Err(Fault::new("compute.events", message));
            }
            Err(e) => return Err(Fault::new("compute.events", e.to_string())),
        }
        positive("compute.neurons_per_core", &self.neurons_per_core, 1 << 24)?;
        let bits = &self.weight_bits_per_core;
        integer("compute.weight_bits_per_core", bits.value, &bits.source, 1, 1 << 40)?;
        positive("compute.max_weight_bits", &self.max_weight_bits, 32)?;
        for (field, value) in [
            ("compute.synapse_s", &self.synapse_s),
            ("compute.neuron_s", &self.neuron_s),
            ("compute.spike_s", &self.spike_s),
            ("compute.barrier_s", &self.barrier_s),
        ] {
            number(field, value, 0.0, 1.0)?;
        }
        Ok(())
    }
}

impl VectorUnit {
    fn check(&self) -> Result<(), Fault> {
        positive("compute.vector.values_per_cycle", &self.values_per_cycle, 65_536)?;
        positive("compute.vector.spike_bits_per_cycle", &self.spike_bits_per_cycle, 1 << 24)
    }
}
