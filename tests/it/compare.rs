//! `spiq compare`: machines side by side, by one rule set and by that of a published evaluation.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn compare(out: &Path, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spiq"));
    command.args(["compare", "--quiet", "--json", "--out"]).arg(out).args(flags).output().unwrap()
}

fn report(out: &Path, flags: &[&str]) -> Value {
    let output = compare(out, flags);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {pointer}"))
}

/// The figures of `tests/data/published/spiking_accelerators.json`. Eyeriss follows from shapes alone and MINT
/// from the mean density: within 0.1 % and 5 %. PTB, SATO and Prosperity depend on how spikes lie, which is not
/// published: with independent ones, their distance is what it is, and any change of it is noticed.
#[test]
fn published_figures_by_their_rules() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/published/spiking_accelerators.json");
    let published: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let machines = ["eyeriss", "ptb", "sato", "mint", "prosperity"];
    let names = machines.map(|name| format!("{name}-28")).join(",");
    let folder = tempfile::tempdir().unwrap();
    // Latency and energy by their rules, over what they print.
    let networks = [
        (
            "spikformer_4-384_cifar10",
            "spikformer_cifar10",
            [[1.0000, 1.0000], [1.2980, 1.2552], [0.9337, 0.9721], [0.9948, 0.9977], [1.2368, 1.1157]],
        ),
        (
            "sdtv1_4-512_cifar10",
            "sdt_cifar10",
            [[1.0000, 1.0000], [1.2873, 1.2456], [0.9119, 0.9660], [0.9900, 0.9958], [1.2288, 1.1083]],
        ),
    ];
    for (model, key, golden) in networks {
        let flags = ["--model", model, "--rates", model, "--hw", &names, "--as-published"];
        let report = report(folder.path(), &flags);
        let found = report["machines"].as_array().unwrap().iter().zip(machines).zip(golden);
        for ((machine, name), [golden_latency, golden_energy]) in found {
            let printed = |what: &str| number(&published, &format!("/{what}/{key}/{name}"));
            let latency = number(machine, "/as_published/latency_s") * 1e3 / printed("latency_ms");
            let energy = number(machine, "/as_published/energy_j") * 1e3 / printed("energy_mj");
            assert!((latency - golden_latency).abs() < 5.1e-5, "{model} {name}: latency {latency}");
            assert!((energy - golden_energy).abs() < 5.1e-5, "{model} {name}: energy {energy}");
            // The file that the program reads is the file that it is tested against.
            let same = |found: f64, wanted: f64| (found / wanted - 1.0).abs() < 1e-12;
            assert!(same(number(machine, "/as_published/printed_latency_s"), printed("latency_ms") * 1e-3));
            assert!(same(number(machine, "/as_published/printed_energy_j"), printed("energy_mj") * 1e-3));
            let relative = number(&published, &format!("/dram_bits_relative_to_prosperity/{name}"));
            let bits = number(&published, &format!("/dram_bits_prosperity/{key}")) * relative;
            assert!(same(number(machine, "/as_published/dram_bits"), bits));
            assert!(number(machine, "/dram_bits") > 0.0);
        }
    }
}

/// A machine beside others is a machine alone, on the same images.
#[test]
fn machines_together_are_machines_alone() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["edge-28", "ptb-28", "prosperity-28", "mint-28", "loihi-14"];
    let images = ["--limit", "2", "--quant", "w4"];
    let together = report(folder.path(), &[&images[..], &["--hw", &names.join(",")]].concat());
    let machines = together["machines"].as_array().unwrap();
    for (name, machine) in names.into_iter().zip(machines).skip(1).step_by(2) {
        let alone = report(folder.path(), &[&images[..], &["--hw", name]].concat());
        assert_eq!(alone["machines"][0], *machine, "{name}");
        assert!(number(machine, "/evaluation/energy_j/total") > 0.0, "{name}");
    }
    let notes = |i: usize| machines[i]["evaluation"]["notes"].to_string();
    assert!(
        notes(1).contains("inputs that spike in a window are counted in the spikes of 2 images"),
        "{}",
        notes(1)
    );
    assert!(notes(2).contains("spikes that rows have in common are counted in the spikes of 2 images"));
    // Product sparsity adds less than stepping over zeros does.
    let synapses = |i: usize| number(&machines[i], "/evaluation/energy_j/dynamic/synapse");
    assert!(
        number(&machines[2], "/evaluation/cycles/ideal") < number(&machines[3], "/evaluation/cycles/ideal")
    );
    assert!(synapses(2) < synapses(3) && synapses(0) > 0.0);
    let csv = std::fs::read_to_string(folder.path().join("comparison.csv")).unwrap();
    assert!(csv.starts_with("hardware,setting,accuracy,"), "{csv}");
    for name in ["machines_energy.svg", "machines_energy.png", "machines_latency.svg", "machines_latency.png"]
    {
        assert!(folder.path().join("plots").join(name).exists(), "{name}");
    }
}

