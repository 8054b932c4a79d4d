//! The cost model against arithmetic by hand, against SCALE-Sim, and against laws that any machine
//! obeys.

mod batch;
mod bundled;
mod events;
mod fixed;
mod fpga;
mod from_spikes;
mod laws;
mod layouts;
mod levels;
mod map_levels;
mod mapping;
mod more_memory;
mod occupancy;
mod overheads;
mod pipeline;
mod residency;
mod scatter;
mod search;
mod spiking;
mod time;
mod turns;

use spiq::cost::{LayerCost, Machine, MappedWorkload, layer_cost};
use spiq::exec::{Activity, NodeActivity, StepActivity, wave_size};
use spiq::hw::Sram;
use spiq::hw::table::EnergyTable;
use spiq::hw::{Hardware, PerOperand, Placement, Unrolling};
use spiq::map::{
    Dataflow, Epilogue, EpilogueKind, Input, InputFrames, Layer, Order, Plan, Product, Workload, candidates,
};
use spiq::model::NodeId;
use spiq::quant::WeightForm;

const OPERANDS: [&str; 5] = ["Weights", "Activations", "PartialSums", "Membranes", "Residual"];

/// A machine as the tests vary it.
#[derive(Debug, Clone)]
struct Spec {
    /// Units.
    units: String,
    /// Per memory, what it holds and its capacity in bytes.
    memories: Vec<(String, u64)>,
    /// Bytes of a memory behind the one that holds weights, or another operand, if there is one.
    behind_bytes: Option<u64>,
    behind_holds: &'static str,
    bandwidth: u32,
    /// Words of one bit leave nothing unused.
    word_bits: u32,
    dram_bits: Option<u32>,
    objective: &'static str,
    /// Placements that the machine allows.
    placements: &'static str,
}

fn sourced(value: impl std::fmt::Display) -> String {
    format!("(value: {value}, source: \"test\")")
}

fn vector(values_per_cycle: u32) -> String {
    format!(
        "Vector(name: \"vector unit\", values_per_cycle: {}, spike_bits_per_cycle: {})",
        sourced(values_per_cycle),
        sourced(64)
    )
}

fn systolic(rows: u32, columns: u32, gated: bool) -> String {
    let [rows, columns, width] = [rows, columns, 32].map(sourced);
    format!(
        "Systolic(name: \"array\", rows: {rows}, columns: {columns}, gated: {gated}, max_weight_bits: {width}, \
         input_bits: {width}, accumulator_bits: {width}), {}",
        vector(1)
    )
}

/// Lanes for positions, or for inputs where weights stay; those that find what spikes have in common keep sums.
fn lanes(positions: u32, channels: u32, zeros: &str, multi_bit: &str) -> String {
    let layout = |keeps, along, lanes| {
        format!(
            "(keeps: {keeps}, lanes: [({along}, {lanes}), (OutputChannels, {channels})], source: \"test\"),"
        )
    };
    let outputs = layout("Outputs", "Positions", positions);
    let weights = if zeros.contains('(') { String::new() } else { layout("Weights", "Inputs", positions) };
    lanes_of(&format!("{outputs} {weights}"), zeros, multi_bit)
}

fn lanes_of(layouts: &str, zeros: &str, multi_bit: &str) -> String {
    let width = sourced(32);
    format!(
        "SpikeLanes(name: \"lanes\", layouts: [{layouts}], zeros: {zeros}, multi_bit: {multi_bit}, \
         max_weight_bits: {width}, accumulator_bits: {width}), {}",
        vector(2)
    )
}

impl Spec {
    /// Memories of 1 MiB, one per operand, with ports that nothing waits for.
    fn roomy(units: String) -> Self {
        let memories = OPERANDS.map(|operand| (operand.to_owned(), 1 << 20)).to_vec();
        Self {
            units,
            memories,
            behind_bytes: None,
            behind_holds: "Weights",
            bandwidth: 1 << 24,
            word_bits: 1,
            dram_bits: Some(64),
            objective: "Latency",
            placements: "Innermost, Outermost",
        }
    }

