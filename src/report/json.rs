//! The schema of `report.json`. Structs and lists of columns fix the order of the fields, so one simulation
//! always gives the same bytes.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::column::Row;
use super::columns::{self, LAYER, MEMORY, SETTING, UNIT};
use crate::error::Error;
use crate::evaluate::{
    ActivitySource, Bottleneck, DataSummary, Evaluation, HardwareSummary, ModelSummary, RatesSummary,
    Simulation, SpikesSummary, TableEvaluation,
};

/// Rises when a field changes its name, its unit or its meaning.
const SCHEMA_VERSION: u32 = 2;

/// The report as pretty JSON with a newline at its end.
///
/// # Errors
///
/// A number that is not finite, named with its setting and layer.
pub fn to_json(simulation: &Simulation) -> crate::error::Result<String> {
    columns::check(simulation)?;
    let (data, rates, spikes) = match &simulation.source {
        ActivitySource::Data(data) => (Some(data), None, None),
        ActivitySource::Rates(rates) => (None, Some(rates), None),
        ActivitySource::Spikes(spikes) => (None, None, Some(spikes)),
    };
    let report = Report {
        schema_version: SCHEMA_VERSION,
        spiq_version: env!("CARGO_PKG_VERSION"),
        command: &simulation.presentation.command,
        featured_setting: simulation.featured().map(|setting| setting.name.as_str()),
        model: &simulation.model,
        hardware: &simulation.hardware,
        data,
        rates,
        spikes,
        settings: simulation.settings.iter().map(Setting).collect(),
        tables: &simulation.tables,
    };
    let mut text = serde_json::to_string_pretty(&report)
        .map_err(|error| Error::io("report.json", std::io::Error::other(error)))?;
    text.push('\n');
    Ok(text)
}

#[derive(serde::Serialize)]
struct Report<'a> {
    schema_version: u32,
    spiq_version: &'static str,
    command: &'a str,
    featured_setting: Option<&'a str>,
    model: &'a ModelSummary,
    hardware: &'a HardwareSummary,
    data: Option<&'a DataSummary>,
    rates: Option<&'a RatesSummary>,
    spikes: Option<&'a SpikesSummary>,
    settings: Vec<Setting<'a>>,
    tables: &'a [TableEvaluation],
}

/// A setting with the machine's memories and units, and its layers.
pub(super) struct Setting<'a>(pub &'a Evaluation);

impl Serialize for Setting<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        Row(SETTING, self.0).write(&mut map)?;
        map.serialize_entry("area_parts_mm2", &self.0.area_mm2)?;
        let memories: Vec<_> = self.0.memories.iter().map(|memory| Row(MEMORY, memory)).collect();
        map.serialize_entry("memories", &memories)?;
        let units: Vec<_> = self.0.units.iter().map(|unit| Row(UNIT, unit)).collect();
        map.serialize_entry("units", &units)?;
        let layers: Vec<_> = self.0.layers.iter().map(|layer| Row(LAYER, layer)).collect();
        map.serialize_entry("layers", &layers)?;
        map.serialize_entry("bottlenecks", &Bottlenecks(&self.0.bottlenecks))?;
        map.end()
    }
}

/// Layers that cost most, each with its sentence.
struct Bottlenecks<'a>(&'a [Bottleneck]);

impl Serialize for Bottlenecks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Said<'a> {
            #[serde(flatten)]
            bottleneck: &'a Bottleneck,
            finding: String,
            advice: String,
        }
        serializer.collect_seq(self.0.iter().map(|bottleneck| Said {
            bottleneck,
            finding: bottleneck.finding(),
            advice: bottleneck.advice(),
        }))
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
        assert_eq!(report["schema_version"], 2);
        assert_eq!(report["data"]["images"], 1000);
        for setting in report["settings"].as_array().unwrap() {
            assert_totals(setting);
            let footprint = &setting["footprint_bytes"];
            assert_close(footprint["total"].as_f64().unwrap(), sum(footprint, "total"));
            let model = ["weights", "parameters"].map(|part| footprint[part].as_f64().unwrap());
            assert_close(setting["model_bytes"].as_f64().unwrap(), model.iter().sum());
            for memory in setting["memories"].as_array().unwrap() {
                let peak = memory["peak_bytes"]["total"].as_f64().unwrap();
                assert_close(peak, sum(&memory["peak_bytes"], "total"));
                assert_close(
                    peak,
                    memory["share"].as_f64().unwrap() * memory["capacity_bytes"].as_f64().unwrap(),
                );
            }
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
