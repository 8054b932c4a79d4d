//! Cores that take one event after the other, by hand: a map of 2 x 2, a kernel of 3 x 3 that reaches all of it from
//! everywhere, two input channels, three output channels of which two are in step.

use proptest::prelude::*;
use spiq::exec::{Pattern, PatternCount, Patterns};
use spiq::hw::ProductShape;

use super::*;

/// Spikes of two maps at two timesteps, 3 and 0, and 1 and 2, each of which meets four positions and three channels.
fn case() -> (Layer, Activity) {
    let product = Product { taps: 9, columns: 2, input_values: 8, ..product(4, 18, 3, 4) };
    let step = |input_events: u32| StepActivity {
        input_events,
        gathered_events: u64::from(4 * input_events),
        accumulations: u64::from(12 * input_events),
        neuron_updates: 12,
        output_events: 2,
        ..StepActivity::default()
    };
    let inputs = vec![3, 0, /* t = 1 */ 1, 2].into();
    let maps = PatternCount { inputs, ..PatternCount::default() };
    let activity = Activity {
        nodes: vec![NodeActivity { steps: vec![step(3), step(3)] }],
        patterns: vec![Patterns { pattern: Pattern::Maps, nodes: vec![maps] }],
    };
    (layer(product, vec![neuron(12, 8)]), activity)
}

fn cores(event: &str, more: &str) -> Spec {
    let width = sourced(32);
    let units = format!(
        "EventCores(name: \"cores\", channels: {}, order: (value: ChannelsOutermost, source: \"test\"), \
         event: ({event}), {more} max_weight_bits: {width}, input_bits: {}, accumulator_bits: {width})",
        sourced(2),
        sourced(1)
    );
    Spec { dram_bits: None, ..Spec::roomy(units) }.innermost()
}

fn cost_on(spec: &Spec) -> LayerCost {
    let (layer, activity) = case();
    let machine = spec.unit_machine();
    let plan = plan(&machine, Dataflow::Sequential, Placement::Innermost, 3);
    layer_cost(&layer, &plan, &machine, &activity, 2)
}

const OVERHEADS: &str = "(layer_cycles: (value: 7, source: \"test\"), pass_cycles: (value: 5, source: \"test\"), \
                         timestep_cycles: (value: 3, source: \"test\"), output_spike_cycles: (value: 8, source: \"test\"))";

#[test]
fn given_spikes() {
    let event = format!("fixed_cycles: {}, tap_cycles: {}", sourced(2), sourced(1));
    let sweep = format!("sweep: (position_cycles: {}), overheads: {OVERHEADS},", sourced(1));
    let cost = cost_on(&cores(&event, &sweep));
    // Two passes over six events of 2 + 9 cycles; a sweep of four positions at each of two timesteps.
    let (adding, sweeping) = (2.0 * 6.0 * 11.0, 2.0 * 2.0 * 4.0);
    // 72 additions, two at a time.
    assert_eq!((cost.cycles.ideal, cost.cycles.under_utilisation), (36.0, adding - 36.0));
    assert_eq!(cost.cycles.imbalance, 7.0 + 2.0 * 5.0 + 4.0 * 3.0);
    // Four spikes leave.
    assert_eq!(cost.cycles.epilogue, sweeping + 4.0 * 8.0);
    assert_eq!(cost.cycles.total(), adding + sweeping + 29.0 + 32.0);
    let bits = &cost.traffic_bits;
    // Nine rows of three weights of four bits for every event, also outside the map; both maps for each pass.
    assert_eq!(bits.weights_read, 6.0 * 9.0 * 3.0 * 4.0 + 3.0 * 64.0);
    assert_eq!((bits.activations_read, bits.activations_written), (2.0 * 8.0 * 2.0, 24.0));
    // Every addition reads a membrane of eight bits and writes it back, and so does the sweep.
    let membranes = (72.0 + 2.0 * 12.0) * 8.0;
    assert_eq!((bits.membranes_read, bits.membranes_written), (membranes, membranes));
    assert!(close(cost.energy_j.synapse * 1e12, 72.0));
}

/// Neurons that are updated with every addition have no sweep, and nothing reads their membranes beside.
#[test]
fn neurons_with_every_addition() {
    let cost = cost_on(&cores(&format!("sum_cycles: {}", sourced(2)), ""));
    // Six events reach four positions, in each of two passes.
    assert_eq!(cost.cycles.total(), 2.0 * 6.0 * 4.0 * 2.0);
    assert_eq!(cost.traffic_bits.membranes_read, 72.0 * 8.0);
    let neurons = cost_on(&cores(&format!("neuron_cycles: {}, neurons: {}", sourced(2), sourced(16)), ""));
    assert_eq!(neurons.cycles.total(), 2.0 * 6.0 * 32.0);
}

/// A search of two cycles a map and one a spike, with lists that are taken at once: nine cycles an event hide it all.
#[test]
fn a_search_that_additions_hide() {
    let [zero, one] = [0, 1].map(sourced);
    let text = format!(
        "search: Lists(encoder: (map_cycles: {one}, chunks: PerMap{one}, chunk_cycles: {one}, spike_cycles: {one}), \
         hand_over_cycles: {zero}, notice_cycles: {zero}, next_cycles: {zero}, idle_cycles: {zero}, \
         during_sweep: {}, done: {}, done_cycles: {zero}),",
        sourced("Waits"),
        sourced("Drained")
    );
    let cost = cost_on(&cores(&format!("tap_cycles: {}", sourced(1)), &text));
    // The first list is ready after five cycles, and from then on the adders work without a pause.
    assert_eq!(cost.cycles.total(), 5.0 + 2.0 * 6.0 * 9.0);
    assert_eq!(cost.cycles.imbalance, 5.0);
}

proptest! {
    /// A slower core never takes less time, and a faster one no other energy.
    #[test]
    fn slower_events_never_save_time(fixed in 1u32..20, taps in 0u32..4, sweep in 0u32..4, more in 1u32..5) {
        let cost = |fixed: u32, taps: u32, sweep: u32| {
            let event = format!("fixed_cycles: {}, tap_cycles: {}", sourced(fixed), sourced(taps));
            cost_on(&cores(&event, &format!("sweep: (position_cycles: {}),", sourced(sweep))))
        };
        let base = cost(fixed, taps, sweep);
        for slower in [cost(fixed + more, taps, sweep), cost(fixed, taps + more, sweep), cost(fixed, taps, sweep + more)] {
            prop_assert!(slower.cycles.total() > base.cycles.total());
            prop_assert!(close(slower.energy_j.total(), base.energy_j.total()));
            prop_assert_eq!(&slower.traffic_bits, &base.traffic_bits);
        }
    }
}

#[test]
fn cores_refuse_what_they_do_not_take() {
    let spec = cores(&format!("fixed_cycles: {}", sourced(1)), "takes: Vectors,");
    let hardware = spec.unit_machine().hardware;
    let refuses = |groups, positions, reads_spikes| {
        let shape = ProductShape { positions, taps: 1, groups, reads_spikes };
        hardware.units[0].datapath().refuses_shape(shape)
    };
    assert_eq!(refuses(1, 1, true), None);
    assert_eq!(refuses(2, 1, true).unwrap(), "layers of one group");
    for (positions, reads_spikes) in [(2, true), (1, false)] {
        let takes = refuses(1, positions, reads_spikes).unwrap();
        assert_eq!(takes, "spikes to outputs at a single position (takes: Vectors)");
    }
}
