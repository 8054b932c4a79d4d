//! A layer's share of an evaluation, per inference.

use super::totals::LayerTotals;
use super::{LayerEvaluation, StallEvaluation};
use crate::cost::{Cycles, EnergyJ, Machine, TrafficBits};
use crate::map::{Epilogue, EpilogueKind, Layer, OnChipBytes, Plan, Product};

/// What `layer` under `plan` did on average over `images`, with `on_chip_bytes` in the machine's memories.
pub fn summarize_layer(
    machine: &Machine,
    (layer, plan): (&Layer, &Plan),
    totals: &LayerTotals,
    on_chip_bytes: OnChipBytes,
    timesteps: usize,
    images: f64,
) -> LayerEvaluation {
    let (mut cycles, mut energy_j) = (Cycles::default(), EnergyJ::default());
    let mut traffic_bits = TrafficBits::default();
    cycles.add_scaled(&totals.cost.cycles, 1.0 / images);
    energy_j.add_scaled(&totals.cost.energy_j, 1.0 / images);
    traffic_bits.add_scaled(&totals.cost.traffic_bits, 1.0 / images);
    let counters = &totals.counters;
    let product = layer.product.as_ref();
    let frames = |p: &Product| plan.frames(p, timesteps as f64);
    let counted_frames = |p: &Product| p.input_frames(timesteps as f64);
    let inputs = product.map_or(0.0, |p| p.input_values as f64 * counted_frames(p));
    let ratio = |a: f64, b: f64| if b > 0.0 { a / b } else { 0.0 };
    let step_spikes = &counters.step_spikes;
    let updates_of_a_step = ratio(counters.neuron_updates, step_spikes.len() as f64);
    let repeat = product.map_or(1.0, |p| frames(p) / counted_frames(p));
    LayerEvaluation {
        name: layer.name.clone(),
        kind: layer.kind.clone(),
        block: layer.block.clone(),
        weight_bits: product.map_or(0, |p| p.weight.code_bits),
        membrane_bits: layer.epilogue.iter().find_map(membrane_bits).unwrap_or(0),
        mapping: plan.describe(layer),
        loops: loops(layer, plan, machine, timesteps),
        synaptic_operations: (counters.accumulations + counters.multiplications) / images * repeat,
        accumulations: counters.accumulations / images * repeat,
        multiplications: counters.multiplications / images * repeat,
        dense_operations: product.map_or(0.0, |p| p.dense_operations() * frames(p)),
        neuron_updates: counters.neuron_updates / images,
        input_rate: ratio(counters.input_events, inputs * images),
        spike_rate: ratio(counters.spikes, counters.neuron_updates),
        step_spike_rates: step_spikes.iter().map(|spikes| ratio(*spikes, updates_of_a_step)).collect(),
        spikes: counters.spikes / images,
        saturations: counters.saturations / images,
        start_cycles: 0.0,
        tiles: totals.cost.tiles / images,
        leakage_j: machine.leakage_w * machine.seconds(cycles.total()),
        cycles,
        stalls: StallEvaluation::all(&totals.cost.stalls.divided_by(images), &machine.hardware),
        busy_cycles: totals.cost.busy.divided_by(images),
        energy_j,
        executed_bits: counters.bits.divided_by(images),
        traffic_bits,
        weight_bytes: layer.weight_bits() / 8.0,
        on_chip_bytes,
    }
}

/// The loop nest of a layer's product, line by line.
fn loops(layer: &Layer, plan: &Plan, machine: &Machine, timesteps: usize) -> Vec<String> {
    let nest = plan.nest(layer, &machine.hardware, timesteps);
    nest.map_or_else(Vec::new, |(nest, _)| nest.to_string().lines().map(str::to_owned).collect())
}

fn membrane_bits(epilogue: &Epilogue) -> Option<u32> {
    match epilogue.kind {
        EpilogueKind::Neuron { membrane_bits, .. } => membrane_bits,
        _ => None,
    }
}
