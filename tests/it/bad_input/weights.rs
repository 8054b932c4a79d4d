//! Checkpoints that are none, or not of this model.

use insta::assert_snapshot;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

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
        ("truncated in the header", whole[..1000].to_vec()),
        ("truncated in the data", whole[..whole.len() - 1].to_vec()),
        ("bytes after the end", [whole.as_slice(), &[0; 16]].concat()),
        ("header of 2^63 bytes", header(1 << 63)),
        ("header of no bytes", header(0)),
        ("header that ends early", header(100)),
    ];
    assert_snapshot!(lines(cases, refuses), @r"
    empty
      sdtv1_2-64_fashion.safetensors: header: not a safetensors file: header too small
    seven bytes
      sdtv1_2-64_fashion.safetensors: header: not a safetensors file: header too small
    text
      sdtv1_2-64_fashion.safetensors: header: not a safetensors file: header too large
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
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: unexpected head.scale
    missing and unexpected
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: missing head.bias; unexpected haed.bias
    of every kind
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: missing head.bias; unexpected haed.bias; misshapen head.weight [640] instead of [10, 64]
    ");
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
    let expected = "data.pkl: byte 9: calls posix.system, which a checkpoint of tensors does not need";
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
      setting w4: layer patch_embed.proj_conv: values up to 9223372036854775807 exceed 46 bits
      setting pot3: layer patch_embed.proj_conv: values up to 9223372036854775807 exceed 46 bits
      setting w16: layer patch_embed.proj_conv: values up to 9223372036854775807 exceed 46 bits
      floor8 runs
    tiny convolutions
      fp32 runs
      setting w4: layer patch_embed.proj_conv: values up to 9223372036854775807 exceed 46 bits
      setting pot3: layer patch_embed.proj_conv: values up to 9223372036854775807 exceed 46 bits
      setting w16: layer patch_embed.proj_conv: values up to 9223372036854775807 exceed 46 bits
      floor8 runs
    huge convolutions
      model sdtv1_2-64_fashion: layer patch_embed.proj_conv: values of validation images exceed single precision
    huge normalization
      model sdtv1_2-64_fashion: layer patch_embed.proj_conv: values of validation images exceed single precision
    huge biases
      model sdtv1_2-64_fashion: layer block.0.attn.add: values of validation images exceed single precision
    huge negative biases
      model sdtv1_2-64_fashion: layer block.0.attn.add: values of validation images exceed single precision
    one huge weight
      model sdtv1_2-64_fashion: layer head_mean: values of validation images exceed single precision
    one huge mean
      model sdtv1_2-64_fashion: layer head_mean: values of validation images exceed single precision
    ");
}