/// Expected from rates, patterns are those of a random draw, and the report says so.
#[test]
fn rates_cover_every_machine() {
    let folder = tempfile::tempdir().unwrap();
    let names =
        "edge-28,systolic-28,cortex-m4,eyeriss-28,ptb-28,sato-28,mint-28,prosperity-28,tpu-28,loihi-14";
    let report = report(folder.path(), &["--rates", "sdtv1_2-64_fashion", "--hw", names]);
    for machine in report["machines"].as_array().unwrap() {
        let (name, notes) = (&machine["hardware"]["name"], machine["evaluation"]["notes"].to_string());
        assert!(notes.contains("not executed"), "{name}: {notes}");
        let drawn = ["ptb-28", "prosperity-28"].contains(&name.as_str().unwrap());
        assert_eq!(notes.contains("one random draw"), drawn, "{name}: {notes}");
        assert!(number(machine, "/evaluation/latency_s") > 0.0);
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |flags: &[&str]| {
        let output = compare(&folder.path().join("out"), flags);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let rates = ["--rates", "sdtv1_2-64_fashion"];
    assert_eq!(refusal(&["--hw", "edge-28,edge-28"]), "error: --hw: two machines are named edge-28\n");
    assert_eq!(
        refusal(&["--hw", "mint-28", "--as-published", "--limit", "1"]),
        "error: --as-published counts spikes drawn at the rates of a file: --rates\n"
    );
    assert_eq!(
        refusal(&[&["--hw", "edge-28", "--as-published"], &rates[..]].concat()),
        "error: --as-published: nothing is published of hardware edge-28; `spiq list hw` says of which\n"
    );
    assert!(!folder.path().join("out").exists());
}

/// A residual stream that just fits leaves no room for activations that are worth more: twice the memory costs no more than
/// its dearer accesses.
#[test]
fn more_memory_for_maps_costs_next_to_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sizes =
        [131_072, 262_144].map(|bytes| format!("edge-28+memories.activation SRAM.capacity_bytes={bytes}"));
    let (network, hw) = ("sdtv1_4-512_cifar10", sizes.join(","));
    let report =
        report(folder.path(), &["--model", network, "--rates", network, "--quant", "w4", "--hw", &hw]);
    let [less, more] = [0, 1].map(|i| {
        let machine = &report["machines"][i];
        number(machine, "/evaluation/energy_j/total") * number(machine, "/evaluation/latency_s")
    });
    assert!(more < 1.03 * less, "{more} beside {less} Js");
}

/// Nine machines of one description: the ninth costs what the others do, and is not explained.
#[test]
fn the_first_eight_machines_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let edge =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/hw_configs/edge-28.ron")).unwrap();
    let write = |i: usize| {
        let path = folder.path().join(format!("edge-{i}.ron"));
        std::fs::write(&path, edge.replacen("\"edge-28\"", &format!("\"edge-{i}\""), 1)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let machines: Vec<String> = (0..9).map(write).collect();
    let flags = ["--rates", "sdtv1_2-64_fashion", "--quant", "w4", "--hw", &machines.join(",")];
    let report = report(&folder.path().join("out"), &flags);
    let machines = report["machines"].as_array().unwrap();
    let explained = |machine: &Value| machine["evaluation"]["bottlenecks"].as_array().unwrap().len();
    assert_eq!(machines.iter().map(explained).collect::<Vec<_>>(), [5, 5, 5, 5, 5, 5, 5, 5, 0]);
    for machine in machines {
        for figure in ["energy_j", "latency_s", "traffic_bits"] {
            assert!(!machine["evaluation"][figure].is_null());
            assert_eq!(machine["evaluation"][figure], machines[0]["evaluation"][figure], "{figure}");
        }
    }
}
