//! The columns of a setting, of a layer, of a unit and of a memory. A column that is added here is in JSON and in CSV, is checked
//! before anything is written, and is shown on the terminal where it says so.

use super::column::{Cell, Column, Labels, Member, Quantity, Shown, Value, cells, names};
use crate::cost::{Cycles, EnergyJ, ExecutedBits, FootprintBytes, OnChipBytes, TrafficBits, WorkCycles};
use crate::error::{Error, Result};
use crate::evaluate::{Evaluation, LayerEvaluation, MemoryEvaluation, Simulation, UnitEvaluation};

use Quantity::{Bytes, Count, Name, Percent, Plain, Si};
use Value::{Lines, Number, Numbers, Optional, Stalls, Text, Whole};

type OfSetting = Column<Evaluation>;
type OfLayer = Column<LayerEvaluation>;
type OfUnit = Column<UnitEvaluation>;
type OfMemory = Column<MemoryEvaluation>;

/// A number of a group.
const fn one<T>(name: &'static str, value: fn(&T) -> f64) -> Member<T> {
    Member::One(name, value, None)
}

/// A number of a group, which the terminal shows.
const fn shown<T>(
    name: &'static str,
    value: fn(&T) -> f64,
    heading: &'static str,
    quantity: Quantity,
) -> Member<T> {
    Member::One(name, value, Some(Shown { heading, quantity }))
}

/// The parts of a total, beside it.
const fn parts<T>(labels: Labels, values: fn(&T) -> Vec<f64>) -> Member<T> {
    Member::Parts { inside: None, labels, values, shown: &[] }
}

/// The parts of dynamic energy.
const fn dynamic<T>(values: fn(&T) -> Vec<f64>) -> Member<T> {
    Member::Parts { inside: Some("dynamic"), labels: EnergyJ::LABELS, values, shown: &[] }
}

/// Columns of one setting.
pub(super) const SETTING: &[Column<Evaluation>] = &[
    OfSetting::new("name", Text(|e| &e.name)).csv_name("setting").shown("setting", Name),
    OfSetting::new("notes", Lines(|e| &e.notes)).csv_last(),
    OfSetting::new("accuracy", Optional(|e| e.accuracy)).shown("accuracy", Percent("%")),
    OfSetting::new("accuracy_drop", Optional(|e| e.accuracy_drop)).shown("drop", Percent("points")),
    OfSetting::new("average_weight_bits", Number(|e| e.average_weight_bits)).shown("bits", Plain("weight")),
    OfSetting::new("model_bytes", Number(|e| e.footprint_bytes.model())).shown("model", Bytes),
    OfSetting::group(
        "footprint",
        "bytes",
        &[
            Member::Parts {
                inside: None,
                labels: FootprintBytes::LABELS,
                values: |e| e.footprint_bytes.parts(),
                shown: &[("membrane", Bytes)],
            },
            shown("total", |e| e.footprint_bytes.total(), "footprint", Bytes),
        ],
    ),
    OfSetting::group(
        "cycles",
        "",
        &[
            shown("total", |e| e.cycles.total(), "cycles", Count("cycles")),
            parts(Cycles::LABELS, |e| e.cycles.parts()),
        ],
    ),
    OfSetting::new("stall_cycles", Number(|e| e.cycles.stalls())),
    OfSetting::new("stalls", Stalls(|e| &e.stalls)),
    OfSetting::new("batch", Whole(|e| e.batch)),
    OfSetting::new("latency_s", Number(|e| e.latency_s)).shown("latency", Si("s")),
    OfSetting::new("worst_latency_s", Number(|e| e.worst_latency_s)).shown("worst", Si("s")),
    OfSetting::new("throughput_images_per_s", Number(|e| e.images_per_s())),
    OfSetting::group(
        "energy",
        "j",
        &[
            shown("total", |e| e.total_energy_j(), "energy", Si("J")),
            dynamic(|e| e.energy_j.parts()),
            one("leakage", |e| e.leakage_j),
        ],
    ),
    OfSetting::group("traffic", "bits", &[parts(TrafficBits::LABELS, |e| e.traffic_bits.parts())]),
    OfSetting::new("worst_energy_j", Number(|e| e.worst_energy_j)).shown("worst", Si("J")),
    OfSetting::new("power_w", Number(|e| e.power_w)).shown("power", Si("W")),
    OfSetting::new("energy_per_synaptic_operation_j", Number(|e| e.energy_per_synaptic_operation_j()))
        .shown("energy", Si("J/synop")),
    OfSetting::new("synaptic_operations", Number(|e| e.synaptic_operations)),
    OfSetting::new("spikes", Number(|e| e.spikes)),
    OfSetting::new("saturations", Number(|e| e.saturations)),
    OfSetting::new("area_mm2", Optional(|e| e.area_mm2.map(|area| area.total()))),
];

