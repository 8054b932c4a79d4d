//! A machine that is charged for images, and the evaluation that this leads to.

use super::bottlenecks::{Mapped, bottlenecks};
use super::summary::summarize_layer;
use super::time::Worked;
use super::timeline::timeline;
use super::totals::{Counters, LayerTotals, Totals, count};
use super::{Evaluation, LayerEvaluation, MemoryEvaluation, StallEvaluation, UnitEvaluation, notes};
use crate::cost::{
    Cycles, EnergyJ, LayerCost, Machine, MappedWorkload, Stalls, TrafficBits, footprint_bytes,
};
use crate::exec::Activity;
use crate::map::{FixedMapping, OnChipBytes};
use crate::model::Network;

/// One machine, how a workload is mapped onto it, and what it was charged for so far.
pub(super) struct Charge<'a> {
    machine: &'a Machine,
    mapped: MappedWorkload,
    totals: Totals,
}

impl<'a> Charge<'a> {
    /// A charge of nothing yet; `mapped` is a workload of `network` on `machine`.
    pub fn new(machine: &'a Machine, mapped: MappedWorkload, network: &Network) -> Self {
        let totals = Totals::new(mapped.workload.layers.len(), network.nodes.len());
        Self { machine, mapped, totals }
    }

    /// The machine.
    pub fn machine(&self) -> &'a Machine {
        self.machine
    }

    /// What one image costs, per layer.
    pub fn costs(&self, activity: &Activity) -> Vec<LayerCost> {
        self.mapped.costs(self.machine, activity)
    }

    /// Adds an image.
    pub fn add(&mut self, costs: &[LayerCost], counters: &Counters) {
        let period_cycles = self.mapped.period_cycles(costs, self.machine);
        self.totals.add(costs, counters, period_cycles, self.machine);
    }

    /// Adds an image that did `activity`.
    pub fn add_activity(&mut self, activity: &Activity) {
        self.add(&self.costs(activity), &count(&self.mapped.workload, activity));
    }

    /// Means over the images, of `network` at the setting called `setting`; `counted` says whether their activity was
    /// counted in spikes, and `noted` what else a reader must know. Accuracies are left open.
    pub fn evaluation(
        &self,
        setting: &str,
        network: &Network,
        noted: &[String],
        counted: bool,
    ) -> Evaluation {
        let (machine, totals, workload) = (self.machine, &self.totals, &self.mapped.workload);
        let on_chip = self.mapped.occupancy(&machine.hardware);
        let layers = self.layers(&on_chip);
        let mut cycles = Cycles::default();
        let mut energy_j = EnergyJ::default();
        let mut traffic_bits = TrafficBits::default();
        for layer in &layers {
            cycles.add_scaled(&layer.cycles, 1.0);
            energy_j.add_scaled(&layer.energy_j, 1.0);
            traffic_bits.add_scaled(&layer.traffic_bits, 1.0);
        }
        let mut stalls = Stalls::default();
        totals.layers.iter().for_each(|layer| stalls.add_all(&layer.cost.stalls));
        let images = totals.images as f64;
        let worked = totals.layers.iter().map(|LayerTotals { cost, .. }| Worked {
            ideal: cost.ideal.divided_by(images),
            busy: cost.busy.divided_by(images),
        });
        let sum = |get: fn(&LayerEvaluation) -> f64| layers.iter().map(get).sum::<f64>();
        let (seconds, period_cycles) = (machine.seconds(cycles.total()), totals.period_cycles / images);
        let period_s = machine.seconds(period_cycles);
        let (batch, leakage_j) = (workload.batch as f64, sum(|layer| layer.leakage_j));
        let of_machine = notes::of_machine(machine, &self.mapped, counted.then_some(totals.images));
        Evaluation {
            name: setting.to_owned(),
            notes: [noted, &of_machine].concat(),
            accuracy: None,
            accuracy_drop: None,
            average_weight_bits: workload.weight_bits() / workload.weights(),
            footprint_bytes: footprint_bytes(workload),
            memories: MemoryEvaluation::all(&self.mapped, &machine.hardware, &on_chip),
            stalls: StallEvaluation::all(&stalls.divided_by(images), &machine.hardware),
            units: UnitEvaluation::all(machine, &self.mapped, worked, period_cycles),
            cycles,
            batch: workload.batch as u32,
            latency_s: seconds * batch,
            period_s: period_s * batch,
            worst_latency_s: totals.worst_latency_s * batch,
            energy_j,
            traffic_bits,
            leakage_j,
            worst_energy_j: totals.worst_energy_j,
            power_w: (energy_j.total() + leakage_j) / period_s,
            synaptic_operations: sum(|layer| layer.synaptic_operations),
            spikes: sum(|layer| layer.spikes),
            saturations: sum(|layer| layer.saturations),
            area_mm2: machine.area_mm2,
            rates: totals.rates(network),
            layers,
            bottlenecks: Vec::new(),
            timeline: Vec::new(),
        }
    }

    /// Adds to `evaluation`, which is of this, the heaviest layers with what would help them, and the timeline: `samples`
    /// are what the mapper saw, and `fixed` is what a file left it.
    pub fn explain(
        &self,
        evaluation: &mut Evaluation,
        network: &Network,
        fixed: Option<&FixedMapping>,
        samples: &[Activity],
    ) {
        let Self { machine, mapped, .. } = self;
        let layers = &evaluation.layers;
        evaluation.bottlenecks = bottlenecks(&Mapped { network, machine, mapped, fixed, samples }, layers);
        evaluation.timeline = timeline(machine, mapped, layers);
    }

    fn layers(&self, on_chip: &[Vec<OnChipBytes>]) -> Vec<LayerEvaluation> {
        let workload = &self.mapped.workload;
        let images = self.totals.images as f64;
        let cycles: f64 = self.totals.layers.iter().map(|layer| layer.cost.cycles.total()).sum();
        // Layers share the time from image to image.
        let share = if cycles > 0.0 { self.totals.period_cycles / cycles } else { 1.0 };
        let layers = workload.layers.iter().zip(&self.mapped.plans).zip(&self.totals.layers);
        let summarize = |((mapped, totals), memories): (_, &Vec<OnChipBytes>)| {
            let mut on_chip = OnChipBytes::default();
            memories.iter().for_each(|memory| on_chip.add_scaled(memory, 1.0));
            let mut layer =
                summarize_layer(self.machine, mapped, totals, on_chip, workload.timesteps, images);
            layer.leakage_j *= share;
            layer
        };
        let mut layers: Vec<LayerEvaluation> = layers.zip(on_chip).map(summarize).collect();
        let mut start_cycles = 0.0;
        for layer in &mut layers {
            layer.start_cycles = start_cycles;
            start_cycles += layer.cycles.total();
        }
        layers
    }
}
