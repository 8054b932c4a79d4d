use serde::{Deserialize, Serialize};

use super::datapath::{Charged, Datapath, Takes};
use crate::error::Fault;
use crate::hw::sourced::{Sourced, number, positive};
use crate::num::Decoder;

/// A scalar processor, which does everything; its energy per cycle covers its memories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Processor {
    /// What messages call it.
    #[serde(deserialize_with = "crate::name::title")]
    pub name: String,
    /// Register width.
    pub word_bits: Sourced<u32>,
    /// A load or a store of one word.
    pub load_cycles: Sourced<f64>,
    /// An addition, comparison, shift or logical operation.
    pub alu_cycles: Sourced<f64>,
    /// A multiplication.
    pub multiply_cycles: Sourced<f64>,
    /// A taken branch.
    pub branch_cycles: Sourced<f64>,
    /// Whole-chip energy while running.
    pub energy_pj_per_cycle: Sourced<f64>,
}

impl Datapath for Processor {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> Result<(), Fault> {
        positive("word_bits", &self.word_bits, 1024)?;
        for (field, value) in [
            ("load_cycles", &self.load_cycles),
            ("alu_cycles", &self.alu_cycles),
            ("multiply_cycles", &self.multiply_cycles),
            ("branch_cycles", &self.branch_cycles),
        ] {
            number(field, value, 0.01, 1000.0)?;
        }
        number("energy_pj_per_cycle", &self.energy_pj_per_cycle, 0.0, 1e6)
    }

    fn takes(&self) -> Option<Takes> {
        let word = self.word_bits.value;
        Some(Takes {
            weight_bits: word,
            input_bits: word,
            inputs: "word_bits",
            sum_bits: None,
            in_parts: false,
        })
    }

    /// A program looks any code up.
    fn decoders(&self) -> Option<&[Decoder]> {
        None
    }

    fn charged(&self) -> Charged {
        Charged::Cycles
    }
}
