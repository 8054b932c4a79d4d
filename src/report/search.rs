//! What `spiq search` shows and leaves behind: `search.json`, settings, fronts and pictures.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::plots;
use super::units::{Scale, decimals, fixed};
use crate::error::{Error, Result};
use crate::output::Owner;
use crate::search::{
    Closest, Figures, Final, FinalMemory, Front, FrontPoint, GateSummary, LayerChoice, Promise, Promised,
    Request, Run, Search, Step, Violation,
};

/// Rises when a field changes its name, its unit or its meaning.
const SCHEMA_VERSION: u32 = 3;

/// Writes `report.html`, `search.json`, `setting.ron`, `settings/`, `fronts/*.csv` and `plots/` into `dir`; where machines
/// were chosen, too, `machine.ron` and `machines/`.
///
/// # Errors
/// If a file cannot be written; an earlier result is then as it was.
pub fn write_search(search: &Search, request: &Request, dir: &Path) -> Result<()> {
    let json = search_json(search, request)?;
    let mut files = Vec::new();
    let best = search.best.map(|best| &search.runs[best]);
    if let Some(setting) = best.and_then(|best| best.setting.as_ref()) {
        files.push(("setting.ron".to_owned(), setting.clone().into_bytes()));
    }
    if let Some(machine) = best.and_then(|best| best.machine.as_ref()) {
        files.push(("machine.ron".to_owned(), machine.text.clone().into_bytes()));
    }
    for run in &search.runs {
        if let Some(machine) = &run.machine {
            let file = format!("machines/{}.ron", Run::label(&run.strategy, run.seed));
            files.push((file, machine.text.clone().into_bytes()));
        }
        if let Some(setting) = &run.setting {
            files.push((setting_file(run), setting.clone().into_bytes()));
        }
    }
    for (front, stem) in Front::ALL {
        files.push((format!("fronts/{stem}.csv"), front_csv(search, front)?));
    }
    files.extend(plots::of_search(search)?);
    files.push(super::page(&json, "search.json")?);
    files.push(("search.json".to_owned(), json.into_bytes()));
    super::write_files(files, Owner::Search, dir)
}

/// Where the setting of a run is, inside the folder of the search.
fn setting_file(run: &Run) -> String {
    format!("settings/{}.ron", Run::label(&run.strategy, run.seed))
}

#[derive(Serialize)]
struct Report<'a> {
    schema_version: u32,
    spiq_version: &'static str,
    request: &'a Request,
    model: &'a str,
    hardware: &'a str,
    data: &'a str,
    validation_images: usize,
    test_images: usize,
    /// Accuracy of the float network.
    validation_accuracy: f64,
    test_accuracy: f64,
    /// What is promised of unseen images.
    promise: Option<Promise>,
    /// The float network charged as 32-bit integers.
    float: &'a Figures,
    runs: Vec<RunReport<'a>>,
    r#final: Option<Final>,
}

#[derive(Serialize)]
struct RunReport<'a> {
    #[serde(flatten)]
    run: &'a Run,
    setting_file: Option<String>,
    r#final: Option<&'a Final>,
    /// What each layer has in every setting on a front, by the setting.
    fronts: BTreeMap<String, Vec<LayerChoice>>,
    steps: &'a [Step],
}

/// `search.json`: every look at every candidate, and what was found.
///
/// # Errors
/// If a number is not finite.
pub fn search_json(search: &Search, request: &Request) -> Result<String> {
    let runs = search.runs.iter().zip(&search.finals).map(|(run, found)| RunReport {
        run,
        setting_file: run.setting.is_some().then(|| setting_file(run)),
        r#final: found.as_ref(),
        fronts: Front::layers(search, run),
        steps: &run.steps,
    });
    let best = search.best.and_then(|best| search.finals[best].clone());
    let report = Report {
        schema_version: SCHEMA_VERSION,
        spiq_version: env!("CARGO_PKG_VERSION"),
        request,
        model: &search.model,
        hardware: &search.hardware,
        data: &search.data,
        validation_images: search.images[0],
        test_images: search.images[1],
        validation_accuracy: search.reference_accuracy[0],
        test_accuracy: search.reference_accuracy[1],
        promise: search.promise,
        float: &search.float,
        runs: runs.collect(),
        r#final: best.map(|best| Final { setting: "setting.ron".to_owned(), ..best }),
    };
    let mut text = serde_json::to_string_pretty(&report)
        .map_err(|error| Error::io("search.json", std::io::Error::other(error)))?;
    text.push('\n');
    Ok(text)
}

