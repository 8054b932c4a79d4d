//! Golden bundles: what is exported validates, one wrong integer is found and blamed, and a bundle written
//! by hand is executed.

use super::support::*;

#[test]
fn what_is_exported_validates_and_one_wrong_integer_is_blamed() {
    let mut dice = Dice::new(90);
    let mut compared = 0;
    for _ in 0..12 {
        let (model, samples) = any_network(&mut dice);
        let dir = folder();
        let count = export_golden(&model, ["zoo", "test"], &images_of(&samples), dir.path()).unwrap();
        let bundle = Bundle::load(dir.path()).unwrap();
        // The recorded input may not reach what an image could.
        assert!(
            bundle.model.bounds().iter().zip(model.bounds()).all(|(recorded, proven)| recorded <= proven)
        );
        let report = validate(&bundle).unwrap();
        assert!(report.is_equal(), "{report:?}");
        assert_eq!(report.compared(), count);
        compared += count;
        change_one(&mut dice, &model, dir.path());
    }
    println!("{compared} integers");
    assert!(compared > 250_000);
}

/// Changes one recorded integer of one node, and expects it to be found where it is.
fn change_one(dice: &mut Dice, model: &QuantizedModel, dir: &std::path::Path) {
    let mut manifest = manifest(dir);
    let node = dice.int(1, model.network().nodes.len() as i64 - 1) as usize;
    let name = model.network().nodes[node].name.clone();
    let file = dir.join(format!("{name}.values.npy"));
    let (shape, mut values) = array(&file);
    let at = dice.int(0, values.len() as i64 - 1) as usize;
    let right = values[at];
    values[at] = 1 - right.signum();
    write_array(&file, INT64, &shape, &values);
    manifest["nodes"][node]["values"] = json!({"shape": shape, "values": values});
    write_manifest(dir, &manifest);
    let report = validate(&Bundle::load(dir).unwrap()).unwrap();
    assert_eq!((report.mismatches(), report.is_equal()), (1, false), "{name}");
    let found = &report.nodes[node];
    assert!(found.cause && report.nodes.iter().filter(|node| node.cause).count() == 1);
    let first = found.first.as_ref().unwrap();
    assert_eq!((first.expected, first.got, first.of), (1 - right.signum(), right, "values"));
    let [_, images, channels, height, width] = shape[..] else { panic!("{shape:?}") };
    let c = &first.at;
    assert_eq!((((c.t * images + c.image) * channels + c.channel) * height + c.y) * width + c.x, at);
}

/// Everything behind a wrong weight is wrong; the weight's layer is the one to blame.
#[test]
fn the_cause_is_told_from_its_consequences() {
    let dir = folder();
    write_manifest(dir.path(), &two_layers());
    let report = validate(&Bundle::load(dir.path()).unwrap()).unwrap();
    assert!(report.is_equal(), "{report:?}");
    let mut wrong = two_layers();
    wrong["nodes"][1]["operation"]["weights"]["values"] = json!([9]);
    write_manifest(dir.path(), &wrong);
    // X = 46, -17: always fires; V = -9, -13, -15 never.
    let report = validate(&Bundle::load(dir.path()).unwrap()).unwrap();
    let nodes: Vec<(u64, bool)> = report.nodes.iter().map(|node| (node.mismatches, node.cause)).collect();
    assert_eq!(nodes, [(0, false), (2, true), (7, false), (2, false)]);
}

/// Two pixels, 5 and -2: X = 3 x + 1 = 16, -5; a neuron with threshold 20 and a shift of 1; twice its spikes
/// minus 7. By hand: 16, V 8; 24 fires; 16, V 8. -5, V -3; -8, V -4; -9, V -5.
fn two_layers() -> Value {
    let frames = |t: usize, values: Value| json!({"shape": [t, 1, 1, 1, 2], "values": values});
    json!({
        "schema": "spiq-golden", "version": 1, "timesteps": 3, "images": 1,
        "nodes": [
            {"name": "in", "inputs": [], "shape": [1, 1, 2], "constant": true, "operation": {"type": "input"},
             "values": frames(1, json!([5, -2]))},
            {"name": "a", "inputs": ["in"], "shape": [1, 1, 2], "constant": true,
             "operation": {"type": "weighted", "weights": {"shape": [1, 1, 1, 1], "values": [3]},
                           "bias": {"shape": [1], "values": [1]},
                           "stride": 1, "pad": 0, "groups": 1, "fraction_bits": 0},
             "values": frames(1, json!([16, -5])), "saturations": 0},
            {"name": "lif", "inputs": ["a"], "shape": [1, 1, 2], "constant": false,
             "operation": {"type": "neuron", "thresholds": {"shape": [1], "values": [20]}, "shift": 1,
                           "reset": "zero", "strict": false,
                           "membrane": {"bits": 8, "discards": {"shape": [1], "values": [0]}}},
             "values": frames(3, json!([0, 0, 1, 0, 0, 0])),
             "membranes": frames(3, json!([8, -3, 0, -4, 8, -5]))},
            {"name": "b", "inputs": ["lif"], "shape": [1, 1, 2], "constant": false,
             "operation": {"type": "weighted", "weights": {"shape": [1, 1, 1, 1], "values": [1]},
                           "bias": {"shape": [1], "values": [-7]},
                           "stride": 1, "pad": 0, "groups": 1, "fraction_bits": 1},
             "values": frames(3, json!([-7, -7, -5, -7, -7, -7]))},
        ]
    })
}

