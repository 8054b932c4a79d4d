use std::path::PathBuf;

use clap::Args;

use super::explore::RunArguments;
use super::print::print;
use crate::error::{Error, Result};
use crate::explore::{Part, Run, WorkerSummary};

/// Flags of `spiq work`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folder of a run that `spiq plan` left.
    folder: PathBuf,
    /// Take part i of n, from 0/n to (n-1)/n [default: 0/1, all].
    #[arg(long, value_name = "i/n", conflicts_with = "id")]
    shard: Option<String>,
    /// Make the evaluation with this id alone.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    #[command(flatten)]
    run: RunArguments,
}

/// Runs `spiq work`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let part = match (&arguments.shard, &arguments.id) {
        (_, Some(id)) => Part::Id(id.clone()),
        (Some(shard), None) => parse(shard)?,
        (None, None) => Part::Shard { number: 0, of: 1 },
    };
    let plan = Run::open(&arguments.folder)?;
    let WorkerSummary { done, refused, skipped } =
        arguments.run.run("points", |images, points| plan.work(&part, images, points))?;
    let refused = if refused == 0 { String::new() } else { format!(" ({refused} refused)") };
    print(&format!("{done} evaluations made{refused}, {skipped} were there\n"))
}

fn parse(text: &str) -> Result<Part> {
    let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match numbers {
        Some((number, of)) if number < of => Ok(Part::Shard { number, of }),
        _ => Err(Error::mismatch(format!("--shard: {text:?} is no part, from 0/n to (n-1)/n"))),
    }
}
