//! `spiq validate rtl`: a table of layers.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::print::{print, print_json};
use crate::error::Result;
use crate::rtl::{CauseCycles, DesignExport, LayerRun, check_runs};

/// What `--json` prints.
#[derive(Serialize)]
struct Validated<'a> {
    folder: String,
    equal: bool,
    compared: u64,
    different: u64,
    rtl_cycles: f64,
    model_cycles: f64,
    layers: &'a [LayerRun],
}

/// Runs it; 1 if an integer differs.
pub fn run(dir: &Path, json: bool) -> Result<u8> {
    let (export, runs) = check_runs(dir)?;
    let sum = |get: fn(&LayerRun) -> u64| runs.iter().map(get).sum::<u64>();
    let cycles = |get: fn(&LayerRun) -> &CauseCycles| runs.iter().map(|run| get(run).total()).sum();
    let validated = Validated {
        folder: dir.display().to_string(),
        equal: sum(|run| run.different) == 0,
        compared: sum(|run| run.compared),
        different: sum(|run| run.different),
        rtl_cycles: cycles(|run| &run.rtl),
        model_cycles: cycles(|run| &run.model),
        layers: &runs,
    };
    if json {
        print_json(&(serde_json::to_string_pretty(&validated).expect("numbers and names") + "\n"))?;
    } else {
        print(&text(&export, &validated))?;
    }
    Ok(u8::from(!validated.equal))
}

/// A line per layer: cycles of the RTL, a slash, and those of the cost model.
fn text(export: &DesignExport, validated: &Validated) -> String {
    let Validated { layers, compared, different, .. } = *validated;
    let width = layers.iter().map(|run| run.layer.len()).max().unwrap_or(0).max(5);
    let mut text = format!(
        "cycles of the RTL / of the cost model\n{:width$}  {:>9}  {:>9}  {:>15}  {:>7}  {:>13}  {:>13}  {:>13}  {:>9}  {:>11}\n",
        "layer", "integers", "different", "cycles", "off", "work", "slowest lane", "ports", "fill", "neurons"
    );
    for run in layers {
        line(&mut text, width, &run.layer, [run.compared, run.different], &run.rtl, &run.model);
    }
    let sum = |get: fn(&LayerRun) -> &CauseCycles| {
        layers.iter().map(get).fold(CauseCycles::default(), |sum, cycles| sum.plus(cycles))
    };
    line(&mut text, width, "all", [compared, different], &sum(|run| &run.rtl), &sum(|run| &run.model));
    for (layer, why) in &export.left_out {
        let _ = writeln!(text, "not run: {layer}: {why}");
    }
    let verdict = if different == 0 { "equal" } else { "different" };
    let _ = writeln!(
        text,
        "{}: {verdict}, {compared} integers compared, {different} different",
        validated.folder
    );
    text
}

fn line(
    text: &mut String,
    width: usize,
    name: &str,
    [compared, different]: [u64; 2],
    rtl: &CauseCycles,
    model: &CauseCycles,
) {
    let pair = |get: fn(&CauseCycles) -> f64| format!("{:.0}/{:.0}", get(rtl), get(model));
    let off = (rtl.total() / model.total() - 1.0) * 100.0;
    let _ = writeln!(
        text,
        "{name:width$}  {compared:>9}  {different:>9}  {:>15}  {off:>+6.1}%  {:>13}  {:>13}  {:>13}  {:>9}  {:>11}",
        pair(CauseCycles::total),
        pair(|cycles| cycles.work),
        pair(|cycles| cycles.slowest),
        pair(|cycles| cycles.ports),
        pair(|cycles| cycles.fill_drain),
        pair(|cycles| cycles.neurons),
    );
}
