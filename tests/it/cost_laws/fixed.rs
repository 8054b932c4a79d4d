//! Files that fix a mapping: all that a mapper chose comes back from its file to the digit, and what a file wants is so or
//! refused.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use spiq::cost::patterns;
use spiq::exec::Rates;
use spiq::load;
use spiq::map::FixedMapping;
use spiq::quant::{Calibration, Precision, Setting, quantize};

use super::laws::case;
use super::levels::layer_of_32_bytes;
use super::turns::{Chain, any_chain};
use super::*;

/// A network at a setting, with what its rates lead one to expect on a machine.
fn subject(model: &str, setting: &str, rate: f64, machine: &Machine) -> (Workload, Activity) {
    let model = load::model(model).unwrap();
    let Precision::Fixed(setting) = Setting::load(setting).unwrap().precision else { unreachable!() };
    let calibration = Calibration::of_any_range(model.network.nodes.len());
    let workload = Workload::quantized(&quantize(&model, &setting, &calibration).unwrap());
    let rates = Rates::uniform(&model.network, rate).unwrap();
    let patterns = patterns(std::slice::from_ref(machine), &model.network);
    let activity = rates.activity_with(&model.network, &patterns);
    (workload, activity)
}

/// What is chosen, and what its file leads to: costs, what memories hold, and the file once more.
fn round_trip(workload: &Workload, machine: &Machine, activity: &Activity) -> MappedWorkload {
    let samples = std::slice::from_ref(activity);
    let chosen = MappedWorkload::best(workload.clone(), machine, samples).unwrap();
    let text = chosen.fixed(&machine.hardware).text();
    let fixed = FixedMapping::parse(&text, "chosen.ron").unwrap();
    let again = MappedWorkload::best_of(workload.clone(), machine, samples, Some(&fixed));
    let again = again.unwrap();
    let (costs, costs_again) = (chosen.costs(machine, activity), again.costs(machine, activity));
    for (layer, (cost, cost_again)) in workload.layers.iter().zip(costs.iter().zip(&costs_again)) {
        assert_eq!(cost, cost_again, "{}", layer.name);
    }
    assert_eq!(chosen.occupancy(&machine.hardware), again.occupancy(&machine.hardware));
    assert_eq!(again.fixed(&machine.hardware).text(), text);
    chosen
}

fn hardware(spec: &str) -> Machine {
    Machine::new(Hardware::load(spec).unwrap().0).unwrap()
}

/// Weights that all stay, some of which do, and none; maps that leave the chip; systolic arrays, cores and processors.
#[test]
fn files_of_the_bundled_network_give_what_was_chosen() {
    let machines = [
        "edge-28",
        "edge-28+memories.weight SRAM.capacity_bytes=32KiB",
        "edge-28+memories.weight SRAM.capacity_bytes=8KiB+memories.activation SRAM.capacity_bytes=1KiB",
        "systolic-28",
        "systolic-28+memories.*.capacity_bytes=8KiB",
        "eyeriss-28",
        "ptb-28",
        "prosperity-28",
        "loihi-14",
        "cortex-m4",
    ];
    for spec in machines {
        let machine = hardware(spec);
        let (workload, activity) = subject("sdtv1_2-64_fashion", "w4", 0.1, &machine);
        round_trip(&workload, &machine, &activity);
        round_trip(&workload.in_batches_of(3), &machine, &activity);
    }
}

/// Layers of SDT v2 take turns, as their maps have no room; of its weights some stay.
#[test]
fn files_of_a_network_in_turns_give_what_was_chosen() {
    let machine = hardware("edge-28");
    let (workload, activity) = subject("sdtv2_15M", "w4", 0.1, &machine);
    let chosen = round_trip(&workload, &machine, &activity);
    assert!(chosen.plans.iter().any(|plan| plan.group.is_some()));
    assert!(chosen.plans.iter().any(|plan| plan.resident_channels > 0));
}

#[test]
fn files_of_chains_in_turns_give_what_was_chosen() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut in_turns = 0;
    for _ in 0..60 {
        let (chain, bytes) = any_chain().new_tree(&mut runner).unwrap().current();
        let machine = Chain::machine(bytes);
        let chosen = round_trip(&chain.workload(), &machine, &chain.activity());
        in_turns += usize::from(chosen.plans.iter().any(|plan| plan.group.is_some()));
    }
    assert!(in_turns > 5, "{in_turns} of 60 take turns");
}