    /// All timesteps of a layer together.
    fn innermost(self) -> Self {
        Self { placements: "Innermost", ..self }
    }

    fn machine(&self) -> Machine {
        let memory = |(i, (holds, bytes)): (usize, &(String, u64))| {
            let [bytes, word] = [*bytes, u64::from(self.word_bits)].map(sourced);
            format!(
                "(name: \"m{i}\", holds: [{holds}], capacity_bytes: {bytes}, word_bits: {word}, \
                 bandwidth_bits_per_cycle: {word}, macro_model: Cacti(LowPower)),"
            )
        };
        let mut memories: String = self.memories.iter().enumerate().map(memory).collect();
        if let Some(bytes) = self.behind_bytes {
            let [bytes, word] = [bytes, u64::from(self.word_bits)].map(sourced);
            let holds = self.behind_holds;
            let fed = self.memories.iter().position(|(held, _)| held.contains(holds)).unwrap();
            memories += &format!(
                "(name: \"behind\", holds: [{holds}], feeds: [\"m{fed}\"], capacity_bytes: {bytes}, word_bits: {word}, \
                 bandwidth_bits_per_cycle: {word}, macro_model: Cacti(LowPower)),"
            );
        }
        let dram = self.dram_bits.map_or(String::new(), |_| {
            format!("dram: (part: \"LPDDR4-3200\", bus_width_bits: {}, idle: PowerDown),", sourced(16))
        });
        let control = if self.units.starts_with("ManyCore") {
            String::new()
        } else {
            format!("control: (energy_share: {0}, area_share: {0}),", sourced(0.0))
        };
        let text = format!(
            "Hardware(name: \"test\", description: \"\", technology_nm: {}, clock_hz: {}, energy_table: \
             \"sata-28\", units: [{}], memories: [{memories}], {dram} {control} placements: [{}], objective: {})",
            sourced(28.0),
            sourced(1e9),
            self.units,
            self.placements,
            self.objective
        );
        let mut hardware = Hardware::parse(&text, "test.ron").unwrap();
        // Ports as wide as wanted, at the energy of one bank.
        hardware.memories.iter_mut().for_each(|m| m.bandwidth_bits_per_cycle.value = self.bandwidth);
        let mut machine = Machine::new(hardware).unwrap();
        // One device, whatever its rate.
        if let (Some(dram), Some(bits)) = (&mut machine.dram, self.dram_bits) {
            dram.bits_per_cycle *= f64::from(bits) / 16.0;
        }
        machine
    }

    /// One picojoule per operation of any width and per bit read or written; nothing leaks.
    fn unit_machine(&self) -> Machine {
        let one = "(law: Points({1: 1.0, 64: 1.0}), source: \"test\")";
        let names = ["add", "multiply", "register", "compare", "and", "shift", "select"];
        let laws: String = names.iter().map(|name| format!("{name}_pj: {one},")).collect();
        let text = format!(
            "EnergyTable(name: \"unit\", technology_nm: 28.0, source: \"test\", notes: \"\", {laws})"
        );
        let mut machine = self.machine();
        machine.table = EnergyTable::parse(&text, "unit.ron").unwrap();
        let (leakage_w, area_mm2, cycle_ns) = (0.0, 0.0, 1.0);
        let sram = Sram { read_pj_per_bit: 1.0, write_pj_per_bit: 1.0, leakage_w, area_mm2, cycle_ns };
        machine.memories.fill(sram);
        machine.leakage_w = leakage_w;
        machine
    }
}

/// A spiking product of M x K by K x N, with nothing behind it.
fn product(positions: usize, fan_in: usize, outputs: usize, weight_bits: u32) -> Product {
    Product {
        node: NodeId(0),
        positions,
        columns: positions,
        fan_in,
        taps: 1,
        halo_rows: 0,
        outputs,
        groups: 1,
        frames: InputFrames::PerTimestep,
        input: Input::Spikes,
        input_values: positions * fan_in,
        sums_of_spikes: false,
        from_outside: false,
        weight: WeightForm::integer(weight_bits),
        accumulator_bits: 12,
    }
}

