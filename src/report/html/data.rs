//! The data of a page, from which its script draws: the figures of a document with names said once, rounded to six
//! digits.

use serde::Serialize;
use serde_json::{Number, Value};

use super::document::{Document, Hardware, Layer, Memory, MemoryPort, Parts, Setting, Stall, Unit};
use crate::cost::{Cycles, EnergyJ, FootprintBytes, OnChipBytes};

#[derive(Serialize)]
struct View<'a> {
    row: &'a str,
    featured: usize,
    cycles: Vec<&'a str>,
    energy: Vec<&'a str>,
    footprint: Vec<&'a str>,
    held: Vec<&'a str>,
    machines: Vec<Machine<'a>>,
    layers: Vec<Named<'a>>,
    settings: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Machine<'a> {
    name: &'a str,
    clock_hz: f64,
    units: &'a [Unit],
    memories: &'a [MemoryPort],
}

/// A layer at any setting.
#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    kind: &'a str,
    block: &'a str,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    accuracy: Option<f64>,
    latency_s: f64,
    power_w: f64,
    weight_bits: f64,
    energy: Vec<f64>,
    cycles: Vec<f64>,
    footprint: Vec<f64>,
    memories: &'a [Memory],
    layers: Vec<LayerView<'a>>,
}

/// A layer at one setting.
#[derive(Serialize)]
struct LayerView<'a> {
    mapping: &'a str,
    loops: String,
    bits: [u32; 2],
    operations: f64,
    dense: f64,
    rates: [f64; 2],
    energy: Vec<f64>,
    cycles: Vec<f64>,
    stalls: &'a [Stall],
    traffic: &'a Parts,
    held: Vec<f64>,
}

fn words(labels: &'static [(&'static str, &'static str)]) -> Vec<&'static str> {
    labels.iter().map(|(_, label)| *label).collect()
}

/// The data of a page of `document`.
pub(super) fn of_report(document: &Document) -> Value {
    let layers = document.settings.first().map_or(&[][..], |row| &row.layers);
    let view = View {
        row: document.row,
        featured: document.featured(),
        cycles: words(Cycles::LABELS),
        energy: words(EnergyJ::LABELS).into_iter().chain(["leakage"]).collect(),
        footprint: words(FootprintBytes::LABELS),
        held: words(OnChipBytes::LABELS),
        machines: document.machines.iter().map(machine).collect(),
        layers: layers.iter().map(|l| Named { name: &l.name, kind: &l.kind, block: &l.block }).collect(),
        settings: document.settings.iter().map(row).collect(),
    };
    rounded(serde_json::to_value(view).expect("names and finite numbers"))
}

fn machine(machine: &Hardware) -> Machine<'_> {
    let Hardware { name, clock_hz, units, memories, .. } = machine;
    Machine { name, clock_hz: *clock_hz, units, memories }
}

fn row(setting: &Setting) -> Row<'_> {
    Row {
        name: &setting.name,
        accuracy: setting.accuracy,
        latency_s: setting.latency_s,
        power_w: setting.power_w,
        weight_bits: setting.average_weight_bits,
        energy: setting.energy_j.parts(),
        cycles: setting.cycles_by_cause(),
        footprint: setting.footprint(),
        memories: &setting.memories,
        layers: setting.layers.iter().map(layer).collect(),
    }
}

fn layer(layer: &Layer) -> LayerView<'_> {
    LayerView {
        mapping: &layer.mapping,
        loops: layer.loops.join("\n"),
        bits: [layer.weight_bits, layer.membrane_bits],
        operations: layer.synaptic_operations,
        dense: layer.dense_operations,
        rates: [layer.input_rate, layer.spike_rate],
        energy: layer.energy_j.parts(),
        cycles: super::document::ordered(&layer.cycles, Cycles::LABELS).collect(),
        stalls: &layer.stalls,
        traffic: &layer.traffic_bits,
        held: super::document::ordered(&layer.on_chip_bytes, OnChipBytes::LABELS).collect(),
    }
}

/// `value` with six digits of every number.
pub(super) fn rounded(value: Value) -> Value {
    match value {
        Value::Number(number) if !number.is_u64() => {
            let short = number.as_f64().and_then(|x| format!("{x:.5e}").parse().ok());
            match short {
                Some(whole) if f64::fract(whole) == 0.0 && whole.abs() < 1e15 => Value::from(whole as i64),
                Some(short) => Number::from_f64(short).map_or(Value::Null, Value::Number),
                None => Value::Null,
            }
        }
        Value::Array(items) => items.into_iter().map(rounded).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, rounded(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_six_digits() {
        let value = serde_json::json!([1.23456789e-9, 3.0, 7, -1234567.8, "1.23456789", 0.0]);
        assert_eq!(rounded(value).to_string(), r#"[1.23457e-9,3,7,-1234570,"1.23456789",0]"#);
    }
}
