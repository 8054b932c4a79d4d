//! Sums over images, in their order.

use crate::cost::{LayerCost, Machine};
use crate::exec::Activity;
use crate::map::{BitCounts, EpilogueKind, Layer, Workload};

/// Sums over images, and the worst of them.
pub(super) struct Totals {
    pub correct: usize,
    pub layers: Vec<LayerTotals>,
    pub worst_latency_s: f64,
    pub worst_energy_j: f64,
}

#[derive(Clone, Default)]
pub(super) struct LayerTotals {
    pub cost: LayerCost,
    pub counters: LayerCounters,
}

/// Sums over images of the counters of a fused layer.
#[derive(Clone, Default)]
pub(super) struct LayerCounters {
    pub accumulations: f64,
    pub multiplications: f64,
    pub input_events: f64,
    pub neuron_updates: f64,
    pub spikes: f64,
    pub saturations: f64,
    pub bits: BitCounts,
}

/// Counters of every fused layer for one image.
pub(super) fn count(workload: &Workload, activity: &Activity) -> Vec<LayerCounters> {
    let layer = |layer: &Layer| {
        let mut counters = LayerCounters::default();
        (0..workload.timesteps).for_each(|t| counters.bits.add(&layer.bits_at(activity, t)));
        if let Some(product) = &layer.product {
            let total = activity.nodes[product.node.index()].total();
            counters.accumulations = total.accumulations as f64;
            counters.multiplications = total.multiplications as f64;
            counters.input_events = f64::from(total.input_events);
        }
        for epilogue in &layer.epilogue {
            let total = activity.nodes[epilogue.node.index()].total();
            if matches!(epilogue.kind, EpilogueKind::Neuron { .. } | EpilogueKind::IntegerNeuron { .. }) {
                counters.spikes += f64::from(total.output_events);
            }
            counters.neuron_updates += f64::from(total.neuron_updates);
            counters.saturations += f64::from(total.saturations);
        }
        counters
    };
    workload.layers.iter().map(layer).collect()
}

impl Totals {
    pub fn new(layers: usize) -> Self {
        Self {
            correct: 0,
            layers: vec![LayerTotals::default(); layers],
            worst_latency_s: 0.0,
            worst_energy_j: 0.0,
        }
    }

    pub fn add(&mut self, correct: bool, costs: &[LayerCost], counters: &[LayerCounters], machine: &Machine) {
        self.correct += usize::from(correct);
        let (mut cycles, mut energy_j) = (0.0, 0.0);
        for ((total, cost), counters) in self.layers.iter_mut().zip(costs).zip(counters) {
            total.cost.add(cost);
            total.counters.add(counters);
            cycles += cost.cycles.total();
            energy_j += cost.energy_j.total();
        }
        let latency_s = machine.seconds(cycles);
        self.worst_latency_s = self.worst_latency_s.max(latency_s);
        self.worst_energy_j = self.worst_energy_j.max(energy_j + machine.leakage_w * latency_s);
    }
}

impl LayerCounters {
    fn add(&mut self, other: &Self) {
        self.accumulations += other.accumulations;
        self.multiplications += other.multiplications;
        self.input_events += other.input_events;
        self.neuron_updates += other.neuron_updates;
        self.spikes += other.spikes;
        self.saturations += other.saturations;
        self.bits.add(&other.bits);
    }
}
