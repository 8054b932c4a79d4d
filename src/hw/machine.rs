use serde::{Deserialize, Serialize};

use super::dram::{DramPart, dram_part};
use super::sourced::Sourced;
use super::sram::{Sram, SramCell, sram};
use super::table::{self, EnergyTable};
use crate::error::{Error, Result};
use crate::files::{Folder, check_name, sha256};
use crate::ron_file::parse_ron;

/// A described machine. Every constant names its source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    /// What reports call it.
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
    /// Where the loop over timesteps may stand; the cheaper one is taken.
    pub placements: Vec<Placement>,
    /// What the mapper minimises.
    pub objective: Objective,
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
    /// Width that area is counted for.
    pub accumulator_bits: Sourced<u32>,
    /// Neurons, joins, pooling and attention.
    pub vector: VectorUnit,
}

/// What zeros save.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Skipping {
    /// Nothing.
    Dense,
    /// Energy: the adder does not switch.
    Gated,
    /// Energy and time: zeros are stepped over; the lanes of a wave wait for the slowest.
    Skip,
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
    /// Width that area is counted for.
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

/// Data that lives in memories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operand {
    /// Weight codes, biases, thresholds.
    Weights,
    /// Spikes, counts, images, activations.
    Activations,
    /// Accumulators that leave the array.
    PartialSums,
    /// Membrane potentials.
    Membranes,
    /// The residual stream.
    Residual,
}

impl Operand {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Weights, Self::Activations, Self::PartialSums, Self::Membranes, Self::Residual];
}

/// An on-chip memory.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemorySpec {
    /// What messages call it.
    pub name: String,
    /// What lives there.
    pub holds: Vec<Operand>,
    /// Capacity.
    pub capacity_bytes: Sourced<u64>,
    /// Width of one access.
    pub word_bits: Sourced<u32>,
    /// Bits that can move per cycle, reads and writes together.
    pub bandwidth_bits_per_cycle: Sourced<u32>,
    /// Where its energy, leakage and area come from.
    pub macro_model: MemoryMacro,
}

/// Where energy, leakage and area of a memory come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum MemoryMacro {
    /// Interpolated CACTI points.
    Cacti(SramCell),
    /// The processor's energy per cycle covers them.
    IncludedInProcessor,
}

/// Off-chip memory.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DramSpec {
    /// Name of a DRAM part.
    pub part: String,
    /// Width of the bus.
    pub bus_width_bits: Sourced<u32>,
    /// What it does when nothing is transferred.
    pub idle: DramIdle,
}

