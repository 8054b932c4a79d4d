use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::activity::{self, ActivityArguments};
use super::fixed::MappingArguments;
use super::given::Given;
use super::model::ModelArguments;
use super::print::{print, print_json};
use super::progress::Bars;
use super::set::SetArguments;
use super::threads::ThreadsArguments;
use crate::check::repeated;
use crate::cost::Machine;
use crate::error::{Error, Result};
use crate::evaluate::{Presentation, SimulationRequest, charged_machines};
use crate::exec::Backend;
use crate::hw::Hardware;
use crate::model::Model;
use crate::output::{self, Owner};
use crate::quant::{Precision, Setting};
use crate::report;

/// Settings that are compared when none is asked for.
const DEFAULT_SETTINGS: [&str; 11] = [
    "fp32",
    "w8",
    "w4",
    "w4-calibrated",
    "w3",
    "w3-calibrated",
    "pot3",
    "pot3-calibrated",
    "w2-calibrated",
    "w4u8",
    "mixed",
];

/// Flags that no figure depends on.
const RESULTS_DO_NOT_DEPEND_ON: [&str; 7] =
    ["out", "json", "threads", "isa", "quiet", "plot-all-layers", "trace"];

/// Flags of `spiq simulate`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// A built-in accelerator, or the path of a hardware description.
    #[arg(long, value_name = "H", default_value = "edge-28")]
    hw: String,
    #[command(flatten)]
    set: SetArguments,
    /// Energies to charge, comma-separated: names of tables (`spiq list tables`), `horowitz-45@28` for one
    /// scaled to 28 nm, or paths of .ron files. All are compared, the first one is reported in full
    /// [default: the hardware's own].
    #[arg(long, value_name = "T", value_delimiter = ',')]
    table: Vec<String>,
    /// A setting: fp32, w8, w4, pot3, w4u8 (weights 4, membranes 8), floor8, a built-in setting or
    /// the path of a setting file; may be repeated [default: fp32 w8 w4 w3 pot3 w4u8 mixed, and of w4-, w3-, pot3- and w2-calibrated
    /// those whose integers are kept for the model].
    #[arg(long, value_name = "Q")]
    quant: Vec<String>,
    #[command(flatten)]
    activity: ActivityArguments,
    #[command(flatten)]
    mapping: MappingArguments,
    /// Write report.html, report.json, settings.csv, layers.csv, rates/ and plots/ here.
    #[arg(long, value_name = "DIR", default_value = "spiq-out")]
    out: PathBuf,
    /// The setting whose layers are drawn and explained [default: w4, or the first quantized one].
    #[arg(long, value_name = "Q")]
    plot_setting: Option<String>,
    /// Draw every layer of a network that has more of them than a picture shows.
    #[arg(long)]
    plot_all_layers: bool,
    /// Write trace.json, too: when layers, units and memories are at work, for ui.perfetto.dev or chrome://tracing.
    #[arg(long)]
    trace: bool,
    /// Print the report as JSON instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    threads: ThreadsArguments,
    /// Kernels that execute the integers; the results do not depend on it [default: the fastest that this
    /// processor has].
    #[arg(long, value_name = "ISA", value_parser = engines())]
    isa: Option<String>,
    /// Draw no progress bar.
    #[arg(long)]
    quiet: bool,
}

/// Values of `--isa`.
fn engines() -> PossibleValuesParser {
    let value = |engine: Backend| PossibleValue::new(engine.name()).help(engine.description());
    PossibleValuesParser::new(Backend::all().map(value))
}

fn engine(name: &str) -> Result<Backend> {
    Backend::all()
        .find(|engine| engine.name() == name && engine.is_available())
        .ok_or_else(|| Error::mismatch(format!("--isa: this processor lacks {name}")))
}

/// Runs `spiq simulate`.
pub fn run(arguments: &Arguments, given: &Given) -> Result<()> {
    let threads = arguments.threads.pool()?;
    let request = request(arguments, given)?;
    output::check_target(&arguments.out, Owner::Report, &["plots", "rates"])?;
    let simulation = threads.install(|| request.run(&Bars::new(arguments.quiet)))?;
    report::write(&simulation, &arguments.out)?;
    if arguments.json {
        print_json(&report::to_json(&simulation)?)
    } else {
        print(&format!("{}\nWrote {}\n", report::table(&simulation), arguments.out.display()))
    }
}

/// The settings called `names`; without any those of the defaults that take no calibration of `model` by images.
fn settings(names: &[String], model: &Model) -> Result<Vec<Setting>> {
    if !names.is_empty() {
        return names.iter().map(|name| Setting::load(name)).collect();
    }
    let defaults = DEFAULT_SETTINGS.into_iter().map(Setting::load).collect::<Result<Vec<_>>>()?;
    let is_ready = |setting: &Setting| match &setting.precision {
        Precision::Float32 => true,
        Precision::Fixed(fixed) => !fixed.needs_images(model),
    };
    Ok(defaults.into_iter().filter(is_ready).collect())
}

/// A checked request: everything is loaded, everything fits.
fn request(arguments: &Arguments, given: &Given) -> Result<SimulationRequest> {
    let batch = arguments.mapping.batch()?;
    let engine = arguments.isa.as_deref().map_or(Ok(Backend::default()), engine)?;
    let model = Arc::new(arguments.model.load()?);
    let settings = settings(&arguments.quant, &model)?;
    if let Some(name) = repeated(settings.iter().map(|setting| &*setting.name)) {
        return Err(Error::mismatch(format!("--quant: two settings are named {name}")));
    }
    if let Some(name) = &arguments.plot_setting
        && settings.iter().all(|setting| setting.name != *name)
    {
        return Err(Error::mismatch(format!("--plot-setting: {name} is none of the settings that are run")));
    }
    let (hardware, hardware_sha256) = Hardware::load(&arguments.set.of(&arguments.hw)?)?;
    if let Some(table) = repeated(arguments.table.iter().map(String::as_str)) {
        return Err(Error::mismatch(format!("--table: {table} is given twice")));
    }
    let machines = charged_machines(Machine::new(hardware)?, &arguments.table)?;
    let origin = activity::load(&arguments.activity, &model, &machines)?;
    let mapping = arguments.mapping.fixed()?;
    Ok(SimulationRequest {
        model,
        machines,
        hardware_sha256,
        origin,
        settings,
        engine,
        mapping,
        batch,
        presentation: Presentation {
            command: given.command(&RESULTS_DO_NOT_DEPEND_ON),
            featured: arguments.plot_setting.clone(),
            all_layers: arguments.plot_all_layers,
            trace: arguments.trace,
        },
    })
}
