//! Flags, files that are not there, and places that nothing can be written to.

use insta::assert_snapshot;

use super::support::{Bench, bundled, lines};

#[test]
fn files_that_are_not_there() {
    let bench = Bench::new();
    bench.write("latin1.ron", b"Hardware(name: \"\xe9\")");
    bench.write("empty.ron", "");
    let cases = [
        ("model", ["--model", "absent.ron"]),
        ("hardware", ["--hw", "absent/hw.ron"]),
        ("setting", ["--quant", "absent.ron"]),
        ("data", ["--data", "absent.ron"]),
        ("unknown model", ["--model", "sdtv1"]),
        ("unknown hardware", ["--hw", "edge-29"]),
        ("unknown data", ["--data", "mnist"]),
        ("empty name", ["--model", ""]),
        ("a folder", ["--hw", "out"]),
        ("parent folder", ["--hw", "out/.."]),
        ("not UTF-8", ["--hw", "latin1.ron"]),
        ("empty file", ["--model", "empty.ron"]),
    ];
    assert_snapshot!(lines(cases, |flags| bench.refuses(&flags)), @r#"
    model
      absent.ron: No such file or directory (os error 2)
    hardware
      absent/hw.ron: No such file or directory (os error 2)
    setting
      absent.ron: No such file or directory (os error 2)
    data
      absent.ron: No such file or directory (os error 2)
    unknown model
      "sdtv1": neither a file nor one of the defaults: sdtv1_2-64_fashion, sdtv1_2-256_cifar10, sdtv1_2-256_cifar10dvs, sdtv1_2-256_gesture, sdtv1_2-512_cifar10, sdtv1_4-512_cifar10, sdtv1_8-384_imagenet, sdtv1_8-512_imagenet and 1 more
    unknown hardware
      "edge-29": neither a file nor one of the defaults: edge-28, systolic-28, cortex-m4, eyeriss-28, ptb-28, sato-28, mint-28, prosperity-28 and 10 more
    unknown data
      "mnist": neither a file nor one of the defaults: fashion-mnist
    empty name
      "": neither a file nor one of the defaults: sdtv1_2-64_fashion, qkformer_3-96_fashion, qkformer_10-384_imagenet, qkformer_10-512_imagenet, qkformer_10-768_imagenet, qkformer_4-256_cifar10dvs, qkformer_4-256_gesture, qkformer_4-384_cifar10 and 34 more
    a folder
      out: a folder, not a file
    parent folder
      out/..: not a file
    not UTF-8
      latin1.ron: text: not UTF-8 (invalid utf-8 sequence of 1 bytes from index 16)
    empty file
      empty.ron:1:1: Expected opening `(` for struct `Model`
    "#);
}

#[test]
fn numbers_out_of_range() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    let cases = [
        ("no image", ["--limit", "0"]),
        ("more images than there are", ["--limit", "4"]),
        ("no thread", ["--threads", "0"]),
        ("a million threads", ["--threads", "1000000"]),
        ("no batch", ["--batch", "0"]),
    ];
    assert_snapshot!(lines(cases, |flags| bench.refuses(&[&["--data", "data.ron"], flags.as_slice()].concat())), @r"
    no image
      --limit: 0 is not in 1..=3
    more images than there are
      --limit: 4 is not in 1..=3
    no thread
      --threads: 0 is not in 1..=1024
    a million threads
      --threads: 1000000 is not in 1..=1024
    no batch
      --batch: 0 is not in 1..=65536
    ");
}

/// Clap's own messages: exit code 2, nothing on standard output, and what was wrong.
#[test]
fn command_lines_that_do_not_parse() {
    let bench = Bench::new();
    let first_line = |arguments: &[&str]| bench.refusal(arguments).lines().next().unwrap_or("").to_owned();
    let cases: [(&'static str, &[&str]); 11] = [
        ("no name of a folder", &["simulate", "--out", ""]),
        ("no subcommand", &[]),
        ("unknown subcommand", &["simulat"]),
        ("unknown flag", &["simulate", "--qant", "w4"]),
        ("flag without a value", &["simulate", "--limit"]),
        ("negative number", &["simulate", "--limit=-1"]),
        ("no number", &["simulate", "--threads", "two"]),
        ("unknown instruction set", &["simulate", "--isa", "neon"]),
        ("flag given twice", &["simulate", "--hw", "edge-28", "--hw", "cortex-m4"]),
        ("list without a word", &["list"]),
        ("list of something else", &["list", "weights"]),
    ];
    assert_snapshot!(lines(cases, first_line), @r"
    no name of a folder
      error: a value is required for '--out <DIR>' but none was supplied
    no subcommand
      Bit-exact, cycle-approximate simulator of accelerators for quantized spiking vision transformers
    unknown subcommand
      error: unrecognized subcommand 'simulat'
    unknown flag
      error: unexpected argument '--qant' found
    flag without a value
      error: a value is required for '--limit <N>' but none was supplied
    negative number
      error: invalid value '-1' for '--limit <N>': invalid digit found in string
    no number
      error: invalid value 'two' for '--threads <N>': invalid digit found in string
    unknown instruction set
      error: invalid value 'neon' for '--isa <ISA>'
    flag given twice
      error: the argument '--hw <H>' cannot be used multiple times
    list without a word
      error: the following required arguments were not provided:
    list of something else
      error: invalid value 'weights' for '<WHAT>'
    ");
}

/// Refused before anything is computed, and nothing is left behind.
#[test]
fn places_that_nothing_can_be_written_to() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    bench.write("file", "kept");
    std::fs::create_dir(bench.path("half")).unwrap();
    bench.write("half/plots", "kept");
    std::fs::create_dir_all(bench.path("folder/layers.csv")).unwrap();
    bench.write("folder/report.json", "kept");
    let refuses = |out: &str| {
        let message =
            bench.refusal(&["simulate", "--data", "data.ron", "--quant", "w4", "--quiet", "--out", out]);
        message.trim_end().to_owned()
    };
    let cases = [
        ("a file", "file"),
        ("below a file", "file/below/it"),
        ("plots is a file", "half"),
        ("layers.csv is a folder", "folder"),
    ];
    assert_snapshot!(lines(cases, refuses), @r"
    a file
      error: file: Not a directory (os error 20)
    below a file
      error: file: Not a directory (os error 20)
    plots is a file
      error: half/plots: Not a directory (os error 20)
    layers.csv is a folder
      error: folder/layers.csv: is a directory
    ");
    assert_eq!(std::fs::read(bench.path("file")).unwrap(), b"kept");
    assert_eq!(std::fs::read(bench.path("folder/report.json")).unwrap(), b"kept");
    assert_eq!(std::fs::read_dir(bench.path("half")).unwrap().count(), 1);
}

/// A folder for the result is made only by a run that has one.
#[test]
fn a_refused_run_makes_no_folder() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    bench.write("data.ron", bundled("models/settings/mixed.ron"));
    bench.refusal(&["simulate", "--data", "data.ron", "--out", "fresh"]);
    assert!(!bench.path("fresh").exists());
}
