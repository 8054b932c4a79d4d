//! The flat columns of a setting and of a layer: what the CSV files hold, and what is checked
//! before anything is written.

use crate::cost::{Cycles, EnergyJ, ExecutedBits, MemoryBytes, TrafficBits};
use crate::error::{Error, Result};
use crate::evaluate::{Evaluation, LayerEvaluation, Simulation};

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// A name or a remark.
    Text(String),
    /// A number in the unit that the column's name ends with.
    Number(f64),
    /// A number that the simulation does not know.
    Absent,
}

type Labels = &'static [(&'static str, &'static str)];

/// A column, or a group of columns with one per part of a total.
pub(super) enum Column<T> {
    /// One column: its name and its value.
    One(&'static str, fn(&T) -> Cell),
    /// One column `prefix_part_unit` per part; the unit may be empty.
    Parts(&'static str, &'static str, Labels, fn(&T) -> Vec<f64>),
}

impl<T> Column<T> {
    fn names(&self) -> Vec<String> {
        match self {
            Self::One(name, _) => vec![(*name).to_owned()],
            Self::Parts(prefix, "", labels, _) => {
                labels.iter().map(|(part, _)| format!("{prefix}_{part}")).collect()
            }
            Self::Parts(prefix, unit, labels, _) => {
                labels.iter().map(|(part, _)| format!("{prefix}_{part}_{unit}")).collect()
            }
        }
    }

