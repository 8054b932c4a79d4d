//! What a design is exported of, and what its manifest says of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::predicted::CauseCycles;
use crate::hw::Hardware;
use crate::model::{Images, NodeId};
use crate::quant::QuantizedModel;

/// What [`export_design`](super::export_design) is asked for.
#[derive(Debug, Clone, Copy)]
pub struct DesignRequest<'a> {
    /// The network.
    pub model: &'a QuantizedModel,
    /// Names of the model and the setting.
    pub names: [&'a str; 2],
    /// The machine.
    pub hardware: &'a Hardware,
    /// One image.
    pub images: &'a Images,
    /// Names of weight layers; all that the design runs where there are none.
    pub layers: &'a [String],
}

/// `manifest.json` of a design.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DesignExport {
    pub(super) schema: String,
    pub(super) version: u32,
    /// Model, setting, machine.
    pub model: String,
    pub(super) setting: String,
    pub(super) hardware: String,
    /// SHA-256 of everything that a run reads; its log repeats it.
    pub(super) sha256: String,
    pub(super) positions: usize,
    pub(super) channels: usize,
    /// Layers that run, in the order of the network.
    pub layers: Vec<ExportedLayer>,
    /// Weight layers that do not, and why.
    pub left_out: BTreeMap<String, String>,
}

/// A layer of [`DesignExport`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExportedLayer {
    /// Name of the layer, and of its folder.
    pub name: String,
    /// How it is mapped, in words.
    pub(super) mapping: String,
    /// Values that it yields: spikes, or sums.
    pub(super) values: u64,
    /// True if sums leave instead of spikes.
    pub(super) sums: bool,
    /// Output channels of a tile, and of the last one.
    pub(super) tile_channels: [usize; 2],
    /// Tiles.
    pub(super) tiles: usize,
    /// Rows that neurons take of the last wave of a tile.
    pub(super) last_rows: usize,
    /// Bits that a value takes, of an operation between weight layers.
    pub(super) element_bits: Option<usize>,
    /// By the cost model.
    pub(super) cycles: CauseCycles,
}

impl DesignExport {
    /// What `manifest.json` is called.
    pub(super) const SCHEMA: &'static str = "spiq-rtl-design";

    /// Refuses what no export writes: words of lanes and values have 1 to 64 bits, and layers the names of folders.
    pub(super) fn check(&self) -> Result<(), String> {
        let Self { schema, version, channels, positions, layers, .. } = self;
        if schema != Self::SCHEMA || *version != 1 {
            return Err(format!("schema {schema} {version}, not {} 1", Self::SCHEMA));
        }
        if !(1..=64).contains(channels) || *positions == 0 {
            return Err(format!("{positions} positions of {channels} channels are no lanes"));
        }
        for ExportedLayer { name, element_bits, .. } in layers {
            if name.contains(['/', '\\']) || name.starts_with('.') {
                return Err("a layer's name that is no folder's".to_owned());
            }
            if let Some(bits) = element_bits.filter(|bits| !(1..=64).contains(bits)) {
                return Err(format!("{name}: element_bits: {bits} is not in 1..=64"));
            }
        }
        Ok(())
    }
}

/// Recorded frames by node and timestep.
pub type Frames = BTreeMap<(NodeId, usize), Vec<i64>>;
