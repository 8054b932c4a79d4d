use super::parts::{EnergyJ, TrafficBits};
use super::timeline::ArrayCycles;
use crate::hw::{Operand, PerOperand};

/// Bits read from and written to one memory.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Traffic {
    /// Bits read.
    pub read_bits: f64,
    /// Bits written.
    pub written_bits: f64,
}

impl Traffic {
    /// Both directions.
    pub fn bits(&self) -> f64 {
        self.read_bits + self.written_bits
    }
}

/// What one layer asks of a machine for one image.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Demand {
    /// Time of the array.
    pub array: ArrayCycles,
    /// Time of neurons, joins, pooling and attention.
    pub epilogue_cycles: f64,
    /// On-chip traffic per operand.
    pub on_chip: PerOperand<Traffic>,
    /// Off-chip traffic.
    pub dram: Traffic,
    /// Energy of operations; memories are charged from the traffic.
    pub operations_j: EnergyJ,
    /// Tiles of weights that are loaded one after the other.
    pub tiles: f64,
    /// Waves of outputs that leave the array one after the other.
    pub waves: f64,
}

impl Demand {
    /// Counts `bits` read from the memory of `operand`.
    pub fn read(&mut self, operand: Operand, bits: f64) {
        self.on_chip[operand].read_bits += bits;
    }

    /// All traffic by kind.
    pub fn traffic_bits(&self) -> TrafficBits {
        let on_chip = |operand: Operand| self.on_chip[operand];
        TrafficBits {
            weights_read: on_chip(Operand::Weights).read_bits,
            weights_written: on_chip(Operand::Weights).written_bits,
            activations_read: on_chip(Operand::Activations).read_bits,
            activations_written: on_chip(Operand::Activations).written_bits,
            partial_sums_read: on_chip(Operand::PartialSums).read_bits,
            partial_sums_written: on_chip(Operand::PartialSums).written_bits,
            membranes_read: on_chip(Operand::Membranes).read_bits,
            membranes_written: on_chip(Operand::Membranes).written_bits,
            residual_read: on_chip(Operand::Residual).read_bits,
            residual_written: on_chip(Operand::Residual).written_bits,
            dram_read: self.dram.read_bits,
            dram_written: self.dram.written_bits,
        }
    }

    /// Counts `bits` written to the memory of `operand`.
    pub fn write(&mut self, operand: Operand, bits: f64) {
        self.on_chip[operand].written_bits += bits;
    }
}
