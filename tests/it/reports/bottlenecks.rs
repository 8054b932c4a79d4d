//! What is said to help does: whoever describes the machine with the change gets what the sentence says.

use std::fs;

use serde_json::Value;

use super::{list, number};
use crate::bad_input::support::{Bench, bundled_text, change};

/// `edge-28` as it is, or changed, at the rates of the bundled network.
fn charged(bench: &Bench, machine: &str) -> Value {
    bench.write("machine.ron", machine);
    let flags = ["--rates", "sdtv1_2-64_fashion", "--hw", "machine.ron", "--quant", "fp32", "--quant", "w4"];
    let output = bench.run(&[&["simulate", "--quiet"], &flags[..]].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_str(&fs::read_to_string(bench.path("spiq-out/report.json")).unwrap()).unwrap()
}

/// The first layer of setting number `setting` whose remedy is `change`, and the remedy.
fn remedy<'a>(report: &'a Value, setting: usize, change: &str) -> (&'a str, &'a Value) {
    let all = list(&report["settings"][setting], "bottlenecks");
    let found = all.iter().find(|said| said["remedy"]["change"] == change);
    let found = found.unwrap_or_else(|| panic!("{change} is none of {all:#?}"));
    (found["layer"].as_str().unwrap(), &found["remedy"])
}

#[test]
fn remedies_are_what_the_changed_machine_costs() {
    let bench = Bench::new();
    let edge = bundled_text("hw_configs/edge-28.ron");
    let before = charged(&bench, &edge);
    let layout = "(keeps: Outputs, lanes: [(Positions, 16), (OutputChannels, 16)], source: \"tried\"), ";
    let banks = change(&edge, "banks: (value: 16,", "banks: (value: 32,");
    let changes = [
        (
            1,
            "a layout [(Positions, 16), (OutputChannels, 16)] of lanes that keeps Outputs",
            change(&edge, "layouts: [", &format!("layouts: [{layout}")),
        ),
        (
            0,
            "twice the banks of weight SRAM",
            change(
                &banks,
                "bandwidth_bits_per_cycle: (value: 1024,",
                "bandwidth_bits_per_cycle: (value: 2048,",
            ),
        ),
        (
            0,
            "weight SRAM of 688 KiB, which keeps all weights",
            change(&edge, "capacity_bytes: (value: 98304,", "capacity_bytes: (value: 704512,"),
        ),
    ];
    for (setting, words, machine) in changes {
        let (layer, remedy) = remedy(&before, setting, words);
        let after = charged(&bench, &machine);
        let agrees = |part: &str, of: &dyn Fn(&Value) -> Value| {
            for (ratio, pointer) in [("energy_ratio", "/energy_j/total"), ("cycles_ratio", "/cycles/total")] {
                let said = number(remedy, &format!("/{part}/{ratio}"));
                let found = number(&of(&after), pointer) / number(&of(&before), pointer);
                assert!((said / found - 1.0).abs() < 1e-9, "{words}: {part} {ratio}: {said} and {found}");
            }
        };
        agrees("network", &|report| report["settings"][setting].clone());
        agrees("layer", &|report| {
            let layers = list(&report["settings"][setting], "layers");
            layers.iter().find(|other| other["name"] == layer).unwrap().clone()
        });
    }
}

/// The heaviest come first, their shares are those of their figures, and what is tried is about their causes.
#[test]
fn the_five_heaviest_layers_are_named() {
    let bench = Bench::new();
    let report = charged(&bench, &bundled_text("hw_configs/edge-28.ron"));
    for setting in list(&report, "settings") {
        let share = |layer: &Value, pointer: &str| number(layer, pointer) / number(setting, pointer);
        let weight = |layer: &Value| share(layer, "/energy_j/total") + share(layer, "/cycles/total");
        let mut heaviest: Vec<&Value> = list(setting, "layers").iter().collect();
        heaviest.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
        let said = list(setting, "bottlenecks");
        assert_eq!(said.len(), 5);
        for (said, layer) in said.iter().zip(heaviest) {
            assert_eq!(said["layer"], layer["name"]);
            let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
            close(number(said, "/energy_share"), share(layer, "/energy_j/total"));
            close(number(said, "/cycles_share"), share(layer, "/cycles/total"));
            assert!(!list(said, "tried").is_empty(), "{said}");
        }
    }
}
