//! What a plan costs beside what its loop nest counts; the order of tiles; mappings that a file fixes.

use proptest::prelude::*;
use spiq::cost::{Convention, Machine, MappedWorkload, accesses, layer_cost};
use spiq::hw::{Operand, Placement};
use spiq::map::{
    Dataflow, Dim, FixedMapping, Home, InputFrames, Matrix, Order, Plan, Product, Workload, candidates,
    prefetched,
};

use super::laws::case;
use super::{Case, Spec, activity, close, lanes, lanes_of, layer, neuron, plan, product, systolic};

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Machines that do all of the work move what the loop nest of the plan counts.
    #[test]
    fn traffic_is_that_of_the_loop_nest(case in case(0.1)) {
        let machine = case.spec.machine();
        prop_assume!(!case.spec.units.contains("zeros: Skip"));
        for (plan, cost) in case.all(&machine) {
            let p = case.product();
            let (nest, gemm) = plan.nest(&case.layer, &machine.hardware, case.timesteps).unwrap();
            let (mut complete, mut gemm, mut repeats) = (nest.clone(), gemm, 1);
            complete.levels[0].keeps = Matrix::ALL.to_vec();
            // Outermost, other layers run between the timesteps, and nothing stays in the array.
            if plan.placement == Placement::Outermost {
                (repeats, gemm.t) = (gemm.t, 1);
                complete.levels[0].loops.retain(|l| l.dim() != Dim::T);
            }
            prop_assert!(complete.check(&gemm).is_ok(), "{plan:?}\n{nest}");
            let counts = accesses(&complete, &gemm, Convention::default());
            let bits = |matrix: Matrix, width: u32, count: fn(&spiq::cost::Accesses) -> u64| {
                (count(counts.of(1, matrix)) * repeats * p.groups as u64) as f64 * f64::from(width)
            };
            let t = &cost.traffic_bits;
            let inputs = bits(Matrix::Inputs, p.input.bits(), |c| c.reads);
            prop_assert!(close(t.activations_read, inputs), "{} {inputs} {plan:?}\n{nest}", t.activations_read);
            let passes = if plan.placement == Placement::Outermost { case.timesteps } else { 1 };
            let parameters = case.layer.parameter_bits() * passes as f64;
            let weights = bits(Matrix::Weights, p.weight.code_bits, |c| c.reads) + parameters;
            prop_assert!(close(t.weights_read, weights), "{} {weights} {plan:?}\n{nest}", t.weights_read);
            // Sums that are kept for all timesteps are another matter.
            if plan.dataflow != Dataflow::OutputStationary && !p.is_constant() {
                let sums = |count| bits(Matrix::Outputs, p.accumulator_bits, count);
                prop_assert!(close(t.partial_sums_written, sums(|c| c.updates)));
                let read = sums(|c| c.reads + c.drains);
                prop_assert!(close(t.partial_sums_read, read), "{} {read} {plan:?}\n{nest}", t.partial_sums_read);
            }
        }
    }
}

/// 8 positions x 6 inputs by 6 inputs x 4 channels, on 2 x 2 lanes, inputs and weights off chip.
fn off_chip(machine: &Machine, order: Order) -> Plan {
    let mut plan = Plan { order, ..plan(machine, Dataflow::OutputStationary, Placement::Innermost, 2) };
    (plan.home[Operand::Weights], plan.home[Operand::Activations]) = (Home::OffChip, Home::OffChip);
    plan
}

