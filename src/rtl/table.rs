//! The table of magnitudes that the lanes of a design look weights up in.

use std::collections::BTreeSet;

use super::layer::DesignLayer;

/// The table of a design: part of the hardware where all layers have the same, else written by their programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesignTable {
    /// Magnitudes of each layer that looks weights up, without repetition.
    tables: BTreeSet<&'static [i32]>,
    /// True if programs bring their magnitudes.
    is_written: bool,
}

impl DesignTable {
    /// The table for all of `layers`.
    pub fn of<'a>(layers: impl Iterator<Item = &'a DesignLayer<'a>>) -> Self {
        let mut all = Self { tables: BTreeSet::new(), is_written: false };
        for layer in layers {
            all.tables.extend(layer.table());
            all.is_written |= layer.product.weight.table_bits > 0;
        }
        all.is_written |= all.tables.len() > 1;
        all
    }

    /// Magnitudes of the longest.
    fn size(&self) -> usize {
        self.tables.iter().map(|table| table.len()).max().unwrap_or(0)
    }

    /// Bits of a magnitude.
    fn bits(&self) -> usize {
        let largest = self.tables.iter().filter_map(|table| table.last()).max();
        largest.map_or(1, |largest| largest.ilog2() as usize + 1)
    }

    /// The magnitudes of `layer` that its program brings, zeros behind them: none where they are part of the hardware.
    pub fn written(&self, layer: &DesignLayer) -> Vec<i64> {
        let size = if self.is_written { self.size() } else { 0 };
        let own = layer.table().unwrap_or_default().iter().map(|&magnitude| i64::from(magnitude));
        own.chain(std::iter::repeat(0)).take(size).collect()
    }

    /// Parameters of the design by name.
    pub fn parameters(&self) -> [(&'static str, usize); 3] {
        [("TABLE_SIZE", self.size()), ("TABLE_BITS", self.bits()), ("WRITTEN", usize::from(self.is_written))]
    }

    /// The magnitudes that are part of the hardware side by side, the first one lowest.
    pub fn constant(&self) -> String {
        let (bits, fixed) = (self.bits(), self.tables.first().filter(|_| !self.is_written));
        let values: String = fixed
            .map(|table| table.iter().rev().map(|magnitude| format!("{magnitude:0bits$b}")).collect())
            .unwrap_or_default();
        let (width, values) = if values.is_empty() { (1, "0".to_owned()) } else { (values.len(), values) };
        format!("localparam logic [{}:0] TABLE = {width}'b{values};\n", width - 1)
    }
}
