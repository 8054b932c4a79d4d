//! Machines side by side: a table for the terminal, JSON and CSV.

use serde::Serialize;

use super::bottlenecks;
use super::column::{self, Cell};
use super::columns::{self, SETTING};
use super::csv;
use super::json::Setting;
use super::terminal::{Column, heading, lines, model_line, notes, source_line, wrap};
use super::units::{Scale, decimals, fixed};
use crate::error::{Error, Result};
use crate::evaluate::{
    ActivitySource, Agreement, AsPublished, Comparison, HardwareSummary, MachineEvaluation, ModelSummary,
};

/// Rises when a field changes its name, its unit or its meaning.
const SCHEMA_VERSION: u32 = 2;

/// Why off-chip traffic is not what the published evaluation takes it for.
const TRAFFIC: &str = "DRAM traffic differs because the published evaluation fetches the 8-bit weights of a layer again \
    for every 256 rows of spikes and its spikes for every 128 outputs, scales the result by a factor per machine, and \
    moves no membranes, sums or residual streams; ours keeps what fits the described memories, fetches weights once \
    per layer, and moves all that does not fit, at the bits of the setting";

type Value = fn(&MachineEvaluation) -> f64;

/// One line per machine under a header that names model, setting and data; the published rules below.
pub fn comparison_table(comparison: &Comparison) -> String {
    let Comparison { model, setting, source, machines, .. } = comparison;
    let mut text = heading(&[model_line(model), ("setting", setting.clone()), source_line(source)]);
    text.push('\n');
    let mut columns = vec![names(machines)];
    columns.push(scaled(machines, "latency", "s", Scale::si, |m| m.evaluation.latency_s));
    columns.push(scaled(machines, "energy", "J", Scale::si, |m| m.evaluation.total_energy_j()));
    columns.push(scaled(machines, "power", "W", Scale::si, |m| m.evaluation.power_w));
    columns.push(scaled(machines, "DRAM", "bit", Scale::si, MachineEvaluation::dram_bits));
    columns.push(scaled(machines, "energy", "J/synop", Scale::si, |m| {
        m.evaluation.energy_per_synaptic_operation_j()
    }));
    let area =
        |m: &MachineEvaluation| m.evaluation.area_mm2.map_or("-".to_owned(), |area| fixed(area.total(), 2));
    columns.push(Column::new("area", "mm2", machines.iter().map(area)));
    text.push_str(&lines(&columns));
    text.push_str(&published(comparison));
    text.push_str(&agreement(machines));
    if let Some(first) = machines.first() {
        text.push_str(&bottlenecks::section(&first.hardware.name, &first.evaluation));
    }
    text.push('\n');
    text + &notes(
        machines.iter().map(|m| (m.hardware.name.as_str(), &m.evaluation.notes[..])),
        "all machines",
    )
}

fn names(machines: &[MachineEvaluation]) -> Column {
    Column::new("hardware", "", machines.iter().map(|m| m.hardware.name.clone()))
}

/// A column in one unit, with three digits of each figure: machines are orders of magnitude apart.
fn scaled(
    machines: &[MachineEvaluation],
    name: &str,
    unit: &str,
    scale: fn(f64, &str) -> Scale,
    value: Value,
) -> Column {
    let scale = scale(machines.iter().map(value).fold(0.0, f64::max), unit);
    let text = |m: &MachineEvaluation| figure(scale.apply(value(m)));
    Column::new(name, &scale.unit, machines.iter().map(text))
}

/// Four digits, and no more than four behind the point.
fn figure(value: f64) -> String {
    fixed(value, decimals(value, 4).min(4))
}

/// Our repetition of the published rules beside what is printed, and its traffic beside ours.
fn published(comparison: &Comparison) -> String {
    let Some(source) = &comparison.published else { return String::new() };
    let machines = &comparison.machines;
    let column = |name: &str, unit: &str, value: fn(&AsPublished, f64) -> Option<String>| {
        let cell = |m: &MachineEvaluation| {
            m.published.as_ref().and_then(|p| value(p, m.dram_bits())).unwrap_or_else(|| "-".to_owned())
        };
        Column::new(name, unit, machines.iter().map(cell))
    };
    let columns = [
        names(machines),
        column("latency", "ms", |p, _| Some(figure(p.latency_s * 1e3))),
        column("printed", "ms", |p, _| p.printed_latency_s.map(|s| figure(s * 1e3))),
        column("differs", "%", |p, _| p.printed_latency_s.map(|s| difference(p.latency_s, s))),
        column("energy", "mJ", |p, _| p.energy_j.map(|j| figure(j * 1e3))),
        column("printed", "mJ", |p, _| p.printed_energy_j.map(|j| figure(j * 1e3))),
        column("differs", "%", |p, _| Some(difference(p.energy_j?, p.printed_energy_j?))),
        column("DRAM given", "Mbit", |p, _| p.dram_bits.map(|bits| figure(bits * 1e-6))),
        column("DRAM ours", "Mbit", |_, ours| Some(figure(ours * 1e-6))),
    ];
    format!("\nby the rules of {source}\n\n{}\n{}", lines(&columns), wrap(TRAFFIC))
}