#[test]
fn what_comes_from_off_chip_by_hand() {
    let machine = Spec::roomy(lanes(2, 2, "Dense", "BitSerial")).machine();
    let layer = layer(product(8, 6, 4, 8), vec![neuron(32, 8)]);
    let activity = activity(layer.product.as_ref().unwrap(), &[vec![3; 8], vec![2; 8]]);
    let loaded =
        |order| layer_cost(&layer, &off_chip(&machine, order), &machine, &activity, 2).traffic_bits.dram_read;
    // 48 spikes at two timesteps for either pair of channels; 24 weights of 8 bits, and bias and threshold
    // of 4 channels.
    let parameters = 4.0 * 64.0;
    assert_eq!(loaded(Order::ChannelsOutermost), 2.0 * 2.0 * 48.0 + 192.0 + parameters);
    // Two tiles of positions: spikes come once, weights and parameters twice, unless they stay.
    let tiles = |weights_stay| Order::PositionsOutermost { tiles: 2, weights_stay };
    assert_eq!(loaded(tiles(false)), 2.0 * 48.0 + 2.0 * (192.0 + parameters));
    assert_eq!(loaded(tiles(true)), 2.0 * 48.0 + 192.0 + parameters);
}

#[test]
fn words_by_hand() {
    // Words of 64 bits: three channels of 4 bits in pairs are two rows of a word each; six spikes of a
    // position are one.
    let spec = Spec { word_bits: 64, ..Spec::roomy(lanes(2, 2, "Skip", "BitSerial")) };
    let layer = layer(product(4, 6, 3, 4), vec![]);
    let activity = activity(layer.product.as_ref().unwrap(), &[vec![3, 1, 2, 2], vec![0, 4, 1, 0]]);
    let machine = spec.machine();
    let plan = plan(&machine, Dataflow::OutputStationary, Placement::Innermost, 2);
    let bits = layer_cost(&layer, &plan, &machine, &activity, 2).traffic_bits;
    // 13 events; bias of 3 channels. 4 positions, two timesteps, two passes over channels.
    assert!(close(bits.weights_read, 13.0 * 2.0 * 64.0 + 96.0), "{}", bits.weights_read);
    assert!(close(bits.activations_read, 4.0 * 2.0 * 2.0 * 64.0), "{}", bits.activations_read);
}

/// A layer whose inputs do not fit, on a small bus.
fn tight() -> Case {
    let product = product(64, 32, 32, 8);
    let activity = activity(&product, &[vec![8; 64], vec![4; 64]]);
    let mut spec =
        Spec { dram_bits: Some(4), objective: "Energy", ..Spec::roomy(lanes(4, 4, "Dense", "BitSerial")) };
    spec.memories[0].1 = 128;
    spec.memories[1].1 = 500;
    Case { layer: layer(product, vec![]), activity, timesteps: 2, spec }
}

#[test]
fn the_mapper_tries_both_orders() {
    let case = tight();
    let plans = case.all(&case.spec.machine());
    assert!(plans.iter().all(|(plan, _)| plan.is_off_chip(Operand::Activations)));
    let tiled = |plan: &Plan| matches!(plan.order, Order::PositionsOutermost { .. });
    assert!(plans.iter().any(|(plan, _)| tiled(plan)) && plans.iter().any(|(plan, _)| !tiled(plan)));
    let (_, chosen) = case.best(&case.spec);
    let leakage_w = case.spec.machine().leakage_w;
    let energies =
        plans.iter().map(|(_, cost)| cost.energy_j.total() + leakage_w * cost.cycles.total() * 1e-9);
    // Some channels may stay while the others pass through, which none of these plans says.
    assert!(chosen <= energies.fold(f64::INFINITY, f64::min) * (1.0 + 1e-9));
}