/// What `spiq validate` says of the bundle with one field replaced.
fn refusal(change: impl Fn(&mut Value)) -> String {
    let dir = folder();
    let mut changed = two_layers();
    change(&mut changed);
    write_manifest(dir.path(), &changed);
    let (code, out, message) = spiq(dir.path(), &["validate", "."]);
    assert_eq!((code, out.as_str()), (2, ""), "{message}");
    message
}

#[test]
fn bundles_that_make_no_sense_are_refused() {
    let set = |pointer: &'static str, value: Value| {
        move |changed: &mut Value| *changed.pointer_mut(pointer).unwrap() = value.clone()
    };
    let cases: Vec<(&str, String)> = vec![
        ("manifest.json: version: 2, and this program reads version 1", refusal(set("/version", json!(2)))),
        ("manifest.json: schema: \"other\"", refusal(set("/schema", json!("other")))),
        ("manifest.json: timesteps: 0 is not in 1..=64", refusal(set("/timesteps", json!(0)))),
        ("manifest.json: images: 0 is not in", refusal(set("/images", json!(0)))),
        ("manifest.json: nodes: none", refusal(set("/nodes", json!([])))),
        (
            "node lif: amounts: only a reset of \"subtract\" has any",
            refusal(|m| m["nodes"][2]["operation"]["amounts"] = json!({"shape": [1], "values": [3]})),
        ),
        (
            "layer lif: amounts: -3 is not in 0..=70368744177664",
            refusal(|m| {
                m["nodes"][2]["operation"]["reset"] = json!("subtract");
                m["nodes"][2]["operation"]["amounts"] = json!({"shape": [1], "values": [-3]});
            }),
        ),
        ("node a: inputs: b: no such node before it", refusal(set("/nodes/1/inputs", json!(["b"])))),
        ("node a: inputs: 0 are not what this operation reads", refusal(set("/nodes/1/inputs", json!([])))),
        (
            "node lif: yields 1 x 1 x 2, constant: false, by its inputs",
            refusal(set("/nodes/2/shape", json!([1, 2, 1]))),
        ),
        (
            "node a: yields 1 x 1 x 2, constant: true, by its inputs",
            refusal(|m| {
                m["nodes"][1]["constant"] = json!(false);
                m["nodes"][1]["values"] = json!({"shape": [3, 1, 1, 1, 2], "values": [1, 2, 3, 4, 5, 6]});
            }),
        ),
        (
            "node lif: values: shape [3, 1, 1, 2, 1], expected [3, 1, 1, 1, 2]",
            refusal(set("/nodes/2/values", json!({"shape": [3, 1, 1, 2, 1], "values": [0, 0, 1, 0, 0, 0]}))),
        ),
        ("node in: shape: [0, 1, 2] is empty or too large", refusal(set("/nodes/0/shape", json!([0, 1, 2])))),
        ("is empty or too large", refusal(set("/nodes/0/shape", json!([1u64 << 40, 1u64 << 40, 2])))),
        (
            "node a: values: 1 values of shape [1, 1, 1, 1, 2]",
            refusal(set("/nodes/1/values/values", json!([16]))),
        ),
        ("node a: values: neither file", refusal(set("/nodes/1/values", json!({})))),
        (
            "node a: values: \"../x.npy\" is not the name of a file here",
            refusal(set("/nodes/1/values", json!({"file": "../x.npy", "sha256": "0"}))),
        ),
        (
            "gone.npy: No such file",
            refusal(set("/nodes/1/values", json!({"file": "gone.npy", "sha256": "0"}))),
        ),
        (
            "node a: layer a: a kernel that spans 1 x 3 does not fit an input of 1 x 1 x 2",
            refusal(set("/nodes/1/operation/weights", json!({"shape": [1, 1, 1, 3], "values": [1, 1, 1]}))),
        ),
        (
            "node a: weights: 2 inputs, and it reads 1",
            refusal(set("/nodes/1/operation/weights", json!({"shape": [1, 2, 1, 1], "values": [1, 1]}))),
        ),
        (
            "node a: weights: 4294967296 exceeds 32 bits",
            refusal(set("/nodes/1/operation/weights/values", json!([1u64 << 32]))),
        ),
        (
            "layer a: 2 biases, expected 1",
            refusal(set("/nodes/1/operation/bias", json!({"shape": [2], "values": [1, 1]}))),
        ),
        (
            "layer a: fraction_bits: 17 is not in 0..=16",
            refusal(set("/nodes/1/operation/fraction_bits", json!(17))),
        ),
        ("node a: stride: 0 is not in", refusal(set("/nodes/1/operation/stride", json!(0)))),
        (
            "layer lif: membrane bits: 1 is not in 2..=32",
            refusal(set("/nodes/2/operation/membrane/bits", json!(1))),
        ),
        (
            "layer lif: 2 thresholds, expected 1",
            refusal(set("/nodes/2/operation/thresholds", json!({"shape": [2], "values": [1, 1]}))),
        ),
        ("layer lif: a leak of 2^-31", refusal(set("/nodes/2/operation/shift", json!(31)))),
        ("exceed 46 bits", refusal(set("/nodes/1/operation/bias/values", json!([1i64 << 46])))),
        (
            "node lif: a second node of type input",
            refusal(|m| {
                m["nodes"][2]["operation"] = json!({"type": "input"});
                m["nodes"][2].as_object_mut().unwrap().remove("membranes");
            }),
        ),
        (
            "node a: membranes: only neurons have them",
            refusal(set("/nodes/1", {
                let mut node = two_layers()["nodes"][1].clone();
                node["membranes"] = node["values"].clone();
                node
            })),
        ),
        (
            "node in: name: an earlier node has it",
            refusal(|m| {
                m["nodes"][3]["name"] = json!("in");
            }),
        ),
        (": name: \"a/b\" is not made of", refusal(set("/nodes/1/name", json!("a/b")))),
        (
            "has 70000 characters, at most 128 are allowed",
            refusal(set("/nodes/1/name", json!("x".repeat(70_000)))),
        ),
        ("unknown field `extra`", refusal(|m| m["nodes"][2]["operation"]["extra"] = json!(1))),
        ("unknown variant `lif`", refusal(set("/nodes/2/operation/type", json!("lif")))),
    ];
    for (expected, message) in cases {
        assert!(message.contains(expected), "{message}, expected {expected}");
        assert!(message.starts_with("error: ") && message.lines().count() == 1, "{message}");
    }
}

