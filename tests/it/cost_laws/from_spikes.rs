//! From eight rows of three spikes to cycles and bits: executed, counted and charged, each by hand.

use spiq::cost::StallPart;
use spiq::exec::{Pattern, RowShape};
use spiq::hw::{BankConflicts, Sourced, SpikeEncoding};

use super::*;
use crate::exactness::support::{
    Conv, Fire, FloatExecutor, Frames, Leak, NetworkBuilder, Neuron, Reset, Shape,
};
use crate::exactness::support::{find, finish, model, tensors};

/// Spikes of three channels at four positions, at two timesteps.
const SPIKES: [[[u16; 3]; 4]; 2] =
    [[[1, 1, 1], [1, 0, 0], [0, 0, 0], [0, 1, 0]], [[1, 0, 1], [0, 0, 0], [0, 0, 1], [0, 1, 1]]];
const WINDOWS: Pattern = Pattern::Windows { positions: 2, timesteps: 2 };
const PRODUCTS: Pattern = Pattern::Products { rows: 4, columns: 3 };

/// Waves of two positions in front of so many banks.
fn rows(banks: usize, shares: bool) -> Pattern {
    Pattern::Rows(RowShape { positions: 2, banks, most_words: banks, shares })
}

/// Events that a convolution copies and neurons without memory fire as they are, and three outputs of them:
/// the layer of those outputs, of 4-bit weights, with what was counted of it.
fn executed() -> (Layer, Activity, usize) {
    let (mut net, events) = NetworkBuilder::new(Shape::new(3, 1, 4), false, 2);
    let copy = net.conv("copy", events, Conv::new(3, 1)).unwrap();
    let fires = Neuron {
        threshold: 1.0,
        per_channel: false,
        leak: Leak::None,
        reset: Reset::Zero,
        fire: Fire::AtThreshold,
    };
    let spikes = net.neuron("spikes", copy, fires).unwrap();
    let sums = net.conv("sums", spikes, Conv::new(3, 1)).unwrap();
    let network = finish(net, sums);
    let identity = vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let weights = tensors(&network, |_| identity.clone());
    let model = model(network, &[], &weights);
    let data = SPIKES.as_flattened().as_flattened().to_vec();
    let sample = Frames { frames: 2, shape: Shape::new(3, 1, 4), data };
    let activity = FloatExecutor::new(&model)
        .run_with(&sample, &[WINDOWS, PRODUCTS, rows(8, true), rows(8, false), rows(16, true)])
        .activity;
    let node = find(&model.network, "sums");
    let product = Product { node: NodeId(node as u32), ..product(4, 3, 3, 4) };
    (layer(product, Vec::new()), activity, node)
}

fn cost(compute: String, encoding: SpikeEncoding) -> LayerCost {
    let mut machine = machine(compute);
    machine.hardware.spike_encoding = encoding;
    cost_on(&machine)
}

fn machine(compute: String) -> Machine {
    Spec { dram_bits: None, ..Spec::roomy(compute) }.innermost().unit_machine()
}

fn cost_on(machine: &Machine) -> LayerCost {
    let (layer, activity, _) = executed();
    layer_cost(
        &layer,
        &plan(machine, Dataflow::OutputStationary, Placement::Innermost, 2),
        machine,
        &activity,
        2,
    )
}

#[test]
fn lanes_wait_for_the_slowest_of_real_spikes() {
    let (_, activity, node) = executed();
    // 3 + 1 + 0 + 1 and 2 + 0 + 1 + 2 spikes, each for three outputs.
    assert_eq!(activity.nodes[node].steps.iter().map(|s| s.input_events).collect::<Vec<_>>(), [5, 5]);
    // Waves of two positions wait for 3, 1, 2 and 2 spikes: 8 cycles, of which a mean lane adds in 5; three
    // outputs are two passes of two lanes, of which three quarters work.
    let skip = cost(lanes(2, 2, "Skip", "BitSerial"), SpikeEncoding::Bitmap);
    assert_eq!(array_cycles(&skip), [7.5, 2.5, 0.0, 6.0]);
    // A row of three weights of four bits per spike, and three biases; 12 spikes, two timesteps, two passes.
    assert_eq!(skip.traffic_bits.weights_read, 10.0 * 12.0 + 96.0);
    assert_eq!(skip.traffic_bits.activations_read, 48.0);
    // 30 additions with their registers, and a look at every bit that is read.
    assert!(close(skip.energy_j.synapse * 1e12, 30.0 * 2.0 + 48.0));
    // Dense lanes take three inputs for each of four waves, twice; gated ones the same time, and additions only
    // where there are spikes.
    let dense = cost(lanes(2, 2, "Dense", "BitSerial"), SpikeEncoding::Bitmap);
    assert_eq!(array_cycles(&dense), [18.0, 6.0, 0.0, 0.0]);
    assert!(close(dense.energy_j.synapse * 1e12, 72.0 * 2.0));
    let gated = cost(lanes(2, 2, "Gated", "BitSerial"), SpikeEncoding::Bitmap);
    assert_eq!((array_cycles(&gated), gated.energy_j.synapse), (array_cycles(&dense), skip.energy_j.synapse));
}

