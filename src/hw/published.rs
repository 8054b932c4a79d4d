//! A published evaluation of accelerators: its constants and what it prints, to be repeated by its rules.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Result;
use crate::ron_file::parse_ron;

const PATH: &str = "hw_configs/published/hpca25.ron";
const TEXT: &str = include_str!("../../hw_configs/published/hpca25.ron");

/// An evaluation of machines on networks, both by the names that they have here.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Where it is from.
    pub source: String,
    /// Clock of every machine.
    pub clock_hz: f64,
    /// Energy of off-chip memory.
    pub dram_pj_per_bit: f64,
    /// Constants of machines.
    pub machines: BTreeMap<String, PublishedMachine>,
    /// Constants and results of networks.
    pub networks: BTreeMap<String, PublishedNetwork>,
}

/// What the evaluation takes a machine for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedMachine {
    /// How its cycles are counted.
    pub rule: Rule,
    /// Power of the chip while it runs.
    pub chip_power_mw: f64,
    /// Bits to and from off-chip memory, relative to those that are printed.
    pub dram_relative: f64,
}

/// How cycles are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Rule {
    /// Dense, 14 x 12.
    Eyeriss,
    /// Windows of 4 timesteps, 16 x 8, with windows that do not overlap packed into one.
    Ptb,
    /// Rows dealt out to 128 units, each to the least busy.
    Sato,
    /// One spike at a time on 128 units.
    Mint,
    /// Product sparsity in tiles of 256 x 16, 128 adders.
    Prosperity,
}

/// A network as the evaluation has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedNetwork {
    /// Bits to and from off-chip memory, of the machine that all others are relative to.
    pub dram_bits: f64,
    /// What is printed, by machine.
    pub results: BTreeMap<String, PublishedResult>,
}

/// What is printed of a machine and a network.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedResult {
    /// Latency of one image.
    pub latency_ms: f64,
    /// Energy of one image.
    pub energy_mj: f64,
}

impl Published {
    /// The evaluation that comes with the crate.
    ///
    /// # Errors
    /// None in practice: the text is part of the binary.
    pub fn load() -> Result<Self> {
        parse_ron(TEXT, PATH)
    }
}
