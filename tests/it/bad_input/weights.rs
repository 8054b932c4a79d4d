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
    let half = |e: &mut Entry| {
        e.dtype = Dtype::F16;
        e.data.truncate(e.data.len() / 2);
    };
    let cases = [
        ("half precision", with("head.weight", half)),
        ("integers", with("head.weight", |e| e.dtype = Dtype::I32)),
        ("transposed", with("head.weight", |e| e.shape.reverse())),
        ("another rank", with("head.weight", |e| e.shape = vec![640])),
        ("no values", with("head.bias", |e| (e.shape, e.data) = (vec![0], Vec::new()))),
        ("missing", without(&["head.bias"])),
        ("several missing", without(&["head.bias", "head.weight", "patch_embed.rpe_bn.running_var"])),
        ("unexpected", extra("head.scale")),
        ("missing and unexpected", {
            let mut entries = entries();
            entries.iter_mut().find(|e| e.name == "head.bias").unwrap().name = "haed.bias".into();
            serialized(&entries)
        }),
    ];
    assert_snapshot!(lines(cases, refuses), @r"
    half precision
      sdtv1_2-64_fashion.safetensors: head.weight: dtype F16, expected F32
    integers
      sdtv1_2-64_fashion.safetensors: head.weight: dtype I32, expected F32
    transposed
      sdtv1_2-64_fashion.safetensors: head.weight: shape [64, 10], expected [10, 64]
    another rank
      sdtv1_2-64_fashion.safetensors: head.weight: shape [640], expected [10, 64]
    no values
      sdtv1_2-64_fashion.safetensors: head.bias: shape [0], expected [10]
    missing
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: missing head.bias
    several missing
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: missing patch_embed.rpe_bn.running_var and 2 more
    unexpected
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: unexpected head.scale
    missing and unexpected
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: missing head.bias; unexpected haed.bias
    ");
}

#[test]
fn values_that_make_no_sense() {
    let variance = "patch_embed.rpe_bn.running_var";
    let cases = [
        ("NaN", with_value("block.1.mlp.fc2_conv.weight", 5, f32::NAN)),
        ("infinity", with_value("head.bias", 9, f32::INFINITY)),
        ("negative infinity", with_value("head.bias", 0, f32::NEG_INFINITY)),
        ("negative variance", with_value(variance, 3, -1e-3)),
    ];
    assert_snapshot!(lines(cases, refuses), @r"
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