/// Columns of one layer; CSV puts the setting's name before them.
pub(super) const LAYER: &[Column<LayerEvaluation>] = &[
    OfLayer::new("name", Text(|l| &l.name)).csv_name("layer"),
    OfLayer::new("kind", Text(|l| &l.kind)),
    OfLayer::new("block", Text(|l| &l.block)),
    OfLayer::new("mapping", Text(|l| &l.mapping)),
    OfLayer::new("loops", Lines(|l| &l.loops)).not_in_csv(),
    OfLayer::new("weight_bits", Whole(|l| l.weight_bits)),
    OfLayer::new("membrane_bits", Whole(|l| l.membrane_bits)),
    OfLayer::new("weight_bytes", Number(|l| l.weight_bytes)),
    OfLayer::new("synaptic_operations", Number(|l| l.synaptic_operations)),
    OfLayer::new("accumulations", Number(|l| l.accumulations)),
    OfLayer::new("multiplications", Number(|l| l.multiplications)),
    OfLayer::new("dense_operations", Number(|l| l.dense_operations)),
    OfLayer::new("neuron_updates", Number(|l| l.neuron_updates)),
    OfLayer::new("input_rate", Number(|l| l.input_rate)),
    OfLayer::new("spike_rate", Number(|l| l.spike_rate)),
    OfLayer::new("step_spike_rates", Numbers(|l| &l.step_spike_rates)).not_in_csv(),
    OfLayer::new("spikes", Number(|l| l.spikes)),
    OfLayer::new("saturations", Number(|l| l.saturations)),
    OfLayer::group(
        "cycles",
        "",
        &[one("total", |l| l.cycles.total()), parts(Cycles::LABELS, |l| l.cycles.parts())],
    ),
    OfLayer::new("start_cycles", Number(|l| l.start_cycles)),
    OfLayer::new("end_cycles", Number(|l| l.start_cycles + l.cycles.total())),
    OfLayer::new("tiles", Number(|l| l.tiles)),
    OfLayer::new("stall_cycles", Number(|l| l.cycles.stalls())),
    OfLayer::new("stalls", Stalls(|l| &l.stalls)),
    OfLayer::group("busy", "cycles", &[parts(WorkCycles::LABELS, |l| l.busy_cycles.parts())]),
    OfLayer::group(
        "energy",
        "j",
        &[
            one("total", |l| l.energy_j.total() + l.leakage_j),
            dynamic(|l| l.energy_j.parts()),
            one("leakage", |l| l.leakage_j),
        ],
    ),
    OfLayer::group("on_chip", "bytes", &[parts(OnChipBytes::LABELS, |l| l.on_chip_bytes.parts())]),
    OfLayer::group("executed", "bits", &[parts(ExecutedBits::LABELS, |l| l.executed_bits.parts())]),
    OfLayer::group("traffic", "bits", &[parts(TrafficBits::LABELS, |l| l.traffic_bits.parts())]),
];

/// Columns of one kind of work of a unit; CSV puts the setting's name before them.
pub(super) const UNIT: &[Column<UnitEvaluation>] = &[
    OfUnit::new("unit", Text(|u| &u.unit)),
    OfUnit::new("work", Text(|u| u.work)),
    OfUnit::new("ideal_cycles", Number(|u| u.ideal_cycles)),
    OfUnit::new("busy_cycles", Number(|u| u.busy_cycles)),
    OfUnit::new("utilisation", Number(|u| u.utilisation)),
    OfUnit::new("busy_share", Number(|u| u.busy_share)),
];

/// Columns of one on-chip memory; CSV puts the setting's name before them.
pub(super) const MEMORY: &[Column<MemoryEvaluation>] = &[
    OfMemory::new("name", Text(|m| &m.name)).csv_name("memory"),
    OfMemory::new("capacity_bytes", Number(|m| m.capacity_bytes)),
    OfMemory::group(
        "peak",
        "bytes",
        &[one("total", |m| m.peak_bytes.total()), parts(OnChipBytes::LABELS, |m| m.peak_bytes.parts())],
    ),
    OfMemory::new("share", Number(MemoryEvaluation::share)),
    OfMemory::new("layer", Text(|m| &m.layer)),
    OfMemory::new("held_bytes", Numbers(|m| &m.held_bytes)).not_in_csv(),
];

/// Refuses a simulation with a number that is infinite or none at all: JSON has no word for it,
/// and a picture no place.
pub(super) fn check(simulation: &Simulation) -> Result<()> {
    simulation
        .settings
        .iter()
        .try_for_each(|setting| check_evaluation(&format!("setting {}", setting.name), setting))
}

/// Refuses an evaluation with a number that is infinite or none at all; messages call it `name`.
pub(super) fn check_evaluation(name: &str, evaluation: &Evaluation) -> Result<()> {
    check_row(SETTING, evaluation, || name.to_owned())?;
    let mut memories = evaluation.memories.iter();
    memories
        .try_for_each(|memory| check_row(MEMORY, memory, || format!("{name}, memory {}", memory.name)))?;
    let mut units = evaluation.units.iter();
    units.try_for_each(|unit| check_row(UNIT, unit, || format!("{name}, unit {}", unit.unit)))?;
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
        assert_eq!(names(UNIT).len(), cells(UNIT, &setting.units[0]).len());
        assert_eq!(names(MEMORY).len(), cells(MEMORY, &setting.memories[0]).len());
        for name in ["footprint_weights_bytes", "cycles_ideal", "energy_synapse_j", "energy_dram_j"] {
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
