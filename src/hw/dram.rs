//! Off-chip DRAM parts: energy per bit, background power and peak rate, from DRAMsim3 runs.
//!
//! The parts (`hw_configs/memory/dramsim3.csv`, built in) are our DRAMsim3 runs of sequential and
//! of random requests. They hold the energy of the DRAM core; the interface (I/O, termination, the
//! controller on the accelerator's side) comes on top.
//!
//! DRAMsim3 adds up volts x milliamperes x clock cycles, so a count of its energy counters is one
//! picojoule only at a clock of 1 ns (its issue 18 and pull request 49). The file keeps the counts
//! as they were printed; they become picojoules here, times the clock period.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// One DRAM part on its full bus.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DramPart {
    /// Generation, density, device width and rate, such as `LPDDR4_8Gb_x16_2400`.
    pub name: String,
    /// Activate, read and write energy of sequential requests, in pJ per bit moved.
    pub sequential_pj_per_bit: f64,
    /// The same for random requests, where most open a row of their own.
    pub random_pj_per_bit: f64,
    /// Refresh and standby power of all devices on the full bus, in W, whether or not data moves.
    /// For a narrower bus the caller scales it by the fraction of
    /// [`devices_bus_width_bits`](Self::devices_bus_width_bits).
    pub background_w: f64,
    /// Peak rate of the full bus, in bit/s.
    pub peak_bits_per_s: f64,
    /// Data width of the full bus that the devices fill together, in bits.
    pub devices_bus_width_bits: u32,
}

const PARTS: &str = include_str!("../../hw_configs/memory/dramsim3.csv");

#[derive(Deserialize)]
struct Row {
    name: String,
    bus_width_bits: u32,
    clock_ns: f64,
    cycles: f64,
    sequential_counts_per_bit: f64,
    random_counts_per_bit: f64,
    refresh_counts: f64,
    active_standby_counts: f64,
    precharge_standby_counts: f64,
    peak_gbytes_per_s: f64,
}

impl From<Row> for DramPart {
    fn from(row: Row) -> Self {
        let background_counts = row.refresh_counts + row.active_standby_counts + row.precharge_standby_counts;
        Self {
            name: row.name,
            sequential_pj_per_bit: row.sequential_counts_per_bit * row.clock_ns,
            random_pj_per_bit: row.random_counts_per_bit * row.clock_ns,
            // A count per cycle is a milliwatt at any clock.
            background_w: background_counts / row.cycles * 1e-3,
            peak_bits_per_s: row.peak_gbytes_per_s * 8e9,
            devices_bus_width_bits: row.bus_width_bits,
        }
    }
}

static BUILT_IN: LazyLock<Vec<DramPart>> = LazyLock::new(|| {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(PARTS.as_bytes());
    let rows: Result<Vec<Row>, _> = reader.deserialize().collect();
    rows.expect("the built-in DRAM parts parse").into_iter().map(DramPart::from).collect()
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
    fn lpddr4_has_the_figures_of_its_run() {
        let part = dram_part("lpddr4_8gb_x16_2400").unwrap();
        assert_eq!(part.name, "LPDDR4_8Gb_x16_2400");
        assert_eq!(part.sequential_pj_per_bit, 7.35219234375 * 0.83);
        assert_eq!(part.random_pj_per_bit, 15.44546109375 * 0.83);
        // (20,166,988.8 + 68,744,606.4 + 15,549,859.2) mW cycles in 200,000 cycles.
        let background_w = 104_461_454.4 / 200_000.0 * 1e-3;
        assert!((part.background_w - background_w).abs() < 1e-12, "{}", part.background_w);
        // 64 bits, twice per 0.83 ns.
        assert!((part.peak_bits_per_s / (128.0 / 0.83e-9) - 1.0).abs() < 1e-12);
        assert_eq!(part.devices_bus_width_bits, 64);
    }

    #[test]
    fn every_part_makes_sense() {
        let parts = dram_parts();
        assert_eq!(parts.len(), 7);
        for part in &parts {
            assert_eq!(dram_part(&part.name).as_ref(), Some(part));
            assert!(part.sequential_pj_per_bit > 0.0, "{}", part.name);
            assert!(part.random_pj_per_bit > part.sequential_pj_per_bit, "{}", part.name);
            assert!(part.background_w > 0.01 && part.background_w < 2.0, "{}", part.name);
            assert!(part.peak_bits_per_s > 1e10, "{}", part.name);
        }
        assert_eq!(dram_part("HBM2_8Gb_x128").unwrap().devices_bus_width_bits, 128);
        assert_eq!(dram_part("LPDDR9"), None);
    }
}
