//! The rules of a published evaluation, on the shapes and rates of a network.
//!
//! All products but the first convolution and the head are counted, those that read the same spikes as one;
//! a convolution is the product that it unrolls to. Spikes are one random draw at the given rates. Attention
//! is not counted, stalls are counted for two of the machines, neurons as each rule says.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::exec::{Pattern, Rates, SpikeMatrix};
use crate::hw::published::{Published, PublishedResult, Rule};
use crate::model::{Network, NodeId};

/// Bits per cycle of off-chip memory, by the rules of PTB and Prosperity.
const DRAM_BITS_PER_CYCLE: u64 = 1024;
/// Width of weights and sums, by the rules of PTB and Prosperity.
const WORD_BITS: u64 = 8;

/// A machine on a network, by the rules of the published evaluation.
#[derive(Debug, Clone, Serialize)]
pub struct AsPublished {
    /// Latency of one image.
    pub latency_s: f64,
    /// Energy of one image, and the off-chip traffic that it takes as given; absent where none is published.
    pub energy_j: Option<f64>,
    /// Bits to and from off-chip memory, as given.
    pub dram_bits: Option<f64>,
    /// What the evaluation prints.
    pub printed_latency_s: Option<f64>,
    /// What the evaluation prints.
    pub printed_energy_j: Option<f64>,
}

/// A product of one group of weight layers: M positions, K inputs, N outputs, T timesteps.
struct Work {
    spikes: SpikeMatrix,
    outputs: u64,
    /// Kernel positions.
    taps: u64,
}

/// A network as the rules see it.
pub struct PublishedWork {
    works: Vec<Work>,
    /// Neurons of every layer but that of the first convolution.
    neurons: Vec<u64>,
    timesteps: u64,
}

impl PublishedWork {
    /// Draws spikes for the products of `network` at `rates`.
    pub fn new(network: &Network, rates: &Rates) -> Self {
        let weighted: Vec<_> = network.weighted().collect();
        let (first, last) = (weighted[0].0, weighted[weighted.len() - 1].0);
        let mut works: Vec<(NodeId, Work)> = Vec::new();
        for (id, node, layer) in weighted.into_iter().filter(|(id, ..)| *id != first && *id != last) {
            let (reads, outputs) = (node.inputs[0], layer.geometry.out_channels as u64);
            if let Some((_, work)) = works.iter_mut().find(|(input, _)| *input == reads) {
                work.outputs += outputs;
                continue;
            }
            let rate = rates.of_inputs(id);
            let (positions, columns) = (node.shape.positions(), layer.geometry.fan_in());
            let spikes = SpikeMatrix::drawn(positions, network.timesteps, columns, rate, id.index() as u64);
            works.push((reads, Work { spikes, outputs, taps: layer.geometry.taps() as u64 }));
        }
        let neurons = network.nodes.iter().filter(|node| node.op.is_neuron() && node.inputs[0] != first);
        Self {
            works: works.into_iter().map(|(_, work)| work).collect(),
            neurons: neurons.map(|node| node.shape.values() as u64).collect(),
            timesteps: network.timesteps as u64,
        }
    }

    /// Latency and energy of the machine called `hardware` on the network called `model`.
    ///
    /// # Errors
    /// If the evaluation has no such machine.
    pub fn on(&self, published: &Published, hardware: &str, model: &str) -> Result<AsPublished> {
        let Some(machine) = published.machines.get(hardware) else {
            let known: Vec<&str> = published.machines.keys().map(String::as_str).collect();
            let message =
                format!("hardware {hardware} is not in the published evaluation: {}", known.join(", "));
            return Err(Error::mismatch(message));
        };
        let latency_s = self.cycles(machine.rule) as f64 / published.clock_hz;
        let network = published.networks.get(model);
        let printed: Option<&PublishedResult> = network.and_then(|network| network.results.get(hardware));
        let dram_bits = network.map(|network| network.dram_bits * machine.dram_relative);
        let energy =
            |bits: f64| machine.chip_power_mw * 1e-3 * latency_s + bits * published.dram_pj_per_bit * 1e-12;
        Ok(AsPublished {
            latency_s,
            energy_j: dram_bits.map(energy),
            dram_bits,
            printed_latency_s: printed.map(|result| result.latency_ms * 1e-3),
            printed_energy_j: printed.map(|result| result.energy_mj * 1e-3),
        })
    }

