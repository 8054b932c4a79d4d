//! Recorded currents through configured neurons.

use super::support::*;

/// Arrays `[T, 1]` in a folder, and what `spiq validate neuron` says of them.
fn replay(
    config: &str,
    current: &[i64],
    spikes: &[i64],
    membrane: &[i64],
    more: &[&str],
) -> (i32, String, String) {
    let dir = folder();
    for (name, values) in [("x", current), ("s", spikes), ("v", membrane)] {
        write_array(&dir.path().join(format!("{name}.npy")), INT32, &[values.len(), 1], values);
    }
    std::fs::write(dir.path().join("n.ron"), config).unwrap();
    let config = if config.contains('(') { "n.ron" } else { config };
    let arguments = [
        "validate",
        "neuron",
        "--config",
        config,
        "--current",
        "x.npy",
        "--spikes",
        "s.npy",
        "--membrane",
        "v.npy",
    ];
    spiq(dir.path(), &[&arguments, more].concat())
}

#[test]
fn the_trace_of_lava() {
    let voltages = [8192, 12286, 14331, 15351, 15859, 16111, 16235, 16295];
    let (code, text, _) = replay("loihi", &[128, 0, 0, 0, 0, 0, 0, 0], &[0; 8], &voltages, &[]);
    assert_eq!((code, text.as_str()), (0, "1 neurons, 8 timesteps: 16 integers compared, 0 mismatches\n"));
}

#[test]
fn a_leaky_neuron_and_its_resets() {
    // 200, V 100; 300 fires; 200, V 100; 250, V 125; 325 fires.
    let current = [200, 200, 200, 150, 200];
    let (code, text, _) = replay("lif", &current, &[0, 1, 0, 0, 1], &[100, 0, 100, 125, 0], &[]);
    assert_eq!(code, 0, "{text}");
    // Reset before the timesteps 1 and 4: 200, V 100; again 200; 300 fires; 150, V 75; 200.
    let (spikes, membrane) = ([0, 0, 1, 0, 0], [100, 100, 0, 75, 100]);
    let (code, text, _) = replay("lif", &current, &spikes, &membrane, &["--reset-at", "1,4"]);
    assert_eq!(code, 0, "{text}");
    let (code, text, _) = replay("lif", &current, &spikes, &membrane, &[]);
    assert_eq!(code, 1);
    assert!(text.ends_with("spikes first at t 1, neuron 0: expected 0, got 1\n"), "{text}");
    let (code, text, _) = replay("lif", &current, &spikes, &membrane, &["--json"]);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &told["first"]["of"], &told["first"]["got"]), (1, &json!("spikes"), &json!(1)));
}

#[test]
fn other_neurons() {
    // Fires above 10 and subtracts it: 7; 14 leaves 4; 11 leaves 1; 8; 15 leaves 5.
    let config = "Shift(threshold: 10, shift: 0, reset: Subtract, fire: AboveThreshold)";
    let (code, text, _) = replay(config, &[7; 5], &[0, 1, 1, 0, 1], &[7, 4, 1, 8, 5], &[]);
    assert_eq!(code, 0, "{text}");
    // Keeps 3/4, and 10 less where it fired: 7, 5; 12 fires, 9 - 10; 6, 4; 11 fires, 8 - 10; 5.
    let config = "Shift(threshold: 10, multiplier: 3, shift: 2, reset: SubtractDelayed)";
    let (code, text, _) = replay(config, &[7; 5], &[0, 1, 0, 1, 0], &[5, -1, 4, -2, 4], &[]);
    assert_eq!(code, 0, "{text}");
    // 12 of 14 and of 11: 2, -1; nothing of 7, 14 and so on.
    let config = "Shift(threshold: 10, shift: 0, reset: SubtractAmount(12.0))";
    let (code, text, _) = replay(config, &[7; 4], &[0, 1, 0, 1], &[7, 2, 9, 4], &[]);
    assert_eq!(code, 0, "{text}");
    let config = "Shift(threshold: 10, shift: 0, reset: None)";
    let (code, text, _) = replay(config, &[7; 4], &[0, 1, 1, 1], &[7, 14, 21, 28], &[]);
    assert_eq!(code, 0, "{text}");
    // A word of 4 bits under a threshold of 40: V < 20 has 5 bits and a sign, 2 are discarded.
    let config = "Shift(threshold: 40, membrane_bits: 4)";
    let (code, text, _) = replay(config, &[21; 4], &[0; 4], &[8, 12, 16, 16], &[]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let refusal = |config, spikes: &[i64], more: &[&str]| {
        let (code, text, message) = replay(config, &[1, 1], spikes, &[0, 0], more);
        assert_eq!((code, text.as_str()), (2, ""), "{message}");
        message
    };
    let cases = [
        ("s.npy: shape: [3, 1], expected [2, 1]", refusal("lif", &[0; 3], &[])),
        ("--reset-at: 2, and the recording has 2 timesteps", refusal("lif", &[0; 2], &["--reset-at", "2"])),
        ("n.ron: threshold: 0 is not in", refusal("Shift(threshold: 0)", &[0; 2], &[])),
        (
            "n.ron: reset: an amount of 1.5 is no whole number from 1 to 2^40",
            refusal("Shift(threshold: 1, reset: SubtractAmount(1.5))", &[0; 2], &[]),
        ),
        (
            "n.ron: reset: a membrane of integers resets to 0",
            refusal("Shift(threshold: 1, reset: To(-1.0))", &[0; 2], &[]),
        ),
        ("n.ron: shift: 31 is not in", refusal("Shift(threshold: 1, shift: 31)", &[0; 2], &[])),
        ("n.ron: membrane_bits: 33", refusal("Shift(threshold: 1, membrane_bits: 33)", &[0; 2], &[])),
        (
            "n.ron: voltage_decay: 4097",
            refusal("Loihi(threshold: 1, voltage_decay: 4097, current_decay: 0)", &[0; 2], &[]),
        ),
        ("n.ron:1:", refusal("Lif(threshold: 1)", &[0; 2], &[])),
        (
            "\"izhikevich\": neither a file nor one of the defaults: lif, loihi",
            refusal("izhikevich", &[0; 2], &[]),
        ),
    ];
    for (expected, message) in cases {
        assert!(message.contains(expected), "{message}, expected {expected}");
    }
    let dir = folder();
    write_array(&dir.path().join("x.npy"), INT64, &[1, 1], &[1 << 31]);
    write_array(&dir.path().join("s.npy"), UINT8, &[1, 1], &[0]);
    write_array(&dir.path().join("none.npy"), UINT8, &[0, 1], &[]);
    let told = |current, spikes| {
        let arguments = ["validate", "neuron", "--config", "lif", "--current", current, "--spikes", spikes];
        let (code, _, message) = spiq(dir.path(), &arguments);
        assert_eq!(code, 2);
        message
    };
    assert!(told("x.npy", "s.npy").contains("x.npy: values: 2147483648 at timestep 0 exceeds 32 bits"));
    // Nothing to compare is nothing that is equal.
    assert!(told("none.npy", "none.npy").contains("none.npy: shape: [0, 1], expected [T, neurons]"));
    assert!(told("gone.npy", "s.npy").contains("gone.npy: No such file"));
}