fn layer(product: Product, epilogue: Vec<Epilogue>) -> Layer {
    Layer {
        name: "layer".into(),
        kind: "linear".into(),
        block: "block".into(),
        live_activation_bits: (product.input_values * 2) as f64,
        live_residual_bits: 0.0,
        product: Some(product),
        epilogue,
    }
}

fn neuron(values: usize, membrane_bits: u32) -> Epilogue {
    let kind = EpilogueKind::Neuron {
        membrane_bits: Some(membrane_bits),
        potential_bits: 12,
        multiplier_bits: 0,
        subtracts: false,
    };
    Epilogue { node: NodeId(0), kind, values, constant: false, stored_bits: 1 }
}

/// Per timestep, the events of every position.
fn activity(product: &Product, events: &[Vec<u32>]) -> Activity {
    let step = |events: &Vec<u32>| {
        let gathered: u64 = events.iter().map(|&e| u64::from(e)).sum();
        let operations = gathered * (product.outputs / product.groups) as u64;
        let spikes = product.input == Input::Spikes;
        StepActivity {
            input_events: gathered as u32,
            gathered_events: gathered,
            accumulations: if spikes { operations } else { 0 },
            multiplications: if spikes { 0 } else { operations },
            wave_peaks: std::array::from_fn(|i| {
                events.chunks(wave_size(i)).map(|wave| wave.iter().max().unwrap()).sum()
            }),
            ..StepActivity::default()
        }
    };
    let nodes = vec![NodeActivity { steps: events.iter().map(step).collect() }];
    Activity { nodes, ..Activity::default() }
}

/// A plan on the first unit of `machine` that takes products, in its first layout with that dataflow.
fn plan(machine: &Machine, dataflow: Dataflow, placement: Placement, channels: usize) -> Plan {
    let (unit, datapath) = machine.hardware.product_units().next().unwrap();
    let layouts = datapath.layouts().into_iter();
    let layout = layouts.into_iter().find(|layout| Dataflow::from(layout.keeps) == dataflow);
    let lanes = layout.map_or_else(Unrolling::default, |layout| layout.lanes);
    let (recompute, order) = (false, Order::ChannelsOutermost);
    let resident_channels = 0;
    let home = PerOperand::default();
    let (activations, residual, group) = (None, None, None);
    Plan {
        unit,
        dataflow,
        lanes,
        placement,
        recompute,
        channels,
        order,
        resident_channels,
        home,
        activations,
        residual,
        group,
    }
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-30)
}

/// Cycles: ideal, under-utilisation, fill and drain, imbalance.
fn array_cycles(cost: &LayerCost) -> [f64; 4] {
    let c = &cost.cycles;
    [c.ideal, c.under_utilisation, c.fill_drain, c.imbalance]
}

/// A layer with its activity, on a machine.
#[derive(Debug, Clone)]
struct Case {
    layer: Layer,
    activity: Activity,
    timesteps: usize,
    spec: Spec,
}

impl Case {
    fn best(&self, spec: &Spec) -> (LayerCost, f64) {
        self.best_on(&spec.machine())
    }

    /// Cost of the mapper's choice on `machine`, and its energy with leakage.
    fn best_on(&self, machine: &Machine) -> (LayerCost, f64) {
        let workload = Workload {
            layers: vec![self.layer.clone()],
            timesteps: self.timesteps,
            batch: 1,
            maps: Vec::new(),
        };
        let mapped = MappedWorkload::best(workload, machine, std::slice::from_ref(&self.activity)).unwrap();
        let cost = mapped.costs(machine, &self.activity).remove(0);
        let leakage_j = machine.leakage_w * machine.seconds(cost.cycles.total());
        let energy_j = cost.energy_j.total() + leakage_j;
        (cost, energy_j)
    }

    fn product(&self) -> &Product {
        self.layer.product.as_ref().unwrap()
    }

    /// True if some plan is legal.
    fn fits(&self, machine: &Machine) -> bool {
        let workload = Workload {
            layers: vec![self.layer.clone()],
            timesteps: self.timesteps,
            batch: 1,
            maps: Vec::new(),
        };
        let placements = [Placement::Innermost, Placement::Outermost];
        placements.into_iter().any(|p| candidates(&workload, &machine.hardware, p, None).is_ok())
    }

