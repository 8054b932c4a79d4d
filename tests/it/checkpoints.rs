//! Checkpoints that PyTorch wrote (`tests/data/checkpoints/make.py`) hold what PyTorch says they hold.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

use crate::bad_input::support::Bench;
use crate::torch_save::{self, Directory, call, dict, global, tensor, text};
use spiq::load;
use spiq::model::Checkpoint;

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
    let neurons = "neurons assumed, since a checkpoint does not say: LIF, tau 2, threshold 1, hard reset to 0 (11 layers); \
                   LIF, tau 2, threshold 0.5, hard reset to 0 (1 layer)";
    let notes = ["weights converted from BF16 to F32", neurons];
    assert_eq!(load::model(model.to_str().unwrap()).unwrap().weights.notes, notes);
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
    assert_eq!(report["model"]["notes"], serde_json::json!(notes));
    assert!(table.contains("\n\ntiny: weights converted from BF16 to F32\ntiny: neurons assumed"), "{table}");

    let bytes = example("tiny_bf16.pth");
    bench.write("tiny.safetensors", single_precision(&Checkpoint::open(&bytes, "tiny_bf16.pth").unwrap()));
    let description = fs::read_to_string(&model).unwrap().replace("tiny_bf16.pth", "tiny.safetensors");
    bench.write("tiny.ron", description);
    let (_, converted) = simulate("tiny.ron");
    assert_eq!(converted["model"]["notes"], serde_json::json!([neurons]));
    assert_eq!(converted["settings"], report["settings"]);
    assert!(report["settings"][0]["spikes"].as_f64().unwrap() > 0.0, "the network is silent");
}

/// The 76 bytes of ZIP64 records before the end are as long as the first entry of the directory where the file
/// had a name of 21 letters.
#[test]
fn a_file_loads_whatever_it_was_called() {
    let root = dict(&[("w", &tensor("0", &[2]))]);
    let pickle = [b"\x80\x02", root.as_slice(), b"."].concat();
    let values = [1.5f32, -2.0].map(f32::to_le_bytes).concat();
    let records = [("data.pkl", pickle.as_slice()), ("byteorder", b"little"), ("data/0", &values)];
    let stems = (1..=64).map(|length| "abcdefgh".repeat(8)[..length].to_owned());
    let stems = stems.chain(["data.pkl", "größe", "a b", "PK\u{5}\u{6}", "archive/data"].map(str::to_owned));
    for stem in stems {
        for end in [Directory::Plain, Directory::Both, Directory::Zip64] {
            let bytes = torch_save::archive(&stem, &records, end);
            let checkpoint =
                Checkpoint::open(&bytes, "x.pth").unwrap_or_else(|e| panic!("{stem} {end:?}: {e}"));
            assert_eq!(checkpoint.get("w").unwrap().values().unwrap(), [1.5, -2.0], "{stem} {end:?}");
        }
    }
}

/// What opening `root` says: a message, or names with values, and notes.
fn opened(root: &[u8], key: Option<&str>) -> String {
    let bytes = torch_save::file(root, &[("0", &[1.0, 2.0]), ("1", &[3.0]), ("2", &[4.0])]);
    let checkpoint = match Checkpoint::open_at(&bytes, "x.pth", key) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return error.to_string(),
    };
    let tensors = checkpoint.iter().map(|(name, tensor)| format!("{name} {:?}", tensor.values().unwrap()));
    let others = checkpoint.others().iter().map(|name| format!("{name} no tensor"));
    let notes = checkpoint.notes.iter().map(|note| format!("({note})"));
    tensors.chain(others).chain(notes).collect::<Vec<_>>().join(", ")
}

