//! Lanes that scatter events, by hand: a map of 2 x 2, a kernel of 3 x 3 that reaches all of it from everywhere, one
//! input channel, two output channels.

use proptest::prelude::*;
use spiq::hw::Operand;
use spiq::map::occupancy;

use super::*;

/// Spikes at two timesteps, three and one of four, each of which meets four positions.
fn scattered() -> (Layer, Activity) {
    let product = Product { taps: 9, columns: 2, input_values: 4, ..product(4, 9, 2, 4) };
    let step = |events: u32| StepActivity {
        input_events: events,
        gathered_events: u64::from(4 * events),
        accumulations: u64::from(4 * 2 * events),
        ..StepActivity::default()
    };
    let nodes = vec![NodeActivity { steps: vec![step(3), step(1)] }];
    (layer(product, vec![neuron(8, 8)]), Activity { nodes, ..Activity::default() })
}

fn spec(lanes: &str) -> Spec {
    let layout = format!("(keeps: Outputs, lanes: [{lanes}], source: \"test\")");
    Spec { dram_bits: None, ..Spec::roomy(lanes_of(&layout, "Scatter", "BitSerial")) }
}

fn cost_on(lanes: &str, placement: Placement, channels: usize) -> LayerCost {
    let (layer, activity) = scattered();
    let machine = spec(lanes).unit_machine();
    let plan = plan(&machine, Dataflow::OutputStationary, placement, channels);
    layer_cost(&layer, &plan, &machine, &activity, 2)
}

#[test]
fn an_event_a_cycle() {
    let cost = cost_on("(KernelTaps, 9), (OutputChannels, 2)", Placement::Innermost, 2);
    // Four events, a cycle each. Of nine taps, four meet a position: 4 x 4 x 2 additions on 18 lanes.
    let ideal = 32.0 / 18.0;
    assert!(close(cost.cycles.ideal, ideal) && close(cost.cycles.imbalance, 4.0 - ideal));
    // Two timesteps of eight neurons each, two a cycle: those of the last one are waited for.
    assert_eq!(cost.cycles.epilogue, 8.0 / 2.0 + (8.0 - 4.0) / 2.0);
    let bits = &cost.traffic_bits;
    // A map of four bits at each timestep, eight spikes out; nine rows of two weights of four bits for every event.
    assert_eq!((bits.activations_read, bits.activations_written), (8.0, 16.0));
    assert_eq!(bits.weights_read, 4.0 * 9.0 * 2.0 * 4.0 + 2.0 * 64.0);
    // 32 additions take a sum of 12 bits and put it back; eight sums a timestep go to neurons and start anew.
    let sums = (32.0 + 2.0 * 8.0) * 12.0;
    assert_eq!((bits.partial_sums_read, bits.partial_sums_written), (sums, sums));
    // Neurons of the next timestep find their membranes in memory: nothing stays in lanes.
    assert_eq!((bits.membranes_read, bits.membranes_written), (2.0 * 64.0, 2.0 * 64.0));
    // An addition and its register; a look at every bit that is read.
    assert!(close(cost.energy_j.synapse * 1e12, 32.0 * 2.0 + 8.0));
}

#[test]
fn timesteps_taps_and_channels() {
    let cycles = |lanes, channels| {
        let cost = cost_on(lanes, Placement::Innermost, channels);
        array_cycles(&cost).iter().sum::<f64>()
    };
    // Two timesteps at once: three events, then nothing is left.
    assert!(close(cycles("(Timesteps, 2), (KernelTaps, 9), (OutputChannels, 2)", 2), 3.0));
    // Nine taps on four lanes take three cycles an event.
    assert!(close(cycles("(KernelTaps, 4), (OutputChannels, 2)", 2), 3.0 * 4.0));
    // One channel at a time: all events twice.
    assert!(close(cycles("(KernelTaps, 9)", 1), 2.0 * 4.0));
    // One timestep at a time leaves half of the lanes for timesteps without work.
    let apart = cost_on("(Timesteps, 2), (KernelTaps, 9), (OutputChannels, 2)", Placement::Outermost, 2);
    assert!(close(array_cycles(&apart).iter().sum(), 4.0));
}

/// Sums of the map, and those of the timestep before: 2 x 8 x 12 bits, and twice that of two timesteps side by side.
#[test]
fn sums_of_a_map_have_room() {
    let held = |lanes: &str| {
        let (layer, activity) = scattered();
        let machine = spec(lanes).innermost().machine();
        let workload = Workload { layers: vec![layer], timesteps: 2, batch: 1, maps: Vec::new() };
        let mapped = MappedWorkload::best(workload, &machine, &[activity]).unwrap();
        let number = machine.hardware.innermost(Operand::PartialSums);
        occupancy(&mapped.workload, &machine.hardware, &mapped.plans, &mapped.prefetched)[0][number]
            .partial_sums
    };
    assert_eq!(held("(KernelTaps, 9), (OutputChannels, 2)"), 2.0 * 8.0 * 12.0 / 8.0);
    assert_eq!(held("(Timesteps, 2), (KernelTaps, 9), (OutputChannels, 2)"), 2.0 * 2.0 * 8.0 * 12.0 / 8.0);
}

#[test]
fn lanes_stand_for_what_an_event_updates() {
    let refused = |from: &str, to: &str| {
        let lanes = "(keeps: Outputs, lanes: [(KernelTaps, 9)], source: \"test\")";
        let units = lanes_of(&lanes.replace(from, to), "Scatter", "BitSerial");
        let text = include_str!("../../../hw_configs/edge-28.ron");
        let end = text.find("    memories:").unwrap();
        let text = format!("{}units: [{units}],\n{}", &text[..text.find("units:").unwrap()], &text[end..]);
        Hardware::parse(&text, "edge.ron").unwrap_err().to_string()
    };
    assert_eq!(
        refused("KernelTaps", "Positions"),
        "edge.ron: units: lanes: layouts[0].lanes: lanes of Scatter: Positions is not one of [Timesteps, KernelTaps, \
         OutputChannels]"
    );
    assert_eq!(
        refused("Outputs", "Weights"),
        "edge.ron: units: lanes: layouts[0].keeps: lanes of Scatter: they keep Outputs"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// More lanes never take longer, and none of them adds more than one weight a cycle.
    #[test]
    fn more_lanes_never_take_longer(taps in 1u32..10, timesteps in 1u32..4, channels in 1u32..4) {
        let cycles = |taps: u32, timesteps: u32, channels: u32| {
            let lanes = format!("(KernelTaps, {taps}), (Timesteps, {timesteps}), (OutputChannels, {channels})");
            let cost = cost_on(&lanes, Placement::Innermost, channels as usize);
            array_cycles(&cost).iter().sum::<f64>()
        };
        let all = cycles(taps, timesteps, channels);
        prop_assert!(all >= 32.0 / f64::from(taps * timesteps * channels) - 1e-9);
        for more in [cycles(2 * taps, timesteps, channels), cycles(taps, 2 * timesteps, channels), cycles(taps, timesteps, 2 * channels)] {
            prop_assert!(more <= all + 1e-9);
        }
    }
}
