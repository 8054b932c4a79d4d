use std::path::PathBuf;

use clap::Args;

use super::explore::{RunArguments, SpaceArguments};
use super::print::print;
use crate::error::Result;
use crate::explore::Run;
use crate::output::{self, Owner};
use crate::report;

/// Flags of `spiq plan`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    of: SpaceArguments,
    /// Folder of the run, for `spiq work` and `spiq merge`.
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    run: RunArguments,
}

/// Runs `spiq plan`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let (space, text) = arguments.of.load()?;
    output::check_target(&arguments.out, Owner::Plan, &[])?;
    let plan = arguments.run.run("points", |images, _| {
        Run::plan(&arguments.of.study(space, &text, images)?, &text, &arguments.out)
    })?;
    let [bytes, results] = plan.bytes().map(|bytes| report::format_quantity(bytes as f64, "B"));
    print(&format!(
        "{} evaluations, a plan of {bytes}, and about {results} of results on disk\nWrote {}\n",
        plan.points(),
        arguments.out.display()
    ))
}