    fn cycles(&self, rule: Rule) -> u64 {
        let product = |work: &Work| match rule {
            Rule::Eyeriss => work.outputs.div_ceil(12) * (work.bits() / 14),
            Rule::Ptb => work.ptb_cycles(),
            Rule::Sato => work.sato_cycles(),
            Rule::Mint => work.row_spikes().sum::<u64>() * work.outputs.div_ceil(128),
            Rule::Prosperity => work.prosperity_cycles(),
        };
        let t = self.timesteps;
        let neuron = |&neurons: &u64| match rule {
            Rule::Eyeriss => t / 12 * neurons / 14,
            Rule::Ptb | Rule::Mint => neurons * t * 3 / 16,
            Rule::Sato => neurons * (u64::from(t.max(1).ilog2()) + 1),
            // Neurons of all tiles but the last one hide behind products.
            Rule::Prosperity => (256 * 128 / t).div_ceil(32).min(neurons.div_ceil(32)) * t * 2,
        };
        self.works.iter().map(product).sum::<u64>() + self.neurons.iter().map(neuron).sum::<u64>()
    }
}

impl Work {
    /// Bits of the spike matrix: K M T.
    fn bits(&self) -> u64 {
        (self.spikes.rows * self.spikes.columns) as u64
    }

    fn row_spikes(&self) -> impl Iterator<Item = u64> {
        self.spikes.row_spikes().map(u64::from)
    }

    /// The busiest of 128 units, each of which goes through the outputs one by one.
    fn sato_cycles(&self) -> u64 {
        let mut units: BinaryHeap<Reverse<u64>> = (0..128).map(|_| Reverse(0)).collect();
        for spikes in self.row_spikes() {
            let Reverse(least) = units.pop().expect("128 units");
            units.push(Reverse(least + spikes));
        }
        units.into_iter().map(|Reverse(spikes)| spikes).max().unwrap_or(0) * self.outputs
    }

    /// Windows of 4 timesteps at 8 positions; inputs whose positions do not overlap share a pass.
    fn ptb_cycles(&self) -> u64 {
        const POSITIONS: usize = 8;
        const WINDOW: usize = 4;
        let positions = self.spikes.positions();
        let windows = self.spikes.timesteps.div_ceil(WINDOW);
        let batches = (positions * windows).div_ceil(POSITIONS);
        let mut passes = 0;
        for batch in 0..batches {
            let mut masks = vec![0u8; self.spikes.columns];
            for place in 0..POSITIONS {
                let at = place * batches + batch;
                if at >= positions * windows {
                    continue;
                }
                let (window, position) = (at / positions, at % positions);
                let active =
                    self.spikes.union(position..position + 1, window * WINDOW..(window + 1) * WINDOW);
                for (column, mask) in masks.iter_mut().enumerate() {
                    *mask |= u8::from(active[column / 64] >> (column % 64) & 1 == 1) << place;
                }
            }
            passes += packed(&masks);
        }
        let compute = passes * self.outputs.div_ceil(16) * WINDOW as u64 + positions as u64 * 16 * 2;
        let sums = self.spikes.rows as u64 * self.outputs;
        let moved = self.bits() + self.spikes.columns as u64 * self.outputs * WORD_BITS + sums;
        compute + stalls(compute, moved, 16 * 8 * (8 + 4))
    }

