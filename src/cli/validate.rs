use std::fmt::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::print::{print, print_json};
use super::validate_rtl;
use crate::error::Result;
use crate::exchange::{
    Bundle, NeuronConfig, NpyReader, Recording, ReplayReport, ValidationReport, replay, validate,
};

/// Arguments of `spiq validate`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    /// Golden bundles.
    #[arg(required = true, value_name = "DIR")]
    bundles: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Recorded input currents through a configured neuron, compared step by step.
    Neuron(NeuronArguments),
    /// Runs of the RTL of a machine: its integers, and its cycles beside those of the cost model.
    Rtl(RtlArguments),
}

#[derive(Debug, Args)]
struct RtlArguments {
    /// A folder of `spiq export rtl --design` in which `make` was run.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct NeuronArguments {
    /// The name of a built-in neuron (lif, loihi), or the path of a description.
    #[arg(long, value_name = "N")]
    config: String,
    /// Input currents, [T, neurons], 32-bit integers.
    #[arg(long, value_name = "NPY")]
    current: PathBuf,
    /// Recorded spikes, [T, neurons].
    #[arg(long, value_name = "NPY")]
    spikes: PathBuf,
    /// Recorded membranes after each step, [T, neurons].
    #[arg(long, value_name = "NPY")]
    membrane: Option<PathBuf>,
    /// Timesteps before which all state returns to 0.
    #[arg(long, value_name = "T", value_delimiter = ',')]
    reset_at: Vec<usize>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints of a bundle.
#[derive(Serialize)]
struct Validated<'a> {
    bundle: String,
    equal: bool,
    compared: u64,
    mismatches: u64,
    #[serde(flatten)]
    report: &'a ValidationReport,
}

/// Runs `spiq validate`; 1 if anything differs, or nothing was compared.
pub fn run(arguments: &Arguments) -> Result<u8> {
    match &arguments.what {
        Some(What::Neuron(neuron)) => run_neuron(neuron),
        Some(What::Rtl(rtl)) => validate_rtl::run(&rtl.dir, rtl.json),
        None => run_bundles(arguments),
    }
}

fn run_bundles(arguments: &Arguments) -> Result<u8> {
    let mut equal = true;
    for folder in &arguments.bundles {
        let report = validate(&Bundle::load(folder)?)?;
        equal &= report.is_equal();
        let validated = Validated {
            bundle: folder.display().to_string(),
            equal: report.is_equal(),
            compared: report.compared(),
            mismatches: report.mismatches(),
            report: &report,
        };
        if arguments.json {
            print_json(&(serde_json::to_string(&validated).expect("integers and names") + "\n"))?;
        } else {
            print(&bundle_text(&validated, arguments.bundles.len() == 1))?
        }
    }
    Ok(exit_code(equal))
}

fn exit_code(equal: bool) -> u8 {
    if equal { 0 } else { 1 }
}

/// One line, and the layers: all of them, or those that differ.
fn bundle_text(validated: &Validated, all: bool) -> String {
    let verdict = match (validated.equal, validated.compared) {
        (true, _) => "equal",
        (false, 0) => "nothing compared",
        (false, _) => "different",
    };
    let nodes = &validated.report.nodes;
    let mut text = String::new();
    let width = nodes.iter().map(|node| node.name.len()).max().unwrap_or(0).max(5);
    if all {
        let _ = writeln!(text, "{:width$}  {:>11}  {:>10}", "layer", "compared", "mismatches");
    }
    for node in nodes.iter().filter(|n| all || n.mismatches > 0 || n.saturations.is_some()) {
        let _ = write!(text, "{:width$}  {:>11}  {:>10}", node.name, node.compared, node.mismatches);
        if let Some(first) = &node.first {
            let at = &first.at;
            let _ = write!(
                text,
                "  {} first at t {}, image {}, channel {}, y {}, x {}: expected {}, got {}",
                first.of, at.t, at.image, at.channel, at.y, at.x, first.expected, first.got
            );
            text.push_str(if node.cause { "; its inputs agree" } else { "; its inputs differ too" });
        }
        if let Some([expected, got]) = node.saturations {
            let _ = write!(text, "  saturations: expected {expected}, got {got}");
        }
        text.push('\n');
    }
    let Validated { bundle, compared, mismatches, .. } = validated;
    let _ = writeln!(text, "{bundle}: {verdict}, {compared} integers compared, {mismatches} mismatches");
    if let Some(cause) = nodes.iter().find(|node| node.cause) {
        let _ = writeln!(text, "caused by {}: its inputs agree, what it yields does not", cause.name);
    }
    text
}

fn run_neuron(arguments: &NeuronArguments) -> Result<u8> {
    let config = NeuronConfig::load(&arguments.config)?;
    let mut recording = Recording {
        current: NpyReader::open(&arguments.current)?,
        spikes: NpyReader::open(&arguments.spikes)?,
        membrane: arguments.membrane.as_deref().map(NpyReader::open).transpose()?,
    };
    let report = replay(&config, &mut recording, &arguments.reset_at)?;
    if arguments.json {
        print_json(&(serde_json::to_string_pretty(&report).expect("integers and names") + "\n"))?
    } else {
        print(&replay_text(&report))?
    }
    Ok(exit_code(report.compared > 0 && report.mismatches == 0))
}

fn replay_text(report: &ReplayReport) -> String {
    let ReplayReport { timesteps, neurons, compared, mismatches, first } = report;
    let mut text = format!(
        "{neurons} neurons, {timesteps} timesteps: {compared} integers compared, {mismatches} mismatches\n"
    );
    if let Some(first) = first {
        let _ = writeln!(
            text,
            "{} first at t {}, neuron {}: expected {}, got {}",
            first.of, first.t, first.neuron, first.expected, first.got
        );
    }
    text
}
