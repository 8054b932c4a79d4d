//! What spikes have in common, how they lie in memory, and what whole events take: by hand.

use spiq::exec::{Activity, Pattern, PatternCount, Patterns};
use spiq::hw::SpikeEncoding;
use spiq::quant::WeightScheme;

use super::*;

/// Four positions of six inputs, three outputs of four bits with their neurons; two timesteps of 8 and 5
/// events that meet 39 weights, and of 2 and 3 spikes out.
fn case() -> (Layer, Activity) {
    let layer = layer(product(4, 6, 3, 4), vec![neuron(12, 8)]);
    let mut activity = activity(layer.product.as_ref().unwrap(), &[vec![3, 1, 2, 2], vec![0, 4, 1, 0]]);
    for (step, spikes) in activity.nodes[0].steps.iter_mut().zip([2, 3]) {
        (step.neuron_updates, step.output_events) = (12, spikes);
    }
    (layer, activity)
}

fn with(mut activity: Activity, pattern: Pattern, count: PatternCount) -> Activity {
    activity.patterns = vec![Patterns { pattern, nodes: vec![count] }];
    activity
}

fn cost(compute: String, layer: &Layer, activity: &Activity) -> LayerCost {
    let machine = Spec { dram_bits: None, ..Spec::roomy(compute) }.innermost().unit_machine();
    layer_cost(
        layer,
        &plan(&machine, Dataflow::OutputStationary, Placement::Innermost, 2),
        &machine,
        activity,
        2,
    )
}

#[test]
fn windows_of_two_timesteps_on_two_by_two_lanes() {
    let (layer, activity) = case();
    // The two waves see 4 and 3 inputs that spike in either timestep at either position.
    let steps = PatternCount { steps: 7, ..PatternCount::default() };
    let activity = with(activity, Pattern::Windows { positions: 2, timesteps: 2 }, steps);
    let windows = format!("Windows(timesteps: {})", sourced(2));
    let cost = cost(lanes(2, 2, &windows, "BitSerial"), &layer, &activity);
    // 7 inputs stay for two timesteps: 14 cycles, twice for 3 channels in pairs; the mean lane adds 6.5 times.
    assert_eq!(array_cycles(&cost), [9.75, 3.25, 0.0, 15.0]);
    // A row of three weights of four bits is read once per window; bias and threshold of three channels.
    assert_eq!(cost.traffic_bits.weights_read, 7.0 * 12.0 + 192.0);
    // Additions only where there are spikes; 96 bits of spikes are looked at.
    assert!(close(cost.energy_j.synapse * 1e12, 39.0 * 2.0 + 96.0));
}

#[test]
fn products_of_four_by_four_on_two_lanes() {
    let (layer, activity) = case();
    let count = PatternCount { steps: 8, copies: 2, reuses: 4, searches: 6, ..PatternCount::default() };
    let activity = with(activity, Pattern::Products { rows: 4, columns: 4 }, count);
    let products = format!("Products(rows: {0}, columns: {0})", sourced(4));
    let tile = format!("tile: (rows: {0}, inputs: {0}), zeros:", sourced(4));
    let cost = cost(lanes(1, 2, &products, "BitSerial").replace("zeros:", &tile), &layer, &activity);
    // 8 additions and 2 copies for each of two passes over 3 channels in pairs; 6 searches hide behind them.
    assert_eq!(array_cycles(&cost), [12.0, 4.0, 0.0, 4.0]);
    assert_eq!(cost.traffic_bits.weights_read, 8.0 * 12.0 + 192.0);
    // 24 sums of 12 bits leave after each of two tiles of inputs and come back; four reused ones are read, too.
    let sums = 24.0 * 12.0 * 2.0;
    assert_eq!(cost.traffic_bits.partial_sums_written, sums);
    assert_eq!(cost.traffic_bits.partial_sums_read, sums + 4.0 * 3.0 * 12.0);
    // 24 additions and their registers; 96 bits looked at; 6 rows compared with a tile of 16 bits.
    assert!(close(cost.energy_j.synapse * 1e12, 48.0 + 96.0 + 6.0 * 16.0));
}

