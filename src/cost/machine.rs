use super::area::area_mm2;
use super::{AreaMm2, EnergyJ, Traffic};
use crate::error::{Error, Result};
use crate::hw::Sram;
use crate::hw::table::EnergyTable;
use crate::hw::{
    Charged, DramIdle, DramSpec, Energies, EventTable, Hardware, MemoryMacro, MemorySpec, Objective, Operand,
    PerOperand,
};
use crate::map::Product;

/// A hardware description with everything that its names stand for, looked up once.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The description.
    pub hardware: Hardware,
    /// Operation energies.
    pub table: EnergyTable,
    /// Energies of whole events, charged in the place of operations and memories.
    pub events: Option<EventTable>,
    /// Described memories, in their order.
    pub memories: Vec<Sram>,
    /// Per operand, the number of the memory that feeds units with it.
    pub inner: PerOperand<usize>,
    /// Per operand, numbers of the memories behind that one, from units outward.
    pub behind: PerOperand<Vec<usize>>,
    /// Off-chip memory.
    pub dram: Option<Dram>,
    /// Leakage of memories and logic.
    pub leakage_w: f64,
    /// Area of memories and logic; `None` where the description does not give it.
    pub area_mm2: Option<AreaMm2>,
}

/// Memories, each with the crossbar between its banks and what reads them: a bit passes log2 of their number of
/// selections.
fn memories(hardware: &Hardware, table: &EnergyTable) -> Vec<Sram> {
    let with_crossbar = |memory: &MemorySpec| {
        let mut sram = hardware.memory_macro(memory);
        if memory.macro_model != MemoryMacro::IncludedInProcessor {
            let selections_pj = f64::from(memory.banks()).log2() * table.select_pj(1.0);
            sram.read_pj_per_bit += selections_pj;
            sram.write_pj_per_bit += selections_pj;
        }
        sram
    };
    hardware.memories.iter().map(with_crossbar).collect()
}

/// Energy of `traffic` in `sram`.
pub fn traffic_j(sram: &Sram, traffic: &Traffic) -> f64 {
    let read_pj = traffic.read_bits * sram.read_pj_per_bit;
    (read_pj + traffic.written_bits * sram.write_pj_per_bit) * 1e-12
}

/// Off-chip memory as this machine uses it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dram {
    /// Energy of a bit that is read, interface included.
    pub read_pj_per_bit: f64,
    /// Energy of a bit that is written.
    pub write_pj_per_bit: f64,
    /// Standby power of all devices while they transfer, beside the energies of transfers.
    pub transfer_w: f64,
    /// Power of all devices while nothing is transferred.
    pub idle_w: f64,
    /// Peak bandwidth.
    pub bits_per_cycle: f64,
}

impl Dram {
    fn new(spec: &DramSpec, clock_hz: f64) -> Self {
        let part = spec.part();
        let bus_bits = spec.bus_width_bits.value;
        let devices = f64::from(part.devices(bus_bits).expect("checked when parsed"));
        let idle_mw = match spec.idle {
            DramIdle::Awake => part.standby_mw,
            DramIdle::PowerDown => part.power_down_mw,
        };
        let transfer_mw = if part.standby_in_transfers { 0.0 } else { part.standby_mw };
        let bus = f64::from(bus_bits) * part.gbit_per_s_per_pin * 1e9 / clock_hz;
        Self {
            read_pj_per_bit: part.read_pj_per_bit(),
            write_pj_per_bit: part.write_pj_per_bit(),
            transfer_w: devices * transfer_mw * 1e-3,
            idle_w: devices * idle_mw * 1e-3,
            bits_per_cycle: spec.port.as_ref().map_or(bus, |port| port.mean_bits_per_cycle().min(bus)),
        }
    }
}

