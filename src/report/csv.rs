//! The comma-separated files: one row per setting, and one per setting and layer.

use super::columns::{self, Cell, LAYER, SETTING};
use crate::error::{Error, Result};
use crate::evaluate::{ActivitySource, Evaluation, Simulation};

/// `settings.csv`: one row per setting.
pub(super) fn settings(simulation: &Simulation) -> Result<Vec<u8>> {
    let rows = simulation.settings.iter().map(|setting| record(&columns::cells(SETTING, setting)));
    write("settings.csv", columns::names(SETTING), rows)
}

/// `layers.csv`: one row per setting and layer.
pub(super) fn layers(simulation: &Simulation) -> Result<Vec<u8>> {
    let mut header = vec!["setting".to_owned()];
    header.extend(columns::names(LAYER));
    let rows = simulation.settings.iter().flat_map(|setting| {
        setting.layers.iter().map(|layer| {
            let mut row = vec![setting.name.clone()];
            row.extend(record(&columns::cells(LAYER, layer)));
            row
        })
    });
    write("layers.csv", header, rows)
}

/// `tables.csv`: one row per table of energies and setting.
pub(super) fn tables(simulation: &Simulation) -> Result<Vec<u8>> {
    let header = ["table", "setting", "energy_total_j", "latency_s", "rank"].map(str::to_owned).to_vec();
    let rows = simulation.tables.iter().flat_map(|table| {
        table.settings.iter().map(|cost| {
            let numbers = [cost.energy_j, cost.latency_s, cost.rank as f64];
            let mut row = vec![table.table.clone(), cost.setting.clone()];
            row.extend(numbers.map(|number| field(&Cell::Number(number))));
            row
        })
    });
    write("tables.csv", header, rows)
}

/// Rates of one setting, as `simulate --rates` reads them, with a line that says where they are from.
pub(super) fn rates(simulation: &Simulation, setting: &Evaluation) -> Result<Vec<u8>> {
    let of = match &simulation.source {
        ActivitySource::Data(data) => format!("mean of {} images of {}", data.images, data.name),
        ActivitySource::Rates(rates) => format!("from {}", rates.file.escape_debug()),
    };
    let mut text = format!("# {}, setting {}, {of}\n", simulation.model.name, setting.name).into_bytes();
    let rows = setting.rates.iter().map(|rate| vec![rate.layer.clone(), field(&Cell::Number(rate.rate))]);
    text.extend(write("rates.csv", vec!["layer".to_owned(), "rate".to_owned()], rows)?);
    Ok(text)
}

/// A file with a header; `name` is for messages.
pub(super) fn write(
    name: &str,
    header: Vec<String>,
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<Vec<u8>> {
    let failed = |source: csv::Error| Error::io(name, std::io::Error::other(source));
    let mut writer = csv::WriterBuilder::new().comment(Some(b'#')).from_writer(Vec::new());
    writer.write_record(&header).map_err(failed)?;
    for row in rows {
        writer.write_record(&row).map_err(failed)?;
    }
    writer.into_inner().map_err(|error| Error::io(name, error.into_error()))
}

pub(super) fn record(cells: &[Cell]) -> Vec<String> {
    cells.iter().map(field).collect()
}

/// Whole numbers without a point; others in the shortest form that reads back to the same value.
pub(super) fn field(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Absent => String::new(),
        Cell::Number(value) if value.fract() == 0.0 && value.abs() < 1e15 => format!("{value:.0}"),
        Cell::Number(value) => format!("{value:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::cost::{Cycles, EnergyJ, ExecutedBits, MemoryBytes, TrafficBits};

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
        let parts = Cycles::LABELS.len() + EnergyJ::LABELS.len() + MemoryBytes::LABELS.len();
        assert_eq!(header.len(), parts + TrafficBits::LABELS.len() + 18);
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
            + ExecutedBits::LABELS.len()
            + TrafficBits::LABELS.len();
        assert_eq!(header.len(), 1 + parts + 19);
        assert_eq!(rows.len(), 160);
        assert_eq!(rows[21][..2], ["w8".to_owned(), simulation.settings[1].layers[1].name.clone()]);
    }

    #[test]
    fn names_with_commas_and_no_rows_at_all_are_fine() {
        let mut simulation = fixture::simulation(1, 0);
        simulation.settings[0].name = "a, \"b\"".into();
        simulation.settings[0].area_mm2 = None;
        assert_eq!(parse(&settings(&simulation).unwrap()).1[0][0], "a, \"b\"");
        assert!(parse(&layers(&simulation).unwrap()).1.is_empty());
    }
}
