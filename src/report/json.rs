//! The schema of `report.json`. Structs fix the order of the fields, so the same simulation gives
//! the same bytes.

use serde::Serialize;

use super::columns;
use crate::cost::{AreaMm2, Cycles, EnergyJ, ExecutedBits, MemoryBytes, TrafficBits};
use crate::error::{Error, Result};
use crate::evaluate::{
    ActivitySource, DataSummary, Evaluation, HardwareSummary, LayerEvaluation, ModelSummary, RatesSummary,
    Simulation, TableEvaluation,
};

/// Rises when a field changes its name, its unit or its meaning.
const SCHEMA_VERSION: u32 = 1;

/// The report as pretty JSON with a newline at its end.
///
/// # Errors
///
/// A number that is not finite, named with its setting and layer.
pub fn to_json(simulation: &Simulation) -> Result<String> {
    columns::check(simulation)?;
    let (data, rates) = match &simulation.source {
        ActivitySource::Data(data) => (Some(data), None),
        ActivitySource::Rates(rates) => (None, Some(rates)),
    };
    let report = Report {
        schema_version: SCHEMA_VERSION,
        spiq_version: env!("CARGO_PKG_VERSION"),
        model: &simulation.model,
        hardware: &simulation.hardware,
        data,
        rates,
        settings: simulation.settings.iter().map(Setting::new).collect(),
        tables: &simulation.tables,
    };
    let mut text = serde_json::to_string_pretty(&report)
        .map_err(|error| Error::io("report.json", std::io::Error::other(error)))?;
    text.push('\n');
    Ok(text)
}

#[derive(Serialize)]
struct Report<'a> {
    schema_version: u32,
    spiq_version: &'static str,
    model: &'a ModelSummary,
    hardware: &'a HardwareSummary,
    data: Option<&'a DataSummary>,
    rates: Option<&'a RatesSummary>,
    settings: Vec<Setting<'a>>,
    tables: &'a [TableEvaluation],
}

#[derive(Serialize)]
struct Memory<'a> {
    #[serde(flatten)]
    parts: &'a MemoryBytes,
    total: f64,
}

#[derive(Serialize)]
struct CycleCount<'a> {
    total: f64,
    #[serde(flatten)]
    parts: &'a Cycles,
}

impl<'a> CycleCount<'a> {
    fn new(parts: &'a Cycles) -> Self {
        Self { total: parts.total(), parts }
    }
}

#[derive(Serialize)]
struct Energy<'a> {
    total: f64,
    dynamic: &'a EnergyJ,
    leakage: f64,
}

impl<'a> Energy<'a> {
    fn new(dynamic: &'a EnergyJ, leakage: f64) -> Self {
        Self { total: dynamic.total() + leakage, dynamic, leakage }
    }
}

/// A setting with its layers.
#[derive(Serialize)]
pub(super) struct Setting<'a> {
    name: &'a str,
    notes: &'a [String],
    accuracy: Option<f64>,
    accuracy_drop: Option<f64>,
    average_weight_bits: f64,
    memory_bytes: Memory<'a>,
    cycles: CycleCount<'a>,
    latency_s: f64,
    worst_latency_s: f64,
    energy_j: Energy<'a>,
    traffic_bits: &'a TrafficBits,
    worst_energy_j: f64,
    power_w: f64,
    energy_per_synaptic_operation_j: f64,
    synaptic_operations: f64,
    spikes: f64,
    saturations: f64,
    area_mm2: Option<f64>,
    area_parts_mm2: Option<&'a AreaMm2>,
    layers: Vec<Layer<'a>>,
}

