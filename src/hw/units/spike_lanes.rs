use serde::Deserialize;

use super::datapath::{Datapath, LaneTile, Takes};
use super::layout::{Layout, LayoutSpec, SpatialDim, Stationary};
use crate::error::Fault;
use crate::hw::sourced::{Sourced, positive};

/// Lanes that accumulate weights where there are spikes.
///
/// Where outputs stay, each accumulator belongs to one output, and its lane walks through the inputs of that output.
/// Where weights stay, each lane holds one, and the inputs of a sum are added by a tree.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpikeLanes {
    /// What messages call it.
    #[serde(deserialize_with = "crate::name::title")]
    pub name: String,
    /// What the lanes may stand for; the best is chosen for each layer.
    pub layouts: Vec<LayoutSpec>,
    /// What zeros save.
    pub zeros: Zeros,
    /// How a multi-bit input meets a weight.
    pub multi_bit: MultiBit,
    /// Widest weight code that the lanes take.
    pub max_weight_bits: Sourced<u32>,
    /// Width of an accumulator: wider sums are refused, and area is counted for it.
    pub accumulator_bits: Sourced<u32>,
    /// What of a product is on chip at a time; where outputs stay, all inputs of a tile of channels where it is
    /// left out.
    #[serde(default)]
    pub tile: Option<LaneTile>,
}

/// What zeros save.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Zeros {
    /// Nothing.
    Dense,
    /// Energy: the adder does not switch.
    Gated,
    /// Energy and time: zeros are stepped over; the lanes of a wave wait for the slowest.
    Skip,
    /// Inputs that spike nowhere in a window are stepped over.
    Windows(Windows),
    /// A row of spikes starts from the sums of another.
    Products(Products),
}

/// The lanes of a wave walk in step through the inputs that spike at any of their positions, in any timestep of a
/// window, and stay as many cycles at each as the window has timesteps; its weights are read once.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// Timesteps of a window.
    pub timesteps: Sourced<u32>,
}

/// In tiles of the spike matrix, a row (one position and timestep) starts from the sums of the row with the largest
/// subset of its spikes, and only the remaining ones are added; one that equals an earlier row copies its sums in one
/// cycle. A row is searched for in one cycle, while another tile is added up.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Products {
    /// Rows of a tile.
    pub rows: Sourced<u32>,
    /// Inputs of a tile, at most 64.
    pub columns: Sourced<u32>,
}

/// How a multi-bit input meets a weight in spike lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum MultiBit {
    /// One accumulation per input bit.
    BitSerial,
    /// A multiplier beside each adder.
    Multiplier,
    /// It does not: layers that read anything but spikes are refused.
    Absent,
}

impl Zeros {
    /// True if lanes find what spikes have in common, for which all timesteps must be there.
    pub fn needs_all_timesteps(&self) -> bool {
        matches!(self, Self::Windows(_) | Self::Products(_))
    }

    fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Dense | Self::Gated | Self::Skip => Ok(()),
            Self::Windows(Windows { timesteps }) => positive("zeros.timesteps", timesteps, 64),
            Self::Products(Products { rows, columns }) => {
                positive("zeros.rows", rows, 4096)?;
                positive("zeros.columns", columns, 64)
            }
        }
    }
}

impl SpikeLanes {
    fn check_layouts(&self) -> Result<(), Fault> {
        if self.layouts.is_empty() {
            return Err(Fault::new("layouts", "empty: lanes that stand for nothing"));
        }
        for (i, spec) in self.layouts.iter().enumerate() {
            let field = format!("layouts[{i}]");
            spec.check(&field)?;
            if self.zeros.needs_all_timesteps() {
                if spec.keeps != Stationary::Outputs {
                    let message = "lanes that find what spikes have in common keep Outputs";
                    return Err(Fault::new(format!("{field}.keeps"), message));
                }
                let side_by_side = spec.lanes.lanes() / f64::from(spec.lanes.positions());
                let channels = f64::from(spec.lanes.extent(SpatialDim::OutputChannels));
                if side_by_side != channels {
                    let message =
                        "lanes that find what spikes have in common stand for positions and OutputChannels";
                    return Err(Fault::new(format!("{field}.lanes"), message));
                }
            }
            if matches!(self.zeros, Zeros::Products(_)) && spec.lanes.positions() != 1 {
                return Err(Fault::new(
                    format!("{field}.lanes"),
                    "Products walk through one row at a time: Positions 1",
                ));
            }
        }
        Ok(())
    }
}

impl Datapath for SpikeLanes {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), Fault> {
        positive("max_weight_bits", &self.max_weight_bits, 32)?;
        positive("accumulator_bits", &self.accumulator_bits, 64)?;
        self.zeros.check()?;
        self.check_layouts()?;
        if let Some(tile) = &self.tile {
            positive("tile.rows", &tile.rows, 1 << 24)?;
            positive("tile.inputs", &tile.inputs, 1 << 24)?;
        }
        Ok(())
    }

    fn takes(&self) -> Option<Takes> {
        Some(Takes {
            weight_bits: self.max_weight_bits.value,
            input_bits: if self.multi_bit == MultiBit::Absent { 1 } else { 32 },
            inputs: "multi_bit",
            sum_bits: Some(self.accumulator_bits.value),
        })
    }

    fn layouts(&self) -> Vec<Layout> {
        self.layouts.iter().map(LayoutSpec::layout).collect()
    }

    fn tile(&self) -> Option<&LaneTile> {
        self.tile.as_ref()
    }

    fn keeps_state(&self) -> bool {
        true
    }

    fn needs_all_timesteps(&self) -> bool {
        self.zeros.needs_all_timesteps()
    }
}