/// Pairs of spikes out of chunks of four inputs, two positions side by side that do not wait for each other.
#[test]
fn chunks_of_four_on_two_by_two_lanes() {
    let (layer, activity) = case();
    let steps = PatternCount { steps: 18, ..PatternCount::default() };
    let activity = with(activity, Pattern::Chunks { inputs: 4, at_once: 2 }, steps);
    let layout =
        "(keeps: Outputs, lanes: [(Positions, 2), (Inputs, 2), (OutputChannels, 2)], source: \"test\")";
    let chunks = format!("Chunks(inputs: {})", sourced(4));
    let cost = cost(lanes_of(layout, &chunks, "BitSerial"), &layer, &activity);
    // 13 spikes over four walkers, 18 steps over two positions, twice for 3 channels in pairs.
    assert_eq!(array_cycles(&cost), [3.25 * 1.5, 3.25 * 0.5, 0.0, (9.0 - 3.25) * 2.0]);
    // A row of three weights of four bits for every spike; bias and threshold of three channels.
    assert_eq!(cost.traffic_bits.weights_read, 13.0 * 12.0 + 192.0);
}

/// Searches take longer than additions where rows are full of copies.
#[test]
fn searches_that_do_not_hide() {
    let (layer, activity) = case();
    let count = PatternCount { steps: 2, copies: 1, reuses: 1, searches: 9, ..PatternCount::default() };
    let activity = with(activity, Pattern::Products { rows: 4, columns: 4 }, count);
    let products = format!("Products(rows: {0}, columns: {0})", sourced(4));
    let cost = cost(lanes(1, 2, &products, "BitSerial"), &layer, &activity);
    assert_eq!(array_cycles(&cost), [3.0, 1.0, 0.0, 14.0]);
}

#[test]
fn spikes_as_addresses() {
    let (layer, activity) = case();
    let mut machine = Spec::roomy(lanes(2, 2, "Skip", "BitSerial")).unit_machine();
    let mut traffic = |encoding| {
        machine.hardware.spike_encoding = encoding;
        let plan = plan(&machine, Dataflow::OutputStationary, Placement::Innermost, 2);
        let t = layer_cost(&layer, &plan, &machine, &activity, 2).traffic_bits;
        (t.activations_read, t.activations_written)
    };
    // 24 inputs, 12 outputs, two timesteps, every input for two passes.
    assert_eq!(traffic(SpikeEncoding::Bitmap), (96.0, 24.0));
    // 13 of 48 inputs spike, five bits each, 65 bits in the place of 48; 5 of 24 outputs, four bits each.
    assert_eq!(traffic(SpikeEncoding::Addresses), (96.0 * 65.0 / 48.0, 20.0));
    assert_eq!(traffic(SpikeEncoding::Shorter), (96.0, 20.0));
}

#[test]
fn a_layer_on_cores_by_hand() {
    let (layer, activity) = case();
    let compute = format!(
        "ManyCore(name: \"cores\", events: \"loihi\", neurons_per_core: {}, weight_bits_per_core: {}, max_weight_bits: {}, \
         synapse_s: {}, neuron_s: {}, spike_s: {}, barrier_s: {})",
        sourced(4),
        sourced(1000),
        sourced(9),
        sourced("2e-9"),
        sourced("3e-9"),
        sourced("5e-9"),
        sourced("10e-9"),
    );
    let spec = Spec { dram_bits: None, ..Spec::roomy(compute) };
    let machine = spec.machine();
    let cost = layer_cost(
        &layer,
        &plan(&machine, Dataflow::Sequential, Placement::Innermost, 3),
        &machine,
        &activity,
        2,
    );
    // 12 neurons are three cores. At 1 GHz 39 synapses take 2 cycles each, 24 updates 3, 5 spikes 5, and two
    // timesteps end with 10.
    assert!(close(cost.cycles.ideal, 26.0));
    assert!(close(cost.cycles.epilogue, (24.0 * 3.0 + 5.0 * 5.0) / 3.0), "{:?}", cost.cycles);
    assert!(close(cost.cycles.under_utilisation, 20.0));
    // Synapses of a convolution, updates with their access, spikes with axon and hop; nothing else.
    assert!(close(cost.energy_j.synapse * 1e12, 39.0 * 24.0));
    assert!(close(cost.energy_j.neuron * 1e12, 24.0 * 72.8 + 5.0 * 183.3));
    assert!(close(cost.energy_j.total(), cost.energy_j.synapse + cost.energy_j.neuron));
    assert_eq!(machine.leakage_w, 0.0);
}

