use super::parts::{Cycles, EnergyJ, LayerCost};
use super::timeline::{Times, timeline};
use super::{
    Demand, KnownPlans, Machine, Traffic, encoding, epilogue, events, many_core, processor, spike_lanes,
    systolic,
};
use crate::error::Result;
use crate::exec::Activity;
use crate::hw::{Compute, Hardware, Operand, Placement};
use crate::map::{
    EpilogueKind, FixedMapping, Layer, OnChipBytes, Plan, Product, Workload, candidates, occupancy,
    prefetched,
};

/// A workload with the plan that was chosen for each layer.
#[derive(Debug, Clone, PartialEq)]
pub struct MappedWorkload {
    /// The workload.
    pub workload: Workload,
    /// One per layer.
    pub plans: Vec<Plan>,
    /// Per layer, true if its first weights fit beside what the layer before it keeps on chip.
    pub prefetched: Vec<bool>,
}

impl MappedWorkload {
    /// Chooses, per layer, the legal plan that `machine`'s objective likes best on the `samples`,
    /// and the placement of the timesteps for all layers together.
    ///
    /// # Errors
    /// If no plan is legal.
    pub fn best(workload: Workload, machine: &Machine, samples: &[Activity]) -> Result<Self> {
        Self::best_of(workload, machine, samples, None)
    }

    /// The same, among the plans that `fixed` leaves open.
    ///
    /// # Errors
    /// If no plan is legal, or none is as `fixed` wants it.
    pub fn best_of(
        workload: Workload,
        machine: &Machine,
        samples: &[Activity],
        fixed: Option<&FixedMapping>,
    ) -> Result<Self> {
        Self::best_knowing(workload, machine, samples, fixed, &KnownPlans::default())
    }

    /// The same, where `known` holds what was chosen on the same machine and samples, and learns what is chosen
    /// now.
    ///
    /// # Errors
    /// As there.
    pub fn best_knowing(
        workload: Workload,
        machine: &Machine,
        samples: &[Activity],
        fixed: Option<&FixedMapping>,
        known: &KnownPlans,
    ) -> Result<Self> {
        let placements = &machine.hardware.placements;
        fixed.map_or(Ok(()), |fixed| fixed.check(&workload, placements))?;
        let mut best: Option<(f64, Vec<Plan>)> = None;
        let mut refusal = None;
        for &placement in placements.iter().filter(|&&p| fixed.is_none_or(|fixed| fixed.allows(p))) {
            let per_layer = match candidates(&workload, &machine.hardware, placement, fixed) {
                Ok(per_layer) => per_layer,
                Err(e) => {
                    refusal.get_or_insert(e);
                    continue;
                }
            };
            let mut whole = LayerCost::default();
            let mut plans = Vec::new();
            for (i, (layer, choices)) in workload.layers.iter().zip(per_layer).enumerate() {
                let choose = |choices: &[Plan]| best_plan(layer, choices, machine, &workload, samples);
                let (plan, cost) = known.get(i, layer, choices, choose);
                whole.add(&cost);
                plans.push(plan);
            }
            let score = score(&whole, machine);
            if best.as_ref().is_none_or(|(best, _)| score < *best) {
                best = Some((score, plans));
            }
        }
        match (best, refusal) {
            (Some((_, plans)), _) => {
                let prefetched = prefetched(&workload, &machine.hardware, &plans);
                Ok(Self { workload, plans, prefetched })
            }
            (None, Some(refusal)) => Err(refusal),
            (None, None) => unreachable!("a hardware description has at least one placement"),
        }
    }

    /// What on-chip memories of `hardware` hold while each layer runs.
    pub fn occupancy(&self, hardware: &Hardware) -> Vec<OnChipBytes> {
        occupancy(&self.workload, hardware, &self.plans, &self.prefetched)
    }

    /// Cost of every layer for one image.
    pub fn costs(&self, machine: &Machine, activity: &Activity) -> Vec<LayerCost> {
        let layers = self.workload.layers.iter().zip(&self.plans);
        let mut costs: Vec<LayerCost> = layers
            .map(|(layer, plan)| layer_cost(layer, plan, machine, activity, self.workload.timesteps))
            .collect();
        self.prefetch(&mut costs, machine);
        costs
    }
}