    /// Every legal plan with its cost.
    fn all(&self, machine: &Machine) -> Vec<(Plan, LayerCost)> {
        let workload = Workload {
            layers: vec![self.layer.clone()],
            timesteps: self.timesteps,
            batch: 1,
            maps: Vec::new(),
        };
        let placements = [Placement::Innermost, Placement::Outermost];
        let plans =
            placements.map(|p| candidates(&workload, &machine.hardware, p, None).unwrap().concat()).concat();
        let cost = |plan: &Plan| layer_cost(&self.layer, plan, machine, &self.activity, self.timesteps);
        plans.iter().map(|plan| (*plan, cost(plan))).collect()
    }
}

#[test]
fn two_by_two_systolic_array_by_hand() {
    let machine = Spec::roomy(systolic(2, 2, false)).unit_machine();
    let layer = layer(product(3, 4, 5, 8), vec![neuron(15, 16)]);
    let activity = activity(layer.product.as_ref().unwrap(), &[vec![1, 2, 3]]);
    let cost = |dataflow| {
        layer_cost(&layer, &plan(&machine, dataflow, Placement::Outermost, 2), &machine, &activity, 1)
    };

    // Output stationary: ceil(3/2) ceil(5/2) = 6 folds of 2 + 2 + 4 - 2 = 6 cycles; 60 operations on
    // 4 units are 15 cycles, 4 cycles of 6 folds 24, the rest fills and drains.
    let os = cost(Dataflow::OutputStationary);
    assert_eq!(array_cycles(&os), [15.0, 9.0, 12.0, 0.0]);
    // 15 neurons at one a cycle hide behind 36 cycles, except those of the last of 6 folds.
    assert!(close(os.cycles.epilogue, 15.0 / 6.0) && close(os.cycles.total(), 38.5));
    // 20 weights of 8 bits for either row of folds; bias and threshold of 5 channels, 32 bits each.
    assert_eq!(os.traffic_bits.weights_read, 2.0 * 160.0 + 320.0);
    // 12 spikes for each of 3 columns of folds; 15 spikes and 15 membranes of 16 bits come out.
    assert_eq!((os.traffic_bits.activations_read, os.traffic_bits.activations_written), (36.0, 15.0));
    assert_eq!((os.traffic_bits.membranes_read, os.traffic_bits.membranes_written), (240.0, 240.0));
    assert_eq!(os.traffic_bits.partial_sums_written + os.traffic_bits.dram_read, 0.0);
    // An operation is a gate, an addition and the registers of sum and operands; a neuron adds,
    // compares and stores. Not gated, zeros switch too.
    let pj = |joules: f64| joules * 1e12;
    assert!(close(pj(os.energy_j.synapse), 60.0 * 4.0) && close(pj(os.energy_j.neuron), 15.0 * 3.0));
    assert!(close(pj(os.energy_j.weight_memory), 640.0) && close(pj(os.energy_j.activation_memory), 51.0));
    assert!(close(pj(os.energy_j.membrane_memory), 480.0));
    // Nothing moves off chip, and a device in power-down draws 6.3 mW for 38.5 cycles of 1 ns.
    assert!(close(pj(os.energy_j.dram), 38.5 * 6.3));

    // Weight stationary: ceil(4/2) ceil(5/2) = 6 folds of 2 2 + 2 + 3 - 2 = 7 cycles.
    let ws = cost(Dataflow::WeightStationary);
    assert_eq!(array_cycles(&ws), [15.0, 3.0, 24.0, 0.0]);
    // Every weight once; every spike for 3 columns of folds; 15 sums of 12 bits leave twice, come
    // back once for the second half of the inputs and once for the neurons.
    assert_eq!((ws.traffic_bits.weights_read, ws.traffic_bits.activations_read), (160.0 + 320.0, 36.0));
    assert_eq!((ws.traffic_bits.partial_sums_written, ws.traffic_bits.partial_sums_read), (360.0, 360.0));
}

