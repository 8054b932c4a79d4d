use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::model::ModelArguments;
use super::print::{print, print_json};
use super::progress;
use super::threads::ThreadsArguments;
use crate::error::{Error, Result};
use crate::model::DataSet;
use crate::output::{self, Owner};
use crate::quant::{FixedPoint, Precision, Setting};
use crate::report;
use crate::sensitivity::{Choice, Imported, Measure, Subject, measures, sensitivities};

/// Flags of `spiq sensitivity`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// A built-in data set, or the path of a data description; only its validation images are looked at.
    #[arg(long, value_name = "D", default_value = "fashion-mnist")]
    data: String,
    /// What each layer is tried at: bits of uniform weights, shorthands as pot3 or w3+gptq, or bits of the membranes
    /// behind it, as u4.
    #[arg(long, value_name = "B,...", value_delimiter = ',', default_value = "4,3,2")]
    bits: Vec<String>,
    /// The setting of all other layers: a shorthand, a built-in setting or the path of a setting file.
    #[arg(long, value_name = "Q", default_value = "w8")]
    base: String,
    /// Measure accuracy on at most N validation images.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
    /// One figure per layer from elsewhere, a Hessian trace or a relevance: a table `layer,value`; may be
    /// repeated.
    #[arg(long, value_name = "FILE")]
    import: Vec<PathBuf>,
    /// Write sensitivity.json, sensitivity.csv, correlations.csv, seconds.csv and plots/ here.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    threads: ThreadsArguments,
    /// Draw no progress bar.
    #[arg(long)]
    quiet: bool,
}

/// Runs `spiq sensitivity`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let pool = arguments.threads.pool()?;
    images_above_zero(arguments.limit)?;
    let choices = choices_of(&arguments.bits)?;
    let (base, fixed) = base_of(&arguments.base)?;
    let model = Arc::new(arguments.model.load()?);
    let mut all = measures();
    for path in &arguments.import {
        let imported = Imported::load(path, &model.network)?;
        if all.iter().any(|measure| measure.name() == imported.name()) {
            return Err(Error::mismatch(format!("--import: two measures are named {}", imported.name())));
        }
        all.push(Box::new(imported));
    }
    let data = DataSet::load_for(&arguments.data, &model.description)?;
    if let Some(out) = &arguments.out {
        output::check_target(out, Owner::Sensitivity, &["plots"])?;
    }
    let bar = progress::bar(all.len() as u64 + 1, arguments.quiet);
    let found = pool.install(|| {
        let subject = Subject::new(Arc::clone(&model), &data, fixed, choices, arguments.limit)?;
        let names = (model.description.name.as_str(), data.name.as_str(), base.as_str());
        sensitivities(&subject, &all, names, &|what| {
            bar.set_message(what.to_owned());
            bar.inc(1);
        })
    })?;
    bar.finish_and_clear();
    if let Some(out) = &arguments.out {
        report::write_sensitivity(&found, out)?;
    }
    if arguments.json {
        print_json(&report::sensitivity_json(&found)?)
    } else {
        print(&report::sensitivity_table(&found))
    }
}

/// Refuses a `--limit` of no image.
pub(super) fn images_above_zero(limit: usize) -> Result<()> {
    if limit == 0 { Err(Error::mismatch("--limit: 0 is not above 0")) } else { Ok(()) }
}

/// What a layer may become, as `--bits` names it.
pub(super) fn choices_of(bits: &[String]) -> Result<Vec<Choice>> {
    let mut choices: Vec<Choice> = Vec::new();
    for text in bits {
        let choice = Choice::parse(text)?;
        if choices.iter().any(|other| other.name == choice.name) {
            return Err(Error::mismatch(format!("--bits: {} twice", choice.name)));
        }
        choices.push(choice);
    }
    Ok(choices)
}

/// Name and rest of the setting of all layers but one, which `--base` names.
pub(super) fn base_of(base: &str) -> Result<(String, FixedPoint)> {
    let setting = Setting::load(base)?;
    match setting.precision {
        Precision::Fixed(fixed) => Ok((setting.name, fixed)),
        Precision::Float32 => Err(Error::mismatch("--base: fp32 has no integers to change a layer of")),
    }
}
