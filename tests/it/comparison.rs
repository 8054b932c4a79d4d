//! Cycles and accesses beside those of other tools, case by case.
//!
//! `tests/data/comparison/` holds what the tools printed for given loop nests, with tool and version;
//! `results/comparison/cases.csv` is the table of our figure, theirs and the difference. It is written by
//! this test where the variable `SPIQ_UPDATE_COMPARISON` is set, and compared otherwise.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use spiq::cost::{
    Accesses, ArrayTiming, Convention, Counts, GemmOperands, accesses, gemm_cost, needed_share,
};
use spiq::hw::Edges;
use spiq::map::{Dataflow, Gemm, Level, Matrix, Nest};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tool: String,
    #[serde(rename = "configuration")]
    _configuration: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    gemm: Gemm,
    /// Outermost first; absent where the tool has an array of its own.
    #[serde(default)]
    levels: Vec<Level>,
    array: Option<[u32; 2]>,
    dataflow: Option<String>,
    bits: Option<Bits>,
    density: Option<f64>,
    zeros: Option<String>,
    /// Steps of the loops, or cycles of the array.
    steps: Option<u64>,
    computes: Option<u64>,
    cycles: Option<u64>,
    /// Level, matrix, kind of access, value, and bits of the words that are counted.
    #[serde(default)]
    figures: Vec<Value>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
struct Bits {
    #[serde(rename = "Inputs")]
    inputs: u32,
    #[serde(rename = "Weights")]
    weights: u32,
    sum: u32,
    output: u32,
}

/// One line of the table.
struct Row {
    tool: String,
    case: String,
    figure: String,
    ours: f64,
    theirs: f64,
    remark: &'static str,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn load(name: &str) -> File {
    let text = fs::read_to_string(root().join("tests/data/comparison").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn kind(accesses: &Accesses, kind: &str) -> u64 {
    match kind {
        "reads" => accesses.reads,
        "fills" => accesses.fills,
        "updates" => accesses.updates,
        "drains" => accesses.drains,
        "all_reads" => accesses.all_reads(),
        "all_writes" => accesses.all_writes(),
        _ => panic!("{kind}"),
    }
}

/// A figure of a file, taken apart.
struct Figure<'a> {
    level: &'a str,
    matrix: Matrix,
    kind: &'a str,
    value: f64,
    word_bits: Option<f64>,
}

fn figure(value: &Value) -> Figure<'_> {
    Figure {
        level: value[0].as_str().unwrap(),
        matrix: serde_json::from_value(value[1].clone()).unwrap(),
        kind: value[2].as_str().unwrap(),
        value: value[3].as_f64().unwrap(),
        word_bits: value.get(4).and_then(Value::as_f64),
    }
}

/// Words of ZigZag's ports. A sum has its final width once nothing of K is left above; a transfer of less
/// than 64 bits takes 64.
fn words(case: &Case, counts: &Counts, nest: &Nest, level: usize, f: &Figure) -> f64 {
    let bits = case.bits.unwrap();
    let complete = |level: usize| {
        let above = nest.loops().filter(|(l, inner)| *l < level && inner.dim() == spiq::map::Dim::K);
        above.count() == 0
    };
    let below = (level + 1..nest.levels.len()).find(|&l| nest.levels[l].keeps.contains(&f.matrix));
    let element_bits = match (f.matrix, f.kind) {
        (Matrix::Inputs, _) => bits.inputs,
        (Matrix::Weights, _) => bits.weights,
        // A register is read as a whole.
        (Matrix::Outputs, "drains") if complete(level) && f.level != "sum_register" => bits.output,
        (Matrix::Outputs, "updates") if below.is_some_and(complete) => bits.output,
        (Matrix::Outputs, _) => bits.sum,
    };
    let mut all_bits = kind(counts.of(level, f.matrix), f.kind) as f64 * f64::from(element_bits);
    // Each step takes the inputs of 16 rows.
    if f.matrix == Matrix::Inputs && f.kind == "reads" && f.level == "sram" {
        all_bits *= (16.0 * f64::from(element_bits)).max(64.0) / (16.0 * f64::from(element_bits));
    }
    all_bits / f.word_bits.unwrap()
}

/// Rows of a file whose cases say the whole loop nest.
fn nests(name: &str, convention: Convention, remark: fn(&Case, &Figure, f64) -> &'static str) -> Vec<Row> {
    let file = load(name);
    let mut rows = Vec::new();
    for case in &file.cases {
        let nest = Nest { levels: case.levels.clone() };
        nest.check(&case.gemm).unwrap();
        let counts = accesses(&nest, &case.gemm, convention);
        let density = case.density.unwrap_or(1.0);
        let mut row = |figure: String, ours: f64, theirs: f64, remark| {
            rows.push(Row { tool: file.tool.clone(), case: case.name.clone(), figure, ours, theirs, remark });
        };
        let skipped = if case.zeros.as_deref() == Some("skipping") { density } else { 1.0 };
        let (ours, theirs) = (counts.steps as f64 * skipped, case.steps.unwrap() as f64);
        let gated = if ours == theirs { "" } else { "a gated multiplication saves no time here" };
        row("steps".into(), ours, theirs, gated);
        if let Some(computes) = case.computes {
            row("multiplications".into(), case.gemm.operations() as f64 * density, computes as f64, "");
        }
        for value in &case.figures {
            let f = figure(value);
            let level = nest.levels.iter().position(|l| l.name == f.level).unwrap();
            let ours = match f.word_bits {
                Some(_) => words(case, &counts, &nest, level, &f),
                None => {
                    let share = needed_share(&nest, level, f.matrix, density);
                    let conditioned = if f.kind == "fills" { 1.0 } else { share };
                    kind(counts.of(level, f.matrix), f.kind) as f64 * conditioned
                }
            };
            let name = format!("{} {:?} {}", f.level, f.matrix, f.kind).to_lowercase();
            row(name, ours, f.value, remark(case, &f, ours));
        }
    }
    rows
}

