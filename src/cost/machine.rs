use super::area::area_mm2;
use super::{AreaMm2, Traffic};
use crate::error::Result;
use crate::hw::sram::Sram;
use crate::hw::table::EnergyTable;
use crate::hw::{DramIdle, Hardware, Objective, Operand};

/// A hardware description with everything that its names stand for, looked up once.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The description.
    pub hardware: Hardware,
    /// Operation energies.
    pub table: EnergyTable,
    /// Per operand of [`Operand::ALL`], the memory that holds it.
    pub memories: [Sram; 5],
    /// Off-chip memory.
    pub dram: Option<Dram>,
    /// Leakage of memories and logic.
    pub leakage_w: f64,
    /// Area of memories and logic; `None` where the description does not give it.
    pub area_mm2: Option<AreaMm2>,
}

/// Off-chip memory as this machine uses it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dram {
    /// Energy of a transfer.
    pub pj_per_bit: f64,
    /// Power while awake.
    pub background_w: f64,
    /// True if it stays awake between transfers.
    pub always_awake: bool,
    /// Peak bandwidth.
    pub bits_per_cycle: f64,
}

impl Machine {
    /// Looks up table, memories and parts.
    pub fn new(hardware: Hardware) -> Result<Self> {
        let table = hardware.table();
        let memories = Operand::ALL.map(|operand| hardware.memory_macro(hardware.memory(operand)));
        let dram = hardware.dram_part().map(|(part, share)| Dram {
            pj_per_bit: part.sequential_pj_per_bit,
            background_w: part.background_w * share,
            always_awake: hardware.dram.as_ref().is_some_and(|d| d.idle == DramIdle::Awake),
            bits_per_cycle: part.peak_bits_per_s * share / hardware.clock_hz.value,
        });
        let area = area_mm2(&hardware, &table);
        let memory_leakage_w: f64 =
            hardware.memories.iter().map(|m| hardware.memory_macro(m).leakage_w).sum();
        let logic_leakage_w = match (&hardware.logic_leakage_w_per_mm2, &area) {
            (Some(density), Some(area)) => density.value * area.logic(),
            _ => 0.0,
        };
        let leakage_w = memory_leakage_w + logic_leakage_w;
        Ok(Self { table, memories, dram, leakage_w, area_mm2: area, hardware })
    }

    /// The memory that holds `operand`.
    pub fn memory(&self, operand: Operand) -> &Sram {
        &self.memories[operand as usize]
    }

    /// How many bits of whole words are moved for one that is used, where an access takes `run` of `size`
    /// elements of `bits` that lie side by side, each access from the start of a word.
    pub fn padding(&self, operand: Operand, size: f64, run: f64, bits: f64) -> f64 {
        let word = f64::from(self.hardware.memory(operand).word_bits.value);
        let whole = |elements: f64| (elements * bits / word).ceil() * word;
        let run = run.min(size);
        let runs = (size / run).floor();
        (runs * whole(run) + whole(size - runs * run)) / (size * bits)
    }

    /// Energy of `traffic` in the memory that holds `operand`.
    pub fn on_chip_j(&self, operand: Operand, traffic: &Traffic) -> f64 {
        let memory = self.memory(operand);
        let read_pj = traffic.read_bits * memory.read_pj_per_bit;
        (read_pj + traffic.written_bits * memory.write_pj_per_bit) * 1e-12
    }

    /// Energy of `bits` from and to off-chip memory, and of its background power during `cycles`.
    pub fn dram_j(&self, bits: f64, cycles: f64) -> f64 {
        self.dram.map_or(0.0, |dram| {
            let awake = if dram.always_awake { cycles } else { bits / dram.bits_per_cycle };
            bits * dram.pj_per_bit * 1e-12 + self.seconds(awake) * dram.background_w
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
