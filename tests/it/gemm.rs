//! `spiq gemm`: figures that are known, the search for tiles, mappings from files, bad input.

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::Value;
use spiq::cost::{ArrayTiming, GemmOperands, Machine, best_nest, gemm_cost};
use spiq::hw::{Hardware, Operand};
use spiq::map::{Dataflow, Dim, Gemm, Matrix, Nest};

use crate::bad_input::support::{Bench, lines};

mod levels;

/// Every order of the dimensions that tiles cut.
const ORDERS: [[Dim; 3]; 6] = [
    [Dim::M, Dim::N, Dim::K],
    [Dim::M, Dim::K, Dim::N],
    [Dim::N, Dim::M, Dim::K],
    [Dim::N, Dim::K, Dim::M],
    [Dim::K, Dim::M, Dim::N],
    [Dim::K, Dim::N, Dim::M],
];

const WS: &str = "gemm --array 16x16 --dataflow ws -M 64 -N 384 -K 384";

fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}

fn json(bench: &Bench, flags: &str) -> Value {
    let output = bench.run(&[&words(flags)[..], &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What Timeloop, ZigZag and SCALE-Sim agree on.
#[test]
fn a_weight_stationary_product() {
    let bench = Bench::new();
    let report = json(&bench, WS);
    // ceil(384 / 16) ceil(384 / 16) (2 16 + 16 + 64 - 2) cycles, 64 384 384 / 256 of them ideal.
    assert_eq!(report["cycles"]["compute"], 24.0 * 24.0 * 110.0);
    assert_eq!(
        (&report["cycles"]["ideal"], &report["cycles"]["total"]),
        (&36_864.0.into(), &63_360.0.into())
    );
    let of = |level: &str, matrix: &str, key: &str| report["accesses"][level][matrix][key].as_u64().unwrap();
    assert_eq!((of("sram", "input", "reads"), of("sram", "weight", "reads")), (589_824, 147_456));
    assert_eq!((of("sram", "output", "writes"), of("dram", "output", "writes")), (589_824, 24_576));
    assert_eq!((of("dram", "weight", "reads"), of("dram", "input", "reads")), (147_456, 24_576));
    assert_eq!(of("sram", "output", "reads_of_partial_sums"), 589_824 - 24_576);
    // 8-bit inputs; sums of 8 + 8 + ceil(log2 384) bits.
    assert_eq!((of("sram", "input", "read_bits"), report["bits"]["sum"].as_u64()), (589_824 * 8, Some(25)));
    assert!(report["energy_j"].is_null());
}

/// Narrow weights, and memories of a described machine.
#[test]
fn memories_of_a_machine_are_waited_for() {
    let bench = Bench::new();
    let flags = format!("{WS} --weight-bits 4 --input-bits 1 --hw systolic-28");
    let report = json(&bench, &flags);
    let cycles = &report["cycles"];
    let part = |key: &str| cycles[key].as_f64().unwrap();
    let parts = ["ideal", "under_utilisation", "fill_drain", "port_stall", "dram_stall", "load", "store"];
    assert!((parts.map(part).iter().sum::<f64>() - part("total")).abs() < 1e-6);
    assert_eq!(part("compute"), 63_360.0);
    assert!(part("load") > 0.0 && part("total") > part("compute"));
    // Wider weights take longer to load.
    let wide = json(&bench, &flags.replace("--weight-bits 4", "--weight-bits 8"));
    assert!(wide["cycles"]["total"].as_f64() > cycles["total"].as_f64());
    assert!(wide["energy_j"]["total"].as_f64() > report["energy_j"]["total"].as_f64());
}

/// Two tiles of K = 4 on 2 x 2, with the arithmetic.
#[test]
fn stonne_and_a_mapping_by_hand() {
    let bench = Bench::new();
    let stonne = json(&bench, "gemm --array 8x8 --dataflow os -M 10 -N 12 -K 14 --edges actual --overhead 3");
    // Tiles of 8 x 8, 8 x 4, 2 x 8 and 2 x 4, each r + c + 14 + 3.
    assert_eq!(stonne["cycles"]["compute"], 33.0 + 29.0 + 27.0 + 23.0);
    let mapping = r#"Mapping(levels: [
        (name: "dram", keeps: [Inputs, Weights, Outputs], loops: [For(K, 2), For(N, 2)]),
        (name: "sram", keeps: [Inputs, Weights, Outputs], loops: [Spatial(M, 2), Spatial(N, 2)]),
        (name: "array", keeps: [Outputs], loops: [For(K, 4)]),
    ])"#;
    bench.write("two.ron", mapping);
    let report = json(&bench, "gemm --array 2x2 --mapping two.ron -M 2 -N 4 -K 8");
    // Two tiles of K and two of N: four folds of 4 + 2 + 2 - 2 cycles.
    assert_eq!((&report["folds"], &report["cycles"]["compute"]), (&4.into(), &24.0.into()));
    let of = |level: &str, matrix: &str, key: &str| report["accesses"][level][matrix][key].as_u64().unwrap();
    // The 8 sums of the first tile of K go off chip and come back for the second.
    assert_eq!((of("dram", "output", "writes"), of("dram", "output", "reads")), (16, 8));
    assert_eq!((of("sram", "output", "writes"), of("sram", "output", "reads")), (16 + 8, 8 + 16));
    assert_eq!((of("dram", "input", "reads"), of("dram", "weight", "reads")), (16, 32));
    assert_eq!(of("sram", "input", "reads"), 32);
}

#[test]
fn the_loops_are_printed() {
    let bench = Bench::new();
    let output =
        bench.run(&words("gemm --array 4x8 --dataflow is -M 10 -N 6 -K 9 --weight-bits 4 --input-bits 1"));
    assert_snapshot!(String::from_utf8(output.stdout).unwrap(), @r"
    10 x 9 by 9 x 6, inputs of 1 and weights of 4 bits, sums of 8
    4 x 8 array, input stationary, 6 folds, 14.1 % of the units busy

    cycles                      120, of which the array 120
      ideal                      17
      under-utilisation          19
      fill and drain             84

    level         matrix            reads         writes        bits read     bits written
    dram          inputs               90              0               90                0
    dram          weights              54              0              216                0
    dram          outputs               0             60                0              480
    sram          inputs               90             90               90               90
    sram          weights             108             54              432              216
    sram          outputs             180            180             1440             1440
    array         inputs              540             90              540               90

    dram        | keeps inputs, weights, outputs
    sram        | keeps inputs, weights, outputs
                | for m in 0..2
                |   for k in 0..3
                |     side by side k in 0..4
                |       side by side m in 0..8
    array       | keeps inputs
                |         for n in 0..6
    ");
}

fn small_machine(bytes: u64, objective: &str) -> Machine {
    let text = include_str!("../../hw_configs/systolic-28.ron");
    let text = text
        .replace("capacity_bytes: (value: 98304", &format!("capacity_bytes: (value: {bytes}"))
        .replace("capacity_bytes: (value: 65536", &format!("capacity_bytes: (value: {bytes}"))
        .replace("objective: EnergyDelay", &format!("objective: {objective}"));
    Machine::new(Hardware::parse(&text, "small.ron").unwrap()).unwrap()
}

/// The search against all tiles, of any number of steps, in all orders.
#[test]
fn no_tile_of_a_small_product_is_better_than_the_chosen_one() {
    let gemm = Gemm::new(24, 20, 40);
    let (operands, array) = (GemmOperands::new(gemm, 8, 8), ArrayTiming::new(4, 4));
    for (bytes, objective) in [(1024, "Energy"), (400, "Energy"), (1024, "Latency"), (400, "EnergyDelay")] {
        let machine = small_machine(bytes, objective);
        let score =
            |cost: &spiq::cost::GemmCost| machine.score(cost.cycles.total(), cost.energy_j.unwrap().total());
        let (nest, chosen) = best_nest(&operands, &Dataflow::OF_ARRAYS, &array, &machine, &[]).unwrap();
        assert_eq!(gemm_cost(&operands, &nest, &array, Some(&machine)).unwrap(), chosen);
        let (mut least, mut tried) = (f64::INFINITY, 0);
        for flow in Dataflow::OF_ARRAYS {
            let steps = Nest::steps(flow, [4, 4], &gemm);
            for m in 1..=steps[0] {
                for (n, k) in (1..=steps[1]).flat_map(|n| (1..=steps[2]).map(move |k| (n, k))) {
                    for order in ORDERS {
                        let nest = Nest::tiled(flow, [4, 4], &gemm, &[m, n, k], &order);
                        if let Ok(cost) = gemm_cost(&operands, &nest, &array, Some(&machine)) {
                            (least, tried) = (least.min(score(&cost)), tried + 1);
                        }
                    }
                }
            }
        }
        assert!(tried > 1000, "{tried}");
        // The search does not try all sizes, but here the best of them.
        let ratio = score(&chosen) / least;
        assert!((ratio - 1.0).abs() < 1e-9, "{bytes} {objective}: {ratio}");
    }
}

#[test]
fn more_memory_never_costs_more_under_the_best_tiles() {
    let operands = GemmOperands::new(Gemm::new(100, 120, 200), 1, 4);
    let array = ArrayTiming::new(8, 8);
    let cycles = |bytes| {
        let machine = small_machine(bytes, "Latency");
        best_nest(&operands, &Dataflow::OF_ARRAYS, &array, &machine, &[]).unwrap().1.cycles.total()
    };
    let all: Vec<f64> = [512, 1024, 2048, 4096, 16_384, 65_536].map(cycles).to_vec();
    assert!(all.windows(2).all(|pair| pair[1] <= pair[0]), "{all:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any tiles that are chosen fit, nothing is negative, every element moves at least once, outputs once, energy is
    /// the sum of what moved times what it costs, and more bandwidth never costs time.
    #[test]
    fn laws_of_chosen_tiles(
        m in 1u64..150, n in 1u64..150, k in 1u64..150, bits in 1u32..9, r in 1u32..20, c in 1u32..20,
        log_bytes in 10u32..17,
    ) {
        let machine = small_machine(1 << log_bytes, "EnergyDelay");
        let operands = GemmOperands::new(Gemm::new(m, n, k), bits, 8);
        let array = ArrayTiming::new(r, c);
        let (nest, cost) = best_nest(&operands, &Dataflow::OF_ARRAYS, &array, &machine, &[]).unwrap();
        prop_assert_eq!(&gemm_cost(&operands, &nest, &array, Some(&machine)).unwrap(), &cost);
        let energy = cost.energy_j.unwrap();
        let parts = [cost.cycles.parts(), energy.parts()].concat();
        prop_assert!(parts.iter().all(|x| x.is_finite() && *x >= -1e-9));
        prop_assert!(cost.utilisation() <= 1.0 && cost.cycles.total() >= cost.compute_cycles() * (1.0 - 1e-12));
        for (matrix, operand, joules) in [
            (Matrix::Inputs, Operand::Activations, energy.activation_memory),
            (Matrix::Weights, Operand::Weights, energy.weight_memory),
            (Matrix::Outputs, Operand::PartialSums, energy.partial_sum_memory),
        ] {
            let elements = operands.gemm.elements(matrix);
            let (outside, inside) = (cost.counts.of(0, matrix), cost.counts.of(1, matrix));
            prop_assert!(outside.all_reads() + outside.all_writes() >= elements);
            prop_assert!(inside.all_reads() >= elements && inside.all_writes() >= elements);
            prop_assert!(matrix != Matrix::Outputs || outside.updates - outside.reads == elements);
            let (sram, moved) = (machine.memory(operand), &cost.traffic[1][matrix as usize]);
            let pj = moved.read_bits * sram.read_pj_per_bit + moved.written_bits * sram.write_pj_per_bit;
            prop_assert!((joules * 1e12 - pj).abs() <= 1e-9 * pj);
        }
        let mut faster = machine.clone();
        faster.dram.as_mut().unwrap().bits_per_cycle *= 2.0;
        let again = gemm_cost(&operands, &nest, &array, Some(&faster)).unwrap();
        prop_assert!(again.cycles.total() <= cost.cycles.total() * (1.0 + 1e-12));
    }
}

#[test]
fn bad_input() {
    let bench = Bench::new();
    let levels = |sram: &str, array: &str| {
        format!(
            "Mapping(levels: [(name: \"dram\", keeps: [Inputs, Weights, Outputs]),\n\
             (name: \"sram\", keeps: [Inputs, Weights, Outputs], loops: [{sram}]),\n\
             (name: \"array\", {array})])"
        )
    };
    let weights = "keeps: [Weights], loops: [For(M, 64)]";
    bench.write("fine.ron", levels("For(N, 24), For(K, 24), Spatial(N, 16), Spatial(K, 16)", weights));
    bench.write("short.ron", levels("For(N, 24), For(K, 20), Spatial(N, 16), Spatial(K, 16)", weights));
    bench.write("wide.ron", levels("For(N, 12), For(K, 24), Spatial(N, 32), Spatial(K, 16)", weights));
    bench.write(
        "side.ron",
        levels(
            "For(N, 24), For(K, 24), Spatial(N, 16), For(K, 16)",
            "keeps: [Weights], loops: [Spatial(M, 64)]",
        ),
    );
    bench.write(
        "two.ron",
        levels(
            "For(N, 24), For(K, 24), Spatial(N, 16), Spatial(K, 16)",
            "keeps: [Weights, Inputs], loops: [For(M, 64)]",
        ),
    );
    bench.write("typo.ron", levels("Fro(N, 24)", weights));
    let flat =
        "(name: \"dram\", keeps: [Inputs, Weights, Outputs], loops: [For(M, 64), For(N, 384), For(K, 384)])";
    bench.write("flat.ron", format!("Mapping(levels: [{flat}])"));
    let refusal = |flags: String| bench.refusal(&words(&flags)).trim_end().to_owned();
    let with = |from: &str, to: &str| WS.replace(from, to);
    let mapped = |file: &str| with("--dataflow ws", &format!("--mapping {file}"));
    let cases = [
        ("no rows", with("16x16", "0x4")),
        ("in words", with("16x16", "8by8")),
        ("negative", with("16x16", "-4x4")),
        ("too many", with("16x16", "16x65537")),
        ("nothing to do", with("-M 64", "-M 0")),
        ("too much to do", with("-M 64 -N 384 -K 384", "-M 16777216 -N 16777216 -K 2")),
        ("weights of no bits", format!("{WS} --weight-bits 0")),
        ("inputs of 33 bits", format!("{WS} --input-bits 33")),
        ("outputs wider than sums", format!("{WS} --output-bits 26")),
        ("less than no overhead", format!("{WS} --overhead -3")),
        ("a processor", format!("{WS} --hw cortex-m4")),
        (
            "no room for one tile",
            with("16x16", "1024x1024").replace("-N 384 -K 384", "-N 3840 -K 3840") + " --hw systolic-28",
        ),
        ("K not covered", mapped("short.ron")),
        ("array too small", mapped("wide.ron")),
        ("side by side in the array", mapped("side.ron")),
        ("two matrices in the array", mapped("two.ron")),
        ("one level", mapped("flat.ron")),
        ("not in memory", mapped("fine.ron") + " --hw systolic-28"),
        ("no loop", mapped("typo.ron")),
        ("no file", mapped("absent.ron")),
    ];
    assert_snapshot!(lines(cases, refusal), @r#"
    no rows
      error: --array: "0x4" is not ROWSxCOLUMNS with both in 1..=65536, as 16x16
    in words
      error: --array: "8by8" is not ROWSxCOLUMNS with both in 1..=65536, as 16x16
    negative
      error: --array: "-4x4" is not ROWSxCOLUMNS with both in 1..=65536, as 16x16
    too many
      error: --array: "16x65537" is not ROWSxCOLUMNS with both in 1..=65536, as 16x16
    nothing to do
      error: -M: 0 is not in 1..=16777216
    too much to do
      error: -M -N -K: more than 281474976710656 multiplications
    weights of no bits
      error: --weight-bits: 0 is not in 1..=32
    inputs of 33 bits
      error: --input-bits: 33 is not in 1..=32
    outputs wider than sums
      error: --output-bits: 26 is not in 1..=25
    less than no overhead
      error: --overhead: -3 is not in -2..=1000000
    a processor
      error: --hw cortex-m4: units: no array beside memories: SpikeLanes or Systolic have one
    no room for one tile
      error: hardware systolic-28: the smallest tiles: levels: sram: tiles of Weights take 2097152 bytes, and memory weight SRAM of systolic-28 holds 98304 (capacity_bytes)
    K not covered
      error: short.ron: levels: loops: the loops over K reach 320, and the product has K = 384
    array too small
      error: wide.ron: levels: sram: loops: Spatial(N, 32): the array has 16 columns, not 32
    side by side in the array
      error: side.ron: levels: array: loops: Spatial(M, 64): weight stationary the array runs K and N side by side, at level sram
    two matrices in the array
      error: two.ron: levels: array: keeps: expected one of Inputs, Weights, Outputs: what stays in the array
    one level
      error: flat.ron: levels: 1 of them, expected at least three: off chip, on chip, array
    not in memory
      error: fine.ron: levels: sram: tiles of Weights take 147456 bytes, and memory weight SRAM of systolic-28 holds 98304 (capacity_bytes)
    no loop
      error: typo.ron:2:59: Unexpected variant named `Fro` in enum `Loop`, expected either `For` or `Spatial` instead
    no file
      error: absent.ron: No such file or directory (os error 2)
    "#);
    let output = bench.run(&words(&mapped("fine.ron")));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
