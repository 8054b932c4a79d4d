//! The table for the terminal.

use super::column::{self, Cell, Quantity, Shown};
use super::columns::SETTING;
use super::terminal::{Column, heading, lines, model_line, notes, source_line, wrap};
use super::units::{Scale, decimals, fixed};
use super::{bottlenecks, tables};
use crate::evaluate::{Evaluation, MemoryEvaluation, Simulation, StallEvaluation, UnitEvaluation};

/// One line per setting under a header that names model, hardware and data; below, one per setting of what on-chip
/// memories hold, and notes.
///
/// Every column has one unit, chosen by its largest value; latency and energy are per inference.
pub fn table(simulation: &Simulation) -> String {
    let columns = columns(&simulation.settings);
    let Simulation { model, hardware, source, settings, .. } = simulation;
    let mut text = heading(&[model_line(model), ("hardware", hardware.name.clone()), source_line(source)]);
    text.push('\n');
    text.push_str(&lines(&columns));
    text.push_str(&peaks(settings));
    text.push_str(&times(settings));
    if let Some(setting) = simulation.featured() {
        text.push_str(&bottlenecks::section(&setting.name, setting));
    }
    let mut remarks: String =
        model.notes.iter().map(|note| wrap(&format!("{}: {note}", model.name))).collect();
    remarks += &notes(settings.iter().map(|s| (s.name.as_str(), &s.notes[..])), "all settings");
    if !remarks.is_empty() {
        text.push('\n');
    }
    text + &remarks + &tables::section(simulation)
}

/// What [`SETTING`] says of the terminal: neighbours of one quantity share a unit, so that a reader may compare them.
fn columns(settings: &[Evaluation]) -> Vec<Column> {
    let shown = column::shown(SETTING, settings);
    shown.chunk_by(|(a, _), (b, _)| a.quantity == b.quantity).flat_map(alike).collect()
}

/// What each on-chip memory holds at its peak, with its share of the capacity; nothing where there is none.
fn peaks(settings: &[Evaluation]) -> String {
    let memories = settings.first().map_or(&[][..], |setting| &setting.memories);
    if memories.is_empty() {
        return String::new();
    }
    let memory = |(i, memory): (usize, &MemoryEvaluation)| {
        let scale = Scale::bytes(memory.capacity_bytes);
        let digits = decimals(scale.apply(memory.capacity_bytes), 3);
        let size = |bytes: f64| fixed(scale.apply(bytes), digits);
        let cell = |setting: &Evaluation| {
            let memory = &setting.memories[i];
            format!("{} {:>3} %", size(memory.peak_bytes.total()), fixed(100.0 * memory.share(), 0))
        };
        let capacity = format!("of {} {}", size(memory.capacity_bytes), scale.unit);
        Column::new(&memory.name, &capacity, settings.iter().map(cell))
    };
    let names = Column::new("peak", "", settings.iter().map(|setting| setting.name.clone()));
    let columns: Vec<Column> =
        std::iter::once(names).chain(memories.iter().enumerate().map(memory)).collect();
    format!("\n{}", lines(&columns))
}

/// How much of the time each unit is busy, and how much of it perfectly used lanes would need; images per second; how
/// long units wait for memories, and for which the longest.
fn times(settings: &[Evaluation]) -> String {
    let Some(first) = settings.first() else { return String::new() };
    let mut names: Vec<&str> = first.units.iter().map(|unit| unit.unit.as_str()).collect();
    names.dedup();
    let percent = |share: f64| format!("{:>3} %", fixed(100.0 * share, 0));
    let unit = |name: &&str| {
        let of = |setting: &Evaluation, share: fn(&UnitEvaluation) -> f64| {
            percent(setting.units.iter().filter(|unit| unit.unit == **name).map(share).sum())
        };
        let cell = |setting| format!("{} {}", of(setting, |u| u.busy_share), of(setting, |u| u.utilisation));
        Column::new(name, " busy ideal", settings.iter().map(cell))
    };
    let waits = |setting: &Evaluation| percent(setting.cycles.stalls() / setting.cycles.total());
    let longest = |setting: &Evaluation| {
        let stalls = StallEvaluation::by_memory(&setting.stalls);
        let name = |s: &StallEvaluation| {
            format!("{} {} {}", s.memory, s.direction, percent(s.cycles / setting.cycles.total()))
        };
        stalls.first().map_or_else(|| "-".to_owned(), name)
    };
    let mut columns = vec![Column::new("time", "", settings.iter().map(|setting| setting.name.clone()))];
    columns.extend(names.iter().map(unit));
    columns.push(throughput(settings));
    columns.push(Column::new("waits", "", settings.iter().map(waits)));
    columns.push(Column::new("longest wait", "", settings.iter().map(longest)));
    format!("\n{}", lines(&columns))
}

/// Images per second.
fn throughput(settings: &[Evaluation]) -> Column {
    let digits = decimals(settings.iter().map(Evaluation::images_per_s).fold(0.0, f64::max), 4);
    Column::new("throughput", "1/s", settings.iter().map(|setting| fixed(setting.images_per_s(), digits)))
}

/// How numbers of one unit are written.
type Text = Box<dyn Fn(f64) -> String>;

