//! Products behind several on-chip memories, and with operands that stay.

use insta::assert_snapshot;
use serde_json::Value;
use spiq::cost::{ArrayTiming, GemmCost, GemmOperands, Machine, best_nest, gemm_cost};
use spiq::hw::{Hardware, Operand};
use spiq::map::{Dataflow, Gemm, Held, Matrix, Nest};

use super::{ORDERS, json, words};
use crate::bad_input::support::{Bench, lines};

/// `systolic-28` with a memory behind those of weights and activations, in bytes; `None` leaves it out.
fn description(near_bytes: u64, behind_bytes: Option<u64>) -> String {
    let text = include_str!("../../../hw_configs/systolic-28.ron");
    let mut text = text.replace("objective: EnergyDelay", "objective: Energy");
    for bytes in ["98304", "65536"] {
        text = text.replace(
            &format!("capacity_bytes: (value: {bytes}"),
            &format!("capacity_bytes: (value: {near_bytes}"),
        );
    }
    let behind = behind_bytes.map_or(String::new(), |bytes| {
        format!(
            "(name: \"global SRAM\", holds: [Weights, Activations], feeds: [\"weight SRAM\", \"activation SRAM\"], \
             capacity_bytes: (value: {bytes}, source: \"test\"), word_bits: (value: 64, source: \"test\"), \
             bandwidth_bits_per_cycle: (value: 64, source: \"test\"), macro_model: Cacti(LowPower)),"
        )
    });
    // Residual streams are no part of a product.
    let text = text.replace("holds: [Activations, Residual]", "holds: [Activations]");
    let text = text.replace("holds: [PartialSums, Membranes]", "holds: [PartialSums, Membranes, Residual]");
    text.replace("    memories: [", &format!("    memories: [{behind}"))
}

fn machine(near_bytes: u64, behind_bytes: Option<u64>) -> Machine {
    Machine::new(Hardware::parse(&description(near_bytes, behind_bytes), "levels.ron").unwrap()).unwrap()
}

const TWO_LEVELS: &str = r#"Mapping(levels: [
    (name: "dram", keeps: [Inputs, Weights, Outputs], loops: [For(N, 2)]),
    (name: "global", keeps: [Inputs, Weights], loops: [For(K, 2)]),
    (name: "near", keeps: [Inputs, Weights, Outputs], loops: [Spatial(K, 2), Spatial(N, 2)]),
    (name: "array", keeps: [Weights], loops: [For(M, 4)]),
])"#;

/// 4 x 4 by 4 x 4 on 2 x 2, weight stationary, with tiles of N off chip and of K in the memory behind.
#[test]
fn two_levels_by_hand() {
    let bench = Bench::new();
    bench.write("two.ron", TWO_LEVELS);
    bench.write("levels.ron", description(1024, Some(4096)));
    let report = json(&bench, "gemm --array 2x2 --hw levels.ron --mapping two.ron -M 4 -N 4 -K 4");
    let of = |level: &str, matrix: &str, key: &str| report["accesses"][level][matrix][key].as_u64().unwrap();
    // Every weight comes once through both memories.
    assert_eq!((of("dram", "weight", "reads"), of("global", "weight", "writes")), (16, 16));
    assert_eq!((of("global", "weight", "reads"), of("near", "weight", "writes")), (16, 16));
    // All inputs wait behind; each of two tiles of K comes for each of two tiles of N.
    assert_eq!((of("dram", "input", "reads"), of("global", "input", "writes")), (16, 16));
    assert_eq!((of("global", "input", "reads"), of("near", "input", "writes")), (32, 32));
    // Four folds leave 4 x 2 sums each; half of them are added to; complete ones pass the memory behind.
    assert_eq!((of("near", "output", "reads_of_partial_sums"), of("dram", "output", "writes")), (16, 16));
    assert!(report["accesses"]["global"]["output"].is_null());
    // Four folds of 2 2 + 2 + 4 - 2 cycles.
    assert_eq!(report["cycles"]["compute"], 32.0);

    let machine = machine(1024, Some(4096));
    let nest = Nest::parse(TWO_LEVELS, "two.ron", &Gemm::new(4, 4, 4)).unwrap();
    let operands = GemmOperands::new(Gemm::new(4, 4, 4), 8, 8);
    let cost = gemm_cost(&operands, &nest, &ArrayTiming::new(2, 2), Some(&machine)).unwrap();
    let inner = machine.memory(Operand::Weights);
    let global = &machine.memories[machine.behind[Operand::Weights][0]];
    // A row of two weights of 8 bits takes a word of 128: eight rows are read.
    let pj = 8.0 * 128.0 * inner.read_pj_per_bit
        + 128.0 * (inner.write_pj_per_bit + global.read_pj_per_bit + global.write_pj_per_bit);
    assert!((cost.energy_j.unwrap().weight_memory * 1e12 - pj).abs() < 1e-9 * pj);
    // Inward the memory behind writes 32 elements and reads 48, 64 bits a cycle; the first of four tiles is waited for.
    assert!((cost.cycles.load - (32.0 + 48.0) * 8.0 / 64.0 / 4.0).abs() < 1e-9, "{}", cost.cycles.load);
}