#[test]
fn rows_of_real_spikes_meet_in_banks() {
    let met = |banks: usize, shares_rows| {
        let mut machine = machine(lanes(2, 2, "Skip", "BitSerial"));
        let weights = &mut machine.hardware.memories[0];
        weights.banks = Some(Sourced { value: banks as u32, source: "test".to_owned() });
        weights.conflicts = BankConflicts::Counted { shares_rows };
        let cost = cost_on(&machine);
        assert_eq!(array_cycles(&cost), [7.5, 2.5, 0.0, 6.0]);
        let waits: Vec<f64> = cost.stalls.iter().map(|stall| stall.cycles).collect();
        assert!(cost.stalls.iter().all(|stall| stall.part == StallPart::Port));
        assert_eq!(waits.iter().sum::<f64>(), cost.cycles.port_stall);
        [cost.cycles.port_stall, (cost.traffic_bits.weights_read - 96.0) / 12.0]
    };
    // Rows of two weights of 4 bits are 8 words of one bit. The waves see rows 0 1 2 beside 0; 0 2; 1; and 2 beside 1 2. In
    // 16 banks two of them lie side by side, and the first wave reads row 0 once.
    assert_eq!(met(16, true), [0.0, 9.0]);
    // In 8 banks the last wave takes a cycle more, in each of two passes; without sharing the first one, too.
    assert_eq!(met(8, true), [2.0, 9.0]);
    assert_eq!(met(8, false), [4.0, 10.0]);
}

#[test]
fn windows_of_real_spikes() {
    let windows = format!("Windows(timesteps: {})", sourced(2));
    let cost = cost(lanes(2, 2, &windows, "BitSerial"), SpikeEncoding::Bitmap);
    // The first two positions see 111 in either timestep, the last two 011: 3 + 2 inputs, each for two cycles,
    // in two passes; a mean lane adds in 5 of 10.
    assert_eq!(array_cycles(&cost), [7.5, 2.5, 0.0, 10.0]);
    assert_eq!(cost.traffic_bits.weights_read, 5.0 * 12.0 + 96.0);
}

#[test]
fn products_of_real_spikes() {
    let products = format!("Products(rows: {}, columns: {})", sourced(4), sourced(3));
    let cost = cost(lanes(1, 2, &products, "BitSerial"), SpikeEncoding::Bitmap);
    // Rows of a position's timesteps lie side by side: a tile of 111, 101, 100 and 000, in which 111 starts from
    // 101 and 101 from 100, so that three spikes are added; and one of 000, 001, 010 and 011, in which 011 starts
    // from one of the others: three as well. Six additions hide three searches.
    assert_eq!(array_cycles(&cost), [9.0, 3.0, 0.0, 0.0]);
    assert_eq!(cost.traffic_bits.weights_read, 6.0 * 12.0 + 96.0);
    // Three rows read three sums of 12 bits.
    assert_eq!(cost.traffic_bits.partial_sums_read, 3.0 * 3.0 * 12.0);
    // 18 additions; 48 bits looked at; three rows compared with a tile of 12 bits.
    assert!(close(cost.energy_j.synapse * 1e12, 18.0 * 2.0 + 48.0 + 3.0 * 12.0));
}

#[test]
fn addresses_of_real_spikes() {
    let read = |encoding| cost(lanes(2, 2, "Skip", "BitSerial"), encoding).traffic_bits.activations_read;
    // 10 spikes of 24 values, four bits each, in two passes: more than a bitmap, as 10/24 > 1/4.
    assert_eq!(read(SpikeEncoding::Addresses), 80.0);
    assert_eq!((read(SpikeEncoding::Bitmap), read(SpikeEncoding::Shorter)), (48.0, 48.0));
}
