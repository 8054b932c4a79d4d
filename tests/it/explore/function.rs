//! `spiq evaluate`: one point as JSON, and line by line.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::spaces::spiq;

const RATES: [&str; 4] = ["evaluate", "--rates", "sdtv1_2-64_fashion", "--quiet"];

fn evaluate(flags: &[&str]) -> (Option<i32>, String, String) {
    let output = spiq(&[&RATES, flags].concat());
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code(), out, err)
}

#[test]
fn a_point_has_objectives_and_constraints() {
    let limits = ["--constraint", "area_mm2 <= 100", "--constraint", "latency_s <= 1ns"];
    let (code, out, _) =
        evaluate(&[&["--quant", "w4", "--objective", "images_per_s", "--json"], &limits[..]].concat());
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(1));
    let latency = report["figures"]["latency_s"].as_f64().unwrap();
    assert_eq!(
        report["objectives"][0].as_f64().unwrap(),
        -report["figures"]["images_per_s"].as_f64().unwrap()
    );
    assert_eq!(report["constraints"][0], 0.0);
    assert!((report["constraints"][1].as_f64().unwrap() / (latency / 1e-9 - 1.0) - 1.0).abs() < 1e-12);
    assert_eq!(report["meets"], false);
    assert_eq!(report["figures"].get("accuracy"), None);
    let (code, out, _) = evaluate(&["--quant", "w4", "--set", "clock_hz=200e6"]);
    assert_eq!(code, Some(0));
    let slower: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(slower["hardware"], "edge-28+clock_hz=200e6");
    assert_ne!(slower["hardware_sha256"], report["hardware_sha256"]);
    assert!(slower["objectives"][1].as_f64().unwrap() > latency);
}

#[test]
fn what_cannot_run_is_1_and_what_is_wrong_2() {
    let (code, out, _) = evaluate(&["--set", "units.lanes.max_weight_bits=4"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &report["meets"], &report["objectives"][0]),
        (Some(1), &Value::Bool(false), &Value::Null)
    );
    assert!(report["refused"].as_str().unwrap().contains("8-bit weights"), "{report}");
    for (flags, expected) in [
        (["--objective", "energy"], "--objective: there is no figure \"energy\"; nearest: energy_j"),
        (["--constraint", "area_mm2 = 1"], "--constraint: \"area_mm2 = 1\" is no limit"),
        (["--set", "clock=1"], "there is no \"clock\""),
        (["--quant", "w99"], "w99"),
    ] {
        let (code, _, message) = evaluate(&flags);
        assert_eq!(code, Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn requests_are_answered_line_by_line() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spiq"));
    command.args(RATES).args(["--serve", "--quant", "w4"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = [
        "{}",
        "{\"set\": {\"clock_hz\": 200e6}}",
        "{\"quant\": \"w3\", \"hw\": \"edge-28\", \"set\": {\"dram.part\": \"LPDDR5-6400\"}}",
        "{\"quant\": \"w99\"}",
        "{\"speed\": 3}",
        "",
        "{\"hw\": \"edge-28\"}",
    ];
    let mut requests = (lines.join("\n") + "\n").into_bytes();
    requests.extend(b"\xff\xfe\n{}\n");
    child.stdin.take().unwrap().write_all(&requests).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 8);
    assert_eq!([&answers[5], &answers[7]], [&answers[0]; 2]);
    assert_eq!(answers[1]["hardware"], "edge-28+clock_hz=200000000.0");
    assert_eq!(answers[2]["setting"], "w3");
    assert!(answers[3]["error"].as_str().unwrap().contains("w99"));
    assert!(answers[4]["error"].as_str().unwrap().contains("unknown field `speed`"));
    assert!(answers[6]["error"].as_str().unwrap().contains("request:1:"));
    let (_, alone, _) = evaluate(&["--quant", "w4"]);
    assert_eq!(serde_json::from_str::<Value>(&alone).unwrap(), answers[0]);
}
