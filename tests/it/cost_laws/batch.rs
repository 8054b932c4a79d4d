//! Images that go through each layer together.

use proptest::prelude::*;
use spiq::cost::Run;

use super::occupancy::any_workload;
use super::time::counted;
use super::*;

/// What one of `batch` images takes of `layer` by `plan`.
fn cost_of(machine: &Machine, layer: &Layer, plan: &Plan, activity: &Activity, batch: f64) -> LayerCost {
    Run { layer, plan, activity, timesteps: 1.0, batch, names_stalls: true }.cost(machine)
}

/// Two tiles of weights of 128 bits, with biases, come at 3.2 bits a cycle in 40 cycles each; an image computes 16 on
/// either.
#[test]
fn weights_come_once_for_all_images() {
    let (workload, activity) = levels::layer_of_32_bytes();
    let machine = levels::machine(16, None);
    let plans = candidates(&workload, &machine.hardware, Placement::Innermost, None).unwrap().concat();
    let two_tiles = |plan: &&Plan| {
        (plan.dataflow, plan.channels, plan.order)
            == (Dataflow::OutputStationary, 2, Order::ChannelsOutermost)
    };
    let plan = plans.iter().find(two_tiles).unwrap();
    let cost = |batch| cost_of(&machine, &workload.layers[0], plan, &activity, batch);
    let (one, four) = (cost(1.0), cost(4.0));
    let near = |cycles: f64, expected: f64| (cycles - expected).abs() < 1e-3;
    // The second tile comes while the first is computed: 40 + 40 + 16. Four images compute 64 on a tile: 40 + 64 + 64.
    assert!(near(one.cycles.total(), 96.0), "{:?}", one.cycles);
    assert!(near(four.cycles.total(), 168.0 / 4.0), "{:?}", four.cycles);
    assert_eq!((one.traffic_bits.dram_read, four.traffic_bits.dram_read), (256.0, 256.0 / 4.0));
    // Each image reads them on chip; they are written there once.
    assert_eq!(one.traffic_bits.weights_read, four.traffic_bits.weights_read);
    assert_eq!(four.traffic_bits.weights_written, 256.0 / 4.0);
}

/// One timestep of four channels at eight positions, in 32 bits of activations for one image, live twice over.
#[test]
fn each_image_has_room_of_its_own() {
    let (workload, activity) = levels::layer_of_32_bytes();
    let mut machine = levels::machine(64, None);
    // 64 bits of spikes are alive.
    machine.hardware.memories[1].capacity_bytes.value = 2 * 64 / 8;
    let off_chip = |batch: usize| {
        let workload = workload.clone().in_batches_of(batch);
        let mapped = MappedWorkload::best(workload, &machine, std::slice::from_ref(&activity)).unwrap();
        mapped.plans[0].is_off_chip(spiq::hw::Operand::Activations)
    };
    assert_eq!([1, 2, 3].map(off_chip), [false, false, true]);
}

/// A unit of lanes for so many images and two output channels.
fn side_by_side(images: u32, keeps: &str, zeros: &str) -> Machine {
    let layout =
        format!("(keeps: {keeps}, lanes: [(Batch, {images}), (OutputChannels, 2)], source: \"test\")");
    Spec::roomy(lanes_of(&layout, zeros, "BitSerial")).innermost().unit_machine()
}