    fn cells(&self, row: &T) -> Vec<Cell> {
        match self {
            Self::One(_, value) => vec![value(row)],
            Self::Parts(_, _, _, values) => values(row).into_iter().map(Cell::Number).collect(),
        }
    }
}

fn text(value: &str) -> Cell {
    Cell::Text(value.to_owned())
}

fn optional(value: Option<f64>) -> Cell {
    value.map_or(Cell::Absent, Cell::Number)
}

/// Columns of one setting.
pub(super) const SETTING: &[Column<Evaluation>] = &[
    Column::One("setting", |e| text(&e.name)),
    Column::One("accuracy", |e| optional(e.accuracy)),
    Column::One("accuracy_drop", |e| optional(e.accuracy_drop)),
    Column::One("average_weight_bits", |e| Cell::Number(e.average_weight_bits)),
    Column::Parts("memory", "bytes", MemoryBytes::LABELS, |e| e.memory_bytes.parts()),
    Column::One("memory_total_bytes", |e| Cell::Number(e.memory_bytes.total())),
    Column::One("cycles_total", |e| Cell::Number(e.cycles.total())),
    Column::Parts("cycles", "", Cycles::LABELS, |e| e.cycles.parts()),
    Column::One("latency_s", |e| Cell::Number(e.latency_s)),
    Column::One("worst_latency_s", |e| Cell::Number(e.worst_latency_s)),
    Column::One("energy_total_j", |e| Cell::Number(e.total_energy_j())),
    Column::Parts("energy", "j", EnergyJ::LABELS, |e| e.energy_j.parts()),
    Column::One("energy_leakage_j", |e| Cell::Number(e.leakage_j)),
    Column::Parts("traffic", "bits", TrafficBits::LABELS, |e| e.traffic_bits.parts()),
    Column::One("worst_energy_j", |e| Cell::Number(e.worst_energy_j)),
    Column::One("power_w", |e| Cell::Number(e.power_w)),
    Column::One("energy_per_synaptic_operation_j", |e| Cell::Number(e.energy_per_synaptic_operation_j())),
    Column::One("synaptic_operations", |e| Cell::Number(e.synaptic_operations)),
    Column::One("spikes", |e| Cell::Number(e.spikes)),
    Column::One("saturations", |e| Cell::Number(e.saturations)),
    Column::One("area_mm2", |e| optional(e.area_mm2.map(|area| area.total()))),
    Column::One("notes", |e| Cell::Text(e.notes.join("; "))),
];

/// Columns of one layer; the file puts the setting's name before them.
pub(super) const LAYER: &[Column<LayerEvaluation>] = &[
    Column::One("layer", |l| text(&l.name)),
    Column::One("kind", |l| text(&l.kind)),
    Column::One("block", |l| text(&l.block)),
    Column::One("mapping", |l| text(&l.mapping)),
    Column::One("weight_bits", |l| Cell::Number(l.weight_bits.into())),
    Column::One("membrane_bits", |l| Cell::Number(l.membrane_bits.into())),
    Column::One("weight_bytes", |l| Cell::Number(l.weight_bytes)),
    Column::One("synaptic_operations", |l| Cell::Number(l.synaptic_operations)),
    Column::One("accumulations", |l| Cell::Number(l.accumulations)),
    Column::One("multiplications", |l| Cell::Number(l.multiplications)),
    Column::One("dense_operations", |l| Cell::Number(l.dense_operations)),
    Column::One("neuron_updates", |l| Cell::Number(l.neuron_updates)),
    Column::One("input_rate", |l| Cell::Number(l.input_rate)),
    Column::One("spike_rate", |l| Cell::Number(l.spike_rate)),
    Column::One("spikes", |l| Cell::Number(l.spikes)),
    Column::One("saturations", |l| Cell::Number(l.saturations)),
    Column::One("cycles_total", |l| Cell::Number(l.cycles.total())),
    Column::Parts("cycles", "", Cycles::LABELS, |l| l.cycles.parts()),
    Column::One("energy_total_j", |l| Cell::Number(l.energy_j.total() + l.leakage_j)),
    Column::Parts("energy", "j", EnergyJ::LABELS, |l| l.energy_j.parts()),
    Column::One("energy_leakage_j", |l| Cell::Number(l.leakage_j)),
    Column::Parts("executed", "bits", ExecutedBits::LABELS, |l| l.executed_bits.parts()),
    Column::Parts("traffic", "bits", TrafficBits::LABELS, |l| l.traffic_bits.parts()),
];

/// Names of `columns`, in order.
pub(super) fn names<T>(columns: &[Column<T>]) -> Vec<String> {
    columns.iter().flat_map(Column::names).collect()
}

/// Values of `row`, in the order of [`names`].
pub(super) fn cells<T>(columns: &[Column<T>], row: &T) -> Vec<Cell> {
    columns.iter().flat_map(|column| column.cells(row)).collect()
}

/// Refuses a simulation with a number that is infinite or none at all: JSON has no word for it,
/// and a picture no place.
pub(super) fn check(simulation: &Simulation) -> Result<()> {
    simulation
        .settings
        .iter()
        .try_for_each(|setting| check_evaluation(&format!("setting {}", setting.name), setting))
}

/// The same of one evaluation, which messages call `name`.
pub(super) fn check_evaluation(name: &str, evaluation: &Evaluation) -> Result<()> {
    check_row(SETTING, evaluation, || name.to_owned())?;
    let mut layers = evaluation.layers.iter();
    layers.try_for_each(|layer| check_row(LAYER, layer, || format!("{name}, layer {}", layer.name)))
}

/// Parts come before the totals that they spoil, so that the message names the part.
fn check_row<T>(columns: &[Column<T>], row: &T, place: impl Fn() -> String) -> Result<()> {
    let wrong: Vec<(String, f64)> = names(columns)
        .into_iter()
        .zip(cells(columns, row))
        .filter_map(|(name, cell)| match cell {
            Cell::Number(value) if !value.is_finite() => Some((name, value)),
            _ => None,
        })
        .collect();
    let part = wrong.iter().find(|(name, _)| !name.contains("total")).or(wrong.first());
    match part {
        Some((name, value)) => Err(Error::field(place(), name, format!("{value} is not a finite number"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn every_column_has_a_value_and_a_name_of_its_own() {
        let simulation = fixture::simulation(2, 3);
        let setting = &simulation.settings[0];
        let mut all = names(SETTING);
        assert_eq!(all.len(), cells(SETTING, setting).len());
        assert_eq!(names(LAYER).len(), cells(LAYER, &setting.layers[0]).len());
        for name in ["memory_weights_bytes", "cycles_ideal", "energy_synapse_j", "energy_dram_j"] {
            assert!(all.iter().any(|n| n == name), "{name}");
        }
        all.sort();
        all.dedup();
        assert_eq!(all.len(), names(SETTING).len());
    }

    #[test]
    fn the_message_names_the_part_that_is_not_finite() {
        let mut simulation = fixture::simulation(2, 3);
        assert!(check(&simulation).is_ok());
        simulation.settings[1].layers[2].cycles.port_stall = f64::NAN;
        let message = check(&simulation).unwrap_err().to_string();
        assert_eq!(
            message,
            "setting w8, layer block.0.attn.q_conv: cycles_port_stall: NaN is not a finite number"
        );
        simulation.settings[0].power_w = f64::INFINITY;
        assert!(check(&simulation).unwrap_err().to_string().contains("setting fp32: power_w: inf"));
    }
}
