//! Sums over images, in the order of images: any number of threads gives the same bytes.

use super::LayerRate;
use crate::cost::{LayerCost, Machine};
use crate::exec::Activity;
use crate::map::{EpilogueKind, ExecutedBits, Layer, Workload};
use crate::model::{Network, Node, NodeId, Op};

/// Sums over images, and the worst of them.
pub(super) struct Totals {
    pub images: usize,
    pub layers: Vec<LayerTotals>,
    /// Per node, inputs of a weight layer and outputs of any other that are not zero.
    pub events: Vec<u64>,
    /// Cycles from image to image.
    pub period_cycles: f64,
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
    /// Per timestep.
    pub step_spikes: Vec<f64>,
    pub saturations: f64,
    pub bits: ExecutedBits,
}

/// Counters of one image.
pub(super) struct Counters {
    /// Counters of every fused layer.
    layers: Vec<LayerCounters>,
    /// Events, in the order of [`Totals`].
    events: Vec<u64>,
}

/// Counters of one image.
pub(super) fn count(workload: &Workload, activity: &Activity) -> Counters {
    let layer = |layer: &Layer| {
        let mut counters = LayerCounters::default();
        (0..workload.timesteps).for_each(|t| counters.bits.add_scaled(&layer.bits_at(activity, t), 1.0));
        if let Some(product) = &layer.product {
            let total = activity.nodes[product.node.index()].total();
            counters.accumulations = total.accumulations as f64;
            counters.multiplications = total.multiplications as f64;
            counters.input_events = f64::from(total.input_events);
        }
        for epilogue in &layer.epilogue {
            let node = &activity.nodes[epilogue.node.index()];
            let total = node.total();
            if matches!(epilogue.kind, EpilogueKind::Neuron { .. } | EpilogueKind::IntegerNeuron { .. }) {
                counters.spikes += f64::from(total.output_events);
                add_steps(
                    &mut counters.step_spikes,
                    node.steps.iter().map(|step| f64::from(step.output_events)),
                );
            }
            counters.neuron_updates += f64::from(total.neuron_updates);
            counters.saturations += f64::from(total.saturations);
        }
        counters
    };
    // A node counts one of them.
    let events =
        activity.nodes.iter().map(|node| node.total()).map(|total| total.input_events + total.output_events);
    Counters { layers: workload.layers.iter().map(layer).collect(), events: events.map(u64::from).collect() }
}

impl Totals {
    pub fn new(layers: usize, nodes: usize) -> Self {
        Self {
            images: 0,
            layers: vec![LayerTotals::default(); layers],
            events: vec![0; nodes],
            period_cycles: 0.0,
            worst_latency_s: 0.0,
            worst_energy_j: 0.0,
        }
    }

    /// Adds an image whose layers cost `costs`, with the next one `period_cycles` behind it.
    pub fn add(&mut self, costs: &[LayerCost], counters: &Counters, period_cycles: f64, machine: &Machine) {
        self.images += 1;
        self.period_cycles += period_cycles;
        self.events.iter_mut().zip(&counters.events).for_each(|(sum, events)| *sum += events);
        let (mut cycles, mut energy_j) = (0.0, 0.0);
        for ((total, cost), counters) in self.layers.iter_mut().zip(costs).zip(&counters.layers) {
            total.cost.add(cost);
            total.counters.add(counters);
            cycles += cost.cycles.total();
            energy_j += cost.energy_j.total();
        }
        let latency_s = machine.seconds(cycles);
        self.worst_latency_s = self.worst_latency_s.max(latency_s);
        let leakage_j = machine.leakage_w * machine.seconds(period_cycles);
        self.worst_energy_j = self.worst_energy_j.max(energy_j + leakage_j);
    }

    /// Rates of the weight layers and the neurons of `network`, over all images.
    pub fn rates(&self, network: &Network) -> Vec<LayerRate> {
        let rate = |(id, node): (NodeId, &Node)| {
            let values = match node.op {
                Op::Weighted(_) => network.input_of(node, 0).shape.values(),
                _ if node.op.is_neuron() => node.shape.values(),
                _ => return None,
            };
            let frames = node.frames(network.timesteps);
            let rate = self.events[id.index()] as f64 / (values * frames * self.images) as f64;
            Some(LayerRate { layer: node.name.clone(), rate })
        };
        network.iter().filter_map(rate).collect()
    }
}

impl LayerCounters {
    fn add(&mut self, other: &Self) {
        self.accumulations += other.accumulations;
        self.multiplications += other.multiplications;
        self.input_events += other.input_events;
        self.neuron_updates += other.neuron_updates;
        self.spikes += other.spikes;
        add_steps(&mut self.step_spikes, other.step_spikes.iter().copied());
        self.saturations += other.saturations;
        self.bits.add_scaled(&other.bits, 1.0);
    }
}

/// Adds `values` of the first timesteps to `sums`, which has no fewer then.
fn add_steps(sums: &mut Vec<f64>, values: impl ExactSizeIterator<Item = f64>) {
    sums.resize(sums.len().max(values.len()), 0.0);
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timesteps_add_up_one_by_one() {
        let mut sums = Vec::new();
        add_steps(&mut sums, [1.0, 2.0].into_iter());
        add_steps(&mut sums, [10.0, 20.0, 30.0].into_iter());
        add_steps(&mut sums, [100.0].into_iter());
        assert_eq!(sums, [111.0, 22.0, 30.0]);
    }
}