fn best_plan(
    layer: &Layer,
    choices: &[Plan],
    machine: &Machine,
    workload: &Workload,
    samples: &[Activity],
) -> (Plan, LayerCost) {
    let cost = |plan: &Plan| {
        samples.iter().fold(LayerCost::default(), |mut sum, activity| {
            sum.add(&layer_cost(layer, plan, machine, activity, workload.timesteps));
            sum
        })
    };
    let mut best = (choices[0], cost(&choices[0]));
    for plan in &choices[1..] {
        let candidate = cost(plan);
        if score(&candidate, machine) < score(&best.1, machine) {
            best = (*plan, candidate);
        }
    }
    best
}

fn score(cost: &LayerCost, machine: &Machine) -> f64 {
    machine.score(cost.cycles.total(), cost.energy_j.total())
}

/// Cost of `layer` under `plan` for one image.
pub fn layer_cost(
    layer: &Layer,
    plan: &Plan,
    machine: &Machine,
    activity: &Activity,
    timesteps: usize,
) -> LayerCost {
    let timesteps = timesteps as f64;
    if let Compute::ManyCore(cores) = &machine.hardware.compute {
        return many_core::layer_cost(cores, machine, layer, activity, timesteps);
    }
    let mut demand = match &layer.product {
        Some(product) => {
            let frames = plan.frames(product, timesteps);
            let mut demand = product_demand(machine, product, plan, activity, frames);
            hold_constant_sums(&mut demand, layer, product, plan, machine, timesteps);
            demand
        }
        None => Demand::default(),
    };
    if !matches!(machine.hardware.compute, Compute::Processor(_)) {
        let fetches = if plan.placement == Placement::Outermost { timesteps } else { 1.0 };
        demand.read(Operand::Weights, layer.parameter_bits() * fetches);
    }
    let product = demand.clone();
    epilogue::add(&mut demand, machine, layer, plan, activity, timesteps);
    let input = layer.product.as_ref().map_or(1.0, |product| encoded_input(machine, product, activity));
    off_chip(&mut demand, &product, (layer, plan), &machine.hardware.compute, timesteps, input);
    demand.tiles *= plan.load_tiles();
    let cycles = timeline(&times(&demand, &product, machine), demand.tiles, demand.waves);
    let energy_j = match &machine.events {
        Some(table) => events::energy_j(table, layer, activity, timesteps),
        None => energy_j(&demand, machine, &cycles),
    };
    LayerCost { cycles, energy_j, traffic_bits: demand.traffic_bits() }
}

fn product_demand(
    machine: &Machine,
    product: &Product,
    plan: &Plan,
    activity: &Activity,
    frames: f64,
) -> Demand {
    let counted = &activity.nodes[product.node.index()];
    let mut demand = match &machine.hardware.compute {
        Compute::SpikeLanes(lanes) => spike_lanes::demand(lanes, machine, product, plan, activity, frames),
        Compute::Systolic(array) => systolic::demand(array, machine, product, plan, counted, frames),
        Compute::Processor(p) => return processor::demand(p, product, counted, frames),
        Compute::ManyCore(_) => unreachable!("charged by whole events"),
    };
    demand.on_chip[Operand::Activations as usize].read_bits *= encoded_input(machine, product, activity);
    demand
}

/// Bits of the input relative to a bitmap, where it is one of spikes.
fn encoded_input(machine: &Machine, product: &Product, activity: &Activity) -> f64 {
    encoding::of_input(machine.hardware.spike_encoding, product, &activity.nodes[product.node.index()])
}

/// A product computed once for all timesteps is written and read back at each of them, unless the
/// timesteps run inside the array. Sums that leave it are written and read once already.
fn hold_constant_sums(
    demand: &mut Demand,
    layer: &Layer,
    product: &Product,
    plan: &Plan,
    machine: &Machine,
    timesteps: f64,
) {
    let varies = layer.epilogue.iter().any(|e| matches!(e.kind, EpilogueKind::Neuron { .. }));
    let in_array = plan.keeps_membranes(layer, &machine.hardware.compute);
    if plan.runs_once(product) && varies && !in_array {
        let bits = (product.positions * product.outputs) as f64 * f64::from(product.accumulator_bits);
        let stored = if plan.dataflow.sums_leave_the_array() { 1.0 } else { 0.0 };
        demand.write(Operand::PartialSums, bits * (1.0 - stored));
        demand.read(Operand::PartialSums, bits * (timesteps - stored));
    }
}

