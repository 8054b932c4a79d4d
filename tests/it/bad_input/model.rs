//! Model descriptions that make no sense, and images that the model does not look at.

use insta::assert_snapshot;

use super::fuzz::{FAMILIES, LAYERS, description};
use super::support::{Bench, MODEL, WEIGHTS, bundled, bundled_text, change, changed, lines};

#[test]
fn text_that_does_not_parse() {
    let cases = [
        ("missing parenthesis", "classes: 10,\n    weights: File(", "classes: 10,\n    weights: File"),
        ("unknown field", "timesteps: 4", "time_steps: 4"),
        ("missing field", "    classes: 10,\n", ""),
        ("fraction for a count", "timesteps: 4", "timesteps: 4.5"),
        ("negative count", "timesteps: 4", "timesteps: -4"),
        ("unknown family", "SpikeDrivenV1(", "SpikeDrivenV9("),
        ("unknown field of the family", "heads: 8", "head: 8"),
        ("missing field of the family", "depth: 2, ", ""),
        ("three poolings", "(false, false, true, true)", "(false, true, true)"),
        ("two extents", "(1, 28, 28)", "(28, 28)"),
        ("text for a number", "mean: [0.2860]", "mean: [\"0.2860\"]"),
        ("unknown source of weights", "weights: File(", "weights: Url("),
    ];
    assert_snapshot!(changed("--model", MODEL, &cases), @r"
    missing parenthesis
      changed.ron:8:18: Expected opening `(`
    unknown field
      changed.ron:6:5: Unexpected field named `time_steps` in `Model`, expected one of `name`, `family`, `neurons`, `quantized`, `input`, `timesteps`, `classes`, `weights`, or `trained` instead
    missing field
      changed.ron:9:1: Unexpected missing field named `classes` in `Model`
    fraction for a count
      changed.ron:6:17: Expected comma
    negative count
      changed.ron:6:17: Integer is out of bounds
    unknown family
      changed.ron:4:13: Unexpected variant named `SpikeDrivenV9` in enum `Family`, expected one of `Layers`, `QkFormer`, `SpikeDrivenV1`, `SpikeDrivenV2`, `SpikeDrivenV3`, `Spikformer`, or `Spikingformer` instead
    unknown field of the family
      changed.ron:4:46: Unexpected field named `head` in `SpikeDrivenV1`, expected one of `dim`, `depth`, `heads`, `mlp_ratio`, `pooling`, or `pool_keys` instead
    missing field of the family
      changed.ron:4:95: Unexpected missing field named `depth` in `SpikeDrivenV1`
    three poolings
      changed.ron:4:97: Expected a tuple of size 4 but found 3 elements instead
    two extents
      changed.ron:5:32: Expected a tuple of size 3 but found 2 elements instead
    text for a number
      changed.ron:5:45: Expected float
    unknown source of weights
      changed.ron:8:14: Unexpected variant named `Url` in enum `WeightSource`, expected either `File` or `Seeded` instead
    ");
}

#[test]
fn numbers_that_make_no_sense() {
    let cases = [
        ("heads that do not divide dim", "dim: 64", "dim: 60"),
        ("no channels", "dim: 64", "dim: 0"),
        ("absurd dim", "dim: 64", "dim: 18446744073709551608"),
        ("no blocks", "depth: 2", "depth: 0"),
        ("a million blocks", "depth: 2", "depth: 1000000"),
        ("heads that do not divide", "heads: 8", "heads: 7"),
        ("no heads", "heads: 8", "heads: 0"),
        ("no hidden channels", "mlp_ratio: 4", "mlp_ratio: 0"),
        ("absurd hidden channels", "mlp_ratio: 4", "mlp_ratio: 1000000000"),
        ("pixels of no bits", "bits: 8", "bits: 0"),
        ("pixels of nine bits", "bits: 8", "bits: 9"),
        ("no timesteps", "timesteps: 4", "timesteps: 0"),
        ("10^9 timesteps", "timesteps: 4", "timesteps: 1000000000"),
        ("no classes", "classes: 10", "classes: 0"),
        ("10^9 classes", "classes: 10", "classes: 1000000000"),
        ("no image", "(1, 28, 28)", "(1, 0, 28)"),
        ("image of 2^32 columns", "(1, 28, 28)", "(1, 28, 4294967296)"),
        ("no colours", "(1, 28, 28)", "(0, 28, 28)"),
        ("two means for one channel", "mean: [0.2860]", "mean: [0.2860, 0.5]"),
        ("no deviation", "std: [0.3530]", "std: []"),
        ("mean of NaN", "mean: [0.2860]", "mean: [NaN]"),
        ("mean above 1", "mean: [0.2860]", "mean: [128.0]"),
        ("deviation of 0", "std: [0.3530]", "std: [0.0]"),
        ("infinite deviation", "std: [0.3530]", "std: [inf]"),
        ("negative deviation", "std: [0.3530]", "std: [-0.3530]"),
        ("weights that are not there", "sdtv1_2-64_fashion.safetensors", "elsewhere.safetensors"),
        ("weights of another depth", "depth: 2", "depth: 3"),
        ("weights of another width", "dim: 64", "dim: 72"),
        ("more values than memory holds", "(1, 28, 28)", "(1, 4096, 4096)"),
    ];
    assert_snapshot!(changed("--model", MODEL, &cases), @r"
    heads that do not divide dim
      changed.ron: family: SpikeDrivenV1: heads: 8 does not divide dim 60
    no channels
      changed.ron: family: SpikeDrivenV1: dim: 0 is not in 8..=4096
    absurd dim
      changed.ron: family: SpikeDrivenV1: dim: 18446744073709551608 is not in 8..=4096
    no blocks
      changed.ron: family: SpikeDrivenV1: depth: 0 is not in 1..=64
    a million blocks
      changed.ron: family: SpikeDrivenV1: depth: 1000000 is not in 1..=64
    heads that do not divide
      changed.ron: family: SpikeDrivenV1: heads: 7 does not divide dim 64
    no heads
      changed.ron: family: SpikeDrivenV1: heads: 0 does not divide dim 64
    no hidden channels
      changed.ron: family: SpikeDrivenV1: mlp_ratio: 0.0 leaves no hidden channel of 64
    absurd hidden channels
      changed.ron: family: SpikeDrivenV1: mlp_ratio: 1000000000.0 is not in 0..=16
    pixels of no bits
      changed.ron: input.bits: 0 is not in 1..=8
    pixels of nine bits
      changed.ron: input.bits: 9 is not in 1..=8
    no timesteps
      changed.ron: timesteps: 0 is not in 1..=64
    10^9 timesteps
      changed.ron: timesteps: 1000000000 is not in 1..=64
    no classes
      changed.ron: classes: 0 is not in 1..=100000
    10^9 classes
      changed.ron: classes: 1000000000 is not in 1..=100000
    no image
      changed.ron: input.shape: height: 0 is not in 1..=4096
    image of 2^32 columns
      changed.ron: input.shape: width: 4294967296 is not in 1..=4096
    no colours
      changed.ron: input.shape: channels: 0 is not in 1..=64
    two means for one channel
      changed.ron: input.mean: 2 values for 1 channels
    no deviation
      changed.ron: input.std: 0 values for 1 channels
    mean of NaN
      changed.ron: input.mean: NaN is not in 0..=1
    mean above 1
      changed.ron: input.mean: 128.0 is not in 0..=1
    deviation of 0
      changed.ron: input.std: 0.0 is not in 0.001..=10
    infinite deviation
      changed.ron: input.std: inf is not in 0.001..=10
    negative deviation
      changed.ron: input.std: -0.353 is not in 0.001..=10
    weights that are not there
      elsewhere.safetensors: No such file or directory (os error 2)
    weights of another depth
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: missing block.2.attn.q_conv.weight, block.2.attn.q_bn.weight, block.2.attn.q_bn.bias and 30 more; this looks like the built-in sdtv1_2-64_fashion, and the model file says sdtv1_2-64_fashion (SpikeDrivenV1)
    weights of another width
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: misshapen patch_embed.proj_conv.weight [8, 1, 3, 3] instead of [9, 1, 3, 3], patch_embed.proj_bn.weight [8] instead of [9], patch_embed.proj_bn.bias [8] instead of [9] and 89 more; this looks like the built-in sdtv1_2-64_fashion, and the model file says sdtv1_2-64_fashion (SpikeDrivenV1)
    more values than memory holds
      changed.ron: input.shape: layer patch_embed.proj_lif: 536870912 values of an image exceed 134217728
    ");
}

/// Descriptions are refused where no weights are loaded, too.
#[test]
fn descriptions_of_models() {
    let bench = Bench::new();
    bench.write("m.ron", change(&bundled_text(MODEL), "dim: 64", "dim: 60"));
    let cases = [("numbers", "m.ron"), ("no file", "absent.ron"), ("no default", "sdtv1")];
    let refuses = |model: &str| bench.refusal(&["describe", model]).trim_end().to_owned();
    assert_snapshot!(lines(cases, refuses), @r#"
    numbers
      error: m.ron: family: SpikeDrivenV1: heads: 8 does not divide dim 60
    no file
      error: absent.ron: No such file or directory (os error 2)
    no default
      error: "sdtv1": neither a file nor one of the defaults: sdtv1_2-64_fashion, sdtv1_2-256_cifar10, sdtv1_2-256_cifar10dvs, sdtv1_2-256_gesture, sdtv1_2-512_cifar10, sdtv1_4-512_cifar10, sdtv1_8-384_imagenet, sdtv1_8-512_imagenet and 1 more
    "#);
}

/// Number of a family, and what is replaced in its description.
type Changes<'a> = (usize, &'a [(&'a str, &'a str)]);

/// Descriptions of families that come without weights are refused.
#[test]
fn families() {
    let bench = Bench::new();
    let refuses = |(family, changes): Changes| {
        let text = description(FAMILIES[family]);
        let text = changes.iter().fold(text, |text, (from, to)| change(&text, from, to));
        bench.write("m.ron", text);
        bench.refusal(&["describe", "m.ron"]).trim_end().to_owned()
    };
    let large = ("(1, 32, 32)", "(1, 4096, 4096)");
    let cases: [(&'static str, Changes); 10] = [
        ("blocks of the first stage", (0, &[("(1, 1, 2)", "(1000000000, 1, 2)")])),
        ("blocks of the second stage", (0, &[("(1, 1, 2)", "(1, 18446744073709551615, 2)")])),
        ("heads that do not divide", (0, &[("heads: 8", "heads: 3")])),
        ("no channels in a stage", (1, &[("(16, 32, 64, 96)", "(0, 32, 64, 96)")])),
        ("heads of the last stage", (1, &[("(16, 32, 64, 96)", "(16, 32, 64, 100)")])),
        ("scale of NaN", (2, &[("scale: 0.125", "scale: NaN")])),
        ("unused tokens", (2, &[("unused_tokens: 8", "unused_tokens: 18446744073709551615")])),
        (
            "tokens",
            (
                2,
                &[
                    large,
                    ("(false, false, true, true)", "(false, false, false, false)"),
                    ("dim: 64", "dim: 4096"),
                ],
            ),
        ),
        ("values", (3, &[large])),
        ("stem", (3, &[("stem: Proj", "stem: Projection")])),
    ];
    assert_snapshot!(lines(cases, refuses), @r"
    blocks of the first stage
      error: m.ron: family: QkFormer: depths.0: 1000000000 is not in 0..=64
    blocks of the second stage
      error: m.ron: family: QkFormer: depths.1: 18446744073709552000 is not in 0..=64
    heads that do not divide
      error: m.ron: family: QkFormer: heads: 3 does not divide dim 64
    no channels in a stage
      error: m.ron: family: SpikeDrivenV2: dims.0: 0 is not in 2..=4096
    heads of the last stage
      error: m.ron: family: SpikeDrivenV2: heads: 8 does not divide dim 100
    scale of NaN
      error: m.ron: family: Spikformer: scale: NaN is not in 0.001..=1
    unused tokens
      error: m.ron: family: Spikformer: unused_tokens: 18446744073709552000 is not in 0..=1000000
    tokens
      error: m.ron: family: layer block.0.attn.ssa: 16777216 tokens of 512 channels are too many
    values
      error: m.ron: input.shape: layer patch_embed.proj1_lif: 536870912 values of an image exceed 134217728
    stem
      error: m.ron:1:124: Unexpected variant named `Projection` in enum `StemNames`, expected either `Proj` or `Block` instead
    ");
}

/// A network that is written out, whose layers do not fit one another.
#[test]
fn layers_that_do_not_fit() {
    let bench = Bench::new();
    let refuses = |(from, to): (&str, &str)| {
        bench.write("m.ron", change(&description(LAYERS), from, to));
        bench.refusal(&["describe", "m.ron"]).trim_end().to_owned()
    };
    let cases = [
        ("an attention of nothing", ("inputs: [\"q_lif\"], ", "inputs: [], ")),
        ("a product of two", ("[\"q_lif\", \"k_lif\", \"v_lif\"]", "[\"q_lif\", \"k_lif\"]")),
        ("an OR of shapes", ("(\"inhibited\", \"k_lif\")", "(\"inhibited\", \"stem_lif\")")),
        ("an AND NOT of no spikes", ("(\"masked\", \"k_lif\")", "(\"masked\", \"v_lif\")")),
        ("an AND NOT of a sum", ("(\"masked\", \"k_lif\")", "(\"pairs\", \"k_lif\")")),
        (
            "a token of spikes",
            ("ClassToken(name: \"cls_token\",", "ClassToken(name: \"cls_token\", input: \"k_lif\","),
        ),
        ("a token that two layers read", ("\"pos_embed\"", "\"cls_token\"")),
        ("a dilation of 0", ("dilation: 2", "dilation: (2, 0)")),
        ("taps beyond the map", ("dilation: 2", "dilation: (1, 4096)")),
        ("a window of no rows", ("size: (3, 2)", "size: (0, 2)")),
        ("a window that misses its map", ("pad: (1, 0)", "pad: (1, 2)")),
        ("sums that nothing brings together", ("(\"stream\", \"branch\")", "(\"proj\", \"branch\")")),
        (
            "spikes as activations",
            (
                "Requantize(name: \"stream\", grid: Residual)",
                "Requantize(name: \"stream\", input: \"k_lif\", grid: Activation)",
            ),
        ),
        ("an addition of shapes", ("(\"stream\", \"branch\")", "(\"stream\", \"pool\")")),
    ];
    assert_snapshot!(lines(cases, refuses), @r"
    an attention of nothing
      error: m.ron: family: layer count: 0 inputs, and this attention reads 1
    a product of two
      error: m.ron: family: layer attn: 2 inputs, and this attention reads 3
    an OR of shapes
      error: m.ron: family: layer either: reads spikes of shape 16 x 16 x 16, and stem_lif yields Spikes of 16 x 32 x 32
    an AND NOT of no spikes
      error: m.ron: family: layer inhibited: reads spikes of shape 16 x 16 x 16, and v_lif yields Levels { max: 4, norm: 4 } of 32 x 16 x 16
    an AND NOT of a sum
      error: m.ron: family: layer inhibited: reads spikes of shape 16 x 1 x 1, and pairs yields Count { max: 256 } of 16 x 1 x 1
    a token of spikes
      error: m.ron: family: layer cls_token: reads the residual stream, and k_lif yields Spikes of 16 x 16 x 16
    a token that two layers read
      error: m.ron: family: layer cls_token: a second tensor cls_token
    a dilation of 0
      error: m.ron: family: layer stem: 1 -> 16 channels in 1 groups, kernel 3, stride 1, padding 2, dilation 2 x 0
    taps beyond the map
      error: m.ron: family: layer stem: a kernel that spans 3 x 8193 does not fit an input of 1 x 32 x 32
    a window of no rows
      error: m.ron: family: layer pool: a window of 0 x 2 with padding 1 x 0 and stride 2 can miss its input, or is too large
    a window that misses its map
      error: m.ron: family: layer pool: a window of 3 x 2 with padding 1 x 2 and stride 2 can miss its input, or is too large
    sums that nothing brings together
      error: m.ron: family: layer join: adds PreActivation to PreActivation; `Requantize` brings either onto the residual stream
    spikes as activations
      error: m.ron: family: layer stream: reads pre-activations, and k_lif yields Spikes of 16 x 16 x 16
    an addition of shapes
      error: m.ron: family: layer join: 16 x 16 x 16 does not add to 32 x 16 x 16
    ");
}

/// An image of one pixel passes through all poolings, and is no reason to stop.
#[test]
fn the_smallest_image_runs() {
    let bench = Bench::new();
    bench.small_data(1, 1);
    bench.write("sdtv1_2-64_fashion.safetensors", bundled(WEIGHTS));
    bench.write("m.ron", change(&bundled_text(MODEL), "(1, 28, 28)", "(1, 1, 1)"));
    let output = bench.run(&["simulate", "--model", "m.ron", "--data", "data.ron", "--quant", "w4"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn images_that_the_model_does_not_look_at() {
    let bench = Bench::new();
    bench.write("sdtv1_2-64_fashion.safetensors", bundled(WEIGHTS));
    let refuses = |(size, input): (usize, &str)| {
        bench.small_data(size, size);
        bench.write("m.ron", change(&bundled_text(MODEL), "(1, 28, 28)", input));
        bench.refuses(&["--model", "m.ron", "--data", "data.ron"])
    };
    let cases = [("one row more", (28, "(1, 29, 28)")), ("smaller images", (12, "(1, 28, 28)"))];
    assert_snapshot!(lines(cases, refuses), @r"
    one row more
      data.ron: images: of 1 x 28 x 28, and model sdtv1_2-64_fashion looks at 1 x 29 x 28
    smaller images
      data.ron: images: of 1 x 12 x 12, and model sdtv1_2-64_fashion looks at 1 x 28 x 28
    ");
}

#[test]
fn colours_and_classes_that_the_weights_do_not_have() {
    let bench = Bench::new();
    bench.write("sdtv1_2-64_fashion.safetensors", bundled(WEIGHTS));
    let refuses = |(from, to): (&str, &str)| {
        let text = change(&bundled_text(MODEL), from, to);
        let colours = "mean: [0.1, 0.1, 0.1], std: [0.3, 0.3, 0.3]";
        let text =
            if to.starts_with("(3") { change(&text, "mean: [0.2860], std: [0.3530]", colours) } else { text };
        bench.write("m.ron", text);
        bench.refuses(&["--model", "m.ron", "--limit", "1"])
    };
    let cases =
        [("three colours", ("(1, 28, 28)", "(3, 28, 28)")), ("nine classes", ("classes: 10", "classes: 9"))];
    assert_snapshot!(lines(cases, refuses), @r"
    three colours
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: misshapen patch_embed.proj_conv.weight [8, 1, 3, 3] instead of [8, 3, 3, 3]; this looks like the built-in sdtv1_2-64_fashion, and the model file says sdtv1_2-64_fashion (SpikeDrivenV1)
    nine classes
      sdtv1_2-64_fashion.safetensors: tensors: do not fit the model: misshapen head.weight [10, 64] instead of [9, 64], head.bias [10] instead of [9]; this looks like the built-in sdtv1_2-64_fashion, and the model file says sdtv1_2-64_fashion (SpikeDrivenV1)
    ");
}
