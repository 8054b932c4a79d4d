//! A mapping that a file fixes, as far as it says.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Dataflow, Order, Workload};
use crate::error::{Error, Result};
use crate::files::Folder;
use crate::hw::{Placement, Unrolling};
use crate::ron_file::parse_ron;

/// What a file says of the mapping of a network; the mapper chooses the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct FixedMapping {
    /// For messages.
    path: String,
    spec: Spec,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename = "NetworkMapping")]
struct Spec {
    /// Where the loop over timesteps stands.
    #[serde(default)]
    timesteps: Option<Placement>,
    /// By name.
    #[serde(default)]
    layers: BTreeMap<String, Wish>,
}

/// What a file says of the mapping of one layer.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// What stays in the array.
    #[serde(default)]
    pub dataflow: Option<Dataflow>,
    /// What the lanes stand for.
    #[serde(default)]
    pub lanes: Option<Unrolling>,
    /// Output channels of one tile.
    #[serde(default)]
    pub channels: Option<usize>,
    /// Which tiles come from off chip one after the other.
    #[serde(default)]
    pub order: Option<Order>,
    /// Whether a product that is the same at every timestep is computed at each of them.
    #[serde(default)]
    pub recompute: Option<bool>,
}

impl FixedMapping {
    /// Loads a file.
    ///
    /// # Errors
    /// If it does not parse, or a field of it is zero.
    pub fn load(spec: &str) -> Result<Self> {
        let path = std::path::Path::new(spec);
        let name = path.file_name().ok_or_else(|| Error::mismatch(format!("{spec}: not a file")))?;
        let folder = Folder::Disk(path.parent().map_or_else(Default::default, std::path::Path::to_path_buf));
        Self::parse(&folder.read_text(&name.to_string_lossy())?, spec)
    }

    /// Parses a file; `path` is for messages.
    ///
    /// # Errors
    /// If it does not parse, or a field of it is zero.
    pub fn parse(text: &str, path: &str) -> Result<Self> {
        let spec: Spec = parse_ron(text, path)?;
        for (name, wish) in &spec.layers {
            let zero =
                |field: &str| Err(Error::field(path, format!("layers: {name}: {field}"), "0 is too few"));
            if wish.channels == Some(0) {
                return zero("channels");
            }
            if matches!(wish.order, Some(Order::PositionsOutermost { tiles: 0, .. })) {
                return zero("order: tiles");
            }
        }
        Ok(Self { path: path.to_owned(), spec })
    }

    /// Refuses layers that `workload` does not have, and timesteps where the machine cannot put them.
    ///
    /// # Errors
    /// Names file and field.
    pub fn check(&self, workload: &Workload, placements: &[Placement]) -> Result<()> {
        if let Some(placement) = self.spec.timesteps.filter(|p| !placements.contains(p)) {
            let message = format!("{placement:?} is not one of the placements of the hardware");
            return Err(Error::field(&self.path, "timesteps", message));
        }
        let known = |name: &String| workload.layers.iter().any(|layer| layer.name == *name);
        match self.spec.layers.keys().find(|name| !known(name)) {
            Some(name) => Err(Error::field(&self.path, "layers", format!("{name}: no such layer"))),
            None => Ok(()),
        }
    }

    /// True if the loop over timesteps may stand at `placement`.
    pub fn allows(&self, placement: Placement) -> bool {
        self.spec.timesteps.is_none_or(|p| p == placement)
    }

    /// What it says of the layer called `name`.
    pub fn wish(&self, name: &str) -> Option<&Wish> {
        self.spec.layers.get(name)
    }

    /// The layer called `name` has no plan like that.
    pub fn refused(&self, name: &str) -> Error {
        let wish = self.spec.layers.get(name).map_or_else(String::new, Wish::describe);
        let message =
            format!("no legal plan has {wish}: the array, the layer or a memory is too small for it");
        Error::field(&self.path, format!("layers: {name}"), message)
    }
}

impl Wish {
    fn describe(&self) -> String {
        let parts = [
            self.dataflow.map(|d| format!("dataflow {d:?}")),
            self.lanes.map(|lanes| format!("lanes {lanes}")),
            self.channels.map(|c| format!("channels {c}")),
            self.order.map(|o| format!("order {o:?}")),
            self.recompute.map(|r| format!("recompute {r}")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