#[test]
fn a_file_fixes_what_it_says() {
    let case = tight();
    let machine = case.spec.machine();
    let workload =
        Workload { layers: vec![case.layer.clone()], timesteps: case.timesteps, batch: 1, maps: Vec::new() };
    let with = |text: &str| {
        let fixed = FixedMapping::parse(text, "m.ron")?;
        let samples = std::slice::from_ref(&case.activity);
        MappedWorkload::best_of(workload.clone(), &machine, samples, Some(&fixed))
            .map(|mapped| mapped.plans[0])
    };
    let plan = with(
        "NetworkMapping(timesteps: Outermost, layers: {\"layer\": (dataflow: WeightStationary, channels: 3)})",
    )
    .unwrap();
    assert_eq!(
        (plan.dataflow, plan.placement, plan.channels),
        (Dataflow::WeightStationary, Placement::Outermost, 3)
    );
    let plan = with(
        "NetworkMapping(layers: {\"layer\": (order: PositionsOutermost(tiles: 8, weights_stay: false))})",
    );
    assert_eq!(plan.unwrap().order, Order::PositionsOutermost { tiles: 8, weights_stay: false });
    let refused = |text: &str| with(text).unwrap_err().to_string();
    assert_eq!(refused("NetworkMapping(layers: {\"lair\": ()})"), "m.ron: layers: lair: no such layer");
    assert_eq!(
        refused("NetworkMapping(layers: {\"layer\": (channels: 5)})"),
        "m.ron: layers: layer: channels: no legal plan has 5: weights need 320 bytes, and m0 has 128 left of 128 \
         (capacity_bytes); beside the rest of the file it may be 2, 1, 4, 3"
    );
    assert_eq!(
        refused("NetworkMapping(layers: {\"layer\": (dataflow: InputStationary)})"),
        "m.ron: layers: layer: dataflow: no legal plan has InputStationary; beside the rest of the file it may be \
         OutputStationary, WeightStationary"
    );
    assert_eq!(
        refused("NetworkMapping(layers: {\"layer\": (channels: 0)})"),
        "m.ron: layers: layer: channels: 0 is too few"
    );
    assert!(refused("NetworkMapping(layers: {\"layer\": (channel: 4)})").starts_with("m.ron:1:"));
}

/// Components of the area, with the arithmetic.
#[test]
fn area_by_component() {
    let machine = Spec::roomy(systolic(2, 2, false)).machine();
    let (area, table) = (machine.area_mm2.unwrap(), &machine.table);
    let (add, multiply) =
        (|bits| table.add_area_um2(bits).unwrap(), |a, b| table.multiply_area_um2(a, b).unwrap());
    let register = |bits| table.register_area_um2(bits).unwrap();
    // Four units: 32 x 32 bits multiplied and added to 32; sum, weight and input kept.
    assert!(close(area.arithmetic, 4.0 * (add(32.0) + multiply(32.0, 32.0)) * 1e-6));
    assert!(close(area.registers, 4.0 * 3.0 * register(32.0) * 1e-6));
    // One neuron a cycle: two adders and a register of 16 bits, and a multiplier behind it.
    assert!(close(area.neurons, (2.0 * add(16.0) + register(16.0)) * 1e-6));
    assert!(close(area.requantizers, multiply(16.0, 16.0) * 1e-6));
    let memories = &machine.hardware.memories;
    let weights = machine.hardware.memory_macro(&memories[0]).area_mm2;
    assert!(close(area.weight_memory, weights) && close(area.other_memories, 4.0 * weights));
    assert!(close(area.total(), area.logic() + 5.0 * weights));
}

/// A lane keeps a sum and a weight, and every output that a layout keeps its membrane, but where all timesteps are side
/// by side.
#[test]
fn registers_of_lanes() {
    // Beside so many sums and weights of 32 bits.
    let membranes = |layouts: &str, zeros: &str, words: f64| {
        let machine = Spec::roomy(lanes_of(layouts, zeros, "Absent")).machine();
        let table = &machine.table;
        let per_bit = |bits| table.register_area_um2(bits).unwrap();
        let um2 = machine.area_mm2.unwrap().registers * 1e6;
        (um2 - words * per_bit(32.0)) / per_bit(16.0)
    };
    let layout = |keeps: &str, lanes: &str| format!("(keeps: {keeps}, lanes: [{lanes}], source: \"test\")");
    // A sum and a weight for each of twelve lanes; three inputs of a sum share it and its membrane.
    assert!(close(membranes(&layout("Outputs", "(Positions, 12)"), "Skip", 12.0 + 12.0), 12.0));
    assert!(close(membranes(&layout("Outputs", "(Positions, 4), (Inputs, 3)"), "Skip", 4.0 + 12.0), 4.0));
    // Positions in step share a weight.
    let without = [
        (layout("Weights", "(Positions, 12)"), "Dense", 12.0 + 1.0),
        (layout("Outputs", "(Timesteps, 4), (OutputChannels, 3)"), "Skip", 12.0 + 12.0),
        (layout("Outputs", "(KernelTaps, 4), (OutputChannels, 3)"), "Scatter", 12.0 + 12.0),
    ];
    for (layout, zeros, words) in without {
        assert!(membranes(&layout, zeros, words).abs() < 1e-6, "{layout}");
    }
}

