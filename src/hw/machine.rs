use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::changes::{Change, changed};
use super::control::Control;
use super::dram::DramSpec;
use super::fpga::{Fpga, block_memory};
use super::memory::{MemoryMacro, MemorySpec};
use super::sourced::{Sourced, integer, number, positive};
use super::sram::{Sram, SramCell, sram};
use super::table::{self, EnergyTable};
use super::units::{Charged, Datapath, Unit, Vector, Work};
use crate::error::{Error, Fault, Result};
use crate::files::{Folder, sha256};
use crate::ron_file::parse_ron;

/// A described machine. Every constant names its source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// What computes: units that take products, and vector units for everything else.
    pub units: Vec<Unit>,
    /// On-chip memories; every operand has exactly one that feeds units, and may have others behind it.
    pub memories: Vec<MemorySpec>,
    /// Off-chip memory, if there is one.
    #[serde(default)]
    pub dram: Option<DramSpec>,
    /// The part that it is configured into, if it is no chip of its own.
    #[serde(default)]
    pub fpga: Option<Fpga>,
    /// Leakage of the logic per area; absent where the energies of a unit account for it.
    #[serde(default)]
    pub logic_leakage_w_per_mm2: Option<Sourced<f64>>,
    /// Clock tree, control and network on chip; absent where the energies of a unit account for them.
    #[serde(default)]
    pub control: Option<Control>,
    /// Where the loop over timesteps may stand; the cheaper one is taken.
    pub placements: Vec<Placement>,
    /// What the mapper minimises.
    pub objective: Objective,
    /// Most images that units work on side by side: while one of them takes its layers of one image, others take theirs of
    /// the images before and behind it. One image after the other where it is left out.
    #[serde(default)]
    pub images_in_flight: Option<Sourced<u32>>,
    /// How spikes lie in memory; as a bitmap where it is left out.
    #[serde(default)]
    pub spike_encoding: SpikeEncoding,
}

/// How the spikes of a tensor lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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

/// Where the loop over timesteps stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Placement {
    /// Inside each layer: weights are fetched once, all timesteps of a layer's spikes are stored.
    Innermost,
    /// Around the network: weights are fetched at every timestep, membranes are stored.
    Outermost,
}

/// What the mapper minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Objective {
    /// Energy.
    Energy,
    /// Latency.
    Latency,
    /// Energy times latency.
    EnergyDelay,
}

/// The text of a machine, of which variants can be made.
#[derive(Debug, Clone)]
pub struct Description {
    text: String,
    /// For messages.
    path: String,
}

impl Description {
    /// Reads that of `spec`, the name of a default or a path to a `.ron` file. Fields may be changed behind it, as in
    /// `edge-28+clock_hz=500e6`.
    ///
    /// # Errors
    /// If there is none, or a change is none of it.
    pub fn load(spec: &str) -> Result<Self> {
        let (base, changes) =
            if Path::new(spec).exists() { (spec, Vec::new()) } else { Change::split(spec)? };
        let (folder, name) = Folder::locate("hw_configs", base)?;
        let described = Self { text: folder.read_text(&name)?, path: folder.path(&name) };
        let text = described.text_with(&changes)?;
        let changes: String = changes.iter().map(|change| format!("+{change}")).collect();
        Ok(Self { text, path: format!("{}{changes}", described.path) })
    }

    /// Text of the description with `changes`, as it would stand in a file.
    ///
    /// # Errors
    /// If a path leads nowhere, or a value is not what its field takes.
    pub fn text_with(&self, changes: &[Change]) -> Result<String> {
        if changes.is_empty() {
            return Ok(self.text.clone());
        }
        changed(&self.text, changes, &|text| parse_ron::<Hardware>(text, &self.path).map(|_| ()))
    }

    /// The machine with `changes`, and the SHA-256 of the text that has them.
    ///
    /// # Errors
    /// Those of [`Self::text_with`] and [`Hardware::parse`].
    pub fn changed(&self, changes: &[Change]) -> Result<(Hardware, String)> {
        let text = self.text_with(changes)?;
        let changes: String = changes.iter().map(|change| format!("+{change}")).collect();
        let hardware = Hardware::parse(&text, &format!("{}{changes}", self.path))?;
        Ok((hardware, sha256([text.as_bytes()])))
    }
}

/// Fields that descriptions of version 0.1 had, with what says it now.
const FORMER_FIELDS: [(&str, &str); 6] = [
    (
        "compute",
        "units: [SpikeLanes(name, layouts, zeros, ..), Vector(name, values_per_cycle, ..)]; what stays in an array is \
         in its layouts, or in keeps",
    ),
    ("stationary", "what a layout keeps, and keeps of a Systolic"),
    ("positions", "(Positions, P) or, where weights stay, (Inputs, P) of the lanes of a layout"),
    ("channels", "(OutputChannels, C) of the lanes of each layout"),
    ("skipping", "zeros"),
    ("vector", "a unit of its own: Vector(name: \"vector unit\", values_per_cycle, spike_bits_per_cycle)"),
];

