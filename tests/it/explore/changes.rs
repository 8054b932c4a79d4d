//! `--set`: fields of a machine by their paths.

use std::process::{Command, Output};

use spiq::cost::Machine;
use spiq::error::Result;
use spiq::hw::{Change, Description, Hardware};

fn changed(base: &str, changes: &[&str]) -> Result<Hardware> {
    let changes = changes.iter().map(|text| Change::parse(text)).collect::<Result<Vec<_>>>()?;
    Ok(Description::load(base)?.changed(&changes)?.0)
}

fn refusal(base: &str, change: &str) -> String {
    changed(base, &[change]).unwrap_err().to_string()
}

#[test]
fn any_kind_of_field_is_reached() {
    let machine = changed(
        "edge-28",
        &[
            "clock_hz=500e6",
            "memories.weight SRAM.capacity_bytes=64KiB",
            "dram.part=LPDDR5-6400",
            "units.lanes.layouts.*.lanes.OutputChannels=32",
            "units.lanes.zeros=Gated",
            "units.SpikeLanes.max_weight_bits=4",
            "placements.0=Outermost",
            "images_in_flight=2",
            "memories.state SRAM.macro_model=Cacti(HighPerformance)",
            "objective=Latency",
        ],
    )
    .unwrap();
    let other = Hardware::load("edge-28").unwrap().0;
    assert_eq!(machine.clock_hz.value, 5e8);
    assert_eq!(machine.clock_hz.source, "set in the place of 400e6");
    assert_eq!(machine.memories[0].capacity_bytes.value, 65536);
    assert_eq!(machine.memories[1], other.memories[1]);
    assert_eq!(machine.dram.as_ref().unwrap().part, "LPDDR5-6400");
    assert_eq!(machine.images_in_flight().to_string(), "2");
    let text = format!("{:?}", machine.units[0]);
    assert!(text.contains("zeros: Gated") && !text.contains("OutputChannels, 64"), "{text}");
    assert!(text.contains("(Positions, 4), (OutputChannels, 32)") || text.contains("32"), "{text}");
    assert!(machine.name.starts_with("edge-28+clock_hz=500e6+memories.weight SRAM"), "{}", machine.name);
    assert!(Machine::new(machine).is_ok());
}

/// The machine that a specification with changes names is the text with the changes, whoever writes it down.
#[test]
fn a_changed_machine_is_what_its_text_says() {
    let folder = tempfile::tempdir().unwrap();
    let spec = "edge-28+clock_hz=5e+8+dram.part=LPDDR4X-4266";
    let (machine, sha256) = Hardware::load(spec).unwrap();
    assert_eq!(machine.name, spec);
    let changes = [Change::parse("clock_hz=5e+8").unwrap(), Change::parse("dram.part=LPDDR4X-4266").unwrap()];
    assert_eq!(Change::split(spec).unwrap(), ("edge-28", changes.to_vec()));
    let text = Description::load("edge-28").unwrap().text_with(&changes).unwrap();
    assert!(text.contains("// A 28 nm edge accelerator"));
    let path = folder.path().join("a+b=c.ron");
    std::fs::write(&path, text).unwrap();
    assert_eq!(Hardware::load(path.to_str().unwrap()).unwrap(), (machine, sha256));
}

#[test]
fn json_is_changed_as_ron_is() {
    let ron = "(name: \"a\", list: [B(x: 1, name: \"n\"), C], size: (value: 2, source: \"s\"))";
    let json = "{\"name\": \"a\", \"list\": [{\"B\": {\"x\": 1, \"name\": \"n\"}}, \"C\"], \"size\": {\"value\": 2, \"source\": \"s\"}}";
    // RON and JSON are read as machines are; nothing here is one, so only the paths are told apart.
    for text in [ron, json] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.ron");
        std::fs::write(&path, text).unwrap();
        let message = refusal(path.to_str().unwrap(), "list.n.y.z=3");
        assert!(message.contains("there is no \"y\"; nearest: x, name"), "{message}");
        let message = refusal(path.to_str().unwrap(), "list.m=3");
        assert!(message.contains("there is no \"m\"; nearest: "), "{message}");
    }
}

