use serde::Deserialize;

use super::datapath::{Datapath, LaneTile, Takes};
use super::layout::{Layout, LayoutSpec};
use super::zeros::Zeros;
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

impl SpikeLanes {
    fn check_layouts(&self) -> Result<(), Fault> {
        if self.layouts.is_empty() {
            return Err(Fault::new("layouts", "empty: lanes that stand for nothing"));
        }
        let needs = self.zeros.needs();
        for (i, spec) in self.layouts.iter().enumerate() {
            spec.check(&format!("layouts[{i}]"))?;
            needs.check_layout(i, spec)?;
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
            if self.sums_in_memory() {
                return Err(Fault::new(
                    "tile",
                    format!("{} keep sums of whole maps", self.zeros.needs().style),
                ));
            }
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
        !self.sums_in_memory()
    }

    fn sums_in_memory(&self) -> bool {
        self.zeros.needs().sums_in_memory
    }

    fn needs_all_timesteps(&self) -> bool {
        self.zeros.needs().all_timesteps
    }
}
