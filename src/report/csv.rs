//! The comma-separated files: one row per setting, one per setting and layer, one per setting and memory,
//! one per setting, unit and kind of work.

use std::io::Write;

use super::column::{self, Cell, Column};
use super::columns::{LAYER, MEMORY, SETTING, UNIT};
use crate::error::{Error, Result};
use crate::evaluate::{ActivitySource, Evaluation, Simulation};
use crate::name::Printable;

/// `settings.csv`: one row per setting.
pub(super) fn settings(simulation: &Simulation) -> Result<Vec<u8>> {
    let rows = simulation.settings.iter().map(|setting| column::cells(SETTING, setting));
    write("settings.csv", column::names(SETTING), rows)
}

/// `layers.csv`: one row per setting and layer.
pub(super) fn layers(simulation: &Simulation) -> Result<Vec<u8>> {
    of_settings("layers.csv", simulation, LAYER, |setting| &setting.layers)
}

/// `memories.csv`: one row per setting and on-chip memory.
pub(super) fn memories(simulation: &Simulation) -> Result<Vec<u8>> {
    of_settings("memories.csv", simulation, MEMORY, |setting| &setting.memories)
}

/// `units.csv`: one row per setting, unit and kind of work.
pub(super) fn units(simulation: &Simulation) -> Result<Vec<u8>> {
    of_settings("units.csv", simulation, UNIT, |setting| &setting.units)
}

/// `columns` of what every setting has several `rows` of, behind its name.
fn of_settings<T>(
    name: &str,
    simulation: &Simulation,
    columns: &'static [Column<T>],
    rows: fn(&Evaluation) -> &[T],
) -> Result<Vec<u8>> {
    let mut header = vec!["setting".to_owned()];
    header.extend(column::names(columns));
    let rows = simulation.settings.iter().flat_map(|setting| {
        rows(setting).iter().map(|of_setting| {
            let mut row = vec![Cell::Text(setting.name.clone())];
            row.extend(column::cells(columns, of_setting));
            row
        })
    });
    write(name, header, rows)
}

/// `tables.csv`: one row per table of energies and setting.
pub(super) fn tables(simulation: &Simulation) -> Result<Vec<u8>> {
    let header = ["table", "setting", "energy_total_j", "latency_s", "rank"].map(str::to_owned).to_vec();
    let rows = simulation.tables.iter().flat_map(|table| {
        table.settings.iter().map(|cost| {
            let numbers = [cost.energy_j, cost.latency_s, cost.rank as f64];
            let mut row = vec![Cell::Text(table.table.clone()), Cell::Text(cost.setting.clone())];
            row.extend(numbers.map(Cell::Number));
            row
        })
    });
    write("tables.csv", header, rows)
}

/// Rates of one setting, as `simulate --rates` reads them, with a line that says where they are from.
pub(super) fn rates(simulation: &Simulation, setting: &Evaluation) -> Result<Vec<u8>> {
    let of = match &simulation.source {
        ActivitySource::Data(data) => format!("mean of {} images of {}", data.images, remark(&data.name)),
        ActivitySource::Rates(rates) => format!("from {}", remark(&rates.file)),
        ActivitySource::Spikes(spikes) => {
            format!("mean of {} images of {}", spikes.images, remark(&spikes.file))
        }
    };
    let (model, name) = (remark(&simulation.model.name), remark(&setting.name));
    let mut text = format!("# {model}, setting {name}, {of}\n").into_bytes();
    let rows = setting.rates.iter().map(|rate| vec![Cell::Text(rate.layer.clone()), Cell::Number(rate.rate)]);
    text.extend(write("rates.csv", vec!["layer".to_owned(), "rate".to_owned()], rows)?);
    Ok(text)
}

/// A name in a line of remarks, which a spreadsheet splits into cells like any other.
fn remark(name: &str) -> String {
    Printable(&name.replace([',', ';'], " ")).to_string()
}

/// A file with a header; `name` is for messages.
pub(super) fn write(
    name: &str,
    header: Vec<String>,
    rows: impl Iterator<Item = Vec<Cell>>,
) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write_to(name, &mut bytes, header, rows)?;
    Ok(bytes)
}

/// [`write()`] to `out`, row by row.
pub(super) fn write_to(
    name: &str,
    out: impl Write,
    header: Vec<String>,
    rows: impl Iterator<Item = Vec<Cell>>,
) -> Result<()> {
    let failed = |source: csv::Error| Error::io(name, std::io::Error::other(source));
    let mut writer = csv::WriterBuilder::new().comment(Some(b'#')).from_writer(out);
    writer.write_record(header.iter().map(|name| text(name))).map_err(failed)?;
    for row in rows {
        writer.write_record(row.iter().map(field)).map_err(failed)?;
    }
    writer.flush().map_err(|source| Error::io(name, source))
}

