use serde::{Deserialize, Serialize};

use super::datapath::{
    Datapath, ProductKind, ProductShape, Takes, Widths, check_decoders, check_kinds, refuses_kind, tables,
    written_bits,
};
use super::layout::{Layout, SpatialDim, Stationary, Unrolling};
use crate::error::Fault;
use crate::hw::sourced::{Sourced, number, positive};
use crate::num::Decoder;

/// `rows` x `columns` multiply-accumulate units, dense.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Systolic {
    /// What messages call it.
    #[serde(deserialize_with = "crate::name::title")]
    pub name: String,
    /// Rows.
    pub rows: Sourced<u32>,
    /// Columns.
    pub columns: Sourced<u32>,
    /// What may stay in the array while the rest streams; anything where it is left out.
    #[serde(default)]
    pub keeps: Vec<Stationary>,
    /// What a ragged tile fills and drains.
    #[serde(default)]
    pub edges: Edges,
    /// Cycles of each tile beside what it streams, fills and drains; -2 where it is left out, as in
    /// SCALE-Sim's formulas.
    #[serde(default)]
    pub overhead_cycles: Option<Sourced<i32>>,
    /// True if a zero input stops a unit from switching.
    pub gated: bool,
    /// Widest weight code that the units take.
    pub max_weight_bits: Sourced<u32>,
    /// Decoders of weight codes beside two's complement and powers of two.
    #[serde(default)]
    pub decoders: Vec<Decoder>,
    /// Width of the other operand.
    pub input_bits: Sourced<u32>,
    /// Width of an accumulator: wider sums are refused, and area is counted for it.
    pub accumulator_bits: Sourced<u32>,
    /// Kinds of products that it takes; all where it is left out.
    #[serde(default)]
    pub kinds: Option<Vec<ProductKind>>,
}

/// What a ragged tile fills and drains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Edges {
    /// The whole array, as in SCALE-Sim.
    #[default]
    Full,
    /// The rows and columns that it has, as in STONNE.
    Actual,
}

impl Systolic {
    /// Gates of the tables of a unit, and the width of the widest operand.
    pub(crate) fn tables(&self) -> [u32; 2] {
        tables(&self.decoders, self.max_weight_bits.value)
    }

    /// Bits of the tables that layers write.
    pub(crate) fn written_bits(&self) -> f64 {
        written_bits(&self.decoders, self.max_weight_bits.value)
    }

    fn widths(&self) -> Widths<'_> {
        let Self { max_weight_bits, input_bits, accumulator_bits, .. } = self;
        Widths { max_weight_bits, input_bits, accumulator_bits }
    }
}

impl Datapath for Systolic {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), Fault> {
        check_kinds(self.kinds.as_deref())?;
        check_decoders(&self.decoders, self.max_weight_bits.value)?;
        positive("rows", &self.rows, 65_536)?;
        positive("columns", &self.columns, 65_536)?;
        if let Some(overhead) = &self.overhead_cycles {
            let value = f64::from(overhead.value);
            number("overhead_cycles", &Sourced::new(value, &overhead.source), -2.0, 1e6)?;
        }
        self.widths().check()
    }

    fn takes(&self) -> Option<Takes> {
        Some(Takes { in_parts: true, ..self.widths().takes() })
    }

    fn decoders(&self) -> Option<&[Decoder]> {
        Some(&self.decoders)
    }

    fn refuses_shape(&self, shape: ProductShape) -> Option<String> {
        refuses_kind(self.kinds.as_deref(), shape)
    }

    /// Rows stand for what columns do not, and what stays is along neither of the ways that the rest streams.
    fn layouts(&self) -> Vec<Layout> {
        use SpatialDim::{Inputs, OutputChannels, Positions};
        let all = [
            (Stationary::Outputs, Positions, OutputChannels),
            (Stationary::Weights, Inputs, OutputChannels),
            (Stationary::Inputs, Inputs, Positions),
        ];
        let may = all.into_iter().filter(|(keeps, ..)| self.keeps.is_empty() || self.keeps.contains(keeps));
        let [rows, columns] = [self.rows.value, self.columns.value];
        may.map(|(keeps, along_rows, along_columns)| Layout {
            keeps,
            lanes: Unrolling::of(&[(along_rows, rows), (along_columns, columns)]),
        })
        .collect()
    }

    fn timesteps_are_positions(&self) -> bool {
        true
    }
}
