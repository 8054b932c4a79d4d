//! On-chip SRAM: energy, leakage, area and cycle time, interpolated between CACTI 7 points.
//!
//! The points (`hw_configs/memory/cacti7.csv`, built in) are our runs of CACTI 7: 1 KiB to 1 MiB,
//! words of 64 and 256 bits, 45, 32 and 22 nm, low-power and high-performance cells (these with
//! 64-bit words only). Between points every figure follows a power law: straight lines of its
//! logarithm over the logarithms of capacity, word width and node.
//!
//! Every figure is first raised to the running maximum over capacity, so that a larger SRAM never
//! reads, leaks, measures or cycles less than a smaller one.
//!
//! Several words per cycle take several banks: each is an SRAM of its own, and its words travel
//! over wires that CACTI, asked for one bank, has not seen.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::law::log_log;

/// The flavour of the SRAM cells and their periphery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SramCell {
    /// Low standby power, ITRS-LSTP: 1,000 to 10,000 times less leakage, slower.
    #[serde(alias = "itrs-lstp")]
    LowPower,
    /// High performance, ITRS-HP.
    #[serde(alias = "itrs-hp")]
    HighPerformance,
}

/// What one SRAM costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sram {
    /// Energy of a read, in pJ per bit of the word.
    pub read_pj_per_bit: f64,
    /// Energy of a write, in pJ per bit of the word.
    pub write_pj_per_bit: f64,
    /// Leakage of all banks, in W.
    pub leakage_w: f64,
    /// Area of all banks, in mm2.
    pub area_mm2: f64,
    /// Random cycle time of a bank, in ns.
    pub cycle_ns: f64,
}

/// The largest CACTI point: larger memories are banks of this.
const BANK_BYTES: u64 = 1 << 20;

/// The smallest CACTI point.
const SMALLEST_BYTES: u64 = 1 << 10;

/// Energy of a random bit on a wire: S. W. Keckler et al., "GPUs and the Future of Parallel
/// Computing", IEEE Micro 31(5), 2011, table 1: 256 bits over 10 mm take 310 pJ at 40 nm and 0.9 V.
/// Taken unscaled: the capacitance of a millimetre stays about the same from node to node.
const WIRE_PJ_PER_BIT_MM: f64 = 310.0 / 2560.0;

/// Way from a bank to the middle of one edge of the square that all banks take, in sides of that
/// square, along its edges: a quarter sideways and half the depth, on average.
const WIRE_SIDES: f64 = 0.75;

const POINTS: &str = include_str!("../../hw_configs/memory/cacti7.csv");

/// Read and write in pJ per bit, leakage in W, area in mm2, cycle in ns.
type Figures = [f64; 5];

/// Figures over one coordinate (capacity, word width or node), which ascends.
type Samples = Vec<(f64, Figures)>;

/// The capacities of one cell, node and word width.
struct Curve {
    cell: SramCell,
    technology_nm: f64,
    width_bits: f64,
    by_bytes: Samples,
}

#[derive(Deserialize)]
struct Row {
    size_bytes: u64,
    width_bits: u32,
    technology_nm: f64,
    cell: SramCell,
    read_pj: f64,
    write_pj: f64,
    leakage_mw: f64,
    area_mm2: f64,
    cycle_ns: f64,
}

impl Row {
    fn figures(&self) -> Figures {
        let bits = f64::from(self.width_bits);
        [self.read_pj / bits, self.write_pj / bits, self.leakage_mw * 1e-3, self.area_mm2, self.cycle_ns]
    }
}

static CURVES: LazyLock<Vec<Curve>> = LazyLock::new(|| {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(POINTS.as_bytes());
    let rows: Result<Vec<Row>, _> = reader.deserialize().collect();
    curves(&rows.expect("the built-in SRAM points parse"))
});

/// Groups rows, sorted by capacity within a group, and takes the running maximum over capacity.
fn curves(rows: &[Row]) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for row in rows {
        let width_bits = f64::from(row.width_bits);
        let same =
            |c: &Curve| (c.cell, c.technology_nm, c.width_bits) == (row.cell, row.technology_nm, width_bits);
        let index = curves.iter().position(same).unwrap_or_else(|| {
            let (cell, technology_nm) = (row.cell, row.technology_nm);
            curves.push(Curve { cell, technology_nm, width_bits, by_bytes: Vec::new() });
            curves.len() - 1
        });
        let by_bytes = &mut curves[index].by_bytes;
        let mut figures = row.figures();
        if let Some((_, smaller)) = by_bytes.last() {
            for (figure, floor) in figures.iter_mut().zip(smaller) {
                *figure = figure.max(*floor);
            }
        }
        by_bytes.push((row.size_bytes as f64, figures));
    }
    curves
}