/// How well descriptions predict what is published of their machines.
fn agreement(machines: &[MachineEvaluation]) -> String {
    let found = |m: &MachineEvaluation| {
        let name = m.hardware.name.clone();
        m.agreement
            .iter()
            .map(move |agreement| wrap(&format!("{name}: published {agreement}")))
            .collect::<String>()
    };
    let all: String = machines.iter().map(found).collect();
    if all.is_empty() { all } else { format!("\n{all}") }
}

fn difference(found: f64, printed: f64) -> String {
    format!("{:+.2}", 100.0 * (found / printed - 1.0))
}

#[derive(Serialize)]
struct Report<'a> {
    schema_version: u32,
    spiq_version: &'static str,
    command: &'a str,
    model: &'a ModelSummary,
    source: &'a ActivitySource,
    published_rules: Option<&'a str>,
    machines: Vec<Machine<'a>>,
}

#[derive(Serialize)]
struct Machine<'a> {
    hardware: &'a HardwareSummary,
    evaluation: Setting<'a>,
    dram_bits: f64,
    as_published: Option<&'a AsPublished>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement: Option<&'a [Agreement]>,
}

impl<'a> Machine<'a> {
    fn new(machine: &'a MachineEvaluation) -> Self {
        Self {
            hardware: &machine.hardware,
            evaluation: Setting(&machine.evaluation),
            dram_bits: machine.dram_bits(),
            as_published: machine.published.as_ref(),
            agreement: Some(&machine.agreement[..]).filter(|found| !found.is_empty()),
        }
    }
}

/// The comparison as pretty JSON with a newline at its end.
///
/// # Errors
/// A number that is not finite, named with its machine.
pub fn comparison_to_json(comparison: &Comparison) -> Result<String> {
    check(comparison)?;
    let report = Report {
        schema_version: SCHEMA_VERSION,
        spiq_version: env!("CARGO_PKG_VERSION"),
        command: &comparison.command,
        model: &comparison.model,
        source: &comparison.source,
        published_rules: comparison.published.as_deref(),
        machines: comparison.machines.iter().map(Machine::new).collect(),
    };
    let mut text = serde_json::to_string_pretty(&report)
        .map_err(|error| Error::io("comparison.json", std::io::Error::other(error)))?;
    text.push('\n');
    Ok(text)
}

fn check(comparison: &Comparison) -> Result<()> {
    for machine in &comparison.machines {
        columns::check_evaluation(&format!("hardware {}", machine.hardware.name), &machine.evaluation)?;
    }
    Ok(())
}

/// `comparison.csv`: one row per machine.
pub(super) fn csv(comparison: &Comparison) -> Result<Vec<u8>> {
    let mut header = vec!["hardware".to_owned()];
    header.extend(column::names(SETTING));
    let published = [
        "published_latency_s",
        "printed_latency_s",
        "published_energy_j",
        "printed_energy_j",
        "published_dram_bits",
    ];
    header.extend(published.map(str::to_owned));
    let rows = comparison.machines.iter().map(|machine| {
        let mut cells = vec![Cell::Text(machine.hardware.name.clone())];
        cells.extend(column::cells(SETTING, &machine.evaluation));
        let of = |value: fn(&AsPublished) -> Option<f64>| {
            machine.published.as_ref().and_then(value).map_or(Cell::Absent, Cell::Number)
        };
        cells.push(of(|p| Some(p.latency_s)));
        cells.push(of(|p| p.printed_latency_s));
        cells.push(of(|p| p.energy_j));
        cells.push(of(|p| p.printed_energy_j));
        cells.push(of(|p| p.dram_bits));
        cells
    });
    csv::write("comparison.csv", header, rows)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn machines_stand_side_by_side_with_what_is_printed() {
        let text = comparison_table(&fixture::comparison());
        let line = |name: &str| -> Vec<Vec<&str>> {
            let lines = text.lines().filter(|line| line.starts_with(name));
            lines.map(|line| line.split_whitespace().collect()).collect()
        };
        let [ours, published] = &line("edge-a ")[..] else { panic!("two lines of edge-a:\n{text}") };
        assert_eq!(ours.len(), 7, "{text}");
        assert_eq!(
            published[1..],
            ["2.000", "1.600", "+25.00", "3.000", "4.000", "-25.00", "100.0", "8.000"]
        );
        assert!(text.contains("by the rules of a paper") && text.contains("all machines: "), "{text}");
        assert!(
            line("edge-b ")[1][1..].iter().take(8).all(|cell| *cell == "-" || *cell == "8.000"),
            "{text}"
        );
    }

    #[test]
    fn files_hold_every_machine_and_refuse_what_is_no_number() {
        let mut comparison = fixture::comparison();
        let csv = String::from_utf8(csv(&comparison).unwrap()).unwrap();
        assert_eq!(csv.lines().count(), 3);
        assert!(csv.lines().next().unwrap().starts_with("hardware,setting,accuracy,"), "{csv}");
        let json: serde_json::Value =
            serde_json::from_str(&comparison_to_json(&comparison).unwrap()).unwrap();
        assert_eq!(json["machines"][1]["hardware"]["name"], "edge-b");
        assert_eq!(json["machines"][0]["as_published"]["printed_latency_s"], 1.6e-3);
        comparison.machines[1].evaluation.power_w = f64::NAN;
        let message = comparison_to_json(&comparison).unwrap_err().to_string();
        assert!(message.contains("edge-b") && message.contains("power_w"), "{message}");
    }
}
