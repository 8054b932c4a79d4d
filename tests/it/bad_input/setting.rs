//! Settings: shorthands, files, and overrides.

use std::collections::BTreeMap;

use insta::assert_snapshot;

use super::support::{Bench, changed, lines};

const MIXED: &str = "models/settings/mixed.ron";

/// What `spiq` says of each of the words after `--quant`.
fn refuses(quants: &'static str) -> String {
    let bench = Bench::new();
    bench.small_data(28, 28);
    let message = |quant| bench.refuses(&["--data", "data.ron", "--quant", quant]);
    lines(quants.split(' ').map(|quant| (quant, quant)), message)
}

#[test]
fn shorthands_out_of_range() {
    assert_snapshot!(refuses("w1 w17 w0 pot1 pot6 floor1 floor17 w4u1 w4u33"), @r"
    w1
      w1: weights: 1 bits are not in 2..=16
    w17
      w17: weights: 17 bits are not in 2..=16
    w0
      w0: weights: 0 bits are not in 2..=16
    pot1
      pot1: weights: 1 bits are not in 2..=5
    pot6
      pot6: weights: 6 bits are not in 2..=5
    floor1
      floor1: weights: 1 bits are not in 2..=16
    floor17
      floor17: weights: 17 bits are not in 2..=16
    w4u1
      w4u1: membrane_bits: 1 is not in 2..=32
    w4u33
      w4u33: membrane_bits: 33 is not in 2..=32
    ");
}

/// One setting has one spelling, so "+4" and "04" are none.
#[test]
fn words_that_are_no_setting() {
    let words = "w99999999999 w4u wu8 x4 W4 w-4 w+4 w4u+8 w04  fp16 w4u8u8 mixd w4+ w4+bias+mse pot3+mse";
    let told = refuses(words);
    let advice = "neither a file nor one of the defaults: mixed, pot3-calibrated, w2-calibrated, \
                  w3-calibrated, w4-calibrated; shorthands are fp32, w2 to w16, pot2 to \
                  pot5, floor2 to floor16, int2 to int16 (weights that are integers already), t2, t1.6, b1, apot3 to apot5, dbq4, post3 to post5, adalog3 to adalog4, e2m1, mx4, each with u2 to u32 for membrane bits, as in w4u8, and any of +mse, +gptq, +bias, +rate, in this order";
    let (defaults, shorthands) = advice.split_once("; ").unwrap();
    let meant = [("wu8", "w8"), ("x4", "w4"), ("W4", "w4"), ("w-4", "w4")];
    let meant = meant.into_iter().chain([("w4u+8", "w4u8"), ("fp16", "fp32"), ("w4+", "w4"), ("w4u", "w4")]);
    let meant: BTreeMap<_, _> =
        meant.chain([("w+4", "w4"), ("w4+bias+mse", "w4"), ("pot3+mse", "pot3")]).collect();
    let line = |word: &str| {
        let meant = meant.get(word).map_or_else(String::new, |meant| format!("is {meant} meant? "));
        format!("{word}\n  {word:?}: {defaults}; {meant}{shorthands}\n")
    };
    assert_eq!(told, words.split(' ').map(line).collect::<String>());
    // A word with a point is taken for the name of a file.
    assert_snapshot!(refuses("w4.5"), @r"
    w4.5
      w4.5: No such file or directory (os error 2)
    ");
}

#[test]
fn files_that_do_not_parse() {
    let cases = [
        ("missing bracket", "    ],\n", "    \n"),
        ("unknown field", "membrane_bits: 10", "membrane_bit: 10"),
        ("missing field", "    membrane_bits: 10,\n", ""),
        ("text for a number", "membrane_bits: 10", "membrane_bits: \"10\""),
        ("unknown scheme", "PowerOfTwo(", "PowerOfThree("),
        ("unknown field of a scheme", "Uniform(", "Uniform(zero_point: 3, "),
        ("missing field of a scheme", "scale: Free, ", ""),
        ("unknown field of an override", "Layer(weights: PowerOfTwo", "Layer(weight: PowerOfTwo"),
        ("override without a pattern", "(\"block.0.mlp.*\", Layer", "(Layer"),
        ("unknown rounding", "membrane_bits: 10", "membrane_bits: 10, rounding: Gptq"),
        ("text for a switch", "membrane_bits: 10", "membrane_bits: 10, bias_correction: 1"),
    ];
    assert_snapshot!(changed("--quant", MIXED, &cases), @r"
    missing bracket
      changed.ron:13:1: Expected opening `(`
    unknown field
      changed.ron:5:5: Unexpected field named `membrane_bit` in `Setting`, expected one of `name`, `weights`, `membrane_bits`, `residual_bits`, `residual_fraction_bits`, `input`, `accumulator`, `activation_bits`, `rounding`, `bias_correction`, `rate_matching`, `layers`, or `integers` instead
    missing field
      changed.ron:12:1: Unexpected missing field named `membrane_bits` in `Setting`
    text for a number
      changed.ron:5:19: Expected integer
    unknown scheme
      changed.ron:9:42: Unexpected variant named `PowerOfThree` in enum `WeightScheme`, expected one of `Uniform`, `UnitFloor`, `Stored`, `PowerOfTwo`, or `Levels` instead
    unknown field of a scheme
      changed.ron:4:22: Unexpected field named `zero_point` in `Uniform`, expected one of `bits`, `scale`, `granularity`, or `clip` instead
    missing field of a scheme
      changed.ron:4:62: Unexpected missing field named `scale` in `Uniform`
    unknown field of an override
      changed.ron:9:33: Unexpected field named `weight` in `Layer`, expected one of `weights`, `membrane_bits`, `fraction_bits`, `accumulator`, or `rounding` instead
    override without a pattern
      changed.ron:9:10: Expected string
    unknown rounding
      changed.ron:5:34: Unexpected variant named `Gptq` in enum `WeightRounding`, expected either `Nearest` or `SecondOrder` instead
    text for a switch
      changed.ron:5:40: Expected boolean
    ");
}

#[test]
fn files_that_make_no_sense() {
    let cases = [
        ("1-bit weights", "bits: 4", "bits: 1"),
        ("17-bit weights", "bits: 4", "bits: 17"),
        ("6-bit powers of two", "bits: 3", "bits: 6"),
        ("1-bit membranes", "membrane_bits: 10", "membrane_bits: 1"),
        ("33-bit membranes", "membrane_bits: 10", "membrane_bits: 33"),
        ("25-bit residual stream", "residual_bits: 16", "residual_bits: 25"),
        ("25 fraction bits of it", "residual_bits: 16", "residual_bits: 16, residual_fraction_bits: 25"),
        ("3-bit activations", "residual_bits: 16", "residual_bits: 16, activation_bits: 3"),
        ("17 fraction bits", "Layer(weights: PowerOfTwo", "Layer(fraction_bits: 17, weights: PowerOfTwo"),
        (
            "33-bit membranes of a layer",
            "Layer(weights: PowerOfTwo",
            "Layer(membrane_bits: 33, weights: PowerOfTwo",
        ),
        ("1-bit weights of a layer", "bits: 8", "bits: 1"),
        ("empty name", "\"mixed\"", "\"\""),
    ];
    assert_snapshot!(changed("--quant", MIXED, &cases), @r#"
    1-bit weights
      changed.ron: weights: 1 bits are not in 2..=16
    17-bit weights
      changed.ron: weights: 17 bits are not in 2..=16
    6-bit powers of two
      changed.ron: layers: block.0.mlp.*: weights: 6 bits are not in 2..=5
    1-bit membranes
      changed.ron: membrane_bits: 1 is not in 2..=32
    33-bit membranes
      changed.ron: membrane_bits: 33 is not in 2..=32
    25-bit residual stream
      changed.ron: residual_bits: 25 is not in 4..=24
    25 fraction bits of it
      changed.ron: residual_fraction_bits: 25 is not in 0..=24
    3-bit activations
      changed.ron: activation_bits: 3 is not in 4..=16
    17 fraction bits
      changed.ron: layers: block.0.mlp.*: fraction_bits: 17 is not in 0..=16
    33-bit membranes of a layer
      changed.ron: layers: block.0.mlp.*: membrane_bits: 33 is not in 2..=32
    1-bit weights of a layer
      changed.ron: layers: patch_embed.proj_conv: weights: 1 bits are not in 2..=16
    empty name
      changed.ron:3:12: name: "" is empty
    "#);
}

/// An override that changes nothing is a spelling mistake.
#[test]
fn overrides_that_match_nothing() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    let layers = |layer: &str| {
        let text = "weights: UnitFloor(bits: 4), membrane_bits: 8, residual_bits: 16";
        bench.write("s.ron", format!("Setting(name: \"s\", {text}, layers: [{layer}])"));
        bench.refuses(&["--data", "data.ron", "--quant", "s.ron"])
    };
    let cases = [
        ("no such layer", "(\"hed\", Layer(weights: UnitFloor(bits: 8)))"),
        ("no such prefix", "(\"block.7.*\", Layer(weights: UnitFloor(bits: 8)))"),
        ("star between names of no layer", "(\"block.*.mlp.fc9_conv\", Layer(weights: UnitFloor(bits: 8)))"),
        ("membranes of a weight layer", "(\"head\", Layer(membrane_bits: 8))"),
        ("weights of a neuron", "(\"head_lif\", Layer(weights: UnitFloor(bits: 8)))"),
        ("nothing said", "(\"head\", Layer())"),
    ];
    assert_snapshot!(lines(cases, layers), @r"
    no such layer
      s.ron: layers: hed: matches no layer of the model that this override could change
    no such prefix
      s.ron: layers: block.7.*: matches no layer of the model that this override could change
    star between names of no layer
      s.ron: layers: block.*.mlp.fc9_conv: matches no layer of the model that this override could change
    membranes of a weight layer
      s.ron: layers: head: matches no layer of the model that this override could change
    weights of a neuron
      s.ron: layers: head_lif: matches no layer of the model that this override could change
    nothing said
      s.ron: layers: head: matches no layer of the model that this override could change
    ");
}

#[test]
fn settings_of_one_name() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    let twice = |quants: [&str; 2]| {
        bench.refuses(&["--data", "data.ron", "--quant", quants[0], "--quant", quants[1]])
    };
    bench.write(
        "w4.ron",
        "Setting(name: \"w4\", weights: UnitFloor(bits: 4), membrane_bits: 8, residual_bits: 16)",
    );
    assert_snapshot!(lines([("shorthand", ["w4", "w4"]), ("file", ["w4", "w4.ron"])], twice), @r"
    shorthand
      --quant: two settings are named w4
    file
      --quant: two settings are named w4
    ");
}