#[test]
fn the_exit_code_tells_equal_from_different() {
    let dir = folder();
    for name in ["right", "wrong"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        write_manifest(&dir.path().join(name), &two_layers());
    }
    let mut wrong = two_layers();
    wrong["nodes"][2]["membranes"]["values"][3] = json!(-3);
    wrong["nodes"][1]["saturations"] = json!(4);
    write_manifest(&dir.path().join("wrong"), &wrong);
    let (code, text, _) = spiq(dir.path(), &["validate", "right", "right"]);
    assert_eq!(
        (code, text.as_str()),
        (0, "right: equal, 22 integers compared, 0 mismatches\n".repeat(2).as_str())
    );
    let (code, text, _) = spiq(dir.path(), &["validate", "right", "wrong"]);
    assert_eq!(code, 1);
    let line = "membranes first at t 1, image 0, channel 0, y 0, x 1: expected -3, got -4; its inputs agree";
    assert!(text.contains(line) && text.contains("caused by lif: "), "{text}");
    assert!(text.contains("saturations: expected 4, got 0"), "{text}");
    let (code, text, _) = spiq(dir.path(), &["validate", "wrong", "--json"]);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &told["mismatches"], &told["nodes"][2]["cause"]), (1, &json!(1), &json!(true)));
    assert_eq!(told["nodes"][2]["first"]["at"], json!({"t": 1, "image": 0, "channel": 0, "y": 0, "x": 1}));
    let (code, _, message) = spiq(dir.path(), &["validate"]);
    assert!(code == 2 && message.contains("DIR"), "{message}");
}

/// A comparison of nothing is no success, whatever could lead to it.
#[test]
fn nothing_compared_is_not_equal() {
    let report = spiq::exchange::ValidationReport { nodes: Vec::new() };
    assert!(!report.is_equal());
    let report = spiq::exchange::ValidationReport { nodes: vec![spiq::exchange::NodeReport::default()] };
    assert!(!report.is_equal());
}
