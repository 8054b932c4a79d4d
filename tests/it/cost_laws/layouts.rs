//! What lanes stand for: by hand, and machines that are written in two ways.

use proptest::prelude::*;
use spiq::exec::{Pattern, PatternCount, Patterns, WaveShape};

use super::*;

/// Lanes of one layout, which keep their sums.
fn laid_out(lanes: &str, zeros: &str) -> String {
    lanes_of(&format!("(keeps: Outputs, lanes: [{lanes}], source: \"test\")"), zeros, "BitSerial")
}

fn cost_of(units: String, product: &Product, activity: &Activity, timesteps: usize) -> LayerCost {
    let machine = Spec { dram_bits: None, ..Spec::roomy(units) }.innermost().unit_machine();
    let layer = layer(product.clone(), Vec::new());
    let plan = plan(&machine, Dataflow::OutputStationary, Placement::Innermost, 2);
    layer_cost(&layer, &plan, &machine, activity, timesteps)
}

/// Lanes for so many groups and positions that wait for each other.
fn shape(groups: usize, positions: usize) -> WaveShape {
    WaveShape { positions, rows: 1, columns: 1, timesteps: 1, groups, inputs: 1, channels: 1, taps: 1 }
}

/// A depthwise layer of three channels: three positions, four inputs each, weights of 8 bits.
fn depthwise() -> (Product, Activity) {
    let product = Product { groups: 3, input_values: 12, ..product(3, 4, 3, 8) };
    let activity = activity(&product, &[vec![3, 1, 5]]);
    (product, activity)
}

#[test]
fn two_groups_by_two_positions_of_a_depthwise_layer() {
    let (product, activity) = depthwise();
    // 36 products on four lanes take nine cycles; two pairs of positions and two pairs of groups take four each.
    let dense = cost_of(laid_out("(Groups, 2), (Positions, 2)", "Dense"), &product, &activity, 1);
    assert_eq!(array_cycles(&dense), [9.0, 0.0, 0.0, 7.0]);
    // Two positions share the four weights of each of three channels: two waves. A bias of 32 bits for each channel.
    assert_eq!(dense.traffic_bits.weights_read, 2.0 * 12.0 * 8.0 + 96.0);
    // One group at a time leaves the second channel of each pair of lanes without work: 2 x 3 x 4 cycles.
    let channels = cost_of(laid_out("(Positions, 2), (OutputChannels, 2)", "Dense"), &product, &activity, 1);
    assert_eq!(channels.cycles.total(), 24.0);
    assert_eq!(channels.cycles.ideal, 9.0);
}

#[test]
fn groups_wait_for_the_slowest_of_their_lanes() {
    let (product, mut activity) = depthwise();
    let steps = PatternCount { steps: 5, ..PatternCount::default() };
    activity.patterns = vec![Patterns { pattern: Pattern::Waves(shape(2, 2)), nodes: vec![steps] }];
    // Nine events on four lanes, and the slowest lanes of all waves take five steps.
    let skip = cost_of(laid_out("(Groups, 2), (Positions, 2)", "Skip"), &product, &activity, 1);
    assert_eq!(array_cycles(&skip), [9.0 / 4.0, 0.0, 0.0, 5.0 - 9.0 / 4.0]);
    // Nobody counted waves of three groups: every input is taken for a spike.
    let unknown = cost_of(laid_out("(Groups, 3)", "Skip"), &product, &activity, 1);
    assert_eq!(unknown.cycles.total(), 3.0 * 4.0);
}

/// A machine whose only layout is for groups runs a layer without any on one of its lanes, zeros and all.
#[test]
fn lanes_for_groups_save_nothing_where_there_are_none() {
    let product = product(3, 4, 2, 8);
    let mut activity = activity(&product, &[vec![1, 0, 2]]);
    activity.patterns =
        vec![Patterns { pattern: Pattern::Waves(shape(4, 1)), nodes: vec![PatternCount::default()] }];
    let alone = cost_of(laid_out("(Groups, 4)", "Skip"), &product, &activity, 1);
    assert_eq!(alone.cycles.total(), 3.0 * 4.0);
}

/// Three positions, three timesteps in pairs, two tiles of three of six inputs, three tiles of two of five channels.
#[test]
fn timesteps_side_by_side_share_stationary_weights() {
    let layout =
        "(keeps: Weights, lanes: [(Timesteps, 2), (Inputs, 3), (OutputChannels, 2)], source: \"test\")";
    let machine = Spec::roomy(lanes_of(layout, "Gated", "BitSerial")).innermost().unit_machine();
    let layer = layer(product(3, 6, 5, 8), Vec::new());
    let activity = activity(layer.product.as_ref().unwrap(), &[vec![6; 3], vec![6; 3], vec![6; 3]]);
    let plan = plan(&machine, Dataflow::WeightStationary, Placement::Innermost, 2);
    let cost = layer_cost(&layer, &plan, &machine, &activity, 3);
    let [ideal, idle, ..] = array_cycles(&cost);
    assert_eq!((ideal, ideal + idle), (3.0 * 3.0 * 6.0 * 5.0 / 12.0, 3.0 * 2.0 * 2.0 * 3.0));
}