/// Whole numbers without a point; others in the shortest form that reads back to the same value.
fn field(cell: &Cell) -> String {
    match cell {
        Cell::Text(words) => text(words),
        Cell::Absent => String::new(),
        Cell::Number(value) if value.fract() == 0.0 && value.abs() < 1e15 => format!("{value:.0}"),
        Cell::Number(value) => format!("{value:?}"),
    }
}

/// A spreadsheet takes what starts like that for a formula, and runs it unless an apostrophe stands before it.
fn text(words: &str) -> String {
    if words.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{words}") } else { words.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::cost::{Cycles, EnergyJ, ExecutedBits, FootprintBytes, OnChipBytes, TrafficBits, WorkCycles};

    fn parse(bytes: &[u8]) -> (Vec<String>, Vec<Vec<String>>) {
        let mut reader = csv::Reader::from_reader(bytes);
        let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let rows = reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect();
        (header, rows)
    }

    #[test]
    fn settings_have_one_row_each_and_every_column() {
        let simulation = fixture::simulation(8, 20);
        let (header, rows) = parse(&settings(&simulation).unwrap());
        let parts = Cycles::LABELS.len() + EnergyJ::LABELS.len() + FootprintBytes::LABELS.len();
        assert_eq!(header.len(), parts + TrafficBits::LABELS.len() + 23);
        assert_eq!(rows.len(), 8);
        let energy = header.iter().position(|name| name == "energy_total_j").unwrap();
        for (row, setting) in rows.iter().zip(&simulation.settings) {
            assert_eq!(row[0], setting.name);
            assert_eq!(row[energy].parse::<f64>().unwrap(), setting.total_energy_j());
        }
    }

    #[test]
    fn layers_have_one_row_per_setting_and_layer() {
        let simulation = fixture::simulation(8, 20);
        let (header, rows) = parse(&layers(&simulation).unwrap());
        let parts = Cycles::LABELS.len()
            + EnergyJ::LABELS.len()
            + OnChipBytes::LABELS.len()
            + ExecutedBits::LABELS.len()
            + TrafficBits::LABELS.len()
            + WorkCycles::LABELS.len();
        assert_eq!(header.len(), 1 + parts + 24);
        assert_eq!(rows.len(), 160);
        assert_eq!(rows[21][..2], ["w8".to_owned(), simulation.settings[1].layers[1].name.clone()]);
    }

    #[test]
    fn memories_have_one_row_per_setting_and_memory() {
        let simulation = fixture::simulation(3, 4);
        let (header, rows) = parse(&memories(&simulation).unwrap());
        assert_eq!(header[..4], ["setting", "memory", "capacity_bytes", "peak_total_bytes"]);
        assert_eq!((header.len(), rows.len()), (6 + OnChipBytes::LABELS.len(), 6));
        assert_eq!(rows[1][..4], ["fp32", "state SRAM", "65536", "16384"]);
    }

    #[test]
    fn units_have_one_row_per_kind_of_work() {
        let (header, rows) = parse(&units(&fixture::simulation(2, 4)).unwrap());
        assert_eq!(header[..4], ["setting", "unit", "work", "ideal_cycles"]);
        assert_eq!(rows.len(), 6);
        assert_eq!(rows[5][..3], ["w8", "vector unit", "attention"]);
    }

    #[test]
    fn names_with_commas_and_no_rows_at_all_are_fine() {
        let mut simulation = fixture::simulation(1, 0);
        simulation.settings[0].name = "a, \"b\"".into();
        simulation.settings[0].area_mm2 = None;
        assert_eq!(parse(&settings(&simulation).unwrap()).1[0][0], "a, \"b\"");
        assert!(parse(&layers(&simulation).unwrap()).1.is_empty());
    }

    /// Numbers stay numbers, names stay text, and no line of remarks hides a cell.
    #[test]
    fn no_cell_is_a_formula() {
        let cells =
            ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "w3+bias", "a-b", "'x"].map(|t| Cell::Text(t.into()));
        let numbers = [Cell::Number(-1.5), Cell::Number(-2.0), Cell::Absent];
        let row: Vec<Cell> = cells.into_iter().chain(numbers).collect();
        let bytes = write("x.csv", vec!["=h".into(); row.len()], std::iter::once(row)).unwrap();
        let (header, rows) = parse(&bytes);
        assert_eq!(header[0], "'=h");
        let expected =
            ["'=1+1", "'+1", "'-1", "'@a", "'\t=1", "'\r=1", "w3+bias", "a-b", "'x", "-1.5", "-2", ""];
        assert_eq!(rows, [expected]);
        let mut simulation = fixture::simulation(1, 1);
        simulation.model.name = "m,=1+1;@a".into();
        simulation.settings[0].name = "=1+1".into();
        let text = String::from_utf8(rates(&simulation, &simulation.settings[0]).unwrap()).unwrap();
        assert_eq!(
            text.lines().next().unwrap(),
            "# m =1+1 @a, setting =1+1, mean of 1000 images of fashion-mnist"
        );
        let settings = parse(&settings(&simulation).unwrap()).1;
        assert_eq!(settings[0][0], "'=1+1");
    }
}
