//! The layout of an array: the loops that its lanes unroll.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use crate::error::Fault;
use crate::hw::sourced::has_source;

/// A direction of a product along which lanes work side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpatialDim {
    /// Images of a batch.
    Batch,
    /// Timesteps of an output.
    Timesteps,
    /// Output positions, row by row of the map as one line.
    Positions,
    /// Rows of the output map.
    Rows,
    /// Columns of the output map.
    Columns,
    /// Output channels of a group.
    OutputChannels,
    /// Inputs of one sum, whichever they are; where zeros are skipped, those that are not zero.
    Inputs,
    /// Input channels of one sum, each with lanes of its own.
    InputChannels,
    /// Positions of the kernel, each with lanes of its own.
    KernelTaps,
    /// Groups of a grouped convolution; channels of a depthwise one.
    Groups,
}

impl SpatialDim {
    const COUNT: usize = 10;

    /// All dimensions.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Batch,
        Self::Timesteps,
        Self::Positions,
        Self::Rows,
        Self::Columns,
        Self::OutputChannels,
        Self::Inputs,
        Self::InputChannels,
        Self::KernelTaps,
        Self::Groups,
    ];

    /// Dimensions along which partial sums of one output arise side by side.
    pub(crate) const SUMMED: [Self; 3] = [Self::Inputs, Self::InputChannels, Self::KernelTaps];
}

/// What stays in an array while the rest streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stationary {
    /// Sums.
    Outputs,
    /// Weights.
    Weights,
    /// Inputs.
    Inputs,
}

/// How many lanes stand side by side along each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "Vec<(SpatialDim, u32)>")]
pub struct Unrolling([u32; SpatialDim::COUNT]);

/// Most lanes of an array.
const MAX_LANES: u64 = 1 << 32;

impl Default for Unrolling {
    /// A single lane.
    fn default() -> Self {
        Self([1; SpatialDim::COUNT])
    }
}

impl fmt::Display for Unrolling {
    /// Writes the unrolling as a description states it, such as `[(Positions, 4), (OutputChannels, 64)]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let several = SpatialDim::ALL.into_iter().filter(|&dim| self.extent(dim) > 1);
        f.debug_list().entries(several.map(|dim| (dim, self.extent(dim)))).finish()
    }
}

impl Serialize for Unrolling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TryFrom<Vec<(SpatialDim, u32)>> for Unrolling {
    type Error = String;

    fn try_from(extents: Vec<(SpatialDim, u32)>) -> Result<Self, String> {
        let mut lanes = Self::default();
        let mut seen = [false; SpatialDim::COUNT];
        for (dim, extent) in extents {
            if std::mem::replace(&mut seen[dim as usize], true) {
                return Err(format!("{dim:?} stands there twice"));
            }
            if !(1..=65_536).contains(&extent) {
                return Err(format!("{dim:?}: {extent} is not in 1..=65536"));
            }
            lanes.0[dim as usize] = extent;
        }
        let all = lanes.0.iter().try_fold(1_u64, |all, &extent| all.checked_mul(u64::from(extent)));
        let together = |a: SpatialDim, b: SpatialDim| lanes.extent(a) > 1 && lanes.extent(b) > 1;
        use SpatialDim::{Columns, InputChannels, Inputs, KernelTaps, Positions, Rows};
        match all {
            Some(..=MAX_LANES) if together(Positions, Rows) || together(Positions, Columns) => {
                Err("Positions are Rows and Columns already".to_owned())
            }
            Some(..=MAX_LANES) if together(Inputs, InputChannels) || together(Inputs, KernelTaps) => {
                Err("Inputs are InputChannels and KernelTaps already".to_owned())
            }
            Some(..=MAX_LANES) => Ok(lanes),
            _ => Err(format!("more than {MAX_LANES} lanes")),
        }
    }
}

impl Unrolling {
    /// Lanes along `dims`, and one along every other direction.
    pub fn of(dims: &[(SpatialDim, u32)]) -> Self {
        let mut lanes = Self::default();
        for &(dim, extent) in dims {
            lanes.0[dim as usize] = extent;
        }
        lanes
    }

    /// Lanes along `dim`.
    pub fn extent(&self, dim: SpatialDim) -> u32 {
        self.0[dim as usize]
    }

    /// With one lane along `dim`.
    #[must_use]
    pub fn without(mut self, dim: SpatialDim) -> Self {
        self.0[dim as usize] = 1;
        self
    }

    /// Lanes along all of `dims` together.
    pub fn along(&self, dims: &[SpatialDim]) -> f64 {
        dims.iter().map(|&dim| f64::from(self.extent(dim))).product()
    }

    /// All lanes.
    pub fn lanes(&self) -> f64 {
        self.0.iter().map(|&extent| f64::from(extent)).product()
    }

    /// Output positions at once.
    pub fn positions(&self) -> u32 {
        [SpatialDim::Positions, SpatialDim::Rows, SpatialDim::Columns]
            .map(|dim| self.extent(dim))
            .iter()
            .product()
    }

    /// Inputs of one sum at once.
    pub fn summed(&self) -> u32 {
        SpatialDim::SUMMED.map(|dim| self.extent(dim)).iter().product()
    }
}

/// What lanes stand for, and what stays in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// What stays.
    pub keeps: Stationary,
    /// Lanes along each direction.
    pub lanes: Unrolling,
}

/// A layout as a description states it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "Layout")]
pub struct LayoutSpec {
    /// What stays.
    pub keeps: Stationary,
    /// Lanes along each direction, such as `[(Positions, 4), (OutputChannels, 64)]`.
    pub lanes: Unrolling,
    /// Where it comes from.
    pub source: String,
}

impl LayoutSpec {
    /// Refuses one without a source, and one whose lanes keep what they cannot.
    pub(super) fn check(&self, field: &str) -> Result<(), Fault> {
        has_source(field, &self.source)?;
        if self.keeps == Stationary::Inputs {
            let message = "lanes keep Outputs or Weights, and let inputs pass";
            return Err(Fault::new(format!("{field}.keeps"), message));
        }
        Ok(())
    }

    /// Without its source.
    pub fn layout(&self) -> Layout {
        Layout { keeps: self.keeps, lanes: self.lanes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ron_file::parse_ron;

    #[test]
    fn lanes_are_read_and_counted() {
        let lanes = |text| parse_ron::<Unrolling>(text, "a.ron");
        let four = lanes("[(Timesteps, 4), (OutputChannels, 32), (KernelTaps, 9)]").unwrap();
        assert_eq!((four.lanes(), four.summed(), four.positions()), (1152.0, 9, 1));
        assert_eq!(lanes("[]").unwrap(), Unrolling::default());
        let message = |text| lanes(text).unwrap_err().to_string();
        assert!(message("[(Rows, 2), (Rows, 3)]").contains("Rows stands there twice"));
        assert!(message("[(Rows, 0)]").contains("Rows: 0 is not in 1..=65536"));
        assert!(message("[(Rows, 2), (Positions, 3)]").contains("Positions are Rows and Columns already"));
        assert!(message("[(Inputs, 2), (KernelTaps, 3)]").contains("Inputs are InputChannels"));
        assert!(
            message("[(Rows, 65536), (Columns, 65536), (Groups, 2)]").contains("more than 4294967296 lanes")
        );
        assert!(message("[(Tokens, 2)]").contains("Tokens"));
    }
}