/// What an SRAM of `capacity_bytes` in `banks` equal banks with words of `word_bits` costs at
/// `technology_nm`.
///
/// - An access touches one bank. All banks leak and take area, and between them and the edge of the
///   memory a bit costs its way on a wire.
/// - Banks above 1 MiB are made of as few equal banks of at most 1 MiB as hold them, and take no less than one
///   bank less, filled.
/// - A bank below 1 KiB is one of 1 KiB: what decodes, senses and drives does not shrink with the cells.
/// - Words narrower than 64 bits or wider than 256 (64 for high-performance cells) cost per bit
///   what the nearest width costs, and leak and measure what it does.
/// - A node between two with points, such as 28 nm, lies between them on the power law in nm.
///
/// # Errors
///
/// A message, where the capacity, the word or the number of banks is zero, there are more banks than
/// bytes, or the node is outside 22 to 45 nm.
pub fn sram(
    capacity_bytes: u64,
    banks: u32,
    word_bits: u32,
    technology_nm: f64,
    cell: SramCell,
) -> Result<Sram, String> {
    if capacity_bytes < u64::from(banks) || banks == 0 || word_bits == 0 {
        return Err(format!(
            "an SRAM of {capacity_bytes} bytes in {banks} banks with words of {word_bits} bits holds nothing"
        ));
    }
    let nodes = nodes_nm(cell);
    let (smallest, largest) = (nodes[0], nodes[nodes.len() - 1]);
    if !(smallest..=largest).contains(&technology_nm) {
        return Err(format!(
            "no SRAM figures at {technology_nm} nm: they reach from {smallest} to {largest} nm"
        ));
    }
    let bytes = capacity_bytes.div_ceil(u64::from(banks));
    let whole = bytes.div_ceil(BANK_BYTES);
    let of = |parts: u64, part_bytes: f64| {
        let by_node = nodes.iter().map(|&nm| (nm, at_node(cell, nm, part_bytes, f64::from(word_bits))));
        in_banks(u64::from(banks) * parts, at(technology_nm, &by_node.collect::<Samples>()))
    };
    let equal = of(whole, (bytes as f64 / whole as f64).max(SMALLEST_BYTES as f64));
    Ok(if whole == 1 { equal } else { equal.at_least(&of(whole - 1, BANK_BYTES as f64)) })
}

/// The figures of `banks` banks of `figures` each.
fn in_banks(banks: u64, [read_pj, write_pj, leakage_w, bank_mm2, cycle_ns]: Figures) -> Sram {
    let area_mm2 = bank_mm2 * banks as f64;
    let wire_pj = if banks == 1 { 0.0 } else { WIRE_PJ_PER_BIT_MM * WIRE_SIDES * area_mm2.sqrt() };
    Sram {
        read_pj_per_bit: read_pj + wire_pj,
        write_pj_per_bit: write_pj + wire_pj,
        leakage_w: leakage_w * banks as f64,
        area_mm2,
        cycle_ns,
    }
}

impl Sram {
    /// Figure by figure the larger one.
    fn at_least(&self, other: &Self) -> Self {
        Self {
            read_pj_per_bit: self.read_pj_per_bit.max(other.read_pj_per_bit),
            write_pj_per_bit: self.write_pj_per_bit.max(other.write_pj_per_bit),
            leakage_w: self.leakage_w.max(other.leakage_w),
            area_mm2: self.area_mm2.max(other.area_mm2),
            cycle_ns: self.cycle_ns.max(other.cycle_ns),
        }
    }
}

/// The nodes that have points, ascending.
fn nodes_nm(cell: SramCell) -> Vec<f64> {
    let mut nodes: Vec<f64> = CURVES.iter().filter(|c| c.cell == cell).map(|c| c.technology_nm).collect();
    nodes.sort_by(f64::total_cmp);
    nodes.dedup();
    nodes
}

