//! Cycles, energy and footprint, each as named parts that add up to its total.

pub use crate::map::{ExecutedBits, OnChipBytes};

use super::stalls::Stalls;
use crate::hw::{Operand, Work};
use crate::map::Input;
use crate::num::parts;

parts! {
    /// Clock cycles by what the array spends them on.
    Cycles {
        /// Operations divided by lanes: what a perfectly used array would need.
        ideal: "ideal",
        /// Lanes without work at the ragged edge of a tile.
        under_utilisation: "under-utilisation",
        /// Pipeline fill and drain of a systolic array.
        fill_drain: "fill and drain",
        /// Lanes that wait for the slowest lane of their wave.
        imbalance: "imbalance",
        /// Neurons, residual additions, pooling and attention that do not hide behind the array.
        epilogue: "neurons and joins",
        /// On-chip memory ports slower than the array.
        port_stall: "port stall",
        /// Off-chip memory slower than the array.
        dram_stall: "DRAM stall",
        /// Load of the first tile.
        load: "load",
        /// Store of the last tile.
        store: "store",
    }
}

parts! {
    /// Clock cycles by the work that a unit does in them; units work side by side, so they do not add up to time.
    WorkCycles {
        /// Products of weights with spikes.
        spike_products: "products with spikes",
        /// Products of weights with integers.
        integer_products: "products with integers",
        /// Membrane updates, comparisons, resets.
        neurons: "neurons",
        /// Additions to a residual stream, or of spikes.
        joins: "joins",
        /// Rescaling onto a grid.
        requantization: "requantization",
        /// Comparisons of a max pooling.
        pooling: "pooling",
        /// Sums over positions or timesteps.
        means: "means",
        /// Products of spikes with spikes, and masks.
        attention: "attention",
    }
}

impl WorkCycles {
    /// Cycles of products with `input`.
    pub(crate) fn of_products(&mut self, input: Input) -> &mut f64 {
        match input {
            Input::Spikes => &mut self.spike_products,
            Input::Integers { .. } => &mut self.integer_products,
        }
    }

    /// Cycles of `work` beside the products.
    pub fn of(&mut self, work: Work) -> &mut f64 {
        match work {
            Work::Neurons => &mut self.neurons,
            Work::Joins => &mut self.joins,
            Work::Requantization => &mut self.requantization,
            Work::Pooling => &mut self.pooling,
            Work::Means => &mut self.means,
            Work::Attention => &mut self.attention,
        }
    }
}

parts! {
    /// Dynamic energy in joules by what draws it.
    EnergyJ {
        /// Accumulations and multiplications of the weight layers.
        synapse: "synapses",
        /// Membrane updates, comparisons and resets.
        neuron: "neurons",
        /// Residual additions, requantization, pooling and sums.
        elementwise: "joins and pooling",
        /// Spike products of the attention.
        attention: "attention",
        /// On-chip weight memory.
        weight_memory: "weight memory",
        /// On-chip memory of spikes and other activations.
        activation_memory: "activation memory",
        /// On-chip memory of partial sums.
        partial_sum_memory: "partial sums",
        /// On-chip memory of membrane potentials.
        membrane_memory: "membranes",
        /// On-chip memory of the residual stream.
        residual_memory: "residual stream",
        /// Clock tree, control and network of the chip, a share of all that is switched on it.
        control: "clock and control",
        /// Off-chip memory: transfers, and what its devices draw meanwhile and between them.
        dram: "DRAM",
    }
}

parts! {
    /// Bits that moved in the machine, by what they are and which way.
    TrafficBits {
        /// Weight codes, biases and thresholds read on chip.
        weights_read: "weights read",
        /// Weight codes, biases and thresholds that came from off chip, written on chip.
        weights_written: "weights written",
        /// Spikes, counts and pixels read on chip.
        activations_read: "activations read",
        /// Spikes and counts written on chip.
        activations_written: "activations written",
        /// Partial sums read on chip.
        partial_sums_read: "partial sums read",
        /// Partial sums written on chip.
        partial_sums_written: "partial sums written",
        /// Membrane potentials read on chip.
        membranes_read: "membranes read",
        /// Membrane potentials written on chip.
        membranes_written: "membranes written",
        /// Residual stream read on chip.
        residual_read: "residual stream read",
        /// Residual stream written on chip.
        residual_written: "residual stream written",
        /// Anything read off chip.
        dram_read: "DRAM read",
        /// Anything written off chip.
        dram_written: "DRAM written",
    }
}

