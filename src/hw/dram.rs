//! Off-chip parts: energy per bit with its interface, standby power, and rate of whole devices.
//!
//! `hw_configs/memory/dram.csv` (built in) holds the figures of each standard and says where each is from and what
//! it includes.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::sourced::{Sourced, integer, positive};
use crate::error::Fault;

/// One device of an off-chip memory. A bus consists of whole ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DramPart {
    /// Standard and megabits per second of a pin, such as `LPDDR4-3200`.
    pub name: String,
    /// `I` where energies were inferred from currents of data sheets, `S` where totals are quoted.
    pub kind: String,
    /// Data pins of a device.
    pub device_width_bits: u32,
    /// Peak rate of a pin.
    pub gbit_per_s_per_pin: f64,
    /// Reading a column and moving it through the device, over standby.
    pub core_read_pj_per_bit: f64,
    /// Writing, over standby.
    pub core_write_pj_per_bit: f64,
    /// Opening and closing one row.
    pub row_nj: f64,
    /// Bytes of a row.
    pub page_bytes: u32,
    /// Output drivers and termination of reads.
    pub io_read_pj_per_bit: f64,
    /// Drivers and termination of writes.
    pub io_write_pj_per_bit: f64,
    /// The interface on the accelerator's side.
    pub phy_pj_per_bit: f64,
    /// Power of a device that is awake, with rows open.
    pub standby_mw: f64,
    /// Power of a device that waits in power-down.
    pub power_down_mw: f64,
    /// True if the energies of transfers hold the standby power meanwhile.
    pub standby_in_transfers: bool,
}

impl DramPart {
    /// Energy of a bit that is read, where whole rows are.
    pub fn read_pj_per_bit(&self) -> f64 {
        self.core_read_pj_per_bit + self.row_pj_per_bit() + self.io_read_pj_per_bit + self.phy_pj_per_bit
    }

    /// Energy of a bit that is written, where whole rows are.
    pub fn write_pj_per_bit(&self) -> f64 {
        self.core_write_pj_per_bit + self.row_pj_per_bit() + self.io_write_pj_per_bit + self.phy_pj_per_bit
    }

    fn row_pj_per_bit(&self) -> f64 {
        self.row_nj * 1e3 / f64::from(8 * self.page_bytes)
    }

    /// Devices that make up a bus; `None` where no whole number of them does.
    pub fn devices(&self, bus_width_bits: u32) -> Option<u32> {
        let whole = bus_width_bits > 0 && bus_width_bits.is_multiple_of(self.device_width_bits);
        whole.then(|| bus_width_bits / self.device_width_bits)
    }
}

/// Names under which descriptions of version 0.1 knew parts without their interface.
const FORMER_PARTS: [(&str, &str); 7] = [
    ("LPDDR4_8Gb_x16_2400", "LPDDR4-3200"),
    ("LPDDR3_8Gb_x32_1600", "LPDDR3-1600"),
    ("DDR4_8Gb_x16_3200", "DDR4-3200"),
    ("DDR4_8Gb_x8_2400", "DDR4-3200"),
    ("DDR3_4Gb_x8_1600", "DDR3L-1600"),
    ("HBM2_8Gb_x128", "HBM2-2000"),
    ("GDDR6_8Gb_x16", "GDDR6-14000"),
];

/// Widest bus: 16 stacks of HBM.
const MAX_BUS_WIDTH_BITS: u32 = 16_384;

/// Off-chip memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DramSpec {
    /// Name of a DRAM part.
    pub part: String,
    /// Width of the bus, which consists of whole devices.
    pub bus_width_bits: Sourced<u32>,
    /// What it does when nothing is transferred.
    pub idle: DramIdle,
    /// How the chip reaches it, where that is slower than the bus.
    #[serde(default)]
    pub port: Option<DramPort>,
}

/// A port through which a chip reaches its off-chip memory in bursts, one outstanding at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DramPort {
    /// Bits that it moves in a cycle of the chip.
    pub bits_per_cycle: Sourced<u32>,
    /// Cycles of a burst that move something.
    pub burst_cycles: Sourced<u32>,
    /// Cycles from one burst to the next.
    pub wait_cycles: Sourced<u32>,
}

impl DramPort {
    /// Bits per cycle of the chip, waits included.
    pub(crate) fn mean_bits_per_cycle(&self) -> f64 {
        let [bits, burst, wait] =
            [&self.bits_per_cycle, &self.burst_cycles, &self.wait_cycles].map(|n| f64::from(n.value));
        bits * burst / (burst + wait)
    }