impl Machine {
    /// Looks up table, memories and parts.
    pub fn new(hardware: Hardware) -> Result<Self> {
        let table = hardware.table();
        let memories = memories(&hardware, &table);
        let inner = PerOperand::from_fn(|operand| hardware.innermost(operand));
        let behind = PerOperand::from_fn(|operand| hardware.levels(operand).skip(1).collect());
        let dram = hardware.dram.as_ref().map(|spec| Dram::new(spec, hardware.clock_hz.value));
        let area = area_mm2(&hardware, &table);
        let memory_leakage_w: f64 =
            hardware.memories.iter().map(|m| hardware.memory_macro(m).leakage_w).sum();
        let logic_leakage_w = match (&hardware.logic_leakage_w_per_mm2, &area) {
            (Some(density), Some(area)) => density.value * area.logic(),
            _ => 0.0,
        };
        let events = hardware.product_units().find_map(|(_, unit)| unit.events().transpose()).transpose()?;
        let part_w = hardware.fpga.as_ref().map_or(0.0, |fpga| fpga.static_w.value);
        // Energies of whole events leave nothing to leak.
        let leakage_w = if events.is_some() { 0.0 } else { memory_leakage_w + logic_leakage_w + part_w };
        Ok(Self { table, events, memories, inner, behind, dram, leakage_w, area_mm2: area, hardware })
    }

    /// This machine charged by `energies` instead; its area stays, and its leakage where the energies are of
    /// operations at a node.
    ///
    /// # Errors
    /// If operations are not what the machine is charged by.
    pub fn charged_by(&self, energies: Energies) -> Result<Self> {
        let mut machine = self.clone();
        match energies {
            Energies::Units(table) => {
                let charged = match self.hardware.charged() {
                    Charged::Cycles => Some("per cycle"),
                    Charged::Events => Some("by whole events"),
                    Charged::Operations => None,
                };
                if let Some(charged) = charged {
                    let (table, hardware) = (table.name(), &self.hardware.name);
                    let message = format!("table {table}: hardware {hardware} is charged {charged}");
                    return Err(Error::mismatch(message));
                }
                machine.memories = memories(&self.hardware, &table);
                machine.use_memories_of(&table);
                machine.table = *table;
            }
            Energies::Events(table) => {
                machine.leakage_w = 0.0;
                machine.events = Some(*table);
            }
        }
        Ok(machine)
    }

    /// A machine that `hardware` describes, charged by the same energies.
    ///
    /// # Errors
    /// Those of [`Machine::new`].
    pub(crate) fn with_hardware(&self, hardware: Hardware) -> Result<Self> {
        let machine = Self::new(hardware)?;
        match &self.events {
            Some(events) => machine.charged_by(Energies::Events(Box::new(events.clone()))),
            None if machine.table != self.table => {
                machine.charged_by(Energies::Units(Box::new(self.table.clone())))
            }
            None => Ok(machine),
        }
    }

    /// Relative figures of memories replace all that is known of them.
    fn use_memories_of(&mut self, table: &EnergyTable) {
        let Some(figures) = table.memory() else { return };
        for memory in &mut self.memories {
            memory.read_pj_per_bit = figures.on_chip_pj_per_bit.value;
            memory.write_pj_per_bit = figures.on_chip_pj_per_bit.value;
        }
        if let Some(dram) = &mut self.dram {
            let pj_per_bit = figures.off_chip_pj_per_bit.value;
            let (bits_per_cycle, none) = (dram.bits_per_cycle, 0.0);
            *dram = Dram {
                read_pj_per_bit: pj_per_bit,
                write_pj_per_bit: pj_per_bit,
                transfer_w: none,
                idle_w: none,
                bits_per_cycle,
            };
        }
        self.leakage_w = 0.0;
    }

    /// Name of the table that energies come from.
    pub fn table_name(&self) -> &str {
        match (&self.events, self.hardware.charged()) {
            (Some(events), _) => &events.name,
            (None, Charged::Cycles) => "energy per cycle",
            (None, _) => self.table.name(),
        }
    }

    /// The memory that feeds units with `operand`.
    pub fn memory(&self, operand: Operand) -> &Sram {
        &self.memories[self.inner[operand]]
    }