impl TrafficBits {
    /// What on-chip memories read and write of `operand`.
    pub fn on_chip(&self, operand: Operand) -> f64 {
        match operand {
            Operand::Weights => self.weights_read + self.weights_written,
            Operand::Activations => self.activations_read + self.activations_written,
            Operand::PartialSums => self.partial_sums_read + self.partial_sums_written,
            Operand::Membranes => self.membranes_read + self.membranes_written,
            Operand::Residual => self.residual_read + self.residual_written,
        }
    }
}

parts! {
    /// Bytes that a network takes at a setting, wherever they live: the model, and what lives while it runs.
    FootprintBytes {
        /// Weight codes.
        weights: "weights",
        /// Biases, thresholds and requantizers.
        parameters: "biases and thresholds",
        /// Membrane potentials of all neurons that keep one.
        membrane: "membranes",
        /// The largest residual stream alive, one timestep.
        residual: "residual stream",
        /// The largest spike maps alive, one timestep.
        activations: "spike maps",
    }
}

impl FootprintBytes {
    /// What a file of the network holds: weights, biases, thresholds and requantizers.
    pub fn model(&self) -> f64 {
        self.weights + self.parameters
    }
}

parts! {
    /// Area in mm2 by what takes it; pads and interfaces are not counted.
    AreaMm2 {
        /// Adders or multipliers of the array, at their widths.
        arithmetic: "arithmetic",
        /// Registers of the array: sums, and operands of a systolic array.
        registers: "registers",
        /// Neuron lanes: an adder, a comparator and a register each.
        neurons: "neurons",
        /// Requantizers of the neuron lanes: a multiplier each.
        requantizers: "requantizers",
        /// Gates and counters of attention and masks.
        attention: "attention",
        /// Crossbars between the banks of memories and what reads them.
        crossbars: "crossbars",
        /// Clock tree, control and network, a share of all logic.
        control: "clock and control",
        /// On-chip weight memory.
        weight_memory: "weight memory",
        /// On-chip memories of everything else.
        other_memories: "other memories",
    }
}

impl Cycles {
    /// Cycles in which units wait for memories, off chip or not.
    pub fn stalls(&self) -> f64 {
        self.port_stall + self.dram_stall + self.load + self.store
    }
}

impl AreaMm2 {
    /// Everything but memories.
    pub fn logic(&self) -> f64 {
        self.arithmetic
            + self.registers
            + self.neurons
            + self.requantizers
            + self.attention
            + self.crossbars
            + self.control
    }
}

/// Time and energy of one layer for one image.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LayerCost {
    /// Cycles by cause.
    pub cycles: Cycles,
    /// Waits among `cycles` for memories, one by one: `port_stall`, `dram_stall`, `load` and `store`.
    pub stalls: Stalls,
    /// What perfectly used lanes of each unit would need: operations divided by lanes.
    pub ideal: WorkCycles,
    /// How long units are busy.
    pub busy: WorkCycles,
    /// Dynamic energy by component.
    pub energy_j: EnergyJ,
    /// Bits that moved.
    pub traffic_bits: TrafficBits,
    /// Bits that came to memories that feed units.
    pub loaded_bits: f64,
    /// Weights among `loaded_bits`.
    pub loaded_weight_bits: f64,
    /// Time that the bus, or a slower memory on its way, was busy.
    pub transfer_cycles: f64,
    /// Equal tiles that it comes in; 0 of a unit without a timeline.
    pub tiles: f64,
}

impl LayerCost {
    /// What one of `images` takes.
    pub(crate) fn divided_by(&self, images: f64) -> Self {
        Self {
            cycles: self.cycles.divided_by(images),
            stalls: self.stalls.divided_by(images),
            ideal: self.ideal.divided_by(images),
            busy: self.busy.divided_by(images),
            energy_j: self.energy_j.divided_by(images),
            traffic_bits: self.traffic_bits.divided_by(images),
            loaded_bits: self.loaded_bits / images,
            loaded_weight_bits: self.loaded_weight_bits / images,
            transfer_cycles: self.transfer_cycles / images,
            tiles: self.tiles / images,
        }
    }

    /// Adds `other`, part by part.
    pub fn add(&mut self, other: &Self) {
        self.cycles.add_scaled(&other.cycles, 1.0);
        self.stalls.add_all(&other.stalls);
        self.ideal.add_scaled(&other.ideal, 1.0);
        self.busy.add_scaled(&other.busy, 1.0);
        self.energy_j.add_scaled(&other.energy_j, 1.0);
        self.traffic_bits.add_scaled(&other.traffic_bits, 1.0);
        self.loaded_bits += other.loaded_bits;
        self.loaded_weight_bits += other.loaded_weight_bits;
        self.transfer_cycles += other.transfer_cycles;
        self.tiles += other.tiles;
    }
}