#[derive(Serialize)]
struct FrontRow<'a> {
    strategy: &'a str,
    seed: u64,
    setting: &'a str,
    images: u32,
    accuracy: f64,
    accuracy_drop: f64,
    average_weight_bits: f64,
    model_bytes: f64,
    footprint_bytes: f64,
    energy_j: f64,
    latency_s: f64,
    power_w: f64,
}

fn front_csv(search: &Search, front: Front) -> Result<Vec<u8>> {
    let failed = |source: csv::Error| Error::io("fronts", std::io::Error::other(source));
    let mut writer = csv::Writer::from_writer(Vec::new());
    for run in &search.runs {
        for FrontPoint { setting, images, accuracy_drop, figures } in &front.of(search, run) {
            let row = FrontRow {
                strategy: &run.strategy,
                seed: run.seed,
                setting,
                images: *images,
                accuracy: search.reference_accuracy[0] - accuracy_drop,
                accuracy_drop: *accuracy_drop,
                average_weight_bits: figures.average_weight_bits,
                model_bytes: figures.model_bytes,
                footprint_bytes: figures.footprint_bytes,
                energy_j: figures.energy_j,
                latency_s: figures.latency_s,
                power_w: figures.power_w,
            };
            writer.serialize(row).map_err(failed)?;
        }
    }
    writer.into_inner().map_err(|error| Error::io("fronts", error.into_error()))
}

/// What the authors report, on ImageNet and networks of their own: (strategy, memory saved, which to them is
/// that of weights, and power saved in per cent, bits per weight, points of accuracy).
const PAPERS: [(&str, &str, &str, &str, &str); 4] = [
    ("qsvit", "22.75", "21.33", "-", "2.1"),
    ("aq4svit-greedy", "up to 82.5", "-", "-", "1.5"),
    ("aq4svit-beam", "up to 90", "-", "-", "1.5"),
    ("spikehq", "-", "-", "3.14 to 3.67", "-"),
];