    /// Cycles from one access of a bank of memory number `memory` to the next.
    pub(crate) fn access_cycles(&self, memory: usize) -> f64 {
        let cycle_ns = self.memories[memory].cycle_ns;
        // A memory that closes exactly waits for nothing, whatever the last digit of a product says.
        let cycles = cycle_ns * 1e-9 * self.hardware.clock_hz.value - 1e-9;
        if cycles <= 1.0 { 1.0 } else { cycles.ceil() }
    }

    /// What memory number `memory` moves: all its ports, once per access.
    pub fn bandwidth_bits_per_cycle(&self, memory: usize) -> f64 {
        let bits_per_access = self.hardware.memories[memory].bandwidth_bits_per_cycle.value;
        f64::from(bits_per_access) / self.access_cycles(memory)
    }

    /// How many bits of whole words are moved for one that is used, where an access takes `run` of `size`
    /// elements of `bits` that lie side by side, each access from the start of a word.
    pub fn padding(&self, operand: Operand, size: f64, run: f64, bits: f64) -> f64 {
        let word = f64::from(self.hardware.memories[self.inner[operand]].word_bits.value);
        let whole = |elements: f64| (elements * bits / word).ceil() * word;
        let run = run.min(size);
        let runs = (size / run).floor();
        (runs * whole(run) + whole(size - runs * run)) / (size * bits)
    }

    /// [`Self::padding`] of the weights of `product`: for a bit of a code, with its part of the exponents, which lie in words
    /// of their own and are read once for the weights of a block.
    pub(crate) fn weight_padding(&self, product: &Product, size: f64, run: f64) -> f64 {
        let of_codes = self.padding(Operand::Weights, size, run, product.code_bits());
        product.weight.block.map_or(of_codes, |block| {
            let bits = f64::from(block.exponent_bits());
            let moved = bits * self.padding(Operand::Weights, size, run, bits) / block.inputs as f64;
            of_codes + moved / product.code_bits()
        })
    }

    /// Energy of `traffic` in the memory that feeds units with `operand`.
    pub(crate) fn on_chip_j(&self, operand: Operand, traffic: &Traffic) -> f64 {
        traffic_j(self.memory(operand), traffic)
    }

    /// `on_chip` with clock, control and network, and with `off_chip` traffic during `cycles`.
    pub(crate) fn whole_chip_j(&self, on_chip: EnergyJ, off_chip: &Traffic, cycles: f64) -> EnergyJ {
        let share = self.hardware.control.as_ref().map_or(0.0, |control| control.energy_share.value);
        let control = on_chip.total() * share / (1.0 - share);
        EnergyJ { control, dram: self.dram_j(off_chip, cycles), ..on_chip }
    }

    /// Energy of `traffic` from and to off-chip memory, and of what its devices draw beside it during `cycles`.
    pub(crate) fn dram_j(&self, traffic: &Traffic, cycles: f64) -> f64 {
        self.dram.map_or(0.0, |dram| {
            let moved_pj =
                traffic.read_bits * dram.read_pj_per_bit + traffic.written_bits * dram.write_pj_per_bit;
            let busy = traffic.bits() / dram.bits_per_cycle;
            let standby_j = self.seconds(busy) * dram.transfer_w + self.seconds(cycles - busy) * dram.idle_w;
            moved_pj * 1e-12 + standby_j
        })
    }

    /// What its objective makes of `cycles` and their dynamic energy: less is better.
    pub fn score(&self, cycles: f64, dynamic_j: f64) -> f64 {
        let seconds = self.seconds(cycles);
        let energy_j = dynamic_j + self.leakage_w * seconds;
        match self.hardware.objective {
            Objective::Energy => energy_j,
            Objective::Latency => seconds,
            Objective::EnergyDelay => energy_j * seconds,
        }
    }

    /// Seconds of `cycles`.
    pub fn seconds(&self, cycles: f64) -> f64 {
        cycles / self.hardware.clock_hz.value
    }
}
