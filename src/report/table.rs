//! The table for the terminal.

use std::fmt::Write;

use super::tables;
use super::units::{Scale, decimals, fixed};
use crate::evaluate::{ActivitySource, Evaluation, Simulation};

/// Columns of text that a line of notes may take.
const WIDTH: usize = 118;

/// One line per setting under a header that names model, hardware and data; notes below.
///
/// Every column has one unit, chosen by its largest value; latency and energy are per inference.
pub fn table(simulation: &Simulation) -> String {
    let columns = columns(&simulation.settings);
    let mut text = header(simulation);
    text.push('\n');
    text.push_str(&lines(&columns));
    text.push_str(&notes(simulation));
    text.push_str(&tables::section(simulation));
    text
}

/// Two lines of heading, a rule, and a line per row; all `columns` are equally long.
pub(super) fn lines(columns: &[Column]) -> String {
    let mut text = String::new();
    let widths: Vec<usize> = columns.iter().map(Column::width).collect();
    for line in 0..columns.first().map_or(0, |column| column.cells.len()) {
        push_line(&mut text, columns.iter().map(|column| column.cells[line].as_str()), &widths);
        if line == 1 {
            let rules: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
            push_line(&mut text, rules.iter().map(String::as_str), &widths);
        }
    }
    text
}

fn header(simulation: &Simulation) -> String {
    let Simulation { model, hardware, source, .. } = simulation;
    let mut text = String::new();
    let _ = writeln!(text, "model     {} ({}, {} parameters)", model.name, model.family, model.parameters);
    let _ = writeln!(text, "hardware  {}", hardware.name);
    let _ = match source {
        ActivitySource::Data(data) => writeln!(text, "data      {}, {} images", data.name, data.images),
        ActivitySource::Rates(rates) => writeln!(text, "rates     {}", rates.file),
    };
    text
}

/// Two lines of heading, then one cell per setting.
pub(super) struct Column {
    cells: Vec<String>,
}

impl Column {
    /// A column under the heading `quantity`, `unit`.
    pub(super) fn new(quantity: &str, unit: &str, values: impl Iterator<Item = String>) -> Self {
        let cells = [quantity.to_owned(), unit.to_owned()].into_iter().chain(values).collect();
        Self { cells }
    }