/// Says what became of a field that descriptions of version 0.1 had.
fn of_version_0_1(error: Error) -> Error {
    let Error::Syntax { path, line, column, message } = error else { return error };
    let former = FORMER_FIELDS.iter().find(|(field, _)| message.contains(&format!("field named `{field}`")));
    let message = match former {
        Some((field, now)) => {
            format!("`{field}` is of version 0.1, and is now {now} (docs/machines.md)")
        }
        None => message,
    };
    Error::Syntax { path, line, column, message }
}

impl Hardware {
    /// Loads `spec`, the name of a default or a path to a `.ron` file, with the SHA-256 of its text. Fields may be changed
    /// behind it, as in `edge-28+clock_hz=500e6`, which is its name then, too.
    ///
    /// # Errors
    /// If there is no such description or field, or the description is wrong.
    pub fn load(spec: &str) -> Result<(Self, String)> {
        Description::load(spec)?.changed(&[])
    }

    /// Parses and checks a description; `path` is for messages.
    pub fn parse(text: &str, path: &str) -> Result<Self> {
        let hardware: Self = parse_ron(text, path).map_err(of_version_0_1)?;
        hardware.check().map_err(|fault| fault.at(path))?;
        Ok(hardware)
    }

    /// This description with a change, checked like any other.
    ///
    /// # Errors
    /// The field that is wrong after it.
    pub fn changed(&self, change: impl FnOnce(&mut Self)) -> Result<Self> {
        let mut hardware = self.clone();
        change(&mut hardware);
        hardware.check().map_err(|fault| fault.at(&self.name))?;
        Ok(hardware)
    }

    /// The table of operation energies.
    pub fn table(&self) -> EnergyTable {
        table::bundled(&self.energy_table).expect("checked when parsed")
    }

    /// Units that take products, with their numbers.
    pub fn product_units(&self) -> impl Iterator<Item = (usize, &dyn Datapath)> {
        let units = self.units.iter().map(Unit::datapath).enumerate();
        units.filter(|(_, unit)| unit.takes().is_some())
    }

    /// What a mapper must know of unit number `unit`.
    pub fn unit(&self, unit: usize) -> &dyn Datapath {
        self.units[unit].datapath()
    }

    /// Units for everything beside the products.
    pub(crate) fn vectors(&self) -> impl Iterator<Item = &Vector> {
        self.units.iter().filter_map(|unit| match unit {
            Unit::Vector(vector) => Some(vector),
            _ => None,
        })
    }

    /// The vector unit that does `work`: the first one of those that do.
    pub(crate) fn vector_of(&self, work: Work) -> Option<&Vector> {
        self.vectors().find(|unit| unit.does(work))
    }

    /// Number of the unit that does `work` of a layer whose product unit number `product` takes: a vector unit, or that one
    /// where it does everything.
    pub(crate) fn unit_of(&self, product: usize, work: Work) -> usize {
        if self.unit(product).does(work) {
            return product;
        }
        let does = |unit: &Unit| matches!(unit, Unit::Vector(vector) if vector.does(work));
        self.units.iter().position(does).unwrap_or(product)
    }

    /// Most images that units work on side by side.
    pub fn images_in_flight(&self) -> usize {
        self.images_in_flight.as_ref().map_or(1, |images| images.value as usize)
    }

    /// Units that take products side by side, of one image each.
    pub(crate) fn products_in_flight(&self) -> usize {
        self.images_in_flight().min(self.product_units().count())
    }

    /// How its units are charged: all of them in one way.
    pub(crate) fn charged(&self) -> Charged {
        self.product_units().next().map_or(Charged::Operations, |(_, unit)| unit.charged())
    }

    /// True if energies of its unit cover memories, clock and control.
    pub(crate) fn is_whole_chip(&self) -> bool {
        self.charged() != Charged::Operations
    }

