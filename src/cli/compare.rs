use std::collections::BTreeMap;
use std::path::PathBuf;
use std::slice::from_ref;
use std::sync::Arc;

use clap::Args;

use super::activity::{self, ActivityArguments};
use super::given::Given;
use super::model::ModelArguments;
use super::print::{print, print_json};
use super::progress::Bars;
use super::set::SetArguments;
use crate::cost::Machine;
use crate::error::{Error, Result};
use crate::evaluate::{
    Agreement, AsPublished, Comparison, Evaluation, HardwareSummary, MachineEvaluation, ModelSummary, Origin,
    PublishedWork,
};
use crate::hw::Hardware;
use crate::hw::published::Published;
use crate::map::FixedMapping;
use crate::model::Model;
use crate::output::{self, Owner};
use crate::quant::Setting;
use crate::report;
use crate::watch::Watcher;

/// Flags of `spiq compare`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Accelerators, comma-separated: built in, or paths of hardware descriptions.
    #[arg(long, value_name = "H", value_delimiter = ',', required = true)]
    hw: Vec<String>,
    #[command(flatten)]
    set: SetArguments,
    /// A setting: w8, w4, pot3, w4u8, a built-in setting or the path of a setting file.
    #[arg(long, value_name = "Q", default_value = "w8")]
    quant: String,
    #[command(flatten)]
    activity: ActivityArguments,
    /// Fix the mapping of layers as this file says (docs/cost.md), on every machine; or a file for each of them,
    /// comma-separated, in their order.
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    mapping: Vec<String>,
    /// Show beside our figures those by the rules of the published evaluation that the machines are from, and
    /// what it prints, which needs --rates; and how well a description predicts what else is published of it.
    #[arg(long)]
    as_published: bool,
    /// Write report.html, comparison.json, comparison.csv and plots/ here.
    #[arg(long, value_name = "DIR", default_value = "spiq-out")]
    out: PathBuf,
    /// Print the comparison as JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Draw no progress bar.
    #[arg(long)]
    quiet: bool,
}

/// Machines whose costs are explained: each takes as long as a dozen others, and few of many will be read.
const EXPLAINED: usize = 8;

/// Runs `spiq compare`.
pub fn run(arguments: &Arguments, given: &Given) -> Result<()> {
    let setting = Setting::load(&arguments.quant)?;
    let (machines, summaries) = load_machines(&arguments.hw, &arguments.set)?;
    let model = Arc::new(arguments.model.load()?);
    let origin = activity::load(&arguments.activity, &model, &machines)?;
    let published =
        if arguments.as_published { as_published(&model, &machines, &origin)? } else { Known::default() };
    output::check_target(&arguments.out, Owner::Comparison, &["plots"])?;
    let watcher = Bars::new(arguments.quiet);
    let source = origin.source()?;
    let mappings = mappings(&arguments.mapping, &machines)?;
    let evaluator = origin.evaluator(&model, &watcher)?.with_mappings(mappings).explaining(EXPLAINED);
    watcher.begin(origin.images());
    let progress = |setting: &Setting| watcher.step(&setting.name);
    let evaluations = evaluator.evaluate_all(from_ref(&setting), &machines, &progress)?.remove(0);
    watcher.end();
    let agreement = |name: &str| if arguments.as_published { Agreement::of(name) } else { Vec::new() };
    let machine = |(hardware, evaluation): (HardwareSummary, Evaluation)| MachineEvaluation {
        published: published.by_rules.get(&hardware.name).cloned(),
        agreement: agreement(&hardware.name),
        hardware,
        evaluation,
    };
    let comparison = Comparison {
        model: ModelSummary::new(&model),
        setting: setting.name,
        source,
        machines: summaries.into_iter().zip(evaluations).map(machine).collect(),
        published: published.source,
        command: given.command(&["out", "json", "quiet"]),
    };
    report::write_comparison(&comparison, &arguments.out)?;
    if arguments.json {
        print_json(&report::comparison_to_json(&comparison)?)
    } else {
        print(&format!("{}\nWrote {}\n", report::comparison_table(&comparison), arguments.out.display()))
    }
}

fn load_machines(specs: &[String], set: &SetArguments) -> Result<(Vec<Machine>, Vec<HardwareSummary>)> {
    let (mut machines, mut summaries) = (Vec::new(), Vec::<HardwareSummary>::new());
    for spec in specs {
        let (hardware, sha256) = Hardware::load(&set.of(spec)?)?;
        if summaries.iter().any(|other| other.name == hardware.name) {
            return Err(Error::mismatch(format!("--hw: two machines are named {}", hardware.name)));
        }
        let machine = Machine::new(hardware)?;
        summaries.push(HardwareSummary::new(&machine, sha256));
        machines.push(machine);
    }
    Ok((machines, summaries))
}

/// What `files` fix, by the names of machines.
fn mappings(files: &[String], machines: &[Machine]) -> Result<BTreeMap<String, FixedMapping>> {
    if files.len() > 1 && files.len() != machines.len() {
        let message = format!("--mapping: {} files for {} machines (--hw)", files.len(), machines.len());
        return Err(Error::mismatch(message));
    }
    let names = machines.iter().map(|machine| machine.hardware.name.clone());
    names.zip(files.iter().cycle()).map(|(name, file)| Ok((name, FixedMapping::load(file)?))).collect()
}

/// What a published evaluation makes of machines.
#[derive(Default)]
struct Known {
    /// By the name of a machine.
    by_rules: BTreeMap<String, AsPublished>,
    /// The evaluation, if it has one of the machines.
    source: Option<String>,
}

/// Machines that the published evaluation has by its rules; others have to have published figures of their own.
fn as_published(model: &Model, machines: &[Machine], origin: &Origin) -> Result<Known> {
    let published = Published::load()?;
    let mut known = Known::default();
    let names = machines.iter().map(|machine| &machine.hardware.name);
    let (with_rules, without): (Vec<_>, Vec<_>) =
        names.partition(|name| published.machines.contains_key(*name));
    if let Some(unknown) = without.into_iter().find(|name| Agreement::of(name).is_empty()) {
        let message = format!(
            "--as-published: nothing is published of hardware {unknown}; `spiq list hw` says of which"
        );
        return Err(Error::mismatch(message));
    }
    if with_rules.is_empty() {
        return Ok(known);
    }
    let Origin::Expected(rates) = origin else {
        return Err(Error::mismatch("--as-published counts spikes drawn at the rates of a file: --rates"));
    };
    let work = PublishedWork::new(&model.network, rates);
    for name in with_rules {
        known.by_rules.insert(name.clone(), work.on(&published, name, &model.description.name)?);
    }
    known.source = Some(published.source);
    Ok(known)
}