/// Two layers of 16 weights of 8 bits and 4 biases, both from off chip.
#[test]
fn weights_of_the_next_layer_come_early_where_they_fit() {
    let layers: Vec<_> = (0..2).map(|_| layer(product(8, 4, 4, 8), vec![])).collect();
    let activity = activity(layers[0].product.as_ref().unwrap(), &[vec![2; 8]]);
    let workload = Workload { layers, timesteps: 1, batch: 1, maps: Vec::new() };
    let machine = |bytes: u64| {
        let mut spec = Spec { dram_bits: Some(1), ..Spec::roomy(lanes(2, 2, "Dense", "BitSerial")) };
        spec.memories[0].1 = bytes;
        spec.machine()
    };
    let fixed = "NetworkMapping(layers: {\"layer\": (dataflow: OutputStationary, channels: 2)})";
    let fixed = FixedMapping::parse(fixed, "m.ron").unwrap();
    let samples = std::slice::from_ref(&activity);
    let small = MappedWorkload::best_of(workload.clone(), &machine(16), samples, Some(&fixed)).unwrap();
    assert!(small.plans.iter().all(|plan| plan.streamed_share(&workload.layers[0]) == 1.0));
    // What is left of a larger memory would hold some weights for good; these plans leave it to those that come early.
    let costs = |bytes: u64| {
        let (machine, plans) = (machine(bytes), small.plans.clone());
        let prefetched = prefetched(&workload, &machine.hardware, &plans);
        let mapped = MappedWorkload { prefetched, plans, workload: workload.clone(), maps: Vec::new() };
        let dram = machine.dram.unwrap().bits_per_cycle;
        (mapped.prefetched.clone(), mapped.costs(&machine, &activity), dram)
    };
    // A layer is 128 + 128 bits in two tiles, double buffered all of its 128 bits of codes: 16 bytes hold one
    // layer's, 32 both.
    let (apart, slow, _) = costs(16);
    let (beside, fast, dram) = costs(32);
    assert_eq!((apart, beside), (vec![false; 2], vec![false, true]));
    // The first layer loads 256 bits, and leaves the bus alone for what remains of its time: while the 4 waves
    // x 4 inputs of its last pair of channels are computed.
    let first = fast[0].cycles.total();
    assert!(close(first, slow[0].cycles.total()));
    let hidden = (first - 256.0 / dram).min(128.0 / dram);
    assert!(hidden > 0.0 && close(slow[1].cycles.load - fast[1].cycles.load, hidden));
}

/// Two layers on a faster bus, the second of which reads 32 spikes from off chip, too: of its first tile, 128 bits of
/// weights come early, and 16 of spikes do not.
#[test]
fn inputs_of_the_next_layer_do_not_come_early() {
    let from = |from_outside| layer(Product { from_outside, ..product(8, 4, 4, 8) }, vec![]);
    let activity = activity(&product(8, 4, 4, 8), &[vec![2; 8]]);
    let workload =
        Workload { layers: vec![from(false), from(true)], timesteps: 1, batch: 1, maps: Vec::new() };
    let load = |bytes: u64| {
        let mut spec = Spec { dram_bits: Some(16), ..Spec::roomy(lanes(2, 2, "Dense", "BitSerial")) };
        spec.memories[0].1 = bytes;
        let machine = spec.machine();
        let fixed = "NetworkMapping(layers: {\"layer\": (dataflow: OutputStationary, channels: 2, order: ChannelsOutermost)})";
        let fixed = FixedMapping::parse(fixed, "m.ron").unwrap();
        let samples = std::slice::from_ref(&activity);
        let mapped = MappedWorkload::best_of(workload.clone(), &machine, samples, Some(&fixed)).unwrap();
        let bits_per_cycle = machine.dram.unwrap().bits_per_cycle;
        mapped.costs(&machine, &activity)[1].cycles.load * bits_per_cycle
    };
    let (apart, beside) = (load(16), load(32));
    assert!(close(apart, 128.0 + 16.0) && close(beside, 16.0), "{apart} {beside}");
}

