//! Files of rates for `--rates`.

use insta::assert_snapshot;

use super::support::{Bench, lines};

/// What `spiq` says of `text` as a file of rates of the bundled model.
fn refuses(bench: &Bench, text: &[u8]) -> String {
    bench.write("rates.csv", text);
    bench.refuses(&["--quant", "w4", "--rates", "rates.csv"])
}

#[test]
fn files_that_are_no_rates() {
    let bench = Bench::new();
    let cases: [(&str, &[u8]); 14] = [
        ("empty", b""),
        ("only comments", b"# layer,rate\n#\n"),
        ("another header", b"name,type,rate\nhead,Linear,1\n"),
        ("a column more", b"layer,rate,block\nhead,1,head\n"),
        ("columns turned round", b"rate,layer\n1,head\n"),
        ("no header", b"head,1\n"),
        ("unknown layer", b"# measured\nlayer,rate\nblock.9.attn.q_conv,0.5\n"),
        ("layer twice", b"layer,rate\nhead,1\n\n# again\nhead,1\n"),
        ("more than all", b"layer,rate\nhead,1.5\n"),
        ("negative", b"layer,rate\nhead,-0.1\n"),
        ("no number", b"layer,rate\nhead,NaN\n"),
        ("a word", b"layer,rate\nhead,25 %\n"),
        ("a value missing", b"layer,rate\nhead\n"),
        ("not UTF-8", b"layer,rate\nh\xe9ad,1\n"),
    ];
    assert_snapshot!(lines(cases, |text| refuses(&bench, text)), @r#"
    empty
      rates.csv:1: header: there is none: layer,rate
    only comments
      rates.csv:2: header: there is none: layer,rate
    another header
      rates.csv:1: header: "name" is no column: layer,rate are
    a column more
      rates.csv:1: header: "block" is no column: layer,rate are
    columns turned round
      rates.csv:1: header: rate,layer instead of layer,rate
    no header
      rates.csv:1: header: "head" is no column: layer,rate are
    unknown layer
      rates.csv:3: layer: the network has no layer "block.9.attn.q_conv"
    layer twice
      rates.csv:5: layer: head is given twice
    more than all
      rates.csv:2: rate: 1.5 of head is not in 0..=1
    negative
      rates.csv:2: rate: -0.1 of head is not in 0..=1
    no number
      rates.csv:2: rate: NaN of head is not in 0..=1
    a word
      rates.csv:2: rate: "25 %" of head is not a number
    a value missing
      rates.csv:2: row: 1 values instead of a layer and its rate
    not UTF-8
      rates.csv: text: not UTF-8 (invalid utf-8 sequence of 1 bytes from index 12)
    "#);
}

/// One message lists what cannot be known.
#[test]
fn layers_without_a_rate() {
    let bench = Bench::new();
    let cases: [(&str, &[u8]); 3] = [
        ("all", b"layer,rate\n"),
        ("no spikes", b"layer,rate\nblock.0.attn.add,0.5\n"),
        ("the input", b"layer,rate\ninput,0.5\n"),
    ];
    assert_snapshot!(lines(cases, |text| refuses(&bench, text)), @r#"
    all
      rates.csv: layer: no rate of patch_embed.proj_conv1, patch_embed.proj_conv2, patch_embed.proj_conv3 and 14 more, nor of the neurons that feed them
    no spikes
      rates.csv:2: layer: block.0.attn.add yields values of many bits, which all count as not zero
    the input
      rates.csv:2: layer: input yields values of many bits, which all count as not zero
    "#);
}

#[test]
fn rates_that_are_not_there_or_do_not_fit() {
    let bench = Bench::new();
    let cases = [
        ("no such file", ["--rates", "absent.csv"]),
        ("no such default", ["--rates", "absent"]),
        ("of another model", ["--rates", "spikingformer_8-512_imagenet"]),
    ];
    assert_snapshot!(lines(cases, |flags| bench.refuses(&flags)), @r#"
    no such file
      absent.csv: No such file or directory (os error 2)
    no such default
      "absent": neither a file nor one of the defaults: sdtv1_2-64_fashion, sdtv1_4-512_cifar10, spikformer_4-384_cifar10, spikingformer_8-512_imagenet, vgg11_cifar10
    of another model
      models/rates/spikingformer_8-512_imagenet.csv:9: layer: the network has no layer "patch_embed.proj1_lif"
    "#);
}

#[test]
fn rates_take_the_place_of_images() {
    let bench = Bench::new();
    for (flag, value) in [("--data", "noise"), ("--limit", "3")] {
        let message = bench.refusal(&["simulate", "--rates", "sdtv1_2-64_fashion", flag, value]);
        assert!(message.contains("cannot be used with") && message.contains(flag), "{message}");
    }
}
