//! Cycles of lanes beside their work, by hand, and those of arrays whose RTL was simulated or read.

use super::*;
use spiq::map::Input::Spikes;

/// Dense lanes in one layout, with `times` behind their other fields.
fn machine(keeps: &str, lanes: &str, times: &str) -> Machine {
    let layout = format!("(keeps: {keeps}, lanes: [{lanes}], source: \"test\")");
    let width = sourced(32);
    let units = format!(
        "SpikeLanes(name: \"lanes\", layouts: [{layout}], zeros: Dense, multi_bit: Absent, max_weight_bits: {width}, \
         accumulator_bits: {width}, {times}), {}",
        vector(1 << 16)
    );
    Spec { dram_bits: None, ..Spec::roomy(units) }.unit_machine()
}

fn overhead(per: &str, cycles: u32) -> String {
    format!("(per: {per}, cycles: {})", sourced(cycles))
}

/// Cycles of the array of `machine` for `product` in `timesteps`, with tiles of `channels`.
fn cycles(machine: &Machine, product: Product, dataflow: Dataflow, timesteps: usize, channels: usize) -> f64 {
    let events = vec![vec![0; product.positions]; timesteps];
    let activity = activity(&product, &events);
    let plan = plan(machine, dataflow, Placement::Innermost, channels);
    let cost = layer_cost(&layer(product, Vec::new()), &plan, machine, &activity, timesteps);
    array_cycles(&cost).iter().sum()
}

#[test]
fn every_loop_pauses_by_hand() {
    // A map of 2 x 2, four inputs, four outputs, two timesteps, on lanes for two inputs and two channels: 2 steps of
    // channels, 4 of inputs, 8 of rows a timestep, 16 sums a timestep, and 4 x 4 x 2 cycles of work.
    let layer = || Product { columns: 2, ..product(4, 4, 4, 8) };
    let with = |keeps, dataflow, pauses: &[(&str, u32)]| {
        let pauses: Vec<_> = pauses.iter().map(|(per, cycles)| overhead(per, *cycles)).collect();
        let times = format!("overheads: [{}]", pauses.join(", "));
        let machine = machine(keeps, "(Inputs, 2), (OutputChannels, 2)", &times);
        cycles(&machine, layer(), dataflow, 2, 2)
    };
    for (keeps, dataflow) in
        [("Outputs", Dataflow::OutputStationary), ("Weights", Dataflow::WeightStationary)]
    {
        let pauses = |pauses| with(keeps, dataflow, pauses);
        assert_eq!(pauses(&[]), 32.0);
        assert_eq!(pauses(&[("Layer", 100)]), 132.0);
        assert_eq!(pauses(&[("OutputChannels", 10)]), 52.0);
        assert_eq!(pauses(&[("Inputs", 10)]), 72.0);
        assert_eq!(pauses(&[("Rows", 1)]), 32.0 + 8.0 * 2.0);
        assert_eq!(pauses(&[("Sums", 1)]), 32.0 + 16.0 * 2.0);
        assert_eq!(pauses(&[("Layer", 100), ("Sums", 1), ("Inputs", 10)]), 204.0);
    }
}

/// The linear array of a Spikformer on an FPGA (github.com/tooddler/FPGA_SpikingTransformer at 9ee1129), 64 x 384 x 384
/// at four timesteps, simulated from its RTL: 150,336 cycles. 16 x 16 weights stay for 16 positions; a step of inputs
/// takes 53 cycles, of which 16 are work; a tile takes 36 more to begin, 2 to end, and one for each of 256 sums.
#[test]
fn a_weight_stationary_array_whose_passes_do_not_overlap() {
    let times = format!(
        "stream_positions: {}, overheads: [{}, {}, {}]",
        sourced(16),
        overhead("OutputChannels", 38),
        overhead("Inputs", 37),
        overhead("Sums", 1)
    );
    let machine = machine("Weights", "(Timesteps, 4), (Inputs, 16), (OutputChannels, 16)", &times);
    let linear = Product { columns: 1, input: Spikes, ..product(64, 384, 384, 8) };
    assert_eq!(cycles(&machine, linear, Dataflow::WeightStationary, 4, 16), 150_336.0);
}

/// The array for convolutions of that Spikformer, by the law read off its RTL: Co (Ci / 8 (18 + ceil(S / 3) (S + 44))
/// + S^2 + 15).
#[test]
fn an_array_of_filter_rows_that_loads_before_it_computes() {
    let times = format!(
        "overheads: [{}, {}, {}, {}]",
        overhead("OutputChannels", 15),
        overhead("Inputs", 18),
        overhead("Rows", 44),
        overhead("Sums", 1)
    );
    let lanes = "(Timesteps, 4), (InputChannels, 8), (KernelTaps, 9), (Rows, 3)";
    let machine = machine("Weights", lanes, &times);
    for (inputs, outputs, size) in [(48, 96, 32), (96, 192, 32), (192, 384, 16), (384, 384, 8)] {
        let product = Product { columns: size, taps: 9, ..product(size * size, 9 * inputs, outputs, 8) };
        let law = outputs * (inputs / 8 * (18 + size.div_ceil(3) * (size + 44)) + size * size + 15);
        assert_eq!(cycles(&machine, product, Dataflow::WeightStationary, 4, 1), law as f64);
    }
}

#[test]
fn a_stream_needs_weights_that_stay() {
    let text = include_str!("../../../hw_configs/edge-28.ron");
    let with = |field: &str| {
        let text = text.replace("zeros: Skip,", &format!("zeros: Skip, {field},"));
        Hardware::parse(&text, "a.ron").map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(with(&format!("stream_positions: {}", sourced(16))), Ok(()));
    let message = with(&format!("overheads: [{}]", overhead("Rows", 0))).unwrap_err();
    assert!(message.contains("overheads[0].cycles") && message.contains("lanes"), "{message}");
    let message = with(&format!("overheads: [{}]", overhead("Groups", 1))).unwrap_err();
    assert!(message.contains("Groups"), "{message}");
    let outputs_only: Vec<_> = text.lines().filter(|line| !line.contains("keeps: Weights")).collect();
    let stream = format!("zeros: Skip, stream_positions: {},", sourced(16));
    let outputs_only = outputs_only.join("\n").replace("zeros: Skip,", &stream);
    let message = Hardware::parse(&outputs_only, "a.ron").unwrap_err().to_string();
    assert!(message.contains("stream_positions") && message.contains("no layout keeps Weights"), "{message}");
}
