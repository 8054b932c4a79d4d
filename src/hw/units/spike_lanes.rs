use serde::{Deserialize, Serialize};

use super::datapath::{
    Datapath, LaneTile, ProductKind, ProductShape, Takes, check_decoders, check_kinds, refuses_kind, tables,
    written_bits,
};
use super::layout::{Layout, LayoutSpec, SpatialDim, Stationary, Unrolling};
use super::overhead::Overhead;
use super::zeros::Zeros;
use crate::error::Fault;
use crate::hw::sourced::{Sourced, positive};
use crate::num::Decoder;

/// Lanes that accumulate weights where there are spikes.
///
/// Where outputs stay, each accumulator belongs to one output, and its lane walks through the inputs of that output.
/// Where weights stay, each lane holds one, and the inputs of a sum are added by a tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Widest input; where it is left out, any width, and multipliers are as wide as weights.
    #[serde(default)]
    pub max_input_bits: Option<Sourced<u32>>,
    /// Widest weight code that the lanes take.
    pub max_weight_bits: Sourced<u32>,
    /// Decoders of weight codes beside two's complement and powers of two.
    #[serde(default)]
    pub decoders: Vec<Decoder>,
    /// Width of an accumulator: wider sums are refused, and area is counted for it.
    pub accumulator_bits: Sourced<u32>,
    /// What of a product is on chip at a time; where outputs stay, all inputs of a tile of channels where it is
    /// left out.
    #[serde(default)]
    pub tile: Option<LaneTile>,
    /// Output positions that pass by weights that stay, before those change; all of them where it is left out.
    #[serde(default)]
    pub stream_positions: Option<Sourced<u32>>,
    /// Cycles beside the work.
    #[serde(default)]
    pub overheads: Vec<Overhead>,
    /// Kinds of products that it takes; all where it is left out.
    #[serde(default)]
    pub kinds: Option<Vec<ProductKind>>,
}

/// How a multi-bit input meets a weight in spike lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MultiBit {
    /// One accumulation per input bit.
    BitSerial,
    /// A multiplier beside each adder.
    Multiplier,
    /// Lanes take no such input: layers that read anything but spikes are refused.
    Absent,
}

impl SpikeLanes {
    /// Gates of the tables of a lane, and the width of the widest operand.
    pub(crate) fn tables(&self) -> [u32; 2] {
        tables(&self.decoders, self.max_weight_bits.value)
    }

    /// Bits of the tables that layers write.
    pub(crate) fn written_bits(&self) -> f64 {
        written_bits(&self.decoders, self.max_weight_bits.value)
    }

    /// Widths of the operands of a lane's multiplier: weight and input.
    pub fn multiplier_bits(&self) -> [f64; 2] {
        let weight = f64::from(self.tables()[1]);
        [weight, self.max_input_bits.as_ref().map_or(weight, |bits| f64::from(bits.value))]
    }

    /// Lanes of `lanes` that share a sum.
    pub(crate) fn lanes_of_a_sum(&self, lanes: &Unrolling) -> u32 {
        if self.sums_in_memory() { 1 } else { lanes.summed() }
    }

    /// Weights that `lanes` hold: those that step over zeros one each, others one for all images, positions and timesteps.
    pub(crate) fn held_weights(&self, lanes: &Unrolling) -> f64 {
        let shared = match self.zeros {
            Zeros::Dense | Zeros::Gated => {
                f64::from(lanes.positions()) * lanes.along(&[SpatialDim::Timesteps, SpatialDim::Batch])
            }
            _ => 1.0,
        };
        lanes.lanes() / shared
    }

    /// Membranes that wait in the array for the next timestep: one for each output that lanes keep, of the layout that
    /// has the most of them. Timesteps side by side hand theirs on.
    pub(crate) fn kept_membranes(&self) -> f64 {
        let kept = |layout: &&LayoutSpec| {
            layout.keeps == Stationary::Outputs && layout.lanes.extent(SpatialDim::Timesteps) == 1
        };
        let outputs = |layout: &LayoutSpec| layout.lanes.lanes() / f64::from(layout.lanes.summed());
        let most = self.layouts.iter().filter(kept).map(outputs).fold(0.0, f64::max);
        if self.keeps_state() { most } else { 0.0 }
    }

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

    fn check_times(&self) -> Result<(), Fault> {
        for (i, overhead) in self.overheads.iter().enumerate() {
            overhead.check(&format!("overheads[{i}]"))?;
        }
        let Some(stream) = &self.stream_positions else { return Ok(()) };
        positive("stream_positions", stream, 1 << 24)?;
        if self.layouts.iter().all(|layout| layout.keeps != Stationary::Weights) {
            return Err(Fault::new("stream_positions", "no layout keeps Weights: nothing passes by them"));
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
        if let Some(bits) = &self.max_input_bits {
            positive("max_input_bits", bits, 32)?;
        }
        self.zeros.check()?;
        self.check_layouts()?;
        self.check_times()?;
        check_kinds(self.kinds.as_deref())?;
        check_decoders(&self.decoders, self.max_weight_bits.value)?;
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
            input_bits: match (self.multi_bit, &self.max_input_bits) {
                (MultiBit::Absent, _) => 1,
                (_, Some(bits)) => bits.value,
                (_, None) => 32,
            },
            inputs: if self.max_input_bits.is_some() { "max_input_bits" } else { "multi_bit" },
            sum_bits: Some(self.accumulator_bits.value),
            in_parts: true,
        })
    }

    fn decoders(&self) -> Option<&[Decoder]> {
        Some(&self.decoders)
    }

    fn refuses_shape(&self, shape: ProductShape) -> Option<String> {
        refuses_kind(self.kinds.as_deref(), shape)
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