    /// Energy, leakage and area of a memory; zeros where the processor covers them.
    pub fn memory_macro(&self, memory: &MemorySpec) -> Sram {
        match memory.macro_model {
            MemoryMacro::Cacti(cell) => self.cacti(memory, cell).expect("checked when parsed"),
            MemoryMacro::BlockRam => {
                block_memory(memory, self.technology_nm.value).expect("checked when parsed")
            }
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
        self.check_units()?;
        self.memories.iter().try_for_each(|memory| self.check_memory(memory))?;
        let mut names = HashSet::new();
        if let Some(memory) = self.memories.iter().find(|memory| !names.insert(&memory.name)) {
            return Err(Fault::new("memories", format!("{} twice: budgets name memories", memory.name)));
        }
        self.check_levels()?;
        if let Some(fpga) = &self.fpga {
            if self.logic_leakage_w_per_mm2.is_some() {
                return Err(Fault::new("logic_leakage_w_per_mm2", "fpga.static_w is what the part draws"));
            }
            fpga.check(&self.units, &self.memories)?;
        }
        self.dram.as_ref().map_or(Ok(()), DramSpec::check)
    }

    /// Units one by one, and together: something takes products, and something does the rest.
    fn check_units(&self) -> Result<(), Fault> {
        for unit in &self.units {
            let unit = unit.datapath();
            let within =
                |fault: Fault| Fault::new(format!("units: {}: {}", unit.name(), fault.field), fault.message);
            unit.check().map_err(within)?;
            if self.units.iter().filter(|other| other.datapath().name() == unit.name()).count() > 1 {
                return Err(Fault::new("units", format!("two of them are called {}", unit.name())));
            }
            if unit.needs_all_timesteps() && self.placements.contains(&Placement::Outermost) {
                let message = format!("{} needs all timesteps: Innermost", unit.name());
                return Err(Fault::new("placements", message));
            }
        }
        let takes_products = self.product_units().count();
        let whole = self.units.iter().filter(|unit| unit.datapath().charged() != Charged::Operations).count();
        if let Some(images) = &self.images_in_flight {
            let units = u32::try_from(self.units.len()).unwrap_or(u32::MAX);
            integer("images_in_flight", u64::from(images.value), &images.source, 1, u64::from(units))
                .map_err(|fault| Fault::new(fault.field, format!("{}: the units", fault.message)))?;
        }
        match (takes_products, whole) {
            (0, _) => Err(Fault::new(
                "units",
                "none takes products: SpikeLanes, Systolic, EventCores, Processor or ManyCore",
            )),
            (_, 0) => Ok(()),
            _ if self.units.len() > 1 => {
                Err(Fault::new("units", "a Processor or a ManyCore does everything, and stands alone"))
            }
            _ => Ok(()),
        }
    }

    /// Arrays have a clock tree, and processors and cores are charged with theirs.
    fn check_control(&self) -> Result<(), Fault> {
        let array = !self.is_whole_chip();
        let wrong = |message: &'static str| Err(Fault::new("control", message));
        match &self.control {
            Some(control) if array => control.check(),
            Some(_) => wrong("the energies of the unit cover it"),
            None if array => wrong(
                "missing: what share clock, control and network have, as (energy_share: (value: 0.3, source: \
                 ..), area_share: (value: 0.1, source: ..))",
            ),
            None => Ok(()),
        }
    }

    fn check_memory(&self, memory: &MemorySpec) -> Result<(), Fault> {
        let field = |name: &str| format!("memories: {}: {name}", memory.name);
        if memory.holds.is_empty() {
            return Err(Fault::new(field("holds"), "empty: nothing is ever written there"));
        }
        let mut holds = memory.holds.iter().enumerate();
        if let Some((_, twice)) = holds.find(|(i, operand)| memory.holds[..*i].contains(operand)) {
            return Err(Fault::new(field("holds"), format!("{twice:?} stands there twice")));
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
        let (bytes, word_bits) = (memory.capacity_bytes.value, u64::from(memory.word_bits.value));
        if bytes * 8 < word_bits {
            let message = format!(
                "{bytes} do not hold one word of {word_bits} bits, and {} would",
                word_bits.div_ceil(8)
            );
            return Err(Fault::new(field("capacity_bytes"), message));
        }
        positive(&field("bandwidth_bits_per_cycle"), &memory.bandwidth_bits_per_cycle, 1 << 24)?;
        memory.check_conflicts().map_err(|m| Fault::new(field("conflicts"), m))?;
        let wrong = |message: &'static str| Err(Fault::new(field("macro_model"), message));
        match (memory.macro_model, self.is_whole_chip()) {
            (MemoryMacro::Cacti(_), _) if self.fpga.is_some() => wrong("memories of an fpga are BlockRam"),
            (MemoryMacro::BlockRam, _) if self.fpga.is_none() => wrong("there is no fpga"),
            (MemoryMacro::Cacti(cell), _) => {
                memory.check_ports().map_err(|m| Fault::new(field("bandwidth_bits_per_cycle"), m))?;
                self.cacti(memory, cell).map(|_| ()).map_err(|m| Fault::new(field("macro_model"), m))
            }
            (MemoryMacro::BlockRam, _) => {
                memory.check_ports().map_err(|m| Fault::new(field("bandwidth_bits_per_cycle"), m))?;
                block_memory(memory, self.technology_nm.value)
                    .map(|_| ())
                    .map_err(|m| Fault::new("technology_nm", m))
            }
            (MemoryMacro::IncludedInProcessor, true) => Ok(()),
            (MemoryMacro::IncludedInProcessor, false) => wrong("there is no processor"),
        }
    }
}
