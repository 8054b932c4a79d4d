//! Tables of operation energies and areas by operand width, selectable by name.
//!
//! Published tables disagree (a 32-bit multiply spans 3.1 to 12.7 pJ), so a table is a file that
//! can be swapped. Each quantity states its own source, and whether it is assumed: that is, not a
//! figure of the table's main source at the widths asked for.
//!
//! ```ron
//! EnergyTable(
//!     name: "mine", technology_nm: 28.0, source: "our synthesis", notes: "0.8 V",
//!     add_pj: (law: Points({ 8: 0.03, 16: 0.05 }), source: "synthesis"),
//!     multiply_pj: (law: Quadratic(a: 0.003, b: 0.001), source: "a fit"),
//!     register_pj: (law: Linear(0.004), source: "synthesis, per bit"),
//!     compare_pj: (law: Fraction(of: Add, factor: 1.0), source: "a subtraction", assumed: true),
//!     // and_pj, shift_pj, select_pj likewise; areas may be left out:
//!     add_area_um2: (law: Linear(2.8), source: "synthesis"),
//! )
//! ```

use serde::Deserialize;

use super::law::not_positive;
pub use super::law::{Law, Operation, Points, Quantity};
use super::{Sourced, scaling};
use crate::ron_file::parse_ron;
use crate::{Error, Result};

/// The tables that come with the crate: file name and text.
pub(crate) const BUNDLED: &[(&str, &str)] = &[
    ("aladdin-40.ron", include_str!("../../hw_configs/tables/aladdin-40.ron")),
    ("eyeriss-relative.ron", include_str!("../../hw_configs/tables/eyeriss-relative.ron")),
    ("fpga-16.ron", include_str!("../../hw_configs/tables/fpga-16.ron")),
    ("fpga-28.ron", include_str!("../../hw_configs/tables/fpga-28.ron")),
    ("horowitz-45.ron", include_str!("../../hw_configs/tables/horowitz-45.ron")),
    ("qkeras.ron", include_str!("../../hw_configs/tables/qkeras.ron")),
    ("sata-28.ron", include_str!("../../hw_configs/tables/sata-28.ron")),
];

/// The bundled table called `name`, such as `sata-28`; `None` where there is none.
pub fn bundled(name: &str) -> Option<EnergyTable> {
    let (path, text) = BUNDLED.iter().find(|(file, _)| file.strip_suffix(".ron") == Some(name))?;
    Some(EnergyTable::parse(text, path).expect("the bundled tables parse"))
}

/// A table as the file spells it; only [`EnergyTable::parse`] makes one, so all are validated.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename = "EnergyTable", deny_unknown_fields)]
struct Contents {
    #[serde(deserialize_with = "crate::name::title")]
    name: String,
    technology_nm: f64,
    source: String,
    notes: String,
    add_pj: Quantity,
    multiply_pj: Quantity,
    register_pj: Quantity,
    compare_pj: Quantity,
    and_pj: Quantity,
    shift_pj: Quantity,
    select_pj: Quantity,
    add_area_um2: Option<Quantity>,
    multiply_area_um2: Option<Quantity>,
    register_area_um2: Option<Quantity>,
    memory: Option<MemoryEnergies>,
    /// What all energies are multiplied by.
    #[serde(skip, default = "unscaled")]
    factor: f64,
}

fn unscaled() -> f64 {
    1.0
}

/// Energies of memories, where a table has its own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryEnergies {
    /// A bit read from or written to any on-chip memory.
    pub on_chip_pj_per_bit: Sourced<f64>,
    /// A bit that crosses the pins.
    pub off_chip_pj_per_bit: Sourced<f64>,
}

/// Energies, in pJ, and areas, in um2, of operations by operand width in bits.
///
/// No figure falls as the width grows; at 0 bits and below all are 0. Widths need not be whole:
/// a mean over layers is a width too.
#[derive(Debug, Clone, PartialEq)]
pub struct EnergyTable(Contents);

