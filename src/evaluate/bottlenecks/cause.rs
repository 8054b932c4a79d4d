//! What a layer's cycles and energy go to, and the changes that are about it.

use super::bottleneck::Cause;
use super::change::{Change, fewer_bits, layouts, room};
use crate::cost::{Cycles, EnergyJ, WorkCycles};
use crate::evaluate::{LayerEvaluation, StallEvaluation};
use crate::hw::{Hardware, Operand, SpatialDim, Work};
use crate::map::{Plan, Product, Workload};

/// A layer as it runs.
pub(super) struct Subject<'a> {
    /// Number of the layer.
    pub number: usize,
    /// What it costs.
    pub evaluation: &'a LayerEvaluation,
    /// The machine.
    pub hardware: &'a Hardware,
    /// The network.
    pub workload: &'a Workload,
    /// How its layers run.
    pub plans: &'a [Plan],
}

/// Operands with the parts of energy that their memories draw.
const MEMORIES: [(&str, Operand); 5] = [
    ("weight_memory", Operand::Weights),
    ("activation_memory", Operand::Activations),
    ("partial_sum_memory", Operand::PartialSums),
    ("membrane_memory", Operand::Membranes),
    ("residual_memory", Operand::Residual),
];

/// The part of `labels` with the largest of `values`, and its share of `total`; `skipped` is a share of the others.
fn largest(
    labels: &'static [(&'static str, &'static str)],
    values: &[f64],
    skipped: &str,
) -> (&'static str, &'static str, f64) {
    let parts = labels.iter().zip(values).filter(|((name, _), _)| *name != skipped);
    let ((name, label), value) = parts.max_by(|a, b| a.1.total_cmp(b.1)).expect("a quantity has parts");
    (name, label, *value)
}

fn share(part: f64, total: f64) -> f64 {
    if total > 0.0 { part / total } else { 0.0 }
}

fn kib(bits: f64) -> String {
    format!("{:.1} KiB", bits / 8192.0)
}

