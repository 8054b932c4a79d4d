//! Laws that any machine obeys, on random layers with random activity.

use proptest::prelude::*;
use spiq::cost::layer_cost;
use spiq::hw::{Operand, Placement};
use spiq::map::{Dataflow, Input, InputFrames, Plan, Product};
use spiq::quant::WeightForm;

use super::{Case, Spec, activity, array_cycles, close, lanes, layer, neuron, product, systolic};

/// Lanes and systolic arrays of any shape.
pub fn any_compute() -> impl Strategy<Value = String> {
    let skipping = prop::sample::select(vec!["Dense", "Gated", "Skip"]);
    let multi_bit = prop::sample::select(vec!["BitSerial", "Multiplier"]);
    prop_oneof![
        (0u32..4, 1u32..24, skipping, multi_bit).prop_map(|(p, c, s, m)| lanes(1 << p, c, s, m)),
        (1u32..12, 1u32..12, any::<bool>()).prop_map(|(r, c, gated)| systolic(r, c, gated)),
    ]
}

fn any_product() -> impl Strategy<Value = Product> {
    let sizes = (1usize..30, 1usize..40, 1usize..30, 1usize..3);
    let input = prop_oneof![Just(Input::Spikes), (2u32..=16).prop_map(|bits| Input::Integers { bits })];
    (sizes, any::<bool>(), input, 2u32..=8, any::<bool>()).prop_map(
        |((positions, fan_in, outputs, groups), constant, input, bits, power_of_two)| {
            let weight = match power_of_two {
                true => WeightForm::power_of_two(bits, (1 << (bits.min(5) - 1)) - 2),
                false => WeightForm::integer(bits),
            };
            let frames = if constant { InputFrames::Repeated } else { InputFrames::PerTimestep };
            let plain = product(positions, fan_in, outputs * groups, bits);
            Product { groups, frames, input, weight, input_values: positions * fan_in * groups, ..plain }
        },
    )
}

/// `full` is the share of positions at which every input is an event.
pub fn case(full: f64) -> impl Strategy<Value = Case> {
    let seeds = prop::collection::vec((0.0..1.0f64, prop::bool::weighted(full)), 30 * 4);
    (any_product(), 1usize..5, seeds, any_compute(), 3u32..12, 4u32..16).prop_map(
        |(product, timesteps, seeds, compute, log_bandwidth, membrane_bits)| {
            let seeds: Vec<f64> = seeds.into_iter().map(|(x, all)| if all { 1.0 } else { x }).collect();
            let spec = Spec { bandwidth: 1 << log_bandwidth, ..Spec::roomy(compute) };
            with_activity(product, timesteps, &seeds, membrane_bits, spec)
        },
    )
}