fn at_node(cell: SramCell, technology_nm: f64, bank_bytes: f64, word_bits: f64) -> Figures {
    let mut by_width: Samples = CURVES
        .iter()
        .filter(|c| c.cell == cell && c.technology_nm == technology_nm)
        .map(|c| (c.width_bits, at(bank_bytes, &c.by_bytes)))
        .collect();
    by_width.sort_by(|a, b| a.0.total_cmp(&b.0));
    at(word_bits, &by_width)
}

/// Figures at `x`: the nearest sample outside the samples, power laws between them.
fn at(x: f64, samples: &[(f64, Figures)]) -> Figures {
    let after = samples.partition_point(|(sample_x, _)| *sample_x < x);
    let Some(&(x1, high)) = samples.get(after) else { return samples[samples.len() - 1].1 };
    if after == 0 || x == x1 {
        return high;
    }
    let (x0, low) = samples[after - 1];
    std::array::from_fn(|i| log_log(x, (x0, low[i]), (x1, high[i])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-12 * b.abs()
    }

    #[test]
    fn all_points_are_built_in() {
        assert_eq!(CURVES.len(), 9);
        assert_eq!(CURVES.iter().map(|c| c.by_bytes.len()).sum::<usize>(), 99);
        for curve in CURVES.iter() {
            assert!(curve.by_bytes.is_sorted_by(|a, b| a.0 < b.0));
        }
    }

    #[test]
    fn a_point_is_met_exactly() {
        let low = sram(1 << 10, 1, 64, 45.0, SramCell::LowPower).unwrap();
        let expected = Sram {
            read_pj_per_bit: 1.66966 / 64.0,
            write_pj_per_bit: 3.49161 / 64.0,
            leakage_w: 3.53876e-05 * 1e-3,
            area_mm2: 0.0035993,
            cycle_ns: 0.627464,
        };
        assert_eq!(low, expected);
        let wide = sram(1 << 20, 1, 256, 22.0, SramCell::LowPower).unwrap();
        assert_eq!(wide.read_pj_per_bit, 63.3346 / 256.0);
        let fast = sram(1 << 13, 1, 64, 45.0, SramCell::HighPerformance).unwrap();
        assert_eq!(fast.leakage_w, 3.44942 * 1e-3);
        assert_eq!(fast.area_mm2, 0.0253297);
    }

    #[test]
    fn halfway_in_the_logarithm_is_the_geometric_mean() {
        let between_widths = sram(1 << 10, 1, 128, 45.0, SramCell::LowPower).unwrap();
        let per_access_pj: f64 = 1.66966 * 9.12582;
        assert!(close(between_widths.read_pj_per_bit, per_access_pj.sqrt() / 128.0));
        let between_nodes = sram(1 << 10, 1, 64, (32.0_f64 * 45.0).sqrt(), SramCell::LowPower).unwrap();
        assert!(close(between_nodes.write_pj_per_bit, (1.895_f64 * 3.49161).sqrt() / 64.0));
        // 1448 = 1024 sqrt(2) to four digits.
        let between_capacities = sram(1448, 1, 64, 45.0, SramCell::LowPower).unwrap();
        let expected = (1.66966_f64 * 2.75566).sqrt() / 64.0;
        assert!((between_capacities.read_pj_per_bit / expected - 1.0).abs() < 2e-4);
    }

    #[test]
    fn twenty_eight_nm_lies_between_its_neighbours() {
        let read = |nm| sram(1 << 15, 1, 64, nm, SramCell::LowPower).unwrap().read_pj_per_bit;
        let share = (28.0_f64 / 22.0).ln() / (32.0_f64 / 22.0).ln();
        assert!(close(read(28.0), read(22.0).powf(1.0 - share) * read(32.0).powf(share)));
        assert!(read(22.0) < read(28.0) && read(28.0) < read(32.0));
    }

    #[test]
    fn the_cycle_time_takes_the_running_maximum() {
        let cycle = |bytes| sram(bytes, 1, 256, 45.0, SramCell::LowPower).unwrap().cycle_ns;
        assert_eq!((cycle(1 << 10), cycle(1 << 11)), (0.714275, 0.714275), "CACTI says 0.713291 at 2 KiB");
    }

    #[test]
    fn beyond_the_points() {
        let of = |bytes, bits| sram(bytes, 1, bits, 32.0, SramCell::LowPower).unwrap();
        let (bank, three) = (of(1 << 20, 64), of(3 << 20, 64));
        // 3 x 1.6503 mm2 are a square with sides of 2.22505 mm: 1.66879 mm of wire on average.
        assert!(close(three.read_pj_per_bit - bank.read_pj_per_bit, 0.121_093_75 * 0.75 * 4.9509_f64.sqrt()));
        assert_eq!((three.area_mm2, three.leakage_w), (3.0 * bank.area_mm2, 3.0 * bank.leakage_w));
        // A byte more than one bank holds makes two, of half of it each, and not two of a whole one.
        let (more, half) = (of((1 << 20) + 2, 64), of((1 << 19) + 1, 64));
        assert!(close(more.area_mm2, bank.area_mm2.max(2.0 * half.area_mm2)));
        assert!(more.area_mm2 < 1.2 * bank.area_mm2 && more.leakage_w < 1.2 * bank.leakage_w);
        assert_eq!(of(1 << 8, 64), of(1 << 10, 64));
        assert_eq!(of(1 << 12, 8), of(1 << 12, 64));
        assert_eq!(of(1 << 12, 1024), of(1 << 12, 256));
        let fast = |bits| sram(1 << 12, 1, bits, 32.0, SramCell::HighPerformance).unwrap();
        assert_eq!(fast(256), fast(64));
    }

    #[test]
    fn sixteen_banks_by_hand() {
        // Each is the point of 8 KiB; 16 x 0.0132872 mm2 are a square with sides of 0.461081 mm, and a bit
        // travels 0.75 of that at 310 pJ / (256 x 10) per mm.
        let banks = sram(16 << 13, 16, 64, 32.0, SramCell::LowPower).unwrap();
        let wire_pj = 0.121_093_75 * 0.75 * 0.461_081;
        assert!((banks.read_pj_per_bit - (3.44337 / 64.0 + wire_pj)).abs() < 1e-6);
        assert!((banks.write_pj_per_bit - (4.27156 / 64.0 + wire_pj)).abs() < 1e-6);
        assert!(close(banks.area_mm2, 16.0 * 0.0132872) && close(banks.leakage_w, 16.0 * 0.00045001e-3));
        assert_eq!(banks.cycle_ns, 0.702006);
        // One bank has the wires that CACTI gave it.
        assert_eq!(sram(1 << 13, 1, 64, 32.0, SramCell::LowPower).unwrap().read_pj_per_bit, 3.44337 / 64.0);
    }

    #[test]
    fn errors_name_the_range() {
        let message = |bytes, bits, nm| sram(bytes, 1, bits, nm, SramCell::LowPower).unwrap_err();
        assert_eq!(message(1024, 64, 16.0), "no SRAM figures at 16 nm: they reach from 22 to 45 nm");
        assert_eq!(message(1024, 64, f64::NAN), "no SRAM figures at NaN nm: they reach from 22 to 45 nm");
        assert_eq!(message(0, 64, 28.0), "an SRAM of 0 bytes in 1 banks with words of 64 bits holds nothing");
        assert_eq!(
            message(1024, 0, 28.0),
            "an SRAM of 1024 bytes in 1 banks with words of 0 bits holds nothing"
        );
    }

    proptest! {
        #[test]
        fn more_sram_never_costs_less(
            log_small in 0.0..24.0_f64,
            log_more in 0.0..4.0_f64,
            word_bits in 1_u32..600,
            technology_nm in 22.0..=45.0_f64,
            banks in 1_u32..20,
            fast in any::<bool>(),
        ) {
            let cell = if fast { SramCell::HighPerformance } else { SramCell::LowPower };
            let of = |log: f64| {
                let bytes = (log.exp2() as u64).max(u64::from(banks));
                sram(bytes, banks, word_bits, technology_nm, cell).unwrap()
            };
            let (small, large) = (of(log_small), of(log_small + log_more));
            let not_less = |large: f64, small: f64| small > 0.0 && large >= small * (1.0 - 1e-12);
            prop_assert!(not_less(large.read_pj_per_bit, small.read_pj_per_bit));
            prop_assert!(not_less(large.write_pj_per_bit, small.write_pj_per_bit));
            prop_assert!(not_less(large.leakage_w, small.leakage_w));
            prop_assert!(not_less(large.area_mm2, small.area_mm2));
            prop_assert!(not_less(large.cycle_ns, small.cycle_ns));
        }
    }
}
