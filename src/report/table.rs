//! The table for the terminal.

use super::tables;
use super::terminal::{Column, heading, lines, model_line, notes, source_line, wrap};
use super::units::{Scale, decimals, fixed};
use crate::evaluate::{Evaluation, Simulation};

/// One line per setting under a header that names model, hardware and data; notes below.
///
/// Every column has one unit, chosen by its largest value; latency and energy are per inference.
pub fn table(simulation: &Simulation) -> String {
    let columns = columns(&simulation.settings);
    let Simulation { model, hardware, source, settings, .. } = simulation;
    let mut text = heading(&[model_line(model), ("hardware", hardware.name.clone()), source_line(source)]);
    text.push('\n');
    text.push_str(&lines(&columns));
    let mut remarks: String =
        model.notes.iter().map(|note| wrap(&format!("{}: {note}", model.name))).collect();
    remarks += &notes(settings.iter().map(|s| (s.name.as_str(), &s.notes[..])), "all settings");
    if !remarks.is_empty() {
        text.push('\n');
    }
    text + &remarks + &tables::section(simulation)
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