/// What stays on chip does not move off chip, and has to be there as a whole.
#[test]
fn weights_that_stay_are_not_loaded() {
    let bench = Bench::new();
    let product = "gemm --hw systolic-28 -M 64 -N 96 -K 96";
    let (loaded, stays) = (json(&bench, product), json(&bench, &format!("{product} --resident weights")));
    assert_eq!(loaded["accesses"]["dram"]["weight"]["read_bits"], 96 * 96 * 8);
    assert!(stays["accesses"]["dram"]["weight"].is_null());
    assert_eq!(stays["accesses"]["dram"]["input"]["reads"], 64 * 96);
    let dram_j = |report: &Value| report["energy_j"]["dynamic"]["dram"].as_f64().unwrap();
    assert!(dram_j(&stays) < 0.7 * dram_j(&loaded), "{} {}", dram_j(&stays), dram_j(&loaded));
    let nothing = json(&bench, &format!("{product} --resident inputs,weights,outputs"));
    assert!(nothing["accesses"]["dram"].as_object().unwrap().is_empty());
}

/// The array of the machine, with its edges and its overhead.
#[test]
fn the_array_of_a_machine() {
    let bench = Bench::new();
    let product = "-M 64 -N 384 -K 384 --weight-bits 4 --input-bits 1 --hw systolic-28";
    let (own, given) =
        (json(&bench, &format!("gemm {product}")), json(&bench, &format!("gemm --array 16x16 {product}")));
    assert_eq!((&own["unit"], &given["unit"]), (&"array".into(), &Value::Null));
    for key in ["cycles", "energy_j", "accesses", "mapping", "array"] {
        assert_eq!(own[key], given[key], "{key}");
    }
    let mut only = description(65_536, None);
    only = only.replace("            gated: true,", "            keeps: [Inputs],\n            gated: true,");
    bench.write("only.ron", only);
    let product = "gemm -M 64 -N 384 -K 384 --hw only.ron";
    assert_eq!(json(&bench, product)["dataflow"], "is");
    let refused = [
        ("dataflow that it has not", format!("{product} --dataflow ws")),
        ("lanes", "gemm -M 4 -N 4 -K 4 --hw edge-28".to_owned()),
        ("no room to stay", "gemm -M 4 -N 4096 -K 4096 --hw systolic-28 --resident weights".to_owned()),
    ];
    assert_snapshot!(lines(refused, |flags: String| bench.refusal(&words(&flags)).trim_end().to_owned()), @r"
    dataflow that it has not
      error: --hw only.ron: units: keeps: no array has the dataflow of --dataflow
    lanes
      error: --hw edge-28: units: none is Systolic: --array names the array that its memories feed
    no room to stay
      error: hardware systolic-28: the smallest tiles: levels: sram: tiles of Weights take 16777216 bytes, and memory weight SRAM of systolic-28 holds 98304 (capacity_bytes)
    ");
}

#[test]
fn levels_that_can_not_be() {
    let bench = Bench::new();
    bench.write("levels.ron", description(1024, Some(64)));
    bench.write("flat.ron", description(1024, None));
    bench.write("two.ron", TWO_LEVELS);
    bench.write(
        "parts.ron",
        TWO_LEVELS.replace("[Inputs, Weights, Outputs], loops: [For(N, 2)]", "[Inputs], loops: [For(N, 2)]"),
    );
    bench.write(
        "sums.ron",
        TWO_LEVELS.replace("\"global\", keeps: [Inputs, Weights]", "\"global\", keeps: [Inputs, Outputs]"),
    );
    bench.write(
        "none.ron",
        TWO_LEVELS.replace("near\", keeps: [Inputs, Weights, Outputs]", "near\", keeps: [Inputs, Weights]"),
    );
    let with = |mapping: &str, hw: &str| {
        format!("gemm --array 2x2 --hw {hw} --mapping {mapping} -M 4 -N 4 -K 4 --weight-bits 32")
    };
    let refused = [
        ("one level on the machine", with("two.ron", "flat.ron")),
        ("weights that stay in parts", with("parts.ron", "levels.ron")),
        ("no room behind", with("two.ron", "levels.ron")),
        ("sums behind", with("sums.ron", "levels.ron")),
        ("sums nowhere", with("none.ron", "levels.ron")),
    ];
    assert_snapshot!(lines(refused, |flags: String| bench.refusal(&words(&flags)).trim_end().to_owned()), @r"
    one level on the machine
      error: two.ron: levels: global: keeps: Inputs: systolic-28 has 1 on-chip level(s) of Activations, and more levels keep them
    weights that stay in parts
      error: parts.ron: levels: global: keeps: Weights are not in dram, so all 16 of them stay here, and a tile is 8
    no room behind
      error: two.ron: levels: global: tiles of Inputs and Weights take 80 bytes, and memory global SRAM of systolic-28 holds 64 (capacity_bytes)
    sums behind
      error: sums.ron: levels: global: keeps: Outputs: systolic-28 has 1 on-chip level(s) of PartialSums, and more levels keep them
    sums nowhere
      error: none.ron: levels: near: keeps: Outputs have no home on the chip
    ");
}

/// The search over two levels against all tiles of both, in all orders.
#[test]
fn no_tiles_of_two_levels_are_better_than_the_chosen_ones() {
    let gemm = Gemm::new(4, 6, 6);
    let (operands, array) = (GemmOperands::new(gemm, 8, 8), ArrayTiming::new(2, 2));
    for (near, behind) in [(64, 128), (48, 72), (128, 64)] {
        let machine = machine(near, Some(behind));
        let score = |cost: &GemmCost| machine.score(cost.cycles.total(), cost.energy_j.unwrap().total());
        for flow in Dataflow::OF_ARRAYS {
            let (nest, chosen) = best_nest(&operands, &[flow], &array, &machine, &[]).unwrap();
            assert_eq!(gemm_cost(&operands, &nest, &array, Some(&machine)).unwrap(), chosen);
            let least = least_of_all(&operands, flow, &array, &machine);
            let ratio = score(&chosen) / least;
            assert!((1.0 - 1e-9..1.01).contains(&ratio), "{near} {behind} {flow:?}: {ratio}\n{nest}");
        }
    }
}

/// The least score of every tile of every size at both levels.
fn least_of_all(operands: &GemmOperands, flow: Dataflow, array: &ArrayTiming, machine: &Machine) -> f64 {
    let steps = Nest::steps(flow, [2, 2], &operands.gemm);
    let tiles = |most: [u64; 3]| {
        let along = move |i: usize| 1..=most[i];
        along(0).flat_map(move |m| along(1).flat_map(move |n| along(2).map(move |k| [m, n, k])))
    };
    let mut least = f64::INFINITY;
    for outer in tiles(steps) {
        for inner in tiles(outer) {
            for (first, second) in ORDERS.iter().flat_map(|a| ORDERS.iter().map(move |b| (a, b))) {
                let behind = [Matrix::Inputs, Matrix::Weights];
                let held = [
                    Held { name: "behind", keeps: &behind, tile: outer, order: first },
                    Held { name: "near", keeps: &Matrix::ALL, tile: inner, order: second },
                ];
                let nest = Nest::in_levels(flow, [2, 2], &operands.gemm, &held);
                if let Ok(cost) = gemm_cost(operands, &nest, array, Some(machine)) {
                    least = least.min(machine.score(cost.cycles.total(), cost.energy_j.unwrap().total()));
                }
            }
        }
    }
    least
}
