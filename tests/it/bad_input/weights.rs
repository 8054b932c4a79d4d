//! Checkpoints that are none, or not of this model.

use insta::assert_snapshot;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::torch_save::{self, Directory};

use super::support::{Bench, MODEL, WEIGHTS, bundled, bundled_text, change, lines};

/// A tensor of the checkpoint, to change.
#[derive(Clone)]
struct Entry {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

fn entries() -> Vec<Entry> {
    let bytes = bundled(WEIGHTS);
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let entry = |(name, view): (String, TensorView)| Entry {
        name,
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        data: view.data().to_vec(),
    };
    file.tensors().into_iter().map(entry).collect()
}

fn serialized(entries: &[Entry]) -> Vec<u8> {
    let views =
        entries.iter().map(|e| (&e.name, TensorView::new(e.dtype, e.shape.clone(), &e.data).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

/// The checkpoint with the tensor `name` changed.
fn with(name: &str, change: impl Fn(&mut Entry)) -> Vec<u8> {
    let mut entries = entries();
    change(entries.iter_mut().find(|e| e.name == name).unwrap());
    serialized(&entries)
}

/// The checkpoint with value `index` of the tensor `name` set to `value`.
fn with_value(name: &str, index: usize, value: f32) -> Vec<u8> {
    with(name, |e| e.data[4 * index..][..4].copy_from_slice(&value.to_le_bytes()))
}

/// Every tensor whose name ends with `suffix`, filled with `value`.
fn filled(suffix: &str, value: f32) -> Vec<u8> {
    let mut entries = entries();
    for entry in entries.iter_mut().filter(|e| e.name.ends_with(suffix)) {
        entry.data.chunks_exact_mut(4).for_each(|word| word.copy_from_slice(&value.to_le_bytes()));
    }
    serialized(&entries)
}

fn without(names: &[&str]) -> Vec<u8> {
    serialized(&entries().into_iter().filter(|e| !names.contains(&e.name.as_str())).collect::<Vec<_>>())
}

fn header(length: u64) -> Vec<u8> {
    let mut bytes = bundled(WEIGHTS);
    bytes[..8].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// A bench with the bundled model beside `weights`.
fn bench(weights: &[u8]) -> Bench {
    let bench = Bench::new();
    bench.write("m.ron", bundled(MODEL));
    bench.write("sdtv1_2-64_fashion.safetensors", weights);
    bench.small_data(28, 28);
    bench
}

fn refuses(weights: Vec<u8>) -> String {
    bench(&weights).refuses(&["--model", "m.ron", "--data", "data.ron", "--quant", "w4", "--quant", "pot3"])
}

#[test]
fn files_that_are_no_checkpoint() {
    let whole = bundled(WEIGHTS);
    let cases = [
        ("empty", Vec::new()),
        ("seven bytes", whole[..7].to_vec()),
        ("text", b"Model(name: \"x\")".to_vec()),
        (
            "a pointer of git-lfs",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 9\n".to_vec(),
        ),
        ("an index", b"{\"metadata\": {}, \"weight_map\": {\"a\": \"model-1-of-2.safetensors\"}}".to_vec()),
        ("a web page", b"\n<!DOCTYPE html>\n<title>404</title>".to_vec()),
        ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec()),
        ("a bare pickle", b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00}.".to_vec()),
        ("an array", super::support::npy("<f4", "(1,)", &[0; 4])),
        ("arrays", super::support::npz(&[("a.npy", &super::support::npy("<f4", "(1,)", &[0; 4]))])),
        ("a tar archive", [&[b'x'; 257][..], b"ustar\0", &[0; 249]].concat()),
        ("HDF5", b"\x89HDF\r\n\x1a\n\0\0\0\0".to_vec()),
        ("TorchScript", {
            let records: [(&str, &[u8]); 2] = [("data.pkl", b"\x80\x02}."), ("constants.pkl", b"\x80\x02).")];
            torch_save::archive("script", &records, Directory::Both)
        }),
        ("truncated in the header", whole[..1000].to_vec()),
        ("truncated in the data", whole[..whole.len() - 1].to_vec()),
        ("bytes after the end", [whole.as_slice(), &[0; 16]].concat()),
        ("header of 2^63 bytes", header(1 << 63)),
        ("header of no bytes", header(0)),
        ("header that ends early", header(100)),
    ];
    assert_snapshot!(lines(cases, refuses), @r"
    empty
      sdtv1_2-64_fashion.safetensors: header: an empty file
    seven bytes
      sdtv1_2-64_fashion.safetensors: header: not a safetensors file: header too small
    text
      sdtv1_2-64_fashion.safetensors: header: text, and no checkpoint
    a pointer of git-lfs
      sdtv1_2-64_fashion.safetensors: header: a pointer of git-lfs in the place of the file; git lfs pull fetches it
    an index
      sdtv1_2-64_fashion.safetensors: header: the index of a checkpoint in several files; merge them into one file of safetensors
    a web page
      sdtv1_2-64_fashion.safetensors: header: a web page, and no checkpoint
    gzip
      sdtv1_2-64_fashion.safetensors: header: compressed by gzip; decompress it first
    a bare pickle
      sdtv1_2-64_fashion.safetensors: header: a bare pickle; save it with torch.save
    an array
      sdtv1_2-64_fashion.safetensors: header: an array of NumPy; weights have names
    arrays
      sdtv1_2-64_fashion.safetensors: archive: no record data.pkl: not a file written by torch.save
    a tar archive
      sdtv1_2-64_fashion.safetensors: header: a tar archive; unpack it first
    HDF5
      sdtv1_2-64_fashion.safetensors: header: an HDF5 file; save a state dict with torch.save, or safetensors
    TorchScript
      sdtv1_2-64_fashion.safetensors: archive: a compiled module of TorchScript; save the state dict alone: torch.save(model.state_dict(), PATH)
    truncated in the header
      sdtv1_2-64_fashion.safetensors: header: not a safetensors file: invalid header length
    truncated in the data
      sdtv1_2-64_fashion.safetensors: header: not a safetensors file: incomplete metadata, file not fully covered
    bytes after the end
      sdtv1_2-64_fashion.safetensors: header: not a safetensors file: incomplete metadata, file not fully covered
    header of 2^63 bytes
      sdtv1_2-64_fashion.safetensors: header: not a safetensors file: header too large
    header of no bytes
      sdtv1_2-64_fashion.safetensors: header: not a safetensors file: invalid JSON in header: EOF while parsing a value at line 1 column 0
    header that ends early
      sdtv1_2-64_fashion.safetensors: header: not a safetensors file: invalid JSON in header: EOF while parsing a string at line 1 column 100
    ");
}

#[test]
fn tensors_that_do_not_fit_the_model() {
    let extra = |name: &str| {
        let entry = Entry { name: name.to_owned(), ..entries().remove(0) };
        serialized(&[entries(), vec![entry]].concat())
    };
    let cases = [
        ("transposed", with("head.weight", |e| e.shape.reverse())),
        ("another rank", with("head.weight", |e| e.shape = vec![640])),
        ("no values", with("head.bias", |e| (e.shape, e.data) = (vec![0], Vec::new()))),
        ("missing", without(&["head.bias"])),
        ("several missing", without(&["head.bias", "head.weight", "patch_embed.rpe_bn.running_var"])),
        ("many missing", {
            let norms = entries().into_iter().filter(|e| !e.name.contains("_bn."));
            serialized(&norms.collect::<Vec<_>>())
        }),
        ("unexpected", extra("head.scale")),
        ("missing and unexpected", {
            let mut entries = entries();
            entries.iter_mut().find(|e| e.name == "head.bias").unwrap().name = "haed.bias".into();
            serialized(&entries)
        }),
        ("of every kind", {
            let mut entries = entries();
            entries.iter_mut().find(|e| e.name == "head.bias").unwrap().name = "haed.bias".into();
            entries.iter_mut().find(|e| e.name == "head.weight").unwrap().shape = vec![640];
            serialized(&entries)
        }),
    ];
    assert_snapshot!(lines(cases, refuses), @r"
    transposed
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: misshapen head.weight [64, 10] instead of [10, 64]
    another rank
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: misshapen head.weight [640] instead of [10, 64]
    no values
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: misshapen head.bias [0] instead of [10]
    missing
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: missing head.bias
    several missing
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: missing patch_embed.rpe_bn.running_var, head.weight, head.bias
    many missing
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: missing patch_embed.proj_bn.weight, patch_embed.proj_bn.bias, patch_embed.proj_bn.running_mean and 53 more
    unexpected
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: unexpected head.scale, which --ignore-extra leaves out
    missing and unexpected
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: missing head.bias; unexpected haed.bias
    of every kind
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: missing head.bias; misshapen head.weight [640] instead of [10, 64]; unexpected haed.bias
    ");
}

/// A folder, and what is no file at all.
#[test]
fn only_files_are_read() {
    let bench = bench(&bundled(WEIGHTS));
    std::fs::create_dir(bench.path("checkpoints")).unwrap();
    let weights = |name: &str| bench.refuses(&["--data", "data.ron", "--quant", "w4", "--weights", name]);
    assert_eq!(weights("checkpoints"), "checkpoints: a folder, not a file");
    assert_eq!(weights("/dev/zero"), "/dev/zero: a pipe or a device, not a file");
    assert_eq!(weights("absent.pth"), "absent.pth: No such file or directory (os error 2)");
    bench.write("sdtv1_2-64_fashion.safetensors", "");
    let text = change(&bundled_text(MODEL), "sdtv1_2-64_fashion.safetensors", "checkpoints");
    bench.write("m.ron", text);
    assert_eq!(
        bench.refuses(&["--model", "m.ron", "--data", "data.ron", "--quant", "w4"]),
        "checkpoints: a folder, not a file"
    );
    let random = ["--model", "sdtv1_2-256_cifar10", "--data", "noise", "--quant", "w4", "--ignore-extra"];
    assert_eq!(
        bench.refuses(&random),
        "--checkpoint-key, --ignore-extra: the weights of sdtv1_2-256_cifar10 are random; --weights names a checkpoint"
    );
}

/// The checkpoint with more tensors, of one value each.
fn with_extra(names: &[&str]) -> Vec<u8> {
    let extra = |name: &&str| Entry {
        name: (*name).to_owned(),
        dtype: Dtype::F32,
        shape: Vec::new(),
        data: vec![0; 4],
    };
    serialized(&[entries(), names.iter().map(extra).collect()].concat())
}

#[test]
fn tensors_that_no_layer_reads_are_left_out_where_that_is_asked_for() {
    let more = ["aux.3.weight", "aux.0.weight", "aux.1.weight", "aux.2.weight", "n_averaged"];
    let bench = bench(&with_extra(&more));
    let run = ["--model", "m.ron", "--data", "data.ron", "--quant", "w4"];
    let refused = "sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: unexpected aux.0.weight, \
                   aux.1.weight, aux.2.weight and 1 more, which --ignore-extra leaves out";
    assert_eq!(bench.refuses(&run), refused);
    let notes = |flags: &[&str]| {
        let output = bench.run(&[&["simulate", "--quiet"], &run[..], flags].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report = std::fs::read_to_string(bench.path("spiq-out/report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        (report["model"]["notes"].clone(), report["settings"].clone())
    };
    let (left_out, settings) = notes(&["--ignore-extra"]);
    let note = "4 entries of the checkpoint that no layer reads left out: aux.0.weight, aux.1.weight, aux.2.weight \
                and 1 more";
    assert_eq!(left_out[0], note);
    bench.write("sdtv1_2-64_fashion.safetensors", bundled(WEIGHTS));
    assert_eq!(notes(&[]).1, settings);
    assert_eq!(notes(&["--ignore-extra"]).0, notes(&[]).0);
}

/// A neuron with parameters of its own is another neuron than that of the family.
#[test]
fn parameters_of_neurons_are_named_and_never_left_out() {
    let names = [
        "block.0.attn.q_lif.w",
        "block.0.attn.q_lif.act.alpha",
        "head_lif.v",
        "encoder.lif1.weight",
        "blocks.tau",
        "v_threshold",
    ];
    for name in names {
        let bench = bench(&with_extra(&[name]));
        for flags in [&[][..], &["--ignore-extra"]] {
            let run = ["--model", "m.ron", "--data", "data.ron", "--quant", "w4"];
            let expected = format!(
                "sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: neuron parameters that no neuron of \
                 it has, {name}"
            );
            assert_eq!(bench.refuses(&[&run, flags].concat()), expected);
        }
    }
    let both = bench(&with_extra(&["aux.weight", "block.0.attn.q_lif.w"]));
    let message = both.refuses(&["--model", "m.ron", "--data", "data.ron", "--quant", "w4"]);
    let end = "neuron parameters that no neuron of it has, block.0.attn.q_lif.w; unexpected aux.weight";
    assert!(message.ends_with(end), "{message}");
}

/// Weights of a file are of neurons that the file does not name; those that are built in are of known ones.
#[test]
fn a_report_says_which_neurons_were_assumed() {
    let bench = bench(&bundled(WEIGHTS));
    let notes = |flags: &[&str]| {
        let output =
            bench.run(&[&["simulate", "--quiet", "--data", "data.ron", "--quant", "w4"], flags].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report = std::fs::read_to_string(bench.path("spiq-out/report.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&report).unwrap()["model"]["notes"].clone()
    };
    let assumed = serde_json::json!([
        "neurons assumed, since a checkpoint does not say: LIF, tau 2, threshold 1, hard reset to 0 (17 layers); \
         LIF, tau 2, threshold 0.5, hard reset to 0 (2 layers)"
    ]);
    assert_eq!(notes(&["--weights", "sdtv1_2-64_fashion.safetensors"]), assumed);
    assert_eq!(notes(&["--model", "m.ron"]), assumed);
    assert_eq!(notes(&[]), serde_json::json!([]));
}

/// A checkpoint that is none of the described model, and all of a built-in one.
#[test]
fn a_checkpoint_of_a_built_in_model_is_named() {
    let bench = bench(&bundled(WEIGHTS));
    let refuses = |from: &str, to: &str| {
        let text = change(&bundled_text(MODEL), "name: \"sdtv1_2-64_fashion\"", "name: \"mine\"");
        bench.write("mine.ron", change(&text, from, to));
        bench.refuses(&["--model", "mine.ron", "--data", "data.ron", "--quant", "w4"])
    };
    let message = refuses("dim: 64", "dim: 32");
    let end =
        "; this looks like the built-in sdtv1_2-64_fashion, and the model file says mine (SpikeDrivenV1)";
    assert!(message.contains(": do not fit the model: misshapen ") && message.ends_with(end), "{message}");
    assert!(refuses("depth: 2", "depth: 1").ends_with(end));
    // What fits no built-in model looks like none.
    bench.write("sdtv1_2-64_fashion.safetensors", without(&["head.bias"]));
    assert!(!refuses("dim: 64", "dim: 32").contains("looks like"));
}

#[test]
fn a_pickle_that_would_run_something_is_refused() {
    let bench = bench(&super::pickles::running_a_command());
    let message = bench.refuses(&["--model", "m.ron", "--data", "data.ron", "--quant", "w4"]);
    let expected = "data.pkl: byte 9: calls posix.system, which a checkpoint of tensors does not need; save the \
                    state dict alone: torch.save(model.state_dict(), PATH)";
    assert_eq!(message, format!("sdtv1_2-64_fashion.safetensors: {expected}"));
}

#[test]
fn values_that_make_no_sense() {
    let variance = "patch_embed.rpe_bn.running_var";
    let typed =
        |dtype: Dtype, bytes: Vec<u8>| with("head.bias", |e| (e.dtype, e.data) = (dtype, bytes.clone()));
    let integers: Vec<u8> = (0..10).flat_map(|i| (16_777_210i32 + i + i / 9).to_le_bytes()).collect();
    let doubles: Vec<u8> = (0..10).flat_map(|i| 10f64.powi(5 * i).to_le_bytes()).collect();
    let cases = [
        ("an integer of 25 bits", typed(Dtype::I32, integers)),
        ("a large double", typed(Dtype::F64, doubles)),
        ("an infinite half", typed(Dtype::F16, [0x00, 0x7c].repeat(10))),
        ("booleans", typed(Dtype::BOOL, vec![1; 10])),
        ("NaN", with_value("block.1.mlp.fc2_conv.weight", 5, f32::NAN)),
        ("infinity", with_value("head.bias", 9, f32::INFINITY)),
        ("negative infinity", with_value("head.bias", 0, f32::NEG_INFINITY)),
        ("negative variance", with_value(variance, 3, -1e-3)),
    ];
    assert_snapshot!(lines(cases, refuses), @r"
    an integer of 25 bits
      sdtv1_2-64_fashion.safetensors: head.bias: value 7 is 16777217, which single precision does not hold
    a large double
      sdtv1_2-64_fashion.safetensors: head.bias: value 8 is 1e40, which single precision does not hold
    an infinite half
      sdtv1_2-64_fashion.safetensors: head.bias: value 0 is inf
    booleans
      sdtv1_2-64_fashion.safetensors: head.bias: dtype BOOL: weights are F32, F64, F16, BF16, I32, I16, I8 or U8
    NaN
      sdtv1_2-64_fashion.safetensors: block.1.mlp.fc2_conv.weight: value 5 is NaN
    infinity
      sdtv1_2-64_fashion.safetensors: head.bias: value 9 is inf
    negative infinity
      sdtv1_2-64_fashion.safetensors: head.bias: value 0 is -inf
    negative variance
      sdtv1_2-64_fashion.safetensors: patch_embed.rpe_bn.running_var: a variance is negative
    ");
}

/// Finite weights of any size run or are refused in words; nothing overflows in silence.
#[test]
fn absurd_values_run_or_are_refused() {
    let outcome = |weights: Vec<u8>| {
        let bench = bench(&weights);
        let text = change(&bundled_text("hw_configs/cortex-m4.ron"), "value: 1048576,", "value: 16777216,");
        bench.write("large.ron", change(&text, "value: 393216,", "value: 16777216,"));
        let run = |quant: &str| {
            let files = ["--model", "m.ron", "--data", "data.ron", "--hw", "large.ron", "--quant", quant];
            let output = bench.run(&[&["simulate", "--quiet"], files.as_slice()].concat());
            let message = String::from_utf8(output.stderr).unwrap();
            match output.status.code() {
                Some(0) => format!("{quant} runs"),
                Some(2) => message.trim_end().replace("error: ", ""),
                code => panic!("{code:?}: {message}"),
            }
        };
        let mut outcomes = ["fp32", "w4", "pot3", "w16", "floor8"].map(run).to_vec();
        outcomes.dedup();
        outcomes.join("\n  ")
    };
    let cases = [
        ("no weights but zeros", filled("weight", 0.0)),
        ("no variance", filled("running_var", 0.0)),
        ("huge variance", filled("running_var", 3e38)),
        ("tiny convolutions", filled("conv.weight", 1e-38)),
        ("huge convolutions", filled("conv.weight", 1e38)),
        ("huge normalization", filled("bn.weight", 3e38)),
        ("huge biases", filled("bn.bias", 3e38)),
        ("huge negative biases", filled("bn.bias", -3e38)),
        ("one huge weight", with_value("patch_embed.rpe_conv.weight", 0, 3e38)),
        ("one huge mean", with_value("patch_embed.rpe_bn.running_mean", 0, 3e38)),
    ];
    assert_snapshot!(lines(cases, outcome), @r"
    no weights but zeros
      fp32 runs
      w4 runs
      pot3 runs
      w16 runs
      floor8 runs
    no variance
      fp32 runs
      w4 runs
      pot3 runs
      w16 runs
      floor8 runs
    huge variance
      fp32 runs
      w4 runs
      pot3 runs
      w16 runs
      floor8 runs
    tiny convolutions
      fp32 runs
      w4 runs
      pot3 runs
      w16 runs
      floor8 runs
    huge convolutions
      sdtv1_2-64_fashion.safetensors: patch_embed.rpe_conv.weight: holds 1e38, the largest of all, and layer patch_embed.proj_conv of sdtv1_2-64_fashion exceeds single precision on validation images
    huge normalization
      sdtv1_2-64_fashion.safetensors: patch_embed.rpe_bn.weight: holds 3e38, the largest of all, and layer patch_embed.proj_conv of sdtv1_2-64_fashion exceeds single precision on validation images
    huge biases
      sdtv1_2-64_fashion.safetensors: patch_embed.rpe_bn.bias: holds 3e38, the largest of all, and layer block.0.attn.add of sdtv1_2-64_fashion exceeds single precision on validation images
    huge negative biases
      sdtv1_2-64_fashion.safetensors: patch_embed.rpe_bn.bias: holds -3e38, the largest of all, and layer block.0.attn.add of sdtv1_2-64_fashion exceeds single precision on validation images
    one huge weight
      sdtv1_2-64_fashion.safetensors: patch_embed.rpe_conv.weight: holds 3e38, the largest of all, and layer head_mean of sdtv1_2-64_fashion exceeds single precision on validation images
    one huge mean
      sdtv1_2-64_fashion.safetensors: patch_embed.rpe_bn.running_mean: holds 3e38, the largest of all, and layer head_mean of sdtv1_2-64_fashion exceeds single precision on validation images
    ");
}
