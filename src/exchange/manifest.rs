//! `manifest.json` of a golden bundle, as `docs/formats.md` describes it.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::Sides;
use crate::num::{Accumulator, Format};

/// What the manifest of a bundle calls itself.
pub const SCHEMA: &str = "spiq-golden";
/// The one version that is written and read.
pub const VERSION: u32 = 1;

/// A network of integers with what it yielded.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `spiq-golden`.
    pub schema: String,
    /// 1.
    pub version: u32,
    /// What wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer: Option<String>,
    /// The model it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The setting it was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
    /// Rules in words, for readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounding: Option<serde_json::Value>,
    /// Timesteps.
    pub timesteps: usize,
    /// Images.
    pub images: usize,
    /// In order of execution.
    pub nodes: Vec<NodeRecord>,
}

/// One node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeRecord {
    /// Unique.
    #[serde(deserialize_with = "crate::name::plain")]
    pub name: String,
    /// Names of earlier nodes.
    pub inputs: Vec<String>,
    /// Channels, height, width of one frame.
    pub shape: [usize; 3],
    /// True where all timesteps yield the same.
    pub constant: bool,
    /// What it does, and its integers.
    pub operation: Operation,
    /// `[T, B, C, H, W]`: what it yielded.
    pub values: Tensor,
    /// `[T, B, C, H, W]`: the membranes that its neurons kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membranes: Option<Tensor>,
    /// Values clamped or wrapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saturations: Option<u64>,
}

/// Integers: a file beside the manifest, or the values themselves.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tensor {
    /// Name of a `.npy` file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// SHA-256 of the whole file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Extents of `values`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Vec<usize>>,
    /// Row-major.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<i64>>,
}

impl Tensor {
    /// Values in the manifest itself.
    pub fn inline(shape: Vec<usize>, values: Vec<i64>) -> Self {
        Self { shape: Some(shape), values: Some(values), ..Self::default() }
    }

    /// One value per channel.
    pub fn list(values: Vec<i64>) -> Self {
        Self::inline(vec![values.len()], values)
    }

    /// A file.
    pub fn file(name: String, sha256: String) -> Self {
        Self { file: Some(name), sha256: Some(sha256), ..Self::default() }
    }
}

/// Operations with their integers; see the table in `docs/formats.md`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)]
pub enum Operation {
    Input {},
    Weighted {
        weights: Tensor,
        bias: Tensor,
        stride: Sides,
        pad: Sides,
        #[serde(default = "undilated", skip_serializing_if = "is_undilated")]
        dilation: Sides,
        groups: usize,
        fraction_bits: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        padding: Option<Tensor>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accumulator: Option<Accumulator>,
    },
    Neuron {
        thresholds: Tensor,
        #[serde(default = "one", skip_serializing_if = "is_one")]
        multiplier: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        multipliers: Option<Tensor>,
        shift: u32,
        reset: Reset,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amounts: Option<Tensor>,
        strict: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        membrane: Option<Membrane>,
    },
    Loihi {
        thresholds: Tensor,
        voltage_decay: u32,
        current_decay: u32,
    },
    Levels {
        thresholds: Tensor,
    },
    Requantize {
        grid: Grid,
        multipliers: Tensor,
        shifts: Tensor,
        format: Format,
    },
    AddMembrane {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        multipliers: Option<Tensor>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shifts: Option<Tensor>,
        format: Format,
    },
    AddSpikes {},
    Or {},
    AndNot {},
    MaxPool {
        size: Sides,
        stride: Sides,
        pad: Sides,
    },
    SumPool {
        size: Sides,
        stride: Sides,
        pad: Sides,
    },
    PlanePool {
        heads: usize,
    },
    KeyValueCount {},
    ChannelCount {
        heads: usize,
    },
    Attention {
        heads: usize,
    },
    Mask {},
    ClassToken {
        token: Tensor,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        positions: Option<Tensor>,
        format: Format,
    },
    FirstToken {},
    SumPositions {},
    SumTimesteps {},
    Readout {
        #[serde(default = "one", skip_serializing_if = "is_one")]
        multiplier: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        multipliers: Option<Tensor>,
        shift: u32,
        over: ReadoutOver,
    },
}

fn undilated() -> Sides {
    1.into()
}

fn is_undilated(dilation: &Sides) -> bool {
    *dilation == undilated()
}

fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one(multiplier: &u32) -> bool {
    *multiplier == 1
}

/// What a spike leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// 0.
    Zero,
    /// What exceeds the threshold, or the amount that a spike subtracts.
    Subtract,
    /// All of it, from which the threshold is subtracted behind the leak.
    SubtractDelayed,
}

/// What a readout yields of the potentials of all timesteps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadoutOver {
    /// The potential of the last timestep.
    Last,
    /// The sum over timesteps.
    Sum,
    /// The largest.
    Max,
}

/// Which grid a requantization yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grid {
    /// The residual stream.
    Residual,
    /// Activations between two weight layers.
    Activation,
}

/// A stored membrane.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membrane {
    /// Width of the word.
    pub bits: u32,
    /// Low bits that are not stored.
    pub discards: Tensor,
}

impl Manifest {
    /// Parses a manifest; `path` is for messages.
    ///
    /// # Errors
    /// If it is no JSON, of another schema or version, or has fields that are not described.
    pub fn parse(text: &str, path: &str) -> Result<Self> {
        let syntax = |e: serde_json::Error| Error::Syntax {
            path: path.to_owned(),
            line: e.line(),
            column: e.column(),
            message: without_position(&e.to_string()).to_owned(),
        };
        // Another version may have other fields, so the version is looked at first.
        let any: Version = serde_json::from_str(text).map_err(syntax)?;
        if any.schema != SCHEMA {
            return Err(Error::field(path, "schema", format!("{:?}, expected {SCHEMA:?}", any.schema)));
        }
        if any.version != VERSION {
            let message = format!("{}, and this program reads version {VERSION}", any.version);
            return Err(Error::field(path, "version", message));
        }
        serde_json::from_str(text).map_err(syntax)
    }
}

/// The message of `serde_json`, which ends in a position.
fn without_position(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(message, _)| message)
}

#[derive(Deserialize)]
struct Version {
    schema: String,
    version: u32,
}