#[test]
fn two_by_two_spike_lanes_by_hand() {
    let layer = layer(product(4, 6, 3, 4), vec![neuron(12, 8)]);
    let activity = activity(layer.product.as_ref().unwrap(), &[vec![3, 1, 2, 2], vec![0, 4, 1, 0]]);
    let cost = |skipping, placement| {
        let machine = Spec::roomy(lanes(2, 2, skipping, "BitSerial")).unit_machine();
        layer_cost(&layer, &plan(&machine, Dataflow::OutputStationary, placement, 2), &machine, &activity, 2)
    };

    // 13 events meet 3 outputs: 39 operations on 4 lanes. Waves of two positions take
    // 3 + 2 + 4 + 1 = 10 cycles, twice for 3 channels in pairs; the mean lane walks through 6.5.
    let skip = cost("Skip", Placement::Innermost);
    assert_eq!(array_cycles(&skip), [9.75, 3.25, 0.0, 7.0]);
    // A row of 3 weights of 4 bits per event; bias and threshold of 3 channels.
    assert_eq!(skip.traffic_bits.weights_read, 13.0 * 12.0 + 192.0);
    // 4 x 6 spikes, two timesteps, two passes over channels; each is looked at.
    assert_eq!(skip.traffic_bits.activations_read, 96.0);
    assert!(close(skip.energy_j.synapse * 1e12, 39.0 * 2.0 + 96.0));
    assert_eq!(skip.traffic_bits.membranes_read, 0.0, "each stays with its accumulator");
    let outermost = cost("Skip", Placement::Outermost);
    assert_eq!(array_cycles(&outermost), array_cycles(&skip));
    assert_eq!(outermost.traffic_bits.membranes_written, 2.0 * 12.0 * 8.0);
    // 24 updates by two lanes hide behind the array but for those of the last wave: of 2 x 2 waves in either pass,
    // of which only those of one timestep overlap where other layers run between them.
    assert!(close(skip.cycles.epilogue, 12.0 / 8.0) && close(outermost.cycles.epilogue, 12.0 / 4.0));

    // 144 operations on 4 lanes; 2 waves x 6 inputs x 2 timesteps x 2 passes. A wave shares a row.
    let dense = cost("Dense", Placement::Innermost);
    assert_eq!(array_cycles(&dense), [36.0, 12.0, 0.0, 0.0]);
    assert_eq!(dense.traffic_bits.weights_read, 24.0 * 12.0 + 192.0);
    assert!(close(dense.energy_j.synapse * 1e12, 144.0 * 2.0));
    // Gated takes the time of one and the additions of the other.
    let gated = cost("Gated", Placement::Innermost);
    assert_eq!(array_cycles(&gated), array_cycles(&dense));
    assert_eq!(gated.energy_j.synapse, skip.energy_j.synapse);
}

/// What SCALE-Sim 3 printed for dense products (our runs): dataflow, rows x columns, M, N, K, total
/// cycles, reads of inputs and of weights from SRAM.
type ScaleSim = (Dataflow, [u32; 2], [usize; 3], f64, f64, f64);
const SCALE_SIM: [ScaleSim; 9] = [
    (Dataflow::OutputStationary, [8, 8], [16, 16, 16], 119.0, 512.0, 512.0),
    (Dataflow::OutputStationary, [16, 32], [64, 64, 32], 623.0, 4096.0, 8192.0),
    (Dataflow::WeightStationary, [8, 8], [16, 16, 16], 151.0, 512.0, 256.0),
    (Dataflow::WeightStationary, [16, 32], [64, 64, 32], 503.0, 4096.0, 2048.0),
    (Dataflow::WeightStationary, [16, 16], [64, 64, 32], 879.0, 8192.0, 2048.0),
    (Dataflow::InputStationary, [8, 8], [16, 16, 16], 151.0, 256.0, 512.0),
    (Dataflow::InputStationary, [16, 32], [64, 64, 32], 503.0, 2048.0, 4096.0),
    (Dataflow::InputStationary, [16, 16], [64, 64, 32], 879.0, 2048.0, 8192.0),
    (Dataflow::OutputStationary, [32, 32], [197, 576, 192], 32003.0, 680_832.0, 774_144.0),
];