#[test]
fn what_is_wrong_is_said_with_the_path() {
    let cases = [
        ("clokc_hz=5e8", "clokc_hz=5e8: there is no \"clokc_hz\"; nearest: clock_hz, "),
        ("memories.weights.capacity_bytes=1", "there is no \"weights\"; nearest: weight SRAM, state SRAM"),
        ("memories.weight SRAM.capacity=1", "there is no \"capacity\"; nearest: capacity_bytes, "),
        ("dram.port.bits_per_cycle=8", "there is no \"port\"; nearest: part, "),
        ("clock_hz=fast", "clock_hz=fast: Expected float"),
        ("units.lanes.zeros=Skipped", "units.lanes.zeros=Skipped: "),
        ("memories.0.holds.3=Weights", "there is no \"3\""),
        ("objective.x=1", "EnergyDelay has no fields: \"x\" is one too many"),
        ("units.*.speed=1", "none of them has \"speed\""),
        ("clock_hz=-1", "edge-28.ron+clock_hz=-1: clock_hz: -1.0 is not in 1000.0..="),
        ("dram.bus_width_bits=24", "dram.bus_width_bits: 24 is no whole number of devices"),
        ("clock_hz=1, speed: 2", "clock_hz=1, speed: 2: "),
        ("clock_hz=1 // ", ""),
        ("name=", "is no PATH=VALUE"),
        ("=3", "is no PATH=VALUE"),
        ("clock_hz", "is no PATH=VALUE"),
        ("clock_hz=\"a\" b\"", "is no PATH=VALUE"),
    ];
    for (change, expected) in cases {
        let parsed = Change::parse(change).map_err(|e| e.to_string());
        let message = match parsed {
            Err(message) => message,
            Ok(_) if expected.is_empty() => continue,
            Ok(_) => refusal("edge-28", change),
        };
        assert!(message.contains(expected), "{change}: {message}");
    }
    assert!(refusal("edge-28", "units.Vector.layouts=1").contains("nearest: "));
}

fn spiq(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spiq")).args(arguments).output().unwrap()
}

#[test]
fn commands_take_changes() {
    let gemm = ["gemm", "--array", "16x16", "-M", "64", "-N", "64", "-K", "64", "--hw", "systolic-28"];
    let told = |extra: &[&str]| String::from_utf8(spiq(&[&gemm[..], extra].concat()).stdout).unwrap();
    assert_ne!(told(&["--json"]), told(&["--json", "--set", "memories.0.bandwidth_bits_per_cycle=8"]));
    let set = ["--set", "clock_hz=1e9"];
    let described =
        spiq(&[&["describe", "sdtv1_2-64_fashion", "--quant", "w4", "--hw", "edge-28"], &set[..]].concat());
    let text = String::from_utf8(described.stdout).unwrap();
    assert!(text.contains("edge-28+clock_hz=1e9"), "{text}");
    let refused = spiq(&[&gemm[..9], &["--dataflow", "ws"], &set[..]].concat());
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--set: there is no machine to change"));
    let refused = spiq(&["simulate", "--rates", "sdtv1_2-64_fashion", "--set", "clock=1"]);
    assert_eq!(refused.status.code(), Some(2));
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(message.contains("clock=1: there is no \"clock\"; nearest: clock_hz"), "{message}");
}

/// Machines with changes are described like those without, and may be changed again.
#[test]
fn changed_machines_are_described_as_they_are_loaded() {
    let spec = "edge-28+dram.part=GDDR6-14000+dram.bus_width_bits=32";
    let (described, _) = Description::load(spec).unwrap().changed(&[]).unwrap();
    assert_eq!(described, Hardware::load(spec).unwrap().0);
    let dram = described.dram.unwrap();
    assert_eq!((&*described.name, &*dram.part, dram.bus_width_bits.value), (spec, "GDDR6-14000", 32));
    let (again, _) =
        Description::load(spec).unwrap().changed(&[Change::parse("clock_hz=500e6").unwrap()]).unwrap();
    assert_eq!((again.name, again.clock_hz.value), (format!("{spec}+clock_hz=500e6"), 500e6));
}
