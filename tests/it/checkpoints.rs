//! Checkpoints that PyTorch wrote (`tests/data/checkpoints/make.py`) hold what PyTorch says they hold.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

use crate::bad_input::support::Bench;
use spiq::model::{Checkpoint, Model};

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/checkpoints")
}

pub fn example(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}

/// `checkpoint` with every tensor in single precision and safetensors.
fn single_precision(checkpoint: &Checkpoint) -> Vec<u8> {
    let weights = checkpoint.iter().filter(|(_, tensor)| tensor.dtype != Dtype::I64);
    let data: Vec<_> = weights
        .map(|(name, tensor)| {
            let bytes: Vec<u8> = tensor.values().unwrap().iter().flat_map(|x| x.to_le_bytes()).collect();
            (name, tensor.shape.clone(), bytes)
        })
        .collect();
    let view = |shape: &Vec<usize>, bytes| TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
    safetensors::serialize(data.iter().map(|(name, shape, bytes)| (name, view(shape, bytes))), None).unwrap()
}

#[test]
fn tensors_are_those_that_pytorch_saved() {
    let bytes = example("expected.safetensors");
    let expected = Checkpoint::open(&bytes, "expected.safetensors").unwrap();
    let files = [
        ("f32", Dtype::F32, 6),
        ("f16", Dtype::F16, 6),
        ("bf16", Dtype::BF16, 6),
        ("f64", Dtype::F64, 6),
        ("training", Dtype::F32, 6),
        ("views", Dtype::F32, 6),
        ("parameters_protocol4", Dtype::F32, 2),
    ];
    let mut seen = 0;
    for (file, dtype, count) in files {
        let bytes = example(&format!("{file}.pth"));
        let checkpoint = Checkpoint::open(&bytes, file).unwrap();
        let weights: Vec<_> =
            checkpoint.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked")).collect();
        assert_eq!(weights.len(), count, "{file}");
        for (name, tensor) in weights {
            let wanted = expected.get(&format!("{file}/{name}")).unwrap_or_else(|| panic!("{file}: {name}"));
            assert_eq!((tensor.dtype, &tensor.shape), (dtype, &wanted.shape), "{file}: {name}");
            assert_eq!(tensor.values().unwrap(), wanted.values().unwrap(), "{file}: {name}");
        }
        seen += count;
    }
    assert_eq!(expected.iter().count(), seen + 4, "and four of integers");
}

#[test]
fn integers_are_read_exactly() {
    let bytes = example("integers.pth");
    let checkpoint = Checkpoint::open(&bytes, "integers.pth").unwrap();
    let read = |name: &str| {
        let tensor = checkpoint.get(name).unwrap();
        (tensor.dtype, tensor.values().unwrap())
    };
    assert_eq!(read("bytes"), (Dtype::U8, vec![0.0, 255.0]));
    assert_eq!(read("chars"), (Dtype::I8, vec![-128.0, 127.0]));
    assert_eq!(read("shorts"), (Dtype::I16, vec![-32_768.0, 32_767.0]));
    assert_eq!(read("ints"), (Dtype::I32, vec![-2_147_483_648.0, 16_777_216.0]));
}

/// A network as a training script leaves it runs as it is, and its report says what was converted.
#[test]
fn a_file_of_torch_save_runs_unchanged() {
    let model = folder().join("tiny.ron");
    assert_eq!(
        Model::load(model.to_str().unwrap()).unwrap().weights.notes,
        ["weights converted from BF16 to F32"]
    );
    let bench = Bench::new();
    bench.small_data(28, 28);
    let simulate = |model: &str| {
        let output =
            bench.run(&["simulate", "--quiet", "--model", model, "--data", "data.ron", "--quant", "w4"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report = fs::read_to_string(bench.path("spiq-out/report.json")).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        (String::from_utf8(output.stdout).unwrap(), report)
    };
    let (table, report) = simulate(model.to_str().unwrap());
    assert_eq!(report["model"]["notes"], serde_json::json!(["weights converted from BF16 to F32"]));
    assert!(table.contains("\n\ntiny: weights converted from BF16 to F32\nw4: "), "{table}");

    let bytes = example("tiny_bf16.pth");
    bench.write("tiny.safetensors", single_precision(&Checkpoint::open(&bytes, "tiny_bf16.pth").unwrap()));
    let description = fs::read_to_string(&model).unwrap().replace("tiny_bf16.pth", "tiny.safetensors");
    bench.write("tiny.ron", description);
    let (_, converted) = simulate("tiny.ron");
    assert_eq!(converted["model"]["notes"], serde_json::json!([]));
    assert_eq!(converted["settings"], report["settings"]);
    assert!(report["settings"][0]["spikes"].as_f64().unwrap() > 0.0, "the network is silent");
}
