//! Files of rates for `--rates`.

use insta::assert_snapshot;

use super::support::{Bench, lines};

/// A file of the rates of all layers of the bundled model, without its last lines.
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
    assert_snapshot!(lines(cases, |text| refuses(&bench, text)), @"");
}

/// One message lists what cannot be known.
#[test]
fn layers_without_a_rate() {
    let bench = Bench::new();
    let cases: [(&str, &[u8]); 3] = [
        ("all", b"layer,rate\n"),
        ("no spikes", b"layer,rate\nblock.0.add,0.5\n"),
        ("the input", b"layer,rate\ninput,0.5\n"),
    ];
    assert_snapshot!(lines(cases, |text| refuses(&bench, text)), @"");
}

#[test]
fn rates_that_are_not_there_or_do_not_fit() {
    let bench = Bench::new();
    let cases = [
        ("no such file", ["--rates", "absent.csv"]),
        ("no such default", ["--rates", "absent"]),
        ("of another model", ["--rates", "spikingformer_8-512_imagenet"]),
    ];
    assert_snapshot!(lines(cases, |flags| bench.refuses(&flags)), @"");
}

#[test]
fn rates_take_the_place_of_images() {
    let bench = Bench::new();
    for (flag, value) in [("--data", "noise"), ("--limit", "3")] {
        let message = bench.refusal(&["simulate", "--rates", "sdtv1_2-64_fashion", flag, value]);
        assert!(message.contains("cannot be used with") && message.contains(flag), "{message}");
    }
}