/// An image of eight bits meets four-bit weights: bit by bit, in a multiplier, or by a shift where weights are
/// powers of two.
#[test]
fn integers_by_hand() {
    let cost = |weight: WeightForm, multi_bit: &str| {
        let image = Product { input: Input::Integers { bits: 8 }, weight, ..product(4, 6, 3, 4) };
        let activity = activity(&image, &[vec![3, 1, 2, 2], vec![0, 4, 1, 0]]);
        cost(lanes(2, 2, "Skip", multi_bit), &layer(image, vec![]), &activity)
    };
    let looked_at = 96.0 * 8.0;
    // Eight cycles, gates, additions and registers for each of 39 weights.
    let serial = cost(WeightForm::integer(4), "BitSerial");
    assert_eq!(array_cycles(&serial), [78.0, 26.0, 0.0, 56.0]);
    assert!(close(serial.energy_j.synapse * 1e12, 39.0 * 8.0 * 3.0 + looked_at));
    // One multiplication, addition and register.
    let multiplier = cost(WeightForm::integer(4), "Multiplier");
    assert_eq!(array_cycles(&multiplier), [9.75, 3.25, 0.0, 7.0]);
    assert!(close(multiplier.energy_j.synapse * 1e12, 39.0 * 3.0 + looked_at));
    // One shift of the input, addition and register, whatever the lanes have for integers.
    for multi_bit in ["BitSerial", "Multiplier"] {
        let shifted = cost(WeightForm::power_of_two(4, 6), multi_bit);
        assert_eq!(
            (array_cycles(&shifted), shifted.energy_j),
            (array_cycles(&multiplier), multiplier.energy_j)
        );
    }
}

/// A code of E2M1 passes the 24 gates of its table, and a level is at most two powers of two: a spike adds its operand, an
/// integer is shifted and added twice, in two cycles. Powers of the square root of two are multiplied.
#[test]
fn looked_up_weights_by_hand() {
    let form = |word: &str| WeightScheme::from_shorthand(word, false).unwrap().form();
    let cost = |word: &str, input: Input, multi_bit: &str| {
        let layer = Product { input, weight: form(word), ..product(4, 6, 3, 4) };
        let activity = activity(&layer, &[vec![3, 1, 2, 2], vec![0, 4, 1, 0]]);
        let cost = cost(lanes(2, 2, "Skip", multi_bit), &self::layer(layer, vec![]), &activity);
        (array_cycles(&cost), cost.energy_j.synapse * 1e12)
    };
    let (integers, looked_at) = (Input::Integers { bits: 8 }, 96.0 * 8.0);
    let (spiking, adds) = cost("w4", Input::Spikes, "BitSerial");
    let (cycles, synapse) = cost("e2m1", Input::Spikes, "BitSerial");
    assert!(cycles == spiking && close(synapse - adds, 39.0 * 24.0));
    for multi_bit in ["BitSerial", "Multiplier"] {
        let (cycles, synapse) = cost("e2m1", integers, multi_bit);
        assert_eq!(cycles, [19.5, 6.5, 0.0, 14.0]);
        assert!(close(synapse, 39.0 * (24.0 + 2.0 * 3.0) + looked_at));
    }
    let (cycles, synapse) = cost("post4", integers, "Multiplier");
    assert_eq!(cycles, [9.75, 3.25, 0.0, 7.0]);
    assert!(close(synapse, 39.0 * (f64::from(form("post4").decoder_gates()) + 3.0) + looked_at));
    // 3 bits are stored, and an operand of 6 is added.
    assert_eq!((form("post3").code_bits, form("post3").operand_bits), (3, 6));
}

