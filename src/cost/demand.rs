use super::parts::{EnergyJ, TrafficBits, WorkCycles};
use super::stalls::Stalls;
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
    /// Bits that are read and written together.
    pub fn bits(&self) -> f64 {
        self.read_bits + self.written_bits
    }

    /// Traffic of `factor` such runs.
    pub fn times(self, factor: f64) -> Self {
        Self { read_bits: self.read_bits * factor, written_bits: self.written_bits * factor }
    }

    /// `other` beside it.
    pub fn with(self, other: &Self) -> Self {
        Self {
            read_bits: self.read_bits + other.read_bits,
            written_bits: self.written_bits + other.written_bits,
        }
    }
}

/// What moves at a memory behind the one that feeds units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Behind {
    /// Number of the memory.
    pub memory: usize,
    /// What moves.
    pub operand: Operand,
    /// On its way to units: written where it comes from farther out, and read.
    pub inward: Traffic,
    /// On its way from units: written, and read where it goes farther out.
    pub outward: Traffic,
}

impl Behind {
    /// Inputs that come in and outputs that leave.
    pub fn both(&self) -> Traffic {
        Traffic {
            read_bits: self.inward.read_bits + self.outward.read_bits,
            written_bits: self.inward.written_bits + self.outward.written_bits,
        }
    }
}

/// What one layer asks of a machine for one image.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Demand {
    /// Time of the array.
    pub array: ArrayCycles,
    /// Accesses that the array waits for, and that are part of its time: loads and stores of a processor, rows in the same
    /// banks.
    pub accesses: Stalls,
    /// Time of neurons, joins, pooling and attention.
    pub epilogue_cycles: f64,
    /// What it would take on perfectly used lanes, by work.
    pub ideal: WorkCycles,
    /// How long units work on it, side by side or not.
    pub busy: WorkCycles,
    /// Per operand, traffic of the memory that feeds units.
    pub on_chip: PerOperand<Traffic>,
    /// Traffic of on-chip memories behind those.
    pub behind: Vec<Behind>,
    /// Bits of weights that come to the memory that feeds units.
    pub loaded_weight_bits: f64,
    /// Bits of anything that comes to memories that feed units.
    pub loaded_bits: f64,
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

    /// Adds what `after` it asks of units and of the memories that feed them.
    pub fn follow(&mut self, after: &Self) {
        self.array = self.array.then(&after.array);
        self.accesses.add_all(&after.accesses);
        self.epilogue_cycles += after.epilogue_cycles;
        self.ideal.add_scaled(&after.ideal, 1.0);
        self.busy.add_scaled(&after.busy, 1.0);
        self.operations_j.add_scaled(&after.operations_j, 1.0);
        for operand in Operand::ALL {
            self.on_chip[operand] = self.on_chip[operand].with(&after.on_chip[operand]);
        }
    }

    /// `images` times what one image asks for on chip, one after the other through each tile of weights.
    #[must_use]
    pub fn repeated(&self, images: f64) -> Self {
        Self {
            array: self.array.times(images),
            accesses: self.accesses.times(images),
            epilogue_cycles: self.epilogue_cycles * images,
            ideal: self.ideal.times(images),
            busy: self.busy.times(images),
            on_chip: PerOperand::from_fn(|operand| self.on_chip[operand].times(images)),
            operations_j: self.operations_j.times(images),
            waves: self.waves * images,
            ..self.clone()
        }
    }

    /// All traffic by kind.
    pub fn traffic_bits(&self) -> TrafficBits {
        let on_chip = |operand: Operand| {
            let behind = self.behind.iter().filter(|behind| behind.operand == operand);
            behind.fold(self.on_chip[operand], |sum, behind| sum.with(&behind.both()))
        };
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
