use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::model::ModelArguments;
use super::print::print;
use super::progress;
use super::sensitivity::{base_of, choices_of, images_above_zero};
use super::set::SetArguments;
use super::threads::ThreadsArguments;
use crate::cost::Machine;
use crate::error::Result;
use crate::evaluate::Evaluator;
use crate::hw::Hardware;
use crate::model::DataSet;
use crate::output::write_durably;
use crate::report;
use crate::sensitivity::cost_table;

/// Flags of `spiq cost-table`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// A built-in accelerator, or the path of a hardware description.
    #[arg(long, value_name = "H", default_value = "edge-28")]
    hw: String,
    #[command(flatten)]
    set: SetArguments,
    /// A built-in data set, or the path of a data description; only its validation images are looked at.
    #[arg(long, value_name = "D", default_value = "fashion-mnist")]
    data: String,
    /// What each layer is charged at: bits of uniform weights, or shorthands as pot3.
    #[arg(long, value_name = "B,...", value_delimiter = ',', default_value = "8,4,3,2,pot4,pot3")]
    bits: Vec<String>,
    /// The setting of all other layers: a shorthand, a built-in setting or the path of a setting file.
    #[arg(long, value_name = "Q", default_value = "w8")]
    base: String,
    /// Charge for the activity of the first N validation images.
    #[arg(long, value_name = "N", default_value_t = 16)]
    limit: usize,
    /// Write the table here, as comma-separated values.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    threads: ThreadsArguments,
    /// Draw no progress bar.
    #[arg(long)]
    quiet: bool,
}

/// Runs `spiq cost-table`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let pool = arguments.threads.pool()?;
    images_above_zero(arguments.limit)?;
    let choices = choices_of(&arguments.bits)?;
    let (base, fixed) = base_of(&arguments.base)?;
    let machine = Machine::new(Hardware::load(&arguments.set.of(&arguments.hw)?)?.0)?;
    let model = Arc::new(arguments.model.load()?);
    let data = DataSet::load_for(&arguments.data, &model.description)?;
    let mut images = data.validation_of("a table of costs charges for the activity of")?.clone();
    images.truncate(arguments.limit.min(images.len()));
    let layers = model.network.weighted().count();
    let bar = progress::bar((layers * choices.len()) as u64, arguments.quiet);
    let found = pool.install(|| {
        let evaluator = Evaluator::new(model, &data, &images, &|| ())?.keeping_layers();
        cost_table(&evaluator, (&base, &fixed), &choices, &machine, images.len(), &|| bar.inc(1))
    })?;
    bar.finish_and_clear();
    if let Some(out) = &arguments.out {
        write_durably(out, &report::cost_table_csv(&found)?)?;
    }
    print(&report::cost_table_text(&found))
}
