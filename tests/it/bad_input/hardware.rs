//! Hardware descriptions that make no sense, or that cannot run the network.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use insta::assert_snapshot;
use spiq::cost::Machine;
use spiq::evaluate::Evaluator;
use spiq::hw::Hardware;
use spiq::load;
use spiq::model::DataSet;
use spiq::quant::Setting;

use super::support::{Bench, bundled_text, change, changed, lines};

const EDGE: &str = "hw_configs/edge-28.ron";
const SYSTOLIC: &str = "hw_configs/systolic-28.ron";
const STATE_HOLDS: &str = "holds: [PartialSums, Membranes]";
const CORTEX: &str = "hw_configs/cortex-m4.ron";

/// A file that RON, or the schema, does not accept.
#[test]
fn text_that_does_not_parse() {
    let cases = [
        ("missing parenthesis", "Hardware(", "Hardware"),
        ("missing comma", "energy_table: \"sata-28\",", "energy_table: \"sata-28\""),
        ("unknown field", "energy_table:", "energy_tabel:"),
        ("missing field", "    energy_table: \"sata-28\",\n", ""),
        ("field given twice", "energy_table:", "name: \"twice\", energy_table:"),
        ("text for a number", "(value: 28.0,", "(value: \"28\","),
        (
            "fraction for a count",
            "(value: 64, source: \"design choice: one neuron",
            "(value: 6.4, source: \"one neuron",
        ),
        (
            "negative count",
            "(value: 64, source: \"design choice: one neuron",
            "(value: -1, source: \"one neuron",
        ),
        ("number without a source", "value: 8, source: \"design choice\"", "value: 8"),
        ("bare number", "(value: 8, source: \"design choice\")", "8"),
        ("unknown datapath", "SpikeLanes(", "SpikeLines("),
        ("unknown operand", "[Weights]", "[Weight]"),
        ("2^64", "value: 98304,", "value: 18446744073709551616,"),
    ];
    assert_snapshot!(changed("--hw", EDGE, &cases), @r"
    missing parenthesis
      changed.ron:2:9: Expected opening `(` for struct `Hardware`
    missing comma
      changed.ron:8:5: Expected comma
    unknown field
      changed.ron:7:5: Unexpected field named `energy_tabel` in `Hardware`, expected one of `name`, `description`, `technology_nm`, `clock_hz`, `energy_table`, `units`, `memories`, `dram`, `fpga`, `logic_leakage_w_per_mm2`, `control`, `placements`, `objective`, `images_in_flight`, or `spike_encoding` instead
    missing field
      changed.ron:70:1: Unexpected missing field named `energy_table` in `Hardware`
    field given twice
      changed.ron:7:5: Unexpected duplicate field named `name` in `Hardware`
    text for a number
      changed.ron:5:27: Expected float
    fraction for a count
      changed.ron:23:40: Expected comma
    negative count
      changed.ron:23:40: Integer is out of bounds
    number without a source
      changed.ron:18:39: Unexpected missing field named `source` in `Sourced`
    bare number
      changed.ron:18:29: Expected opening `(` for struct `Sourced`
    unknown datapath
      changed.ron:9:9: Unexpected variant named `SpikeLines` in enum `Unit`, expected one of `SpikeLanes`, `Systolic`, `Vector`, `Processor`, `EventCores`, or `ManyCore` instead
    unknown operand
      changed.ron:30:21: Unexpected variant named `Weight` in enum `Operand`, expected one of `Weights`, `Activations`, `PartialSums`, `Membranes`, or `Residual` instead
    2^64
      changed.ron:31:37: Integer is out of bounds
    ");
}

/// Numbers without meaning, and numbers that no machine has.
#[test]
fn values_out_of_range() {
    let cases = [
        ("NaN", "(value: 400e6", "(value: NaN"),
        ("infinity", "(value: 400e6", "(value: inf"),
        ("no clock", "(value: 400e6", "(value: 0.0"),
        ("clock of 10^300 Hz", "(value: 400e6", "(value: 1e300"),
        ("negative leakage", "value: 0.0081", "value: -0.0081"),
        ("node without SRAM figures", "(value: 28.0,", "(value: 7.0,"),
        ("no lanes", "(OutputChannels, 64)", "(OutputChannels, 0)"),
        ("2^32 - 1 lanes", "(OutputChannels, 64)", "(OutputChannels, 4294967295)"),
        ("a direction twice", "(Positions, 4)", "(OutputChannels, 4)"),
        ("positions twice", "(Positions, 4)", "(Positions, 4), (Columns, 2)"),
        ("a direction that is none", "(Positions, 4)", "(Pixels, 4)"),
        ("inputs that stay in lanes", "keeps: Weights", "keeps: Inputs"),
        (
            "a layout without source",
            "design choice: in a depthwise layer the adders of 64 output channels take 64 groups",
            " ",
        ),
        ("no capacity", "value: 98304,", "value: 0,"),
        ("2^60 bytes", "value: 98304,", "value: 1152921504606846976,"),
        ("no banks", "banks: (value: 16,", "banks: (value: 0,"),
        ("more banks than bytes", "value: 98304,", "value: 15,"),
        ("word of no bits", "word_bits: (value: 64,", "word_bits: (value: 0,"),
        ("no bandwidth", "bandwidth_bits_per_cycle: (value: 1024,", "bandwidth_bits_per_cycle: (value: 0,"),
        (
            "a port of two words per bank",
            "bandwidth_bits_per_cycle: (value: 1024,",
            "bandwidth_bits_per_cycle: (value: 2048,",
        ),
        (
            "rows that meet in a memory of activations",
            "bandwidth_bits_per_cycle: (value: 256,",
            "conflicts: Counted(shares_rows: true), bandwidth_bits_per_cycle: (value: 256,",
        ),
        (
            "rows that meet in 65 banks",
            "banks: (value: 16, source: \"design choice: a row",
            "conflicts: Counted(shares_rows: true), banks: (value: 65, source: \"design choice: a row",
        ),
        ("no vector unit", "values_per_cycle: (value: 64,", "values_per_cycle: (value: 0,"),
        ("64-bit weights", "max_weight_bits: (value: 8,", "max_weight_bits: (value: 64,"),
        ("DRAM bus of no bits", "bus_width_bits: (value: 16,", "bus_width_bits: (value: 0,"),
        ("DRAM bus of 2,048 devices", "bus_width_bits: (value: 16,", "bus_width_bits: (value: 32768,"),
        ("empty source", "source: \"one x16 device\"", "source: \" \""),
    ];
    assert_snapshot!(changed("--hw", EDGE, &cases), @r"
    NaN
      changed.ron: clock_hz: NaN is not in 1000.0..=100000000000.0
    infinity
      changed.ron: clock_hz: inf is not in 1000.0..=100000000000.0
    no clock
      changed.ron: clock_hz: 0.0 is not in 1000.0..=100000000000.0
    clock of 10^300 Hz
      changed.ron: clock_hz: 1e300 is not in 1000.0..=100000000000.0
    negative leakage
      changed.ron: logic_leakage_w_per_mm2: -0.0081 is not in 0.0..=10.0
    node without SRAM figures
      changed.ron: memories: weight SRAM: macro_model: no SRAM figures at 7 nm: they reach from 22 to 45 nm
    no lanes
      changed.ron:12:77: OutputChannels: 0 is not in 1..=65536
    2^32 - 1 lanes
      changed.ron:12:86: OutputChannels: 4294967295 is not in 1..=65536
    a direction twice
      changed.ron:12:83: OutputChannels stands there twice
    positions twice
      changed.ron:12:92: Positions are Rows and Columns already
    a direction that is none
      changed.ron:12:43: Unexpected variant named `Pixels` in enum `SpatialDim`, expected one of `Batch`, `Timesteps`, `Positions`, `Rows`, `Columns`, `OutputChannels`, `Inputs`, `InputChannels`, `KernelTaps`, or `Groups` instead
    inputs that stay in lanes
      changed.ron: units: lanes: layouts[1].keeps: lanes keep Outputs or Weights, and let inputs pass
    a layout without source
      changed.ron: units: lanes: layouts[2].source: empty: say where the number comes from
    no capacity
      changed.ron: memories: weight SRAM: capacity_bytes: 0 is not in 1..=1099511627776
    2^60 bytes
      changed.ron: memories: weight SRAM: capacity_bytes: 1152921504606846976 is not in 1..=1099511627776
    no banks
      changed.ron: memories: weight SRAM: banks: 0 is not in 1..=65536
    more banks than bytes
      changed.ron: memories: weight SRAM: macro_model: an SRAM of 15 bytes in 16 banks with words of 64 bits holds nothing
    word of no bits
      changed.ron: memories: weight SRAM: word_bits: 0 is not in 1..=65536
    no bandwidth
      changed.ron: memories: weight SRAM: bandwidth_bits_per_cycle: 0 is not in 1..=16777216
    a port of two words per bank
      changed.ron: memories: weight SRAM: bandwidth_bits_per_cycle: 2048 are more than a 64-bit word of each of its banks (16)
    rows that meet in a memory of activations
      changed.ron: memories: activation SRAM: conflicts: rows of weights are counted, and this memory feeds no units with them
    rows that meet in 65 banks
      changed.ron: memories: weight SRAM: conflicts: of 65 banks, and those of 2 to 64 are counted
    no vector unit
      changed.ron: units: vector unit: values_per_cycle: 0 is not in 1..=65536
    64-bit weights
      changed.ron: units: lanes: max_weight_bits: 64 is not in 1..=32
    DRAM bus of no bits
      changed.ron: dram.bus_width_bits: 0 is not in 1..=16384
    DRAM bus of 2,048 devices
      changed.ron: dram.bus_width_bits: 32768 is not in 1..=16384
    empty source
      changed.ron: dram.bus_width_bits.source: empty: say where the number comes from
    ");
    let cases = [
        ("no rows", "rows: (value: 16,", "rows: (value: 0,"),
        ("no accumulator", "accumulator_bits: (value: 32,", "accumulator_bits: (value: 0,"),
        (
            "overhead below none",
            "gated: true,",
            "gated: true, overhead_cycles: (value: -3, source: \"test\"),",
        ),
    ];
    assert_snapshot!(changed("--hw", SYSTOLIC, &cases), @r"
    no rows
      changed.ron: units: array: rows: 0 is not in 1..=65536
    no accumulator
      changed.ron: units: array: accumulator_bits: 0 is not in 1..=64
    overhead below none
      changed.ron: units: array: overhead_cycles: -3.0 is not in -2.0..=1000000.0
    ");
    let cases = [
        ("negative energy", "energy_pj_per_cycle: (value: 41.0,", "energy_pj_per_cycle: (value: -41.0,"),
        ("loads in no time", "load_cycles: (value: 2.0,", "load_cycles: (value: 0.0,"),
        ("branches of NaN cycles", "branch_cycles: (value: 3.0,", "branch_cycles: (value: NaN,"),
    ];
    assert_snapshot!(changed("--hw", CORTEX, &cases), @r"
    negative energy
      changed.ron: units: processor: energy_pj_per_cycle: -41.0 is not in 0.0..=1000000.0
    loads in no time
      changed.ron: units: processor: load_cycles: 0.0 is not in 0.01..=1000.0
    branches of NaN cycles
      changed.ron: units: processor: branch_cycles: NaN is not in 0.01..=1000.0
    ");
}

/// A memory that would hold weights twice, behind the weight SRAM.
const BEHIND_TWICE: &str = "memories: [(name: \"behind\", holds: [Weights, Weights], feeds: [\"weight SRAM\"], \
    capacity_bytes: (value: 98304, source: \"test\"), word_bits: (value: 64, source: \"test\"), \
    bandwidth_bits_per_cycle: (value: 64, source: \"test\"), macro_model: Cacti(LowPower)),";

/// Names that stand for nothing, operands without a home, and contradictions.
#[test]
fn names_and_operands() {
    let cases = [
        ("unknown energy table", "\"sata-28\"", "\"sata-29\""),
        ("unknown DRAM part", "\"LPDDR4-3200\"", "\"LPDDR9\""),
        (
            "bus of half a device",
            "(value: 16, source: \"one x16 device\")",
            "(value: 24, source: \"one and a half\")",
        ),
        ("name of a part that is gone", "\"LPDDR4-3200\"", "\"LPDDR4_8Gb_x16_2400\""),
        ("operand in no memory", "[PartialSums, Membranes]", "[PartialSums]"),
        ("operand in two memories", "[PartialSums, Membranes]", "[PartialSums, Membranes, Weights]"),
        ("operand twice in one memory", "[PartialSums, Membranes]", "[PartialSums, Membranes, Membranes]"),
        ("operand twice in a memory behind", "memories: [", BEHIND_TWICE),
        ("memory for nothing", "[PartialSums, Membranes]", "[]"),
        (
            "memory that feeds nothing there is",
            STATE_HOLDS,
            "holds: [PartialSums, Membranes], feeds: [\"cache\"]",
        ),
        ("memory that feeds itself", STATE_HOLDS, "holds: [PartialSums, Membranes], feeds: [\"state SRAM\"]"),
        (
            "memory that feeds one without its operand",
            STATE_HOLDS,
            "holds: [PartialSums, Membranes], feeds: [\"weight SRAM\"]",
        ),
        ("memory below a word", "(value: 98304,", "(value: 7,"),
        ("two memories of one name", "\"state SRAM\"", "\"weight SRAM\""),
        ("no placement", "[Innermost, Outermost]", "[]"),
        ("memory of a processor", "Cacti(LowPower)", "IncludedInProcessor"),
        ("name of two lines", "\"edge-28\"", "\"edge\\n28\""),
    ];
    assert_snapshot!(changed("--hw", EDGE, &cases), @r#"
    unknown energy table
      changed.ron: energy_table: sata-29 is not one of aladdin-40, eyeriss-relative, fpga-16, fpga-28, horowitz-45, qkeras, sata-28
    unknown DRAM part
      changed.ron: dram.part: LPDDR9 is not one of DDR3L-1600, DDR4-3200, DDR5-5600, LPDDR3-1600, LPDDR4-3200, LPDDR4X-4266, LPDDR5-6400, GDDR5-6000, GDDR6-14000, HBM2-2000, HBM2E-3200, HBM3-6400
    bus of half a device
      changed.ron: dram.bus_width_bits: 24 is no whole number of devices: LPDDR4-3200 has 16 data pins
    name of a part that is gone
      changed.ron: dram.part: LPDDR4_8Gb_x16_2400 is no part any more: parts include their interface now, and this one is LPDDR4-3200
    operand in no memory
      changed.ron: memories: Membranes is held 0 times, expected once
    operand in two memories
      changed.ron: memories: Weights is held 2 times, expected once
    operand twice in one memory
      changed.ron: memories: state SRAM: holds: Membranes stands there twice
    operand twice in a memory behind
      changed.ron: memories: behind: holds: Weights stands there twice
    memory for nothing
      changed.ron: memories: state SRAM: holds: empty: nothing is ever written there
    memory that feeds nothing there is
      changed.ron: memories: state SRAM: feeds: cache is not one of weight SRAM, activation SRAM, state SRAM
    memory that feeds itself
      changed.ron: memories: state SRAM: feeds: a loop: it feeds itself in the end
    memory that feeds one without its operand
      changed.ron: memories: state SRAM: feeds: PartialSums is held by 0 of them, expected by one
    memory below a word
      changed.ron: memories: weight SRAM: capacity_bytes: 7 do not hold one word of 64 bits, and 8 would
    two memories of one name
      changed.ron: memories: weight SRAM twice: budgets name memories
    no placement
      changed.ron: placements: empty
    memory of a processor
      changed.ron: memories: weight SRAM: macro_model: there is no processor
    name of two lines
      changed.ron:3:18: name: "edge\n28" has blanks around it, or characters that cannot be printed
    "#);
}

/// Lanes that look for what spikes have in common, and cores, with numbers that they cannot have.
#[test]
fn patterns_and_cores() {
    let products = [
        (
            "no rows",
            "Products(\n                rows: (value: 256,",
            "Products(\n                rows: (value: 0,",
        ),
        ("wide tiles", "columns: (value: 16,", "columns: (value: 65,"),
        ("two positions", "(Positions, 1)", "(Positions, 2)"),
        ("inputs side by side", "(Positions, 1)", "(Inputs, 2)"),
        ("weights that stay", "keeps: Outputs", "keeps: Weights"),
        ("timesteps around the network", "[Innermost]", "[Outermost]"),
        ("unknown order", "keeps: Outputs", "keeps: Sums"),
        ("no inputs in a tile", "inputs: (value: 16,", "inputs: (value: 0,"),
    ];
    let cores = [
        ("unknown events", "events: \"loihi\"", "events: \"lohi\""),
        ("energies of operations", "events: \"loihi\"", "events: \"sata-28\""),
        ("no neurons", "neurons_per_core: (value: 1024,", "neurons_per_core: (value: 0,"),
        ("spikes before they are sent", "spike_s: (value: 39.2e-9,", "spike_s: (value: -1.0,"),
    ];
    assert_snapshot!(changed("--hw", "hw_configs/prosperity-28.ron", &products), @r"
    no rows
      changed.ron: units: lanes: zeros.rows: 0 is not in 1..=4096
    wide tiles
      changed.ron: units: lanes: zeros.columns: 65 is not in 1..=64
    two positions
      changed.ron: units: lanes: layouts[0].lanes: lanes of Products: Positions is not one of [OutputChannels]
    inputs side by side
      changed.ron: units: lanes: layouts[0].lanes: lanes of Products: Inputs is not one of [OutputChannels]
    weights that stay
      changed.ron: units: lanes: layouts[0].keeps: lanes of Products: they keep Outputs
    timesteps around the network
      changed.ron: placements: lanes needs all timesteps: Innermost
    unknown order
      changed.ron:12:25: Unexpected variant named `Sums` in enum `Stationary`, expected one of `Outputs`, `Weights`, or `Inputs` instead
    no inputs in a tile
      changed.ron: units: lanes: tile.inputs: 0 is not in 1..=16777216
    ");
    assert_snapshot!(changed("--hw", "hw_configs/loihi-14.ron", &cores), @r"
    unknown events
      changed.ron: units: cores: events: table lohi is not one of aladdin-40, eyeriss-relative, fpga-16, fpga-28, horowitz-45, qkeras, sata-28, loihi, fang-40, sop-45, sop-45-mac, nor a .ron file
    energies of operations
      changed.ron: units: cores: events: sata-28 holds no energies of whole events
    no neurons
      changed.ron: units: cores: neurons_per_core: 0 is not in 1..=16777216
    spikes before they are sent
      changed.ron: units: cores: spike_s: -1.0 is not in 0.0..=1.0
    ");
}

/// The description is right, and the network does not fit: refused before any image runs.
#[test]
fn machines_that_cannot_run_the_network() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    let refuses = |text: String, quant: &str| {
        bench.write("changed.ron", text);
        bench.refuses(&["--hw", "changed.ron", "--data", "data.ron", "--quant", quant])
    };
    let edge = bundled_text(EDGE);
    let without_dram = {
        let (start, end) = (edge.find("    dram: (").unwrap(), edge.find("    logic_leakage").unwrap());
        format!("{}{}", &edge[..start], &edge[end..])
    };
    let small = |text: &str| {
        let one_bank = change(text, "banks: (value: 16,", "banks: (value: 1,");
        let one_word = change(&one_bank, "per_cycle: (value: 1024,", "per_cycle: (value: 8,");
        let one_byte =
            change(&one_word, "(value: 64, source: \"design choice: no bit", "(value: 8, source: \"no bit");
        change(&one_byte, "value: 98304,", "value: 1,")
    };
    let pointwise =
        change(&edge, "multi_bit: BitSerial,", "multi_bit: BitSerial, kinds: [Pointwise, Grouped],");
    let flash = change(&bundled_text(CORTEX), "value: 1048576,", "value: 131072,");
    let sram = change(&bundled_text(CORTEX), "value: 393216,", "value: 16384,");
    let apot = change(&edge, "zeros: Skip,", "zeros: Skip, decoders: [Levels(Apot), Levels(Binary)],");
    let cases = [
        ("16-bit weights on 8-bit lanes", (edge.clone(), "w16")),
        ("a table that there is not", (edge.clone(), "e2m1")),
        ("a table of other levels", (apot.clone(), "post4")),
        ("bytes of five weights", (apot, "t1.6")),
        ("pixels on lanes for spikes", (change(&edge, "multi_bit: BitSerial", "multi_bit: Absent"), "w4")),
        (
            "pixels on an array for spikes",
            (change(&bundled_text(SYSTOLIC), "(value: 17,", "(value: 1,"), "w4"),
        ),
        ("convolutions on lanes for others", (pointwise, "w4")),
        ("an image on cores for spikes", (bundled_text("hw_configs/exspike.ron"), "w4")),
        ("weights without DRAM", (without_dram.clone(), "w8")),
        ("not one output channel", (small(&edge), "w8")),
        ("weights in one byte without DRAM", (small(&without_dram), "w4")),
        ("fp32 in 128 KiB of flash", (flash, "fp32")),
        ("spikes in 16 KiB of SRAM", (sram, "w4")),
    ];
    assert_snapshot!(lines(cases, |(text, quant)| refuses(text, quant)), @r"
    16-bit weights on 8-bit lanes
      setting w16: layer patch_embed.proj_conv: 16-bit weights, and hardware edge-28 takes up to 8 (max_weight_bits)
    a table that there is not
      setting e2m1: layer patch_embed.proj_conv: weights that Levels(E2m1) decodes, and hardware edge-28 takes two's complement, PowerOfTwo (decoders)
    a table of other levels
      setting post4: layer patch_embed.proj_conv: weights that Levels(Post) decodes, and hardware edge-28 takes two's complement, PowerOfTwo, Levels(Apot), Levels(Binary) (decoders)
    bytes of five weights
      setting t1.6: layer patch_embed.proj_conv: weights that Levels(Trits) decodes, and hardware edge-28 takes two's complement, PowerOfTwo, Levels(Apot), Levels(Binary) (decoders)
    pixels on lanes for spikes
      setting w4: layer patch_embed.proj_conv: 9-bit inputs, and hardware edge-28 takes spikes only (multi_bit)
    pixels on an array for spikes
      setting w4: layer patch_embed.proj_conv: 9-bit inputs, and hardware systolic-28 takes spikes only (input_bits)
    convolutions on lanes for others
      setting w4: layer patch_embed.proj_conv: Convolution sums of integers at 784 positions, and hardware edge-28 takes products of kinds [Pointwise, Grouped] (kinds)
    an image on cores for spikes
      setting w4: layer patch_embed.proj_conv: Convolution sums of integers at 784 positions, and hardware exspike takes spikes to outputs at several positions (takes: Maps)
    weights without DRAM
      setting w8: the network: Weights need 171856 bytes, and memory weight SRAM of hardware edge-28 holds 98304 (capacity_bytes) and there is no dram
    not one output channel
      setting w8: layer patch_embed.proj_conv: one output channel: Weights need 9 bytes, and memory weight SRAM of hardware edge-28 holds 1 (capacity_bytes)
    weights in one byte without DRAM
      setting w4: the network: Weights need 91820 bytes, and memory weight SRAM of hardware edge-28 holds 1 (capacity_bytes) and there is no dram
    fp32 in 128 KiB of flash
      setting fp32: the network: Weights need 652072 bytes, and memory flash of hardware cortex-m4 holds 131072 (capacity_bytes) and there is no dram
    spikes in 16 KiB of SRAM
      setting w4: the network: Membranes need 50176 bytes, and memory SRAM of hardware cortex-m4 holds 16384 (capacity_bytes) and there is no dram
    ");
}

/// Whoever moves a description of version 0.1 field by field is told at each of them what says it now.
#[test]
fn every_field_of_version_0_1_is_told_what_it_is_now() {
    let edge = bundled_text("hw_configs/edge-28.ron");
    let former = |from: &str, to: &str| {
        let text = change(&edge, from, to);
        let message = Hardware::parse(&text, "edge.ron").unwrap_err().to_string();
        assert!(message.starts_with("edge.ron:") && message.ends_with(" (docs/machines.md)"), "{message}");
        let (_, message) = message.split_once("is now ").unwrap();
        message.trim_end_matches(" (docs/machines.md)").to_owned()
    };
    let lanes = "            name: \"lanes\",";
    let with = |field: &str| former(lanes, &format!("{lanes} {field}"));
    assert!(former("    units: [", "    compute: [").starts_with("units: [SpikeLanes("));
    assert_eq!(with("skipping: Skip,"), "zeros");
    assert!(with("positions: (value: 4, source: \"test\"),").starts_with("(Positions, P)"));
    assert!(with("channels: (value: 64, source: \"test\"),").starts_with("(OutputChannels, C)"));
    assert!(with("stationary: [Outputs],").starts_with("what a layout keeps"));
    assert!(
        with("vector: (values_per_cycle: (value: 64, source: \"test\")),").starts_with("a unit of its own")
    );
}

/// Mappings of a file that do not parse, name no layer, or do not fit.
#[test]
fn mappings_that_do_not_fit() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    let refuses = |text: &str| {
        bench.write("mapping.ron", format!("NetworkMapping({text})"));
        bench.refuses(&["--mapping", "mapping.ron", "--data", "data.ron", "--quant", "w4"])
    };
    let layer = |wish: &str| format!("layers: {{\"patch_embed.rpe_conv\": ({wish})}}");
    let cases = [
        ("unknown layer", "layers: {\"rpe_conv\": ()}".to_owned()),
        ("unknown field", layer("tile: 4")),
        ("no channel", layer("channels: 0")),
        ("more channels than lanes", layer("channels: 65")),
        ("a dataflow that lanes do not have", layer("dataflow: InputStationary")),
        ("no tile", layer("order: PositionsOutermost(tiles: 0, weights_stay: true)")),
    ];
    assert_snapshot!(lines(cases, |text| refuses(&text)), @r#"
    unknown layer
      mapping.ron: layers: rpe_conv: no such layer
    unknown field
      mapping.ron:1:50: Unexpected field named `tile` in `Layer`, expected one of `unit`, `dataflow`, `lanes`, `channels`, `order`, `recompute`, `weights`, `resident_channels`, `membranes`, `partial_sums`, `activations`, or `residual` instead
    no channel
      mapping.ron: layers: patch_embed.rpe_conv: channels: 0 is too few
    more channels than lanes
      mapping.ron: layers: patch_embed.rpe_conv: channels: no legal plan has 65; beside the rest of the file it may be 64, 32, 22, 16, 13, 11, ...
    a dataflow that lanes do not have
      mapping.ron: layers: patch_embed.rpe_conv: dataflow: no legal plan has InputStationary; beside the rest of the file it may be OutputStationary, WeightStationary
    no tile
      mapping.ron: layers: patch_embed.rpe_conv: order: tiles: 0 is too few
    "#);
}

/// What cannot be mapped is refused before the settings in front of it have run.
#[test]
fn a_setting_that_does_not_fit_is_refused_before_the_others_run() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    let arguments = ["--data", "data.ron", "--quant", "w8", "--quant", "w16"];
    let message = bench.refuses(&arguments);
    assert!(message.starts_with("setting w16: "), "{message}");
    // From inside, images can be counted.
    let model = Arc::new(load::model("sdtv1_2-64_fashion").unwrap());
    let machine = Machine::new(Hardware::load("edge-28").unwrap().0).unwrap();
    let data = DataSet::load(bench.path("data.ron").to_str().unwrap()).unwrap();
    let evaluator = Evaluator::new(model, &data, &data.test, &|| ()).unwrap();
    let images_run = |settings: &[&str]| {
        let settings: Vec<Setting> = settings.iter().map(|name| Setting::load(name).unwrap()).collect();
        let images = AtomicUsize::new(0);
        let count = |_: &Setting| {
            images.fetch_add(1, Ordering::Relaxed);
        };
        let result = evaluator.evaluate_all(&settings, std::slice::from_ref(&machine), &count);
        (result.is_ok(), images.into_inner())
    };
    assert_eq!(images_run(&["w8", "w16"]), (false, 0));
    assert_eq!(images_run(&["w8"]), (true, data.test.len()));
}

/// Times that a core needs, and what does not go together.
#[test]
fn event_cores() {
    let stream = "weight_stream: (half_rows: (value: 1, source: \"x\"), bursts: (value: 1, source: \"x\"), \
                  burst_cycles: (value: 1, source: \"x\"), latency_cycles: (value: 0, source: \"x\"), half_cycles: \
                  (value: 0, source: \"x\"), restart_cycles: (value: 0, source: \"x\")), adders: (value: 1,";
    let odin = [
        ("cycles of no neurons", "neurons: (value: 256,", "least_taps: (value: 256,"),
        ("a stream without a queue", "adders: (value: 1,", stream),
        ("no channels", "channels: (value: 256,", "channels: (value: 0,"),
        ("cycles without a source", "\"RTL simulated (inferred): handshake and queue\"", "\" \""),
    ];
    assert_snapshot!(changed("--hw", "hw_configs/odin.ron", &odin), @r"
    cycles of no neurons
      changed.ron: units: core: event.neurons: missing: neuron_cycles are of each of them
    a stream without a queue
      changed.ron: units: core: weight_stream: only beside a Queue (search)
    no channels
      changed.ron: units: core: channels: 0 is not in 1..=65536
    cycles without a source
      changed.ron: units: core: event.fixed_cycles.source: empty: say where the number comes from
    ");
}