impl Subject<'_> {
    fn plan(&self) -> &Plan {
        &self.plans[self.number]
    }

    fn product(&self) -> Option<&Product> {
        self.workload.layers[self.number].product.as_ref()
    }

    /// What draws most of its energy, leakage included.
    pub fn energy_cause(&self) -> Cause {
        let layer = self.evaluation;
        let total = layer.energy_j.total() + layer.leakage_j;
        let (part, label, energy_j) = largest(EnergyJ::LABELS, &layer.energy_j.parts(), "control");
        if layer.leakage_j > energy_j {
            let words = "leakage while it runs".to_owned();
            return Cause { part: "leakage", share: share(layer.leakage_j, total), words };
        }
        let words = match MEMORIES.iter().find(|(name, _)| *name == part) {
            Some(&(_, operand)) => self.words_of_memory(operand),
            None if part == "dram" => self.words_of_dram(),
            None => label.to_owned(),
        };
        Cause { part, share: share(energy_j, total), words }
    }

    /// How often its weights are read, or how much of another operand moves.
    fn words_of_memory(&self, operand: Operand) -> String {
        let layer = self.evaluation;
        let memory = &self.hardware.memories[self.hardware.innermost(operand)].name;
        let weight_bits = 8.0 * layer.weight_bytes;
        if operand == Operand::Weights && weight_bits > 0.0 {
            let reads = layer.traffic_bits.weights_read / weight_bits;
            return format!("{memory}, which yields each weight {reads:.1} times");
        }
        let moved = kib(layer.traffic_bits.on_chip(operand));
        format!("{memory}, which moves {moved} of {}", operand.describe())
    }

    /// What comes from off chip and goes there.
    fn words_of_dram(&self) -> String {
        let (layer, plan) = (self.evaluation, self.plan());
        let goes = |operand: &Operand| plan.is_off_chip(*operand) || plan.passage(*operand).is_some();
        let mut operands: Vec<&str> = Operand::ALL.into_iter().filter(goes).map(Operand::describe).collect();
        if self.product().is_some_and(|product| product.from_outside) {
            operands.push("the image");
        }
        let moved = layer.traffic_bits.dram_read + layer.traffic_bits.dram_written;
        match &operands[..] {
            _ if moved == 0.0 => "DRAM that waits".to_owned(),
            [] => format!("DRAM, {} of it", kib(moved)),
            operands => format!("DRAM for {}, {}", operands.join(" and "), kib(moved)),
        }
    }

    /// What takes most of its cycles; waits for one memory are one cause.
    pub fn cycles_cause(&self) -> Cause {
        let layer = self.evaluation;
        let total = layer.cycles.total();
        let busy = Cycles { port_stall: 0.0, dram_stall: 0.0, load: 0.0, store: 0.0, ..layer.cycles };
        let (part, _, cycles) = largest(Cycles::LABELS, &busy.parts(), "");
        let waits = StallEvaluation::by_memory(&layer.stalls);
        if let Some(wait) = waits.first().filter(|wait| wait.cycles > cycles) {
            let words = format!("waits for {} ({})", wait.memory, wait.direction);
            return Cause { part: "stalls", share: share(wait.cycles, total), words };
        }
        let words = match part {
            "ideal" => "operations that keep all lanes busy".to_owned(),
            "under_utilisation" => self.words_of_idle_lanes(),
            "fill_drain" => "an array that fills and drains".to_owned(),
            "imbalance" => "lanes that wait for the slowest beside them".to_owned(),
            _ => self.words_of_epilogue(),
        };
        Cause { part, share: share(cycles, total), words }
    }

    /// The direction that has the fewest of its lanes in use.
    fn words_of_idle_lanes(&self) -> String {
        let ragged = "lanes without work at ragged edges".to_owned();
        let Some(product) = self.product() else { return ragged };
        let plan = self.plan();
        let used = |dim: SpatialDim| match dim {
            SpatialDim::Batch => self.workload.batch,
            SpatialDim::Timesteps => plan.frames(product, self.workload.timesteps),
            SpatialDim::Positions => product.positions,
            SpatialDim::Rows => product.positions / product.columns.max(1),
            SpatialDim::Columns => product.columns,
            SpatialDim::OutputChannels => product.group_outputs(),
            SpatialDim::Inputs => product.fan_in,
            SpatialDim::InputChannels => product.fan_in / product.taps.max(1),
            SpatialDim::KernelTaps => product.taps,
            SpatialDim::Groups => product.groups,
        };
        let idle = SpatialDim::ALL.into_iter().map(|dim| (used(dim), plan.lanes.extent(dim) as usize, dim));
        let fewest =
            idle.filter(|(used, lanes, _)| used < lanes).min_by_key(|(used, lanes, _)| used * 4096 / lanes);
        fewest.map_or(ragged, |(used, lanes, dim)| {
            format!("lanes without work: {used} of {lanes} {}", words_of(dim))
        })
    }

    /// What it does beside the product for longest.
    fn words_of_epilogue(&self) -> String {
        let (work, label, _) = self.longest_work();
        match self.unit_of(work) {
            Some(unit) => format!("{label} on {}", self.hardware.unit(unit).name()),
            None => label.to_owned(),
        }
    }

    fn longest_work(&self) -> (&'static str, &'static str, f64) {
        let busy = WorkCycles { spike_products: 0.0, integer_products: 0.0, ..self.evaluation.busy_cycles };
        largest(WorkCycles::LABELS, &busy.parts(), "")
    }

    /// Number of the unit that does what columns call `work`.
    fn unit_of(&self, work: &str) -> Option<usize> {
        let named = |candidate: &Work| {
            let mut cycles = WorkCycles::default();
            *cycles.of(*candidate) = 1.0;
            largest(WorkCycles::LABELS, &cycles.parts(), "").0 == work
        };
        Work::ALL.into_iter().find(named).map(|work| self.hardware.unit_of(self.plan().unit, work))
    }

    /// Changes that are about what costs it most.
    pub fn changes(&self) -> Vec<Change> {
        let mut changes = self.changes_for_energy();
        for change in self.changes_for_cycles() {
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
        changes
    }

    fn changes_for_energy(&self) -> Vec<Change> {
        let bits = || fewer_bits(self.workload, self.number).into_iter();
        match self.energy_cause().part {
            "dram" => {
                let room = room(self.hardware, self.workload, self.plans, self.number);
                let streams = self.plan().is_off_chip(Operand::Weights);
                room.into_iter().chain(bits().filter(|_| streams)).collect()
            }
            "weight_memory" => self.layouts().into_iter().chain(bits()).collect(),
            "synapse" => bits().collect(),
            "activation_memory" | "partial_sum_memory" | "membrane_memory" => self.layouts(),
            "leakage" => self.changes_for_cycles(),
            _ => Vec::new(),
        }
    }

    fn changes_for_cycles(&self) -> Vec<Change> {
        match self.cycles_cause().part {
            "stalls" => self.changes_for_waits(),
            "ideal" | "fill_drain" => vec![Change::Lanes { unit: self.plan().unit }],
            "epilogue" => {
                self.unit_of(self.longest_work().0).map(|unit| Change::Vector { unit }).into_iter().collect()
            }
            _ => self.layouts(),
        }
    }

    /// More of what is waited for.
    fn changes_for_waits(&self) -> Vec<Change> {
        let waits = StallEvaluation::by_memory(&self.evaluation.stalls);
        let Some(wait) = waits.first() else { return Vec::new() };
        match self.hardware.memories.iter().position(|memory| memory.name == wait.memory) {
            Some(memory) => vec![Change::Bandwidth { memory }],
            None => {
                let mut changes = vec![Change::Bus];
                changes.extend(room(self.hardware, self.workload, self.plans, self.number));
                changes
            }
        }
    }

    fn layouts(&self) -> Vec<Change> {
        let Some(product) = self.product() else { return Vec::new() };
        let (unit, lanes) = (self.plan().unit, self.plan().lanes.lanes() as u32);
        layouts(self.hardware, unit, lanes, product.groups > 1, self.workload.timesteps as u32)
    }
}

fn words_of(dim: SpatialDim) -> &'static str {
    match dim {
        SpatialDim::Batch => "images",
        SpatialDim::Timesteps => "timesteps",
        SpatialDim::Positions => "positions",
        SpatialDim::Rows => "rows",
        SpatialDim::Columns => "columns",
        SpatialDim::OutputChannels => "output channels",
        SpatialDim::Inputs => "inputs",
        SpatialDim::InputChannels => "input channels",
        SpatialDim::KernelTaps => "positions of the kernel",
        SpatialDim::Groups => "groups",
    }
}
