//! A mapping that a file fixes, as far as it says: how it is read and written.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Dataflow, Order};
use crate::error::{Error, Result};
use crate::files::Folder;
use crate::hw::{Operand, Placement, Unrolling};
use crate::ron_file::parse_ron;

/// What a file says of the mapping of a network; the mapper chooses the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct FixedMapping {
    /// For messages.
    pub(super) path: String,
    pub(super) spec: MappingSpec,
}

/// All that a file may say.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename = "NetworkMapping")]
pub(super) struct MappingSpec {
    /// Where the loop over timesteps stands.
    pub timesteps: Option<Placement>,
    /// How layers run.
    pub layers: Named<LayerSpec>,
    /// Where maps between layers are, by the node that yields them.
    pub maps: Named<HomeSpec>,
    /// Layers that take turns.
    pub turns: Vec<TurnsSpec>,
}

/// What a file says of one layer.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename = "Layer")]
pub struct LayerSpec {
    /// The unit that takes its product.
    pub unit: Option<String>,
    /// What stays in the array.
    pub dataflow: Option<Dataflow>,
    /// What the lanes stand for.
    pub lanes: Option<Unrolling>,
    /// Output channels of one tile.
    pub channels: Option<usize>,
    /// Which tiles come from off chip one after the other.
    pub order: Option<Order>,
    /// Whether a product that is the same at every timestep is computed at each of them.
    pub recompute: Option<bool>,
    /// Where its weights are: on chip for good, or off chip.
    pub weights: Option<HomeSpec>,
    /// Output channels whose weights stay on chip for good while those of others do not.
    pub resident_channels: Option<usize>,
    /// Where its membranes are.
    pub membranes: Option<HomeSpec>,
    /// Where sums that leave the array are.
    pub partial_sums: Option<HomeSpec>,
    /// Where all maps of activations are while it runs, on machines whose maps have no homes of their own.
    pub activations: Option<HomeSpec>,
    /// Where residual streams are, as activations.
    pub residual: Option<HomeSpec>,
}

/// Where something lives.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub enum HomeSpec {
    /// In the memory of this name.
    OnChip(String),
    /// In off-chip memory.
    OffChip,
}

/// Layers that take turns, tile of positions by tile of positions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename = "Turns")]
pub struct TurnsSpec {
    /// Names of the layers, one behind the other.
    pub layers: Vec<String>,
    /// Tiles of positions.
    pub tiles: usize,
}

/// Values by their names, in the order of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named<T>(pub Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Named<T> {
    /// What is called `name`.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ByName(PhantomData))
    }
}

struct ByName<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ByName<T> {
    type Value = Named<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("values by names")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Named<T>, M::Error> {
        let mut named = Named::default();
        while let Some((name, value)) = map.next_entry::<String, T>()? {
            if named.get(&name).is_some() {
                return Err(M::Error::custom(format!("{name} stands there twice")));
            }
            named.0.push((name, value));
        }
        Ok(named)
    }
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
        let spec: MappingSpec = parse_ron(text, path)?;
        for (name, layer) in &spec.layers.0 {
            let zero =
                |field: &str| Err(Error::field(path, format!("layers: {name}: {field}"), "0 is too few"));
            if layer.channels == Some(0) {
                return zero("channels");
            }
            if matches!(layer.order, Some(Order::PositionsOutermost { tiles: 0, .. })) {
                return zero("order: tiles");
            }
        }
        Ok(Self { path: path.to_owned(), spec })
    }

    /// The mapping as a file that [`Self::parse`] reads.
    pub fn text(&self) -> String {
        let MappingSpec { timesteps, layers, maps, turns } = &self.spec;
        let mut text = "NetworkMapping(\n".to_owned();
        if let Some(placement) = timesteps {
            text += &format!("    timesteps: {placement:?},\n");
        }
        let mut block = |name: &str, [open, close]: [char; 2], lines: Vec<String>| {
            if !lines.is_empty() {
                text += &format!("    {name}: {open}\n");
                lines.into_iter().for_each(|line| text += &format!("        {line},\n"));
                text += &format!("    {close},\n");
            }
        };
        block("layers", ['{', '}'], layers.0.iter().map(|(name, l)| format!("{name:?}: ({l})")).collect());
        block("maps", ['{', '}'], maps.0.iter().map(|(name, home)| format!("{name:?}: {home}")).collect());
        let turns =
            turns.iter().map(|TurnsSpec { layers, tiles }| format!("(layers: {layers:?}, tiles: {tiles})"));
        block("turns", ['[', ']'], turns.collect());
        text + ")\n"
    }
}

impl fmt::Display for HomeSpec {
    /// Writes the home as a mapping file states it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl fmt::Display for LayerSpec {
    /// What a file states of it, without the parentheses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.fields().into_iter();
        let fields: Vec<String> = said.map(|(field, value)| format!("{field}: {value}")).collect();
        f.write_str(&fields.join(", "))
    }
}

impl LayerSpec {
    /// What is said, by its fields, as a file states it.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let home = |home: &Option<HomeSpec>| home.as_ref().map(HomeSpec::to_string);
        let all = [
            ("unit", self.unit.as_ref().map(|unit| format!("{unit:?}"))),
            ("dataflow", self.dataflow.map(|dataflow| format!("{dataflow:?}"))),
            ("lanes", self.lanes.map(|lanes| lanes.to_string())),
            ("channels", self.channels.map(|channels| channels.to_string())),
            ("order", self.order.map(|order| order.to_string())),
            ("recompute", self.recompute.map(|recompute| recompute.to_string())),
            ("weights", home(&self.weights)),
            ("resident_channels", self.resident_channels.map(|channels| channels.to_string())),
            ("membranes", home(&self.membranes)),
            ("partial_sums", home(&self.partial_sums)),
            ("activations", home(&self.activations)),
            ("residual", home(&self.residual)),
        ];
        all.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
    }

    /// Where it wants `operand`.
    pub(super) fn home(&self, operand: Operand) -> Option<&HomeSpec> {
        match operand {
            Operand::Weights => self.weights.as_ref(),
            Operand::Activations => self.activations.as_ref(),
            Operand::PartialSums => self.partial_sums.as_ref(),
            Operand::Membranes => self.membranes.as_ref(),
            Operand::Residual => self.residual.as_ref(),
        }
    }

    /// With `operand` at `home`.
    pub(super) fn put(&mut self, operand: Operand, home: HomeSpec) {
        let place = match operand {
            Operand::Weights => &mut self.weights,
            Operand::Activations => &mut self.activations,
            Operand::PartialSums => &mut self.partial_sums,
            Operand::Membranes => &mut self.membranes,
            Operand::Residual => &mut self.residual,
        };
        *place = Some(home);
    }
}
