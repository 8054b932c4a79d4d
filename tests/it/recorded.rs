//! `--spikes`: what was recorded of a run, charged without it, is what the run was charged.

use std::fs;
use std::path::Path;

use serde_json::Value;
use spiq::exchange::channels_first;
use spiq::model::{Network, Node, NodeId, Op};
use spiq::npy::{Kind, preamble};
use spiq::tensor::Frames;

use crate::bad_input::support::{Bench, npz};

/// `[T, images, C, H, W]` of what one node yields of every image, without the second extent for a single image.
pub fn array(images: &[&Frames<i64>]) -> Vec<u8> {
    let Frames { frames, shape, .. } = *images[0];
    let extents = [frames, images.len(), shape.channels, shape.height, shape.width];
    let extents = if images.len() == 1 { [&extents[..1], &extents[2..]].concat() } else { extents.to_vec() };
    let frame = |t: usize| images.iter().flat_map(move |image| channels_first(image.at(t), shape, |x| x));
    let values = (0..frames).flat_map(frame).flat_map(|x| (x as i32).to_le_bytes());
    [preamble(Kind::Signed(4), &extents), values.collect()].concat()
}

/// A recording of `images`, each with what every node yields; `names` are layers with the nodes whose values they
/// read or yield.
pub fn recording(names: &[(&str, NodeId)], images: &[Vec<Frames<i64>>]) -> Vec<u8> {
    let of = |id: NodeId| array(&images.iter().map(|values| &values[id.index()]).collect::<Vec<_>>());
    let files: Vec<(String, Vec<u8>)> =
        names.iter().map(|&(name, id)| (format!("{name}.npy"), of(id))).collect();
    npz(&files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect::<Vec<_>>())
}

/// What hooks on weight layers see, and the spikes of the neurons that none of them reads.
pub fn by_readers(network: &Network) -> Vec<(&str, NodeId)> {
    let reads = |(_, reader): (NodeId, &Node)| matches!(reader.op, Op::Weighted(_));
    let name = |(id, node): (NodeId, &Node)| match node.op {
        Op::Weighted(_) => Some(node.inputs[0]),
        _ => (node.op.is_neuron() && !network.readers(id).any(reads)).then_some(id),
    };
    network.iter().filter_map(|(id, node)| Some((node.name.as_str(), name((id, node))?))).collect()
}

/// The input and what every neuron yields, as a dump has them, and what a weight layer reads that does not follow.
pub fn by_neurons(network: &Network) -> Vec<(&str, NodeId)> {
    let mut exact: Vec<bool> = Vec::new();
    let mut names = Vec::new();
    for (id, node) in network.iter() {
        let follows = node.inputs.iter().all(|input| exact[input.index()])
            && !matches!(node.op, Op::Weighted(_) | Op::Requantize(_));
        exact.push(node.op.is_neuron() || follows && node.op != Op::Input);
        let mut readers = network.readers(id).filter(|(_, reader)| matches!(reader.op, Op::Weighted(_)));
        if node.op.is_neuron() || node.op == Op::Input {
            names.push((node.name.as_str(), id));
        } else if let (false, Some((_, reader))) = (exact[id.index()], readers.next()) {
            names.push((reader.name.as_str(), id));
        }
    }
    names
}

