//! What on-chip memories hold: two layers by hand, and laws over random machines and plans.

use proptest::prelude::*;
use proptest::sample::Index;
use spiq::cost::footprint_bytes;
use spiq::hw::{Operand, Placement};
use spiq::map::{
    Dataflow, Home, Input, InputFrames, Layer, OnChipBytes, Order, Plan, Workload, candidates, occupancy,
    peaks, prefetched,
};

use super::laws::any_compute;
use super::{OPERANDS, Spec, layer, neuron, plan, product, systolic};

/// 4 -> 5 channels of 8-bit weights, then 5 -> 2 of 4-bit weights, at 3 positions and in 2 timesteps.
fn two_layers() -> Workload {
    let mut a = layer(product(3, 4, 5, 8), vec![neuron(15, 16)]);
    let mut b = layer(product(3, 5, 2, 4), vec![neuron(6, 8)]);
    (a.live_residual_bits, b.live_residual_bits) = (100.0, 7.0);
    Workload { layers: vec![a, b], timesteps: 2, batch: 1, maps: Vec::new() }
}

/// Three memories of 1 KiB.
fn three_memories() -> Spec {
    let memories =
        ["Weights", "Activations, Residual", "PartialSums, Membranes"].map(|holds| (holds.to_owned(), 1024));
    Spec { memories: memories.to_vec(), ..Spec::roomy(systolic(2, 2, false)) }
}

/// All memories together, in bits: weights, activations, partial sums, membranes, residual stream.
fn bits(layers: &[Vec<OnChipBytes>]) -> Vec<[f64; 5]> {
    let bits = |memories: &Vec<OnChipBytes>| {
        let mut b = OnChipBytes::default();
        memories.iter().for_each(|memory| b.add_scaled(memory, 1.0));
        [b.weights, b.activations, b.partial_sums, b.membranes, b.residual].map(|bytes| 8.0 * bytes)
    };
    layers.iter().map(bits).collect()
}

#[test]
fn two_layers_by_hand() {
    let (workload, machine) = (two_layers(), three_memories().machine());
    let hardware = &machine.hardware;
    let held = |dataflow, placement| {
        occupancy(&workload, hardware, &[plan(&machine, dataflow, placement, 2); 2], &[false; 2])
    };
    // All weights stay: 20 x 8 and 10 x 4 bits, and 5 + 2 biases and thresholds of 32 bits each. Inputs and
    // outputs of both timesteps: 2 x 24 and 2 x 30 bits. Two channels of sums at 3 positions and 2 timesteps,
    // 12 bits each, between the passes over more inputs than the array has rows. Membranes of the layer: 15 of 16
    // bits, 6 of 8.
    let weights = 160.0 + 40.0 + 7.0 * 64.0;
    let innermost = held(Dataflow::WeightStationary, Placement::Innermost);
    let expected = [[weights, 48.0, 144.0, 240.0, 200.0], [weights, 60.0, 144.0, 48.0, 14.0]];
    assert_eq!(bits(&innermost), expected);
    // One timestep at a time: half of all but membranes, which wait for the next timestep in all layers. Sums
    // stay in the array.
    let outermost = held(Dataflow::OutputStationary, Placement::Outermost);
    let expected = [[weights, 24.0, 0.0, 288.0, 100.0], [weights, 30.0, 0.0, 288.0, 7.0]];
    assert_eq!(bits(&outermost), expected);

    let of = |layers: &[Vec<OnChipBytes>]| -> Vec<(String, f64, usize)> {
        peaks(hardware, layers).into_iter().map(|p| (p.memory, 8.0 * p.bytes.total(), p.layer)).collect()
    };
    let peaks = |state, activations| {
        [("m0", weights), ("m1", activations), ("m2", state)]
            .map(|(name, bits)| (name.to_owned(), bits, 0))
            .to_vec()
    };
    assert_eq!(of(&innermost), peaks(384.0, 248.0));
    assert_eq!(of(&outermost), peaks(288.0, 124.0));
    assert_eq!(of(&innermost[1..])[1], ("m1".to_owned(), 74.0, 0));
}

/// Weights that do not stay pass through in pairs of tiles, the first ones of the second layer while the first
/// layer runs; what else is off chip passes through in tiles, or not at all.
#[test]
fn what_passes_through_by_hand() {
    let (workload, spec) = (two_layers(), three_memories());
    let machine = spec.machine();
    let hardware = &machine.hardware;
    let mut streams = plan(&machine, Dataflow::OutputStationary, Placement::Innermost, 2);
    streams.home[Operand::Weights] = Home::OffChip;
    let plans = [streams; 2];
    let early = prefetched(&workload, hardware, &plans);
    assert_eq!(early, [false, true]);
    // Two tiles of 4 x 2 weights of 8 bits, beside all 5 x 2 of 4 bits.
    let held = bits(&occupancy(&workload, hardware, &plans, &early));
    assert_eq!([held[0][0], held[1][0]], [128.0 + 40.0, 40.0]);

    let stays = plan(&machine, Dataflow::OutputStationary, Placement::Innermost, 2);
    let order = Order::PositionsOutermost { tiles: 3, weights_stay: false };
    let mut spills = Plan { order, ..streams };
    for operand in [Operand::Activations, Operand::Membranes, Operand::Residual] {
        spills.home[operand] = Home::OffChip;
    }
    // The second layer stays with 40 + 128 bits. Two tiles of 12 / 3 spikes in 2 timesteps pass through.
    let held = bits(&occupancy(&workload, hardware, &[spills, stays], &[false; 2]));
    assert_eq!(held[0], [168.0 + 128.0, 16.0, 0.0, 0.0, 0.0]);
    assert_eq!(held[1], [168.0, 60.0, 0.0, 48.0, 14.0]);
}