impl EnergyTable {
    /// Reads the table in the RON `text` of the file `path` (named only in errors).
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`] where the text does not follow the schema, with its position;
    /// [`Error::Field`] where a figure is not finite and positive, points are missing, repeated,
    /// unordered or falling, a fraction is of a fraction or an area, or a source is left empty.
    pub fn parse(text: &str, path: &str) -> Result<Self> {
        let table = Self(parse_ron(text, path)?);
        table.check(path)?;
        Ok(table)
    }

    fn check(&self, path: &str) -> Result<()> {
        let fail = |field: &str, message: &str| Err(Error::field(path, field, message));
        if self.0.source.trim().is_empty() {
            return fail("source", "must not be empty");
        }
        if let Some(fault) = not_positive(self.0.technology_nm) {
            return fail("technology_nm", &fault);
        }
        for (field, figure) in self.memory_figures() {
            if let Some(fault) = not_positive(figure.value) {
                return fail(field, &fault);
            }
            if figure.source.trim().is_empty() {
                return fail(field, "source must not be empty");
            }
        }
        for (field, quantity) in self.quantities() {
            if let Some(fault) = quantity.law.fault() {
                return fail(field, &fault);
            }
            if quantity.source.trim().is_empty() {
                return fail(field, "source must not be empty");
            }
            let Law::Fraction { of, .. } = quantity.law else { continue };
            if field.ends_with("_um2") {
                return fail(field, "Fraction: only energies are fractions of an operation");
            }
            if matches!(self.quantity(of).law, Law::Fraction { .. }) {
                return fail(field, &format!("Fraction: {of:?} is itself a fraction"));
            }
        }
        Ok(())
    }

    /// This table at another node, by the factors of `scaling.rs`; areas, which have no such rule, are left out.
    ///
    /// # Errors
    /// A message, where there is no factor of a node.
    pub fn scaled(&self, technology_nm: f64) -> Result<Self, String> {
        if self.0.memory.is_some() {
            return Err("figures relative to each other belong to no node".to_owned());
        }
        let mut table = self.0.clone();
        table.factor *= scaling::energy_factor(table.technology_nm, technology_nm)?;
        table.name = format!("{}@{technology_nm}", table.name);
        table.source =
            format!("{}; scaled from {} nm by {}", table.source, table.technology_nm, scaling::SOURCE);
        table.technology_nm = technology_nm;
        (table.add_area_um2, table.multiply_area_um2, table.register_area_um2) = (None, None, None);
        Ok(Self(table))
    }

    /// Energies of memories, where the table has its own.
    pub fn memory(&self) -> Option<&MemoryEnergies> {
        self.0.memory.as_ref()
    }

    fn memory_figures(&self) -> Vec<(&'static str, &Sourced<f64>)> {
        self.0
            .memory
            .iter()
            .flat_map(|memory| {
                [
                    ("memory.on_chip_pj_per_bit", &memory.on_chip_pj_per_bit),
                    ("memory.off_chip_pj_per_bit", &memory.off_chip_pj_per_bit),
                ]
            })
            .collect()
    }

    /// The name to select the table by.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The node that the figures are for, in nm.
    pub fn technology_nm(&self) -> f64 {
        self.0.technology_nm
    }

    /// The main source of the figures.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// What a reader of the figures must know.
    pub fn notes(&self) -> &str {
        &self.0.notes
    }

    /// All quantities that the table has, by the name of their field, such as `add_pj`.
    pub(crate) fn quantities(&self) -> Vec<(&'static str, &Quantity)> {
        let table = &self.0;
        let energies = [
            ("add_pj", &table.add_pj),
            ("multiply_pj", &table.multiply_pj),
            ("register_pj", &table.register_pj),
            ("compare_pj", &table.compare_pj),
            ("and_pj", &table.and_pj),
            ("shift_pj", &table.shift_pj),
            ("select_pj", &table.select_pj),
        ];
        let areas = [
            ("add_area_um2", &table.add_area_um2),
            ("multiply_area_um2", &table.multiply_area_um2),
            ("register_area_um2", &table.register_area_um2),
        ];
        let areas = areas.into_iter().filter_map(|(field, area)| Some((field, area.as_ref()?)));
        energies.into_iter().chain(areas).collect()
    }

    /// The energy of `operation` with its source.
    pub fn quantity(&self, operation: Operation) -> &Quantity {
        match operation {
            Operation::Add => &self.0.add_pj,
            Operation::Multiply => &self.0.multiply_pj,
            Operation::Register => &self.0.register_pj,
            Operation::Compare => &self.0.compare_pj,
            Operation::And => &self.0.and_pj,
            Operation::Shift => &self.0.shift_pj,
            Operation::Select => &self.0.select_pj,
        }
    }

    fn value(&self, law: &Law, bits: f64) -> f64 {
        if bits <= 0.0 {
            return 0.0;
        }
        match law {
            Law::Points(points) => points.at(bits),
            Law::Linear(per_bit) => per_bit * bits,
            Law::Quadratic { a, b } => (a * bits + b) * bits,
            // Ends after one step: a fraction of a fraction does not parse.
            Law::Fraction { of, factor } => factor * self.value(&self.quantity(*of).law, bits),
        }
    }

    fn energy_pj(&self, operation: Operation, bits: f64) -> f64 {
        self.0.factor * self.value(&self.quantity(operation).law, bits)
    }

    fn area_um2(&self, area: Option<&Quantity>, bits: f64) -> Option<f64> {
        area.map(|quantity| self.value(&quantity.law, bits))
    }

    /// An addition of two `bits`-wide numbers, in pJ.
    pub fn add_pj(&self, bits: f64) -> f64 {
        self.energy_pj(Operation::Add, bits)
    }

    /// A multiplication of `a_bits` by `b_bits`, in pJ: that of two operands of sqrt(a b) bits.
    pub fn multiply_pj(&self, a_bits: f64, b_bits: f64) -> f64 {
        self.energy_pj(Operation::Multiply, effective_bits(a_bits, b_bits))
    }

    /// A write to a register of `bits`, in pJ.
    pub fn register_pj(&self, bits: f64) -> f64 {
        self.energy_pj(Operation::Register, bits)
    }

    /// A comparison of two `bits`-wide numbers, in pJ.
    pub fn compare_pj(&self, bits: f64) -> f64 {
        self.energy_pj(Operation::Compare, bits)
    }

    /// A `bits`-wide word gated by one bit, in pJ.
    pub fn and_pj(&self, bits: f64) -> f64 {
        self.energy_pj(Operation::And, bits)
    }

    /// A shift of a `bits`-wide word by a variable count, in pJ.
    pub fn shift_pj(&self, bits: f64) -> f64 {
        self.energy_pj(Operation::Shift, bits)
    }

    /// A choice between two `bits`-wide words, in pJ.
    pub fn select_pj(&self, bits: f64) -> f64 {
        self.energy_pj(Operation::Select, bits)
    }

    /// Area of a `bits`-wide adder, in um2; `None` where the table has no areas of adders.
    pub fn add_area_um2(&self, bits: f64) -> Option<f64> {
        self.area_um2(self.0.add_area_um2.as_ref(), bits)
    }

    /// Area of a multiplier of `a_bits` by `b_bits`, in um2, at sqrt(a b) bits; `None` where the
    /// table has no areas of multipliers.
    pub fn multiply_area_um2(&self, a_bits: f64, b_bits: f64) -> Option<f64> {
        self.area_um2(self.0.multiply_area_um2.as_ref(), effective_bits(a_bits, b_bits))
    }

    /// Area of a register of `bits`, in um2; `None` where the table has no areas of registers.
    pub fn register_area_um2(&self, bits: f64) -> Option<f64> {
        self.area_um2(self.0.register_area_um2.as_ref(), bits)
    }
}

/// The width of the square multiplier that stands for an `a_bits` by `b_bits` one.
fn effective_bits(a_bits: f64, b_bits: f64) -> f64 {
    (a_bits.max(0.0) * b_bits.max(0.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-12 * b.abs()
    }

    fn table(name: &str) -> EnergyTable {
        bundled(name).unwrap()
    }

    #[test]
    fn every_bundled_table_parses_and_has_sources() {
        for (file, text) in BUNDLED {
            let table = EnergyTable::parse(text, file).unwrap();
            assert_eq!(format!("{}.ron", table.name()), *file);
            assert!(!table.source().is_empty() && !table.notes().is_empty(), "{file}");
            assert!((16.0..=65.0).contains(&table.technology_nm()), "{file}");
            assert!(table.quantities().len() >= 7, "{file}");
            assert!(table.quantities().iter().all(|(_, q)| !q.source.is_empty()), "{file}");
        }
        assert!(bundled("sata-28.ron").is_none() && bundled("").is_none());
    }

    #[test]
    fn figures_of_the_sources_are_met_exactly() {
        let sata = table("sata-28");
        assert_eq!(sata.add_pj(8.0), 0.0422);
        assert_eq!(sata.multiply_pj(8.0, 8.0), 0.2053);
        assert_eq!(sata.multiply_pj(4.0, 16.0), 0.2053);
        assert_eq!(
            (sata.register_pj(2.0), sata.and_pj(32.0), sata.compare_pj(16.0)),
            (0.008, 0.0237, 0.0489)
        );
        assert_eq!(sata.add_area_um2(16.0), Some(45.0));
        assert_eq!(sata.multiply_area_um2(32.0, 32.0), Some(1797.0));
        assert_eq!(sata.register_area_um2(4.0), Some(17.5));
        let horowitz = table("horowitz-45");
        assert_eq!((horowitz.multiply_pj(8.0, 8.0), horowitz.multiply_pj(32.0, 32.0)), (0.2, 3.1));
        assert_eq!((horowitz.add_pj(8.0), horowitz.add_pj(16.0), horowitz.add_pj(32.0)), (0.03, 0.05, 0.1));
        assert_eq!(horowitz.compare_pj(16.0), 0.05);
        assert_eq!(horowitz.add_area_um2(8.0), None);
        assert_eq!(horowitz.multiply_area_um2(8.0, 8.0), None);
        assert_eq!(horowitz.register_area_um2(8.0), None);
    }

    #[test]
    fn fits_and_scaled_figures() {
        let qkeras = table("qkeras");
        assert_eq!(qkeras.add_pj(16.0), 0.05);
        assert!((qkeras.multiply_pj(8.0, 8.0) - 0.2).abs() < 1e-9);
        assert!(close(qkeras.and_pj(16.0), 0.005));
        assert!(close(qkeras.select_pj(16.0), 0.015));
        assert!(close(qkeras.shift_pj(16.0), 0.12));
        let aladdin = table("aladdin-40");
        assert!(close(aladdin.add_pj(32.0), 0.21));
        assert!(close(aladdin.multiply_pj(32.0, 32.0), 12.68));
        assert!(close(aladdin.multiply_pj(16.0, 16.0), 12.68 / 4.0));
        assert!(close(aladdin.shift_pj(32.0), 0.417));
        assert!(close(aladdin.compare_pj(32.0), 0.0295));
        assert!(close(aladdin.register_pj(1.0), 0.009));
        assert!(close(aladdin.add_area_um2(32.0).unwrap(), 278.0));
        assert!(close(aladdin.multiply_area_um2(32.0, 32.0).unwrap(), 6350.0));
        assert!(close(aladdin.register_area_um2(1.0).unwrap(), 5.98));
        assert!(close(table("horowitz-45").shift_pj(32.0), 0.1 * 0.417 / 0.21));
    }

    #[test]
    fn points_follow_power_laws_between_and_beyond() {
        let horowitz = table("horowitz-45");
        // Halfway between 8 and 32 bits in the logarithm.
        assert!(close(horowitz.multiply_pj(16.0, 16.0), (0.2_f64 * 3.1).sqrt()));
        // One octave above 32 bits, as from 16 to 32; one below 8 bits, as from 16 to 8.
        assert!(close(horowitz.add_pj(64.0), 0.2));
        assert!(close(horowitz.add_pj(4.0), 0.03 * 0.03 / 0.05));
        let mine = EnergyTable::parse(&edited("Linear(1.0)", "Points({ 8: 4.0 })"), "t.ron").unwrap();
        assert_eq!((mine.add_pj(8.0), mine.add_pj(2.0), mine.add_pj(16.0)), (4.0, 1.0, 8.0));
    }

    #[test]
    fn assumptions_are_marked() {
        let assumed = |name| -> Vec<&'static str> {
            let table = table(name);
            table.quantities().iter().filter(|(_, q)| q.assumed).map(|(field, _)| *field).collect()
        };
        assert_eq!(assumed("sata-28"), ["shift_pj", "select_pj"]);
        assert_eq!(assumed("horowitz-45"), ["register_pj", "compare_pj", "and_pj", "shift_pj", "select_pj"]);
        assert_eq!(assumed("qkeras"), ["register_pj", "compare_pj", "shift_pj"]);
    }

    /// A valid table with `from` replaced by `to` where it first occurs.
    fn edited(from: &str, to: &str) -> String {
        let valid = r#"EnergyTable(
name: "t", technology_nm: 28.0, source: "s", notes: "",
add_pj: (law: Linear(1.0), source: "add"),
multiply_pj: (law: Quadratic(a: 1.0, b: 0.5), source: "multiply"),
register_pj: (law: Points({ 8: 1.0, 16: 2.0 }), source: "register"),
compare_pj: (law: Linear(1.0), source: "compare"),
and_pj: (law: Fraction(of: Add, factor: 0.1), source: "and"),
shift_pj: (law: Linear(1.0), source: "shift"),
select_pj: (law: Linear(1.0), source: "select"),
add_area_um2: (law: Linear(2.0), source: "area"),
)"#;
        assert!(valid.contains(from));
        valid.replacen(from, to, 1)
    }

    fn message(from: &str, to: &str) -> String {
        EnergyTable::parse(&edited(from, to), "t.ron").unwrap_err().to_string()
    }

    #[test]
    fn bad_figures_are_refused_by_field() {
        let cases = [
            ("Linear(1.0)", "Linear(NaN)", "add_pj: Linear: NaN is not a positive number"),
            ("Linear(1.0)", "Linear(0.0)", "add_pj: Linear: 0 is not a positive number"),
            ("Linear(2.0)", "Linear(-2.0)", "add_area_um2: Linear: -2 is not a positive number"),
            ("8: 1.0", "8: -1.0", "register_pj: Points: -1 is not a positive number at 8 bits"),
            ("8: 1.0", "8: inf", "register_pj: Points: inf is not a positive number at 8 bits"),
            ("8: 1.0", "0: 1.0", "register_pj: Points: a width of 0 bits"),
            ("8: 1.0, 16: 2.0", "", "register_pj: Points: at least one point is needed"),
            ("16: 2.0", "8: 2.0", "register_pj: Points: 8 bits given twice"),
            ("16: 2.0", "4: 2.0", "register_pj: Points: widths must ascend, and 4 follows 8"),
            ("16: 2.0", "16: 0.5", "register_pj: Points: falls from 1 at 8 bits to 0.5 at 16 bits"),
            (
                "a: 1.0, b: 0.5",
                "a: 1.0, b: -0.5",
                "multiply_pj: Quadratic: a = 1 and b = -0.5 must be at least 0, and not both 0",
            ),
            ("factor: 0.1", "factor: NaN", "and_pj: Fraction: NaN is not a positive number"),
            ("of: Add", "of: And", "and_pj: Fraction: And is itself a fraction"),
            (
                "Linear(2.0)",
                "Fraction(of: Add, factor: 1.0)",
                "add_area_um2: Fraction: only energies are fractions of an operation",
            ),
            ("\"add\"", "\" \"", "add_pj: source must not be empty"),
            ("\"s\"", "\"\"", "source: must not be empty"),
            ("28.0", "-28.0", "technology_nm: -28 is not a positive number"),
        ];
        for (from, to, expected) in cases {
            assert_eq!(message(from, to), format!("t.ron: {expected}"));
        }
    }

    #[test]
    fn bad_syntax_is_refused_by_position() {
        let unknown = message("source: \"compare\"", "sauce: \"compare\"");
        assert!(unknown.starts_with("t.ron:6:"), "{unknown}");
        assert!(unknown.contains("Unexpected field named `sauce` in `Quantity`"), "{unknown}");
        let missing = message("shift_pj: (law: Linear(1.0), source: \"shift\"),\n", "");
        assert!(missing.contains("missing field named `shift_pj` in `EnergyTable`"), "{missing}");
        let law = message("Linear(1.0)", "Cubic(1.0)");
        assert!(law.starts_with("t.ron:3:") && law.contains("Cubic"), "{law}");
        let other = message("of: Add", "of: Add, with: 1");
        assert!(other.starts_with("t.ron:7:") && other.contains("with"), "{other}");
        let name = message("EnergyTable(", "Table(");
        assert!(name.starts_with("t.ron:1:"), "{name}");
    }

    proptest! {
        #[test]
        fn more_bits_never_cost_less(
            index in 0..BUNDLED.len(),
            bits in 0.01..128.0_f64,
            more_bits in 0.0..64.0_f64,
            other_bits in 0.01..64.0_f64,
        ) {
            let (file, text) = BUNDLED[index];
            let table = EnergyTable::parse(text, file).unwrap();
            let costs = |bits: f64| {
                let mut costs = vec![
                    table.add_pj(bits), table.register_pj(bits), table.compare_pj(bits), table.and_pj(bits),
                    table.shift_pj(bits), table.select_pj(bits), table.multiply_pj(bits, other_bits),
                    table.multiply_pj(other_bits, bits),
                ];
                costs.extend(table.add_area_um2(bits));
                costs.extend(table.multiply_area_um2(bits, other_bits));
                costs.extend(table.register_area_um2(bits));
                costs
            };
            for (less, more) in costs(bits).into_iter().zip(costs(bits + more_bits)) {
                prop_assert!(less > 0.0 && more.is_finite() && more >= less * (1.0 - 1e-12), "{less} {more}");
            }
            prop_assert!(costs(0.0).iter().chain(&costs(-1.0)).all(|&cost| cost == 0.0));
        }
    }
}