#[test]
fn of_several_state_dicts_one_is_read_and_all_are_named() {
    let raw = dict(&[("a", &tensor("0", &[2]))]);
    let ema = dict(&[("module.a", &tensor("1", &[1])), ("module.b", &tensor("2", &[1]))]);
    let moments = dict(&[("exp_avg", &tensor("2", &[1]))]);
    let optimizer = [b"}".to_vec(), text("state"), b"}K\x00".to_vec(), moments, b"ss".to_vec()].concat();
    let nested = dict(&[("state_dict", &ema), ("epoch", b"K\x03")]);
    let root = dict(&[("optimizer", &optimizer), ("ema", &nested), ("epoch", b"K\x03"), ("model", &raw)]);
    let cases = [
        (None, "a [1.0, 2.0], (weights read from model; not read: ema.state_dict (2 tensors))"),
        (Some("model"), "a [1.0, 2.0], (weights read from model; not read: ema.state_dict (2 tensors))"),
        (
            Some("ema.state_dict"),
            "a [3.0], b [4.0], (weights read from ema.state_dict; not read: model (1 tensor))",
        ),
        // The rest of the path is what names begin with.
        (
            Some("ema.state_dict.module"),
            "a [3.0], b [4.0], (weights read from ema.state_dict; not read: model (1 tensor))",
        ),
        (
            Some("ema"),
            "x.pth: data.pkl: no tensors under ema, but under ema.state_dict (2 tensors), model (1 tensor)",
        ),
        (
            Some("optimizer.state"),
            "x.pth: data.pkl: no tensors under optimizer.state, but under ema.state_dict (2 tensors), model (1 tensor)",
        ),
    ];
    for (key, expected) in cases {
        assert_eq!(opened(&root, key), expected, "{key:?}");
    }
    // Under no usual name nothing is guessed.
    assert_eq!(
        opened(&dict(&[("ema", &nested)]), None),
        "x.pth: data.pkl: no tensors at the top level or under model, state_dict, model_state_dict, module, net, but \
         under ema.state_dict (2 tensors): --checkpoint-key chooses"
    );
    // One state dict is read without a word, and so is one under two names.
    assert_eq!(opened(&dict(&[("model", &raw)]), None), "a [1.0, 2.0]");
    let twice =
        [b"}".to_vec(), text("net"), raw.clone(), b"q\x01s".to_vec(), text("model"), b"h\x01s".to_vec()];
    assert!(opened(&twice.concat(), Some("net")).starts_with("a [1.0, 2.0]"));
    // The last value of a key counts, as in Python.
    let again = dict(&[("model", &ema), ("model", &raw)]);
    assert_eq!(opened(&again, None), "a [1.0, 2.0]");
    let again = dict(&[("a", &tensor("0", &[2])), ("a", &tensor("1", &[1]))]);
    assert_eq!(opened(&again, None), "a [3.0]");
    // Entries that are no tensors are told apart from those that are.
    let mixed = dict(&[("a", &tensor("1", &[1])), ("epoch", b"K\x03"), ("best", b"N")]);
    assert_eq!(opened(&mixed, None), "a [3.0], best no tensor, epoch no tensor");
}

/// What training loops save beside weights, as protocol 2 and 4 write it; none of it is looked at.
#[test]
fn values_beside_the_weights_are_not_looked_at() {
    let encoded = call("_codecs", "encode", &[&text("\u{0}\u{f0}?"), &text("latin1")]);
    let dtype = [call("numpy", "dtype", &[&text("f8"), b"\x89", b"\x88"]), b"K\x03b".to_vec()].concat();
    let scalar = |module: &str| call(module, "scalar", &[&dtype, &encoded]);
    let history = [call("collections", "defaultdict", &[&global("__builtin__", "list")]), {
        let losses =
            [b"(".to_vec(), text("loss"), b"](G\x3f\xf0\x00\x00\x00\x00\x00\x00e".to_vec(), b"u".to_vec()];
        losses.concat()
    }];
    let array = [
        call(
            "numpy._core.multiarray",
            "_reconstruct",
            &[&global("numpy", "ndarray"), b"K\x00\x85", &encoded],
        ),
        b"(K\x01K\x02\x85N\x89Ntb".to_vec(),
    ];
    let settings = [b"ceasydict\nEasyDict\n)\x81".to_vec(), text("lr"), b"K\x01s}b".to_vec()].concat();
    let queue = [call("collections", "deque", &[b")"]), b"(K\x01K\x02e".to_vec()].concat();
    let keywords = b"\x8c\x08builtins\x8c\x03set\x93)}\x92".to_vec();
    let beside = [
        ("numpy 1", scalar("numpy.core.multiarray")),
        ("numpy 2", scalar("numpy._core.multiarray")),
        ("history", history.concat()),
        ("array", array.concat()),
        ("path", call("pathlib", "PosixPath", &[&text("/"), &text("runs")])),
        ("path of 3.13", call("pathlib._local", "PosixPath", &[&text("runs")])),
        ("device", call("torch", "device", &[&text("cuda"), b"K\x00"])),
        ("dtype", global("torch", "bfloat16")),
        ("version", b"ctorch.torch_version\nTorchVersion\nX\x03\x00\x00\x002.1\x85\x81".to_vec()),
        ("date", call("datetime", "datetime", &[&encoded])),
        ("settings", settings),
        ("milestones", call("collections", "Counter", &[b"}"])),
        ("queue", queue),
        ("keywords", keywords),
        ("long", [b"\x8b\x00\x01\x00\x00".to_vec(), vec![7; 256]].concat()),
        ("bytes of protocol 5", b"\x96\x02\x00\x00\x00\x00\x00\x00\x00ab".to_vec()),
    ];
    let model = dict(&[("a", &tensor("0", &[2]))]);
    for (name, value) in &beside {
        assert_eq!(opened(&dict(&[(name, value), ("model", &model)]), None), "a [1.0, 2.0]", "{name}");
        // In the place of a weight it is none.
        let inside = dict(&[("a", &tensor("0", &[2])), ("b", value)]);
        assert_eq!(opened(&inside, None), "a [1.0, 2.0], b no tensor", "{name}");
    }
    // A state dict may be a defaultdict, which is a dict.
    let weights = [call("collections", "defaultdict", &[b"N"]), text("a"), tensor("1", &[1]), b"s".to_vec()];
    assert_eq!(opened(&weights.concat(), None), "a [3.0]");
}