    fn check(&self) -> Result<(), Fault> {
        positive("dram.port.bits_per_cycle", &self.bits_per_cycle, MAX_BUS_WIDTH_BITS)?;
        positive("dram.port.burst_cycles", &self.burst_cycles, 1 << 20)?;
        let Sourced { value, source } = &self.wait_cycles;
        integer("dram.port.wait_cycles", u64::from(*value), source, 0, 1 << 20)
    }
}

/// What a DRAM does when nothing is transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DramIdle {
    /// Devices wait in power-down. The time and the energy to wake them are not counted.
    PowerDown,
    /// Devices stay awake, with rows open.
    Awake,
}

impl DramSpec {
    /// The part.
    ///
    /// # Panics
    /// If there is none of that name, which is refused when a description is parsed.
    pub fn part(&self) -> DramPart {
        dram_part(&self.part).expect("checked when parsed")
    }

    /// Refuses what is no part, and a bus of broken devices.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let Some(part) = dram_part(&self.part) else {
            if let Some((_, now)) = FORMER_PARTS.iter().find(|(former, _)| *former == self.part) {
                let message = format!(
                    "{} is no part any more: parts include their interface now, and this one is {now}",
                    self.part
                );
                return Err(Fault::new("dram.part", message));
            }
            let known: Vec<_> = dram_parts().into_iter().map(|p| p.name).collect();
            return Err(Fault::new("dram.part", format!("{} is not one of {}", self.part, known.join(", "))));
        };
        positive("dram.bus_width_bits", &self.bus_width_bits, MAX_BUS_WIDTH_BITS)?;
        self.port.as_ref().map_or(Ok(()), DramPort::check)?;
        let (bits, width) = (self.bus_width_bits.value, part.device_width_bits);
        match part.devices(bits) {
            Some(_) => Ok(()),
            None => {
                let message =
                    format!("{bits} is no whole number of devices: {} has {width} data pins", part.name);
                Err(Fault::new("dram.bus_width_bits", message))
            }
        }
    }
}

const PARTS: &str = include_str!("../../hw_configs/memory/dram.csv");

static BUILT_IN: LazyLock<Vec<DramPart>> = LazyLock::new(|| {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(PARTS.as_bytes());
    let rows: Result<Vec<DramPart>, _> = reader.deserialize().collect();
    rows.expect("the built-in parts parse")
});

/// The built-in part called `name`, in capital or small letters; `None` where there is none.
pub fn dram_part(name: &str) -> Option<DramPart> {
    BUILT_IN.iter().find(|part| part.name.eq_ignore_ascii_case(name)).cloned()
}

/// All built-in parts.
pub fn dram_parts() -> Vec<DramPart> {
    BUILT_IN.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lpddr4_by_hand() {
        let part = dram_part("lpddr4-3200").unwrap();
        // 1.2 nJ for 2,048 bytes are 0.073242 pJ per bit.
        assert!((part.read_pj_per_bit() - (5.3 + 0.073_242_187_5 + 3.2 + 1.0)).abs() < 1e-12);
        assert!((part.write_pj_per_bit() - (3.9 + 0.073_242_187_5 + 1.2 + 1.0)).abs() < 1e-12);
        assert_eq!([7, 16, 24, 32, 0].map(|bits| part.devices(bits)), [None, Some(1), None, Some(2), None]);
    }

    /// What published totals say: a GDDR6 bit takes more than an LPDDR5 bit, and its standby ten times as much.
    #[test]
    fn parts_rank_as_published() {
        let read = |name| dram_part(name).unwrap().read_pj_per_bit();
        let order = [
            "HBM2-2000",
            "LPDDR5-6400",
            "LPDDR4X-4266",
            "DDR5-5600",
            "GDDR6-14000",
            "LPDDR4-3200",
            "LPDDR3-1600",
            "DDR4-3200",
            "GDDR5-6000",
            "DDR3L-1600",
        ];
        assert!(order.map(read).is_sorted(), "{:?}", order.map(read));
        let standby = |name| dram_part(name).unwrap().standby_mw;
        assert!(standby("GDDR6-14000") > 10.0 * standby("LPDDR5-6400"));
    }

    #[test]
    fn every_part_makes_sense() {
        for part in dram_parts() {
            assert_eq!(dram_part(&part.name), Some(part.clone()));
            assert!(part.write_pj_per_bit() > 0.0 && part.read_pj_per_bit() < 25.0, "{}", part.name);
            assert!(part.power_down_mw > 0.0 && part.power_down_mw <= part.standby_mw, "{}", part.name);
            assert!(["I", "S"].contains(&part.kind.as_str()) && part.device_width_bits.is_power_of_two());
        }
        assert_eq!(dram_part("LPDDR9"), None);
    }
}
