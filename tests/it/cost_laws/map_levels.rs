//! Maps in memories behind each other: each lives beside units, in the outermost on-chip memory, or off chip.

use proptest::prelude::*;
use spiq::cost::{LayerCost, Machine, MappedWorkload, layer_cost};
use spiq::hw::{Operand, Placement};
use spiq::map::{
    FixedMapping, Home, Passage, Residents, Settled, SettledCandidates, SettledLayer, candidates,
};

use super::turns::{Chain, any_chain};
use super::{Spec, close};

/// Homes of a map.
const HOMES: [Home; 3] = [Home::OnChip(0), Home::OnChip(1), Home::OffChip];

fn spec(bytes: u64, behind_bytes: u64) -> Spec {
    Spec { behind_bytes: Some(behind_bytes), behind_holds: "Activations", ..Chain::spec(bytes) }
}

fn best(chain: &Chain, machine: &Machine) -> (MappedWorkload, Vec<LayerCost>) {
    let activity = chain.activity();
    let best = MappedWorkload::best(chain.workload(), machine, std::slice::from_ref(&activity)).unwrap();
    let costs = best.costs(machine, &activity);
    (best, costs)
}

#[test]
fn a_map_waits_behind_by_hand() {
    // 8 positions of 4 spikes between two layers: 32 bits, which one byte beside units does not hold. Each bit moved takes a
    // picojoule.
    let chain = Chain::of(&[4, 4, 4], 8);
    let moved = |spec: Spec| {
        let (best, costs) = best(&chain, &spec.unit_machine());
        let sum = |of: fn(&LayerCost) -> f64| costs.iter().map(of).sum::<f64>();
        let dram = (sum(|c| c.traffic_bits.dram_read), sum(|c| c.traffic_bits.dram_written));
        (best.maps[1], dram, sum(|c| c.energy_j.activation_memory) * 1e12)
    };
    let (near, image, roomy_pj) = moved(spec(1024, 1024));
    assert_eq!((near, image), (Home::OnChip(0), (32.0, 0.0)));
    let (behind, dram, pj) = moved(spec(1, 1024));
    assert_eq!((behind, dram), (Home::OnChip(1), image));
    // The map leaves the memory beside units, is written and read behind, and comes back.
    assert!(close(pj - roomy_pj, 4.0 * 32.0), "{pj} {roomy_pj}");
    let (off_chip, dram, _) = moved(spec(1, 1));
    assert_eq!((off_chip, dram), (Home::OffChip, (64.0, 32.0)));
}

/// The least score of all homes of all maps, by every plan of every layer, and those homes.
fn least(chain: &Chain, machine: &Machine) -> (f64, Vec<Home>) {
    let (workload, activity) = (chain.workload(), chain.activity());
    let any = candidates(&workload, &machine.hardware, Placement::Innermost, None).unwrap();
    let residents = Residents::all(&workload, 0);
    let score = |layer: usize, homes: &[Home]| {
        let of = |operand| {
            let home = |number: usize| (homes[number], workload.maps[number].bits);
            Passage::of(&workload.maps, operand, layer, &(layer..layer + 1), home)
        };
        let settled =
            Settled { activations: of(Operand::Activations), residual: of(Operand::Residual), group: None };
        let like = &any[layer][0];
        let settled = SettledLayer { number: layer, like, settled, residents: &residents };
        let plans = SettledCandidates::new(&settled, &workload, &machine.hardware, None).all();
        let scores = plans.iter().map(|plan| {
            let cost = layer_cost(&workload.layers[layer], plan, machine, &activity, workload.timesteps);
            machine.score(cost.cycles.total(), cost.energy_j.total())
        });
        scores.fold(f64::INFINITY, f64::min)
    };
    let ways = (0..3_usize.pow(chain.len() as u32)).map(|way| {
        let homes: Vec<Home> = (0..chain.len()).map(|map| HOMES[way / 3_usize.pow(map as u32) % 3]).collect();
        ((0..chain.len()).map(|layer| score(layer, &homes)).sum::<f64>(), homes)
    });
    ways.min_by(|a, b| a.0.total_cmp(&b.0)).expect("several ways")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Within 5 % of the best of all homes, never beyond a memory, and what is written somewhere is read there.
    #[test]
    fn maps_live_where_that_is_best((chain, bytes) in any_chain(), behind_bytes in 1u64..80) {
        let machine = spec(bytes, behind_bytes).machine();
        let (best, costs) = best(&chain, &machine);
        let energy: f64 = costs.iter().map(|c| machine.score(c.cycles.total(), c.energy_j.total())).sum();
        let (least, homes) = least(&chain, &machine);
        prop_assert!(energy <= least * 1.05, "{energy} {:?}, {least} {homes:?}", best.maps);
        prop_assert!(energy >= least * (1.0 - 1e-9), "{energy} {:?}, {least} {homes:?}", best.maps);
        for held in best.occupancy(&machine.hardware) {
            prop_assert!(held[1].total() <= bytes as f64, "{held:?} {:?}", best.plans);
            prop_assert!(held[5].total() <= behind_bytes as f64, "{held:?} {:?}", best.plans);
        }
        let [out, back] = [true, false].map(|out| -> f64 {
            costs.iter().map(|c| if out { c.traffic_bits.dram_written } else { c.traffic_bits.dram_read }).sum()
        });
        let off_chip = best.maps.iter().zip(&best.workload.maps).skip(1);
        let passing = |(home, map): (&Home, &spiq::map::Map)| if *home == Home::OffChip { map.bits } else { 0.0 };
        let passing_bits = off_chip.map(passing).sum::<f64>() * chain.workload().timesteps as f64;
        prop_assert!(close(out, passing_bits), "{out} {passing_bits}");
        prop_assert!(back >= out);
    }

    /// A file that fixes all of it leads to its figures.
    #[test]
    fn a_file_says_where_maps_are((chain, bytes) in any_chain(), behind_bytes in 1u64..80) {
        let machine = spec(bytes, behind_bytes).machine();
        let activity = chain.activity();
        let samples = std::slice::from_ref(&activity);
        let (best, costs) = best(&chain, &machine);
        let text = best.fixed(&machine.hardware).text();
        let fixed = FixedMapping::parse(&text, "m.ron").unwrap();
        let again = MappedWorkload::best_of(chain.workload(), &machine, samples, Some(&fixed)).unwrap();
        prop_assert_eq!(again.costs(&machine, &activity), costs, "{}", text);
    }
}