/// `product` with a neuron behind each output; a seed per position and timestep says which share of its inputs
/// are events, squared so that few are likelier.
pub fn with_activity(
    product: Product,
    timesteps: usize,
    seeds: &[f64],
    membrane_bits: u32,
    spec: Spec,
) -> Case {
    let inputs = (product.fan_in * product.groups) as f64;
    let steps = if product.is_constant() { 1 } else { timesteps };
    let frames: Vec<Vec<u32>> = seeds
        .chunks(seeds.len() / 4)
        .take(steps)
        .map(|frame| frame[..product.positions].iter().map(|x| (x * x * inputs) as u32).collect())
        .collect();
    let activity = activity(&product, &frames);
    let values = product.positions * product.outputs;
    Case { layer: layer(product, vec![neuron(values, membrane_bits)]), activity, timesteps, spec }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_bounded_by_what_there_is_to_do(case in case(0.1)) {
        let machine = case.spec.machine();
        let p = case.product();
        for (plan, cost) in case.all(&machine) {
            let parts = [cost.cycles.parts(), cost.energy_j.parts(), cost.traffic_bits.parts()].concat();
            prop_assert!(parts.iter().all(|x| x.is_finite() && *x >= -1e-9), "{plan:?} {cost:?}");
            let frames = if p.is_constant() && !plan.recompute { 1 } else { case.timesteps };
            let repeat = frames as f64 / case.activity.nodes[0].steps.len() as f64;
            let operations = case.activity.nodes[0].total().synaptic_operations() as f64 * repeat;
            let cycles = cost.cycles.total();
            prop_assert!(cycles >= operations / plan.lanes.lanes() - 1e-6);
            prop_assert!(cost.cycles.ideal >= operations / plan.lanes.lanes() - 1e-6);
            // No port and no unit is used more than all the time.
            let t = &cost.traffic_bits;
            let busiest = [
                t.weights_read,
                t.activations_read + t.activations_written,
                t.partial_sums_read + t.partial_sums_written,
                t.membranes_read + t.membranes_written,
            ];
            let port = busiest.iter().fold(0.0, |a: f64, b| a.max(*b)) / f64::from(case.spec.bandwidth);
            prop_assert!(cycles >= port * (1.0 - 1e-9), "{plan:?} {cost:?}");
            // Inputs that are not skipped are read, and final outputs are written exactly once.
            let inputs = (p.input_values * frames) as f64 * f64::from(p.input.bits());
            prop_assert!(t.activations_read >= inputs - 1e-6);
            prop_assert_eq!(t.activations_written, (p.positions * p.outputs * case.timesteps) as f64);
            let weights = (p.fan_in * p.outputs) as f64 * f64::from(p.weight.code_bits);
            let skips = case.spec.units.contains("Skip") && plan.dataflow == Dataflow::OutputStationary
                && case.spec.units.contains("zeros: Skip");
            prop_assert!(skips || t.weights_read >= weights);
            prop_assert_eq!(t.dram_read + t.dram_written, 0.0, "everything fits");
        }
    }

    #[test]
    fn energies_of_one_make_energy_a_count(case in case(0.1)) {
        let machine = case.spec.unit_machine();
        for (_, cost) in case.all(&machine) {
            let (e, t) = (&cost.energy_j, &cost.traffic_bits);
            for (joules, bits) in [
                (e.weight_memory, t.weights_read),
                (e.activation_memory, t.activations_read + t.activations_written),
                (e.partial_sum_memory, t.partial_sums_read + t.partial_sums_written),
                (e.membrane_memory, t.membranes_read + t.membranes_written),
                (e.residual_memory, t.residual_read + t.residual_written),
            ] {
                prop_assert!(close(joules * 1e12, bits));
            }
            // Addition, comparison and register of every neuron update.
            let values = (case.product().positions * case.product().outputs * case.timesteps) as f64;
            prop_assert!(close(e.neuron * 1e12, 3.0 * values));
        }
    }

    /// Where the last wave is full; a ragged one makes lanes wait under either.
    #[test]
    fn skipping_at_density_one_is_dense(case in case(1.0), log in 0u32..3, channels in 1u32..9) {
        let mut case = case;
        let positions = case.product().positions.div_ceil(1 << log) << log;
        let inputs = (case.product().fan_in * case.product().groups) as u32;
        case.layer.product.as_mut().unwrap().positions = positions;
        let steps = case.activity.nodes[0].steps.len();
        case.activity = activity(case.product(), &vec![vec![inputs; positions]; steps]);
        let cycles = |skipping: &str| {
            let machine = Spec::roomy(lanes(1 << log, channels, skipping, "BitSerial")).machine();
            case.all(&machine).iter().map(|(_, cost)| array_cycles(cost).iter().sum()).collect::<Vec<f64>>()
        };
        for (skip, dense) in cycles("Skip").into_iter().zip(cycles("Dense")) {
            prop_assert!(close(skip, dense), "{skip} {dense}");
        }
    }

    /// What an access takes stays the same: of CACTI's SRAMs the larger takes more energy per access, and leaks
    /// more. With a memory per operand: in a shared one, more room may let membranes in that leave the stream
    /// outside.
    #[test]
    fn more_of_anything_never_costs_time_or_energy(
        case in case(0.1), log_bytes in 3u32..14, bus in 1u32..32, grow in 2u64..5,
    ) {
        let memories = case.spec.memories.iter().map(|(m, _)| (m.clone(), 1u64 << log_bytes)).collect();
        let spec = Spec { memories, dram_bits: Some(bus), ..case.spec.clone() };
        prop_assume!(case.fits(&spec.machine()));
        let memories = spec.memories.iter().map(|(m, bytes)| (m.clone(), bytes * grow / 2)).collect();
        let more = [
            ("ports", Spec { bandwidth: spec.bandwidth * 2, ..spec.clone() }),
            ("bus", Spec { dram_bits: Some(bus * 2), ..spec.clone() }),
            ("capacity", Spec { memories, ..spec.clone() }),
        ];
        for objective in ["Latency", "Energy", "EnergyDelay"] {
            let score = |spec: &Spec| {
                let machine = Spec { objective, ..spec.clone() }.unit_machine();
                let (cost, energy_j) = case.best_on(&machine);
                machine.score(cost.cycles.total(), energy_j)
            };
            let base = score(&spec);
            for (what, spec) in &more {
                let now = score(spec);
                prop_assert!(now <= base * (1.0 + 1e-9), "{objective}, {what}: {base} -> {now}");
            }
        }
    }

    #[test]
    fn fewer_bits_never_cost_more(
        case in case(0.1), log_bytes in 3u32..14, bits in 2u32..8, operand in 0usize..4,
    ) {
        let memories = case.spec.memories.iter().map(|(m, _)| (m.clone(), 1u64 << log_bytes)).collect();
        let spec = Spec { memories, ..case.spec.clone() };
        let with = |bits| {
            let mut changed = case.clone();
            let layer = &mut changed.layer;
            let product = layer.product.as_mut().unwrap();
            match operand {
                0 => product.weight = WeightForm::integer(bits),
                1 => product.accumulator_bits = bits + 8,
                2 => product.input = Input::Integers { bits },
                _ => layer.epilogue = vec![neuron(product.positions * product.outputs, bits)],
            }
            changed
        };
        let (narrow, wide) = (with(bits), with(bits + 1));
        prop_assume!(wide.fits(&Spec { placements: "Innermost", ..spec.clone() }.machine()));
        prop_assume!(wide.fits(&Spec { placements: "Outermost", ..spec.clone() }.machine()));
        let (few, many) = (narrow.best(&spec).0.cycles.total(), wide.best(&spec).0.cycles.total());
        prop_assert!(few <= many * (1.0 + 1e-9), "operand {operand}: {many} -> {few} cycles");
        let spec = Spec { objective: "Energy", ..spec };
        let (few, many) = (narrow.best(&spec).1, wide.best(&spec).1);
        prop_assert!(few <= many * (1.0 + 1e-9), "operand {operand}: {many} -> {few} J");
    }

    /// Every component is what moved, or was done, times what the tables say of it.
    #[test]
    fn energy_is_the_sum_of_counts_times_the_table(case in case(0.1), log_bytes in 5u32..14) {
        let memories = case.spec.memories.iter().map(|(m, _)| (m.clone(), 1u64 << log_bytes)).collect();
        let spec = Spec { memories, ..case.spec.clone() };
        let machine = spec.machine();
        prop_assume!(case.fits(&machine));
        let values = (case.product().positions * case.product().outputs * case.timesteps) as f64;
        for (_, cost) in case.all(&machine) {
            let (e, t) = (&cost.energy_j, &cost.traffic_bits);
            let on_chip = |operand: Operand, read: f64, written: f64| {
                let sram = machine.memory(operand);
                (read * sram.read_pj_per_bit + written * sram.write_pj_per_bit) * 1e-12
            };
            prop_assert!(close(e.weight_memory, on_chip(Operand::Weights, t.weights_read, t.weights_written)));
            let activations = on_chip(Operand::Activations, t.activations_read, t.activations_written);
            prop_assert!(close(e.activation_memory, activations));
            let sums = on_chip(Operand::PartialSums, t.partial_sums_read, t.partial_sums_written);
            prop_assert!(close(e.partial_sum_memory, sums));
            let membranes = on_chip(Operand::Membranes, t.membranes_read, t.membranes_written);
            prop_assert!(close(e.membrane_memory, membranes));
            // Standby for as long as the bus is busy, power-down between transfers.
            let dram = machine.dram.unwrap();
            let moved_pj = t.dram_read * dram.read_pj_per_bit + t.dram_written * dram.write_pj_per_bit;
            let seconds = |cycles: f64| cycles / machine.hardware.clock_hz.value;
            let busy_s = seconds((t.dram_read + t.dram_written) / dram.bits_per_cycle);
            let standby_j = busy_s * 38e-3 + (seconds(cost.cycles.total()) - busy_s) * 6.3e-3;
            prop_assert!(close(e.dram, moved_pj * 1e-12 + standby_j));
            let table = &machine.table;
            let neuron_pj = table.add_pj(12.0) + table.compare_pj(12.0) + table.register_pj(12.0);
            prop_assert!(close(e.neuron, values * neuron_pj * 1e-12));
            prop_assert!(close(e.total(), e.parts().iter().sum()));
        }
    }

    /// Innermost and outermost do the same work; computing once does less.
    #[test]
    fn choices_agree_on_the_work(case in case(0.1)) {
        let machine = Spec { bandwidth: 1 << 24, ..case.spec.clone() }.machine();
        let all = case.all(&machine);
        for (plan, cost) in &all {
            let twin = Plan { placement: Placement::Outermost, ..*plan };
            let same = layer_cost(&case.layer, &twin, &machine, &case.activity, case.timesteps);
            prop_assert!(close(cost.cycles.ideal, same.cycles.ideal));
            prop_assert!(close(cost.energy_j.synapse, same.energy_j.synapse));
            // Ports take next to no time here; what one choice keeps in the array the other stores.
            prop_assert!(case.timesteps > 1 || (cost.cycles.total() - same.cycles.total()).abs() < 0.01);
            let again = Plan { recompute: true, ..*plan };
            let again = layer_cost(&case.layer, &again, &machine, &case.activity, case.timesteps);
            prop_assert!(cost.cycles.total() <= again.cycles.total() + 0.01, "{plan:?}");
        }
    }
}
