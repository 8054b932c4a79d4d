//! Tables of energies of whole events: a synaptic operation with its memory accesses, a neuron update.
//!
//! Chips of the Loihi kind are characterized so, and papers count operations so. Nothing else is charged
//! beside them: no memory, no leakage.
//!
//! ```ron
//! EventTable(
//!     name: "mine", technology_nm: 14.0, source: "measured", notes: "one chip",
//!     counting: Executed,
//!     accumulation_pj: (value: 24.0, source: "a spike that meets a weight"),
//!     linear_accumulation_pj: (value: 35.5, source: "the same in a linear layer"),
//!     multi_bit: BitSerial,
//!     sums_of_spikes: Multiply(pj: (value: 4.6, source: "a multiply-accumulate")),
//!     neuron_update_pj: (value: 72.8, source: ""), spike_pj: (value: 69.3, source: ""),
//!     spike_product_pj: (value: 0.0, source: ""), elementwise_pj: (value: 0.0, source: ""),
//! )
//! ```

use serde::Deserialize;

use super::Sourced;
use crate::error::{Fault, Result};
use crate::ron_file::parse_ron;

/// The tables that come with the crate: file name and text.
pub const BUNDLED: &[(&str, &str)] = &[
    ("loihi.ron", include_str!("../../hw_configs/events/loihi.ron")),
    ("fang-40.ron", include_str!("../../hw_configs/events/fang-40.ron")),
    ("sop-45.ron", include_str!("../../hw_configs/events/sop-45.ron")),
    ("sop-45-mac.ron", include_str!("../../hw_configs/events/sop-45-mac.ron")),
];

/// Energies of whole events, in pJ.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventTable {
    /// The name to select the table by.
    #[serde(deserialize_with = "crate::name::title")]
    pub name: String,
    /// The node that the figures are for, in nm.
    pub technology_nm: f64,
    /// The main source of the figures.
    pub source: String,
    /// What a reader of the figures must know.
    pub notes: String,
    /// How synaptic operations are counted.
    pub counting: Counting,
    /// A weight of a convolution that meets a spike.
    pub accumulation_pj: Sourced<f64>,
    /// A weight of a linear layer that meets a spike.
    pub linear_accumulation_pj: Sourced<f64>,
    /// A weight that meets a pixel, a mean or another value of many bits.
    pub multi_bit: Integers,
    /// A weight that meets a sum of spikes, such as an integer residual stream.
    pub sums_of_spikes: Integers,
    /// A membrane update.
    pub neuron_update_pj: Sourced<f64>,
    /// A spike that leaves its neuron.
    pub spike_pj: Sourced<f64>,
    /// A spike-by-spike product of an attention or a mask.
    pub spike_product_pj: Sourced<f64>,
    /// A value that is joined, requantized, pooled or summed.
    pub elementwise_pj: Sourced<f64>,
}

/// How synaptic operations are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Counting {
    /// Counts of operations that were executed.
    Executed,
    /// The rate of a layer's inputs times the operations of the dense layer at all timesteps, padding and
    /// repeated images included, and once where a mean over timesteps stands before it: the rule of the papers.
    Rates,
}

/// What a weight that meets an integer is charged.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Integers {
    /// One accumulation, whatever the integer.
    Accumulate,
    /// One accumulation per bit of the integer.
    BitSerial,
    /// One multiplication with its accumulation.
    Multiply {
        /// Energy of the multiplication.
        pj: Sourced<f64>,
    },
}

impl EventTable {
    /// Reads the table in the RON `text` of the file `path` (named only in errors).
    ///
    /// # Errors
    /// Where the text does not follow the schema, a figure is negative or not finite, or a source is empty.
    pub fn parse(text: &str, path: &str) -> Result<Self> {
        let table: Self = parse_ron(text, path)?;
        table.check().map_err(|fault| fault.at(path))?;
        Ok(table)
    }

    fn check(&self) -> Result<(), Fault> {
        if self.source.trim().is_empty() {
            return Err(Fault::new("source", "must not be empty"));
        }
        if !(1.0..=1000.0).contains(&self.technology_nm) {
            return Err(Fault::new("technology_nm", format!("{:?} is not in 1..=1000", self.technology_nm)));
        }
        for (field, figure) in self.figures() {
            if !figure.value.is_finite() || figure.value < 0.0 {
                return Err(Fault::new(field, format!("{} is not a number of at least 0", figure.value)));
            }
            if figure.source.trim().is_empty() {
                return Err(Fault::new(field, "source must not be empty"));
            }
        }
        Ok(())
    }

    fn figures(&self) -> Vec<(&'static str, &Sourced<f64>)> {
        let mut figures = vec![
            ("accumulation_pj", &self.accumulation_pj),
            ("linear_accumulation_pj", &self.linear_accumulation_pj),
            ("neuron_update_pj", &self.neuron_update_pj),
            ("spike_pj", &self.spike_pj),
            ("spike_product_pj", &self.spike_product_pj),
            ("elementwise_pj", &self.elementwise_pj),
        ];
        for (field, integers) in [("multi_bit", &self.multi_bit), ("sums_of_spikes", &self.sums_of_spikes)] {
            if let Integers::Multiply { pj } = integers {
                figures.push((field, pj));
            }
        }
        figures
    }
}

impl Integers {
    /// Energy of one weight that meets an integer of `bits`, where an accumulation takes `accumulation_pj`.
    pub fn pj(&self, bits: u32, accumulation_pj: f64) -> f64 {
        match self {
            Self::Accumulate => accumulation_pj,
            Self::BitSerial => f64::from(bits) * accumulation_pj,
            Self::Multiply { pj } => pj.value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundled_table_parses_under_its_name() {
        for (file, text) in BUNDLED {
            assert_eq!(format!("{}.ron", EventTable::parse(text, file).unwrap().name), *file);
        }
    }

    #[test]
    fn figures_without_meaning_are_refused_by_field() {
        let (_, sop) = BUNDLED.iter().find(|(file, _)| *file == "sop-45.ron").unwrap();
        let message = |from: &str, to: &str| {
            assert!(sop.contains(from), "{from}");
            EventTable::parse(&sop.replacen(from, to, 1), "t.ron").unwrap_err().to_string()
        };
        let cases = [
            ("value: 0.9", "value: -0.9", "t.ron: accumulation_pj: -0.9 is not a number of at least 0"),
            ("value: 4.6", "value: inf", "t.ron: multi_bit: inf is not a number of at least 0"),
            ("technology_nm: 45.0", "technology_nm: 0.0", "t.ron: technology_nm: 0.0 is not in 1..=1000"),
            ("name: \"sop-45\"", "name: \"\"", "t.ron:3:12: name: \"\" is empty"),
        ];
        for (from, to, expected) in cases {
            assert_eq!(message(from, to), expected);
        }
        assert!(message("counting:", "count:").contains("count"));
    }

    #[test]
    fn an_integer_by_hand() {
        let multiply = Integers::Multiply { pj: Sourced::new(4.6, "test") };
        assert_eq!(
            [Integers::Accumulate, Integers::BitSerial, multiply].map(|i| i.pj(3, 2.0)),
            [2.0, 6.0, 4.6]
        );
    }
}