/// Columns of one quantity.
fn alike(columns: &[(Shown, Vec<Cell>)]) -> Vec<Column> {
    let numbers = columns.iter().flat_map(|(_, cells)| cells).filter_map(|cell| match cell {
        Cell::Number(number) => Some(*number),
        _ => None,
    });
    let largest = numbers.fold(0.0, f64::max);
    let scaled = |scale: Scale| -> (String, Text) {
        let digits = decimals(scale.apply(largest), 4);
        (scale.unit.clone(), Box::new(move |x: f64| fixed(scale.apply(x), digits)))
    };
    let quantity = columns[0].0.quantity;
    let (unit, text): (String, Text) = match quantity {
        Quantity::Name => (String::new(), Box::new(|x| x.to_string())),
        Quantity::Percent(unit) => (unit.to_owned(), Box::new(|x| fixed(100.0 * x, 2))),
        Quantity::Plain(unit) => (unit.to_owned(), Box::new(|x| fixed(x, 2))),
        Quantity::Bytes => scaled(Scale::bytes(largest)),
        Quantity::Count(unit) => scaled(Scale::count(largest, unit)),
        Quantity::Si(unit) => scaled(Scale::si(largest, unit)),
    };
    let cell = |cell: &Cell| match cell {
        Cell::Text(words) => words.clone(),
        Cell::Number(number) => text(*number),
        Cell::Absent => "-".to_owned(),
    };
    columns
        .iter()
        .map(|(Shown { heading, .. }, cells)| Column::new(heading, &unit, cells.iter().map(cell)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    const GOLDEN: &str = "\
model     spikformer-tiny (spikformer, 171146 parameters)
hardware  edge-128
data      fashion-mnist, 1000 images

setting  accuracy    drop    bits  model  membranes  footprint   cycles  latency  worst  energy  worst  power    energy
                %  points  weight    KiB        KiB        KiB  kcycles       µs     µs      µJ     µJ     mW  pJ/synop
-------  --------  ------  ------  -----  ---------  ---------  -------  -------  -----  ------  -----  -----  --------
fp32        91.50    0.00   32.00  669.5       12.0      693.5    116.3    581.4  697.7   196.4  245.5  337.8     8.183
w8          91.40    0.10    8.00  168.1        6.0      186.1    116.3    581.4  697.7    72.7   90.8  125.0     3.028
w6          91.30    0.20    6.00  126.4        4.5      142.9    116.3    581.4  697.7    59.9   74.9  103.0     2.496
w4          90.50    1.00    4.00   84.6        3.0       99.6    116.3    581.4  697.7    47.1   58.9   81.1     1.964

peak  weight SRAM   state SRAM
      of 96.0 KiB  of 64.0 KiB
----  -----------  -----------
fp32   96.0 100 %   16.0  25 %
w8     96.0 100 %   16.0  25 %
w6     96.0 100 %   16.0  25 %
w4     83.6  87 %   16.0  25 %

time        lanes  vector unit  throughput  waits            longest wait
       busy ideal   busy ideal         1/s
----  -----------  -----------  ----------  -----  ----------------------
fp32   92 %  69 %    7 %   6 %        1720    3 %  weight SRAM read   2 %
w8     92 %  69 %    7 %   6 %        1720    3 %  weight SRAM read   2 %
w6     92 %  69 %    7 %   6 %        1720    3 %  weight SRAM read   2 %
w4     92 %  69 %    7 %   6 %        1720    3 %  weight SRAM read   2 %

what costs most: w4

patch_embed.proj_conv: 20 % of the energy, mostly DRAM for weights, 2.0 KiB (50 %); 10 % of the cycles, mostly lanes
    that wait for the slowest beside them (50 %)
-> with lanes twice as wide: 10 % less energy, 4.0 times faster; the network 1 % less energy, 20 % fewer cycles; 0.125
    mm2 more
patch_embed.proj_conv1: 20 % of the energy, mostly DRAM for weights, 2.0 KiB (50 %); 10 % of the cycles, mostly lanes
    that wait for the slowest beside them (50 %)
-> none of these helps: lanes twice as wide

spikformer-tiny: weights converted from F16 to F32
all settings: energies are those of the described 28 nm process
fp32: charged as 32-bit integers
";

    #[test]
    fn columns_align_and_notes_follow() {
        assert_eq!(table(&fixture::simulation(4, 20)), GOLDEN);
        assert!(GOLDEN.lines().all(|line| line.chars().count() <= 120));
    }

    #[test]
    fn without_images_accuracy_is_a_dash() {
        let text = table(&fixture::expected(1, 20));
        assert!(text.contains("\nrates     rates.csv\n") && !text.contains("images"), "{text}");
        let row: Vec<&str> =
            text.lines().find(|line| line.starts_with("fp32")).unwrap().split_whitespace().collect();
        assert_eq!(row[..4], ["fp32", "-", "-", "32.00"], "{text}");
    }

    #[test]
    fn units_follow_the_magnitude() {
        let mut simulation = fixture::simulation(2, 20);
        for setting in &mut simulation.settings {
            setting.worst_energy_j *= 1000.0;
            setting.footprint_bytes.weights *= 1000.0;
        }
        let text = table(&simulation);
        assert!(text.contains(" mJ ") && text.contains(" MiB "), "{text}");
    }

    #[test]
    fn no_settings_and_no_layers_are_fine() {
        assert!(table(&fixture::simulation(0, 0)).contains("accuracy"));
        assert!(table(&fixture::simulation(1, 0)).contains("fp32"));
    }
}