/// Off-chip traffic: the image, weights that do not stay on the chip, and what spilled. Whatever
/// is loaded is written to its on-chip memory first, whatever is stored is read from there.
///
/// `input` is the size of what the product reads relative to a bitmap.
fn off_chip(
    demand: &mut Demand,
    product_demand: &Demand,
    (layer, plan): (&Layer, &Plan),
    compute: &Compute,
    timesteps: f64,
    input: f64,
) {
    let passes = if plan.placement == Placement::Outermost { timesteps } else { 1.0 };
    let mut dram = [Traffic::default(); 5];
    if let Some(product) = &layer.product {
        let input_bits = product.input_values as f64 * f64::from(product.input.bits()) * input;
        let frames = plan.frames(product, timesteps);
        let rows = product.positions as f64 * frames;
        let fetches = plan
            .tile(compute, product)
            .map_or(1.0, |tile| (rows / plan.position_tiles() / f64::from(tile.rows.value)).ceil());
        let inputs = &mut dram[Operand::Activations as usize].read_bits;
        if product.from_outside {
            *inputs += input_bits;
        } else if plan.is_off_chip(Operand::Activations) {
            let frames = product.input_frames(timesteps);
            *inputs += input_bits * frames * plan.input_loads(product);
        }
        if plan.is_off_chip(Operand::Weights) {
            let loads = plan.weight_loads() * passes;
            dram[Operand::Weights as usize].read_bits +=
                (layer.weight_bits() * fetches + layer.parameter_bits()) * loads;
        }
    }
    for operand in [Operand::Activations, Operand::PartialSums, Operand::Membranes, Operand::Residual] {
        if plan.is_off_chip(operand) {
            let traffic = demand.on_chip[operand as usize];
            // What a product reads again and again was loaded once, above.
            let again = match operand {
                Operand::Activations => product_demand.on_chip[operand as usize].read_bits,
                _ => 0.0,
            };
            dram[operand as usize].written_bits += traffic.written_bits;
            dram[operand as usize].read_bits += traffic.read_bits - again;
        }
    }
    for operand in Operand::ALL {
        let traffic = dram[operand as usize];
        demand.dram.read_bits += traffic.read_bits;
        demand.dram.written_bits += traffic.written_bits;
        demand.write(operand, traffic.read_bits);
        demand.read(operand, traffic.written_bits);
    }
}

/// The busiest memory port under `traffic`.
fn port_cycles(machine: &Machine, traffic: impl Fn(Operand) -> f64) -> f64 {
    let cycles = |memory: &crate::hw::MemorySpec| {
        let bits: f64 = memory.holds.iter().map(|&operand| traffic(operand)).sum();
        bits / machine.bandwidth_bits_per_cycle(memory)
    };
    machine.hardware.memories.iter().map(cycles).fold(0.0, f64::max)
}

fn times(demand: &Demand, product: &Demand, machine: &Machine) -> Times {
    let all = |operand: Operand| demand.on_chip[operand as usize].bits();
    let array = |operand: Operand| product.on_chip[operand as usize].bits();
    let bus = |bits: f64| machine.dram.map_or(0.0, |dram| bits / dram.bits_per_cycle);
    Times {
        array: demand.array,
        epilogue: demand.epilogue_cycles,
        port: port_cycles(machine, all),
        array_port: port_cycles(machine, array),
        epilogue_port: port_cycles(machine, |operand| all(operand) - array(operand)),
        load: bus(demand.dram.read_bits),
        store: bus(demand.dram.written_bits),
    }
}

fn energy_j(demand: &Demand, machine: &Machine, cycles: &Cycles) -> EnergyJ {
    let on_chip_j = |operand: Operand| machine.on_chip_j(operand, &demand.on_chip[operand as usize]);
    let on_chip = EnergyJ {
        weight_memory: on_chip_j(Operand::Weights),
        activation_memory: on_chip_j(Operand::Activations),
        partial_sum_memory: on_chip_j(Operand::PartialSums),
        membrane_memory: on_chip_j(Operand::Membranes),
        residual_memory: on_chip_j(Operand::Residual),
        ..demand.operations_j
    };
    machine.whole_chip_j(on_chip, &demand.dram, cycles.total())
}
