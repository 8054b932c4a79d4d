//! What a page reads of `report.json` or `comparison.json`, whoever wrote it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cost::{Cycles, EnergyJ, FootprintBytes};

/// Named numbers.
pub(super) type Parts = BTreeMap<String, f64>;

/// A report with one row per setting, or a comparison with one row per machine.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    pub spiq_version: String,
    #[serde(default)]
    pub command: String,
    #[serde(default)]
    pub featured_setting: Option<String>,
    pub model: Model,
    /// One for all rows, or one for each.
    #[serde(skip)]
    pub machines: Vec<Hardware>,
    #[serde(skip)]
    pub source: Source,
    #[serde(default)]
    pub settings: Vec<Setting>,
    #[serde(default)]
    pub tables: Vec<Table>,
    /// What a row is: `setting` or `machine`.
    #[serde(skip)]
    pub row: &'static str,
}

#[derive(Debug, Deserialize)]
pub(super) struct Model {
    pub name: String,
    pub family: String,
    pub parameters: u64,
    pub notes: Vec<String>,
    pub sha256: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Hardware {
    pub name: String,
    pub sha256: String,
    #[serde(default)]
    pub energies: String,
    #[serde(default)]
    pub clock_hz: f64,
    #[serde(default)]
    pub units: Vec<Unit>,
    #[serde(default)]
    pub memories: Vec<MemoryPort>,
    #[serde(default)]
    pub constants: Vec<Constant>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Unit {
    pub name: String,
    pub lanes: Option<f64>,
    pub takes_products: bool,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct MemoryPort {
    pub name: String,
    pub feeds_units: Vec<String>,
    pub bits_per_cycle: f64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Constant {
    pub name: String,
    pub value: String,
    pub source: String,
}

/// What activity comes from.
#[derive(Debug, Deserialize)]
pub(super) enum Source {
    Data { name: String, images: u64, sha256: String },
    Rates { file: String, sha256: String },
    Spikes { file: String, images: u64, sha256: String },
}

impl Default for Source {
    fn default() -> Self {
        Self::Rates { file: String::new(), sha256: String::new() }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Setting {
    pub name: String,
    pub notes: Vec<String>,
    pub accuracy: Option<f64>,
    pub accuracy_drop: Option<f64>,
    pub average_weight_bits: f64,
    pub model_bytes: f64,
    pub footprint_bytes: Parts,
    pub cycles: Parts,
    pub latency_s: f64,
    pub throughput_images_per_s: f64,
    pub energy_j: Energy,
    pub power_w: f64,
    pub energy_per_synaptic_operation_j: f64,
    pub area_mm2: Option<f64>,
    pub memories: Vec<Memory>,
    pub units: Vec<Worked>,
    pub layers: Vec<Layer>,
    #[serde(default)]
    pub bottlenecks: Vec<Bottleneck>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Energy {
    pub total: f64,
    pub dynamic: Parts,
    pub leakage: f64,
}

impl Energy {
    /// Parts in their order, leakage last.
    pub fn parts(&self) -> Vec<f64> {
        ordered(&self.dynamic, EnergyJ::LABELS).chain([self.leakage]).collect()
    }
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Memory {
    pub name: String,
    pub capacity_bytes: f64,
    pub peak_bytes: Parts,
    pub share: f64,
    pub layer: String,
    #[serde(default)]
    pub held_bytes: Vec<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Worked {
    pub unit: String,
    pub work: String,
    pub ideal_cycles: f64,
    pub busy_cycles: f64,
    pub busy_share: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Layer {
    pub name: String,
    pub kind: String,
    pub block: String,
    pub mapping: String,
    pub loops: Vec<String>,
    pub weight_bits: u32,
    pub membrane_bits: u32,
    pub synaptic_operations: f64,
    pub dense_operations: f64,
    pub input_rate: f64,
    pub spike_rate: f64,
    #[serde(default)]
    pub step_spike_rates: Vec<f64>,
    pub neuron_updates: f64,
    pub cycles: Parts,
    pub energy_j: Energy,
    pub stalls: Vec<Stall>,
    pub traffic_bits: Parts,
    pub on_chip_bytes: Parts,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Stall {
    pub memory: String,
    pub direction: String,
    pub cycles: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Bottleneck {
    pub layer: String,
    pub energy_share: f64,
    pub cycles_share: f64,
    pub finding: String,
    pub advice: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Table {
    pub table: String,
    pub settings: Vec<TableCost>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TableCost {
    pub setting: String,
    pub energy_j: f64,
    pub latency_s: f64,
    pub rank: u64,
}

/// `parts` in the order of `labels`; 0 where one is not known.
pub(super) fn ordered<'a>(
    parts: &'a Parts,
    labels: &'static [(&'static str, &'static str)],
) -> impl Iterator<Item = f64> + 'a {
    labels.iter().map(|(name, _)| parts.get(*name).copied().unwrap_or(0.0))
}

impl Document {
    /// The row whose layers a page shows first.
    pub fn featured(&self) -> usize {
        let featured = self.featured_setting.as_deref();
        self.settings.iter().position(|row| Some(row.name.as_str()) == featured).unwrap_or(0)
    }
}

impl Setting {
    pub fn total_cycles(&self) -> f64 {
        self.cycles.get("total").copied().unwrap_or(0.0)
    }

    pub fn total_footprint_bytes(&self) -> f64 {
        self.footprint_bytes.get("total").copied().unwrap_or(0.0)
    }

    pub fn cycles_by_cause(&self) -> Vec<f64> {
        ordered(&self.cycles, Cycles::LABELS).collect()
    }

    pub fn footprint(&self) -> Vec<f64> {
        ordered(&self.footprint_bytes, FootprintBytes::LABELS).collect()
    }
}