fn dataflow(name: Option<&str>) -> Dataflow {
    match name {
        Some("ws") => Dataflow::WeightStationary,
        Some("is") => Dataflow::InputStationary,
        Some("os") | None => Dataflow::OutputStationary,
        Some(other) => panic!("{other}"),
    }
}

/// Rows of a file whose tool maps a product onto an array by itself.
fn arrays(name: &str, timing: impl Fn(u32, u32) -> ArrayTiming, last_cycle: &'static str) -> Vec<Row> {
    let file = load(name);
    let mut rows = Vec::new();
    for case in &file.cases {
        let [r, c] = case.array.unwrap();
        let flow = dataflow(case.dataflow.as_deref());
        let nest = Nest::systolic(flow, [u64::from(r), u64::from(c)], &case.gemm);
        let cost = gemm_cost(&GemmOperands::new(case.gemm, 8, 8), &nest, &timing(r, c), None).unwrap();
        let mut row = |figure: String, ours: f64, theirs: f64, remark| {
            rows.push(Row { tool: file.tool.clone(), case: case.name.clone(), figure, ours, theirs, remark });
        };
        row("compute cycles".into(), cost.compute_cycles(), case.cycles.unwrap() as f64, last_cycle);
        for value in &case.figures {
            let f = figure(value);
            let level = nest.levels.iter().position(|l| l.name == f.level).unwrap();
            let ours = kind(cost.counts.of(level, f.matrix), f.kind) as f64;
            let remark = match (f.level, f.matrix, flow) {
                _ if ours == f.value => "",
                ("sram", Matrix::Outputs, Dataflow::OutputStationary) => "known: an output is written once",
                ("dram", Matrix::Outputs, Dataflow::WeightStationary | Dataflow::InputStationary) => {
                    "known: it sends every partial sum off chip"
                }
                ("dram", _, _) if case.name.starts_with("DeiTT") => "its buffers hold less than the matrices",
                _ => "",
            };
            row(format!("{} {:?} {}", f.level, f.matrix, f.kind).to_lowercase(), ours, f.value, remark);
        }
    }
    rows
}

fn rows() -> Vec<Row> {
    let exact = |_: &Case, _: &Figure, _: f64| "";
    let half_words = |_: &Case, f: &Figure, ours: f64| {
        if ours.fract() > 0.0 && ours.floor() == f.value {
            "it counts whole words, and half a one as none"
        } else {
            ""
        }
    };
    let scale_sim = ArrayTiming::new;
    let stonne = |r, c| ArrayTiming { edges: Edges::Actual, overhead_cycles: 3, ..ArrayTiming::new(r, c) };
    [
        arrays("scalesim.json", scale_sim, "known: it prints the number of the last cycle, from 0"),
        arrays("stonne.json", stonne, ""),
        nests("timeloop.json", Convention::TIMELOOP, exact),
        nests("sparseloop.json", Convention::TIMELOOP, exact),
        nests("accelforge.json", Convention::default(), exact),
        nests("zigzag.json", Convention::ZIGZAG, half_words),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Where figures differ, the reason is a known one; nothing else differs.
#[test]
fn figures_equal_those_of_other_tools() {
    let rows = rows();
    assert!(rows.len() > 400, "{}", rows.len());
    let wrong: Vec<String> = rows
        .iter()
        .filter(|row| (row.ours != row.theirs) == row.remark.is_empty())
        .map(|r| format!("{} {} {}: {} {}", r.tool, r.case, r.figure, r.ours, r.theirs))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let off_by_one = rows.iter().filter(|r| r.tool.starts_with("SCALE") && r.figure == "compute cycles");
    assert!(off_by_one.clone().count() == 9 && off_by_one.clone().all(|r| r.ours == r.theirs + 1.0));
}

#[test]
fn the_table_is_current() {
    let mut text = String::from("tool,case,figure,ours,theirs,difference,remark\n");
    for row in rows() {
        let (ours, theirs) = (row.ours, row.theirs);
        let Row { tool, case, figure, remark, .. } = row;
        let remark = if remark.contains(',') { format!("\"{remark}\"") } else { remark.to_owned() };
        writeln!(text, "{tool},{case},{figure},{ours},{theirs},{},{remark}", ours - theirs).unwrap();
    }
    let path = root().join("results/comparison/cases.csv");
    if std::env::var_os("SPIQ_UPDATE_COMPARISON").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == text, "results/comparison/cases.csv is not what SPIQ_UPDATE_COMPARISON=1 makes of it");
}