impl<'a> Setting<'a> {
    /// Of `evaluation`.
    pub(super) fn new(evaluation: &'a Evaluation) -> Self {
        Self {
            name: &evaluation.name,
            notes: &evaluation.notes,
            accuracy: evaluation.accuracy,
            accuracy_drop: evaluation.accuracy_drop,
            average_weight_bits: evaluation.average_weight_bits,
            memory_bytes: Memory { parts: &evaluation.memory_bytes, total: evaluation.memory_bytes.total() },
            cycles: CycleCount::new(&evaluation.cycles),
            latency_s: evaluation.latency_s,
            worst_latency_s: evaluation.worst_latency_s,
            energy_j: Energy::new(&evaluation.energy_j, evaluation.leakage_j),
            traffic_bits: &evaluation.traffic_bits,
            worst_energy_j: evaluation.worst_energy_j,
            power_w: evaluation.power_w,
            energy_per_synaptic_operation_j: evaluation.energy_per_synaptic_operation_j(),
            synaptic_operations: evaluation.synaptic_operations,
            spikes: evaluation.spikes,
            saturations: evaluation.saturations,
            area_mm2: evaluation.area_mm2.map(|area| area.total()),
            area_parts_mm2: evaluation.area_mm2.as_ref(),
            layers: evaluation.layers.iter().map(Layer::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct Layer<'a> {
    name: &'a str,
    kind: &'a str,
    block: &'a str,
    mapping: &'a str,
    loops: &'a [String],
    weight_bits: u32,
    membrane_bits: u32,
    weight_bytes: f64,
    synaptic_operations: f64,
    accumulations: f64,
    multiplications: f64,
    dense_operations: f64,
    neuron_updates: f64,
    input_rate: f64,
    spike_rate: f64,
    spikes: f64,
    saturations: f64,
    cycles: CycleCount<'a>,
    energy_j: Energy<'a>,
    executed_bits: &'a ExecutedBits,
    traffic_bits: &'a TrafficBits,
}

impl<'a> Layer<'a> {
    fn new(layer: &'a LayerEvaluation) -> Self {
        Self {
            name: &layer.name,
            kind: &layer.kind,
            block: &layer.block,
            mapping: &layer.mapping,
            loops: &layer.loops,
            weight_bits: layer.weight_bits,
            membrane_bits: layer.membrane_bits,
            weight_bytes: layer.weight_bytes,
            synaptic_operations: layer.synaptic_operations,
            accumulations: layer.accumulations,
            multiplications: layer.multiplications,
            dense_operations: layer.dense_operations,
            neuron_updates: layer.neuron_updates,
            input_rate: layer.input_rate,
            spike_rate: layer.spike_rate,
            spikes: layer.spikes,
            saturations: layer.saturations,
            cycles: CycleCount::new(&layer.cycles),
            energy_j: Energy::new(&layer.energy_j, layer.leakage_j),
            executed_bits: &layer.executed_bits,
            traffic_bits: &layer.traffic_bits,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::fixture;
    use super::*;

    fn sum(object: &Value, without: &str) -> f64 {
        let fields = object.as_object().unwrap();
        fields.iter().filter(|(name, _)| *name != without).map(|(_, v)| v.as_f64().unwrap()).sum()
    }

    fn assert_close(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-12 * a.abs().max(b.abs()), "{a} {b}");
    }

    fn assert_totals(row: &Value) {
        assert_close(row["cycles"]["total"].as_f64().unwrap(), sum(&row["cycles"], "total"));
        let energy = &row["energy_j"];
        let parts = sum(&energy["dynamic"], "") + energy["leakage"].as_f64().unwrap();
        assert_close(energy["total"].as_f64().unwrap(), parts);
    }

    #[test]
    fn totals_equal_the_sums_of_their_parts() {
        let simulation = fixture::simulation(3, 20);
        let report: Value = serde_json::from_str(&to_json(&simulation).unwrap()).unwrap();
        assert_eq!(report["schema_version"], 1);
        assert_eq!(report["data"]["images"], 1000);
        for setting in report["settings"].as_array().unwrap() {
            assert_totals(setting);
            let memory = &setting["memory_bytes"];
            assert_close(memory["total"].as_f64().unwrap(), sum(memory, "total"));
            assert_eq!(setting["layers"].as_array().unwrap().len(), 20);
            setting["layers"].as_array().unwrap().iter().for_each(assert_totals);
        }
    }

    #[test]
    fn fields_keep_their_order_and_bytes_repeat() {
        let simulation = fixture::simulation(2, 1);
        let text = to_json(&simulation).unwrap();
        assert_eq!(text, to_json(&simulation.clone()).unwrap());
        assert!(text.ends_with("}\n"));
        let order =
            ["\"schema_version\"", "\"model\"", "\"notes\"", "\"sha256\"", "\"hardware\"", "\"settings\""];
        let places: Vec<usize> = order.iter().map(|name| text.find(name).unwrap()).collect();
        assert!(places.is_sorted(), "{places:?}");
        assert!(text.find("\"ideal\"").unwrap() > text.find("\"total\"").unwrap());
    }

    #[test]
    fn without_images_there_is_no_accuracy() {
        let report: Value = serde_json::from_str(&to_json(&fixture::expected(2, 3)).unwrap()).unwrap();
        assert_eq!(report["data"], Value::Null);
        assert_eq!(report["rates"]["file"], "rates.csv");
        assert_eq!(report["settings"][1]["accuracy"], Value::Null);
        assert_eq!(report["settings"][1]["accuracy_drop"], Value::Null);
    }

    #[test]
    fn unknown_area_is_null_and_no_number_is_an_error() {
        let mut simulation = fixture::simulation(1, 2);
        simulation.settings[0].area_mm2 = None;
        assert!(to_json(&simulation).unwrap().contains("\"area_mm2\": null"));
        simulation.settings[0].layers[1].energy_j.dram = f64::NAN;
        assert!(matches!(to_json(&simulation), Err(Error::Field { .. })));
    }
}
