//! Weights that stay on chip, against every choice of them.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use spiq::map::{Residents, placed, prefetched, resident_candidates};

use super::*;

/// Layers in a row, each of so many (inputs, outputs), with four positions.
fn network(sizes: &[(usize, usize)], bits: u32) -> (Workload, Activity) {
    let layers = sizes.iter().enumerate().map(|(i, &(inputs, outputs))| {
        let product = Product { node: NodeId(i as u32), ..product(4, inputs, outputs, bits) };
        layer(product, Vec::new())
    });
    let workload = Workload { layers: layers.collect(), timesteps: 1, batch: 1, maps: Vec::new() };
    let nodes = workload.layers.iter().map(|layer| {
        let product = layer.product.as_ref().unwrap();
        activity(product, &[vec![product.fan_in as u32 / 2; 4]]).nodes.remove(0)
    });
    let activity = Activity { nodes: nodes.collect(), ..Activity::default() };
    (workload, activity)
}

fn score(machine: &Machine, workload: &Workload, activity: &Activity, plans: Vec<Plan>) -> f64 {
    let early = prefetched(workload, &machine.hardware, &plans);
    let workload = workload.clone();
    let mapped = MappedWorkload { workload, plans, prefetched: early, maps: Vec::new() };
    let costs = mapped.costs(machine, activity);
    let sum = |of: fn(&LayerCost) -> f64| costs.iter().map(of).sum::<f64>();
    machine.score(sum(|c| c.cycles.total()), sum(|c| c.energy_j.total()))
}

/// Every number of channels of each layer that may stay, with every plan of each layer beside them.
fn brute_force(machine: &Machine, workload: &Workload, activity: &Activity) -> f64 {
    let hardware = &machine.hardware;
    let streams = candidates(workload, hardware, Placement::Innermost, None).unwrap();
    let mut best = f64::INFINITY;
    let mut counts = vec![0; workload.layers.len()];
    loop {
        let residents = Residents::new(workload, counts.clone(), 0);
        let legal = |i: usize| -> Vec<Plan> {
            let all = if counts[i] == workload.layers[i].outputs() {
                resident_candidates(i, workload, hardware, Placement::Innermost, None).unwrap()
            } else {
                streams[i].iter().map(|plan| Plan { resident_channels: counts[i], ..*plan }).collect()
            };
            all.into_iter().filter_map(|plan| placed(plan, i, workload, hardware, None, &residents)).collect()
        };
        let choices: Vec<Vec<Plan>> = (0..counts.len()).map(legal).collect();
        if choices.iter().all(|plans| !plans.is_empty()) {
            // Plans of one layer that no other one beats alone are enough where layers do not overlap.
            let pick = |(i, plans): (usize, &Vec<Plan>)| {
                let alone = |plan: &Plan| {
                    let cost = layer_cost(&workload.layers[i], plan, machine, activity, workload.timesteps);
                    machine.score(cost.cycles.total(), cost.energy_j.total())
                };
                *plans.iter().min_by(|a, b| alone(a).total_cmp(&alone(b))).unwrap()
            };
            let plans = choices.iter().enumerate().map(pick).collect();
            best = best.min(score(machine, workload, activity, plans));
        }
        let Some(i) = (0..counts.len()).find(|&i| counts[i] < workload.layers[i].outputs()) else {
            return best;
        };
        counts[i] += 1;
        counts[..i].fill(0);
    }
}

