//! Ways to handle zeros: their list, their fields, and what each asks of a machine. What they cost is in `cost/zeros/`.

use serde::{Deserialize, Serialize};

use super::layout::{LayoutSpec, SpatialDim, Stationary};
use crate::error::Fault;
use crate::hw::sourced::{Sourced, positive};

/// What zeros save.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Zeros {
    /// Nothing is saved.
    Dense,
    /// Energy: the adder does not switch.
    Gated,
    /// Energy and time: zeros are stepped over; the lanes of a wave wait for the slowest.
    Skip,
    /// Inputs that spike nowhere in a window are stepped over.
    Windows(Windows),
    /// A row of spikes starts from the sums of another.
    Products(Products),
    /// Spikes of a chunk of inputs are found a few at a time.
    Chunks(InputChunks),
    /// An event is broadcast and updates the sums of its neighbourhood, one event per cycle and timestep side by side.
    Scatter,
}

/// The lanes of a wave walk in step through the inputs that spike at any of their positions, in any timestep of a
/// window, and stay as many cycles at each as the window has timesteps; its weights are read once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// Timesteps of a window.
    pub timesteps: Sourced<u32>,
}

/// In tiles of the spike matrix, a row (one position and timestep) starts from the sums of the row with the largest
/// subset of its spikes, and only the remaining ones are added; one that equals an earlier row copies its sums in one
/// cycle. A row is searched for in one cycle, while another tile is added up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Products {
    /// Rows of a tile.
    pub rows: Sourced<u32>,
    /// Inputs of a tile, at most 64.
    pub columns: Sourced<u32>,
}

/// Lanes for `Inputs` take as many spikes of a chunk of inputs in a cycle as there are of them; a chunk without spikes
/// takes a cycle, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputChunks {
    /// Inputs of a chunk, at most 64.
    pub inputs: Sourced<u32>,
}

/// What a way to handle zeros asks of a machine.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// What messages call it.
    pub style: &'static str,
    /// All that lanes may stand for, which keep sums then; anything where it is left out.
    pub lanes: Option<&'static [SpatialDim]>,
    /// True if all timesteps must be there.
    pub all_timesteps: bool,
    /// True if sums of a whole map wait in the memory of partial sums, and not in lanes.
    pub sums_in_memory: bool,
}

impl Needs {
    /// Nothing.
    const fn nothing(style: &'static str) -> Self {
        Self { style, lanes: None, all_timesteps: false, sums_in_memory: false }
    }

    /// Refuses layout number `number`.
    pub(super) fn check_layout(&self, number: usize, layout: &LayoutSpec) -> Result<(), Fault> {
        let Some(allowed) = self.lanes else { return Ok(()) };
        let wrong = |field: &str, message: String| {
            Err(Fault::new(
                format!("layouts[{number}].{field}"),
                format!("lanes of {}: {message}", self.style),
            ))
        };
        if layout.keeps != Stationary::Outputs {
            return wrong("keeps", "they keep Outputs".to_owned());
        }
        let other =
            SpatialDim::ALL.into_iter().find(|dim| layout.lanes.extent(*dim) > 1 && !allowed.contains(dim));
        match other {
            Some(dim) => wrong("lanes", format!("{dim:?} is not one of {allowed:?}")),
            None => Ok(()),
        }
    }
}

impl Zeros {
    /// What it asks of a machine.
    pub(crate) fn needs(&self) -> Needs {
        use SpatialDim::{Columns, Inputs, KernelTaps, OutputChannels, Positions, Rows, Timesteps};
        match self {
            Self::Dense => Needs::nothing("Dense"),
            Self::Gated => Needs::nothing("Gated"),
            Self::Skip => Needs::nothing("Skip"),
            Self::Windows(_) => Needs {
                lanes: Some(&[Positions, Rows, Columns, OutputChannels]),
                all_timesteps: true,
                ..Needs::nothing("Windows")
            },
            // Lanes walk through one row at a time.
            Self::Products(_) => {
                Needs { lanes: Some(&[OutputChannels]), all_timesteps: true, ..Needs::nothing("Products") }
            }
            Self::Chunks(_) => Needs {
                lanes: Some(&[Timesteps, Positions, Rows, Columns, Inputs, OutputChannels]),
                ..Needs::nothing("Chunks")
            },
            Self::Scatter => Needs {
                lanes: Some(&[Timesteps, KernelTaps, OutputChannels]),
                sums_in_memory: true,
                ..Needs::nothing("Scatter")
            },
        }
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Windows(Windows { timesteps }) => positive("zeros.timesteps", timesteps, 64),
            Self::Products(Products { rows, columns }) => {
                positive("zeros.rows", rows, 4096)?;
                positive("zeros.columns", columns, 64)
            }
            Self::Chunks(InputChunks { inputs }) => positive("zeros.inputs", inputs, 64),
            _ => Ok(()),
        }
    }
}
