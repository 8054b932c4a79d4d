//! What `spiq cost-table` shows and leaves behind.

use std::fmt::Write;

use super::column::Cell;
use super::csv;
use super::units::fixed;
use crate::error::Result;
use crate::sensitivity::{ChoiceCost, CostTable};

/// Names of the columns, units last.
const COLUMNS: [&str; 8] = [
    "layer",
    "choice",
    "weight_bits",
    "energy_j",
    "cycles",
    "weight_bytes",
    "network_energy_j",
    "network_cycles",
];

/// One row per layer and choice, in bytes that are equal for any number of threads.
///
/// # Errors
/// If a number is not finite.
pub fn cost_table_csv(table: &CostTable) -> Result<Vec<u8>> {
    let rows = table.rows.iter().map(|row| {
        let names = [&row.layer, &row.choice].map(|name| Cell::Text(name.clone()));
        let own = [row.weight_bits.into(), row.energy_j, row.cycles, row.weight_bytes];
        let numbers = own.into_iter().chain([row.network_energy_j, row.network_cycles]);
        names.into_iter().chain(numbers.map(Cell::Number)).collect()
    });
    csv::write("cost_table.csv", COLUMNS.map(str::to_owned).to_vec(), rows)
}

/// The table for the terminal: a line per layer, with what the network costs at each choice.
pub fn cost_table_text(table: &CostTable) -> String {
    let first = table.rows.first().map_or("", |row| row.layer.as_str());
    let choices = table.rows.iter().take_while(|row| row.layer == first).count().max(1);
    let names = table.rows.iter().map(|row| row.layer.len()).max().unwrap_or(0).max(5);
    let mut text = format!(
        "model     {}\nhardware  {}\nactivity  of {} validation images at {}\n\nuJ (kilocycles) of the network with one layer changed\n",
        table.model, table.hardware, table.images, table.base
    );
    let _ = write!(text, "{:names$}", "layer");
    for row in &table.rows[..choices.min(table.rows.len())] {
        let _ = write!(text, "  {:>14}", row.choice);
    }
    text.push('\n');
    for layer in table.rows.chunks(choices) {
        let _ = write!(text, "{:names$}", layer[0].layer);
        for row in layer {
            let _ = write!(text, "  {:>14}", cell(row));
        }
        text.push('\n');
    }
    text
}

fn cell(row: &ChoiceCost) -> String {
    format!("{} ({})", fixed(row.network_energy_j * 1e6, 3), fixed(row.network_cycles / 1e3, 2))
}
