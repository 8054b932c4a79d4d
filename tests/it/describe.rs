//! `spiq describe --hw`: the loops of every layer, where its operands live, and the area.

use insta::assert_snapshot;
use serde_json::Value;

use crate::bad_input::support::Bench;

fn described(flags: &[&str]) -> String {
    let output = Bench::new().run(&[&["describe", "sdtv1_2-64_fashion", "--quant", "w4"], flags].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The paragraphs that start like that.
fn paragraphs(text: &str, starts: &[&str]) -> String {
    let wanted = |p: &&str| starts.iter().any(|start| p.starts_with(start));
    text.split("\n\n").filter(wanted).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn the_mapping_is_printed_as_loops_with_homes() {
    let text = described(&["--hw", "edge-28"]);
    let starts = [
        "hardware",
        "patch_embed.proj_conv:",
        "patch_embed.proj_conv1:",
        "block.0.attn.sdsa",
        "block.0.attn.proj",
    ];
    assert_snapshot!(paragraphs(&text, &starts), @r"
    hardware edge-28
    area 0.4820 mm2
      arithmetic       0.0246
      registers        0.0607
      neurons          0.0101
      requantizers     0.0283
      attention        0.0006
      crossbars        0.0359
      clock and control 0.0178
      weight memory    0.1279
      other memories   0.1761
    mapping for spikes at a rate of 10 % everywhere (assumed)
    weight SRAM: at most 89.7 of 96.0 KiB (93 %), while patch_embed.proj_conv runs
    activation SRAM: at most 32.2 of 64.0 KiB (50 %), while block.0.mlp.fc1_conv runs
    state SRAM: at most 0.0 of 64.0 KiB (0 %)

    patch_embed.proj_conv: output stationary, timesteps innermost, computed once, positions in 196 tiles
      activations in off-chip memory, passing through activation SRAM
      membranes in the array
      partial sums in the array
      weights in weight SRAM
      dram        | keeps inputs
                  | for m in 0..196
      sram        | keeps inputs, weights, outputs
                  |   side by side m in 0..4
                  |     side by side n in 0..8
      array       | keeps outputs
                  |       for k in 0..9

    patch_embed.proj_conv1: output stationary, timesteps innermost
      activations in activation SRAM
      membranes in the array
      partial sums in the array
      weights in weight SRAM
      dram        | keeps nothing
      sram        | keeps inputs, weights, outputs
                  | for m in 0..196
                  |   side by side m in 0..4
                  |     side by side n in 0..16
      array       | keeps outputs
                  |       for t in 0..4
                  |         for k in 0..72

    block.0.attn.sdsa: vector unit, timesteps innermost
      activations in activation SRAM

    block.0.attn.proj_conv: output stationary, timesteps innermost
      activations in activation SRAM
      membranes in the array
      partial sums in the array
      residual stream in activation SRAM
      weights in weight SRAM
      dram        | keeps nothing
      sram        | keeps inputs, weights, outputs
                  | for m in 0..13
                  |   side by side m in 0..4
                  |     side by side n in 0..64
      array       | keeps outputs
                  |       for t in 0..4
                  |         for k in 0..64
    ");
}

#[test]
fn a_machine_without_area_and_rates_of_a_file() {
    let text = described(&["--hw", "cortex-m4", "--rates", "sdtv1_2-64_fashion"]);
    assert_snapshot!(paragraphs(&text, &["hardware", "block.0.attn.proj"]), @r"
    hardware cortex-m4
    area not described
    mapping for spikes at the rates of models/rates/sdtv1_2-64_fashion.csv
    flash: at most 89.7 of 1024.0 KiB (9 %), while patch_embed.proj_conv runs
    SRAM: at most 58.2 of 384.0 KiB (15 %), while patch_embed.proj_conv2 runs

    block.0.attn.proj_conv: sequential, timesteps innermost
      activations in SRAM
      membranes in SRAM
      partial sums in registers
      residual stream in SRAM
      weights in flash
    ");
    let told: Value = serde_json::from_str(&described(&["--hw", "edge-28", "--json"])).unwrap();
    let mapping = &told["mapping"];
    let layers = mapping["layers"].as_array().unwrap();
    let join = layers.iter().find(|layer| layer["name"] == "block.0.attn.proj_conv").unwrap();
    assert_eq!(join["homes"]["residual stream"], "activation SRAM");
    assert_eq!(join["loops"][0], "dram        | keeps nothing");
    let parts: f64 =
        mapping["area_mm2"].as_object().unwrap().values().map(|part| part.as_f64().unwrap()).sum();
    assert!((0.3..0.5).contains(&parts), "{parts} mm2");
}

/// Weights and thresholds that follow from images: the accumulators are those of a run on the same images.
#[test]
fn calibrated_settings_are_described_as_they_run() {
    let bench = Bench::new();
    let model = "sdtv1_2-64_fashion";
    for quant in ["w3+gptq+rate", "w4+mse+gptq+bias"] {
        let described = bench.run(&["describe", model, "--quant", quant, "--data", "noise", "--json"]);
        assert!(described.status.success(), "{}", String::from_utf8_lossy(&described.stderr));
        let described: Value = serde_json::from_slice(&described.stdout).unwrap();
        assert!(described["calibrated_on"].as_str().unwrap().starts_with("noise, "), "{described}");
        let flags = ["--data", "noise", "--limit", "1", "--quant", quant, "--out", "rtl"];
        assert!(bench.run(&[&["export", "rtl"], &flags[..]].concat()).status.success());
        let exported: Value =
            serde_json::from_slice(&std::fs::read(bench.path("rtl/manifest.json")).unwrap()).unwrap();
        let layers = described["layers"].as_array().unwrap();
        let weighted =
            exported["layers"].as_array().unwrap().iter().filter(|layer| layer["kind"] == "weighted");
        let mut compared = 0;
        for layer in weighted {
            let same = layers.iter().find(|other| other["name"] == layer["name"]).unwrap();
            assert_eq!(same["accumulator_bits"], layer["accumulator_bits"], "{quant}: {}", layer["name"]);
            compared += 1;
        }
        assert!(compared > 4, "{exported}");
    }
    // What does not look at the default images is calibrated on noise, and what no image changes on nothing.
    let text = |model: &str, quant: &str| {
        let output = bench.run(&["describe", model, "--quant", quant]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let small = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/families/v1_events.ron");
    assert!(
        text(small, "w4+bias").contains("\ncalibrated on           noise, "),
        "{}",
        text(small, "w4+bias")
    );
    assert!(!text(model, "w4").contains("calibrated on"));
}

/// The file that `describe` prints gives the figures that were chosen, to the byte, where it is read again.
#[test]
fn a_mapping_that_is_printed_is_one_that_is_read() {
    let bench = Bench::new();
    let small = [
        "--set",
        "memories.weight SRAM.capacity_bytes=32KiB",
        "--set",
        "memories.activation SRAM.capacity_bytes=2KiB",
    ];
    let run = |command: &[&str], flags: &[&str]| {
        let rates = ["--rates", "sdtv1_2-64_fashion"];
        let output = bench.run(&[command, &small, &rates, flags].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let describe = ["describe", "sdtv1_2-64_fashion", "--quant", "w4", "--hw", "edge-28"];
    let file = run(&describe, &["--as-mapping"]);
    assert!(file.starts_with("NetworkMapping(\n    timesteps: Innermost,\n    layers: {\n"), "{file}");
    for word in ["resident_channels: ", "weights: OnChip(\"weight SRAM\")", "maps: {", ": OffChip"] {
        assert!(file.contains(word), "{word} in\n{file}");
    }
    bench.write("chosen.ron", &file);
    let fixed = ["--mapping", "chosen.ron"];
    assert_eq!(run(&describe, &[&fixed[..], &["--as-mapping"]].concat()), file);
    assert_eq!(run(&describe, &fixed), run(&describe, &[]));
    for command in ["simulate", "compare"] {
        let command = [command, "--quiet", "--json", "--quant", "w4", "--hw", "edge-28"];
        let figures = |flags: &[&str]| {
            let mut report: Value = serde_json::from_str(&run(&command, flags)).unwrap();
            without(&mut report, &["command", "bottlenecks"]);
            report
        };
        assert_eq!(figures(&fixed), figures(&[]));
    }
}

/// Takes out what depends on what else there could be: the command, and changes of the machine that the file stands against.
fn without(value: &mut Value, keys: &[&str]) {
    match value {
        Value::Object(fields) => {
            keys.iter().for_each(|key| _ = fields.remove(*key));
            fields.values_mut().for_each(|field| without(field, keys));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| without(value, keys)),
        _ => {}
    }
}