/// Three positions of six inputs, by two channels of 8 bits: 18 steps of an image, and 288 bits of weights in step.
#[test]
fn images_side_by_side_by_hand() {
    let layer = layer(product(3, 6, 2, 8), Vec::new());
    let activity = activity(layer.product.as_ref().unwrap(), &[vec![3, 1, 2]]);
    let cost = |machine: &Machine, dataflow, batch: f64| {
        cost_of(machine, &layer, &plan(machine, dataflow, Placement::Innermost, 2), &activity, batch)
    };
    let machine = side_by_side(2, "Outputs", "Dense");
    let weights = |cost: &LayerCost| cost.traffic_bits.weights_read - layer.parameter_bits();
    // One image leaves half of the lanes idle; two fill them; three take two rounds.
    for (batch, rounds) in [(1.0, 1.0), (2.0, 1.0), (3.0, 2.0), (4.0, 2.0)] {
        let cost = cost(&machine, Dataflow::OutputStationary, batch);
        let [ideal, idle, ..] = array_cycles(&cost);
        assert!(close(ideal, 9.0) && close(ideal + idle, 18.0 * rounds / batch), "{batch} {:?}", cost.cycles);
        assert!(close(weights(&cost), 288.0 * rounds / batch), "{batch}");
        // Each image has operations and inputs of its own.
        assert!(
            close(cost.traffic_bits.activations_read, 18.0)
                && close(cost.energy_j.synapse * 1e12, 2.0 * 36.0)
        );
    }
    // Lanes that skip zeros have rows of weights of their own: six events.
    let skip = cost(&side_by_side(2, "Outputs", "Skip"), Dataflow::OutputStationary, 2.0);
    assert!(close(weights(&skip), 6.0 * 16.0) && close(array_cycles(&skip)[0], 3.0));
    // Weights that stay in lanes come there once: six inputs one after the other, three positions each.
    let stays = cost(&side_by_side(2, "Weights", "Dense"), Dataflow::WeightStationary, 2.0);
    assert!(close(weights(&stays), 96.0 / 2.0) && close(array_cycles(&stays)[0], 9.0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Images on as many lanes for images take no longer than one alone on lanes without, and no more energy; fewer
    /// leave lanes idle; more lanes never take longer; nothing is faster than operations over lanes.
    #[test]
    fn lanes_for_images_do_what_lanes_do(
        positions in 1usize..9, fan_in in 1usize..9, outputs in 1usize..7, images in 2u32..6, batch in 1u32..9,
        keeps in prop::sample::select(&["Outputs", "Weights"][..]),
        zeros in prop::sample::select(&["Dense", "Gated", "Skip"][..]),
    ) {
        let layer = layer(product(positions, fan_in, outputs, 4), Vec::new());
        let activity = activity(layer.product.as_ref().unwrap(), &[vec![fan_in as u32 / 2; positions]]);
        let dataflow = if keeps == "Outputs" { Dataflow::OutputStationary } else { Dataflow::WeightStationary };
        let cost = |lanes: u32, batch: u32| {
            let machine = side_by_side(lanes, keeps, zeros);
            let plan = plan(&machine, dataflow, Placement::Innermost, 2);
            cost_of(&machine, &layer, &plan, &activity, f64::from(batch))
        };
        let [alone, full, some, more] =
            [cost(1, 1), cost(images, images), cost(images, batch), cost(images + 1, batch)];
        let array = |cost: &LayerCost| array_cycles(cost).iter().sum::<f64>();
        prop_assert!(close(array(&full) * f64::from(images), array(&alone)), "{full:?} {alone:?}");
        prop_assert!(full.energy_j.total() <= alone.energy_j.total() * (1.0 + 1e-9));
        let rounds = f64::from(batch.div_ceil(images));
        prop_assert!(close(array(&some) * f64::from(batch), array(&alone) * rounds));
        prop_assert!(array(&more) <= array(&some) * (1.0 + 1e-9));
        prop_assert!(some.cycles.ideal <= array(&some) * (1.0 + 1e-9));
        prop_assert!(close(some.ideal.spike_products * f64::from(images), alone.ideal.spike_products));
        prop_assert!(close(array(&cost(1, batch)), array(&alone)));
    }

    #[test]
    fn energy_of_an_image_never_grows_where_all_fits(
        workload in any_workload(), compute in laws::any_compute(), log_bandwidth in 4u32..12, batch in 1usize..9,
    ) {
        let spec = Spec { bandwidth: 1 << log_bandwidth, objective: "Energy", ..Spec::roomy(compute) };
        let machine = spec.machine();
        let (workload, activity) = counted(workload);
        let energy_j = |batch: usize| {
            let workload = workload.clone().in_batches_of(batch);
            let mapped = MappedWorkload::best(workload, &machine, std::slice::from_ref(&activity)).unwrap();
            let costs = mapped.costs(&machine, &activity);
            costs.iter().map(|c| c.energy_j.total() + machine.leakage_w * machine.seconds(c.cycles.total())).sum::<f64>()
        };
        prop_assert!(energy_j(2 * batch) <= energy_j(batch) * (1.0 + 1e-9));
    }

    /// By every plan of a layer whose weights stream, and in no more time for an image.
    #[test]
    fn streamed_weights_fall_with_the_batch(case in laws::case(0.1), batch in 2u32..9) {
        let mut spec = case.spec.clone();
        spec.memories[0].1 = 8;
        let machine = spec.machine();
        if !case.fits(&machine) {
            return Ok(());
        }
        for (plan, one) in case.all(&machine) {
            let run = |batch| Run {
                layer: &case.layer, plan: &plan, activity: &case.activity, timesteps: case.timesteps as f64, batch, names_stalls: true,
            };
            prop_assert_eq!(&run(1.0).cost(&machine), &one);
            let many = run(f64::from(batch)).cost(&machine);
            prop_assert!(close(many.loaded_weight_bits * f64::from(batch), one.loaded_weight_bits));
            prop_assert!(many.cycles.total() <= one.cycles.total() * (1.0 + 1e-9));
            prop_assert!(close(many.traffic_bits.activations_written, one.traffic_bits.activations_written));
        }
    }
}
