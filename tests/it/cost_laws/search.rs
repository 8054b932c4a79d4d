//! The mapper's choice against every plan that a file could fix.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use spiq::cost::{LayerCost, Machine, MappedWorkload, Stalls, layer_cost, plan_costs};
use spiq::hw::Placement;
use spiq::map::{FixedMapping, Input, InputFrames, Workload, candidates};

use super::laws::{any_compute, with_activity};
use super::{Case, Spec, product};

/// A small layer on a machine with little room.
fn cramped() -> impl Strategy<Value = Case> {
    let sizes = (1usize..13, 1usize..13, 1usize..13, 1usize..3, 1usize..4);
    let shape = (sizes, 2u32..=8, any::<bool>(), any::<bool>(), any::<bool>());
    let log_bytes = prop::collection::vec(2u32..11, 5);
    let objective = prop::sample::select(vec!["Energy", "Latency", "EnergyDelay"]);
    let memories = (log_bytes, prop::sample::select(vec![1u32, 16, 64]), 3u32..10, 1u32..33, objective);
    let seeds = prop::collection::vec(0.0..1.0f64, 13 * 4);
    (shape, seeds, any_compute(), memories).prop_map(
        |((sizes, bits, constant, from_outside, integers), seeds, compute, memories)| {
            let (positions, fan_in, outputs, groups, timesteps) = sizes;
            let input = if integers { Input::Integers { bits } } else { Input::Spikes };
            let plain = product(positions, fan_in, outputs * groups, bits);
            let input_values = positions * fan_in * groups;
            let frames = if constant { InputFrames::Repeated } else { InputFrames::PerTimestep };
            let product = spiq::map::Product { groups, frames, input, from_outside, input_values, ..plain };
            let (log_bytes, word_bits, log_bandwidth, bus, objective) = memories;
            let mut spec = Spec {
                word_bits,
                bandwidth: 1 << log_bandwidth,
                dram_bits: Some(bus),
                objective,
                ..Spec::roomy(compute)
            };
            let word_bytes = u64::from(word_bits.div_ceil(8));
            let log_bytes = spec.memories.iter_mut().zip(log_bytes);
            log_bytes.for_each(|((_, bytes), log)| *bytes = word_bytes.max(1 << log));
            with_activity(product, timesteps, &seeds, 8, spec)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// What plans that compute alike share is computed once, and each costs what it costs alone.
    #[test]
    fn many_plans_cost_what_each_of_them_does(case in cramped(), outermost: bool) {
        let machine = case.spec.machine();
        let workload = Workload { layers: vec![case.layer.clone()], timesteps: case.timesteps, batch: 1, maps: Vec::new() };
        let placement = if outermost { Placement::Outermost } else { Placement::Innermost };
        let Ok(plans) = candidates(&workload, &machine.hardware, placement, None) else { return Ok(()) };
        let costs = plan_costs(&workload, &case.layer, &plans[0], &machine, &case.activity, LayerCost::clone);
        prop_assert_eq!(costs.len(), plans[0].len());
        for (plan, cost) in plans[0].iter().zip(costs) {
            let alone = layer_cost(&case.layer, plan, &machine, &case.activity, case.timesteps);
            prop_assert_eq!(cost, LayerCost { stalls: Stalls::default(), ..alone }, "{:?}", plan);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// The bound that spares the second placement never hides what is better.
    #[test]
    fn two_placements_are_as_good_as_the_better_one(case in cramped()) {
        let score = |placements: &'static str| {
            let machine = Spec { placements, ..case.spec.clone() }.machine();
            let workload = Workload { layers: vec![case.layer.clone()], timesteps: case.timesteps, batch: 1, maps: Vec::new() };
            let best = MappedWorkload::best(workload, &machine, std::slice::from_ref(&case.activity)).ok()?;
            let cost = best.costs(&machine, &case.activity).remove(0);
            Some(machine.score(cost.cycles.total(), cost.energy_j.total()))
        };
        let [innermost, outermost] = ["Innermost", "Outermost"].map(score);
        let better = [innermost, outermost].into_iter().flatten().reduce(f64::min);
        let both = ["Innermost, Outermost", "Outermost, Innermost"].map(score);
        prop_assert!(both.iter().all(|both| *both == better), "{both:?} {innermost:?} {outermost:?}");
    }
}

/// Score of the best of all plans: every number of channels, every number of tiles of positions.
fn least_of_all(case: &Case, machine: &Machine) -> Option<f64> {
    let workload =
        Workload { layers: vec![case.layer.clone()], timesteps: case.timesteps, batch: 1, maps: Vec::new() };
    let p = case.product();
    let tiles = (2..=p.positions * case.timesteps).flat_map(|tiles| {
        ["true", "false"].map(|stay| format!("PositionsOutermost(tiles: {tiles}, weights_stay: {stay})"))
    });
    let orders: Vec<String> = std::iter::once("ChannelsOutermost".to_owned()).chain(tiles).collect();
    let mut least: Option<f64> = None;
    for channels in 1..=24 {
        for order in &orders {
            let text =
                format!("NetworkMapping(layers: {{\"layer\": (channels: {channels}, order: {order})}})");
            let fixed = FixedMapping::parse(&text, "fixed.ron").unwrap();
            let fixed = fixed.on(&workload, &machine.hardware).unwrap();
            for placement in [Placement::Innermost, Placement::Outermost] {
                let plans = candidates(&workload, &machine.hardware, placement, Some(&fixed));
                for plan in plans.unwrap_or_default().concat() {
                    let cost = layer_cost(&case.layer, &plan, machine, &case.activity, case.timesteps);
                    let score = machine.score(cost.cycles.total(), cost.energy_j.total());
                    least = Some(least.map_or(score, |least| least.min(score)));
                }
            }
        }
    }
    least
}

/// Score of the mapper's choice over that of the best plan; `None` where nothing fits, for either.
fn ratio(case: &Case) -> Option<f64> {
    let machine = case.spec.machine();
    let workload =
        Workload { layers: vec![case.layer.clone()], timesteps: case.timesteps, batch: 1, maps: Vec::new() };
    let best = MappedWorkload::best(workload, &machine, std::slice::from_ref(&case.activity));
    let least = least_of_all(case, &machine);
    assert_eq!(best.is_ok(), least.is_some(), "{case:?}");
    let cost = best.ok()?.costs(&machine, &case.activity).remove(0);
    Some(machine.score(cost.cycles.total(), cost.energy_j.total()) / least?)
}

/// The mapper tries some numbers of channels and of tiles of positions: nearly always the best of them. Where some
/// weights stay while the others pass through, it is better than all plans of which all or none stay.
#[test]
fn the_choice_is_near_the_best_of_all_plans() {
    let mut runner = TestRunner::deterministic();
    let mut draw = || cramped().new_tree(&mut runner).unwrap().current();
    let ratios: Vec<f64> = (0..150).filter_map(|_| ratio(&draw())).collect();
    let (worst, equal) =
        (ratios.iter().fold(0.0, |a: f64, b| a.max(*b)), ratios.iter().filter(|r| **r < 1.0 + 1e-9).count());
    assert!(ratios.len() > 100 && ratios.iter().all(|r| *r < 1.05), "{worst}");
    assert!(equal * 100 >= ratios.len() * 97, "{equal} of {}", ratios.len());
}