/// Small networks of few channels, where each of them counts.
#[test]
fn what_stays_is_the_best_choice() {
    let sizes = prop::collection::vec((1usize..9, 1usize..6), 1..4);
    let dram = prop::sample::select(vec![1u32, 4, 64]);
    let objective = prop::sample::select(vec!["Energy", "Latency", "EnergyDelay"]);
    let cases = (sizes, 2u32..9, 0.1..1.0f64, dram, objective);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut excess = Vec::new();
    while excess.len() < 60 {
        let (sizes, bits, room, dram, objective) = cases.new_tree(&mut runner).unwrap().current();
        let (workload, activity) = network(&sizes, bits);
        let all = (workload.weight_bits() + workload.parameter_bits()) / 8.0;
        let mut spec =
            Spec { dram_bits: Some(dram), objective, ..Spec::roomy(lanes(2, 2, "Dense", "BitSerial")) };
        spec.memories[0].1 = (all * room).ceil() as u64;
        let machine = spec.innermost().machine();
        let samples = std::slice::from_ref(&activity);
        let Ok(mapped) = MappedWorkload::best(workload.clone(), &machine, samples) else { continue };
        let found = score(&machine, &workload, &activity, mapped.plans);
        excess.push(found / brute_force(&machine, &workload, &activity) - 1.0);
    }
    assert!(excess.iter().all(|&excess| excess <= 1e-3), "{excess:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Where an access costs the same, a byte more never costs more: neither where every choice is tried, nor where there
    /// are too many.
    #[test]
    fn more_room_never_costs_more(
        sizes in prop_oneof![
            prop::collection::vec((1usize..9, 1usize..6), 1..4),
            prop::collection::vec((1usize..40, 8usize..40), 4..9),
        ],
        bits in 2u32..9, share in 0.05..1.0f64, more in 0.0..0.6f64, dram in prop::sample::select(vec![1u32, 4, 64]),
        objective in prop::sample::select(vec!["Energy", "Latency", "EnergyDelay"]),
    ) {
        let (workload, activity) = network(&sizes, bits);
        let all = (workload.weight_bits() + workload.parameter_bits()) / 8.0;
        let found = |share: f64| {
            let lanes = lanes(2, 2, "Dense", "BitSerial");
            let mut spec = Spec { dram_bits: Some(dram), objective, ..Spec::roomy(lanes) };
            spec.memories[0].1 = (all * share).ceil() as u64;
            let machine = spec.innermost().unit_machine();
            let mapped = MappedWorkload::best(workload.clone(), &machine, std::slice::from_ref(&activity)).ok()?;
            Some(score(&machine, &workload, &activity, mapped.plans))
        };
        if let (Some(small), Some(large)) = (found(share), found(share + more)) {
            prop_assert!(large <= small * (1.0 + 1e-9), "{share} {more}: {small} {large}");
        }
    }

    /// In a memory that holds spikes, too, weights that fit do not stay where they leave no room for what is worth more.
    #[test]
    fn weights_leave_room_for_what_is_worth_more(
        sizes in prop::collection::vec((1usize..9, 1usize..9), 1..4), bits in 2u32..9, room in 1.0..1.5f64,
        dram in prop::sample::select(vec![1u32, 4, 64]),
        objective in prop::sample::select(vec!["Energy", "Latency", "EnergyDelay"]),
    ) {
        let (mut workload, activity) = network(&sizes, bits);
        // Maps that are larger than the memory in one layer, and small in the others.
        let all = workload.weight_bits() + workload.parameter_bits();
        workload.layers[0].live_activation_bits = 2.0 * all * room;
        let found = |share: f64| {
            let lanes = lanes(2, 2, "Dense", "BitSerial");
            let mut spec = Spec { dram_bits: Some(dram), objective, ..Spec::roomy(lanes) };
            spec.memories[0] = ("Weights, Activations".to_owned(), (all / 8.0 * share).ceil() as u64);
            spec.memories.remove(1);
            let machine = spec.innermost().unit_machine();
            let mapped = MappedWorkload::best(workload.clone(), &machine, std::slice::from_ref(&activity)).ok()?;
            Some(score(&machine, &workload, &activity, mapped.plans))
        };
        // One that holds all weights, and one that does not.
        if let (Some(small), Some(large)) = (found(0.99), found(room)) {
            prop_assert!(large <= small * (1.0 + 1e-9), "{room}: {small} {large}");
        }
    }
}

/// One byte too few for all weights: all but one channel stay.
#[test]
fn a_channel_that_does_not_fit_streams_alone() {
    let (workload, activity) = network(&[(8, 16), (8, 16)], 8);
    // A channel has 8 weights of 8 bits and a bias of 32: 96 bits; 32 of them are 384 bytes.
    let mapped = |bytes| {
        let mut spec = Spec { objective: "Energy", ..Spec::roomy(lanes(1, 1, "Dense", "BitSerial")) };
        spec.memories[0].1 = bytes;
        let machine = spec.innermost().machine();
        MappedWorkload::best(workload.clone(), &machine, std::slice::from_ref(&activity)).unwrap()
    };
    assert!(mapped(384).plans.iter().all(|plan| !plan.is_off_chip(spiq::hw::Operand::Weights)));
    let streamed: f64 = {
        let mapped = mapped(383);
        let layers = mapped.workload.layers.iter().zip(&mapped.plans);
        layers.map(|(layer, plan)| plan.streamed_share(layer) * 16.0).sum()
    };
    // Two weights of a channel pass through in a buffer for eight each: 128 bits, a channel and a third.
    assert!((1.0..=3.0).contains(&streamed), "{streamed}");
}