    fn width(&self) -> usize {
        self.cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

type Value = fn(&Evaluation) -> f64;

fn columns(settings: &[Evaluation]) -> Vec<Column> {
    let mut columns = vec![
        Column::new("setting", "", settings.iter().map(|s| s.name.clone())),
        Column::new("accuracy", "%", settings.iter().map(|s| percent(s.accuracy))),
        Column::new("drop", "points", settings.iter().map(|s| percent(s.accuracy_drop))),
        Column::new("bits", "weight", settings.iter().map(|s| fixed(s.average_weight_bits, 2))),
    ];
    let bytes: [(&str, Value); 3] = [
        ("weights", |s| s.memory_bytes.weights),
        ("membranes", |s| s.memory_bytes.membrane),
        ("memory", |s| s.memory_bytes.total()),
    ];
    columns.extend(scaled(settings, &bytes, |largest, _| Scale::bytes(largest), ""));
    columns.extend(scaled(settings, &[("cycles", |s| s.cycles.total())], Scale::count, "cycles"));
    let latency: [(&str, Value); 2] = [("latency", |s| s.latency_s), ("worst", |s| s.worst_latency_s)];
    columns.extend(scaled(settings, &latency, Scale::si, "s"));
    let energy: [(&str, Value); 2] =
        [("energy", Evaluation::total_energy_j), ("worst", |s| s.worst_energy_j)];
    columns.extend(scaled(settings, &energy, Scale::si, "J"));
    columns.extend(scaled(settings, &[("power", |s| s.power_w)], Scale::si, "W"));
    let operation: [(&str, Value); 1] = [("energy", Evaluation::energy_per_synaptic_operation_j)];
    columns.extend(scaled(settings, &operation, Scale::si, "J/synop"));
    columns
}

/// A dash for what is not known.
fn percent(fraction: Option<f64>) -> String {
    fraction.map_or_else(|| "-".to_owned(), |fraction| fixed(100.0 * fraction, 2))
}

/// Columns that share a unit, so that a reader may compare them.
fn scaled(
    settings: &[Evaluation],
    columns: &[(&str, Value)],
    scale: fn(f64, &str) -> Scale,
    unit: &str,
) -> Vec<Column> {
    let largest_of = |value: Value| settings.iter().map(value).fold(0.0, f64::max);
    let largest = columns.iter().map(|&(_, value)| largest_of(value)).fold(0.0, f64::max);
    let scale = scale(largest, unit);
    let digits = decimals(scale.apply(largest), 4);
    let column = |&(name, value): &(&str, Value)| {
        Column::new(name, &scale.unit, settings.iter().map(|s| fixed(scale.apply(value(s)), digits)))
    };
    columns.iter().map(column).collect()
}

/// The first cell to the left, the others to the right, two spaces between them.
fn push_line<'a>(text: &mut String, cells: impl Iterator<Item = &'a str>, widths: &[usize]) {
    let mut line = String::new();
    for (index, (cell, &width)) in cells.zip(widths).enumerate() {
        let _ = if index == 0 { write!(line, "{cell:<width$}") } else { write!(line, "  {cell:>width$}") };
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// Notes of the model; then each note of settings once, after the names of those that it belongs to.
fn notes(simulation: &Simulation) -> String {
    let Simulation { model, settings, .. } = simulation;
    let mut notes: Vec<(&str, Vec<&str>)> = Vec::new();
    for setting in settings {
        for note in &setting.notes {
            match notes.iter_mut().find(|(text, _)| text == note) {
                Some((_, names)) if names.last() != Some(&setting.name.as_str()) => names.push(&setting.name),
                Some(_) => {}
                None => notes.push((note, vec![&setting.name])),
            }
        }
    }
    let nothing = notes.is_empty() && model.notes.is_empty();
    let mut text = if nothing { String::new() } else { "\n".to_owned() };
    model.notes.iter().for_each(|note| text.push_str(&wrap(&format!("{}: {note}", model.name))));
    for (note, names) in notes {
        let all = names.len() == settings.len() && names.len() > 1;
        let names = if all { "all settings".to_owned() } else { names.join(", ") };
        text.push_str(&wrap(&format!("{names}: {note}")));
    }
    text
}

/// Breaks a note between words; the lines that follow are indented.
pub(super) fn wrap(note: &str) -> String {
    let mut lines = vec![String::new()];
    for word in note.split_whitespace() {
        let line = lines.last_mut().expect("starts with one line");
        if !line.trim_start().is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(format!("    {word}"));
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    const GOLDEN: &str = "\
model     spikformer-tiny (spikformer, 171146 parameters)
hardware  edge-128
data      fashion-mnist, 1000 images

setting  accuracy    drop    bits  weights  membranes  memory   cycles  latency  worst  energy  worst  power    energy
                %  points  weight      KiB        KiB     KiB  kcycles       µs     µs      µJ     µJ     mW  pJ/synop
-------  --------  ------  ------  -------  ---------  ------  -------  -------  -----  ------  -----  -----  --------
fp32        91.50    0.00   32.00    668.5       12.0   693.5    116.3    581.4  697.7   196.4  245.5  337.8     8.183
w8          91.40    0.10    8.00    167.1        6.0   186.1    116.3    581.4  697.7    72.7   90.8  125.0     3.028
w6          91.30    0.20    6.00    125.4        4.5   142.9    116.3    581.4  697.7    59.9   74.9  103.0     2.496
w4          90.50    1.00    4.00     83.6        3.0    99.6    116.3    581.4  697.7    47.1   58.9   81.1     1.964

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
        let row: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(row[..4], ["fp32", "-", "-", "32.00"], "{text}");
    }

    #[test]
    fn long_notes_wrap_between_words() {
        let text = wrap(&"word ".repeat(60));
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(text.split_whitespace().count(), 60);
    }

    #[test]
    fn units_follow_the_magnitude() {
        let mut simulation = fixture::simulation(2, 20);
        for setting in &mut simulation.settings {
            setting.worst_energy_j *= 1000.0;
            setting.memory_bytes.weights *= 1000.0;
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
