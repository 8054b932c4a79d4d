//! The constants of a description one by one, each with its source.

use serde::Serialize;
use serde_json::Value;

use super::Hardware;
use super::table::EnergyTable;

/// A figure of a description.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Constant {
    /// Where it stands, such as `memories.weight SRAM.capacity_bytes`.
    pub name: String,
    /// The figure, as the description says it.
    pub value: String,
    /// Where it comes from.
    pub source: String,
}

impl Hardware {
    /// Every constant of the description that has a source, and those of `table`, which charges it.
    pub fn constants(&self, table: &EnergyTable) -> Vec<Constant> {
        let description = serde_json::to_value(self).expect("a description is names and finite numbers");
        let mut constants = Vec::new();
        collect(&description, "", &mut constants);
        constants.extend(of_table(table));
        constants
    }
}

/// Energies of operations at two widths.
fn of_table(table: &EnergyTable) -> impl Iterator<Item = Constant> {
    let constant = move |operation: &str, bits: f64, energy_pj: f64| Constant {
        name: format!("energy table {}: {operation} of {bits} bits, pJ", table.name()),
        value: format!("{energy_pj:.4}"),
        source: table.source().to_owned(),
    };
    [8.0, 32.0].into_iter().flat_map(move |bits| {
        [
            constant("addition", bits, table.add_pj(bits)),
            constant("multiplication", bits, table.multiply_pj(bits, bits)),
            constant("register", bits, table.register_pj(bits)),
            constant("comparison", bits, table.compare_pj(bits)),
        ]
    })
}

/// Adds what `value`, which stands at `path`, has of figures with sources.
fn collect(value: &Value, path: &str, constants: &mut Vec<Constant>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(source)) = fields.get("source") {
                let others: Vec<_> = fields.iter().filter(|(name, _)| *name != "source").collect();
                let figure = |(name, value): &(&String, &Value)| match name.as_str() {
                    "value" => plain(value),
                    _ => format!("{name} {}", plain(value)),
                };
                let value = others.iter().map(figure).collect::<Vec<_>>().join(", ");
                constants.push(Constant { name: path.to_owned(), value, source: source.clone() });
                return;
            }
            for (name, value) in fields {
                // The kind of a unit, and of a way to handle zeros, says less than the name of the unit.
                let is_variant = name.starts_with(|c: char| c.is_ascii_uppercase());
                let path = if is_variant { path.to_owned() } else { below(name) };
                collect(value, &path, constants);
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                let name = name_of(item).map_or_else(|| number.to_string(), str::to_owned);
                collect(item, &below(&name), constants);
            }
        }
        _ => {}
    }
}

/// What a unit or a memory is called.
fn name_of(item: &Value) -> Option<&str> {
    let of_variant = || item.as_object().filter(|fields| fields.len() == 1)?.values().next()?.get("name");
    item.get("name").or_else(of_variant)?.as_str()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_of_a_description_is_listed() {
        let text = include_str!("../../hw_configs/edge-28.ron");
        let hardware = Hardware::parse(text, "edge-28.ron").unwrap();
        let constants = hardware.constants(&hardware.table());
        let of_table = constants.iter().filter(|constant| constant.name.starts_with("energy table")).count();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let sources: usize = lines.map(|line| line.matches("source: \"").count()).sum();
        assert_eq!(constants.len() - of_table, sources);
        let find = |name: &str| constants.iter().find(|constant| constant.name == name).unwrap();
        assert_eq!(find("memories.weight SRAM.capacity_bytes").value, "98304");
        assert_eq!(find("clock_hz").source, "SATA_Sim: units synthesized for 400 MHz");
        let layout = &find("units.lanes.layouts.0").value;
        assert_eq!(layout, "keeps Outputs, lanes [(Positions, 4), (OutputChannels, 64)]");
    }
}