/// The table for the terminal: one line per run, measured on the test set; below, what the papers report.
pub fn search_table(search: &Search) -> String {
    let mut text = String::new();
    let percent = |x: f64| fixed(100.0 * x, 2);
    let Search { model, hardware, data, images, .. } = search;
    let _ = writeln!(text, "model      {model}\nhardware   {hardware}");
    let _ = writeln!(text, "data       {data}, {} validation and {} test images", images[0], images[1]);
    let [validation, test] = search.reference_accuracy.map(percent);
    let _ = writeln!(text, "float      {validation} % on validation, {test} % on test images");
    let _ = writeln!(text, "minimised  {}\n", search.objective.name());
    let header = [
        "strategy",
        "seed",
        "accuracy %",
        "drop points",
        "bits",
        "model KiB",
        "saved %",
        "footprint KiB",
        "saved %",
        "energy uJ",
        "latency us",
        "power mW",
        "saved %",
        "evaluations",
        "settings",
        "seconds",
        "gated",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for (run, found) in search.runs.iter().zip(&search.finals) {
        rows.push(row(search, run, found.as_ref()));
    }
    push_rows(&mut text, &rows);
    push_machines(&mut text, search);
    push_peaks(&mut text, search);
    push_promises(&mut text, search);
    // Where no run found anything, the error says it.
    for run in search.runs.iter().filter(|run| search.best.is_some() && run.best.is_none()) {
        let _ = writeln!(text, "\n{}, seed {}: {}", run.strategy, run.seed, nothing_found(run));
    }
    let _ = writeln!(
        text,
        "\nsaved: against the float network charged as 32-bit integers ({} KiB of model, {} KiB of footprint, {} mW). evaluations: images executed, in validation sets.",
        fixed(search.float.model_bytes / 1024.0, 0),
        fixed(search.float.footprint_bytes / 1024.0, 0),
        fixed(1e3 * search.float.power_w, 1),
    );
    push_papers(&mut text, search);
    text
}

/// Per run, the machine that was found, and what it comes to.
fn push_machines(text: &mut String, search: &Search) {
    let found = search.runs.iter().filter_map(|run| Some((run, run.machine.as_ref()?, run.best.as_ref()?)));
    for (run, machine, best) in found {
        let parameters = machine.parameters.iter().map(|(name, value)| format!("{name} {value}"));
        let _ = writeln!(
            text,
            "\n{}, seed {}: machine with {}; {} of {}, area of {}",
            run.strategy,
            run.seed,
            parameters.collect::<Vec<_>>().join(", "),
            search.objective.name(),
            format_quantity(search.objective.of(&best.measured.figures), search.objective.unit()),
            best.measured
                .figures
                .area_mm2
                .map_or_else(|| "-".to_owned(), |area| format_quantity(area, "mm2")),
        );
    }
}

/// Per run, what is promised of unseen images and because of what.
fn push_promises(text: &mut String, search: &Search) {
    let points = |drop: f64| fixed(100.0 * drop, 2);
    for run in &search.runs {
        let Some(Promised { confidence, images, lost, gained, most_drop, looks }) = run.promised else {
            continue;
        };
        let _ = writeln!(
            text,
            "\n{}, seed {}: loses at most {} points on unseen images like these, with {} % confidence: of {images} held-out images {lost} are lost and {gained} gained, the last of {looks} tests",
            run.strategy,
            run.seed,
            points(most_drop),
            (1e4 * confidence).round() / 100.0,
        );
    }
    if let Some(reason) = &search.unpromised {
        let _ = writeln!(text, "\nnothing is promised of unseen images: {reason}");
    }
}

/// Per run, what each on-chip memory holds at its peak, with its share of the capacity.
fn push_peaks(text: &mut String, search: &Search) {
    let found = || search.runs.iter().zip(&search.finals).filter_map(|(run, f)| Some((run, f.as_ref()?)));
    let Some((_, first)) = found().next() else { return };
    let kib = |bytes: f64| fixed(bytes / 1024.0, decimals(bytes / 1024.0, 4).min(3));
    let heading = |m: &FinalMemory| format!("{} (of {} KiB)", m.name, kib(m.capacity_bytes));
    let cell = |m: &FinalMemory| format!("{} ({} %)", kib(m.peak_bytes), fixed(100.0 * m.share, 0));
    let named = ["peak".to_owned(), "seed".to_owned()];
    let mut rows = vec![named.into_iter().chain(first.memories.iter().map(heading)).collect::<Vec<_>>()];
    rows.extend(found().map(|(run, f)| {
        let named = [run.strategy.clone(), run.seed.to_string()];
        named.into_iter().chain(f.memories.iter().map(cell)).collect()
    }));
    text.push('\n');
    push_rows(text, &rows);
}

/// What the authors of the strategies in `search` print themselves.
fn push_papers(text: &mut String, search: &Search) {
    let plain = |run: &Run| run.strategy.strip_suffix(" accelerated").unwrap_or(&run.strategy).to_owned();
    let papers = PAPERS.iter().filter(|(name, ..)| search.runs.iter().any(|run| plain(run) == *name));
    let mut rows = vec![
        ["as published", "weights saved %", "power saved %", "bits", "drop points"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(papers.map(|&(name, memory, power, bits, drop)| {
        [name, memory, power, bits, drop].map(str::to_owned).to_vec()
    }));
    if rows.len() > 1 {
        text.push_str("\nThe authors' own figures, of other networks on another data set (ImageNet), not to be compared line by line:\n");
        push_rows(text, &rows);
    }
}

fn row(search: &Search, run: &Run, found: Option<&Final>) -> Vec<String> {
    let mut cells = vec![run.strategy.clone(), run.seed.to_string()];
    match found {
        Some(f) => {
            let saved = |mine: f64, float: f64| fixed(100.0 * (1.0 - mine / float), 2);
            let digits = |value: f64| fixed(value, decimals(value, 4).min(3));
            cells.extend([
                fixed(100.0 * f.accuracy, 2),
                fixed(100.0 * f.accuracy_drop, 2),
                fixed(f.average_weight_bits, 2),
                digits(f.model_bytes / 1024.0),
                saved(f.model_bytes, search.float.model_bytes),
                digits(f.footprint_bytes / 1024.0),
                saved(f.footprint_bytes, search.float.footprint_bytes),
                digits(1e6 * f.energy_j),
                digits(1e6 * f.latency_s),
                digits(1e3 * f.power_w),
                saved(f.power_w, search.float.power_w),
            ]);
        }
        None => cells.extend((0..11).map(|_| "-".to_owned())),
    }
    cells.extend([
        fixed(run.evaluations, 1),
        run.candidates.to_string(),
        fixed(run.seconds, 1),
        run.gate.as_ref().map_or_else(|| "-".to_owned(), gated),
    ]);
    cells
}

pub(super) fn push_rows(text: &mut String, rows: &[Vec<String>]) {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (i, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let _ = if i == 0 { write!(line, "{cell:<width$}") } else { write!(line, "  {cell:>width$}") };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// Rejected of seen and, of an audit, how many of the rejected were good.
fn gated(gate: &GateSummary) -> String {
    let GateSummary { seen, rejected, audited, falsely_rejected, .. } = gate;
    match audited {
        0 => format!("{rejected} of {seen}"),
        _ => format!("{rejected} of {seen}, {falsely_rejected} of {audited} wrongly"),
    }
}

/// Which budgets the closest setting of all runs exceeds and by how much, and what ended the run that found it.
pub fn closest(search: &Search) -> String {
    let excess = |run: &&Run| run.closest.as_ref().map_or(f64::INFINITY, Closest::excess);
    let nearest = search.runs.iter().min_by(|a, b| excess(a).total_cmp(&excess(b)));
    nearest.map_or_else(|| "there is no strategy".to_owned(), nothing_found)
}

/// Why `run` has nothing to show, and what may help.
fn nothing_found(run: &Run) -> String {
    let closest = run.closest.as_ref().map_or_else(|| "no setting was tested".to_owned(), exceeded);
    let ended = if run.exhausted {
        "the evaluations (or --max-seconds) ended the search: --max-evaluations allows for more"
    } else {
        "all candidates that may be better were looked at: only other budgets, or more choices of bits, allow for more"
    };
    format!("{closest}; {ended}")
}

/// Which budgets a setting exceeds and by how much, the least one first.
fn exceeded(closest: &Closest) -> String {
    let mut violations: Vec<&Violation> = closest.0.violations.iter().collect();
    violations.sort_by(|a, b| a.excess().total_cmp(&b.excess()));
    let exceeded = |v: &&Violation| {
        let beyond = format_quantity(v.value - v.limit, v.unit);
        let (value, limit) = (format_quantity(v.value, v.unit), format_quantity(v.limit, v.unit));
        format!("{} of {value} is {beyond} beyond {limit}", v.budget)
    };
    let list: Vec<String> = violations.iter().map(exceeded).collect();
    let bits = fixed(closest.0.measured.figures.average_weight_bits, 2);
    format!("no setting found meets the budgets; the closest ({bits} bits): {}", list.join(", "))
}

/// `value` base units of `unit` with a prefix, for messages.
pub fn format_quantity(value: f64, unit: &str) -> String {
    let scale = match unit {
        "" => return format!("{} points", fixed(100.0 * value, 2)),
        "mm2" => return format!("{} mm2", fixed(value, 3)),
        "B" => Scale::bytes(value),
        unit => Scale::si(value, unit),
    };
    let shown = scale.apply(value);
    format!("{} {}", fixed(shown, decimals(shown, 4)), scale.unit)
}
