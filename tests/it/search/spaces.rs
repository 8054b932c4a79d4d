//! Partitions, steps and settings.

use spiq::num::LevelSet;
use spiq::quant::Setting;
use spiq::search::{Candidate, Granularity, Part, Quantizer, Space, Widths};

use super::synthetic::{fixed, network, widths};

fn space() -> Space {
    Quantizer::PerChannel.space(&network(), &widths())
}

#[test]
fn every_granularity_is_a_partition_and_each_refines_the_next() {
    let space = space();
    let all = [
        Granularity::Tensor,
        Granularity::Module,
        Granularity::Block,
        Granularity::Stage,
        Granularity::Network,
    ];
    let mut finer: Option<Vec<Vec<usize>>> = None;
    for granularity in all {
        let groups = space.groups(granularity);
        let mut units: Vec<usize> = groups.iter().flatten().copied().collect();
        units.sort_unstable();
        assert_eq!(units, (0..space.units.len()).collect::<Vec<_>>(), "{granularity:?}");
        if let Some(finer) = finer {
            let inside = |small: &Vec<usize>| groups.iter().any(|g| small.iter().all(|u| g.contains(u)));
            assert!(finer.iter().all(inside), "{granularity:?}");
            assert!(finer.len() >= groups.len());
        }
        finer = Some(groups);
    }
    assert_eq!(space.groups(Granularity::Tensor).len(), 18);
    assert_eq!(space.groups(Granularity::Network).len(), 1);
}

#[test]
fn every_neuron_belongs_to_the_weight_layer_before_it() {
    let space = space();
    let unit = |layer: &str| space.units.iter().find(|u| u.layer == layer).unwrap();
    assert_eq!(unit("block.0.attn.v_conv").neurons, ["block.0.attn.v_lif", "block.0.attn.talking_heads_lif"]);
    assert_eq!(unit("block.0.mlp.fc1_conv").neurons, ["block.0.mlp.fc2_lif"]);
    assert_eq!(unit("head").neurons, Vec::<String>::new());
    assert_eq!(space.units.iter().map(|u| u.membranes).sum::<usize>(), 103_680);
}

/// w8 w6 w5 w4 pot4 w3 pot3 w2: one step down is the next of either kind.
#[test]
fn steps_go_to_the_next_level_of_each_kind() {
    let space = space();
    let bits: Vec<u32> = space.weights.iter().map(|scheme| scheme.bits()).collect();
    assert_eq!(bits, [8, 6, 5, 4, 4, 3, 3, 2]);
    assert_eq!(space.below(Part::Weights, 0), [1, 4]);
    assert_eq!(space.below(Part::Weights, 4), [5, 6]);
    assert_eq!(space.below(Part::Weights, 7), Vec::<usize>::new());
    assert_eq!(space.above(Part::Weights, 6), Some(4));
    assert_eq!(space.above(Part::Weights, 4), Some(3));
    assert_eq!(space.above(Part::Membranes, 0), None);
}

#[test]
fn a_setting_file_says_what_the_candidate_chose() {
    let space = space();
    let knobs = space.knobs(Granularity::Tensor);
    assert_eq!(knobs.len(), 18 + 17);
    let candidate = knobs.iter().enumerate().fold(space.widest(), |candidate: Candidate, (i, knob)| {
        candidate.with(knob, i % space.levels(knob.part))
    });
    let setting = space.setting(&candidate, "found").unwrap();
    for (i, unit) in space.units.iter().enumerate() {
        assert_eq!(fixed(&setting).weights_of(&unit.layer), space.weights[candidate.level(i, Part::Weights)]);
        for neuron in &unit.neurons {
            let bits = space.membranes[candidate.level(i, Part::Membranes)];
            assert_eq!(fixed(&setting).membrane_bits_of(neuron), bits, "{neuron}");
        }
    }
    assert_ne!(space.id(&candidate), space.id(&space.widest()));
    for space in [Space { calibrated: true, ..space.clone() }, space] {
        let read = Setting::parse(&space.ron(&candidate, "found"), "found").unwrap();
        assert_eq!(space.setting(&candidate, "found").unwrap(), read);
    }
}

#[test]
fn calibration_is_part_of_our_settings_alone() {
    let widths = spiq::search::Widths { calibrated: true, ..widths() };
    let calibrated = |quantizer: Quantizer| {
        let space = quantizer.space(&network(), &widths);
        let setting = space.setting(&space.widest(), "s").unwrap();
        fixed(&setting).rounding == spiq::quant::WeightRounding::SecondOrder
    };
    assert!(calibrated(Quantizer::PerChannel));
    for papers in [Quantizer::UnitFloor, Quantizer::FixedPoint, Quantizer::Hybrid] {
        assert!(!calibrated(papers), "{papers:?}");
    }
}

/// A space takes every scheme that there is, and each is a step from others.
#[test]
fn every_scheme_is_a_level_of_a_space_that_asks_for_it() {
    let schemes: Vec<String> =
        LevelSet::ALL.iter().flat_map(|set| set.widths().map(|bits| set.shorthand(bits))).collect();
    let asked = Widths { schemes: schemes.clone(), ..widths() };
    for quantizer in [Quantizer::PerChannel, Quantizer::Hybrid] {
        let space = quantizer.space(&network(), &asked);
        assert_eq!(space.weights.len(), 8 + schemes.len());
        assert_eq!(space.families().len(), 2 + LevelSet::ALL.len());
        let mut on_ladders: Vec<usize> = space.ladders(Part::Weights).into_iter().flatten().collect();
        on_ladders.sort_unstable();
        assert_eq!(on_ladders, (0..space.weights.len()).collect::<Vec<_>>());
        let below: Vec<usize> =
            (0..space.weights.len()).flat_map(|l| space.below(Part::Weights, l)).collect();
        for (level, scheme) in space.weights.iter().enumerate() {
            assert!(level == 0 || below.contains(&level), "{} is no step", scheme.shorthand());
            let setting = space.setting(&space.uniform(level, 0), "s").unwrap();
            assert_eq!(fixed(&setting).weights_of("head"), *scheme);
            assert_eq!(space.layers(&space.uniform(level, 0))[0].scheme, scheme.shorthand());
            let read = Setting::parse(&space.ron(&space.uniform(level, 0), "s"), "s").unwrap();
            assert_eq!(read, setting);
        }
    }
    for papers in [Quantizer::UnitFloor, Quantizer::FixedPoint] {
        assert_eq!(papers.space(&network(), &asked).weights.len(), 6, "{papers:?}");
    }
}
