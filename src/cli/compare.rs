use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::activity::{self, ActivityArguments};
use super::checkpoint::CheckpointArguments;
use super::print::{print, print_json};
use super::progress::Bars;
use crate::cost::Machine;
use crate::error::{Error, Result};
use crate::evaluate::{
    AsPublished, Comparison, HardwareSummary, MachineEvaluation, ModelSummary, Origin, PublishedWork,
};
use crate::hw::Hardware;
use crate::hw::published::Published;
use crate::model::Model;
use crate::output::{self, Owner};
use crate::quant::Setting;
use crate::report;
use crate::watch::Watcher;

/// Flags of `spiq compare`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A built-in model, or the path of a model description.
    #[arg(long, value_name = "M", default_value = "sdtv1_2-64_fashion")]
    model: String,
    #[command(flatten)]
    checkpoint: CheckpointArguments,
    /// Accelerators, comma-separated: built in, or paths of hardware descriptions.
    #[arg(long, value_name = "H", value_delimiter = ',', required = true)]
    hw: Vec<String>,
    /// A setting: w8, w4, pot3, w4u8, a built-in setting or the path of a setting file.
    #[arg(long, value_name = "Q", default_value = "w8")]
    quant: String,
    #[command(flatten)]
    activity: ActivityArguments,
    /// Show beside our figures those by the rules of the published evaluation that the machines are from, and
    /// what it prints; needs --rates.
    #[arg(long)]
    as_published: bool,
    /// Write comparison.json, comparison.csv and plots/ here.
    #[arg(long, value_name = "DIR", default_value = "spiq-out")]
    out: PathBuf,
    /// Print the comparison as JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Draw no progress bar.
    #[arg(long)]
    quiet: bool,
}

/// Runs `spiq compare`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let setting = Setting::load(&arguments.quant)?;
    let (machines, summaries) = load_machines(&arguments.hw)?;
    let model = Arc::new(arguments.checkpoint.load(&arguments.model)?);
    let origin = activity::load(&arguments.activity, &model, &machines)?;
    let published = if arguments.as_published { Some(Published::load()?) } else { None };
    let by_rules = match &published {
        Some(published) => as_published(published, &model, &machines, &origin)?,
        None => vec![None; machines.len()],
    };
    output::check_target(&arguments.out, Owner::Comparison, &["plots"])?;
    let watcher = Bars::new(arguments.quiet);
    let source = origin.source()?;
    let evaluator = origin.evaluator(&model, &watcher)?;
    evaluator.check(&setting, &machines)?;
    watcher.begin(origin.images());
    let evaluations = evaluator.evaluate(&setting, &machines, &|| watcher.step(&setting.name))?;
    watcher.end();
    let machine = |((hardware, evaluation), published)| MachineEvaluation { hardware, evaluation, published };
    let comparison = Comparison {
        model: ModelSummary::new(&model),
        setting: setting.name,
        source,
        machines: summaries.into_iter().zip(evaluations).zip(by_rules).map(machine).collect(),
        published: published.map(|published| published.source),
    };
    report::write_comparison(&comparison, &arguments.out)?;
    if arguments.json {
        print_json(&report::comparison_to_json(&comparison)?)
    } else {
        print(&format!("{}\nWrote {}\n", report::comparison_table(&comparison), arguments.out.display()))
    }
}

fn load_machines(specs: &[String]) -> Result<(Vec<Machine>, Vec<HardwareSummary>)> {
    let (mut machines, mut summaries) = (Vec::new(), Vec::<HardwareSummary>::new());
    for spec in specs {
        let (hardware, sha256) = Hardware::load(spec)?;
        if summaries.iter().any(|other| other.name == hardware.name) {
            return Err(Error::mismatch(format!("--hw: two machines are named {}", hardware.name)));
        }
        summaries.push(HardwareSummary { name: hardware.name.clone(), sha256 });
        machines.push(Machine::new(hardware)?);
    }
    Ok((machines, summaries))
}

fn as_published(
    published: &Published,
    model: &Model,
    machines: &[Machine],
    origin: &Origin,
) -> Result<Vec<Option<AsPublished>>> {
    let Origin::Expected(rates) = origin else {
        return Err(Error::mismatch("--as-published counts spikes drawn at the rates of a file: --rates"));
    };
    let work = PublishedWork::new(&model.network, rates);
    let on =
        |machine: &Machine| work.on(published, &machine.hardware.name, &model.description.name).map(Some);
    machines.iter().map(on).collect()
}