#[test]
fn timesteps_taps_rows_and_columns_by_hand() {
    // Three positions, three timesteps in pairs, six inputs, five channels in pairs.
    let plain = product(3, 6, 5, 8);
    let three = activity(&plain, &[vec![6; 3], vec![6; 3], vec![6; 3]]);
    let pairs = cost_of(laid_out("(Timesteps, 2), (OutputChannels, 2)", "Dense"), &plain, &three, 3);
    assert_eq!(pairs.cycles.total(), 3.0 * 2.0 * 6.0 * 3.0);
    assert_eq!(pairs.cycles.ideal, 3.0 * 3.0 * 6.0 * 5.0 / 4.0);
    // Two input channels under each of three taps of the kernel.
    let taps = Product { taps: 3, ..plain.clone() };
    let by_taps = cost_of(laid_out("(KernelTaps, 3), (OutputChannels, 2)", "Dense"), &taps, &three, 3);
    assert_eq!(by_taps.cycles.total(), 9.0 * 2.0 * 3.0);
    let by_channels = cost_of(laid_out("(InputChannels, 2), (OutputChannels, 2)", "Dense"), &taps, &three, 3);
    assert_eq!(by_channels.cycles.total(), 9.0 * 3.0 * 3.0);
    // A map of three rows and four columns in blocks of two by three.
    let map = Product { columns: 4, input_values: 72, ..product(12, 6, 2, 8) };
    let one = activity(&map, &[vec![6; 12]]);
    let blocks = cost_of(laid_out("(Rows, 2), (Columns, 3), (OutputChannels, 2)", "Dense"), &map, &one, 1);
    assert_eq!(blocks.cycles.total(), 2.0 * 2.0 * 6.0);
}

#[test]
fn the_mapper_takes_lanes_for_groups_where_there_are_groups() {
    let layouts = "(keeps: Outputs, lanes: [(Positions, 2), (OutputChannels, 4)], source: \"test\"), \
                   (keeps: Outputs, lanes: [(Groups, 4), (Positions, 2)], source: \"test\")";
    let spec = Spec::roomy(lanes_of(layouts, "Dense", "BitSerial"));
    let groups = |product: Product| {
        let activity = activity(&product, &[vec![2; product.positions]]);
        let workload =
            Workload { layers: vec![layer(product, Vec::new())], timesteps: 1, batch: 1, maps: Vec::new() };
        let mapped = MappedWorkload::best(workload, &spec.machine(), &[activity]).unwrap();
        mapped.plans[0].lanes.extent(spiq::hw::SpatialDim::Groups)
    };
    assert_eq!(groups(depthwise().0), 4);
    assert_eq!(groups(product(3, 4, 8, 8)), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// A map of one row, on lanes for positions in a line and for its columns; inputs of one tap, on lanes for inputs
    /// and for their channels. More lanes never take longer.
    #[test]
    fn machines_written_in_two_ways_cost_the_same(
        positions in 1usize..20, fan_in in 1usize..20, outputs in 1usize..12, lanes in 1u32..9, inputs in 1u32..9,
        gated: bool,
    ) {
        let product = product(positions, fan_in, outputs, 4);
        let activity = activity(&product, &[vec![(fan_in / 2) as u32; positions]]);
        let zeros = if gated { "Gated" } else { "Dense" };
        let of = |dims: &str| cost_of(laid_out(&format!("{dims}, (OutputChannels, 2)"), zeros), &product, &activity, 1);
        prop_assert_eq!(
            of(&format!("(Positions, {lanes}), (Inputs, {inputs})")),
            of(&format!("(Columns, {lanes}), (InputChannels, {inputs})"))
        );
        let cycles = |lanes: u32, inputs: u32| of(&format!("(Positions, {lanes}), (Inputs, {inputs})")).cycles.total();
        prop_assert!(cycles(2 * lanes, inputs) <= cycles(lanes, inputs) * (1.0 + 1e-12));
        prop_assert!(cycles(lanes, 2 * inputs) <= cycles(lanes, inputs) * (1.0 + 1e-12));
        let operations = product.dense_operations();
        prop_assert!(cycles(lanes, inputs) >= operations / f64::from(2 * lanes * inputs) - 1e-9);
    }
}

/// Inputs of 25 bits whose sums have 39, in two parts of 13 and 12 bits for accumulators of 32.
#[test]
fn wide_sums_come_in_parts_of_the_bits_of_inputs() {
    let narrow = Product { input: Input::Integers { bits: 25 }, ..product(2, 3, 2, 8) };
    let wide = Product { accumulator_bits: 39, ..narrow.clone() };
    let cost = |multi_bit, product: &Product| {
        let units =
            lanes_of("(keeps: Outputs, lanes: [(OutputChannels, 2)], source: \"test\")", "Dense", multi_bit);
        let machine = Spec::roomy(units).unit_machine();
        let layer = layer(product.clone(), Vec::new());
        let activity = activity(product, &[vec![3, 3]]);
        let plan = plan(&machine, Dataflow::OutputStationary, Placement::Outermost, 2);
        layer_cost(&layer, &plan, &machine, &activity, 1)
    };
    // Two positions of three inputs, once or twice; bit by bit in 25 cycles each, in parts or not.
    for (multi_bit, ideal, idle) in [("Multiplier", 6.0, 6.0), ("BitSerial", 150.0, 0.0)] {
        let (one, two) = (cost(multi_bit, &narrow), cost(multi_bit, &wide));
        assert_eq!(array_cycles(&one), [ideal, 0.0, 0.0, 0.0]);
        assert_eq!(array_cycles(&two), [ideal, idle, 0.0, 0.0]);
        // Four sums wait for the second part, which fetches the weights again; the vector unit adds two a cycle.
        let (one, two) = (&one.traffic_bits, &two.traffic_bits);
        assert_eq!((one.partial_sums_read, two.partial_sums_read), (0.0, 4.0 * 39.0));
        assert_eq!((one.partial_sums_written, two.partial_sums_written), (0.0, 4.0 * 39.0));
        assert_eq!(two.weights_read - one.weights_read, 2.0 * 3.0 * 2.0 * 8.0);
    }
    assert_eq!(cost("Multiplier", &wide).busy.joins, 2.0);
}
