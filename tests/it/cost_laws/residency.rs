//! Weights that stay on chip, against every choice of them.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use spiq::map::{FixedMapping, Residents, placed, prefetched, resident_candidates};

use super::*;

/// Layers in a row, each of so many (inputs, outputs), with four positions.
fn network(sizes: &[(usize, usize)], bits: u32) -> (Workload, Activity) {
    let layers = sizes.iter().enumerate().map(|(i, &(inputs, outputs))| {
        let product = Product { node: NodeId(i as u32), ..product(4, inputs, outputs, bits) };
        layer(product, Vec::new())
    });
    let workload = Workload { layers: layers.collect(), timesteps: 1, batch: 1 };
    let nodes = workload.layers.iter().map(|layer| {
        let product = layer.product.as_ref().unwrap();
        activity(product, &[vec![product.fan_in as u32 / 2; 4]]).nodes.remove(0)
    });
    let activity = Activity { nodes: nodes.collect(), ..Activity::default() };
    (workload, activity)
}

fn score(machine: &Machine, workload: &Workload, activity: &Activity, plans: Vec<Plan>) -> f64 {
    let early = prefetched(workload, &machine.hardware, &plans);
    let mapped = MappedWorkload { workload: workload.clone(), plans, prefetched: early };
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
                resident_candidates(i, workload, hardware, Placement::Innermost, None::<&FixedMapping>)
                    .unwrap()
            } else {
                streams[i].iter().map(|plan| Plan { resident_channels: counts[i], ..*plan }).collect()
            };
            all.into_iter().filter_map(|plan| placed(plan, i, workload, hardware, &residents)).collect()
        };
        let choices: Vec<Vec<Plan>> = (0..counts.len()).map(legal).collect();
        if choices.iter().all(|plans| !plans.is_empty()) {
            // Of one layer, the plans that no other one beats alone are enough where layers do not overlap.
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

/// Small networks of few channels, where each of them counts: mostly the best choice, never far from it.
#[test]
fn what_stays_is_nearly_the_best_choice() {
    let sizes = prop::collection::vec((1usize..9, 1usize..6), 1..4);
    let dram = prop::sample::select(vec![1u32, 4, 64]);
    let objective = prop::sample::select(vec!["Energy", "Latency"]);
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
    let worst = excess.iter().copied().fold(0.0, f64::max);
    let close = excess.iter().filter(|&&e| e <= 1e-3).count();
    println!("{close} of {} within 0.1 %, the worst {:.1} % off", excess.len(), 100.0 * worst);
    assert!(close >= 48 && worst < 0.25, "{close} {worst} {excess:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Where an access costs the same, a byte more never costs more.
    #[test]
    fn more_room_never_costs_more(
        sizes in prop::collection::vec((1usize..9, 1usize..6), 1..4), bits in 2u32..9, bytes in 8u64..60, more in 1u64..40,
    ) {
        let (workload, activity) = network(&sizes, bits);
        let found = |bytes: u64| {
            let mut spec = Spec { dram_bits: Some(4), ..Spec::roomy(lanes(2, 2, "Dense", "BitSerial")) };
            spec.memories[0].1 = bytes;
            let machine = spec.innermost().unit_machine();
            let mapped = MappedWorkload::best(workload.clone(), &machine, std::slice::from_ref(&activity)).ok()?;
            Some(score(&machine, &workload, &activity, mapped.plans))
        };
        if let (Some(small), Some(large)) = (found(bytes), found(bytes + more)) {
            prop_assert!(large <= small * (1.0 + 1e-9), "{bytes} {more}: {small} {large}");
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