/// Weight stationary, sums of the largest of three tiles of 40 positions wait for the rest of their inputs: 14 x 2
/// channels x 4 timesteps x 12 bits are 168 bytes.
#[test]
fn the_largest_tile_of_positions_needs_room() {
    let legal = |bytes: u64| {
        let mut spec = Spec { dram_bits: None, ..Spec::roomy(lanes(2, 2, "Skip", "BitSerial")) };
        spec.memories[2].1 = bytes;
        let fixed = "NetworkMapping(timesteps: Innermost, layers: {\"layer\": (dataflow: WeightStationary, channels: 2, \
                     order: PositionsOutermost(tiles: 3, weights_stay: true))})";
        let fixed = FixedMapping::parse(fixed, "m.ron").unwrap();
        let layer = layer(product(40, 8, 4, 8), vec![]);
        let workload = Workload { layers: vec![layer], timesteps: 4, batch: 1, maps: Vec::new() };
        let hardware = spec.machine().hardware;
        let fixed = fixed.on(&workload, &hardware).unwrap();
        candidates(&workload, &hardware, Placement::Innermost, Some(&fixed)).is_ok()
    };
    assert_eq!((legal(168), legal(167)), (true, false));
}

/// Five tiles of 320 inputs: 64 spikes at four timesteps, and those of the next tile, are 64 bytes; where they are
/// the same at every timestep, 16.
#[test]
fn two_tiles_of_inputs_need_room() {
    let legal = |constant: bool, bytes: u64| {
        let mut spec = Spec::roomy(lanes(2, 2, "Skip", "BitSerial"));
        spec.memories[1].1 = bytes;
        let fixed = "NetworkMapping(timesteps: Innermost, layers: {\"layer\": \
                     (order: PositionsOutermost(tiles: 5, weights_stay: true))})";
        let fixed = FixedMapping::parse(fixed, "m.ron").unwrap();
        let frames = if constant { InputFrames::Repeated } else { InputFrames::PerTimestep };
        let layer = layer(Product { frames, ..product(40, 8, 4, 8) }, vec![]);
        let workload = Workload { layers: vec![layer], timesteps: 4, batch: 1, maps: Vec::new() };
        let hardware = spec.machine().hardware;
        let fixed = fixed.on(&workload, &hardware).unwrap();
        candidates(&workload, &hardware, Placement::Innermost, Some(&fixed)).is_ok()
    };
    assert_eq!((legal(false, 64), legal(false, 63)), (true, false));
    assert_eq!((legal(true, 16), legal(true, 15)), (true, false));
}

/// 15 sums of 12 bits are the same at three timesteps: computed once, neurons read them three times. Weight
/// stationary they were written for either half of the inputs, read for the second, and read once as they are.
#[test]
fn constant_sums_by_hand() {
    let machine = Spec::roomy(systolic(2, 2, false)).machine();
    let layer = layer(Product { frames: InputFrames::Repeated, ..product(3, 4, 5, 8) }, vec![neuron(15, 16)]);
    let activity = activity(layer.product.as_ref().unwrap(), &[vec![1, 2, 3]]);
    let sums = |dataflow| {
        let cost =
            layer_cost(&layer, &plan(&machine, dataflow, Placement::Innermost, 2), &machine, &activity, 3);
        (cost.traffic_bits.partial_sums_written, cost.traffic_bits.partial_sums_read)
    };
    assert_eq!(sums(Dataflow::OutputStationary), (180.0, 3.0 * 180.0));
    assert_eq!(sums(Dataflow::WeightStationary), (2.0 * 180.0, (2.0 + 2.0) * 180.0));
}