/// Spikformer 4-384: 64 tokens, 12 heads of 32 channels. q (k^T v) takes 64 x 384 x 32 ANDs and as many
/// additions of counts up to 64, 7 bits; (q k^T) v would take twice as many of each, of 6 bits.
#[test]
fn an_attention_takes_the_cheaper_order() {
    let (_, network, _) = spiq::model::ModelDescription::load("spikformer_4-384_cifar10").unwrap();
    let workload = Workload::float32(&network);
    let attention = workload.layers.iter().find(|layer| layer.name == "block.0.attn.ssa").unwrap();
    let products = 64 * 384 * 32;
    let wanted = EpilogueKind::SpikeProducts {
        operations: products,
        sums: products,
        sum_bits: 7,
        reads: 3 * 64 * 384,
    };
    assert_eq!(attention.epilogue[0].kind, wanted);
    // At one picojoule each: an AND with one bit of the count behind it, a gate and an addition of a count.
    // 64 bits at a time, counts bit by bit.
    let machine = Spec::roomy(lanes(2, 2, "Skip", "BitSerial")).unit_machine();
    let nodes = vec![NodeActivity { steps: vec![StepActivity::default(); 4] }; network.nodes.len()];
    let activity = Activity { nodes, ..Activity::default() };
    let plan = plan(&machine, Dataflow::OutputStationary, Placement::Innermost, 0);
    let cost = layer_cost(attention, &plan, &machine, &activity, 4);
    let products = products as f64 * 4.0;
    assert!(close(cost.energy_j.attention * 1e12, products * 4.0), "{:?}", cost.energy_j);
    assert!(
        close(cost.cycles.epilogue, products * 8.0 / 64.0 + 64.0 * 384.0 * 4.0 / 2.0),
        "{:?}",
        cost.cycles
    );
}

/// One gate of a picojoule per value, 64 of them in a cycle; the stream is read, and what passes is written.
#[test]
fn a_gate_of_spikes() {
    let (mut layer, activity) = case();
    let of = |layer: &Layer| cost(lanes(2, 2, "Skip", "BitSerial"), layer, &activity);
    let without = of(&layer);
    let node = layer.epilogue[0].node;
    layer.epilogue.push(Epilogue {
        node,
        kind: EpilogueKind::Gate,
        values: 12,
        constant: false,
        stored_bits: 1,
    });
    let with = of(&layer);
    assert!(close((with.energy_j.elementwise - without.energy_j.elementwise) * 1e12, 24.0));
    assert!(close(with.busy.joins, 24.0 / 64.0) && without.busy.joins == 0.0);
    let more = |bits: fn(&LayerCost) -> f64| bits(&with) - bits(&without);
    assert_eq!(
        [more(|c| c.traffic_bits.activations_read), more(|c| c.traffic_bits.activations_written)],
        [24.0; 2]
    );
}

/// Weights that do not stay are fetched again for every tile of rows: 4 positions and 2 timesteps are 8 rows, two
/// tiles of 4; inputs pass in slices of 4 of 6.
#[test]
fn a_tile_of_rows_fetches_weights_again() {
    let (layer, activity) = case();
    let tile = format!("tile: (rows: {0}, inputs: {0}), zeros:", sourced(4));
    let spec = Spec::roomy(lanes(2, 2, "Skip", "BitSerial").replace("zeros:", &tile));
    let machine = spec.unit_machine();
    let mut plan = plan(&machine, Dataflow::OutputStationary, Placement::Innermost, 2);
    let kept = layer_cost(&layer, &plan, &machine, &activity, 2).traffic_bits;
    plan.home[spiq::hw::Operand::Weights] = spiq::map::Home::OffChip;
    let fetched = layer_cost(&layer, &plan, &machine, &activity, 2).traffic_bits;
    // 18 weights of four bits, twice; bias and threshold of three channels once.
    assert_eq!((kept.dram_read, fetched.dram_read), (0.0, 2.0 * 72.0 + 192.0));
    // 24 sums of 12 bits after each of two slices.
    assert_eq!((kept.partial_sums_written, kept.partial_sums_read), (576.0, 576.0));
}