    fn prosperity_cycles(&self) -> u64 {
        let (rows, columns) = (self.spikes.rows as u64, self.spikes.columns as u64);
        let (row_tiles, output_tiles) = (rows.div_ceil(256), self.outputs.div_ceil(128));
        let left = self.spikes.count(Pattern::Products { rows: 256, columns: 16 });
        let compute = ((left.steps + left.copies) * output_tiles).max(left.searches + rows / 8);
        let moved =
            columns * self.outputs * WORD_BITS * row_tiles + rows * columns * output_tiles / self.taps;
        let first = columns.min(16) * self.outputs.min(128) * WORD_BITS + columns.min(16) * rows.min(256);
        compute + stalls(compute, moved, first)
    }
}

/// The first tile is loaded before anything runs; the others hide behind what runs, as far as they can.
fn stalls(compute: u64, moved: u64, first: u64) -> u64 {
    let rest = moved.saturating_sub(first) / DRAM_BITS_PER_CYCLE;
    first / DRAM_BITS_PER_CYCLE + rest.saturating_sub(compute)
}

/// Passes over inputs that are active at the positions of their masks: none for 0, and one for two masks that
/// have no position in common, the first such one being taken.
fn packed(masks: &[u8]) -> u64 {
    let full = masks.iter().filter(|&&mask| mask == u8::MAX).count();
    let open: Vec<u8> = masks.iter().copied().filter(|&mask| mask != 0 && mask != u8::MAX).collect();
    // Per mask, where it stands and is not taken yet, the next one last.
    let mut places: Vec<Vec<usize>> = vec![Vec::new(); 256];
    for (at, &mask) in open.iter().enumerate().rev() {
        places[usize::from(mask)].push(at);
    }
    let mut passes = full as u64;
    for (at, &mask) in open.iter().enumerate() {
        if places[usize::from(mask)].last() != Some(&at) {
            // Taken by one before.
            continue;
        }
        places[usize::from(mask)].pop();
        passes += 1;
        let disjoint = (1..=255u8).filter(|other| other & mask == 0);
        let first = disjoint.filter_map(|other| Some((*places[usize::from(other)].last()?, other))).min();
        if let Some((_, other)) = first {
            places[usize::from(other)].pop();
        }
    }
    passes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0011 goes with 1100, the first that does not overlap; 0110 with 1001; 1111 1111 is full.
    #[test]
    fn masks_are_packed_in_pairs() {
        assert_eq!(packed(&[0b0011, 0b0110, 0b1100, 0, 0b1001, 255]), 3);
        assert_eq!(packed(&[0b0011, 0b0010, 0b0001]), 2);
        assert_eq!(packed(&[1, 1, 1]), 3);
        assert_eq!(packed(&[]), 0);
    }

    fn work(outputs: u64) -> Work {
        // Two positions, two timesteps, four inputs, all spiking.
        Work { spikes: SpikeMatrix::drawn(2, 2, 4, 1.0, 0), outputs, taps: 1 }
    }

    #[test]
    fn a_dense_product_by_hand() {
        let network = |work| PublishedWork { works: vec![work], neurons: vec![32], timesteps: 2 };
        // 16 bits, 13 outputs: 2 x (16 / 14); neurons of two timesteps are free.
        assert_eq!(network(work(13)).cycles(Rule::Eyeriss), 2);
        // 16 spikes x 1, and 32 x 2 x 3 / 16 for the neurons.
        assert_eq!(network(work(13)).cycles(Rule::Mint), 16 + 12);
        // Four rows of four spikes on four units; 32 x (1 + 1).
        assert_eq!(network(work(13)).cycles(Rule::Sato), 4 * 13 + 64);
        // A row of 4 is added, three copy it: 7 steps, searches 4 rows. Weights 4 x 13 x 8 + 16 bits are less
        // than a cycle. Neurons 1 x 2 x 2.
        assert_eq!(network(work(13)).cycles(Rule::Prosperity), 7 + 4);
    }

    #[test]
    fn stalls_by_hand() {
        assert_eq!(stalls(10, 1024 * 12 + 2048, 2048), 2 + 2);
        assert_eq!(stalls(100, 1024 * 12, 100), 0);
    }
}
