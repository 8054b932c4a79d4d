//! Layers on cores that exchange spikes: time by events, energy by the table of whole events.

use super::cost_model::CostModel;
use super::parts::{Cycles, EnergyJ, WorkCycles};
use super::run::Run;
use super::{LayerCost, Machine, events};
use crate::hw::ManyCore;
use crate::map::{EpilogueKind, Input, Layer};

impl CostModel for ManyCore {
    /// A timestep of the layer takes what its events take on its cores, evenly spread, and the barrier behind it.
    fn layer_cost(&self, machine: &Machine, run: Run<'_>) -> LayerCost {
        let (cycles, busy) = cycles(self, machine, run);
        let energy_j = match &machine.events {
            Some(table) => events::energy_j(table, run.layer, run.activity, run.timesteps),
            None => EnergyJ::default(),
        };
        LayerCost { cycles, ideal: busy, busy, energy_j, ..LayerCost::default() }
    }
}

/// Time of a layer, and what its cores do meanwhile: events are all that they are busy with.
fn cycles(cores: &ManyCore, machine: &Machine, run: Run<'_>) -> (Cycles, WorkCycles) {
    let Run { layer, activity, timesteps, .. } = run;
    let share = machine.hardware.clock_hz.value / cores_of(cores, layer);
    let (mut cycles, mut busy) = (Cycles::default(), WorkCycles::default());
    if let Some(product) = &layer.product {
        let total = activity.nodes[product.node.index()].total();
        // The image arrives at every timestep.
        let repeat = if product.is_constant() { timesteps } else { 1.0 };
        let serial = match product.input {
            Input::Spikes => 1.0,
            Input::Integers { bits } => f64::from(bits),
        };
        cycles.ideal = total.synaptic_operations() as f64 * repeat * serial * cores.synapse_s.value * share;
        *busy.of_products(product.input) += cycles.ideal;
    }
    for epilogue in &layer.epilogue {
        let total = activity.nodes[epilogue.node.index()].total();
        let frames = epilogue.frames(timesteps);
        let seconds = match epilogue.kind {
            EpilogueKind::Neuron { .. } | EpilogueKind::IntegerNeuron { .. } => {
                f64::from(total.neuron_updates) * cores.neuron_s.value
                    + f64::from(total.output_events) * cores.spike_s.value
            }
            EpilogueKind::SpikeProducts { operations, sums, .. } => {
                (operations + sums) as f64 * frames * cores.synapse_s.value
            }
            _ => epilogue.values as f64 * frames * cores.synapse_s.value,
        };
        cycles.epilogue += seconds * share;
        *busy.of(epilogue.work()) += seconds * share;
    }
    cycles.under_utilisation = timesteps * cores.barrier_s.value * machine.hardware.clock_hz.value;
    (cycles, busy)
}

/// Cores that the neurons or the weights of `layer` fill, at least one.
fn cores_of(cores: &ManyCore, layer: &Layer) -> f64 {
    let neurons = layer.epilogue.iter().map(|e| match e.kind {
        EpilogueKind::Neuron { .. } | EpilogueKind::IntegerNeuron { .. } => e.values,
        _ => 0,
    });
    let by_neurons = neurons.sum::<usize>() as f64 / f64::from(cores.neurons_per_core.value);
    let by_weights = layer.weight_bits() / cores.weight_bits_per_core.value as f64;
    by_neurons.max(by_weights).ceil().max(1.0)
}