/// What a DRAM does when nothing is transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum DramIdle {
    /// Draws nothing: background power is charged while it transfers.
    PowerDown,
    /// Background power is charged during the whole inference.
    Awake,
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
        hardware.check().map_err(|(field, message)| Error::field(path, field, message))?;
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

    /// The off-chip part and the share of its bus that is populated.
    pub fn dram_part(&self) -> Option<(DramPart, f64)> {
        let spec = self.dram.as_ref()?;
        let part = dram_part(&spec.part).expect("checked when parsed");
        let share = f64::from(spec.bus_width_bits.value) / f64::from(part.devices_bus_width_bits);
        Some((part, share))
    }

    fn cacti(&self, memory: &MemorySpec, cell: SramCell) -> Result<Sram, String> {
        sram(memory.capacity_bytes.value, memory.word_bits.value, self.technology_nm.value, cell)
    }

    fn check(&self) -> Result<(), (String, String)> {
        check_name(&self.name).map_err(|message| ("name".into(), message))?;
        number("technology_nm", &self.technology_nm, 1.0, 1000.0)?;
        number("clock_hz", &self.clock_hz, 1e3, 1e11)?;
        if table::bundled(&self.energy_table).is_none() {
            let known: Vec<_> =
                table::BUNDLED.iter().map(|(name, _)| name.trim_end_matches(".ron")).collect();
            let message = format!("{} is not one of {}", self.energy_table, known.join(", "));
            return Err(("energy_table".into(), message));
        }
        if let Some(leakage) = &self.logic_leakage_w_per_mm2 {
            number("logic_leakage_w_per_mm2", leakage, 0.0, 10.0)?;
        }
        if self.placements.is_empty() {
            return Err(("placements".into(), "empty".into()));
        }
        self.compute.check()?;
        self.memories.iter().try_for_each(|memory| self.check_memory(memory))?;
        for operand in Operand::ALL {
            let homes = self.memories.iter().flat_map(|m| &m.holds).filter(|&&held| held == operand).count();
            if homes != 1 {
                return Err(("memories".into(), format!("{operand:?} is held {homes} times, expected once")));
            }
        }
        self.dram.as_ref().map_or(Ok(()), check_dram)
    }

    fn check_memory(&self, memory: &MemorySpec) -> Result<(), (String, String)> {
        let field = |name: &str| format!("memories: {}: {name}", memory.name);
        if memory.holds.is_empty() {
            return Err((field("holds"), "empty: nothing is ever written there".into()));
        }
        integer(
            &field("capacity_bytes"),
            memory.capacity_bytes.value,
            &memory.capacity_bytes.source,
            1,
            1 << 40,
        )?;
        positive(&field("word_bits"), &memory.word_bits, 65_536)?;
        positive(&field("bandwidth_bits_per_cycle"), &memory.bandwidth_bits_per_cycle, 1 << 24)?;
        match (memory.macro_model, &self.compute) {
            (MemoryMacro::Cacti(cell), _) => {
                self.cacti(memory, cell).map(|_| ()).map_err(|m| (field("macro_model"), m))
            }
            (MemoryMacro::IncludedInProcessor, Compute::Processor(_)) => Ok(()),
            (MemoryMacro::IncludedInProcessor, _) => {
                Err((field("macro_model"), "there is no processor".into()))
            }
        }
    }
}

impl Compute {
    fn check(&self) -> Result<(), (String, String)> {
        match self {
            Self::SpikeLanes(lanes) => {
                positive("compute.positions", &lanes.positions, 1024)?;
                if !lanes.positions.value.is_power_of_two() {
                    let message = format!("{} is not a power of two", lanes.positions.value);
                    return Err(("compute.positions".into(), message));
                }
                positive("compute.channels", &lanes.channels, 65_536)?;
                positive("compute.max_weight_bits", &lanes.max_weight_bits, 32)?;
                positive("compute.accumulator_bits", &lanes.accumulator_bits, 64)?;
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
        }
    }
}

impl VectorUnit {
    fn check(&self) -> Result<(), (String, String)> {
        positive("compute.vector.values_per_cycle", &self.values_per_cycle, 65_536)?;
        positive("compute.vector.spike_bits_per_cycle", &self.spike_bits_per_cycle, 1 << 24)
    }
}

fn check_dram(dram: &DramSpec) -> Result<(), (String, String)> {
    let Some(part) = dram_part(&dram.part) else {
        let known: Vec<_> = super::dram::dram_parts().into_iter().map(|p| p.name).collect();
        return Err(("dram.part".into(), format!("{} is not one of {}", dram.part, known.join(", "))));
    };
    positive("dram.bus_width_bits", &dram.bus_width_bits, part.devices_bus_width_bits)
}

/// Finite, in range, and with a source.
fn number(field: &str, sourced: &Sourced<f64>, min: f64, max: f64) -> Result<(), (String, String)> {
    if !(min..=max).contains(&sourced.value) {
        return Err((field.into(), format!("{:?} is not in {min:?}..={max:?}", sourced.value)));
    }
    has_source(field, &sourced.source)
}

fn positive(field: &str, sourced: &Sourced<u32>, max: u32) -> Result<(), (String, String)> {
    integer(field, u64::from(sourced.value), &sourced.source, 1, u64::from(max))
}

fn integer(field: &str, value: u64, source: &str, min: u64, max: u64) -> Result<(), (String, String)> {
    if !(min..=max).contains(&value) {
        return Err((field.into(), format!("{value} is not in {min}..={max}")));
    }
    has_source(field, source)
}

fn has_source(field: &str, source: &str) -> Result<(), (String, String)> {
    match source.trim().is_empty() {
        false => Ok(()),
        true => Err((format!("{field}.source"), "empty: say where the number comes from".into())),
    }
}