#[test]
fn files_of_levels_give_what_was_chosen() {
    for (inner, behind) in [(32, None), (16, Some(32)), (16, Some(16)), (24, Some(16)), (64, Some(1024))] {
        let (workload, activity) = layer_of_32_bytes();
        round_trip(&workload, &super::levels::machine(inner, behind), &activity);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn files_of_random_machines_give_what_was_chosen(case in case(0.05)) {
        let machine = case.spec.machine();
        let workload =
            Workload { layers: vec![case.layer.clone()], timesteps: case.timesteps, batch: 1, maps: Vec::new() };
        prop_assume!(MappedWorkload::best(workload.clone(), &machine, std::slice::from_ref(&case.activity)).is_ok());
        round_trip(&workload, &machine, &case.activity);
    }
}

/// Three layers of 4 x 4 weights, in 32 bytes of a memory for them: files say which stay.
#[test]
fn weights_stay_as_a_file_says() {
    let chain = Chain::of(&[4, 4, 4, 4], 8);
    let machine = |bytes: u64| Chain::machine_of([bytes, 1024]);
    let mapped = |bytes: u64, text: &str| {
        let fixed = FixedMapping::parse(&format!("NetworkMapping({text})"), "m.ron").unwrap();
        let samples = [chain.activity()];
        MappedWorkload::best_of(chain.workload(), &machine(bytes), &samples, Some(&fixed))
    };
    let stay = |bytes: u64, text: &str| {
        let mapped = mapped(bytes, text).unwrap();
        let layers = mapped.workload.layers.iter().zip(&mapped.plans);
        layers.map(|(layer, plan)| 4.0 * (1.0 - plan.streamed_share(layer))).collect::<Vec<_>>()
    };
    // 16 weights of 4 bits, and 4 biases and thresholds of 32 bits each: 40 bytes a layer.
    let bits = chain.workload().layers[0].channel_bits();
    assert_eq!(bits, 16.0 + 64.0);
    assert_eq!(stay(1024, ""), [4.0; 3]);
    let layers = |text: &str| format!("layers: {{{text}}}");
    assert_eq!(
        stay(1024, &layers("\"layer 1\": (weights: OffChip), \"layer 2\": (resident_channels: 3)")),
        [4.0, 0.0, 3.0]
    );
    assert_eq!(
        stay(64, &layers("\"layer 2\": (weights: OnChip(\"m0\")), \"layer 0\": (resident_channels: 1)"))[2],
        4.0
    );
    let refused = |(bytes, text): (u64, &str)| mapped(bytes, &layers(text)).unwrap_err().to_string();
    let cases = [
        (64, r#""layer 1": (weights: OnChip("m0")), "layer 2": (weights: OnChip("m0"))"#),
        (1024, r#""layer 1": (resident_channels: 5)"#),
        (1024, r#""layer 1": (weights: OnChip("m1"))"#),
        (1024, r#""layer 1": (weights: OnChip("m0"), resident_channels: 3)"#),
        (
            64,
            r#""layer 0": (weights: OnChip("m0")), "layer 1": (weights: OnChip("m0")), "layer 2": (weights: OnChip("m0"))"#,
        ),
    ];
    let messages = [
        "layers: resident_channels: weights that are to stay take 80 bytes, tiles of layer 0, which pass through, 1 more, \
         and m0 has 64 for them",
        "layers: layer 1: resident_channels: 5 of 4 output channels",
        "layers: layer 1: weights: m1 holds no weights; what does: m0",
        "layers: layer 1: resident_channels: 3 of 4 output channels, where `weights` are all on chip",
        "layers: weights: weights of all layers take 120 bytes, and m0 holds 64 (capacity_bytes)",
    ];
    assert_eq!(cases.map(refused), messages.map(|message| format!("m.ron: {message}")));
}

/// Maps of 32 bits each between layers, and files that say where they are and who takes turns.
#[test]
fn maps_are_where_a_file_says() {
    let chain = Chain::of(&[4, 4, 4, 4], 8);
    let mapped = |bytes: u64, text: &str| -> spiq::Result<(Vec<f64>, MappedWorkload)> {
        let machine = Chain::machine_of([1024, bytes]);
        let fixed = FixedMapping::parse(&format!("NetworkMapping({text})"), "m.ron").unwrap();
        let mapped = MappedWorkload::best_of(chain.workload(), &machine, &[chain.activity()], Some(&fixed))?;
        let costs = mapped.costs(&machine, &chain.activity());
        let written = costs.iter().map(|cost| cost.traffic_bits.dram_written).collect::<Vec<_>>();
        Ok((written, mapped))
    };
    let written = |bytes: u64, text: &str| mapped(bytes, text).unwrap().0;
    assert_eq!(written(1024, ""), [0.0; 3]);
    assert_eq!(written(1024, "maps: {\"map 1\": OffChip}"), [32.0, 0.0, 0.0]);
    assert_eq!(written(4, "maps: {\"map 2\": OnChip(\"m1\")}, turns: []")[1], 0.0);
    let (out, in_turns) = mapped(1024, "turns: [(layers: [\"layer 1\", \"layer 2\"], tiles: 4)]").unwrap();
    assert_eq!(out, [0.0; 3]);
    let groups = in_turns.plans.iter().map(|plan| plan.group.map(|group| (group.first, group.layers)));
    assert_eq!(groups.collect::<Vec<_>>(), [None, Some((1, 2)), Some((1, 2))]);
    let twice = FixedMapping::parse("NetworkMapping(maps: {\"a\": OffChip, \"a\": OffChip})", "m.ron");
    assert!(twice.unwrap_err().to_string().ends_with("a stands there twice"));
    let refused = |(bytes, text): (u64, &str)| mapped(bytes, text).unwrap_err().to_string();
    let cases = [
        (2, r#"maps: {"map 1": OnChip("m1")}"#),
        (1024, r#"maps: {"map 9": OffChip}"#),
        (1024, r#"maps: {"map 1": OnChip("m0")}"#),
        (1024, r#"turns: [(layers: ["layer 0", "layer 2"], tiles: 2)]"#),
        (1024, r#"turns: [(layers: ["layer 0", "layer 1"], tiles: 1)]"#),
        (1024, r#"turns: [(layers: ["layer 0", "layer 1"], tiles: 5)]"#),
        (
            1024,
            r#"turns: [(layers: ["layer 0", "layer 1"], tiles: 2), (layers: ["layer 1", "layer 2"], tiles: 2)]"#,
        ),
        (1024, r#"turns: [(layers: ["layer 0", "layer 1"], tiles: 2)], maps: {"map 1": OffChip}"#),
        (1, r#"turns: [(layers: ["layer 0", "layer 1", "layer 2"], tiles: 2)]"#),
        (1024, r#"layers: {"layer 1": (activations: OffChip)}"#),
        (1024, r#"layers: {"layer 1": (unit: "array")}"#),
        (1024, r#"layers: {"layer 1": (unit: "lanes", channels: 5)}"#),
        (1024, r#"layers: {"layer 1": (lanes: [(Positions, 2)])}"#),
        (1024, r#"layers: {"layer 1": (recompute: true)}"#),
        (1024, r#"layers: {"layer 1": (order: PositionsOutermost(tiles: 5, weights_stay: true))}"#),
    ];
    let messages = [
        "maps: while layer 0 runs, activations need 4 bytes, and m1 has 2 left of 2 (capacity_bytes)",
        "maps: map 9: no node of this name yields a map that is stored",
        "maps: map 1: m0 holds no activations; what does: m1",
        "turns: 0: layers: expected two or more layers, in the order in which they follow each other",
        "turns: 0: tiles: 1 are too few: two or more",
        "layers: layer 0: order: no legal plan has PositionsOutermost(tiles: 5, weights_stay: true): its 8 steps \
         come out in 4 or 8 tiles; beside the rest of the file it may be ChannelsOutermost, \
         PositionsOutermost(tiles: 2, weights_stay: true), PositionsOutermost(tiles: 3, weights_stay: true), \
         PositionsOutermost(tiles: 4, weights_stay: true), PositionsOutermost(tiles: 8, weights_stay: true)",
        "turns: 1: layers: layer 1 takes turns with others already",
        "maps: map 1: layers that take turns (turns) pass on a tile of it at a time",
        "turns: while layer 0 runs, activations need 8 bytes, and m1 has 1 left of 1 (capacity_bytes)",
        "layers: layer 1: activations: every map has a home of its own on this machine: say it in `maps`",
        "layers: layer 1: unit: array is none of the units that take products: lanes",
        "layers: layer 1: channels: no legal plan has 5; beside the rest of the file it may be 4, 2, 1",
        "layers: layer 1: lanes: no legal plan has [(Positions, 2)]; beside the rest of the file it may be \
         [(OutputChannels, 4)]",
        "layers: layer 1: recompute: no legal plan has true; beside the rest of the file it may be false",
        "layers: layer 1: order: no legal plan has PositionsOutermost(tiles: 5, weights_stay: true): its 8 steps \
         come out in 4 or 8 tiles; beside the rest of the file it may be ChannelsOutermost",
    ];
    assert_eq!(cases.map(refused), messages.map(|message| format!("m.ron: {message}")));
}