#[test]
fn dense_cycles_and_reads_are_scale_sims() {
    for (dataflow, [rows, columns], [m, n, k], printed, inputs, weights) in SCALE_SIM {
        let machine = Spec::roomy(systolic(rows, columns, false)).machine();
        let layer = layer(product(m, k, n, 1), Vec::new());
        let activity = activity(layer.product.as_ref().unwrap(), &[vec![0; m]]);
        // Input stationary, all output channels stream through the array.
        let channels = if dataflow == Dataflow::InputStationary { n } else { columns as usize };
        let plan = plan(&machine, dataflow, Placement::Outermost, channels);
        let cost = layer_cost(&layer, &plan, &machine, &activity, 1);
        // SCALE-Sim prints the number of the last cycle, counted from 0.
        assert_eq!(array_cycles(&cost).iter().sum::<f64>(), printed + 1.0);
        assert_eq!(cost.traffic_bits.activations_read, inputs);
        assert_eq!(cost.traffic_bits.weights_read - layer.parameter_bits(), weights);
        // SCALE-Sim counts outputs in another way: it sends partial sums to the outside.
        let passes = if dataflow.sums_leave_the_array() { k.div_ceil(rows as usize) } else { 0 };
        assert_eq!(cost.traffic_bits.partial_sums_written, (m * n * passes * 12) as f64);
    }
}

/// What the description of a plan cannot show: state that has no home must not take room.
#[test]
fn room_is_taken_by_what_is_stored() {
    let tight = |operand: &str, bytes: u64| {
        let mut spec = Spec { dram_bits: None, ..Spec::roomy(lanes(2, 2, "Skip", "BitSerial")) };
        spec.memories.iter_mut().filter(|(holds, _)| holds == operand).for_each(|(_, b)| *b = bytes);
        spec.machine().hardware
    };
    let legal = |hardware: &Hardware, placement| {
        let layer = layer(product(40, 8, 4, 8), vec![neuron(160, 16)]);
        let workload = Workload { layers: vec![layer], timesteps: 4, batch: 1, maps: Vec::new() };
        candidates(&workload, hardware, placement, None).map_or(Vec::new(), |plans| plans.concat())
    };
    // 160 membranes of 16 bits: they stay in the accumulators, weight stationary they cannot.
    let plans = legal(&tight("Membranes", 300), Placement::Innermost);
    assert!(!plans.is_empty() && plans.iter().all(|p| p.dataflow == Dataflow::OutputStationary));
    assert!(legal(&tight("Membranes", 300), Placement::Outermost).is_empty());
    // 40 positions x 4 timesteps x 12 bits for each channel of a tile between passes over inputs.
    let plans = legal(&tight("PartialSums", 480), Placement::Innermost);
    let widest = |dataflow| plans.iter().filter(|p| p.dataflow == dataflow).map(|p| p.channels).max();
    assert_eq!(widest(Dataflow::OutputStationary), Some(2));
    assert_eq!((widest(Dataflow::WeightStationary), 40 * 4 * 12), (Some(2), 4 * 480));
}

#[test]
fn loads_are_written_on_chip_and_leftovers_are_not() {
    let mut spec = Spec::roomy(lanes(2, 2, "Dense", "BitSerial"));
    spec.memories[0].1 = 40;
    let product = product(4, 16, 4, 8);
    let activity = activity(&product, &[vec![4; 4]]);
    let case = Case { layer: layer(product, vec![]), activity, timesteps: 1, spec };
    for (plan, cost) in case.all(&case.spec.unit_machine()) {
        // 64 weights and 4 biases of 32 bits do not fit 40 bytes, two rows of 16 weights do.
        assert!(plan.channels == 1 || plan.dataflow == Dataflow::WeightStationary);
        let t = &cost.traffic_bits;
        assert_eq!(t.dram_read, 64.0 * 8.0 + 128.0);
        assert!(close(cost.energy_j.weight_memory * 1e12, t.weights_read + t.dram_read));
    }
}