fn any_layer() -> impl Strategy<Value = Layer> {
    let sizes = (1usize..13, 1usize..13, 1usize..13, 1usize..3);
    (sizes, 2u32..=8, any::<[bool; 3]>(), 2u32..16, 0u32..300).prop_map(
        |(
            (positions, fan_in, outputs, groups),
            bits,
            [constant, from_outside, integers],
            membrane,
            residual,
        )| {
            let plain = product(positions, fan_in, outputs * groups, bits);
            let frames = if constant { InputFrames::Repeated } else { InputFrames::PerTimestep };
            let input = if integers { Input::Integers { bits: 9 } } else { Input::Spikes };
            let input_values = positions * fan_in * groups;
            let product = spiq::map::Product { groups, frames, input, from_outside, input_values, ..plain };
            let neurons = neuron(positions * outputs * groups, membrane);
            let mut layer = layer(product, vec![neurons]);
            layer.live_residual_bits = f64::from(residual);
            layer
        },
    )
}

pub fn any_workload() -> impl Strategy<Value = Workload> {
    (prop::collection::vec(any_layer(), 1..5), 1usize..5).prop_map(|(layers, timesteps)| Workload {
        layers,
        timesteps,
        batch: 1,
        maps: Vec::new(),
    })
}

/// Up to five memories of 4 bytes to 4 KiB, with or without one of weights behind them, and with or without anything off
/// chip.
pub fn any_machine() -> impl Strategy<Value = Spec> {
    let homes = prop::collection::vec(0usize..5, 5);
    let log_bytes = prop::collection::vec(2u32..13, 5);
    let behind = prop::option::of(2u32..13);
    let all = (any_compute(), homes, log_bytes, behind, any::<bool>());
    all.prop_map(|(compute, homes, log_bytes, behind, dram)| {
        let memory = |home: usize| {
            let held: Vec<&str> = (0..5).filter(|&i| homes[i] == home).map(|i| OPERANDS[i]).collect();
            (!held.is_empty()).then(|| (held.join(", "), 1 << log_bytes[home]))
        };
        let memories = (0..5).filter_map(memory).collect();
        // Cores have one memory for each operand.
        let behind_bytes = behind.filter(|_| !compute.starts_with("ManyCore")).map(|log| 1 << log);
        Spec { memories, behind_bytes, dram_bits: dram.then_some(64), ..Spec::roomy(compute) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// No memory holds more than it can with any plan that a mapper may choose, and what memories hold together is
    /// what operands take.
    #[test]
    fn no_memory_holds_more_than_it_can(
        workload in any_workload(),
        spec in any_machine(),
        choices in prop::collection::vec(prop::collection::vec(any::<Index>(), 4), 8),
    ) {
        let hardware = spec.machine().hardware;
        for placement in [Placement::Innermost, Placement::Outermost] {
            let Ok(plans) = candidates(&workload, &hardware, placement, None) else { continue };
            for choice in &choices {
                let chosen: Vec<Plan> =
                    plans.iter().zip(choice).map(|(plans, index)| *index.get(plans)).collect();
                let early = prefetched(&workload, &hardware, &chosen);
                let layers = occupancy(&workload, &hardware, &chosen, &early);
                for peak in peaks(&hardware, &layers) {
                    prop_assert!(peak.bytes.total() <= peak.capacity_bytes, "{peak:?} {chosen:?}");
                }
                for layer in &layers {
                    let together: f64 =
                        peaks(&hardware, std::slice::from_ref(layer)).iter().map(|p| p.bytes.total()).sum();
                    prop_assert_eq!(together, layer.iter().map(OnChipBytes::total).sum::<f64>());
                }
                let all_stay = chosen.iter().all(|plan| !plan.passes(Operand::Weights));
                let model = footprint_bytes(&workload).model();
                prop_assert!(!all_stay || layers.iter().all(|layer| layer.iter().map(|m| m.weights).sum::<f64>() == model));
            }
        }
    }

    /// A footprint is at least the model, and neither grows where weights or membranes have fewer bits.
    #[test]
    fn fewer_bits_take_no_more(workload in any_workload(), at in any::<Index>()) {
        let bytes = footprint_bytes(&workload);
        prop_assert!(bytes.total() >= bytes.model() && bytes.model() > bytes.weights);
        let mut narrower = workload.clone();
        let layer = &mut narrower.layers[at.index(workload.layers.len())];
        layer.product.as_mut().unwrap().weight.code_bits -= 1;
        let less = footprint_bytes(&narrower);
        prop_assert!(less.model() < bytes.model() && less.total() < bytes.total());
        let layer = &mut narrower.layers[at.index(workload.layers.len())];
        layer.epilogue = vec![neuron(layer.epilogue[0].values, 1)];
        let least = footprint_bytes(&narrower);
        prop_assert!(least.model() == less.model() && least.total() < less.total());
    }
}