/// The report of `spiq` with `flags`.
fn report(bench: &Bench, flags: &[&str]) -> Value {
    let output = bench.run(&[flags, &["--quiet", "--json", "--out", "report"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The evaluation of a setting on a machine, without what recorded spikes do not say: the accuracy, values that were
/// clamped, and that images were executed.
fn evaluation(of: &Value) -> Value {
    let mut evaluation = of.clone();
    let unknown = |row: &mut Value, fields: &[&str]| {
        fields.iter().for_each(|field| drop(row.as_object_mut().unwrap().remove(*field).unwrap()));
    };
    unknown(&mut evaluation, &["accuracy", "accuracy_drop", "notes", "saturations"]);
    let layers = evaluation["layers"].as_array_mut().unwrap();
    assert!(!layers.is_empty());
    layers.iter_mut().for_each(|layer| unknown(layer, &["saturations"]));
    evaluation
}

/// A machine of every kind, and every way of skipping.
const MACHINES: &str =
    "edge-28,systolic-28,cortex-m4,ptb-28,prosperity-28,loihi-14,sato-28,mint-28,eyeriss-28,tpu-28";

/// The arrays of a dump of `spiq run` with `flags`, but for the logits, which no layer reads.
fn dump(bench: &Bench, flags: &[&str]) -> Vec<u8> {
    let dumped = bench.run(&[&["run", "--dump", "dump"], flags].concat());
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    let names = fs::read_dir(bench.path("dump")).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    let arrays: Vec<(String, Vec<u8>)> = names
        .filter(|name| name.ends_with(".npy") && name != "logits.npy")
        .map(|name| (name.clone(), fs::read(bench.path("dump").join(name)).unwrap()))
        .collect();
    npz(&arrays.iter().map(|(name, bytes)| (&name[..], &bytes[..])).collect::<Vec<_>>())
}

/// Runs `model` on the images of `data.ron` with a dump, and charges every machine for the run and for the dump.
fn assert_charged_alike(bench: &Bench, model: &str, setting: &str) {
    let of = ["--model", model, "--quant", setting, "--data", "data.ron"];
    bench.write("spikes.npz", dump(bench, &of));
    let compare = [&["compare", "--hw", MACHINES], &of[..]].concat();
    let executed = report(bench, &compare);
    let charged = report(bench, &[&compare[..], &["--spikes", "spikes.npz"]].concat());
    assert_eq!(charged["source"]["Spikes"]["images"], 3);
    let machines = executed["machines"].as_array().unwrap();
    assert_eq!(machines.len(), MACHINES.split(',').count());
    for (executed, charged) in machines.iter().zip(charged["machines"].as_array().unwrap()) {
        assert_eq!(executed["hardware"], charged["hardware"]);
        let [wanted, found] = [executed, charged].map(|machine| evaluation(&machine["evaluation"]));
        assert!(wanted["spikes"].as_f64().unwrap() > 1000.0, "{wanted}");
        assert_eq!(found, wanted, "{} on {}", model, executed["hardware"]["name"]);
        let notes = charged["evaluation"]["notes"].to_string();
        assert!(notes.contains("activity recorded in spikes.npz, not executed"), "{notes}");
        assert!(notes.contains("calibrated on 3 validation images of small"), "{notes}");
        assert!(!notes.contains("random draw"), "{notes}");
    }
}

/// Validation images are the measured ones, so that the mapper of the run sees what that of the recording does.
#[test]
fn the_bundled_network_costs_what_its_run_costs() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    assert_charged_alike(&bench, "sdtv1_2-64_fashion", "w4");
}

#[test]
fn spikformer_costs_what_its_run_costs() {
    let bench = Bench::new();
    let pixels: Vec<u8> = (0..3 * 3 * 32 * 32).map(|i| (i * 31 % 253) as u8).collect();
    let images = [preamble(Kind::Unsigned(1), &[3, 3, 32, 32]), pixels].concat();
    let labels = [preamble(Kind::Unsigned(1), &[3]), vec![1, 0, 9]].concat();
    bench.write("images.npz", npz(&[("x.npy", &images), ("y.npy", &labels)]));
    bench.data(r#"Npz(file: "images.npz", images: "x", labels: "y", layout: Nchw)"#);
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/families/spikformer.ron");
    assert_charged_alike(&bench, model.to_str().unwrap(), "w3u8");
}

/// Without images there is no accuracy, every setting is charged for the same spikes, and the file is named.
#[test]
fn a_report_of_a_recording_says_so() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    let bytes = dump(&bench, &["--data", "data.ron", "--limit", "1"]);
    bench.write("spikes.npz", &bytes);
    let settings = ["simulate", "--quant", "fp32", "--quant", "w4", "--quant", "w4+bias"];
    let report = report(&bench, &[&settings[..], &["--spikes", "spikes.npz"]].concat());
    assert_eq!((&report["data"], &report["rates"]), (&Value::Null, &Value::Null));
    assert_eq!(report["spikes"]["file"], "spikes.npz");
    assert_eq!(report["spikes"]["images"], 1);
    assert_eq!(report["spikes"]["sha256"], spiq::files::sha256([&bytes]));
    let settings = report["settings"].as_array().unwrap();
    for setting in settings {
        assert_eq!((&setting["accuracy"], &setting["accuracy_drop"]), (&Value::Null, &Value::Null));
        assert_eq!(setting["spikes"], settings[0]["spikes"]);
    }
    let on_noise = |setting: &Value| {
        let notes = setting["notes"].to_string();
        notes.contains("weights, thresholds and ranges are chosen on synthetic noise")
    };
    assert_eq!([0, 1, 2].map(|i| on_noise(&settings[i])), [false, false, true], "{settings:?}");
    let rates = fs::read_to_string(bench.path("report/rates/w4.csv")).unwrap();
    assert!(
        rates.starts_with("# sdtv1_2-64_fashion, setting w4, mean of 1 images of spikes.npz\n"),
        "{rates}"
    );
}
